"""LTKMs in captures and documents: found whatever wrote the file, and damage said where it stands."""

import io
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.export import packets
from ltkm_inspect.export.entry import entries
from ltkm_inspect.export.run import Export
from ltkm_inspect.finding import Report
from ltkm_inspect.input import InputMessage, from_file, from_stream

FIRST, SECOND = reference.FIRST, reference.SECOND
MESSAGES = [reference.ltkm(grant).encode() for grant in (FIRST, SECOND)]
EXCHANGE = reference.exchange(
    [FIRST.msk_id, SECOND.msk_id], [(grant, "200 OK", reference.ltkm(grant)) for grant in (FIRST, SECOND)]
)
DOCUMENT = EXCHANGE.response.body or b"" if EXCHANGE.response is not None else b""


def capture(name: str, client: str = EXCHANGE.client) -> bytes:
    """Return a capture of the two messages as the export writes it."""
    found = list(entries(Report(replace(EXCHANGE, client=client))))
    if name == "pcap":
        return packets.pcap_head() + b"".join(map(packets.pcap_packet, found))
    return packets.pcapng_head() + b"".join(map(packets.pcapng_packet, found))


def datagram(message: bytes = MESSAGES[0], client: str = EXCHANGE.client) -> bytes:
    """Return an IP packet with that message."""
    return packets.datagram(*packets.ends(replace(EXCHANGE, client=client)), message)


