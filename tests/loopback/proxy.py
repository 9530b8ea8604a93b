"""The real mitmdump between terminals and BSM: in reverse mode, its options changed while it runs."""

import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.proxy.parts import PATIENCE, Mitmdump, Run

CONTROL = Path(__file__).with_name("control.py")


class Keyboard:
    """What sets options and runs commands of a mitmdump with the script `control.py`."""

    def __init__(self, path: Path) -> None:
        """Take up the socket of that path, once the mitmdump listens on it."""
        self._socket = _connected(path)
        self._file = self._socket.makefile("rb")

    def set(self, **options: object) -> str:
        """Set options; return the text of the error, or nothing."""
        return self._tell(options)

    def run(self, command: str, *arguments: str) -> str:
        """Run a command; return the text of the error, or nothing."""
        return self._tell([command, *arguments])

    def _tell(self, what: object) -> str:
        self._socket.sendall(json.dumps(what).encode() + b"\n")
        said = json.loads(self._file.readline())
        assert isinstance(said, str)
        return said

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
        self._socket.close()


class Steered:
    """A mitmdump in front of a port of the loopback, with the script, and with what a user has a keyboard for."""

    def __init__(self, mitmdump: Mitmdump, upstream: int | str, *options: str, more: Sequence[str | Path] = ()) -> None:
        """Start it; the options are in the form of `--set`, `more` are other arguments."""
        # The path of a socket may not be long, and that of a test's folder is.
        self._folder = Path(tempfile.mkdtemp(prefix="ltkm-"))
        path = self._folder / "control"
        typed = [word for each in (*options, f"control={path}") for word in ("--set", each)]
        self.proxy = mitmdump.proxy(*reverse(upstream), "-s", CONTROL, *typed, *more)
        self.port = self.proxy.port
        self._keyboard = Keyboard(path)
        self.set, self.run = self._keyboard.set, self._keyboard.run

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, unless it was."""
        if self.proxy.process.poll() is None:
            self.stop()

    def stop(self) -> Run:
        """End it; return what it printed."""
        self._keyboard.close()
        run = self.proxy.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
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


def _connected(path: Path) -> socket.socket:
    end = time.monotonic() + PATIENCE
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(PATIENCE)
    while time.monotonic() < end:
        with suppress(OSError):
            made.connect(str(path))
            return made
        time.sleep(0.02)
    made.close()
    raise AssertionError(f"nothing listens at {path}")
