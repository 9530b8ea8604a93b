"""Messages in passages of a longer text: in LTKM elements, and in blocks of lines that have something around them.

Mail quotes, prompts, line numbers and the prefixes of logs come before each line; a label or a sentence comes
before the block, and a greeting after it.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ltkm_inspect.input import notation

_ELEMENT = re.compile(r"<(?:[\w.-]{1,64}:)?LTKM(?:\s[^<>]*)?>\s*+(?:<!\[CDATA\[)?([^<>\]]*+)")
_LINE_ENDS = re.compile(r"\\[nrt]")
"""Ends of lines as JSON and source code write them."""
_FIRST_OFFSET = re.compile(r"(?<![0-9A-Za-z])(?:0x)?0{3,16}(?:[:|]|\s-)?\s++[0-9A-Fa-f]{2}")
_START = re.compile(r"(?<![A-Za-z0-9/_-])(?:AQ[A-Za-z0-9+/_-]{14}|01[ :.-]?[0-9A-Fa-f]{2}(?:[ :.-]?[0-9A-Fa-f]{2}){8})")
"""What a block begins with: the header of a message takes ten octets. A plus in front may be the mark of a diff."""
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_HEX_LINE = re.compile(r"[0-9A-Fa-f]{2}(?:[ :.-]?[0-9A-Fa-f]{2})*+")
_AROUND = "\\ \t\"',;:|`.)]}>"
"""What follows a line of data in source code, tables and sentences."""


class Passage(NamedTuple):
    """One message in a text; the numbers of lines begin at 1."""

    line: int
    octets: bytes | None
    """None where it begins like a message and is none."""


def elements(text: str) -> list[bytes | None]:
    """Return the messages of the LTKM elements in a text, whatever is around them; None for one that holds none.

    Their markup may be escaped, as in HTML and JSON.
    """
    if "LTKM" not in text:
        return []
    plain = html.unescape(text) if "&lt;" in text else text
    return [notation.from_words(_LINE_ENDS.sub("", part[1]), "base64") for part in _ELEMENT.finditer(plain)]


def dump_without_prefixes(text: str) -> str | None:
    """Return the lines of a dump from the column of the first offset on; None where no offset follows text."""
    lines = text.splitlines()
    for line in lines:
        found = _FIRST_OFFSET.search(line)
        if found is not None:
            return "\n".join(each[found.start() :] for each in lines) if found.start() else None
    return None


def blocks(text: str) -> Iterator[Passage]:
    """Yield the messages in a text, over one line or several, in base64 or hex.

    A line of a block begins in the column of the first one, or is data as a whole. The cost is linear in the text.
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        found = _START.search(lines[at])
        if found is None:
            at += 1
            continue
        parts = _block(lines, at, found.start())
        octets, taken = _message(parts)
        yield Passage(at + 1, octets)
        at += taken


def _block(lines: Sequence[str], first: int, column: int) -> list[str]:
    """Return the data of the lines of a block; only the last line may be shorter than the first, and none is longer."""
    begin = _without_end(lines[first][column:])
    line_of = _HEX_LINE if _HEX_LINE.fullmatch(begin) else _BASE64_LINE
    parts = [found[0] if (found := line_of.match(begin)) else begin]
    if len(parts[0]) != len(begin):
        return parts  # other words follow it
    start: int | None = None
    for line in lines[first + 1 :]:
        if start is None:  # as the second line is, so are the others
            start = _start(line, column, len(begin), line_of)
        part = _without_end(line[start:])
        if len(part) > len(begin) or not line_of.fullmatch(part):
            break
        parts.append(part)
        if len(part) < len(begin):
            break
    return parts


def _start(line: str, column: int, width: int, line_of: re.Pattern[str]) -> int:
    """Return where the data of a line begins: in that column, or with the line if it is data as a whole."""
    whole = _without_end(line)
    if len(_without_end(line[column:])) == width or not line_of.fullmatch(whole) or len(whole) > width:
        return column
    return 0


def _without_end(line: str) -> str:
    """Return a line without white space and without what follows its data."""
    line = line.strip()
    end = len(line.rstrip(_AROUND))
    return line[:end].removesuffix("\\par").removesuffix("\\line").rstrip(_AROUND)


def _message(parts: Sequence[str]) -> tuple[bytes | None, int]:
    """Return the message that the lines of a block are, and how many of them; None where they are none."""
    for count in (1, len(parts), len(parts) - 1):
        octets = notation.from_words("\n".join(parts[:count])) if count else None
        if octets is not None and notation.is_message(octets):
            return octets, count
    return None, len(parts)
