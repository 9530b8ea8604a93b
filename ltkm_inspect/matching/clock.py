"""How far the clock of the log is ahead of that of the captures, by deliveries that both have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from ltkm_inspect.wire import time_text

_FEW = 3
"""How many pairs in a row must agree on another offset before the clock counts as set."""
_RECENT = 5
"""How many of the latest pairs tell which offset the next one is to be compared with."""
_ENOUGH = 10
"""How many pairs a drift must rest on."""
_LEAST_DRIFT = 1.0
"""The least change of the offset, in seconds, that counts as a drift."""


class ClockPair(NamedTuple):
    """One delivery that both have."""

    at: float
    """When, by the clock of the capture, in seconds since 1970 UTC."""
    ahead: float
    """How many seconds later the log says that it was."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How far the clock of the log is ahead, from one moment on."""

    since: float
    """The first pair that it rests on, by the clock of the capture."""
    until: float
    """The last one."""
    ahead: float
    """Seconds at `since`; less than 0 if the log is behind."""
    drift: float
    """How many seconds per second the clock of the log gains; 0 if that cannot be told from 0."""
    spread: float
    """Half of the pairs are at most this many seconds from the offset."""
    pairs: int
    """How many pairs it rests on."""

    @property
    def plain(self) -> dict[str, Any]:
        """The offset as data for JSON."""
        ends = {"since": time_text(self.since), "until": time_text(self.until)}
        return {**ends, "ahead": self.ahead, "drift": self.drift, "spread": self.spread, "pairs": self.pairs}

    def at(self, moment: float) -> float:
        """Return how far the clock is ahead at a moment by the clock of the capture."""
        return self.ahead + self.drift * (moment - self.since)


@dataclass(frozen=True, slots=True)
class LogClock:
    """The clock of the log: one offset, or several if it was set."""

    offsets: tuple[ClockOffset, ...] = ()
    """In the order of time; empty if no delivery is in both."""
    by_order: bool = False
    """No pair is unambiguous: they are paired in the order of time."""

    def spans(self) -> Iterator[tuple[ClockOffset, float, float]]:
        """Yield each offset with the moments between which it may hold, by the clock of the captures.

        Between two offsets either may hold: when the clock was set is only known from the pairs around it.
        """
        for number, offset in enumerate(self.offsets):
            begin = self.offsets[number - 1].until if number else float("-inf")
            end = self.offsets[number + 1].since if number + 1 < len(self.offsets) else float("inf")
            yield offset, begin, end

    def of_capture(self, moment: float) -> float:
        """Return the time by the clock of the log of a moment by the clock of the captures."""
        held = [offset for offset, begin, _ in self.spans() if moment >= begin]
        return moment + held[-1].at(moment) if held else moment

    def of_log(self, moment: float) -> float:
        """Return the time by the clock of the capture of a moment by the clock of the log."""
        offset = next((each for each in reversed(self.offsets) if moment >= each.since + each.ahead), None)
        offset = offset or (self.offsets[0] if self.offsets else None)
        if offset is None:
            return moment
        return offset.since + (moment - offset.ahead - offset.since) / (1 + offset.drift)


def estimated(pairs: Sequence[ClockPair], window: float, *, by_order: bool = False) -> LogClock:
    """Return the clock that these pairs show. A pair or two that are further than the window from it do not count."""
    parts: list[list[ClockPair]] = [[]]
    others: list[ClockPair] = []
    for pair in sorted(pairs):
        part = parts[-1]
        if not part or abs(pair.ahead - _middle(part[-_RECENT:])) <= window:
            part.append(pair)
            others.clear()
            continue
        others = [each for each in others if abs(each.ahead - pair.ahead) <= window]
        others.append(pair)
        if len(others) == _FEW:
            if len(part) < _FEW:
                parts.pop()  # the first pairs were the odd ones
            parts.append(others)
            others = []
    if len(parts) == 1 and 2 * len(parts[0]) < len(pairs):
        center = _middle(pairs)
        parts = [[pair for pair in sorted(pairs) if abs(pair.ahead - center) <= window] or parts[0]]
    return LogClock(tuple(map(_offset, filter(None, parts))), by_order)


def _middle(pairs: Sequence[ClockPair]) -> float:
    return median([pair.ahead for pair in pairs])


def _offset(pairs: Sequence[ClockPair]) -> ClockOffset:
    since, until = pairs[0].at, pairs[-1].at
    third = len(pairs) // 3
    drift = 0.0
    if len(pairs) >= _ENOUGH and (gap := _center(pairs[-third:]) - _center(pairs[:third])) > 0:
        drift = (_middle(pairs[-third:]) - _middle(pairs[:third])) / gap
        rest = _spread(pairs, since, drift)[1]
        if abs(drift) * (until - since) < max(_LEAST_DRIFT, 4 * rest):
            drift = 0.0
    ahead, spread = _spread(pairs, since, drift)
    return ClockOffset(since, until, ahead, drift, spread, len(pairs))


def _center(pairs: Sequence[ClockPair]) -> float:
    return median([pair.at for pair in pairs])


def _spread(pairs: Sequence[ClockPair], since: float, drift: float) -> tuple[float, float]:
    """Return the offset at the beginning, and how far half of the pairs are from it at most, after a drift."""
    rests = [pair.ahead - drift * (pair.at - since) for pair in pairs]
    ahead = median(rests)
    return ahead, median([abs(rest - ahead) for rest in rests])
