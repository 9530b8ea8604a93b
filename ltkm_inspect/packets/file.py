"""Capture files, pcap and pcapng, to the packets in them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PCAP = {
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
    b"\x4d\x3c\xb2\xa1": "<",
}
"""The byte order of a pcap by its first four octets: times in microseconds, then in nanoseconds."""
_PCAPNG = b"\n\r\r\n"
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6


class CaptureFileError(ValueError):
    """The rest of a capture file cannot be read; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it was captured."""

    link: int
    """The link type (LINKTYPE_…): what precedes the IP header."""
    octets: bytes
    """As much of it as was captured."""


def is_capture(start: bytes) -> bool:
    """Tell whether octets begin like a capture file; four of them are enough."""
    return start[:4] in _PCAP or start[:4] == _PCAPNG


def packets(octets: bytes) -> Iterator[Packet]:
    """Yield the packets of a capture file in order; CaptureFileError where it is none, or its rest is damaged."""
    if not is_capture(octets):
        raise CaptureFileError("expected a pcap or pcapng file, got something else")
    yield from _pcapng(octets) if octets[:4] == _PCAPNG else _pcap(octets)


def _pcap(octets: bytes) -> Iterator[Packet]:
    order = _PCAP[octets[:4]]
    (link,) = _unpack(f"{order}20xI", octets, 0)
    at = 24
    while at < len(octets):
        (kept,) = _unpack(f"{order}8xI4x", octets, at)
        yield Packet(link & 0xFFFF, _part(octets, at + 16, kept))
        at += 16 + kept


def _pcapng(octets: bytes) -> Iterator[Packet]:
    order, links, at = "<", list[int](), 0
    while at < len(octets):
        if octets[at : at + 4] == _PCAPNG:
            order, links = ">" if octets[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<", []
        kind, length = _unpack(f"{order}II", octets, at)
        if length < 12 or length % 4:
            raise CaptureFileError(f"expected a block of at least 12 octets, got length {length}")
        body = _part(octets, at + 8, length - 12)
        at += length
        if kind == _INTERFACE:
            links.append(_unpack(f"{order}H", body, 0)[0])
        elif kind in (_PACKET, _OLD_PACKET):
            interface, kept = _unpack(f"{order}I8xI4x" if kind == _PACKET else f"{order}H10xI4x", body, 0)
            yield Packet(_link(links, interface), _part(body, 20, kept))
        elif kind == _SIMPLE_PACKET:
            (length,) = _unpack(f"{order}I", body, 0)
            yield Packet(_link(links, 0), body[4 : 4 + length])


def _link(links: list[int], interface: int) -> int:
    if interface >= len(links):
        raise CaptureFileError(f"expected a packet of a known interface, got interface {interface}")
    return links[interface]


def _unpack(layout: str, octets: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, octets, at)
    except struct.error:
        raise CaptureFileError("expected more data, got the end of the capture file") from None


def _part(octets: bytes, start: int, length: int) -> bytes:
    if start + length > len(octets):
        raise CaptureFileError(f"expected {length} more octets, got {max(0, len(octets) - start)}")
    return octets[start : start + length]
