"""What a command says: lines on stdout for as long as somebody reads them, and one line on stderr for each trouble."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EBADF
from typing import TYPE_CHECKING, TextIO

import click

from ltkm_inspect.parameter import similar_file
from ltkm_inspect.wire import count, crash_of, printable
from ltkm_inspect.wire.key_text import is_key_text
from ltkm_inspect.wire.urls import is_url, shown_name

if TYPE_CHECKING:
    from ltkm_inspect.capture.inputs import Input

PROGRAM = "ltkm-inspect"
STANDARD_OUTPUT = "standard output"

OK = 0
COULD_NOT_RUN = 1
FINDINGS = 3
NOTHING_SEEN = 4
INCOMPLETE = 5

MOST_LINES = 50
"""How many damaged places of one input are listed; the rest is counted."""


def say(lines: Iterable[str], *, color: bool = False) -> bool:
    """Print lines, with their color only if it is wanted.

    If nobody reads them any more, drop these and all later ones, and return False.
    """
    text = "\n".join(lines)
    return not text or pour(lambda file: click.echo(text, file, color=color))


class Output:
    """Standard output of a command that continues if it fails; a failure is reported once."""

    def __init__(self, *, color: bool = False) -> None:
        """Say whether lines are in color."""
        self._color = color

    failed = False
    """It failed, and not because its reader is gone."""

    def say(self, lines: Iterable[str]) -> bool:
        """Print lines as `say` does, and drop these and all later ones, too, where that fails."""
        if self.failed:
            return False
        try:
            return say(lines, color=self._color)
        except OSError as error:
            complain(f"{STANDARD_OUTPUT}: {reason(error)}")
            self.failed = True
            return False


def _drop() -> None:
    """Let what is still printed go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def pour(write: Callable[[TextIO], None]) -> bool:
    """Let something be written to stdout; where nobody reads it any more, drop it and all that follows: False.

    OSError, for whatever else does not work, names standard output.
    """
    if sys.stdout is None:  # closed by whoever started us
        raise OSError(EBADF, os.strerror(EBADF), STANDARD_OUTPUT)
    try:
        write(sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop()
        return False
    except OSError as error:
        _drop()  # else it is tried once more at the end of the program
        raise OSError(error.errno, error.strerror, STANDARD_OUTPUT) from error
    return True


def complain(line: str) -> None:
    """Print one line on stderr."""
    click.echo(f"{PROGRAM}: {line}", err=True)


def say_nothing(files: Sequence["Input"], nothing: str) -> None:
    """Say of files that nothing was seen in them, in that line, or that they are empty and how to get others."""
    from ltkm_inspect.capture.damage import RECORD

    empty = [file.name for file in files if file.is_empty]
    for name in empty:
        complain(f"{printable(name)}: the file is empty: {RECORD}")
    if nothing and len(empty) < len(files):
        complain(nothing)


def reason(error: Exception, fits: Callable[[str], bool] = os.path.exists) -> str:
    """Return why something failed, and for a missing file what is there instead, in one line that is safe to print.

    `fits` tells of a path whether its file is of a kind that is wanted.
    """
    if isinstance(error, IsADirectoryError):
        return "expected a file, got a folder: name a file in it"
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str | os.PathLike):
        path = os.fsdecode(error.filename)
        folder = os.path.dirname(path)
        if is_key_text(path) or is_url(path):
            return str(error.strerror)
        if folder and not os.path.isdir(folder):
            return f"{error.strerror}; there is no folder {printable(folder)}"
        return f"{error.strerror}{similar_file(path, fits)}"
    return printable(getattr(error, "strerror", None) or str(error))


def failure(error: Exception) -> str:
    """Return why a file could not be read to its end: what the system says, else where this program failed."""
    if isinstance(error, OSError):
        from ltkm_inspect.capture.inputs import may_be_capture

        return reason(error, may_be_capture)
    return f"ltkm-inspect failed here, so the rest was not checked: {crash_of(error)}; please report this bug"


@dataclass(slots=True)
class InputErrors:
    """Counts what was wrong with input files or messages, and prints it on stderr at once."""

    unread: int = 0
    damaged: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    """How often something was wrong, by input."""

    def say(self, source: str, why: str, *, unread: bool) -> None:
        """Count an input that could not be opened, or is damaged, and say so in one line, the first times."""
        self.sources[source] += 1
        if self.sources[source] > MOST_LINES:
            self.damaged += 1
            return
        is_key = is_key_text(source) and not os.path.exists(source)
        complain(f"{'(what may be a key)' if is_key else printable(shown_name(source))}: {why}")
        self.unread += unread
        self.damaged += not unread

    def lost(self, complaints: Iterable[str]) -> None:
        """Count and say what could not be written, so that a report is partial."""
        for line in complaints:
            complain(line)
            self.damaged += 1

    def exit_code(self, inputs: int, otherwise: int) -> int:
        """Return 1 if no input could be read, 5 if some were not or not in full; say what is not listed."""
        for source, number in self.sources.items():
            if number > MOST_LINES:
                complain(f"{printable(source)}: {count(number - MOST_LINES, 'more damaged place')}, not listed")
        if self.unread == inputs:
            return COULD_NOT_RUN
        return INCOMPLETE if self.unread or self.damaged else otherwise
