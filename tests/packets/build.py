"""Builds packets and capture files, octet by octet, as cards, switches and capture programs write them."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

TERMINAL, BSM = "192.0.2.10", "198.51.100.1"
TERMINAL6, BSM6 = "2001:db8:1::a", "2001:db8::5"
TCP, UDP, IPV4, IPV6 = 6, 17, 0x0800, 0x86DD
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAC = b"\2\0\0\0\0\1\2\0\0\0\0\2"

type Record = tuple[float, bytes]
"""A packet and the second at which it was captured."""


def udp(data: bytes, source: int = 2269, destination: int = 2269, length: int | None = None) -> bytes:
    """Return a UDP datagram without a checksum."""
    return struct.pack(">HHHH", source, destination, 8 + len(data) if length is None else length, 0) + data


def tcp(
    data: bytes = b"", sequence: int = 0, acknowledged: int = 0, flags: int = ACK, ports: tuple[int, int] = (40000, 80)
) -> bytes:
    """Return a TCP segment with a checksum that is wrong, as before a card corrects it."""
    numbers = sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF
    return struct.pack(">HHIIBBHHH", *ports, *numbers, 0x50, flags, 65000, 0xBAD, 0) + data


def ipv4(
    payload: bytes,
    protocol: int = UDP,
    ends: tuple[str, str] = (BSM, TERMINAL),
    *,
    id: int = 1,
    fragment: int = 0,
    options: bytes = b"",
    total: int | None = None,
) -> bytes:
    """Return an IPv4 packet without a checksum; `fragment` is its field of flags and offset."""
    size = 20 + len(options) + len(payload) if total is None else total
    head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, size, id, fragment, 64, protocol, 0)
    return head + b"".join(ip_address(end).packed for end in ends) + options + payload


def ipv6(
    payload: bytes,
    protocol: int = UDP,
    ends: tuple[str, str] = (BSM6, TERMINAL6),
    *,
    length: int | None = None,
) -> bytes:
    """Return an IPv6 packet."""
    head = struct.pack(">IHBB", 6 << 28, len(payload) if length is None else length, protocol, 64)
    return head + b"".join(ip_address(end).packed for end in ends) + payload


def fragments4(payload: bytes, size: int, protocol: int = UDP, id: int = 7) -> list[bytes]:
    """Return an IPv4 packet in fragments of that many octets, in order."""
    return [
        ipv4(
            payload[at : at + size],
            protocol,
            id=id,
            fragment=at // 8 | (0x2000 if at + size < len(payload) else 0),
        )
        for at in range(0, len(payload), size)
    ]


def fragments6(payload: bytes, size: int, protocol: int = UDP, id: int = 7) -> list[bytes]:
    """Return an IPv6 packet in fragments of that many octets, in order."""
    return [
        ipv6(
            struct.pack(">BBHI", protocol, 0, at | (at + size < len(payload)), id) + payload[at : at + size],
            44,
        )
        for at in range(0, len(payload), size)
    ]


def ethernet(packet: bytes, kind: int = IPV4, between: bytes = b"") -> bytes:
    """Return an Ethernet frame; `between` is what follows the addresses, in front of the EtherType."""
    return MAC + between + struct.pack(">H", kind) + packet


def gtp(packet: bytes, options: bytes = b"", flags: int = 0x30) -> bytes:
    """Return a GTP-U message in UDP in IPv4; `options` are the fields that `flags` announces."""
    message = struct.pack(">BBHI", flags, 0xFF, len(options) + len(packet), 0x1234) + options + packet
    return ipv4(udp(message, 2152, 2152), ends=("10.0.0.1", "10.0.0.2"))


def pcap(records: Iterable[Record], link: int = 1, order: str = "<", units: int = 10**6) -> bytes:
    """Return a pcap file."""
    magic = 0xA1B2C3D4 if units == 10**6 else 0xA1B23C4D
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    return head + b"".join(pcap_record(time, octets, order, units) for time, octets in records)


def pcap_record(time: float, octets: bytes, order: str = "<", units: int = 10**6, length: int | None = None) -> bytes:
    """Return a packet of a pcap file; `length` is how many octets it had, if not all of them were captured."""
    seconds = int(time)
    fraction = round((time - seconds) * units)
    size = len(octets) if length is None else length
    return struct.pack(f"{order}IIII", seconds, fraction, len(octets), size) + octets


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return a block of a pcapng file."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    """Return the header of a section."""
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    """Return an option of a block."""
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link: int = 1, order: str = "<", options: bytes = b"", length: int = 262144) -> bytes:
    """Return the description of an interface."""
    return block(1, struct.pack(f"{order}HHI", link, 0, length) + options, order)


def enhanced(octets: bytes, ticks: int, number: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    """Return an enhanced packet block; `ticks` is its time in the units of the interface."""
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets))
    return block(6, head + octets + bytes(-len(octets) % 4) + options, order)


def simple(octets: bytes, order: str = "<", length: int | None = None) -> bytes:
    """Return a simple packet block, which has no time."""
    return block(3, struct.pack(f"{order}I", len(octets) if length is None else length) + octets, order)


def obsolete(octets: bytes, ticks: int, number: int = 0, order: str = "<") -> bytes:
    """Return a packet block as pcapng had it at first."""
    head = struct.pack(f"{order}HHIIII", number, 3, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), len(octets))
    return block(2, head + octets, order)
