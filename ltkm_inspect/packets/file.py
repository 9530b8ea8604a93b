"""Capture files, pcap and pcapng, to the packets in them; the file is read once, in pieces, and may be a pipe."""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

_PCAP = {
    b"\xa1\xb2\xc3\xd4": (">", 10**6, 16),
    b"\xd4\xc3\xb2\xa1": ("<", 10**6, 16),
    b"\xa1\xb2\x3c\x4d": (">", 10**9, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9, 16),
    b"\xa1\xb2\xcd\x34": (">", 10**6, 24),  # "modified" pcap: interface, protocol and direction in each header
    b"\x34\xcd\xb2\xa1": ("<", 10**6, 24),
}
"""The byte order of a pcap, how many units of its times make a second, and how many octets the header of a packet has,
by its first four octets."""
_PCAPNG = b"\n\r\r\n"
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
"""The byte order of a section by its magic."""
_RESOLUTION, _TIME_OFFSET = 9, 14
"""The options of an interface that say what its times mean."""
BLOCK = 1 << 20
"""How many octets are read at a time."""
LARGEST = 1 << 24
"""How many octets a packet, or the description of an interface, may have."""
OVERLAP = 1.0
"""Seconds by which a file may begin before the one in front of it ends: packets are not always in order of time."""
MOST_INTERFACES = 1 << 16
"""How many interfaces a section may describe."""

type Read = Callable[[int], bytes]
"""Returns at most that many octets, none at the end; what it raises passes through, behind all that was complete."""


class CaptureFileError(ValueError):
    """The rest of a capture file cannot be read; the message is one line that says why."""

    def __init__(self, text: str, offset: int = 0) -> None:
        """Take the reason, and the offset in the file of what cannot be read."""
        super().__init__(text)
        self.offset = offset


class Packet(NamedTuple):
    """One packet as it was captured."""

    link: int
    """The link type (LINKTYPE_…): what precedes the IP header."""
    octets: bytes
    """As much of it as was captured."""
    time: float | None = None
    """Seconds since 1970 UTC; None where the file does not say."""


_packet: Callable[[tuple[int, bytes, float | None]], Packet] = partial(tuple.__new__, Packet)
"""Packet(…) in a third of the time."""


class _Interface(NamedTuple):
    """What a section of a pcapng says about an interface."""

    link: int
    length: int
    """How many octets of a packet are captured at most; 0 means all."""
    units: int
    """Units of its times in a second."""
    offset: int
    """Seconds to add to its times."""


def is_capture(start: bytes) -> bool:
    """Tell whether octets begin like a capture file; four of them are enough."""
    return start[:4] in _PCAP or start[:4] == _PCAPNG


def may_become_capture(start: bytes) -> bool:
    """Tell whether octets are too few to tell a capture file, and may be the first ones of one."""
    return len(start) < 4 and any(magic.startswith(start) for magic in (*_PCAP, _PCAPNG)) and bool(start)


def packets(read: Read) -> Iterator[Packet]:
    """Yield the packets of a capture file in order; CaptureFileError where it is none, or its rest is damaged."""
    source = _Source(read)
    source.need(4, "a pcap or pcapng file", partial=True)
    start = source.buffer[:4]
    if not is_capture(start):
        raise CaptureFileError("expected a pcap or pcapng file, got something else")
    yield from _pcapng(source) if start == _PCAPNG else _pcap(source, *_PCAP[start])


