"""SIGINT and SIGTERM: they end the program at once while there is nothing to clean up, then by an exception."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
TERMINATED = 143
_ENDS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came, which ends a command as SIGINT does."""


def exit_at_once() -> None:
    """Let both end this process without a word, with 128 and their number as its exit code."""
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a shell
            signal.signal(number, lambda number, _: os._exit(128 + number))


@contextmanager
def raising() -> Iterator[None]:
    """Make both raise KeyboardInterrupt, SIGTERM the one that is Terminated; then they do again what they did before.

    Only the main thread of a process can set signal handlers; in any other thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in _ENDS}
    try:
        for number, handler in former.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def code_of(error: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was ended so."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def reason_of(error: KeyboardInterrupt) -> str:
    """Return what ended a command."""
    return "ended by SIGTERM" if isinstance(error, Terminated) else "interrupted"
