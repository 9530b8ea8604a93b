"""Work done in a process of its own, whose processor time and memory are known to the last."""

import os
import pickle
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MEGA = 1_000_000
_KILO = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Done:
    """What a piece of work returned and took."""

    value: Any
    """None where it did not end well."""
    seconds: float
    """Of a processor."""
    peak: float
    """MB of memory at most."""
    error: str = ""
    """Why it did not end well."""


def apart(work: Callable[[], Any], seconds: int) -> Done:
    """Do the work in a copy of this process, which is ended when it has taken so many seconds of a processor.

    The copy finds imported what is imported here, and leaves nothing behind.
    """
    with tempfile.TemporaryFile() as answer:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _work(work, seconds, answer.fileno())
        _, status, used = os.wait4(pid, 0)
        answer.seek(0)
        octets = answer.read()
    taken, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * _KILO / MEGA
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        error = f"more than {seconds} s" if number == signal.SIGXCPU else f"signal {number}"
        return Done(None, taken, peak, error)
    value, error = pickle.loads(octets)
    return Done(value, taken, peak, error)


def _work(work: Callable[[], Any], seconds: int, answer: int) -> None:
    """Do the work, write what it returns, and end the process without what the copied one wants to do at its end."""
    try:
        # The clock of a copy starts at zero.
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        try:
            found = work(), ""
        except BaseException:
            found = None, traceback.format_exc()
        with os.fdopen(answer, "wb", closefd=False) as file:
            pickle.dump(found, file)
    finally:
        os._exit(0)


def go_first() -> None:
    """Let this thread, but none that it starts, go before everything else where that is allowed.

    On a busy machine an event loop would wait for the processor while a thread of its process goes on, which looks as
    if that thread did not let it.
    """
    with suppress(AttributeError, OSError):  # not on every system, and not for everybody
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
