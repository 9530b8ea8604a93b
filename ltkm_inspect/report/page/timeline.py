"""The timeline: when each terminal had its exchanges, and their verdicts.

The time of the run is divided into slots, and a terminal has at most one mark per slot, which shows its worst exchange.
So a week of a thousand terminals is drawn as fast as an hour of three.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple

from ltkm_inspect.finding import UNCHECKED

VERDICTS = ("clean", "warning", "violation")
FAULTED = "faulted"
ORDER = (*reversed(VERDICTS), FAULTED, UNCHECKED)
"""The order of the verdicts in a bar: the worst first."""
OVER = {"http": "", "udp": ", over UDP"}
"""The end of the label of a mark, by the way of delivery."""
SLOTS = 120
MOST_TERMINALS = 500
"""How many terminals the timeline shows: those with the worst exchanges come first."""
MOST_MARKS = 20_000
"""How many marks the timeline may have in all."""
UNFOLDED = 20
"""How many terminals are shown before the list is unfolded."""
MOST_TICKS = 6
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
DAY = 86400


class Moment(NamedTuple):
    """An exchange in the timeline."""

    seconds: float
    terminal: int
    verdict: str
    """One of VERDICTS, or FAULTED."""
    number: int
    """Its number on the page; -1 if it is not on the page."""
    again: bool
    """The exchange with faults put in; the timeline already has it without them."""
    path: str = "http"
    """How it was delivered: `http` or `udp`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The exchanges of a terminal in one slot."""

    position: float
    """The middle of the slot, in percent of the width."""
    verdict: str
    number: int
    label: str
    path: str
    """`http` or `udp`: the two have different lanes and shapes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A terminal with its marks."""

    number: int
    name: str
    counts: Counter[str]
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Bar:
    """All exchanges of one slot: how many have each verdict, as a stack in percent of the height."""

    position: float
    label: str
    parts: list[tuple[str, float, float]]
    """For each part: its verdict, its distance from the top, and its height."""


@dataclass(slots=True)
class Timeline:
    """The exchanges of a run with their times."""

    moments: list[Moment] = field(default_factory=list)
    terminals: dict[str, int] = field(default_factory=dict)
    """The number of each terminal, by the name that is shown."""
    undated: int = 0
    """Exchanges without a time."""

    def terminal(self, name: str) -> int:
        """Return the number of a terminal, a new one for a new name."""
        return self.terminals.setdefault(name, len(self.terminals))

    def add(
        self, started: str | None, terminal: int, verdict: str, number: int, path: str = "http", *, again: bool
    ) -> None:
        """Add an exchange; `again` adds it with faults put in, after it was added without."""
        try:
            seconds = datetime.fromisoformat(started or "").replace(tzinfo=UTC).timestamp()
        except ValueError:
            self.undated += not again
        else:
            self.moments.append(Moment(seconds, terminal, verdict, number, again, path))

    @property
    def first(self) -> float:
        return min(moment.seconds for moment in self.moments)

    @property
    def last(self) -> float:
        return max(moment.seconds for moment in self.moments)

    @property
    def is_one_day(self) -> bool:
        """All exchanges were on one day (UTC), so labels do not repeat the day."""
        return not self.moments or int(self.first // DAY) == int(self.last // DAY)

    def drawn(self) -> "TimelineDrawing":
        """Return the drawing of the timeline."""
        return TimelineDrawing(self)


class TimelineDrawing:
    """A timeline as it is drawn: rows of marks, bars above them, and ticks with labels."""

    def __init__(self, timeline: Timeline) -> None:
        """Sort the exchanges into slots."""
        self._start, self._width = timeline.first, max(timeline.last - timeline.first, 1.0) * 1.0001
        self._one_day = timeline.is_one_day
        slots: dict[tuple[int, int, str], list[Moment]] = {}
        for moment in sorted(timeline.moments):
            slots.setdefault((moment.terminal, self._slot(moment.seconds), moment.path), []).append(moment)
        self.bars = list(self._bars(timeline.moments))
        self.ticks = list(self._ticks())
        rows = self._rows(timeline, slots)
        marks = list(accumulate(len(row.marks) for row in rows))
        self.rows = rows[: min(MOST_TERMINALS, bisect_right(marks, MOST_MARKS))]
        self.unfolded = UNFOLDED if len(self.rows) > UNFOLDED + 5 else len(self.rows)
        self.left_out = len(rows) - len(self.rows)

    def _slot(self, seconds: float) -> int:
        return int((seconds - self._start) / self._width * SLOTS)

    def _rows(self, timeline: Timeline, slots: dict[tuple[int, int, str], list[Moment]]) -> list[Row]:
        rows = {number: Row(number, name, Counter(), []) for name, number in timeline.terminals.items()}
        for (terminal, slot, _), moments in sorted(slots.items()):
            row = rows[terminal]
            row.counts.update(moment.verdict for moment in moments)
            row.marks.append(self._mark(slot, moments))
        return sorted(
            (row for row in rows.values() if row.marks),
            key=lambda row: (*(-row.counts[verdict] for verdict in ORDER[:2]), row.number),
        )

    def _mark(self, slot: int, moments: list[Moment]) -> Mark:
        worst = max(moments, key=lambda moment: (_rank(moment.verdict), moment.number >= 0))
        label = self._clock(worst.seconds)
        if len(moments) == 1:
            label += f": {worst.verdict}{OVER[worst.path]}"
        else:
            counted = _counted(Counter(moment.verdict for moment in moments))
            label = (
                f"{self._clock(moments[0].seconds)} to {self._clock(moments[-1].seconds)}: {counted}{OVER[worst.path]}"
            )
        if worst.number < 0:
            label += " (not on this page)"
        return Mark(_percent(slot), worst.verdict, worst.number, label, worst.path)

    def _bars(self, moments: list[Moment]) -> Iterator[Bar]:
        slots: dict[int, Counter[str]] = {}
        for moment in moments:
            if not moment.again:
                slots.setdefault(self._slot(moment.seconds), Counter())[moment.verdict] += 1
        highest = max((slot.total() for slot in slots.values()), default=1)
        for slot, counted in sorted(slots.items()):
            parts, below = [], 0.0
            for verdict in ORDER:
                if counted[verdict]:
                    height = 100 * counted[verdict] / highest
                    parts.append((verdict, round(100 - below - height, 2), round(height, 2)))
                    below += height
            label = f"from {self._clock(self._start + slot * self._width / SLOTS)}: {_counted(counted)}"
            yield Bar(round(100 * slot / SLOTS, 2), label, parts)

    def _ticks(self) -> Iterator[tuple[float, str]]:
        days = -(-self._width // (MOST_TICKS * DAY)) * DAY
        step = next((step for step in _STEPS if self._width / step <= MOST_TICKS), days)
        at = -(-self._start // step) * step
        while at <= self._start + self._width:
            moment = datetime.fromtimestamp(at, UTC)
            form = "%-d %b" if step >= DAY else "%H:%M" if step >= 60 else "%H:%M:%S"
            if step < DAY and not self._one_day:
                form = f"%-d %b {form}"
            yield round(100 * (at - self._start) / self._width, 2), f"{moment:{form}}"
            at += step

    def _clock(self, seconds: float) -> str:
        form = "%H:%M:%S" if self._one_day else "%-d %b %H:%M:%S"
        return f"{datetime.fromtimestamp(seconds, UTC):{form}}"


def _rank(verdict: str) -> int:
    """Return how bad a verdict is; an exchange with faults ranks above a clean one, so that its mark is visible."""
    ranks = (UNCHECKED, VERDICTS[0], FAULTED, *VERDICTS[1:])
    return ranks.index(verdict) if verdict in ranks else -1


def _counted(verdicts: Counter[str]) -> str:
    return ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in ORDER if verdicts[verdict])


def _percent(slot: int) -> float:
    return round(100 * (slot + 0.5) / SLOTS, 2)
