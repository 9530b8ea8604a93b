"""Tnetstrings, the form in which mitmproxy saves flows, taken apart only as far as somebody wants to know.

A tnetstring is a length in decimal digits, a colon, that many octets, and one octet that tells the type. Only what
mitmproxy itself writes is read; whatever its reader may accept besides (a sign before a length, a key that is no text)
is `UnusualError`, and then that reader is asked.
"""

import re
from collections.abc import Callable
from typing import Any

OCTETS, TEXT, INTEGER, REAL, BOOLEAN, NULL, LIST, TABLE = b",;#^!~]}"
"""The types by their octet."""

type Part = tuple[int, int, int]
"""Type of a value, where its octets begin, and where they end."""

_DIGITS = 12
_LONGEST_INTEGER = 5
_LATEST = 1 << 40
"""No flow was recorded that many seconds after 1970."""
_LENGTH: Callable[..., re.Match[bytes] | None] = re.compile(rb"(\d{1,12}):").match


class UnusualError(ValueError):
    """A record is not written as mitmproxy writes one of the current format; its own reader has to say what it is."""


def parts(octets: bytes, start: int, end: int) -> list[Part]:
    """Return the consecutive values between these two places."""
    found: list[Part] = []
    while start < end:
        length = _LENGTH(octets, start, end)
        if length is None:
            raise UnusualError("expected a length")
        start = length.end()
        stop = start + int(length[1])
        if stop >= end:
            raise UnusualError("expected a value that ends within its container")
        found.append((octets[stop], start, stop))
        start = stop + 1
    return found


def table(octets: bytes, held: Part) -> dict[bytes, Part]:
    """Return the values of a table by their key; of two with the same key the latter, as for mitmproxy."""
    tag, start, end = held
    if tag != TABLE:
        raise UnusualError("expected a table")
    found = parts(octets, start, end)
    keys, values = found[::2], found[1::2]
    if len(keys) != len(values) or any(tag != TEXT for tag, _, _ in keys):
        raise UnusualError("expected text keys with a value each")
    return {octets[start:stop]: value for (_, start, stop), value in zip(keys, values, strict=True)}


def keys(*names: str) -> tuple[bytes, ...]:
    """Return the keys of a table as they are written."""
    return tuple(b"%d:%s;" % (len(name), name.encode()) for name in names)


def row(octets: bytes, held: Part, order: tuple[bytes, ...]) -> list[Part]:
    """Return the values of a table that has these keys and no others, in that order.

    Mostly they stand in that order, so that nothing needs to be looked up; a table of another order takes longer.
    """
    tag, at, end = held
    if tag != TABLE:
        raise UnusualError("expected a table")
    found: list[Part] = []
    for key in order:
        if not octets.startswith(key, at):
            break
        at += len(key)
        colon = octets.find(b":", at, at + _DIGITS + 1)
        digits = octets[at:colon]
        if colon < 0 or not digits.isdigit():
            break
        at = colon + 1
        stop = at + int(digits)
        if stop >= end:
            break
        found.append((octets[stop], at, stop))
        at = stop + 1
    if at == end and len(found) == len(order):
        return found
    known = table(octets, held)
    if len(known) != len(order):
        raise UnusualError("expected other keys")
    return [known[key[key.index(b":") + 1 : -1]] for key in order]


def value(octets: bytes, held: Part) -> Any:
    """Return a value as an object of Python, whatever its type."""
    tag, start, stop = held
    if tag == OCTETS:
        return octets[start:stop]
    if tag == TEXT:
        return octets[start:stop].decode()
    if tag == INTEGER:
        return int(octets[start:stop])
    if tag == REAL:
        return float(octets[start:stop])
    if tag == NULL and start == stop:
        return None
    if tag == BOOLEAN and octets[start:stop] in (b"true", b"false"):
        return octets[start:stop] == b"true"
    if tag == LIST:
        return [value(octets, each) for each in parts(octets, start, stop)]
    if tag == TABLE:
        return {key.decode(): value(octets, each) for key, each in table(octets, held).items()}
    raise UnusualError("expected a known type")


def is_null(held: Part) -> bool:
    """Tell whether a value is none at all."""
    return held[0] == NULL and held[1] == held[2]


def octets_of(record: bytes, held: Part) -> bytes:
    """Return a value that has to be octets."""
    if held[0] != OCTETS:
        raise UnusualError("expected octets")
    return record[held[1] : held[2]]


def text_of(record: bytes, held: Part) -> str:
    """Return a value that has to be text."""
    if held[0] != TEXT:
        raise UnusualError("expected text")
    return record[held[1] : held[2]].decode()


def integer_of(record: bytes, held: Part) -> int:
    """Return a value that has to be an integer: a port or a status, which have few digits."""
    if held[0] != INTEGER or held[2] - held[1] > _LONGEST_INTEGER:
        raise UnusualError("expected an integer")
    return int(record[held[1] : held[2]])


def time_of(record: bytes, held: Part) -> float | None:
    """Return a value that has to be a number or none at all."""
    if is_null(held):
        return None
    if held[0] not in (REAL, INTEGER):
        raise UnusualError("expected a time")
    number: float = value(record, held)
    if not abs(number) < _LATEST:  # nor is what is no number
        raise UnusualError("expected a time in the past")
    return number
