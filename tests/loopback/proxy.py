"""The real mitmdump between terminals and BSM: in reverse mode, its options changed while it runs."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from ltkm_inspect.pytest.running import SteeringWheel
from tests.proxy.parts import PATIENCE, Mitmdump, Run


class Steered:
    """A mitmdump in front of a port of the loopback, with the script, and with what a user has a keyboard for."""

    def __init__(self, mitmdump: Mitmdump, upstream: int | str, *options: str, more: Sequence[str | Path] = ()) -> None:
        """Start it; the options are in the form of `--set`, `more` are other arguments."""
        self._wheel = SteeringWheel()
        typed = [word for each in options for word in ("--set", each)]
        self.proxy = mitmdump.proxy(*reverse(upstream), *typed, *more, wheel=self._wheel)
        self.port = self.proxy.port
        self.set, self.run = self._wheel.set, self._wheel.run

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, unless it was."""
        if self.proxy.process.poll() is None:
            self.stop()
        self._wheel.close()

    def stop(self) -> Run:
        """End it; return what it printed."""
        run = self.proxy.stop()
        self._wheel.close()
        return run

    def wait_for(self, found: Callable[[list[str]], bool], since: int = 0) -> list[str]:
        """Return the lines of the log from a place on, as soon as something is found in them."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            lines = self.proxy.log[since:]
            if found(lines):
                return lines
            time.sleep(0.005)
        raise AssertionError("\n".join(["not found in:", *self.proxy.log[since:]]))


def reverse(upstream: int | str) -> list[str]:
    """Return the arguments of mitmdump for a proxy in front of that port of the loopback, or of that host."""
    host = f"127.0.0.1:{upstream}" if isinstance(upstream, int) else upstream
    return ["--mode", f"reverse:http://{host}", "--set", "keep_host_header=true"]
