"""Checks captures as one session, on one core or several, and makes the results ready to print."""

import os
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking import serial
from ltkm_inspect.checking.checker import Checker, Presenter
from ltkm_inspect.checking.results import Shown, StretchResult, WorkerError
from ltkm_inspect.checking.serial import follow

WORTH = 4 << 20
"""How many octets of input are worth a process more."""
_FETCHING = ("fsspecIO", "asyncio_")
"""How the names of the threads begin that fetch what URLs mean; they hold no lock while there is nothing to fetch."""
_PACKED = (".gz", ".zst")
_DENSE = 8
"""How much more there is to do for an octet that was compressed."""


def check(files: Sequence[Input], checker: Checker, jobs: int, *, by_time: bool = False) -> Generator[StretchResult]:
    """Yield the results of these files as one session, in their order, or by time.

    The number of jobs makes no difference.

    What is small, comes from a pipe or is redacted (which takes to have seen each connection) is checked in this
    process. Raises WorkerError where another one that shares the work is gone.
    """
    most = 1 if checker.presenter.wording.redaction is not None else min(jobs, _worth(files))
    # a process with threads cannot be copied safely, and some systems copy none
    if most < 2 or _has_threads() or not hasattr(os, "fork"):
        return serial.check_by_time(files, checker) if by_time else serial.check(files, checker)
    from ltkm_inspect.checking import parallel

    return parallel.check(files, checker, most, by_time=by_time)


def cores() -> int:
    """Return how many cores this process may use."""
    with suppress(AttributeError):  # not every system tells
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _worth(files: Sequence[Input]) -> int:
    """Return how many processes these files are worth; one where somebody may be waiting for each line."""
    octets = 0
    for file in files:
        if file.problem:
            continue
        size = file.octets
        if size is None:
            return 1
        octets += size * (_DENSE if file.name.endswith(_PACKED) else 1)
    return max(1, octets // (WORTH // 2))


def _has_threads() -> bool:
    """Tell whether there are threads beside the main one, but for those that fetch files and have nothing to do now."""
    others = (thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    return not all(name.startswith(_FETCHING) for name in others)
