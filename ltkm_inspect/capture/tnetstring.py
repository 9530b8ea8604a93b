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

_LENGTH: Callable[..., re.Match[bytes] | None] = re.compile(rb"(\d{1,12}):").match


class UnusualError(ValueError):
    """A record is not written as mitmproxy writes one of the current format; its own reader has to say what it is."""


def part(octets: bytes, at: int, end: int) -> Part:
    """Return the value that begins there; UnusualError where it does not end before `end`."""
    found = _LENGTH(octets, at, end)
    if found is None:
        raise UnusualError("expected a length")
    start = found.end()
    stop = start + int(found[1])
    if stop >= end:
        raise UnusualError("expected a value that ends within what holds it")
    return octets[stop], start, stop


def parts(octets: bytes, start: int, end: int) -> list[Part]:
    """Return the values that stand between these two places, one behind the other."""
    found: list[Part] = []
    while start < end:
        length = _LENGTH(octets, start, end)
        if length is None:
            raise UnusualError("expected a length")
        start = length.end()
        stop = start + int(length[1])
        if stop >= end:
            raise UnusualError("expected a value that ends within what holds it")
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
    if len(keys) != len(values):
        raise UnusualError("expected a value for each key")
    for key in keys:
        if key[0] != TEXT:
            raise UnusualError("expected keys that are text")
    return {octets[key[1] : key[2]]: value for key, value in zip(keys, values, strict=True)}


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
    raise UnusualError("expected a type that there is")
