"""Which row of the log is which delivery in the captures: by what tells deliveries apart, and by the time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ltkm_inspect.matching.clock import ClockPair, LogClock, estimated
from ltkm_inspect.matching.deliveries import CapturedDelivery, Deliveries, Subject
from ltkm_inspect.matching.log import BsmLog

_NAME, _REALM, _DOMAIN, _MSK, _TS = (1 << bit for bit in range(5))
"""What may be known of a delivery, as bits: the parts of its subject in their order, and TS."""
_TELLING = (_NAME, _MSK, _TS)
"""What tells deliveries apart; the others only say more of the same."""

type Key = tuple[object, ...]


class RowGroup(NamedTuple):
    """The rows and the deliveries that agree in all that both say."""

    rows: list[int]
    deliveries: list[int]
    is_full: bool
    """They agree in all that the log says."""


class Near(NamedTuple):
    """Something of the other side that is the same, but not at that time."""

    other: int
    """The index of the row or delivery."""
    is_paired: bool
    """It has its partner already, so this one repeats it."""
    apart: float
    """How many seconds later the log has it than it should; 0 if that is not known."""


@dataclass(slots=True)
class LogMatch:
    """The log and the captures, row by row and delivery by delivery."""

    log: BsmLog
    deliveries: Deliveries
    window: float
    clock: LogClock = field(default_factory=LogClock)
    row_of: dict[int, int] = field(default_factory=dict)
    """The row of each delivery that has one."""
    taken: bytearray = field(default_factory=bytearray)
    """1 for each row that is a delivery in the captures."""
    repeated: dict[int, int] = field(default_factory=dict)
    """Datagrams that were sent again, and have no row of their own, with the first delivery of the same message."""
    near_rows: dict[int, Near] = field(default_factory=dict)
    """What rows without a delivery are all the same as, but for the time."""
    near_deliveries: dict[int, Near] = field(default_factory=dict)
    """What deliveries without a row are all the same as, but for the time."""

    @classmethod
    def of(cls, log: BsmLog, deliveries: Deliveries, window: float) -> "LogMatch":
        """Pair rows with deliveries: all that both say is the same, and the times are at most the window apart."""
        match = cls(log, deliveries, window, taken=bytearray(len(log.lines)))
        groups = [*_groups(log, deliveries.found)]
        match.clock = match._clock(groups)
        for group in groups:
            match._pair(group)
        for group in groups:
            match._note(group)
        return match

    @property
    def only_rows(self) -> Iterator[int]:
        """The rows that no capture has."""
        return (row for row, taken in enumerate(self.taken) if not taken)

    @property
    def only_deliveries(self) -> Iterator[int]:
        """The deliveries that the log lacks. A solicited pull delivers no key, so the log need not have it."""
        for number, delivery in enumerate(self.deliveries.found):
            if not (number in self.row_of or number in self.repeated or delivery.is_pull):
                yield number

    def _clock(self, groups: Sequence[RowGroup]) -> LogClock:
        full = [group for group in groups if group.is_full]
        for by_order in (False, True):
            found = [
                group
                for group in full
                if len(group.rows) == len(group.deliveries) and (by_order or len(group.rows) == 1)
            ]
            pairs = [pair for group in found for pair in self._in_order(group)]
            if pairs:
                return estimated(pairs, self.window, by_order=by_order)
        return LogClock()

    def _in_order(self, group: RowGroup) -> Iterator[ClockPair]:
        moments = [moment for each in group.deliveries if (moment := self.deliveries.found[each].at) is not None]
        if len(moments) == len(group.rows):
            for at, time in zip(sorted(moments), sorted(self.log.times[row] for row in group.rows), strict=True):
                yield ClockPair(at, time - at)

    def _expected(self, delivery: int) -> float | None:
        """Return when the log should have a delivery, by its own clock; None if the capture has no times."""
        at = self.deliveries.found[delivery].at
        return None if at is None else self.clock.of_capture(at)

    def _pair(self, group: RowGroup) -> None:
        for offset, begin, end in self.clock.spans():
            expected = []
            for each in group.deliveries:
                at = self.deliveries.found[each].at
                if at is not None and begin <= at <= end and each not in self.row_of:
                    expected.append((at + offset.at(at), each))
            self._pair_in_time(group.rows, sorted(expected))
        # the others have no time, or it is not known what that is by the clock of the log
        others = [each for each in group.deliveries if each not in self.row_of]
        untimed = (
            others if not self.clock.offsets else [each for each in others if self.deliveries.found[each].at is None]
        )
        free = (row for row in group.rows if not self.taken[row])
        for delivery, row in zip(untimed, [*free], strict=False):
            self._take(row, delivery)

    def _pair_in_time(self, rows: Sequence[int], expected: Sequence[tuple[float, int]]) -> None:
        """Pair rows with deliveries that are expected at a time by the clock of the log, both in that order."""
        free = sorted((row for row in rows if not self.taken[row]), key=self.log.times.__getitem__)
        at_row = at_delivery = 0
        while at_row < len(free) and at_delivery < len(expected):
            row, (moment, delivery) = free[at_row], expected[at_delivery]
            gap = self.log.times[row] - moment
            if abs(gap) <= self.window:
                self._take(row, delivery)
            at_row += gap <= self.window
            at_delivery += gap >= -self.window

    def _take(self, row: int, delivery: int) -> None:
        self.row_of[delivery] = row
        self.taken[row] = 1

    def _note(self, group: RowGroup) -> None:
        """Remember what is the same as something without a partner, but for the time."""
        rows = [row for row in group.rows if not self.taken[row]]
        deliveries = [each for each in group.deliveries if each not in self.row_of]
        if group.is_full and rows:
            for row in rows:
                others = deliveries or group.deliveries
                self.near_rows[row] = min((self._near(row, each) for each in others), key=_distance)
        if deliveries:
            paired = [each for each in group.deliveries if each in self.row_of]
            for delivery in deliveries:
                original = next((each for each in paired if self._repeats(delivery, each)), None)
                if original is not None:
                    self.repeated[delivery] = original
                elif group.is_full:
                    near = (self._near(row, delivery)._replace(other=row) for row in rows or group.rows)
                    self.near_deliveries[delivery] = min(near, key=_distance)._replace(is_paired=not rows)

    def _repeats(self, delivery: int, earlier: int) -> bool:
        """Tell whether a datagram is the same message as another one, sent again within the window."""
        this, other = self.deliveries.found[delivery], self.deliveries.found[earlier]
        is_near = this.at is None or other.at is None or abs(this.at - other.at) <= self.window
        return this.is_datagram and this.digest == other.digest and is_near

    def _near(self, row: int, delivery: int) -> Near:
        expected = self._expected(delivery)
        apart = 0.0 if expected is None else self.log.times[row] - expected
        return Near(delivery, delivery in self.row_of, apart)


def _distance(near: Near) -> float:
    return abs(near.apart)


def _groups(log: BsmLog, deliveries: Sequence[CapturedDelivery]) -> Iterator[RowGroup]:
    """Yield the groups of rows and deliveries: those that agree in most come first.

    A row and a delivery that differ in what both say are never in one group.
    """
    of_log = _TS if "ts" in log.columns else 0
    row_masks = [_known(each) | of_log for each in log.known_subjects]
    delivery_masks = [_known(each.subject) | (_TS if each.ts is not None else 0) for each in deliveries]
    full = 0
    for mask in {*row_masks}:
        full |= mask
    least = min(2, sum(bool(full & bit) for bit in _TELLING))
    combined = {(row, delivery): row & delivery for row in {*row_masks} for delivery in {*delivery_masks}}
    for (row_mask, delivery_mask), mask in sorted(combined.items(), key=lambda each: -each[1].bit_count()):
        if sum(bool(mask & bit) for bit in _TELLING) < least:
            continue
        wanted: dict[Key, RowGroup] = {}
        is_full = mask & (_NAME | _MSK | _TS) == full & (_NAME | _MSK | _TS)
        for number, delivery in enumerate(deliveries):
            if delivery_masks[number] == delivery_mask:
                ts = delivery.seconds if log.readings.compares_seconds else delivery.ts
                key = (*_projected(delivery.subject, mask), ts if mask & _TS else None)
                wanted.setdefault(key, RowGroup([], [], is_full)).deliveries.append(number)
        _add_rows(log, [each == row_mask for each in row_masks], mask, wanted)
        yield from (group for group in wanted.values() if group.rows)


def _add_rows(log: BsmLog, counts: Sequence[bool], mask: int, wanted: dict[Key, RowGroup]) -> None:
    """Put the rows whose subjects count into the groups that they belong to."""
    subjects = {key[:-1] for key in wanted}
    projected = [
        key if counts[number] and (key := _projected(each, mask)) in subjects else None
        for number, each in enumerate(log.known_subjects)
    ]
    for row, (subject, ts) in enumerate(zip(log.subjects, log.values, strict=True)):
        start = projected[subject]
        if start is not None:
            group = wanted.get((*start, ts if mask & _TS else None))
            if group is not None:
                group.rows.append(row)


def _known(subject: Subject) -> int:
    return sum(1 << bit for bit, part in enumerate(subject) if part is not None)


def _projected(subject: Subject, mask: int) -> Key:
    return tuple([part if mask & 1 << bit else None for bit, part in enumerate(subject)])
