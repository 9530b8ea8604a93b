"""Types the commands that pages show in `console` blocks, and returns the blocks with what is really printed."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from mitmproxy.tools import main

from ltkm_inspect import checking, diff, export, matching  # noqa: F401 - so that no command has to import them
from ltkm_inspect.cli import check, decode, fault, program  # noqa: F401 - as above
from ltkm_inspect.mitm import flow_file, rewriting  # noqa: F401 - as above
from ltkm_inspect.proxy import addon  # noqa: F401 - as above
from tests.generated import ROOT

FENCE = "```"
PROMPT = "$ "
MOST = 60.0
"""Seconds that a command may take."""
_TYPED = re.compile(
    rf"^{FENCE}console\n(?P<block>.*?)^{FENCE}$|^<!-- \$ (?P<hidden>[^\n]*) -->$", re.MULTILINE | re.DOTALL
)
_FORKED: dict[str, Callable[[], Any]] = {"ltkm-inspect": program.run, "mitmdump": main.mitmdump}
_WORDS = re.compile(rf"(?P<words>({'|'.join(_FORKED)}) [^<>;&$|]*)( > (?P<file>\S+)| \| (?P<rest>.*))?", re.DOTALL)
"""A command that needs no shell, up to a pipe or a file."""
_TIME_OF_DAY = re.compile(r"^\[\d\d:\d\d:\d\d\.\d{3}\] ", re.MULTILINE)


def with_output(page: str) -> str:
    """Return a page with its `console` blocks as they look when somebody types their commands one after the other.

    The folder at hand is like a checkout with the environment active; what a command writes is there for the next ones
    on the page. `<!-- $ COMMAND -->` is typed too, and not shown. The time of day in front of a line of mitmproxy is
    left out. ValueError for a block that prints nothing: what its commands look for is no longer there. Also for one
    that prints today's date: it would be out of date tomorrow.
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
            if time.strftime("%Y-%m-%d", time.gmtime()) in shown:
                raise ValueError(f"a console block prints today's date: {commands}")
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

        An `ltkm-inspect` or `mitmdump` at the beginning, without signs of the shell before a pipe or a file, runs in a
        fork of this process: to start a Python each time takes longer than all of the work.
        """
        with tempfile.TemporaryFile() as screen, tempfile.TemporaryFile() as pipe:
            shell = command
            if found := _WORDS.fullmatch(command):
                shell, file = found["rest"], found["file"]
                self._exit_code = self._run(shlex.split(found["words"]), pipe if shell or file else screen, screen)
                pipe.seek(0)
                if file:
                    Path(self._folder, file).write_bytes(pipe.read())
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

    def _run(self, words: list[str], output: IO[bytes], errors: IO[bytes]) -> int:
        """Run a program with these words in a fork of this process; return its exit code."""
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        code = 1
        try:
            os.chdir(self._folder)
            os.environ.update(self._environment)
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
            sys.argv = words
            sys.exit(_FORKED[words[0]]())
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
