"""TOML files that people write: read within bounds, with errors in one line, and read again when they change."""

import os
import re
import stat
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ltkm_inspect.wire.key_text import is_key_text
from ltkm_inspect.wire.text import printable

SECOND = 1.0
LONGEST_FILE = 16 << 20
"""Octets; a key ring of fifty thousand subscribers is shorter. A device without end must not be read to its end."""


class TomlError(ValueError):
    """A file that cannot be used; its text is one line, which never quotes the value of a key."""


class TomlFile[T]:
    """A TOML file that is read again when it has changed."""

    def __init__(
        self,
        path: str | Path,
        what: str,
        read: Callable[[bytes], tuple[T, list[str]]],
        *,
        private: bool = False,
        similar: Callable[[str], str] = lambda path: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file; raises TomlError.

        `what` names the kind of file, `read` returns its content with warnings of one line each, `private` warns if
        others can read the file, `similar` is the hint if it is missing, and the clock gives seconds.
        """
        self.path = Path(path)
        self._what, self._read, self._private, self._similar, self._clock = what, read, private, similar, clock
        self._looked = clock()
        self._trouble = ""
        self.content, self.warnings, self._mark = self._load()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def refresh(self) -> list[str] | None:
        """Read the file again where it has changed; return lines for the log, or None if there are none.

        It looks at the file once a second at most. If the file cannot be used, the old content stays, and the error is
        the line: once, until the error changes or the file was usable in between. A file that was not regular at the
        start, such as a pipe, is read only once.
        """
        now = self._clock()
        if now - self._looked < SECOND or self._mark == _READ_ONCE:
            return None
        self._looked = now
        mark = _mark(self.path)
        if mark == self._mark:
            return None
        self._mark = mark
        try:
            if mark == _READ_ONCE:  # to open a pipe could wait for ever
                raise TomlError(f"{shown_path(self.path)}: expected a regular file, got something else")
            self.content, self.warnings, self._mark = self._load()
        except TomlError as error:
            before, self._trouble = self._trouble, str(error)
            if self._mark == _READ_ONCE:
                self._mark = None
            return None if before == self._trouble else [self._trouble]
        self._trouble = ""
        return self.warnings

    def _load(self) -> tuple[T, list[str], "_Mark"]:
        shown = shown_path(self.path)
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                octets = file.read(LONGEST_FILE + 1)
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or "the path cannot be used").lower()
            if isinstance(error, FileNotFoundError) and not is_key_text(str(self.path)):
                why += self._similar(str(self.path))
            raise TomlError(f"{shown}: expected {self._what}, got: {why}") from None
        if len(octets) > LONGEST_FILE:
            raise TomlError(f"{shown}: expected at most {LONGEST_FILE >> 20} MiB, got more")
        try:
            content, warnings = self._read(octets)
        except TomlError as error:
            raise TomlError(f"{shown}: {error}") from None
        mode = stat.S_IMODE(status.st_mode)
        if self._private and os.name == "posix" and mode & 0o077:
            warnings.insert(0, f"other users can read this file (mode {mode:o}): chmod 600 {shown}")
        return content, [f"{shown}: {warning}" for warning in warnings], _mark_of(status)


type _Mark = tuple[int, ...] | None
_READ_ONCE: _Mark = ()
"""The mark of what is no regular file."""


def _mark(path: Path) -> _Mark:
    try:
        return _mark_of(path.stat())
    except (OSError, ValueError):
        return None


def _mark_of(status: os.stat_result) -> _Mark:
    if not stat.S_ISREG(status.st_mode):
        return _READ_ONCE
    # The time of the last change of state too: to take a permission away changes nothing else.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def parse_toml(octets: bytes, what: str, example: str) -> dict[str, Any]:
    """Return what TOML says; TomlError names the line. `what` should be there (`a key ring`), as in the `example`."""
    try:
        return tomllib.loads(octets.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise TomlError(f"line {line}: the text is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        text = str(error)  # may quote the file
        place = re.search(r"\(at (line \d+, column \d+|end of document)\)$", text)
        where = f"{place[1]}: " if place else ""
        if text.startswith(("Cannot overwrite", "Cannot declare", "Cannot redefine", "Duplicate")):
            raise TomlError(f"{where}a field or table appears twice") from None
        raise TomlError(f"{where}expected TOML, such as {example}, got other text") from None
    except (RecursionError, ValueError):
        raise TomlError(f"expected {what}, got TOML that is nested too deeply") from None


def kind_of_value(value: object) -> str:
    """Return what kind of value TOML gave, in words, without the value."""
    kinds = {type(None): "nothing", str: "a string", int: "a number", bool: "true or false", list: "an array"}
    if value in ("", []):
        return "an empty value"
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "another type")


def shown_path(path: Path) -> str:
    """Return a path, safe to print; not one that may be a key, typed in the wrong place."""
    is_key = is_key_text(str(path)) and not path.exists()
    return "(what may be a key)" if is_key else printable(str(path))


def line_of(octets: bytes, table: str, key: str) -> int | None:
    """Return the number of the line, from 1, in which a table has a key; None if it is written in an unusual way."""
    within = False
    for number, line in enumerate(octets.decode("utf-8", "replace").splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            within = header[1].strip("\"' ") == table
        elif within and any(re.match(rf"\s*{mark}{re.escape(key)}{mark}\s*[=.]", line) for mark in ("", '"', "'")):
            return number
    return None


def lines_of_tables(octets: bytes, name: str) -> list[int]:
    """Return the numbers of the lines, from 1, that begin the tables of an array of that name."""
    header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(name)}[\"']?\s*\]\]")
    lines = octets.decode("utf-8", "replace").splitlines()
    return [number for number, line in enumerate(lines, 1) if header.match(line)]


_HEADER = re.compile(r"\s*\[+\s*([^\[\]#]*?)\s*\]")
