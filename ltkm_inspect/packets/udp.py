"""Packets to the UDP datagrams in them: past the link, VLAN tags, and the extension headers of IPv6."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from ltkm_inspect.packets.file import Packet

MIKEY_PORT = 2269
"""The UDP port of MIKEY (RFC 3830 §9)."""

_IPV4, _IPV6 = 0x0800, 0x86DD
_TAGS = (0x8100, 0x88A8, 0x9100)
_UDP = 17
_EXTENSIONS = (0, 43, 60)
_FRAGMENT = 44


@dataclass(frozen=True, slots=True)
class UdpPacket:
    """A UDP datagram, or its first fragment."""

    ports: tuple[int, int]
    """Source and destination."""
    length: int
    """How many octets of data its header announces; below 0 where that is not even a header."""
    data: bytes
    """As many of them as were captured."""

    @property
    def is_complete(self) -> bool:
        """All of the data was captured."""
        return 0 <= self.length == len(self.data)


def udp_packet(packet: Packet) -> UdpPacket | None:
    """Return the UDP datagram of a packet; None for another protocol, a later fragment, or a header that is cut off."""
    try:
        found = _LINKS[packet.link](packet.octets) if packet.link in _LINKS else None
        if found is None:
            return None
        kind, start = found
        udp = (_ipv4 if kind == _IPV4 else _ipv6)(packet.octets, start)
        return None if udp is None else udp_at(packet.octets, udp)
    except (IndexError, struct.error):  # cut off before the ports: whose it was cannot be known
        return None


def udp_at(octets: bytes, start: int) -> UdpPacket:
    """Return the UDP datagram whose header begins at an offset; struct.error where the header is cut off."""
    source, destination, length = struct.unpack_from(">HHH", octets, start)
    return UdpPacket((source, destination), length - 8, octets[start + 8 : start + length])


def _ipv4(octets: bytes, start: int) -> int | None:
    """Return where the UDP header begins; None for another protocol, or a fragment that is not the first."""
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
"""What precedes the IP header, by link type: loopback of BSDs, Ethernet, nothing (raw IP), Linux cooked capture."""
