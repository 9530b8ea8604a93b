"""Types the commands that pages show in `console` blocks, and returns the blocks with what is really printed."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from ltkm_inspect import catalogue, checking, diff, export, matching  # noqa: F401 - so that no command has to import them
from ltkm_inspect.cli.program import run
from ltkm_inspect.mitm import flow_file, rewriting  # noqa: F401 - as above
from tests.generated import ROOT

FENCE = "```"
PROMPT = "$ "
MOST = 60.0
"""Seconds that a command may take."""
_TYPED = re.compile(
    rf"^{FENCE}console\n(?P<block>.*?)^{FENCE}$|^<!-- \$ (?P<hidden>[^\n]*) -->$", re.MULTILINE | re.DOTALL
)
_TIME_OF_DAY = re.compile(r"^\[\d\d:\d\d:\d\d\.\d{3}\] ", re.MULTILINE)


def with_output(page: str) -> str:
    """Return a page with its `console` blocks as they look when somebody types their commands one after the other.

    The folder at hand is like a checkout with the environment active; what a command writes is there for the next ones
    on the page. `<!-- $ COMMAND -->` is typed too, and not shown. The time of day in front of a line of mitmproxy is
    left out. ValueError for a block that prints nothing: what its commands look for is no longer there.
    """
    if not _TYPED.search(page):
        return page
    with tempfile.TemporaryDirectory(prefix="ltkm-docs-") as folder:
        for name in ("flows", "addons"):
            Path(folder, name).symlink_to(ROOT / name)
        terminal = _Terminal(Path(folder))

        def typed(found: re.Match[str]) -> str:
            if hidden := found["hidden"]:
                terminal.type(hidden)
                return found[0]
            commands = [line.removeprefix(PROMPT) for line in found["block"].splitlines() if line.startswith(PROMPT)]
            shown = "".join(f"{PROMPT}{command}\n{terminal.type(command)}" for command in commands)
            if len(shown.splitlines()) == len(commands):
                raise ValueError(f"a console block prints nothing: {commands}")
            return f"{FENCE}console\n{shown}{FENCE}"

        return _TYPED.sub(typed, page)


class _Terminal:
    """A folder where commands are typed one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exit_code = 0
        self._programs = f"{Path(sys.executable).parent}{os.sep}"
        path = f"{self._programs}{os.pathsep}{os.environ['PATH']}"
        self._environment = os.environ | {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def type(self, command: str) -> str:
        """Return what a command prints; `$?` is the exit code of the one before.

        An `ltkm-inspect` at the beginning, up to a pipe and without other signs of the shell, runs in a fork of this
        process: to start a Python each time takes longer than all of the work.
        """
        with tempfile.TemporaryFile() as screen, tempfile.TemporaryFile() as pipe:
            shell = command
            program, piped, rest = command.partition(" | ")
            if program.startswith("ltkm-inspect ") and not {*program} & {*"<>;&$"}:
                shell = rest
                self._exit_code = _forked(shlex.split(program), self._folder, pipe if piped else screen, screen)
                pipe.seek(0)
            if shell:
                words = ["bash", "-c", f"(exit {self._exit_code}); {shell}"]
                done = subprocess.run(
                    words,
                    cwd=self._folder,
                    env=self._environment,
                    stdin=pipe,
                    stdout=screen,
                    stderr=screen,
                    timeout=MOST,
                    check=False,
                )
                self._exit_code = done.returncode
            screen.seek(0)
            printed = _TIME_OF_DAY.sub("", screen.read().decode())
        for place, shown in ((self._programs, ""), (str(self._folder), ".")):
            printed = printed.replace(place, shown)
        return printed if printed.endswith("\n") or not printed else f"{printed}\n"


def _forked(words: list[str], folder: Path, output: IO[bytes], errors: IO[bytes]) -> int:
    """Run the command line with these words in a fork of this process; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.chdir(folder)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
        sys.argv = words
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
