"""Processes of mitmdump that need not import it, because they are forked from one that has.

That is two thirds of what a proxy in a test costs. Everything else is as in a process that a shell starts.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from multiprocessing import get_context
from multiprocessing.connection import Connection
from signal import Signals
from socket import socket
from subprocess import TimeoutExpired

from mitmproxy.tools import main

import ltkm_inspect.proxy.addon  # noqa: F401 - what the script imports
from ltkm_inspect.pytest.running import SteeringWheel, steering_words

_context = get_context("forkserver")
_context.set_forkserver_preload([__name__])


class Fork:
    """A mitmdump that runs, with the methods that a process of `subprocess` has."""

    def __init__(self, arguments: Sequence[str], wheel: SteeringWheel | None = None) -> None:
        """Start it, here and in this environment; `stdout` is what it prints, errors as well."""
        reading, writing = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_run, args=(arguments, {**os.environ}, os.getcwd(), writing, wheel and wheel.other), daemon=True
        )
        self._process.start()
        writing.close()
        if wheel is not None:
            wheel.started()
        self.stdout: TextIOWrapper | None = open(os.dup(reading.fileno()))  # noqa: SIM115 - who has read it closes it
        reading.close()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return its status once it has ended, until then None."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end; return its status."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise TimeoutExpired("mitmdump", timeout)
        return status

    def send_signal(self, signal: Signals) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, signal)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: str, out: Connection, wheel: socket | None
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number in (1, 2):
        os.dup2(out.fileno(), number)
    out.close()
    sys.stdout, sys.stderr = (open(number, "w", buffering=1) for number in (1, 2))  # noqa: SIM115 - up to the end
    sys.argv = ["mitmdump", *arguments, *([] if wheel is None else steering_words(wheel.detach()))]
    sys.exit(main.mitmdump())
