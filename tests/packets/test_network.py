"""Packets give the datagrams and segments in them, whatever is around these; tshark sees the same."""

import random
import struct
import subprocess
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.packets import Network, Packet, TcpSegment, UdpPacket, network
from ltkm_inspect.packets.fragments import LIFETIME, MOST_OCTETS, MOST_PACKETS
from tests.packets.build import (
    ACK,
    BSM,
    IPV4,
    IPV6,
    MAC,
    TCP,
    TERMINAL,
    enhanced,
    ethernet,
    fragments4,
    fragments6,
    gtp,
    interface,
    ipv4,
    ipv6,
    section,
    tcp,
    udp,
)

MESSAGE = reference.ltkm(reference.FIRST).encode()
V4, V6 = ipv4(udp(MESSAGE)), ipv6(udp(MESSAGE))
LONG = MESSAGE + bytes(3000)
FRAME = b"\x00\x00\x0c\1\2\3\x00\x00\x0c\1\2\4\x08\0"
"""The head of a frame between cards whose maker is known: tshark believes in no others within MPLS."""


def label(number: int, *, last: bool) -> bytes:
    """Return an entry of a stack of MPLS labels."""
    return struct.pack(">I", number << 12 | last << 8 | 64)


def short(packet: bytes) -> bytes:
    """Return a packet in an Ethernet frame that is padded to its least length."""
    return ethernet(packet).ljust(60, b"\xee")


