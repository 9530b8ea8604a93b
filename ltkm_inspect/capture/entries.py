"""Finds the entries of a HAR one by one while its text is read, so that only one is in memory."""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator
from errno import EINVAL
from itertools import chain
from typing import Any, NamedTuple

from ltkm_inspect.capture.damage import ENDS_WITHIN_HAR, PackedError
from ltkm_inspect.traffic import ours
from ltkm_inspect.wire import printable

LARGEST = 32 << 20
"""How many octets one entry may have."""
MOST_VALUES = 1_000_000
"""How many values may be in one entry; each takes much more memory than the 2 octets that it has at least."""
NO_ENTRIES = "expected a HAR with log.entries, got other JSON: export the traffic as HAR again"

_BLOCK = 1 << 20
_LONGEST_KEY = 256
_MOST_DIGITS = 20
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"{\0\0\0", "utf-32-le"),
    (b"\0\0\0{", "utf-32-be"),
    (b"{\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
)
"""How a text begins, and its encoding (RFC 4627 §3)."""
_SPACE: Callable[..., re.Match[bytes]] = re.compile(rb"[ \t\r\n]*+").match  # type: ignore[assignment]  # matches always
_IN_STRING: Callable[..., re.Match[bytes]] = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL).match  # type: ignore[assignment]
_IN_SCALAR: Callable[..., re.Match[bytes]] = re.compile(rb"[^,\]}\s]*+").match  # type: ignore[assignment]
_HAR = re.compile(r'\{\s*"log"\s*:').match
_MARK = re.compile(rb'["\[\]{}]').search

type Read = Callable[[int], bytes]
"""Returns at most that many octets, none at the end."""


class Entry(NamedTuple):
    """One entry of a HAR."""

    number: int
    """From 1."""
    value: Any
    """As JSON gives it; numbers that no computer holds are infinite."""
    problem: str = ""
    """Why it could not be read, safe to print."""


class HarError(ValueError):
    """A text is no HAR, or ends within one; the message is one line, safe to print."""

    def __init__(self, offset: int, text: str) -> None:
        """Take where it stops being one, in octets of its UTF-8, and why."""
        super().__init__(text)
        self.offset = offset


def is_json(begins: bytes) -> bool:
    """Tell from the first octets of a file that it is a JSON object, in whatever encoding."""
    return _text(begins).startswith("{")


def is_har(begins: bytes) -> bool:
    """Tell from the first octets of a file that it begins like a HAR."""
    return _HAR(_text(begins)) is not None


def _text(begins: bytes) -> str:
    encoding, bom = _encoding(begins)
    return begins[bom:].decode(encoding, "replace").lstrip(" \t\r\n")


def entries(read: Read) -> Iterator[Entry]:
    """Yield the entries of a HAR in their order; HarError where it is damaged, once all before that were yielded.

    OSError for other text, in which no log begins. PackedError passes through, which `read` may raise.
    """
    text = _Text(_utf8(read))
    has_log = found = False
    try:
        if text.byte() != b"{":
            raise HarError(text.offset, NO_ENTRIES)
        for key in _members(text):
            if key != b'"log"' or text.byte() != b"{":
                text.value(0)
                continue
            has_log = True
            for name in _members(text):
                if name != b'"entries"' or text.byte() != b"[":
                    text.value(0)
                    continue
                found = True
                for number, _ in enumerate(_elements(text), 1):
                    entry = _entry(text, number)
                    if entry is not None:
                        yield entry
        if not found:
            raise HarError(0, NO_ENTRIES)
    except HarError as error:
        if has_log:
            raise
        raise OSError(EINVAL, str(error)) from None


def _entry(text: "_Text", number: int) -> Entry | None:
    octets = text.value(LARGEST)
    if octets is None:
        problem = f"expected at most {LARGEST >> 20} MiB, got more, so the entry was not read"
        return Entry(number, None, problem if text.may_be_msk else "")
    if sum(map(octets.count, (b",", b"[", b"{"))) > MOST_VALUES:
        return Entry(number, None, f"expected at most {MOST_VALUES} values, got more, so the entry was not read")
    try:
        value = json.loads(octets.decode("utf-8", "surrogateescape"), parse_int=_integer)
    except json.JSONDecodeError as error:
        return Entry(number, None, f"not JSON: {printable(error.msg)} at character {error.pos}")
    except RecursionError:
        return Entry(number, None, "expected a HAR entry, got JSON that is nested too deeply")
    return Entry(number, value)


def _integer(digits: str) -> int | float:
    """Return a number, or infinity: nobody counts that far, and Python takes a square of time to read it."""
    if len(digits) <= _MOST_DIGITS:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _encoding(begins: bytes) -> tuple[str, int]:
    """Return the encoding that a text begins in, and how many octets its byte order mark has."""
    for start, encoding in _ENCODINGS:
        if begins.startswith(start):
            return encoding, 0 if b"{" in start else len(start)
    return "utf-8", 0


