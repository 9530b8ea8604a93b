"""Packets to the TCP segments and UDP datagrams in them: past IP headers, fragments, and tunnels of GTP-U and GRE.

Checksums are not looked at: a network card writes them, often after the capture.
"""

import struct
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ltkm_inspect.packets.file import Packet
from ltkm_inspect.packets.fragments import Fragments, IpPayload
from ltkm_inspect.packets.link import COOKED, COOKED_2, ETHERNET, IPV4, behind, is_known, network_place, raw

MIKEY_PORT = 2269
"""The UDP port of MIKEY (RFC 3830 §9)."""
GTP_PORT = 2152
"""The UDP port of GTP-U (3GPP TS 29.281 4.4.2)."""
MOST_TUNNELS = 4
"""How many tunnels are looked into, one in the other."""

_TCP, _UDP = 6, 17
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
"""Headers between that of IPv6 and the payload, whose length is in units of 8 octets (RFC 8200 §4)."""
_IP_IN_IP = frozenset({4, 41})
_GRE = 47
_PARTS = struct.Struct(">HHH").unpack_from
_SEGMENT = struct.Struct(">4xIIBB").unpack_from
_PLAIN_IPV4 = "BxHxxHxB2x12sIIBB"
_PLAIN_HEADERS = {
    ETHERNET: struct.Struct(f">12xH{_PLAIN_IPV4}"),
    COOKED: struct.Struct(f">14xH{_PLAIN_IPV4}"),
    COOKED_2: struct.Struct(f">H18x{_PLAIN_IPV4}"),
}
_PLAIN_SIZE = 34
"""How many octets of them are those of IPv4 and TCP."""
_PLAIN = {link: (each.unpack_from, each.size, each.size - _PLAIN_SIZE) for link, each in _PLAIN_HEADERS.items()}
"""The headers that most packets have, up to the flags of TCP: TCP over IPv4 without options; how many octets they have,
and where the one of IPv4 begins; by link type."""

type Ends = bytes
"""Source and destination: the addresses, 4 or 16 octets each, then the ports."""


class UdpPacket(NamedTuple):
    """A UDP datagram."""

    ends: Ends
    data: bytes
    """As many octets of data as were captured."""
    length: int
    """How many octets of data its header announces; below 0 where that is not even a header."""

    @property
    def ports(self) -> tuple[int, int]:
        """Source and destination."""
        source, destination = _PORTS(self.ends, len(self.ends) - 4)
        return source, destination

    @property
    def is_complete(self) -> bool:
        """All of the data was captured."""
        return 0 <= self.length == len(self.data)


class TcpSegment(NamedTuple):
    """A TCP segment."""

    ends: Ends
    number: int
    """The sequence number."""
    acknowledged: int
    flags: int
    data: bytes
    """As many octets of data as were captured."""
    lost: int
    """How many octets of data behind them were not."""


