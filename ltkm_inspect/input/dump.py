"""Hex dumps as programs print them: an offset is never data, and neither is the column of text.

Wireshark, `tshark -x`, `xxd`, `hexdump` and `od` differ in the radix of offsets and of data, and in the size and order
of what they print together. The offsets prove a reading: each row holds as many octets as the next offset says. Where
several readings fit, the caller takes the one that gives a MIKEY message.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MOST_OCTETS = 1 << 20
"""Most octets of one dump: an asterisk replaces as many rows as the next offset says, which can be any number."""
_MOST_IN_ROW = 64
_LONGEST_COLUMN = 4 * _MOST_IN_ROW

_OFFSET = re.compile(r"[ \t]*(?:0x)?([0-9A-Fa-f]{3,16})(?:h?[:|]|(?=\s)|$)")
_OPENSSL = re.compile(r"^([0-9a-f]{4,8}) - ((?:[0-9a-f]{2} ){0,7}[0-9a-f]{2})[- ]")
"""How OpenSSL begins a row; there is a hyphen in its middle."""
_REPEATED = "*"
_PAIR = re.compile(r"\s*([0-9A-Fa-f]{2})(?=\s|$|\|)")


class _Unit(NamedTuple):
    """How a program prints data: its words, and the octets that they mean."""

    token: re.Pattern[str]
    octets: Callable[[re.Match[str]], bytes]


def _word(found: re.Match[str]) -> bytes:
    return bytes.fromhex(found[1])[::-1]


_ESCAPES = {"0": 0, "a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}


def _character(found: re.Match[str]) -> bytes:
    if found["octal"]:
        return bytes((int(found["octal"], 8),))
    return bytes((_ESCAPES[found["escape"]],)) if found["escape"] else found["character"].encode("latin-1", "replace")


_UNITS = (
    _Unit(re.compile(r"\s*((?:[0-9A-Fa-f]{2}){1,8})(?=\s|$|\|)"), lambda found: bytes.fromhex(found[1])),
    _Unit(re.compile(r"\s*((?:[0-9A-Fa-f]{2}){2,8})(?=\s|$)"), _word),  # od -x, hexdump, xxd -e
    _Unit(re.compile(r"\s*([0-3][0-7]{2})(?=\s|$)"), lambda found: bytes((int(found[1], 8),))),  # od -b
    _Unit(re.compile(r"\s*([01][0-7]{5})(?=\s|$)"), lambda found: int(found[1], 8).to_bytes(2, "little")),  # od
    _Unit(re.compile(r"\s*([01]{8})(?=\s|$)"), lambda found: bytes((int(found[1], 2),))),  # xxd -b
    _Unit(
        re.compile(r"\s*(25[0-5]|2[0-4]\d|1\d?\d?|\d\d?|-1[01]\d|-12[0-8]|-\d\d?)(?=\s|$)"),  # od -t u1, od -t d1
        lambda found: bytes((int(found[1]) & 0xFF,)),
    ),
    _Unit(re.compile(r"(?: (?P<octal>[0-3][0-7]{2})|  \\(?P<escape>[0abtnvfr])|   (?P<character>.))"), _character),
)
"""`od -c` comes last: its rows are cells of four characters."""


class _Row(NamedTuple):
    offset: int
    data: str
    """What follows the offset; the text column is part of it."""


def readings(text: str) -> Iterator[list[bytes]]:
    """Yield the ways to read a text as one dump or several; none where it is no dump. Other lines are passed over.

    The cost is linear in the text, and a reading has at most MOST_OCTETS for each of its dumps.
    """
    lines = [_OPENSSL.sub(r"\1  \2 ", line) for line in text.splitlines()]
    tried: list[list[list[_Row | str]]] = [[]]
    for radix in (16, 8, 10):
        blocks = _blocks(lines, radix)
        if blocks in tried:
            continue
        tried.append(blocks)
        for unit in _UNITS:
            found = [octets for block in blocks if (octets := _octets(block, unit))]
            if found:
                yield found
    if octets := _without_offsets(lines):
        yield [octets]


def _blocks(lines: Sequence[str], radix: int) -> list[list[_Row | str]]:
    """Return the rows of each dump; one begins where the offsets begin again, or after a line of another kind."""
    blocks: list[list[_Row | str]] = []
    last: int | None = None
    for line in lines:
        found = _OFFSET.match(line)
        try:
            offset = int(found[1], radix) if found else None
        except ValueError:
            offset = None
        if found is None or offset is None:
            if line.strip() == _REPEATED and last is not None:
                blocks[-1].append(_REPEATED)
            elif line.strip():
                last = None
            continue
        row = _Row(offset, line[found.end() :])
        if last is None or offset <= last:
            blocks.append([row])
        else:
            blocks[-1].append(row)
        last = offset
    return [block for block in blocks if _is_dump(block)]


def _is_dump(block: list[_Row | str]) -> bool:
    rows = [row for row in block if isinstance(row, _Row)]
    if len(rows) == 1:
        return rows[0].offset == 0 and bool(rows[0].data.strip())
    return rows[1].offset - rows[0].offset <= _MOST_IN_ROW


def _octets(block: list[_Row | str], unit: _Unit) -> bytes | None:
    """Return the octets of one dump in that unit; None where the offsets do not bear it out."""
    parts: list[bytes] = []
    total, width, repeats = 0, 0, False
    start = next(row.offset for row in block if isinstance(row, _Row))
    for row, following in zip(block, [*block[1:], None], strict=True):
        if isinstance(row, str):
            repeats = True
            continue
        missing = row.offset - start - total
        if missing:
            if not repeats or not parts or not 0 < missing <= MOST_OCTETS - total:
                return None
            parts.append((parts[-1] * (missing // len(parts[-1]) + 1))[:missing])
            total += missing
        repeats = False
        if not row.data.strip():  # the offset behind the last octet
            break
        wanted = following.offset - row.offset if isinstance(following, _Row) else None
        is_last = following is None or (isinstance(following, _Row) and not following.data.strip())
        found = _in_row(row.data, unit, wanted, width, len(parts[0]) if parts else 0, cut=is_last)
        if found is None:
            return None
        octets, end = found
        width = max(width, end)
        parts.append(octets)
        total += len(octets)
        if total > MOST_OCTETS:
            return None
    return b"".join(parts)


def _in_row(
    data: str, unit: _Unit, wanted: int | None, width: int, usual: int, *, cut: bool
) -> tuple[bytes, int] | None:
    """Return the octets of one row, and the column where they end.

    How many there are is `wanted`, where an offset follows. Else they end where those of the rows before end (`width`),
    or in a single row in front of the column of text. A row that is `cut` may end within a word.
    """
    octets, at = b"", 0
    most = wanted if wanted is not None else usual or len(data)
    ends: list[tuple[int, int]] = []
    while len(octets) < most and (found := unit.token.match(data, at)):
        if wanted is None and width and found.end() > width:
            break
        octets += unit.octets(found)
        at = found.end()
        ends.append((len(octets), at))
        if len(octets) > _MOST_IN_ROW:
            return None
    if wanted is None:
        if not width:
            return _before_text(octets, ends, data) or ((octets, at) if octets else None)
        return (octets, at) if octets else None
    if len(octets) > wanted and cut:
        octets = octets[:wanted]
    return (octets, at) if len(octets) == wanted else None


def _without_offsets(lines: Sequence[str]) -> bytes:
    """Return the octets of rows of pairs of digits with a column of text each; nothing where a row has none."""
    parts = []
    for line in filter(str.strip, lines):
        octets, at = b"", 0
        ends = []
        while len(octets) <= _MOST_IN_ROW and (found := _PAIR.match(line, at)):
            octets += bytes.fromhex(found[1])
            at = found.end()
            ends.append((len(octets), at))
        found_part = _before_text(octets, ends, line)
        if found_part is None:
            return b""
        parts.append(found_part[0])
    return b"".join(parts)


def _before_text(octets: bytes, ends: list[tuple[int, int]], data: str) -> tuple[bytes, int] | None:
    """Return the octets that a column of text follows, and where they end; None where there is no such column."""
    splits = ((octets[:size], end) for size, end in reversed(ends))
    return next((split for split in splits if _is_text_of(split[0], data[split[1] : split[1] + _LONGEST_COLUMN])), None)


def _is_text_of(octets: bytes, column: str) -> bool:
    """Tell whether a column shows octets as text: printable ASCII as it is, anything else by a sign of its own."""
    column = column.strip()
    if len(column) > 1 and column[0] + column[-1] in ("||", "><"):
        column = column[1:-1]
    shown = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in octets)
    for text in (shown, shown.strip()):
        if (
            text
            and len(text) == len(column)
            and all(a == b or (a == "." and not b.isalnum()) for a, b in zip(text, column, strict=True))
        ):
            return True
    return False
