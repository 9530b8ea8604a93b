"""The command line as the tests run it: in this process, or as a process where only that proves something.

In this process the standard streams are real files, so that a command finds what it finds when a shell has redirected
them. What needs a process of its own: signals, pipes without a reader, limits of the system, and what gets imported.
"""

import gc
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from ltkm_inspect.cli import program

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "ltkm_inspect.cli")
PATIENCE = 120.0
"""Seconds after which a process counts as hanging."""


def run(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command in this process with that standard input; whatever it was given, there must be no traceback."""
    words = [*map(str, arguments)]
    threshold = gc.get_threshold()
    with (
        TemporaryFile("w+") as source,
        TemporaryFile("w+", encoding="utf-8") as out,
        TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as errors,
        pytest.MonkeyPatch.context() as here,
    ):
        source.buffer.write(given)
        source.seek(0)
        here.chdir(ROOT)
        here.setattr(sys, "argv", [COMMAND[-1], *words])
        for name, stream in (("stdin", source), ("stdout", out), ("stderr", errors)):
            here.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as end:
            program.run()
        gc.set_threshold(*threshold)
        done = subprocess.CompletedProcess(words, _code(end.value), _content(out), _content(errors))
    assert b"Traceback" not in done.stderr
    return done


@contextmanager
def little_room(octets: int) -> Iterator[None]:
    """Let no file become larger than that, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def run_process(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process; `more` is for the process. There must be no traceback."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
        **more,
    )
    assert b"Traceback" not in done.stderr
    return done


def run_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash, in which `{command}` stands for the command."""
    line = command.replace("{command}", " ".join(COMMAND))
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False)


def run_text(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in this process, with text in place of octets."""
    return text_of(run(*arguments, given=given.encode()))


def text_of(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """Return what was printed as text."""
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@cache
def imported(*arguments: str) -> frozenset[str]:
    """Return the names of the modules that are there when a process has run the command."""
    code = (
        "import sys, atexit; from ltkm_inspect.cli import main; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, check=True)
    return frozenset(done.stderr.decode().split())


def _code(end: SystemExit) -> int:
    assert isinstance(end.code, int | None)
    return end.code or 0


def _content(stream: TextIOWrapper) -> bytes:
    stream.seek(0)
    return bytes(stream.buffer.read())