def _utf8(read: Read) -> Iterator[bytes]:
    """Yield a text in pieces, in UTF-8 and without its byte order mark; what cannot be decoded stays damaged."""
    first = read(_BLOCK)
    while 0 < len(first) < 4 and (more := read(_BLOCK)):
        first += more
    encoding, bom = _encoding(first)
    pieces = chain((first[bom:] or read(_BLOCK),), iter(lambda: read(_BLOCK), b""))
    if encoding == "utf-8":
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if "16" in encoding else "replace")
    for piece in pieces:
        try:
            text = decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise PackedError(f"the text is not {encoding}: {error.reason}") from error
        if text:
            yield text.encode("utf-8", "surrogatepass")


class _Text:
    """JSON that comes in pieces, and is gone through value by value."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self._base = 0
        self.may_be_msk = False
        """Something in the last value makes it possible that it is an MSK exchange."""

    @property
    def offset(self) -> int:
        return self._base + self._at

    def byte(self) -> bytes:
        """Return the next octet that is no white space, and stay there; none at the end."""
        while True:
            self._at = _SPACE(self._buffer, self._at).end()
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._fill():
                return b""

    def take(self, *wanted: bytes) -> bytes:
        """Take one of these octets; HarError for any other one."""
        got = self.byte()
        if got not in wanted:
            words = " or ".join(each.decode() for each in wanted)
            shown = printable(got.decode("ascii", "replace"))
            problem = f"the HAR is not JSON: expected {words}, got {shown}" if got else ENDS_WITHIN_HAR
            raise HarError(self.offset, problem)
        self._at += 1
        return got

    def value(self, most: int) -> bytes | None:
        """Take a value and return its octets, or None where it has more than that."""
        is_scalar = self.byte() not in (b'"', b"[", b"{")
        parts: list[bytes] = []
        size = depth = marks = 0
        in_string = escaped = done = False
        self.may_be_msk = False
        before = b""
        while True:
            buffer, start, at = self._buffer, self._at, self._at
            end = len(buffer)
            while at < end and not done:
                if escaped:
                    escaped, at = False, at + 1
                elif in_string:
                    at = _IN_STRING(buffer, at).end()
                    if at < end:  # at the quotation mark that ends it, or at a backslash that ends the piece
                        in_string = escaped = buffer[at] != 0x22
                        done = not in_string and not depth
                        at += 1
                elif is_scalar:
                    at = _IN_SCALAR(buffer, at).end()
                    done = at < end
                elif (mark := _MARK(buffer, at)) is None:
                    at = end
                else:
                    at = mark.end()
                    marks += 1
                    if mark[0] == b'"':
                        in_string = True
                    else:
                        depth += 1 if mark[0] in (b"[", b"{") else -1
                        done = depth <= 0
            self._at = at
            if marks > 2 * MOST_VALUES:
                raise HarError(self.offset, f"expected at most {MOST_VALUES} values in a HAR entry, got more")
            size += at - start
            if size <= most:
                parts.append(buffer[start:at])
            elif most and not self.may_be_msk:
                looked_at = before + b"".join(parts) + buffer[start:at]
                self.may_be_msk = ours.may_be_text(looked_at)
                before = looked_at[-16:]
                parts.clear()
            if done:
                return b"".join(parts) if size <= most else None
            if not self._fill():
                if is_scalar and not depth:
                    return b"".join(parts) if size <= most else None
                raise HarError(self.offset, ENDS_WITHIN_HAR)

    def _fill(self) -> bool:
        piece = next(self._pieces, b"")
        self._base += len(self._buffer)
        self._buffer, self._at = piece, 0
        return bool(piece)


def _parts(text: _Text, begin: bytes, end: bytes) -> Iterator[None]:
    """Stop before each part of an object or a list; whoever asks takes it."""
    text.take(begin)
    if text.byte() == end:
        text.take(end)
        return
    yield
    while text.take(b",", end) != end:
        yield


def _members(text: _Text) -> Iterator[bytes | None]:
    """Yield the keys of an object as they are written; whoever asks takes the value behind each."""
    for _ in _parts(text, b"{", b"}"):
        if text.byte() != b'"':
            text.take(b'"', b"}")
        key = text.value(_LONGEST_KEY)
        text.take(b":")
        yield key


def _elements(text: _Text) -> Iterator[None]:
    """Stop before each element of a list; whoever asks takes it."""
    for _ in _parts(text, b"[", b"]"):
        if not text.byte():
            text.take(b"]")
        yield
