"""Packet captures that follow each other, as tcpdump -C and -G write them, are read as one."""

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.capture import DamagedEvent, SkippedFlows, UnreadTraffic
from ltkm_inspect.capture.inputs import inputs
from ltkm_inspect.capture.packets import PacketEvent, PacketReader
from ltkm_inspect.traffic import Datagram, Exchange
from tests.capture.test_packets import ANSWERED, ASKED, EXCHANGE, MESSAGE, TLS, read, rules
from tests.checking.test_parallel import both, named
from tests.command import run
from tests.packets.build import Record, ethernet, fragments4, pcap, udp
from tests.packets.traffic import Wire, push
from tests.test_cli import CLEAN, lines

WHOLE = Wire().open().exchange(EXCHANGE, 100).exchange(EXCHANGE, 100).close().records


def joined(*files: list[Record]) -> list[PacketEvent]:
    """Return what is in capture files, which are called 1, 2 and so on."""

    def every() -> Iterator[PacketEvent]:
        reader = PacketReader()
        for name, records in enumerate(files, 1):
            yield from reader.events(io.BytesIO(pcap(records)).read, str(name))
        yield from reader.finish()

    return list(every())


@given(st.sets(st.integers(1, len(WHOLE) - 1), max_size=3))
def test_wherever_a_capture_is_split_the_exchanges_are_the_same(cuts: set[int]) -> None:
    ends = [0, *sorted(cuts), len(WHOLE)]
    found = joined(*(WHOLE[begin:end] for begin, end in pairwise(ends)))
    for split, whole in zip(found, read(WHOLE), strict=True):
        assert isinstance(split, Exchange)
        assert isinstance(whole, Exchange)
        assert (split.response, split.gaps, split.connection) == (EXCHANGE.response, (), whole.connection)
        first = int(whole.id.removeprefix("packet-")) - 1
        file = sum(end <= first for end in ends[1:])
        assert (split.capture, split.id) == (str(file + 1), f"packet-{first - ends[file] + 1}")


def test_what_is_lost_between_two_files_is_damage_of_the_exchange_and_names_the_file_behind_it() -> None:
    at = 3 + -(-len(ASKED) // 100) + 1 + 2  # the third segment of the response
    exchange, _ = joined(WHOLE[:at], WHOLE[at + 1 :])
    assert isinstance(exchange, Exchange)
    (damage,) = exchange.damage
    assert damage.field == "packet 1 of 2"
    assert exchange.capture == "1"
    assert not rules(exchange)


def test_fragments_and_repeated_datagrams_go_on_in_the_next_file() -> None:
    begin, *rest = [(1e9, ethernet(each)) for each in fragments4(udp(MESSAGE), 64)]
    (event,) = joined([begin], rest)
    assert isinstance(event, Datagram)
    assert (event.octets, event.capture, event.id) == (MESSAGE, "2", f"packet-{len(rest)}")
    assert joined([push(MESSAGE, 1e9)], [push(MESSAGE, 1e9 + 0.1)])[1:] == [
        UnreadTraffic(joined([push(MESSAGE, 1e9)] * 2)[1].counts, "2")  # type: ignore[union-attr]
    ]


def unanswered(event: PacketEvent) -> bool:
    return isinstance(event, Exchange) and event.response is None and event.unknown("response.status") is not None


@pytest.mark.parametrize(
    ("later", "ahead"),
    [
        pytest.param(-3600, 0, id="that-is-older"),
        pytest.param(-2, 0, id="of-the-same-time"),
        pytest.param(3600, 50_000_000, id="with-other-sequence-numbers"),
        pytest.param(3600, -50_000_000, id="with-other-sequence-numbers-before"),
    ],
)
def test_another_capture_with_the_same_addresses_and_ports_is_another_connection(later: float, ahead: int) -> None:
    first = Wire().open().message(0, ASKED)
    second = Wire(at=first.time + later)
    second.sent = [(each + ahead) & 0xFFFFFFFF for each in first.sent]
    second.exchange(EXCHANGE)
    one, two = (each for each in joined(first.records, second.records) if not isinstance(each, SkippedFlows))
    assert isinstance(one, Exchange)
    assert isinstance(two, Exchange)
    assert unanswered(one)
    assert (one.capture, two.capture) == ("1", "2")
    assert (two.response, two.gaps) == (EXCHANGE.response, ())
    assert one.connection != two.connection


def test_a_connection_that_is_not_read_counts_once() -> None:
    wire = Wire().open().message(0, TLS + bytes(900)).message(1, TLS + bytes(900))
    begun = len(wire.records)
    wire.message(1, bytes(5_000_000), 50_000).message(1, TLS + bytes(900)).close()
    assert joined(wire.records[:begun], wire.records[-6:]) == [UnreadTraffic(read(wire.records)[0].counts, "2")]  # type: ignore[union-attr]


def test_a_link_type_that_cannot_be_read_is_told_of_each_file() -> None:
    reader, found = PacketReader(), list[PacketEvent]()
    for name in ("1", "2"):
        found += reader.events(io.BytesIO(pcap(WHOLE[:3], 147)).read, name)
    reason = "3 packets have link type 147, which cannot be read"
    assert found == [DamagedEvent(reason, capture="1"), DamagedEvent(reason, capture="2")]


def split(folder: Path) -> list[Path]:
    """Write a capture in twelve parts as tcpdump -C names them."""
    records = [
        record
        for number in range(12)
        for record in Wire(f"192.0.2.{number + 1}:40000", at=1e9 + number).open().exchange(CLEAN, 200).close().records
    ]
    size = len(records) // 12 + 1
    paths = [folder / f"live.pcap{number or ''}" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(pcap(records[number * size : (number + 1) * size]))
    (folder / "all").mkdir()
    (folder / "all" / "live.pcap").write_bytes(pcap(records))
    return paths


def test_a_folder_of_parts_is_checked_like_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = split(tmp_path)
    pattern = str(tmp_path / "live.pcap*")
    assert [each.name for each in inputs([pattern])] == [str(part) for part in parts]
    whole = run("check", tmp_path / "all").stdout.splitlines()
    found = run("check", pattern)
    assert found.returncode == 0
    assert lines(found.stdout)[-2:] == [line.decode() for line in whole[-2:]]
    assert found.stdout.count(b"clean") == sum(line.count(b"clean") for line in whole)
    assert len(both(monkeypatch, named(*parts))) >= 12


def test_what_is_open_when_a_file_of_another_kind_comes_is_reported_before_it(tmp_path: Path) -> None:
    packets, flows = tmp_path / "a.pcap", tmp_path / "b.flow"
    packets.write_bytes(pcap(Wire().open().message(0, ASKED).message(1, ANSWERED[:-50]).records))
    flows.write_bytes((Path(__file__).parents[2] / "flows" / "mbs.flow").read_bytes())
    done = run("check", packets, flows)
    headings = [line for line in lines(done.stdout) if line in (f"{packets}:", f"{flows}:")]
    assert headings == [f"{packets}:", f"{flows}:"]
