"""The real mitmproxy in a terminal that tmux holds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mitmproxy.utils import emoji

from tests.proxy.parts import PATIENCE, SCRIPT, TRIAL

MITMPROXY = Path(sys.executable).with_name("mitmproxy")


class Console:
    """A mitmproxy in a terminal, in a tmux server of its own."""

    def __init__(
        self, folder: Path, *arguments: str | Path, size: tuple[int, int] = (200, 80), **environment: str
    ) -> None:
        """Start it, with the trial unless told otherwise, in a terminal of that many columns and lines.

        The folder is for the socket, whose path must be short.
        """
        self._environment = {name: value for name, value in os.environ.items() if name != "TMUX"}
        self._environment |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | environment
        (folder / "conf").write_text("set -g default-terminal screen-256color\nset -g remain-on-exit on\n")
        self._tmux = ["tmux", "-u", "-S", str(folder / "socket"), "-f", str(folder / "conf")]
        program = [str(MITMPROXY), "--set", f"confdir={folder}", "--set", "ltkm_bindings=true", "-s", str(SCRIPT)]
        columns, lines = map(str, size)
        loaded = map(str, arguments or ("-n", "-r", TRIAL))
        self._do("new-session", "-d", "-x", columns, "-y", lines, "--", *program, *loaded)

    def _do(self, *command: str) -> str:
        done = subprocess.run(
            [*self._tmux, *command],
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._do("send-keys", "-l", text)

    def press(self, key: str) -> None:
        """Press a key that has a name."""
        self._do("send-keys", key)

    def command(self, text: str) -> None:
        """Run a command of mitmproxy."""
        self.type(f":{text}")
        self.press("Enter")

    def screen(self, until: Callable[[str], bool]) -> str:
        """Return what the terminal shows as soon as it is what is waited for."""
        deadline = time.monotonic() + PATIENCE
        while not until(shown := self._do("capture-pane", "-p")):
            assert time.monotonic() < deadline, shown
            time.sleep(0.1)
        return shown

    def home(self) -> None:
        """Show the flow list as at the beginning: leave what a test has opened, and take back its faults."""
        if not _at_home(self.screen(bool)):
            self.press("q")
            self.screen(_at_home)
        self.command("ltkm.revert @all")
        self.command("view.focus.go 0")
        self.screen(lambda shown: _at_home(shown) and "[1/" in shown and emoji.emoji[":wrench:"] not in shown)

    def colored_screen(self) -> str:
        """Return what the terminal shows, with the escape sequences that color it."""
        return self._do("capture-pane", "-p", "-e", "-N")

    def close(self) -> None:
        """End mitmproxy, and the tmux server once it has seen that end."""
        with suppress(ProcessLookupError):
            os.kill(int(self._do("display-message", "-p", "#{pane_pid}")), signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while self._do("display-message", "-p", "#{pane_dead}").strip() != "1" and time.monotonic() < deadline:
            time.sleep(0.1)
        self._do("kill-server")


def _at_home(shown: str) -> bool:
    """Tell whether the flow list is shown, with no table before it."""
    return shown.startswith("Flows") and "│" not in shown