class _Source:
    """What was read of a file and not yet taken."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.buffer = b""
        self.at = 0
        self._base = 0

    @property
    def offset(self) -> int:
        """Octets of the file in front of what is taken next."""
        return self._base + self.at

    def need(self, size: int, what: str, *, partial: bool = False) -> bool:
        """Read until so many octets are at hand; False at the end of the file, CaptureFileError if it ends within."""
        if len(self.buffer) - self.at >= size:
            return True
        pieces = [self.buffer[self.at :]]
        missing = size - len(pieces[0])
        while missing > 0 and (piece := self._read(BLOCK)):
            pieces.append(piece)
            missing -= len(piece)
        self._base, self.at, self.buffer = self._base + self.at, 0, b"".join(pieces)
        if missing > 0 and self.buffer and not partial:
            raise CaptureFileError(f"expected {what} of {size} octets, got {len(self.buffer)}", self.offset)
        return missing <= 0

    def skip(self, size: int, what: str) -> None:
        """Pass over octets, without keeping them; CaptureFileError where the file ends within them."""
        start, missing = self.offset, size - (len(self.buffer) - self.at)
        if missing <= 0:
            self.at += size
            return
        self._base, self.at, self.buffer = self._base + len(self.buffer), 0, b""
        while missing > 0 and (piece := self._read(min(missing, BLOCK))):
            self._base += len(piece)
            missing -= len(piece)
        if missing > 0:
            raise CaptureFileError(f"expected {what} of {size} octets, got {size - missing}", start)


def _pcap(source: _Source, order: str, units: int, head: int) -> Iterator[Packet]:
    source.need(24, "a file header")
    link = struct.unpack_from(f"{order}I", source.buffer, 20)[0] & 0xFFFF
    source.at = 24
    header = struct.Struct(f"{order}III4x").unpack_from
    while source.need(head, "a packet header"):
        buffer, at = source.buffer, source.at
        end, kept = len(buffer), 0
        while at + head <= end:
            seconds, fraction, kept = header(buffer, at)
            after = at + head + kept
            if after > end:
                break
            yield _packet((link, buffer[at + head : after], (seconds * units + fraction) / units))
            at = after
        source.at = at
        if kept > LARGEST:
            raise CaptureFileError(f"expected a packet of at most {LARGEST} octets, got {kept}", source.offset)
        if at + head <= end:
            source.need(head + kept, "a packet with its header")


def _pcapng(source: _Source) -> Iterator[Packet]:
    order, head, tail, packet_head = "<", _HEAD["<"], _TAIL["<"], _PACKET_HEADS["<"]
    interfaces: list[_Interface] = []
    while source.need(12, "a block"):
        buffer, at = source.buffer, source.at
        end = len(buffer)
        while at + 32 <= end:  # packets follow packets: what else comes is looked at below, with what is wrong
            kind, length, number, high, low, kept = packet_head(buffer, at)
            after = at + length
            if kind != _PACKET or length < kept + 32 or length % 4 or after > end or number >= len(interfaces):
                break
            if tail(buffer, after - 4)[0] != length:
                break
            link, _, units, offset = interfaces[number]
            yield _packet((link, buffer[at + 28 : at + 28 + kept], (high << 32 | low) / units + offset))
            at = after
        source.at = at
        if not source.need(12, "a block"):
            return
        buffer, at = source.buffer, source.at
        if buffer[at : at + 4] == _PCAPNG:
            magic = buffer[at + 8 : at + 12]
            if magic not in _ORDERS:
                raise CaptureFileError("expected a section with a byte order, got other octets", source.offset)
            order, interfaces = _ORDERS[magic], []
            head, tail, packet_head = _HEAD[order], _TAIL[order], _PACKET_HEADS[order]
        kind, length = head(buffer, at)
        if length < 12 or length % 4:
            raise CaptureFileError(f"expected a block of at least 12 octets, got length {length}", source.offset)
        if kind not in _READ:
            source.skip(length, "a block")
            continue
        if length > LARGEST:
            raise CaptureFileError(f"expected a block of at most {LARGEST} octets, got {length}", source.offset)
        source.need(length, "a block")
        buffer, at = source.buffer, source.at
        if tail(buffer, at + length - 4) != (length,):
            raise CaptureFileError("expected the length of the block again at its end, got another", source.offset)
        start, end = at + 8, at + length - 4
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(buffer[start:end], order))
                source.at += length
                if len(interfaces) > MOST_INTERFACES:
                    raise CaptureFileError(f"expected at most {MOST_INTERFACES} interfaces, got more", source.offset)
                continue
            if kind in (_PACKET, _OLD_PACKET):
                number, high, low, kept = (_PACKETS if kind == _PACKET else _OLD_PACKETS)[order](buffer, start)
                interface = interfaces[number]
                time = (high << 32 | low) / interface.units + interface.offset
                packet = Packet(interface.link, buffer[start + 20 : start + 20 + kept], time)
            else:
                interface, (kept,) = interfaces[0], tail(buffer, start)
                kept = min(kept, interface.length or kept, end - start - 4)
                packet = Packet(interface.link, buffer[start + 4 : start + 4 + kept])
        except struct.error:
            raise CaptureFileError(f"expected a whole block, got {length} octets of it", source.offset) from None
        except IndexError:
            raise CaptureFileError("expected a packet of a known interface, got another", source.offset) from None
        if start + 20 + kept > end and kind != _SIMPLE_PACKET:
            raise CaptureFileError(f"expected {kept} octets of packet, got a shorter block", source.offset)
        source.at += length
        yield packet


_READ = frozenset({_PACKET, _OLD_PACKET, _SIMPLE_PACKET, _INTERFACE})
_HEAD = {order: struct.Struct(f"{order}II").unpack_from for order in "<>"}
_TAIL = {order: struct.Struct(f"{order}I").unpack_from for order in "<>"}
_PACKET_HEADS = {order: struct.Struct(f"{order}IIIIII").unpack_from for order in "<>"}
_PACKETS = {order: struct.Struct(f"{order}IIII").unpack_from for order in "<>"}
"""Interface, both halves of the time, captured octets."""
_OLD_PACKETS = {order: struct.Struct(f"{order}H2xIII").unpack_from for order in "<>"}


def _interface(body: bytes, order: str) -> _Interface:
    """Return the interface that a block describes; struct.error where it is too short."""
    link, length = struct.unpack_from(f"{order}H2xI", body)
    units, offset, at = 10**6, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _RESOLUTION and len(value) == 1:
            units = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _TIME_OFFSET and len(value) == 8:
            (offset,) = struct.unpack(f"{order}q", value)
        elif code == 0:
            break
        at += 4 + size + -size % 4
    return _Interface(link, length, units, offset)