DATAGRAMS: dict[str, tuple[int, list[bytes], bytes]] = {
    "Ethernet, IPv4": (1, [ethernet(V4)], MESSAGE),
    "Ethernet, IPv6": (1, [ethernet(V6, IPV6)], MESSAGE),
    "VLAN": (1, [ethernet(V4, between=b"\x81\0\0\5")], MESSAGE),
    "VLAN in VLAN": (1, [ethernet(V6, IPV6, b"\x88\xa8\0\5\x81\0\0\6")], MESSAGE),
    "PPPoE": (1, [ethernet(b"\x11\0\0\1" + struct.pack(">H", len(V4) + 2) + b"\0\x21" + V4, 0x8864)], MESSAGE),
    "PPPoE in a VLAN, IPv6": (
        1,
        [ethernet(b"\x11\0\0\1" + struct.pack(">H", len(V6) + 2) + b"\0\x57" + V6, 0x8864, b"\x81\0\0\5")],
        MESSAGE,
    ),
    "MPLS": (1, [ethernet(label(100, last=True) + V4, 0x8847)], MESSAGE),
    "MPLS with two labels": (1, [ethernet(label(3, last=False) + label(100, last=True) + V6, 0x8847)], MESSAGE),
    "Ethernet in MPLS": (1, [ethernet(label(100, last=True) + bytes(4) + FRAME + V4, 0x8847)], MESSAGE),
    "IEEE 802.3 with SNAP": (1, [ethernet(b"\xaa\xaa\3\0\0\0\x08\0" + V4, 8 + len(V4))], MESSAGE),
    "Linux cooked": (113, [struct.pack(">HHHQ", 0, 1, 6, 0) + b"\x08\0" + V4], MESSAGE),
    "Linux cooked with VLAN": (113, [struct.pack(">HHHQ", 0, 1, 6, 0) + b"\x81\0\0\5\x08\0" + V4], MESSAGE),
    "Linux cooked 2": (276, [b"\x86\xdd" + struct.pack(">HIHBBQ", 0, 2, 1, 0, 6, 0) + V6], MESSAGE),
    "GRE": (1, [ethernet(ipv4(b"\0\0\x08\0" + V4, 47))], MESSAGE),
    "GRE with a key and a number, IPv6": (101, [ipv4(b"\x30\0\x86\xdd" + bytes(8) + V6, 47)], MESSAGE),
    "Ethernet in GRE in IPv6": (101, [ipv6(b"\0\0\x65\x58" + FRAME + V4, 47)], MESSAGE),
    "raw IP": (101, [V4], MESSAGE),
    "raw IPv6": (101, [V6], MESSAGE),
    "raw IPv4 only": (228, [V4], MESSAGE),
    "raw IPv6 only": (229, [V6], MESSAGE),
    "loopback, little-endian": (0, [b"\2\0\0\0" + V4], MESSAGE),
    "loopback, big-endian": (0, [b"\0\0\0\2" + V4], MESSAGE),
    "loopback, IPv6 of macOS": (0, [b"\x1e\0\0\0" + V6], MESSAGE),
    "loopback of OpenBSD": (108, [b"\0\0\0\2" + V4], MESSAGE),
    "PPP": (9, [b"\xff\3\0\x21" + V4], MESSAGE),
    "Cisco HDLC": (104, [b"\x0f\0\x08\0" + V4], MESSAGE),
    "padding of a short frame": (1, [short(ipv4(udp(b"\1\6\0")))], b"\1\6\0"),
    "options of IPv4": (101, [ipv4(udp(MESSAGE), options=b"\x94\4\0\0" * 3)], MESSAGE),
    "hop-by-hop options": (101, [ipv6(b"\x11\0\1\4\0\0\0\0" + udp(MESSAGE), 0)], MESSAGE),
    "three extension headers": (
        101,
        [ipv6(b"\x3c\0\1\4\0\0\0\0" + b"\x2b\1\1\x0c" + bytes(12) + b"\x11\2\0\0\0\0" + bytes(18) + udp(MESSAGE), 0)],
        MESSAGE,
    ),
    "an authentication header": (101, [ipv6(b"\x11\4" + bytes(22) + udp(MESSAGE), 51)], MESSAGE),
    "an only fragment of IPv6": (101, fragments6(udp(MESSAGE), 4000), MESSAGE),
    "fragments of IPv4": (101, fragments4(udp(LONG), 1000), LONG),
    "fragments of IPv4, last first": (101, fragments4(udp(LONG), 1000, id=8)[::-1], LONG),
    "fragments of IPv6": (1, [ethernet(each, IPV6) for each in fragments6(udp(LONG), 1000, id=9)], LONG),
    "fragments of IPv6, last first": (101, fragments6(udp(LONG), 1000, id=10)[::-1], LONG),
    "fragments of IPv6 with extension headers in them": (
        101,
        fragments6(b"\x3c\0\1\4\0\0\0\0" + b"\x11\0\1\4\0\0\0\0" + udp(LONG), 1000, 60, 12),
        LONG,
    ),
    "GTP-U": (1, [ethernet(gtp(V4))], MESSAGE),
    "GTP-U, IPv6": (1, [ethernet(gtp(V6))], MESSAGE),
    "GTP-U with a sequence number": (1, [ethernet(gtp(V4, b"\0\7\0\0", 0x32))], MESSAGE),
    "GTP-U with extension headers": (
        1,
        [ethernet(gtp(V4, b"\0\0\0\x85" + b"\1\x10\5\x85" + b"\1\x10\5\0", 0x34))],
        MESSAGE,
    ),
    "GTP-U in fragments": (1, [ethernet(each) for each in fragments4(gtp(ipv4(udp(LONG)))[20:], 1000, id=11)], LONG),
    "IPv6 in IPv4": (101, [ipv4(V6, 41)], MESSAGE),
}
"""A link type, packets with it, and what the datagram holds that the last of them completes."""


def every(link: int, packets: Iterable[bytes]) -> list[UdpPacket | TcpSegment | None]:
    network = Network()
    return [network.take(Packet(link, octets, 1.0)) for octets in packets]


@pytest.mark.parametrize("name", DATAGRAMS)
def test_a_datagram_is_found_whatever_is_around_it(name: str) -> None:
    link, packets, data = DATAGRAMS[name]
    *before, found = every(link, packets)
    assert before == [None] * (len(packets) - 1)
    assert isinstance(found, UdpPacket)
    assert (found.data, found.ports, found.is_complete) == (data, (2269, 2269), True)