def pcap(frames: list[bytes], link: int = 101, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    """Return a pcap file as any program writes it."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(f"{order}IIII", 1, 2, len(frame), len(frame)) + frame for frame in frames)


def found_in(octets: bytes) -> list[InputMessage]:
    """Return what is in a file, and make sure that a stream gives the same."""
    found = list(from_file(octets, "x"))
    assert list(from_stream(io.BytesIO(octets), "x")) == found
    return found


def octets_in(octets: bytes) -> list[bytes | None]:
    return [each.octets for each in found_in(octets)]


@pytest.mark.parametrize("client", ["192.0.2.10:4", "[2001:db8::a]:4"])
@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_a_capture_gives_its_messages_with_the_number_of_their_packets(name: str, client: str) -> None:
    found = found_in(capture(name, client))
    assert [each.octets for each in found] == MESSAGES
    assert [each.source for each in found] == ["x, packet 1", "x, packet 2"]


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("order", ["<", ">"])
def test_either_order_of_octets_and_either_unit_of_time_is_read(order: str, magic: int) -> None:
    assert octets_in(pcap([datagram()], order=order, magic=magic)) == MESSAGES[:1]


IPV4, IPV6 = datagram(), datagram(client="[2001:db8::a]:4")
MAC = b"\2\0\0\0\0\1" * 2


def longer(length: bytes, octets: int) -> bytes:
    """Return the length of a packet with so many octets more."""
    return (int.from_bytes(length) + octets).to_bytes(2)


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        pytest.param(1, MAC + b"\x08\x00" + IPV4, id="Ethernet-IPv4"),
        pytest.param(1, MAC + b"\x86\xdd" + IPV6, id="Ethernet-IPv6"),
        pytest.param(1, MAC + b"\x81\x00\x00\x05\x08\x00" + IPV4, id="VLAN"),
        pytest.param(1, MAC + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd" + IPV6, id="VLAN-in-VLAN"),
        pytest.param(1, MAC + b"\x08\x00" + IPV4 + b"\0" * 20, id="padding"),
        pytest.param(0, b"\2\0\0\0" + IPV4, id="BSD-loopback"),
        pytest.param(108, b"\0\0\0\x1e" + IPV6, id="OpenBSD-loopback"),
        pytest.param(113, b"\0" * 14 + b"\x08\x00" + IPV4, id="Linux-cooked-1"),
        pytest.param(276, b"\x86\xdd" + b"\0" * 18 + IPV6, id="Linux-cooked-2"),
        pytest.param(228, IPV4, id="IPv4"),
        pytest.param(229, IPV6, id="IPv6"),
        pytest.param(101, b"\x46\0" + longer(IPV4[2:4], 4) + IPV4[4:20] + b"\1" * 4 + IPV4[20:], id="IPv4-options"),
        pytest.param(
            101,
            IPV6[:4] + longer(IPV6[4:6], 8) + b"\0" + IPV6[7:40] + b"\x11\0\1\4\0\0\0\0" + IPV6[40:],
            id="hop-by-hop",
        ),
    ],
)
def test_whatever_the_link_was_the_message_is_found(link: int, frame: bytes) -> None:
    assert octets_in(pcap([frame], link)) == MESSAGES[:1]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(IPV4[:9] + b"\x06" + IPV4[10:], id="TCP"),
        pytest.param(IPV4[:20] + b"\0\x35\0\x35" + IPV4[24:], id="another-port"),
        pytest.param(IPV4[:6] + b"\x00\x10" + IPV4[8:], id="a-later-fragment"),
        pytest.param(b"", id="nothing"),
        pytest.param(IPV4[:12], id="half-a-header"),
        pytest.param(b"\0" * 60, id="no-IP"),
    ],
)
def test_a_packet_that_is_none_of_mikey_is_passed_over_but_counted(frame: bytes) -> None:
    found = found_in(pcap([frame, IPV4]))
    assert [(each.source, each.octets) for each in found] == [("x, packet 2", MESSAGES[0])]
    assert found_in(pcap([frame])) == []


def test_a_packet_that_was_cut_off_says_how_much_of_it_is_there() -> None:
    (cut,) = found_in(pcap([IPV4[:60]]))
    assert cut.octets is None
    assert cut.problem == f"expected {len(MESSAGES[0])} octets of message, got 32"


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_a_capture_that_ends_within_a_packet_gives_what_is_before_it(name: str) -> None:
    found = found_in(capture(name)[:-5])
    assert [each.octets for each in found] == [MESSAGES[0], None]
    assert found[1].source == "x, packet 2"
    assert found[1].problem.startswith("expected ")


def test_a_pcapng_of_several_sections_and_either_order_is_read() -> None:
    def block(order: str, kind: int, body: bytes) -> bytes:
        return struct.pack(f"{order}II", kind, 12 + len(body)) + body + struct.pack(f"{order}I", 12 + len(body))

    frame = IPV4 + b"\0" * (-len(IPV4) % 4)
    section = block(">", 0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(">", 1, struct.pack(">HHI", 101, 0, 0))
    simple = block(">", 3, struct.pack(">I", len(IPV4)) + frame)
    old = block(">", 2, struct.pack(">HHIIII", 0, 0, 0, 0, len(IPV4), len(IPV4)) + frame)
    unknown = block(">", 0x0BAD, b"\1\2\3\4")
    octets = capture("pcapng") + section + interface + unknown + simple + old
    assert octets_in(octets) == [*MESSAGES, MESSAGES[0], MESSAGES[0]]


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_what_the_tools_of_wireshark_write_is_read(tmp_path: Path, kind: str) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("needs tshark: editcap comes with it")
    source, target = tmp_path / "in.pcapng", tmp_path / "out"
    with Export("pcapng", source) as run:
        run.add(Report(EXCHANGE))
        run.finish()
    subprocess.run(["editcap", "-F", kind, source, target], check=True, timeout=60, capture_output=True)
    assert octets_in(target.read_bytes()) == MESSAGES


@given(st.binary(max_size=300), st.sampled_from(["pcap", "pcapng"]), st.integers(0, 200), st.binary(max_size=8))
def test_no_damage_makes_it_raise(noise: bytes, name: str, at: int, patch: bytes) -> None:
    octets = capture(name)
    for damaged in (octets[:4] + noise, octets[:at] + patch + octets[at + len(patch) :], octets[:at] + noise):
        list(from_file(damaged, "x"))
        list(from_file(damaged, "x", "pcap"))
        list(from_file(damaged, "x", "xml"))
        list(from_file(damaged, "x", "json"))


def test_a_document_gives_the_message_of_each_item_with_its_place() -> None:
    found = found_in(DOCUMENT)
    assert [each.octets for each in found] == MESSAGES
    assert [each.source for each in found] == ["x, item 1, LTKM 1", "x, item 2, LTKM 1"]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xef\xbb\xbf" + DOCUMENT, id="byte-order-mark"),
        pytest.param(b"\n\n" + DOCUMENT[DOCUMENT.index(b"?>") + 2 :], id="line-ends-before"),
        pytest.param(DOCUMENT.decode().replace("UTF-8", "UTF-16").encode("utf-16"), id="UTF-16"),
        pytest.param(DOCUMENT[:-10], id="cut-off"),
    ],
)
def test_a_document_is_known_by_how_it_begins(octets: bytes) -> None:
    assert octets_in(octets) == MESSAGES


def test_an_ltkm_that_is_not_base64_is_told_and_a_document_without_any_gives_nothing() -> None:
    text = DOCUMENT.decode()
    start = text.index("LTKM", text.index("<bcast:LTKM"))
    begin = text.index(">", start) + 1
    found = found_in((text[:begin] + "!!" + text[begin:]).encode())
    assert found[0].octets is None
    assert found[0].problem
    assert found[1].octets == MESSAGES[1]
    assert found_in(b"<html><body>no</body></html>") == []
    (broken,) = found_in(b"<")
    assert broken.problem == "expected an MSK response document, got unreadable XML"


def test_an_array_of_objects_gives_the_octets_of_each() -> None:
    listed = [{"octets": message.hex()} for message in MESSAGES]
    for text in (json.dumps(listed), json.dumps(listed, indent=1), "\n" + json.dumps(listed)):
        found = found_in(text.encode())
        assert [each.octets for each in found] == MESSAGES
        assert [each.source for each in found] == ["x, LTKM 1", "x, LTKM 2"]
    assert found_in(b"[]") == []
    odd = found_in(b'[{"octets":"**"},{"octets":null},{}]')
    assert [each.octets for each in odd] == [None] * 3
    assert all(each.problem.startswith("expected ") for each in odd)
    for broken in (b"[", b'[{"octets":', b"[{" * 100_000):
        (given,) = found_in(broken)
        assert given.problem == "expected an array of LTKMs, got text that is not JSON"


def test_something_else_than_what_was_said_is_told() -> None:
    (given,) = from_file(b"\1\2\3", "x", "pcap")
    assert given.problem == "expected a pcap or pcapng file, got something else"


def test_a_blank_line_first_leaves_the_numbers_of_lines_right() -> None:
    text = b"\n" + MESSAGES[0].hex().encode() + b"\n" + MESSAGES[1].hex().encode()
    assert [(each.source, each.octets) for each in found_in(text)] == [
        ("x, line 2", MESSAGES[0]),
        ("x, line 3", MESSAGES[1]),
    ]
