"""Capture files give the packets in them, whoever wrote the file and however it comes; damage is said at its place."""

import io
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.packets import CaptureFileError, Packet, packets
from ltkm_inspect.packets.file import LARGEST, MOST_INTERFACES
from tests.packets.build import block, enhanced, interface, obsolete, option, pcap, pcap_record, section, simple

NOW = 1_700_000_000.25
FRAMES = [b"a" * 60, b"", b"c" * 1500]
RECORDS = [(NOW + number, frame) for number, frame in enumerate(FRAMES)]
TICKS = int(NOW * 10**6)
COMMENT = option(1, b"a comment") + option(0, b"")


def read(octets: bytes) -> list[Packet]:
    return list(packets(io.BytesIO(octets).read))


def damaged(octets: bytes) -> tuple[list[bytes], str, int]:
    """Return the packets before the damage, what is said of it, and where it is."""
    found: list[bytes] = []
    with pytest.raises(CaptureFileError) as caught:
        found.extend(packet.octets for packet in packets(io.BytesIO(octets).read))
    return found, str(caught.value), caught.value.offset


@pytest.mark.parametrize("units", [10**6, 10**9])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcap_gives_packets_with_link_type_and_time(order: str, units: int) -> None:
    found = read(pcap(RECORDS, 113, order, units))
    assert found == [Packet(113, frame, NOW + number) for number, frame in enumerate(FRAMES)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_modified_pcap_has_more_in_front_of_each_packet(order: str) -> None:
    head = pcap([], 113, order)[4:]
    magic = struct.pack(f"{order}I", 0xA1B2CD34)
    records = (pcap_record(NOW, frame, order) for frame in FRAMES)
    octets = magic + head + b"".join(each[:16] + bytes(8) + each[16:] for each in records)
    assert read(octets) == [Packet(113, frame, NOW) for frame in FRAMES]


def test_a_nanosecond_is_kept_as_far_as_a_number_can() -> None:
    octets = pcap([(0, b"x")], units=10**9)
    octets = octets[:24] + b"\x00\xf1\x53\x65\x15\xcd\x5b\x07" + octets[32:]
    assert read(octets)[0].time == 0x6553F100 + 0.123456789


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_gives_packets_of_every_kind_of_block(order: str) -> None:
    octets = (
        section(order)
        + block(0x0BAD, b"unknown", order)
        + interface(
            1,
            order,
            option(9, b"\x09", order) + option(14, (100).to_bytes(8, "little" if order == "<" else "big"), order),
        )
        + interface(101, order, option(9, b"\x8a", order))
        + enhanced(b"one", 5_000_000_001, 0, order, COMMENT if order == "<" else b"")
        + block(5, bytes(16), order)  # statistics
        + obsolete(b"two", 2048, 1, order)
        + simple(b"three", order)
    )
    assert read(octets) == [Packet(1, b"one", 105.000000001), Packet(101, b"two", 2.0), Packet(1, b"three", None)]


def test_a_section_has_interfaces_and_a_byte_order_of_its_own() -> None:
    first = section() + interface(1) + interface(12) + enhanced(b"one", TICKS, 1)
    second = section(">") + interface(276, ">") + enhanced(b"two", TICKS, 0, ">")
    assert [(each.link, each.time) for each in read(first + second)] == [(12, NOW), (276, NOW)]
    found, said, at = damaged(first + section() + enhanced(b"three", TICKS))
    assert (found, said) == ([b"one"], "expected a packet of a known interface, got another")
    assert at == len(first + section())


def test_a_simple_packet_is_as_long_as_its_interface_captures() -> None:
    octets = section() + interface(length=4) + simple(b"abcd", length=1500)
    assert [each.octets for each in read(octets)] == [b"abcd"]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_file_may_come_in_pieces(size: int) -> None:
    for octets in (pcap(RECORDS), section() + interface() + b"".join(enhanced(each, 0) for each in FRAMES)):
        file = io.BytesIO(octets)
        assert list(packets(lambda _, file=file: file.read(size))) == read(octets)  # type: ignore[misc]


def test_a_packet_is_there_before_what_follows_it_is_read() -> None:
    octets, asked = pcap(RECORDS[:1]), 0

    def once(_: int) -> bytes:
        nonlocal asked
        asked += 1
        assert asked == 1, "read again before the packet was given"
        return octets

    assert next(packets(once)).octets == FRAMES[0]


def test_a_file_that_ends_within_a_packet_gives_what_is_before_it() -> None:
    whole = pcap(RECORDS)
    for cut in (1, 1500, 1515):
        found, said, at = damaged(whole[:-cut])
        assert found == FRAMES[:2]
        assert said.startswith("expected a packet ")
        assert at == len(pcap(RECORDS[:2]))
    assert [each.octets for each in read(whole[:-1516])] == FRAMES[:2]


def test_a_length_that_no_packet_has_is_damage_and_takes_no_memory() -> None:
    record = pcap_record(NOW, b"x")
    octets = pcap(RECORDS[:1]) + record[:8] + (LARGEST + 1).to_bytes(4, "little") + record[12:]
    assert damaged(octets) == (
        FRAMES[:1],
        f"expected a packet of at most {LARGEST} octets, got {LARGEST + 1}",
        len(pcap(RECORDS[:1])),
    )


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        pytest.param(
            b"\6\0\0\0\x0d\0\0\0" + bytes(20), "expected a block of at least 12 octets, got length 13", id="odd"
        ),
        pytest.param(
            b"\6\0\0\0\x08\0\0\0" + bytes(20), "expected a block of at least 12 octets, got length 8", id="short"
        ),
        pytest.param(
            enhanced(b"x", 0)[:-4] + bytes(4),
            "expected the length of the block again at its end, got another",
            id="end",
        ),
        pytest.param(enhanced(b"x", 0)[:-8], "expected a block of 36 octets, got 28", id="cut"),
        pytest.param(enhanced(b"x", 0)[:9], "expected a block of 12 octets, got 9", id="cut-early"),
        pytest.param(block(6, bytes(8)), "expected a whole block, got 20 octets of it", id="no-room"),
        pytest.param(
            enhanced(b"x", 0).replace(b"\1\0\0\0\1", b"\x63\0\0\0\1"),
            "expected 99 octets of packet, got a shorter block",
            id="kept",
        ),
        pytest.param(
            block(0x0BAD, bytes(3 << 20))[:-4], "expected a block of 3145740 octets, got 3145736", id="unknown"
        ),
        pytest.param(
            b"\n\r\r\n\x1c\0\0\0" + bytes(24), "expected a section with a byte order, got other octets", id="order"
        ),
        pytest.param(
            b"\6\0\0\0" + (LARGEST + 4).to_bytes(4, "little") + bytes(8),
            f"expected a block of at most {LARGEST} octets, got {LARGEST + 4}",
            id="huge",
        ),
    ],
)
def test_a_damaged_pcapng_gives_what_is_before_the_damage(rest: bytes, said: str) -> None:
    whole = section() + interface() + enhanced(b"one", TICKS)
    found, problem, at = damaged(whole + rest)
    assert (found, problem) == ([b"one"], said)
    assert at == len(whole)


