"""The log of a BSM as a table: its encoding, its separator, its headers, and its rows with their line numbers."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from ltkm_inspect.capture import CaptureSource
from ltkm_inspect.capture.damage import PackedError
from ltkm_inspect.input import kind
from ltkm_inspect.options.words import OptionError, alternatives
from ltkm_inspect.wire import printable

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""The separators that are recognized, by the names that users type."""
_BEGINS = 1 << 16
"""How many octets tell encoding and separator."""
_SAMPLE = 50
"""How many rows tell the separator."""
_EXCEL = "sep="
"""A first line that begins so says which separator follows: a convention of Excel."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER = kind.OTHER | {kind.CAPTURE, kind.DOCUMENT, kind.JSON, kind.LTKMS, kind.EMPTY}


class LogError(Exception):
    """The log cannot be compared; the message is one line that is safe to print."""


class LogRow(NamedTuple):
    """One row of the log."""

    line: int
    """The number of its first line in the file, from 1."""
    cells: list[str]
    problem: str = ""
    """Why it has no cells, safe to print."""


@dataclass(slots=True)
class LogTable:
    """An open log, of which the headers are read."""

    encoding: str
    """As Python names it."""
    separator: str
    first: LogRow
    """The first row that has more than one cell: the headers, or data already."""
    rest: Iterator[LogRow]

    @classmethod
    def of(cls, source: CaptureSource, encoding: str = "", separator: str = "") -> "LogTable":
        """Read the beginning of an open file; detect what is not given. LogError for what is no table."""
        begins = _beginning(source)
        found = kind.kind_of(begins[: kind.START])
        encoding = encoding or _encoding(begins)
        text = codecs.getincrementaldecoder(encoding)("replace").decode(begins)
        if found in _OTHER or (found is kind.OCTETS and not _is_text(text)):
            raise LogError(f"expected the log of a BSM as a table (CSV), got {found.name}")
        lines = io.TextIOWrapper(io.BufferedReader(_Octets(begins, source)), encoding, "replace", newline="")
        skipped = 0
        if text[: len(_EXCEL)].lower() == _EXCEL:
            separator = separator or text[len(_EXCEL) :][:1]
            text, skipped = text.partition("\n")[2], 1
            lines.readline()
        separator = separator or _separator(text)
        rows = _rows(lines, separator, skipped)
        for row in rows:
            if sum(not cell.isspace() and cell != "" for cell in row.cells) > 1:
                return cls(encoding, separator, row, rows)
        raise LogError("expected the log of a BSM as a table, got no line with more than one cell; see --separator")

    @property
    def headers(self) -> list[str]:
        """The cells of the first row, without the white space around them."""
        return [cell.strip().removeprefix("#").strip() for cell in self.first.cells]

    @property
    def shown_encoding(self) -> str:
        """The encoding for people."""
        return {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252"}.get(self.encoding, self.encoding.upper())

    @property
    def shown_separator(self) -> str:
        """The separator for people: its name, if it has one."""
        return next((name for name, each in SEPARATORS.items() if each == self.separator), printable(self.separator))


def parse_separator(text: str) -> str:
    """Return the separator for what is typed: a name, one character, or nothing; OptionError for anything else."""
    separator = "\t" if text == r"\t" else SEPARATORS.get(text.lower(), text)
    if len(separator) > 1 or separator in ('"', "\r", "\n"):
        known = alternatives([*SEPARATORS, "one character"])
        raise OptionError("separator", f"expected {known}, got {printable(text)}")
    return separator


def parse_encoding(text: str) -> str:
    """Return the encoding for what is typed, or nothing; OptionError for one that Python does not know as text."""
    try:
        if text:
            "".encode(text)
    except (LookupError, ValueError):
        raise OptionError("encoding", f"expected an encoding such as utf-8 or cp1252, got {printable(text)}") from None
    return text.lower()


class _Octets(io.RawIOBase):
    """The octets of an open file, with its beginning that was read already."""

    def __init__(self, begins: bytes, source: CaptureSource) -> None:
        self._begins = begins
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece, self._begins = self._begins[: len(buffer)], self._begins[len(buffer) :]
        piece = piece or self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _beginning(source: CaptureSource) -> bytes:
    begins = b""
    with suppress(PackedError):  # which the rows raise again
        while len(begins) < _BEGINS and (piece := source.read(_BEGINS - len(begins))):
            begins += piece
    return begins


def _encoding(begins: bytes) -> str:
    """Return the encoding by its mark, by where the zeros are, or by whether the octets are UTF-8."""
    for mark, name in _MARKS:
        if begins.startswith(mark):
            return name
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if b"\0" in begins[:64] and not any(begins[start:64:2]):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(begins)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _is_text(text: str) -> bool:
    """Tell whether hardly any character is one that text does not have: a log may have a few."""
    strange = sum((character < " " and character not in "\t\r\n") or character == "\ufffd" for character in text)
    return strange <= len(text) // 20


def _separator(text: str) -> str:
    """Return the separator that gives most rows as many cells as there are headers, and then most cells."""
    lines = text.splitlines(keepends=True)[: _SAMPLE + 1]
    lines = lines[:-1] if len(lines) > _SAMPLE else lines  # the last one may be cut off

    def score(separator: str) -> tuple[int, int]:
        widths = Counter(len(row.cells) for row in _rows(iter(lines), separator, 0) if len(row.cells) > 1)
        (width, number), *_ = [*widths.most_common(1), (0, 0)]
        return number, width

    return max(SEPARATORS.values(), key=score)


def _rows(lines: Iterator[str], separator: str, before: int) -> Iterator[LogRow]:
    """Yield the rows that have any text."""
    reader = csv.reader(lines, delimiter=separator)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield LogRow(line, [], printable(str(error)))
            continue
        except PackedError as error:
            yield LogRow(line, [], str(error))
            return
        if any(cells):
            yield LogRow(line, cells)
