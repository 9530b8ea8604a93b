"""Segments give what each side sent, in order, or say where a hole is, whatever happened to them on their way."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.packets import Network, Packet, PacketTime, TcpBounds, TcpConnection, TcpConnections, TcpSegment
from ltkm_inspect.packets.streams import OVERHEAD
from ltkm_inspect.packets.tcp import DROPPED, ENDED, FINISHED, PATIENCE, RESET, REUSED
from tests.packets.build import ACK, BSM, FIN, PSH, RST, SYN, TCP, TERMINAL, ipv4, tcp

REQUEST, RESPONSE = b"GET /abcdefghij", b"HTTP/1.1 200 OK and so on"
type Event = tuple[int, bytes | int | str]
"""A side, and what it gave: octets, the length of a hole, or a word."""


@dataclass
class Log:
    """Writes down what is read of a connection."""

    connection: TcpConnection
    events: list[Event] = field(default_factory=list)
    reason: str = ""
    packets: list[int] = field(default_factory=list)

    def data(self, side: int, octets: bytes, moment: PacketTime) -> None:
        self.events.append((side, octets))
        self.packets.append(moment.number)
        if octets.startswith(b"\x16\x03\x01"):
            self.connection.ignore()

    def hole(self, side: int, length: int, moment: PacketTime) -> None:
        assert length > 0
        self.events.append((side, length))

    def conflict(self, side: int, length: int, moment: PacketTime) -> None:
        self.events.append((side, f"conflict {length}"))

    def finished(self, side: int, moment: PacketTime) -> None:
        self.events.append((side, "finished"))

    def closed(self, reason: str, moment: PacketTime | None) -> None:
        assert not self.reason
        self.reason = reason

    def sent(self, side: int) -> list[bytes | int | str]:
        """Return what a side gave, with octets that follow each other in one piece."""
        found: list[bytes | int | str] = []
        for each, what in self.events:
            if each != side:
                continue
            last = found[-1] if found else None
            if type(what) is type(last) and not isinstance(what, str):
                found[-1] = last + what  # type: ignore[operator]
            else:
                found.append(what)
        return found


def begins(data: bytes) -> int | None:
    return 0 if data.startswith(b"GET ") else 1 if data.startswith(b"HTTP/") else None


@dataclass
class Run:
    """The connections of a capture, and what is read of each."""

    bounds: TcpBounds = field(default_factory=TcpBounds)
    logs: list[Log] = field(default_factory=list)
    number: int = 0
    time: float | None = 100.0

    def __post_init__(self) -> None:
        self.network = Network()
        self.connections = TcpConnections(begins, self.log, self.bounds)

    def log(self, connection: TcpConnection, _: PacketTime) -> Log:
        self.logs.append(Log(connection))
        return self.logs[-1]

    def take(self, *segments: bytes, cut: int = 0) -> "Run":
        """Take IP packets, whose ends may be missing."""
        for each in segments:
            self.number += 1
            found = self.network.take(Packet(101, each[: len(each) - cut]))
            assert isinstance(found, TcpSegment)
            self.connections.take(found, PacketTime(self.number, self.time))
        return self

    def finish(self) -> "Run":
        self.connections.finish()
        assert not len(self.connections)
        assert self.connections.size == 0
        return self


ISN, ISN2 = 0xFFFFFFFF - 20, 7  # the numbers of the terminal begin again within the request


def up(data: bytes = b"", at: int = 0, flags: int = ACK, got: int = 0, port: int = 40000) -> bytes:
    """Return a packet of the terminal, with octets of its stream from a position on, that acknowledges so many."""
    return ipv4(tcp(data, ISN + 1 + at, ISN2 + 1 + got, flags, (port, 80)), TCP, (TERMINAL, BSM))


def down(data: bytes = b"", at: int = 0, flags: int = ACK, got: int = 0, port: int = 40000) -> bytes:
    """Return a packet of the BSM."""
    return ipv4(tcp(data, ISN2 + 1 + at, ISN + 1 + got, flags, (80, port)), TCP, (BSM, TERMINAL))


def opening(port: int = 40000) -> list[bytes]:
    return [up(at=-1, flags=SYN, port=port), down(at=-1, flags=SYN | ACK, port=port), up(port=port)]


def closing(sent: int, came: int) -> list[bytes]:
    return [
        up(at=sent, flags=FIN | ACK, got=came),
        down(at=came, flags=FIN | ACK, got=sent + 1),
        up(at=sent + 1, got=came + 1),
    ]


WHOLE = [
    *opening(),
    up(REQUEST, flags=PSH | ACK),
    down(RESPONSE, got=len(REQUEST)),
    *closing(len(REQUEST), len(RESPONSE)),
]


def test_a_connection_gives_what_both_sides_sent_in_order_and_who_opened_it() -> None:
    (log,) = Run().take(*WHOLE).logs
    assert log.events == [(0, REQUEST), (1, RESPONSE), (0, "finished"), (1, "finished")]
    assert (log.reason, log.packets) == (FINISHED, [4, 5])
    assert log.connection.has_beginning


@pytest.mark.parametrize("lost", [{0}, {1}, {2}, {0, 2}, {1, 2}, {0, 1, 2}])
def test_a_handshake_that_was_not_captured_changes_nothing(lost: set[int]) -> None:
    (log,) = Run().take(*(each for index, each in enumerate(WHOLE) if index not in lost)).logs
    assert log.events == [(0, REQUEST), (1, RESPONSE), (0, "finished"), (1, "finished")]
    assert log.connection.has_beginning == (lost < {0, 1, 2} and not {0, 1} <= lost)


def test_a_connection_is_picked_up_where_reading_may_begin() -> None:
    run = Run().take(up(b"rest of an upload", 500), down(b"rest of a page", 900), up(at=600), up(at=700, flags=FIN))
    assert not run.logs
    run.take(down(b"HTTP/1.1 404", 914, got=517), up(REQUEST, 517, got=926), down(RESPONSE, 926))
    (log,) = run.logs
    assert log.events == [(1, b"HTTP/1.1 404"), (0, REQUEST), (1, RESPONSE)]


def test_segments_out_of_order_and_repeated_give_each_octet_once() -> None:
    parts = [down(RESPONSE[at : at + 5], at, got=15) for at in (5, 10, 5, 0, 20, 10, 15, 0)]
    (log,) = Run().take(*WHOLE[:4], *parts, *WHOLE[5:]).logs
    assert log.sent(1) == [RESPONSE, "finished"]


def test_octets_know_the_packet_they_came_in() -> None:
    (log,) = Run().take(*opening(), up(REQUEST), down(RESPONSE[5:], 5), down(RESPONSE[:5])).logs
    assert log.packets == [4, 6, 5]


def test_a_hole_is_said_where_it_is_once_the_other_side_has_waited_in_vain() -> None:
    run = Run().take(*opening(), up(REQUEST), down(RESPONSE[:5]), down(RESPONSE[9:], 9))
    (log,) = run.logs
    run.take(up(at=15, got=5))
    run.time = 200.0
    run.take(up(at=15, got=5), up(at=15, got=len(RESPONSE)))
    assert log.sent(1) == [RESPONSE[:5]]
    run.time = 200.0 + PATIENCE / 2
    run.take(up(at=15, got=len(RESPONSE)))
    assert log.sent(1) == [RESPONSE[:5]]
    run.time = 200.1 + PATIENCE
    run.take(up(at=-1, flags=SYN, port=9))
    assert log.sent(1) == [RESPONSE[:5], 4, RESPONSE[9:]]
    run.take(down(RESPONSE[5:9], 5))
    assert log.sent(1) == [RESPONSE[:5], 4, RESPONSE[9:]]


def test_a_packet_that_is_captured_late_is_no_hole() -> None:
    run = Run().take(*opening(), down(RESPONSE[:5]), down(RESPONSE[9:], 9), up(got=len(RESPONSE)))
    (log,) = run.take(down(RESPONSE[5:9], 5)).logs
    run.time = 300.0
    run.take(up(got=len(RESPONSE)), up(got=len(RESPONSE)))
    assert log.sent(1) == [RESPONSE]


def test_without_times_packets_are_counted_instead() -> None:
    run = Run(time=None).take(*opening(), down(RESPONSE[9:], 9), *[up(got=len(RESPONSE))] * 1002)
    assert run.logs[0].sent(1) == [9, RESPONSE[9:]]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        pytest.param([up(at=15, flags=RST)], RESET, id="reset"),
        pytest.param([down(at=25, flags=RST | ACK, got=15)], RESET, id="reset-by-the-BSM"),
        pytest.param([], ENDED, id="end-of-capture"),
        pytest.param(closing(15, 25), FINISHED, id="FIN"),
        pytest.param([ipv4(tcp(b"", 5000, 0, SYN), TCP, (TERMINAL, BSM))], REUSED, id="reused"),
    ],
)
def test_at_the_end_of_a_connection_what_waits_is_given_with_its_holes(last: list[bytes], reason: str) -> None:
    run = Run().take(*opening(), up(REQUEST), down(RESPONSE[5:10], 5), down(RESPONSE[20:], 20), *last).finish()
    log = run.logs[0]
    finished = ["finished"] if reason == FINISHED else []
    assert log.sent(1) == [5, RESPONSE[5:10], 10, RESPONSE[20:], *finished]
    assert log.reason == reason


def test_what_only_the_other_side_got_at_last_is_a_hole() -> None:
    run = Run().take(*opening(), up(REQUEST), down(RESPONSE[:5]), up(at=15, got=len(RESPONSE))).finish()
    assert run.logs[0].sent(1) == [RESPONSE[:5], 20]


def test_a_fin_that_was_not_captured_is_no_hole() -> None:
    run = Run().take(*opening(), up(REQUEST), down(RESPONSE), up(at=15, got=26), up(at=15, flags=FIN, got=26)).finish()
    assert run.logs[0].sent(1) == [RESPONSE]


def test_ends_that_are_used_again_are_another_connection() -> None:
    again = [
        ipv4(tcp(b"", 90_000, 0, SYN), TCP, (TERMINAL, BSM)),
        ipv4(tcp(b"", 70_000, 90_001, SYN | ACK, (80, 40000)), TCP, (BSM, TERMINAL)),
        ipv4(tcp(b"GET /2", 90_001, 70_001), TCP, (TERMINAL, BSM)),
    ]
    for first in (WHOLE, WHOLE[:-3]):
        one, two = Run().take(*first, *again).logs
        assert one.sent(0)[0] == REQUEST
        assert one.reason == (FINISHED if first is WHOLE else REUSED)
        assert two.events == [(0, b"GET /2")]


def test_ends_that_are_used_again_without_a_captured_syn_are_another_connection() -> None:
    one, two = Run().take(*WHOLE, ipv4(tcp(b"GET /2", 0x70000000, 9), TCP, (TERMINAL, BSM))).logs
    assert one.sent(0) == [REQUEST, "finished"]
    assert two.events == [(0, b"GET /2")]


def test_ends_that_are_used_again_far_away_are_another_connection_though_neither_end_nor_syn_was_captured() -> None:
    for far in (1 << 25, 1 << 30, 1 << 31, -1 << 25):
        again = [up(b"GET /2", far, got=9 * far), down(b"HTTP/2", 9 * far, got=far + 6)]
        one, two = Run().take(*WHOLE[3:5], *again).finish().logs
        assert (one.events, one.reason) == ([(0, REQUEST), (1, RESPONSE)], REUSED)
        assert two.events == [(0, b"GET /2"), (1, b"HTTP/2")]


def test_a_syn_with_the_same_number_opens_another_connection_once_the_other_side_has_sent_data() -> None:
    run = Run().take(*WHOLE[:5], WHOLE[0])
    assert len(run.logs) == 1
    run.time = 101.0 + PATIENCE
    one, two = run.take(*WHOLE[:5]).logs
    assert one.reason == REUSED
    assert two.events == one.events == [(0, REQUEST), (1, RESPONSE)]


def test_octets_that_were_captured_before_the_syn_are_of_the_same_connection() -> None:
    for order in ((3, 0, 1, 2), (3, 1, 0, 2), (1, 0, 3, 2), (3, 4, 1, 0, 2)):
        rest = [each for number, each in enumerate(WHOLE) if number not in order]
        (log,) = Run().take(*(WHOLE[number] for number in order), *rest).logs
        assert log.events == [(0, REQUEST), (1, RESPONSE), (0, "finished"), (1, "finished")]
        assert log.connection.has_beginning


def test_a_reset_that_the_receiver_ignores_ends_nothing() -> None:
    for at in (1 << 25, -1 << 25, 1 << 31):
        (log,) = Run().take(*WHOLE[:4], down(at=at, flags=RST), *WHOLE[4:]).logs
        assert (log.sent(1), log.reason) == ([RESPONSE, "finished"], FINISHED)


def test_what_was_sent_before_a_reset_may_be_captured_behind_it() -> None:
    reset = up(at=15, flags=RST | ACK, got=25)
    (log,) = Run().take(*WHOLE[:4], reset, *WHOLE[4:5]).logs
    assert (log.sent(1), log.reason) == ([RESPONSE], RESET)
    run = Run().take(*WHOLE[:4], reset)
    assert not run.logs[0].reason
    run.time = 101.0 + PATIENCE
    run.take(*opening(7))
    assert (run.logs[0].sent(1), run.logs[0].reason) == ([25], RESET)


def test_segments_repeated_after_the_end_begin_nothing() -> None:
    run = Run().take(*WHOLE, *WHOLE[3:])
    assert len(run.logs) == 1
    assert len(run.connections) == 0
    run.take(*WHOLE[:5])
    assert len(run.logs) == 2


def test_keep_alives_and_probes_are_no_data_and_no_conflict() -> None:
    probes = [up(at=14, got=25), up(b"\0", 14, got=25), down(b"?", 24, got=15), down(at=24, got=15)]
    (log,) = Run().take(*WHOLE[:5], *probes, *WHOLE[5:]).logs
    assert log.events == [(0, REQUEST), (1, RESPONSE), (0, "finished"), (1, "finished")]


def test_of_octets_that_overlap_the_first_count_and_the_difference_is_said() -> None:
    late = [down(b"xxxx", 8), down(b"yyyyyyyy", 6), down(RESPONSE[:6]), down(b"HTTP/2", 0), down(RESPONSE[14:], 14)]
    (log,) = Run().take(*opening(), *late).logs
    assert log.sent(1) == ["conflict 4", RESPONSE[:6] + b"yyxxxxyy", "conflict 1", RESPONSE[14:]]


def test_a_segment_that_was_cut_is_a_hole_at_once_and_a_repetition_comes_too_late() -> None:
    run = Run().take(*opening(), up(REQUEST)).take(down(RESPONSE), cut=10)
    assert run.logs[0].sent(1) == [RESPONSE[:-10], 10]
    run.take(down(RESPONSE), down(b"more", len(RESPONSE)))
    assert run.logs[0].sent(1) == [RESPONSE[:-10], 10, b"more"]
    run = Run().take(*opening()).take(down(RESPONSE[10:], 10), cut=3).take(down(RESPONSE[:10])).finish()
    assert run.logs[0].sent(1) == [RESPONSE[:-3]]


def test_data_in_the_syn_is_data() -> None:
    (log,) = Run().take(up(REQUEST[:4], -1, SYN), down(at=-1, flags=SYN | ACK, got=4), up(REQUEST[4:], 4)).logs
    assert log.sent(0) == [REQUEST]


def test_a_number_that_no_window_reaches_is_not_of_the_connection() -> None:
    (log,) = Run().take(*opening(), up(b"far", 1 << 30), up(got=1 << 30), up(REQUEST)).finish().logs
    assert log.events == [(0, REQUEST)]


def test_what_nobody_wants_to_read_is_not_kept() -> None:
    run = Run().take(*opening(), down(b"later", 5), up(b"\x16\3\1"), up(b"x" * 100, 103), down(b"tls" * 100))
    assert run.logs[0].events == [(0, b"\x16\3\1")]
    assert run.connections.size == 0
    run.take(up(at=203, flags=FIN | ACK), down(at=300, flags=FIN | ACK))
    assert (len(run.connections), run.logs[0].reason) == (0, "")


def test_open_connections_are_bounded_and_the_quietest_is_given_up() -> None:
    run = Run(TcpBounds(connections=10))
    for port in range(1, 1001):
        run.take(*opening(port), up(REQUEST, port=port))
        if port > 1:
            run.take(up(b"more", 15 if port == 2 else 15 + 4 * (port - 2), port=1))
    assert len(run.connections) == 10
    assert run.connections.dropped == 990
    assert not run.logs[0].reason
    assert run.logs[1].reason == DROPPED
    assert len(run.logs) == 1000
    run.take(up(REQUEST, 15, port=2))
    assert run.logs[-1].events == [(0, REQUEST)]


def test_what_waits_is_bounded_for_each_stream_and_in_all() -> None:
    run = Run(TcpBounds(stream=10 * OVERHEAD)).take(*opening())
    for number in range(100):
        run.take(down(b"x", 2 * number + 1))
        assert run.connections.size < 11 * OVERHEAD
    assert run.connections.given_up == 91
    assert run.logs[0].sent(1)[:2] == [1, b"x"]
    run = Run(TcpBounds(total=10 * OVERHEAD))
    for port in range(1, 101):
        run.take(*opening(port), down(b"x", 1, port=port))
        assert run.connections.size < 11 * OVERHEAD
    assert run.connections.given_up == 91
    run.finish()
    assert all(log.sent(1) == [1, b"x"] for log in run.logs)


def test_closed_connections_and_gaps_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltkm_inspect.packets.tcp._REMEMBERED", 5)
    run = Run(TcpBounds(connections=5))
    for port in range(1, 101):
        run.take(*opening(port), down(b"x", 1, port=port), up(got=3, port=port), up(at=0, flags=RST, port=port))
    assert len(run.connections._streams) == 2 * (5 + 5)
    assert len(run.connections._late) <= 6


PIECES = st.lists(st.integers(0, 60), max_size=12)


def cut(octets: bytes, places: Iterable[int]) -> list[tuple[int, bytes]]:
    """Return octets in pieces, with the place of each, that are cut at these places."""
    ends = sorted({0, len(octets), *(place for place in places if place < len(octets))})
    return [(start, octets[start:end]) for start, end in pairwise(ends)]


@given(st.data())
def test_any_order_any_repetition_and_any_cut_gives_the_stream_or_says_where_the_hole_is(data: st.DataObject) -> None:
    octets = data.draw(st.binary(min_size=1, max_size=60))
    pieces = [piece for _ in range(data.draw(st.integers(1, 3))) for piece in cut(octets, data.draw(PIECES))]
    sent = data.draw(st.permutations(pieces))
    lost = data.draw(st.lists(st.sampled_from(sent), max_size=4))
    kept = [piece for piece in sent if piece not in lost]
    run = Run().take(*opening(), *(down(part, at) for at, part in kept))
    run.take(up(got=len(octets)), *data.draw(st.sampled_from([[], closing(0, len(octets)), [up(flags=RST)]]))).finish()
    (log,) = run.logs
    there = bytearray(len(octets))
    for at, part in kept:
        there[at : at + len(part)] = b"\1" * len(part)
    expected: list[bytes | int | str] = []
    for index, is_there in enumerate(there):
        if is_there:
            part = octets[index : index + 1]
            if expected and isinstance(expected[-1], bytes):
                expected[-1] += part
            else:
                expected.append(part)
        elif expected and isinstance(expected[-1], int):
            expected[-1] += 1
        else:
            expected.append(1)
    found = [each for each in log.sent(1) if each != "finished"]
    if log.reason != FINISHED and expected[-1:] == [1]:
        expected.pop()  # one octet that was acknowledged may be the end of the stream
    assert found == expected


@given(st.data())
def test_however_segments_disagree_every_octet_is_of_one_that_was_sent(data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.tuples(st.integers(0, 30), st.binary(min_size=1, max_size=20)), max_size=15))
    run = Run().take(*opening(), *(down(part, at) for at, part in parts)).finish()
    at = 0
    for each in run.logs[0].sent(1):
        if isinstance(each, str):
            continue
        if isinstance(each, bytes):
            for index, octet in enumerate(each, at):
                assert any(start <= index < start + len(part) and part[index - start] == octet for start, part in parts)
        at += each if isinstance(each, int) else len(each)
    assert at == max((start + len(part) for start, part in parts), default=0)


@given(st.lists(st.tuples(st.booleans(), st.integers(-40, 40), st.integers(0, 63), st.integers(-40, 40)), max_size=40))
def test_no_segments_make_it_fail(sent: list[tuple[bool, int, int, int]]) -> None:
    run = Run(TcpBounds(connections=2, stream=3000, total=5000))
    for number, (is_up, at, flags, got) in enumerate(sent):
        data = REQUEST[: at % 16] if is_up else RESPONSE[: at % 26]
        run.time = 100.0 + got
        run.take((up if is_up else down)(data, at, flags, got, 40000 + number % 3))
    run.finish()
