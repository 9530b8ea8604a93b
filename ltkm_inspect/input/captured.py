"""MIKEY messages in the UDP packets of a capture file, pcap or pcapng."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ltkm_inspect.input.kinds import PCAP, PCAPNG, is_capture
from ltkm_inspect.input.message import InputMessage

MIKEY_PORT = 2269
"""The UDP port of MIKEY (RFC 3830 §9)."""

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_IPV4, _IPV6 = 0x0800, 0x86DD
_TAGS = (0x8100, 0x88A8, 0x9100)
_UDP = 17
_EXTENSIONS = (0, 43, 60)
_FRAGMENT = 44


class _DamageError(Exception):
    """What follows cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class _Packet:
    link: int
    octets: bytes
    whole: int
    """How many octets it had on the link."""


def from_capture(octets: bytes, source: str) -> Iterator[InputMessage]:
    """Yield the message of every UDP packet from or to the port of MIKEY; what is damaged is said where it stands."""
    if not is_capture(octets):
        yield InputMessage(source, None, "expected a capture file, pcap or pcapng, got something else")
        return
    packets = _pcapng(octets) if octets[:4] == PCAPNG else _pcap(octets)
    number = 0
    try:
        for number, packet in enumerate(packets, 1):
            given = _message(packet, f"{source}, packet {number}")
            if given is not None:
                yield given
    except _DamageError as damage:
        yield InputMessage(f"{source}, packet {number + 1}", None, str(damage))


def message_in_packet(octets: bytes) -> bytes | None:
    """Return the MIKEY message in the octets of one packet, from the link, IP or UDP on; None where there is none."""
    for link in (1, 101, 113, 276):
        given = _message(_Packet(link, octets, len(octets)), "")
        if given is not None and given.octets is not None:
            return given.octets
    if len(octets) > 8:  # from UDP on
        source_port, target_port, length = struct.unpack_from(">HHH", octets)
        if MIKEY_PORT in (source_port, target_port) and length == len(octets):
            return octets[8:]
    return None


def _pcap(octets: bytes) -> Iterator[_Packet]:
    order = PCAP[octets[:4]]
    (link,) = _unpack(f"{order}20xI", octets, 0)
    at = 24
    while at < len(octets):
        kept, whole = _unpack(f"{order}8xII", octets, at)
        yield _Packet(link & 0xFFFF, _part(octets, at + 16, kept), whole)
        at += 16 + kept


def _pcapng(octets: bytes) -> Iterator[_Packet]:
    order, links, at = "<", list[int](), 0
    while at < len(octets):
        if octets[at : at + 4] == PCAPNG:
            order, links = ">" if octets[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<", []
        kind, length = _unpack(f"{order}II", octets, at)
        if length < 12 or length % 4:
            raise _DamageError(f"expected a block of 12 octets or more, got the length {length}")
        body = _part(octets, at + 8, length - 12)
        at += length
        if kind == _INTERFACE:
            links.append(_unpack(f"{order}H", body, 0)[0])
        elif kind in (_PACKET, _OLD_PACKET):
            interface, kept, whole = _unpack(f"{order}I8xII" if kind == _PACKET else f"{order}H10xII", body, 0)
            yield _Packet(_link(links, interface), _part(body, 20, kept), whole)
        elif kind == _SIMPLE_PACKET:
            (whole,) = _unpack(f"{order}I", body, 0)
            yield _Packet(_link(links, 0), body[4 : 4 + whole], whole)


def _link(links: list[int], interface: int) -> int:
    if interface >= len(links):
        raise _DamageError(f"expected a packet of a known interface, got interface {interface}")
    return links[interface]


def _unpack(layout: str, octets: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, octets, at)
    except struct.error:
        raise _DamageError("expected more of the capture file, got its end") from None


def _part(octets: bytes, start: int, length: int) -> bytes:
    if start + length > len(octets):
        raise _DamageError(f"expected {length} more octets, got {max(0, len(octets) - start)}")
    return octets[start : start + length]


def _message(packet: _Packet, source: str) -> InputMessage | None:
    """Return what a packet has to do with MIKEY; None where nothing."""
    try:
        found = _LINKS[packet.link](packet.octets) if packet.link in _LINKS else None
        if found is None:
            return None
        kind, start = found
        udp = (_ipv4 if kind == _IPV4 else _ipv6)(packet.octets, start)
        if udp is None:
            return None
        source_port, target_port, length = struct.unpack_from(">HHH", packet.octets, udp)
    except (IndexError, struct.error):  # cut off in front of the message: whose it was cannot be known
        return None
    if MIKEY_PORT not in (source_port, target_port):
        return None
    octets = packet.octets[udp + 8 : udp + length]
    if length < 8 or len(octets) < length - 8:
        return InputMessage(source, None, f"expected {max(0, length - 8)} octets of message, got {len(octets)}")
    return InputMessage(source, octets)


def _ipv4(octets: bytes, start: int) -> int | None:
    """Return where the UDP header stands; None for another protocol, or a fragment that is not the first."""
    (flags,) = struct.unpack_from(">H", octets, start + 6)
    if octets[start] >> 4 != 4 or octets[start + 9] != _UDP or flags & 0x1FFF:
        return None
    return start + 4 * (octets[start] & 0xF)


def _ipv6(octets: bytes, start: int) -> int | None:
    if octets[start] >> 4 != 6:
        return None
    following, at = octets[start + 6], start + 40
    while following in _EXTENSIONS or following == _FRAGMENT:
        if following == _FRAGMENT:
            (offset,) = struct.unpack_from(">H", octets, at + 2)
            if offset & 0xFFF8:
                return None
            following, at = octets[at], at + 8
        else:
            following, at = octets[at], at + 8 * (octets[at + 1] + 1)
    return at if following == _UDP else None


type _Found = tuple[int, int] | None
"""Which version of IP follows, as an EtherType, and where; None for anything else."""


def _typed(octets: bytes, at: int) -> _Found:
    """Look behind an EtherType and the VLAN tags that may follow it."""
    (kind,) = struct.unpack_from(">H", octets, at)
    while kind in _TAGS:
        at += 4
        (kind,) = struct.unpack_from(">H", octets, at)
    return (kind, at + 2) if kind in (_IPV4, _IPV6) else None


def _raw(octets: bytes, at: int = 0) -> _Found:
    kind = {4: _IPV4, 6: _IPV6}.get(octets[at] >> 4)
    return None if kind is None else (kind, at)


_LINKS: dict[int, Callable[[bytes], _Found]] = {
    0: lambda octets: _raw(octets, 4),
    1: lambda octets: _typed(octets, 12),
    12: _raw,
    14: _raw,
    101: _raw,
    108: lambda octets: _raw(octets, 4),
    113: lambda octets: _typed(octets, 14),
    228: _raw,
    229: _raw,
    276: lambda octets: (kind, 20) if (kind := struct.unpack_from(">H", octets)[0]) in (_IPV4, _IPV6) else None,
}
"""What stands in front of IP, by the link type: loopback of BSDs, Ethernet, nothing (raw IP), Linux cooked capture."""