class Network:
    """The IP packets of a capture, as far as they can be told apart from what they carry."""

    def __init__(self) -> None:
        """Begin without fragments."""
        self.fragments = Fragments()
        self.cut = 0
        """How many packets were not captured to their end."""
        self.unknown_links: Counter[int] = Counter()
        """How many packets have a link type that cannot be read, by that."""
        self.identification = 0
        """The identification in the IPv4 header around the last datagram; 0 if it has none."""
        self.hops = 0
        """How many hops that packet could still go."""
        self._time: float | None = None

    def take(self, packet: Packet) -> UdpPacket | TcpSegment | None:
        """Return the segment or datagram that a packet holds, or completes; None where it does neither."""
        link, octets, self._time = packet
        if (segment := plain_segment(link, octets)) is not None:
            return segment
        try:
            place = network_place(link, octets)
            if place is None:
                if not is_known(link):
                    self.unknown_links[link] += 1
                return None
            return self._internet(octets, place, len(octets), 0)
        except (IndexError, struct.error):  # cut off before the ports: whose it was cannot be known
            self.cut += 1
            return None

    def _internet(self, octets: bytes, place: tuple[int, int], end: int, depth: int) -> UdpPacket | TcpSegment | None:
        kind, at = place
        return (self._ipv4 if kind == IPV4 else self._ipv6)(octets, at, end, depth)

    def _ipv4(self, octets: bytes, at: int, end: int, depth: int) -> UdpPacket | TcpSegment | None:
        first, protocol = octets[at], octets[at + 9]
        total, identification, fragment = _PARTS(octets, at + 2)
        start = at + 4 * (first & 0xF)
        if first >> 4 != 4 or start < at + 20 or (total and at + total < start):
            return None
        stop = at + total if total else end  # the card cuts what it sends into packets, and writes the length then
        if protocol == _UDP:
            self.identification, self.hops = identification, octets[at + 8]
        if fragment & 0x3FFF:
            payload = IpPayload(octets[start : min(stop, end)], stop - start)
            key = octets[at + 12 : at + 20] + octets[at + 4 : at + 6] + octets[at + 9 : at + 10]
            whole = self.fragments.add(key, payload, (fragment & 0x1FFF) * 8, bool(fragment & 0x2000), self._time)
            if whole is None:
                return None
            return self._carried(protocol, octets[at + 12 : at + 20], *_whole(whole), depth)
        if stop < end:  # short frames are padded
            end = stop
        return self._carried(protocol, octets[at + 12 : at + 20], octets, start, end, stop, depth)

    def _ipv6(self, octets: bytes, at: int, end: int, depth: int) -> UdpPacket | TcpSegment | None:
        if octets[at] >> 4 != 6:
            return None
        length, _ = struct.unpack_from(">HH", octets, at + 4)
        following, start = octets[at + 6], at + 40
        stop = start + length if length else end
        self.identification, self.hops = 0, octets[at + 7]
        return self._behind_ipv6(following, octets[at + 8 : start], octets, start, min(stop, end), stop, depth)

    def _behind_ipv6(
        self, following: int, addresses: bytes, octets: bytes, start: int, end: int, stop: int, depth: int
    ) -> UdpPacket | TcpSegment | None:
        """Go past extension headers, of which some may be inside of what was sent in fragments (RFC 8200 §4.5)."""
        while following not in (_TCP, _UDP):
            if following in _EXTENSIONS:
                following, start = octets[start], start + 8 * (octets[start + 1] + 1)
            elif following == _AUTHENTICATION:
                following, start = octets[start], start + 4 * (octets[start + 1] + 2)
            elif following == _FRAGMENT:
                (offset,) = struct.unpack_from(">H", octets, start + 2)
                key, following, start = addresses + octets[start + 4 : start + 8], octets[start], start + 8
                if offset & 0xFFF9 and stop >= start:
                    payload = IpPayload(octets[start:end], stop - start)
                    whole = self.fragments.add(key, payload, offset & 0xFFF8, bool(offset & 1), self._time)
                    if whole is None or depth >= MOST_TUNNELS:
                        return None
                    return self._behind_ipv6(following, addresses, *_whole(whole), depth + 1)
            else:
                break
        if start > stop:
            return None
        return self._carried(following, addresses, octets, start, end, stop, depth)

    def _carried(
        self, protocol: int, addresses: bytes, octets: bytes, start: int, end: int, stop: int, depth: int
    ) -> UdpPacket | TcpSegment | None:
        """Return the segment or datagram between two places, the first of which may be the end of what was captured."""
        if protocol == _TCP:
            if start + 20 > stop:
                return None
            number, acknowledged, offset, flags = _SEGMENT(octets, start)
            if offset < 0x50:
                return None
            data = octets[start + (offset >> 4) * 4 : end]
            lost = stop - max(end, start + (offset >> 4) * 4)
            if lost > 0:
                self.cut += 1
            return TcpSegment(
                addresses + octets[start : start + 4], number, acknowledged, flags, data, lost if lost > 0 else 0
            )
        if protocol == _UDP:
            if start + 8 > stop:
                return None
            source, destination, length = _PARTS(octets, start)
            if GTP_PORT in (source, destination) and depth < MOST_TUNNELS:
                return self._tunneled(octets, start + 8, end, depth + 1)
            length = length or stop - start  # as for IP
            if start + length > end:
                self.cut += 1
            else:
                end = start + length
            return UdpPacket(addresses + octets[start : start + 4], octets[start + 8 : end], length - 8)
        if protocol == _GRE and depth < MOST_TUNNELS:
            return self._encapsulated(octets, start, end, depth + 1)
        if protocol in _IP_IN_IP and depth < MOST_TUNNELS and (place := raw(octets, start)) is not None:
            return self._internet(octets, place, end, depth + 1)
        return None

    def _encapsulated(self, octets: bytes, at: int, end: int, depth: int) -> UdpPacket | TcpSegment | None:
        """Return what a GRE packet carries (RFC 2784 §2, RFC 2890 §2); None for one with a route, or of PPTP."""
        flags, kind = struct.unpack_from(">HH", octets, at)
        if flags & 0x4007:
            return None
        optional = (flags >> 15) + (flags >> 13 & 1) + (flags >> 12 & 1)  # checksum, key, sequence number
        place = behind(octets, kind, at + 4 + 4 * optional)
        return None if place is None else self._internet(octets, place, end, depth)

    def _tunneled(self, octets: bytes, at: int, end: int, depth: int) -> UdpPacket | TcpSegment | None:
        """Return what a GTP-U message carries (3GPP TS 29.281 5.1); None for another one than a G-PDU."""
        flags = octets[at]
        if flags >> 4 != 3 or octets[at + 1] != 0xFF:
            return None
        start = at + 8
        if flags & 7:
            following, start = octets[at + 11], at + 12
            while flags & 4 and following:
                size = octets[start]
                if not size:
                    return None
                following, start = octets[start + 4 * size - 1], start + 4 * size
        place = raw(octets, start)
        return None if place is None else self._internet(octets, place, end, depth)


_segment: Callable[[tuple[Ends, int, int, int, bytes, int]], TcpSegment] = partial(tuple.__new__, TcpSegment)
"""TcpSegment(…) in a third of the time."""


def plain_segment(link: int, octets: bytes) -> TcpSegment | None:
    """Return the segment in a packet as nearly all are; None for any other packet, which takes longer to read."""
    if link not in _PLAIN:
        return None
    headers, least, at = _PLAIN[link]
    size = len(octets)
    if size < least:
        return None
    kind, first, total, fragment, protocol, ends, number, acknowledged, offset, flags = headers(octets)
    if kind != IPV4 or first != 0x45 or protocol != _TCP or fragment & 0x3FFF or offset < 0x50:
        return None
    start, stop = at + 20 + (offset >> 4) * 4, at + total
    if not start <= stop <= size:
        return None
    return _segment((ends, number, acknowledged, flags, octets[start:stop], 0))


def _whole(payload: IpPayload) -> tuple[bytes, int, int, int]:
    """Return a payload as octets, its start in them, its end, and where its end would be had all been captured."""
    return payload.octets, 0, len(payload.octets), payload.length


_PORTS: Callable[[bytes, int], tuple[int, int]] = struct.Struct(">HH").unpack_from


def datagram_at(octets: bytes, start: int) -> UdpPacket:
    """Return the UDP datagram whose header begins at an offset; struct.error where the header is cut off."""
    length = _PARTS(octets, start)[2]
    return UdpPacket(octets[start : start + 4], octets[start + 8 : start + length], length - 8)
