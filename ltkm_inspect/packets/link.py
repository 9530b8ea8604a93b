"""What precedes the IP header, by link type: Ethernet with tags and labels, cooked captures, loopback, PPP, nothing."""

import struct
from collections.abc import Callable

ETHERNET, COOKED, COOKED_2 = 1, 113, 276
"""Link types: Ethernet, and Linux cooked capture in its two versions."""
IPV4, IPV6 = 0x0800, 0x86DD
"""EtherTypes."""
_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
"""EtherTypes of VLAN tags."""
_LABELS = frozenset({0x8847, 0x8848})
"""EtherTypes of MPLS."""
_PPPOE = 0x8864
_BRIDGED = 0x6558
"""The EtherType of an Ethernet frame in GRE (RFC 1701)."""
_PPP = {0x0021: IPV4, 0x0057: IPV6, 0x0281: 0x8847}
"""EtherTypes of what PPP carries, by its protocol (RFC 1332, RFC 5072, RFC 3032)."""
_SNAP = b"\xaa\xaa\x03\0\0\0"
"""The header of IEEE 802.2 in front of an EtherType (RFC 1042)."""
_LONGEST_802_3 = 1500

type Place = tuple[int, int] | None
"""Which version of IP follows, as an EtherType, and where; None for anything else."""
_number: Callable[[bytes, int], tuple[int]] = struct.Struct(">H").unpack_from


def network_place(link: int, octets: bytes) -> Place:
    """Return where the IP header of a packet begins; IndexError or struct.error where it is cut off before."""
    return _LINKS[link](octets) if link in _LINKS else None


def is_known(link: int) -> bool:
    """Tell whether packets of a link type can be read."""
    return link in _LINKS


def _typed(octets: bytes, at: int) -> Place:
    """Look behind an EtherType, and the tags, sessions and labels that may follow it."""
    (kind,) = _number(octets, at)
    return behind(octets, kind, at + 2)


def behind(octets: bytes, kind: int, at: int) -> Place:
    """Look behind what an EtherType says that is at a place."""
    while kind not in (IPV4, IPV6):
        if kind in _TAGS:
            (kind,) = _number(octets, at + 2)
            at += 4
        elif kind == _PPPOE:
            (protocol,) = _number(octets, at + 6)
            kind, at = _PPP.get(protocol, 0), at + 8
        elif kind in _LABELS:
            while not octets[at + 2] & 1:  # until the bottom of the stack (RFC 3032 §2.1)
                at += 4
            at += 4
            if octets[at] >> 4:
                return raw(octets, at)
            return _typed(octets, at + 16)  # an Ethernet frame behind a control word (RFC 4448 §4.6)
        elif kind == _BRIDGED:
            (kind,) = _number(octets, at + 12)
            at += 14
        elif kind <= _LONGEST_802_3 and octets[at : at + 6] == _SNAP:
            (kind,) = _number(octets, at + 6)
            at += 8
        else:
            return None
    return kind, at


def raw(octets: bytes, at: int = 0) -> Place:
    """Return which version of IP is at a place, by its header."""
    version = octets[at] >> 4
    return (IPV4, at) if version == 4 else (IPV6, at) if version == 6 else None


def _ppp(octets: bytes) -> Place:
    at = 2 if octets[:2] == b"\xff\x03" else 0
    (protocol,) = _number(octets, at)
    return behind(octets, _PPP.get(protocol, 0), at + 2)


_LINKS: dict[int, Callable[[bytes], Place]] = {
    0: lambda octets: raw(octets, 4),  # loopback of BSDs: the family, in the byte order of whoever captured
    ETHERNET: lambda octets: _typed(octets, 12),
    9: _ppp,
    12: raw,
    14: raw,
    50: _ppp,
    51: lambda octets: behind(octets, _PPPOE, 0),
    101: raw,
    104: lambda octets: _typed(octets, 2),  # Cisco HDLC
    108: lambda octets: raw(octets, 4),
    COOKED: lambda octets: _typed(octets, 14),
    228: raw,
    229: raw,
    COOKED_2: lambda octets: behind(octets, _number(octets, 0)[0], 20),
}