@pytest.mark.needs("tshark")
def test_tshark_finds_the_same_datagrams(tmp_path: Path) -> None:
    path, links = tmp_path / "layers.pcapng", sorted({link for link, *_ in DATAGRAMS.values()})
    octets, number, expected = section() + b"".join(map(interface, links)), 0, {}
    for link, packets, data in DATAGRAMS.values():
        for packet in packets:
            number += 1
            octets += enhanced(packet, 10**6, links.index(link))
        expected[number] = data.hex()
    path.write_bytes(octets)
    fields = ["-e", "frame.number", "-e", "udp.payload", "-E", "occurrence=l"]
    # raw IP behind an authentication header is judged by nothing but the header, as here
    done = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", *fields, "-Y", "mikey"], check=True, capture_output=True, timeout=60
    )
    seen = dict(line.split("\t") for line in done.stdout.decode().splitlines())
    names = dict(zip(expected, DATAGRAMS, strict=True))
    assert {names[int(each)] for each in seen} == set(names.values())
    assert {int(each): data for each, data in seen.items()} == expected


def test_the_addresses_are_those_of_the_inner_packet() -> None:
    (found,) = every(1, [ethernet(gtp(V4))])
    assert found is not None
    assert found.ends == ip_address(BSM).packed + ip_address(TERMINAL).packed + b"\x08\xdd\x08\xdd"


SEGMENT = tcp(b"data", 5, 7)


@pytest.mark.parametrize(
    ("link", "packet", "data", "lost"),
    [
        pytest.param(1, ethernet(ipv4(SEGMENT, TCP)), b"data", 0, id="Ethernet"),
        pytest.param(1, ethernet(ipv4(tcp(b"", 5, 7), TCP)).ljust(60, b"\0"), b"", 0, id="padding"),
        pytest.param(
            101, ipv4(SEGMENT[:12] + b"\x60" + SEGMENT[13:20] + b"\1\1\1\1data", TCP), b"data", 0, id="options"
        ),
        pytest.param(101, ipv4(SEGMENT, TCP, total=0), b"data", 0, id="offload-IPv4"),
        pytest.param(101, ipv6(SEGMENT, TCP, length=0), b"data", 0, id="offload-IPv6"),
        pytest.param(101, ipv4(SEGMENT, TCP)[:-3], b"d", 3, id="cut"),
        pytest.param(101, ipv6(SEGMENT, TCP)[:-4], b"", 4, id="cut-IPv6"),
        pytest.param(101, ipv4(SEGMENT, TCP, total=1040), b"data", 996, id="cut-much"),
    ],
)
def test_a_segment_says_what_was_captured_of_it(link: int, packet: bytes, data: bytes, lost: int) -> None:
    network = Network()
    found = network.take(Packet(link, packet))
    assert isinstance(found, TcpSegment)
    assert (found.number, found.acknowledged, found.flags, found.data, found.lost) == (5, 7, ACK, data, lost)
    assert network.cut == (lost > 0)


