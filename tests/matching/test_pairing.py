"""Which row is which delivery: each has one partner at most, and what could be paired is."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.matching import BsmLog, Deliveries, LogMatch, LogTable
from ltkm_inspect.matching.deliveries import CapturedDelivery, subject
from ltkm_inspect.matching.table import LogRow
from ltkm_inspect.matching.values import b_tid_of

START = 1_256_716_800.0
MSK = bytes.fromhex("24cb0001")
HEADERS = ["time", "b_tid", "msk", "ts"]

type Sent = tuple[float, str, int]
"""When, to whom, and with which TS."""


def delivery(sent: Sent, *, octets: bytes = b"", is_pull: bool = False) -> CapturedDelivery:
    at, b_tid, ts = sent
    who = subject(b_tid_of(b_tid), (b"\1\2\3", MSK))
    is_push = bool(octets)
    return CapturedDelivery(
        "a.flow", "1", f"id-{at:g}", None, 1, who, b_tid, ts, ts, START + at, octets, is_push, is_pull, ()
    )


def matched(rows: Sequence[Sent], found: Sequence[CapturedDelivery], window: float = 60) -> LogMatch:
    deliveries = Deliveries(found=[*found], events=len(found), first=START, last=START + 1000)
    cells = [[f"{START + at:.3f}", b_tid, MSK.hex(), str(ts)] for at, b_tid, ts in rows]
    table = LogTable("utf-8", ",", LogRow(1, HEADERS), iter([LogRow(2 + n, row) for n, row in enumerate(cells)]))
    log = BsmLog.read(table, deliveries, {}, "", shows_cells=True)
    return LogMatch.of(log, deliveries, window)


SENT = st.lists(st.tuples(st.integers(0, 300).map(float), st.sampled_from("ab"), st.integers(1, 2)), max_size=12)


@given(SENT, SENT, st.sampled_from([0.0, 10.0, 60.0]))
def test_each_has_one_partner_at_most_and_what_could_be_paired_is(
    rows: list[Sent], sent: list[Sent], window: float
) -> None:
    match = matched(rows, [*map(delivery, sent)], window)
    used = [*match.row_of.values()]
    assert len(used) == len(set(used)) == sum(match.taken)

    def fits(row: Sent, other: Sent) -> bool:
        same_time = abs(START + row[0] - match.clock.of_capture(START + other[0])) <= window + 1e-6
        return row[1:] == other[1:] and (same_time or len(match.clock.offsets) != 1)

    assert all(fits(rows[row], sent[other]) for other, row in match.row_of.items())
    if len(match.clock.offsets) == 1:
        left = [(rows[row], sent[other]) for row in match.only_rows for other in match.only_deliveries]
        narrower = [
            (row, other)
            for row, other in left
            if row[1:] == other[1:] and abs(START + row[0] - match.clock.of_capture(START + other[0])) < window - 1e-6
        ]
        assert narrower == []


def test_a_datagram_that_is_sent_again_needs_no_row_and_another_message_does() -> None:
    rows = [(0.0, "a", 1), (100.0, "a", 2)]
    found = [delivery((at, "a", 1), octets=b"same") for at in (0.0, 5.0, 500.0)]
    found += [delivery((100.0, "a", 2), octets=b"one"), delivery((101.0, "a", 2), octets=b"another")]
    match = matched(rows, found)
    assert match.repeated == {1: 0}, "500 s later is no repetition, but another delivery"
    assert [*match.only_deliveries] == [2, 4]
    assert {number: near.is_paired for number, near in match.near_deliveries.items()} == {2: True, 4: True}


def test_a_pull_that_the_log_does_not_have_is_no_difference() -> None:
    match = matched([(0.0, "a", 1)], [delivery((0.0, "a", 1)), delivery((9.0, "a", 2), is_pull=True)])
    assert [*match.only_deliveries] == []
    match = matched([(0.0, "a", 1), (9.0, "a", 2)], [delivery((0.0, "a", 1)), delivery((9.0, "a", 2), is_pull=True)])
    assert len(match.row_of) == 2


def test_a_message_that_cannot_be_read_is_paired_by_what_is_known_of_it() -> None:
    rows: list[Sent] = [(0.0, "a", 1), (100.0, "a", 2), (200.0, "b", 3)]
    unread = delivery((100.0, "a", 0))
    unread.ts = unread.seconds = None
    match = matched(rows, [delivery(rows[0]), unread, delivery(rows[2])])
    assert match.row_of == {0: 0, 1: 1, 2: 2}
