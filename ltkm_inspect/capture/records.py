"""The records of a flow file, found by their lengths; only what may be an MSK exchange is looked at any closer.

A flow file is one tnetstring after another, each a table with the fields of one flow. mitmproxy ends it with type and
version, so that a record tells by its last octets whether it is of the current format.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ltkm_inspect.capture.damage import (
    ENDS_WITHIN,
    NOT_A_FLOW,
    SHORTER,
    Damage,
    DamagedEvent,
    NotACaptureError,
    PackedError,
)
from ltkm_inspect.traffic import ours

VERSION = 21
"""The version of the flow format that is read here; records of any other are left to mitmproxy."""
BLOCK = 1 << 20
"""How many octets are read at a time."""

_VERSION = b"7:version;2:%d#}" % VERSION
_HTTP = b"4:type;4:http;" + _VERSION
_UDP = b"4:type;3:udp;" + _VERSION
_OTHERS = tuple(b"4:type;3:%s;" % kind + _VERSION for kind in (b"tcp", b"dns"))
_LONGEST_LENGTH = 12
"""How many digits mitmproxy reads of a length."""
_TABLE = b"}"[0]
BEFORE = len(_VERSION)
_BETWEEN = re.compile(re.escape(_VERSION) + rb"(?=\d{1,12}:)").search

_PATH = b":path;"
_LENGTH = re.compile(rb"(\d{1,12}):").match
_LARGEST = 64 << 20
"""How many octets of a record are held in memory."""
_LONG_PATH = re.compile(rb":path;\d{1,12}:[^;,\]}]{0,4096}?%[67]").search
_OVERLAP = 8192

type Read = Callable[[int], bytes]
"""Returns at most that many octets, none at the end."""


class SkippedFlows(NamedTuple):
    """Flows that are no MSK exchanges, one behind the other."""

    flows: int
    end: int
    """Where what follows them begins."""


class CandidateRecord(NamedTuple):
    """A record that may be an MSK exchange."""

    offset: int
    record: bytes
    current: bool
    """It is an HTTP or UDP flow of the current format."""

    @property
    def is_udp(self) -> bool:
        """It is a UDP flow of the current format."""
        return self.record.endswith(_UDP)

    @property
    def end(self) -> int:
        """Where what follows it begins."""
        return self.offset + len(self.record)


def may_be_msk(octets: bytes, start: int, end: int) -> bool:
    """Tell whether the record between these places may hold an MSK exchange; False means that it does not.

    The parameter in its path may be percent-encoded.
    """
    if ours.may_be_record(octets, start, end):
        return True
    return ours.find_escaped(octets, start, end) is not None and _has_escaped_path(octets, start, end)


def _has_escaped_path(octets: bytes, start: int, end: int) -> bool:
    at = octets.find(_PATH, start, end)
    while at >= 0:
        length = _LENGTH(octets, at + len(_PATH), end)
        if length is None:  # written as mitmproxy writes none
            return True
        if ours.find_escaped(octets, length.end(), min(length.end() + int(length[1]), end)) is not None:
            return True
        at = octets.find(_PATH, length.end(), end)
    return False


def scan(
    read: Read, offset: int = 0, until: int | None = None, size: int | None = None, *, every: bool = False
) -> Iterator[SkippedFlows | CandidateRecord | Damage | DamagedEvent]:
    """Yield what a flow file holds from the record on that begins at `offset`, in order, up to the first damage.

    `read` goes on from there. The last record is the one that reaches `until`. The file had `size` octets when it was
    opened, where that is known: then no length makes this read more. Damage tells the flows from `offset` on. What was
    passed is told before each candidate, whenever more is read, and at the end, where it may be nothing. With `every`
    nothing is passed: each record is a candidate, however large.
    """
    buffer, at = b"", 0
    flows = passed = 0
    while until is None or offset + at < until:
        end = _end(buffer, at)
        if end > len(buffer):
            if passed:
                yield SkippedFlows(passed, offset + at)
                passed = 0
            beyond = size is not None and offset + end > size and end > len(buffer) + 1
            if end - at > _LARGEST and not beyond and not every:
                found = _large(read, buffer[at:], offset + at, end - at, flows)
                yield found
                if isinstance(found, Damage):
                    return
                buffer, offset, at, flows = b"", offset + end, 0, flows + 1
                continue
            try:
                more = b"" if beyond else _more(read, end - len(buffer))
            except PackedError as error:
                yield Damage(offset + at, str(error), flows)
                return
            buffer, offset, at = buffer[at:] + more, offset + at, 0
            if more:
                continue
            if size is not None and not beyond and offset + len(buffer) < size:
                yield Damage(offset, SHORTER, flows)
            elif buffer:
                if not offset and b":" not in buffer:
                    raise NotACaptureError(buffer)
                yield Damage(offset, ENDS_WITHIN, flows)
            else:
                yield SkippedFlows(0, offset)
            return
        if end < 0 and not offset + at:
            raise NotACaptureError(buffer)
        if end < 0 or buffer[end - 1] != _TABLE:
            yield Damage(offset + at, NOT_A_FLOW, flows)
            return
        flows += 1
        is_http, is_udp = buffer.endswith(_HTTP, at, end), buffer.endswith(_UDP, at, end)
        if is_http:
            may_be = may_be_msk(buffer, at, end)
        elif is_udp:
            may_be = ours.may_have_datagram(buffer, at, end)
        else:
            may_be = not buffer.endswith(_OTHERS, at, end)
        if every or may_be:
            if passed:
                yield SkippedFlows(passed, offset + at)
                passed = 0
            yield CandidateRecord(offset + at, buffer[at:end], is_http or is_udp)
        else:
            passed += 1
        at = end
    yield SkippedFlows(passed, offset + at)


def _large(read: Read, begins: bytes, offset: int, length: int, flows: int) -> "SkippedFlows | Damage | DamagedEvent":
    """Read past a record that is too large to be held; it is damaged where it may be an MSK exchange."""
    piece, done, may_be, may_be_udp = begins, 0, False, False
    tail = b""
    try:
        while True:
            done += len(piece)
            looked_at = tail + piece
            may_be_udp = may_be_udp or ours.may_have_datagram(looked_at)
            may_be = may_be or ours.may_be_record(looked_at) or _LONG_PATH(looked_at) is not None
            tail = looked_at[-_OVERLAP:]
            if done >= length:
                break
            piece = read(min(length - done, BLOCK))
            if not piece:
                return Damage(offset, ENDS_WITHIN, flows)
    except PackedError as error:
        return Damage(offset, str(error), flows)
    if tail[-1] != _TABLE:
        return Damage(offset, NOT_A_FLOW, flows)
    if may_be_udp if tail.endswith(_UDP) else may_be and not tail.endswith(_OTHERS):
        why = f"expected at most {_LARGEST >> 20} MiB, got {length} octets, so the flow was not read"
        return DamagedEvent(f"flow at octet {offset}: {why}", offset + length)
    return SkippedFlows(1, offset + length)


def find_record(read: Read, offset: int, until: int) -> int | None:
    """Return where the first record begins between these places, as far as its octets can tell; None where none does.

    `read` goes on from `BEFORE` octets before `offset`, or from the start of the file. What looks like the end of one
    record and the length of the next may stand within a body as well: who asks has to compare it with where the
    records before it end.
    """
    if offset < BEFORE:
        return 0
    buffer, base = b"", offset - BEFORE
    while base < until:
        piece = read(1 << 16)
        buffer += piece
        found = _BETWEEN(buffer)
        if found is not None:
            at = base + found.end()
            return at if offset <= at < until else None
        if not piece:
            return None
        kept = len(buffer) - BEFORE - _LONGEST_LENGTH - 1
        if kept > 0:
            buffer, base = buffer[kept:], base + kept
    return None


def _end(buffer: bytes, at: int) -> int:
    """Return where the record ends that begins there: beyond the buffer if that is not known yet, -1 if none does."""
    colon = buffer.find(b":", at, at + _LONGEST_LENGTH + 1)
    if colon >= 0:
        digits = buffer[at:colon]
        return colon + 2 + int(digits) if digits.isdigit() else -1
    digits = buffer[at : at + _LONGEST_LENGTH + 1]
    return -1 if digits and (len(digits) > _LONGEST_LENGTH or not digits.isdigit()) else len(buffer) + 1


def _more(read: Read, missing: int) -> bytes:
    """Return a block, or as many octets as are missing; fewer before damage and at the end, whatever a length says."""
    found = [read(BLOCK)]
    missing -= len(found[0])
    while missing > 0 and found[-1]:
        try:
            found.append(read(min(missing, BLOCK)))
        except PackedError:  # raised again by the next one who reads
            break
        missing -= len(found[-1])
    return b"".join(found)