def test_a_datagram_that_was_cut_says_so() -> None:
    network = Network()
    found = network.take(Packet(101, V4[:-10]))
    assert isinstance(found, UdpPacket)
    assert (found.data, found.length, found.is_complete) == (MESSAGE[:-10], len(MESSAGE), False)
    cut = [*fragments4(udp(LONG), 1000)]
    *_, found = (network.take(Packet(101, each)) for each in (cut[0][:500], *cut[1:]))
    assert isinstance(found, UdpPacket)
    assert (found.data, found.length) == (LONG[:472], len(LONG))
    assert network.cut == 2


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        pytest.param(1, b"", id="nothing"),
        pytest.param(1, ethernet(V4)[:30], id="half-a-header"),
        pytest.param(101, ipv4(b"\x08\xdd"), id="half-of-UDP"),
        pytest.param(101, ipv4(SEGMENT[:19], TCP), id="half-of-TCP"),
        pytest.param(101, b"\x42" + V4[1:], id="a-header-of-8-octets"),
        pytest.param(101, ipv4(udp(MESSAGE), total=15), id="shorter-than-its-header"),
        pytest.param(1, MAC + b"\x81\0" * 700, id="tags-without-end"),
        pytest.param(1, ethernet(label(1, last=False) * 300, 0x8847), id="labels-without-end"),
        pytest.param(1, ethernet(gtp(V4, b"\0\0\0\x85\0\0\0\0", 0x34)), id="a-GTP-extension-of-length-0"),
        pytest.param(1, ethernet(ipv4(udp(b"\x30\x02\0\4\0\0\0\0abcd", 2152, 2152))), id="another-GTP-message"),
        pytest.param(101, ipv6(b"\x3b\0" + bytes(6), 59), id="no-next-header"),
        pytest.param(101, ipv4(b"x" * 8, 1), id="ICMP"),
        pytest.param(101, ipv4(b"\x30\x01\x88\x0b" + bytes(8) + V4, 47), id="GRE-of-PPTP"),
        pytest.param(101, ipv4(b"\0\0\x08", 47), id="half-of-GRE"),
        pytest.param(101, ipv4(fragments4(udp(LONG), 1000)[0][20:] + b"xyz", fragment=0x2000), id="an-odd-fragment"),
        pytest.param(101, ipv4(bytes(1000), fragment=0x1FFF), id="a-fragment-beyond-the-end"),
    ],
)
def test_what_holds_no_datagram_is_passed_over(link: int, packet: bytes) -> None:
    assert every(link, [packet]) == [None]


def test_tunnels_in_tunnels_come_to_an_end() -> None:
    packet = V4
    for _ in range(200):
        packet = gtp(packet)
    (found,) = every(101, [packet])
    assert isinstance(found, UdpPacket)
    assert found.ports == (2152, 2152)


def test_a_link_type_that_cannot_be_read_is_counted() -> None:
    network = Network()
    for link in (147, 147, 105):
        assert network.take(Packet(link, V4)) is None
    assert network.unknown_links == {147: 2, 105: 1}


PLAIN = {
    1: MAC + b"\x08\0",
    113: struct.pack(">HHHQ", 0, 1, 6, 0) + b"\x08\0",
    276: b"\x08\0" + struct.pack(">HIHBBQ", 0, 2, 1, 0, 6, 0),
}
"""What precedes the IPv4 header of most packets, by link type."""


@given(
    st.sampled_from([*PLAIN]),
    st.binary(max_size=40),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=2),
    st.integers(0, 60),
)
def test_a_plain_segment_is_read_like_any_other(
    link: int, data: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    packet = bytearray(PLAIN[link] + ipv4(tcp(data, 7, 8), TCP) + bytes(6))
    for at, octet in changes:
        packet[min(at, len(packet) - 1)] = octet
    octets = bytes(packet[: len(packet) - max(cut - 40, 0)])
    quick = Network()
    found = quick.take(Packet(link, octets))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "plain_segment", lambda *_: None)
        full = Network()
        assert found == full.take(Packet(link, octets))
    assert (quick.cut, quick.unknown_links) == (full.cut, full.unknown_links)


@pytest.mark.parametrize("link", [*PLAIN])
def test_most_segments_are_plain(link: int) -> None:
    found = network.plain_segment(link, PLAIN[link] + ipv4(tcp(b"data", 7, 8), TCP) + bytes(2))
    assert found is not None
    assert (found.data, found.lost) == (b"data", 0)


@given(st.data())
def test_any_order_and_any_repetition_of_fragments_gives_the_payload(data: st.DataObject) -> None:
    build = data.draw(st.sampled_from([fragments4, fragments6]))
    octets = data.draw(st.binary(min_size=1, max_size=300))
    pieces = build(udp(octets), data.draw(st.integers(1, 8)) * 8)
    order = data.draw(st.permutations([*pieces, *data.draw(st.lists(st.sampled_from(pieces), max_size=10))]))
    network, found = Network(), []
    for piece in order:
        if (one := network.take(Packet(101, piece))) is not None:
            found.append(one)
    # a repeated fragment may begin the next packet, but never completes it before all were there again
    assert found
    assert {each.data for each in found} == {octets}