def test_interfaces_are_counted_so_that_they_take_no_memory() -> None:
    assert "interfaces" in damaged(section() + interface() * (MOST_INTERFACES + 1))[1]


@pytest.mark.parametrize("octets", [b"", b"\n\r", b"\xd4\xc3\xb2", b"12:abc", bytes(100)])
def test_something_else_is_no_capture(octets: bytes) -> None:
    assert damaged(octets) == ([], "expected a pcap or pcapng file, got something else", 0)


@given(st.binary(max_size=200), st.integers(0, 150), st.booleans())
def test_no_octets_make_it_fail_otherwise(noise: bytes, at: int, ng: bool) -> None:
    whole = section() + interface() + enhanced(b"one", TICKS) if ng else pcap(RECORDS)
    with suppress(CaptureFileError):
        read(whole[:at] + noise)


@pytest.mark.needs("tshark")
def test_what_the_tools_of_wireshark_write_is_read_alike(tmp_path: Path) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("needs tshark: editcap comes with it")
    source = tmp_path / "source"
    source.write_bytes(pcap([(time, frame) for time, frame in RECORDS if frame], units=10**9))
    for kind in ("pcap", "nsecpcap", "pcapng"):
        target = tmp_path / kind
        subprocess.run(["editcap", "-F", kind, source, target], check=True, timeout=60, capture_output=True)
        assert read(target.read_bytes()) == read(source.read_bytes())
