"""LTKMs as UDP datagrams in a capture file, as a BSM would have sent them to a terminal without HTTP.

Packets begin with the IP header: what the link was like is nobody's business here.
"""

import ipaddress
import math
import re
import struct

from ltkm_inspect import __version__
from ltkm_inspect.digest import identity_kind
from ltkm_inspect.export.entry import ExportEntry, hindrance, moment
from ltkm_inspect.finding import shorten
from ltkm_inspect.packets import MIKEY_PORT
from ltkm_inspect.report.text import LONGEST_PATH
from ltkm_inspect.traffic import Datagram, Event

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LINK_RAW = 101
"""LINKTYPE_RAW: the packet begins with an IP header, whose version says which."""
NO_BSM = {4: ipaddress.ip_address("203.0.113.1"), 6: ipaddress.ip_address("2001:db8::1")}
"""Addresses for documentation (RFC 5737, RFC 3849), in place of that of the BSM where it was not captured."""
NO_TERMINAL = {4: ipaddress.ip_address("203.0.113.2"), 6: ipaddress.ip_address("2001:db8::2")}
LARGEST = 65507
"""Octets of the largest UDP datagram that both versions of IP can carry."""

MOST_PORT = 0xFFFF

_PORT = re.compile(r"[0-9]{1,5}").fullmatch
_UDP = 17
_SNAP_LENGTH = 262144
_COMMENT = 1
_USER_APPLICATION = 4
_NAME = 2


def no_packet(entry: ExportEntry) -> str:
    """Return why an LTKM cannot be a packet; empty where it can."""
    octets = entry.ltkm.octets or b""
    return hindrance(entry) or ("too long for a UDP datagram" if len(octets) > LARGEST else "")


def pcap_head() -> bytes:
    """Return the header of a pcap file with times in microseconds."""
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_LENGTH, LINK_RAW)


def pcap_packet(entry: ExportEntry) -> bytes:
    """Return the record of an LTKM in a pcap file."""
    packet = _packet(entry)
    seconds, micros = divmod(_micros(entry.event), 1_000_000)
    return struct.pack("<IIII", min(seconds, 0xFFFFFFFF), micros, len(packet), len(packet)) + packet


def pcapng_head() -> bytes:
    """Return the section header and the description of the one interface of a pcapng file."""
    made_by = _option(_USER_APPLICATION, f"ltkm-inspect {__version__}") + _END
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + made_by
    interface = struct.pack("<HHI", LINK_RAW, 0, _SNAP_LENGTH) + _option(_NAME, "LTKMs in MSK responses") + _END
    return _block(0x0A0D0D0A, section) + _block(1, interface)


def pcapng_packet(entry: ExportEntry) -> bytes:
    """Return the block of an LTKM in a pcapng file, with a comment that says where it comes from."""
    packet = _packet(entry)
    micros = _micros(entry.event)
    head = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(packet), len(packet))
    return _block(6, head + _padded(packet) + _option(_COMMENT, comment(entry)) + _END)


def comment(entry: ExportEntry) -> str:
    """Return the comment of a packet: a few lines about its LTKM that are safe to print."""
    event, names = entry.event, entry.redactor.names
    lines = [
        f"{shorten(event.url, LONGEST_PATH)}, {names.place(entry.place)}",
        names.text(f"{identity_kind(name)} {shorten(name)}") if (name := event.b_tid) else "no B-TID",
        f"{entry.verdict} {' '.join(entry.rules)}".rstrip(),
    ]
    if entry.file:
        lines.insert(0, f"{shorten(entry.file, LONGEST_PATH)}, flow {shorten(event.id)}")
    lines += [f"fault {shorten(fault)}" for fault in event.faults]
    lines += [f"the address of the {side} was not captured" for side in missing(event)]
    if moment(event) is None:
        lines.append("the time was not captured")
    return "\n".join(lines)


def missing(event: Event) -> list[str]:
    """Return whose address is not known: `BSM`, `terminal`."""
    sides = (("BSM", event.server), ("terminal", event.client))
    return [side for side, address in sides if _address(address) is None]


def ends(event: Event) -> tuple[Address, Address]:
    """Return the addresses of BSM and terminal, of one version of IP, and made up where they were not captured."""
    server, client = _address(event.server), _address(event.client)
    known = [address for address in (server, client) if address is not None]
    version = max((address.version for address in known), default=4)
    found = (server or NO_BSM[version], client or NO_TERMINAL[version])
    if version == 6:
        bsm, terminal = (ipaddress.IPv6Address(f"::ffff:{each}") if each.version == 4 else each for each in found)
        return bsm, terminal
    return found


def datagram(source: Address, target: Address, data: bytes, ports: tuple[int, int] = (MIKEY_PORT, MIKEY_PORT)) -> bytes:
    """Return an IP packet with a UDP datagram between these ports of two hosts, checksums included."""
    length = 8 + len(data)
    sum_over = source.packed + target.packed + struct.pack(">HH", _UDP, length)  # both pseudo headers add up to this
    header = struct.pack(">HHH", *ports, length)
    udp = header + struct.pack(">H", checksum(sum_over + header + data) or 0xFFFF) + data
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, length, _UDP, 64) + source.packed + target.packed + udp
    before = struct.pack(">BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, _UDP)
    addresses = source.packed + target.packed
    return before + struct.pack(">H", checksum(before + addresses)) + addresses + udp


def checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of octets that are not all 0."""
    # in ones' complement a sum of 16-bit words is the whole number modulo 0xffff
    return 0xFFFF - (int.from_bytes(octets + b"\0" * (len(octets) % 2)) % 0xFFFF or 0xFFFF)


def _packet(entry: ExportEntry) -> bytes:
    event, octets = entry.event, entry.ltkm.octets or b""
    if isinstance(event, Datagram):
        return datagram(*ends(event), octets, (_port(event.server), _port(event.client)))
    return datagram(*ends(event), octets)


def _port(text: str) -> int:
    """Return the port of `host:port`; that of MIKEY if it is not known."""
    port = text.rpartition(":")[2]
    return int(port) if _PORT(port) and int(port) <= MOST_PORT else MIKEY_PORT


def _address(text: str) -> Address | None:
    """Return the IP address of `host:port`; None for a name, or none at all."""
    try:
        address = ipaddress.ip_address(text.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _micros(event: Event) -> int:
    """Return when an LTKM was delivered in microseconds since 1970; 0 where that is not known or before."""
    seconds = moment(event)
    return int(seconds * 1_000_000) if seconds is not None and math.isfinite(seconds) and 0 < seconds < 1e12 else 0


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _option(code: int, text: str) -> bytes:
    octets = text.encode("utf-8", "backslashreplace")
    return struct.pack("<HH", code, len(octets)) + _padded(octets)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)


_END = b"\0\0\0\0"