def test_of_fragments_that_overlap_the_first_is_taken() -> None:
    payload = udp(b"A" * 16 + b"B" * 16)

    def fragment(start: int, octets: bytes, more: bool) -> bytes:
        return ipv4(octets, fragment=start // 8 | 0x2000 * more)

    first, second = fragment(0, payload[:24], True), fragment(24, payload[24:], False)
    other = fragment(8, b"x" * 24, True)
    for order in permutations([first, other, second]):
        found = [each for each in every(101, order) if each is not None]
        assert len(found) == 1
        assert isinstance(found[0], UdpPacket)
        begins = [order.index(each) for each in (first, other, second)]
        assert found[0].data[:16] == (b"A" * 16 if begins[0] < begins[1] or begins[1] == 2 else b"x" * 16)


def test_fragments_that_never_end_are_bounded_in_number_octets_and_time() -> None:
    network = Network()
    for number in range(3 * MOST_PACKETS):
        network.take(Packet(101, ipv4(bytes(8), id=number, fragment=0x2000), 1.0))
    assert network.fragments.lost == 2 * MOST_PACKETS
    assert network.fragments.missing == 3 * MOST_PACKETS
    network = Network()
    for number in range(1000):
        network.take(Packet(101, ipv4(bytes(8), id=number, fragment=0x2000 | 60_000 // 8), 1.0))
    assert network.fragments.lost >= 1000 - MOST_OCTETS // 60_000 - 1
    network.take(Packet(101, ipv4(bytes(8), id=5000, fragment=0x2000), 2.0 + LIFETIME))
    assert (network.fragments.lost, network.fragments.missing) == (1000, 1001)


def test_a_fragment_that_was_captured_on_two_interfaces_is_not_of_a_packet_that_misses_some() -> None:
    first, second = fragments4(udp(bytes(100)), 64)
    network = Network()
    found = [network.take(Packet(101, each, 1.0)) for each in (first, first, second, second, second)]
    assert [each is not None for each in found] == [False, False, True, False, False]
    assert network.fragments.missing == 0
    assert network.take(Packet(101, second, 3.0)) is None
    assert network.fragments.missing == 1
    assert network.take(Packet(101, first, 3.0)) is not None
    other = fragments4(udp(b"x" * 100), 64)
    assert [network.take(Packet(101, each, 3.0)) is not None for each in other] == [False, True]


def test_fragments_in_fragments_come_to_an_end() -> None:
    network, whole = Network(), udp(bytes(100))
    for number in range(MOST_PACKETS):
        parts = ((0, True, whole[:8]), (8, False, whole[8:]))
        kind = 44 if number else 17
        first, whole = (struct.pack(">BBHI", kind, 0, at | more, number) + part for at, more, part in parts)
        assert network.take(Packet(101, ipv6(first, 44))) is None
    assert network.take(Packet(101, ipv6(whole, 44))) is None


def test_a_late_fragment_does_not_complete_a_packet_of_the_same_number() -> None:
    first, second = fragments4(udp(bytes(100)), 64)
    network = Network()
    assert network.take(Packet(101, first, 1.0)) is None
    assert network.take(Packet(101, second, 2.0 + LIFETIME)) is None
    assert network.take(Packet(101, first, 2.0 + LIFETIME)) is not None


@given(st.binary(max_size=120), st.sampled_from([0, 1, 9, 50, 51, 101, 104, 108, 113, 228, 229, 276]))
def test_no_octets_make_it_fail(noise: bytes, link: int) -> None:
    every(link, [noise, ethernet(noise), V4[:20] + noise, V6[:40] + noise, MAC + noise, ethernet(gtp(noise))])


def test_no_changed_packet_makes_it_fail() -> None:
    chance = random.Random(1)
    for link, packets, _ in DATAGRAMS.values():
        for _ in range(50):
            changed = bytearray(packets[0])
            for _ in range(3):
                changed[chance.randrange(min(len(changed), 90))] = chance.randrange(256)
            every(link, [bytes(changed), *packets[1:]])


def test_the_kinds_of_ip_are_told_by_ethertype() -> None:
    assert every(1, [ethernet(V6, IPV4), ethernet(V4, IPV6)]) == [None, None]
