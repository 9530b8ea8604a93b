"""The process that workers on this machine are forked from: it imports what they need once, while the driver starts."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

_BLOCKS = 32 << 20
_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(_BLOCKS), "MALLOC_MMAP_THRESHOLD_": str(_BLOCKS), "MALLOC_ARENA_MAX": "1"}
"""Dask lets workers give every freed block back at once; but a file is read in large ones. Threads share what is
free."""


def prepare() -> None:
    """Start that process, if there is none yet."""
    multiprocessing.set_forkserver_preload(["ltkm_inspect.cluster.imported"])
    before = {name: os.environ.get(name) for name in _MEMORY}
    os.environ.update(_MEMORY)
    try:
        with interrupts_blocked():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started: the terminal sends it to all, and this one says when it is over."""
    resource_tracker.ensure_running()  # else it is started with the first of them, and would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
