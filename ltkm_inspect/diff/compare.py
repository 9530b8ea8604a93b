"""Two captures compared: findings that came and went, and fields that differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ltkm_inspect.diff.facts import EXCHANGE, Fact, Facts, Spot, facts, spots
from ltkm_inspect.diff.pairing import CapturedExchange, ExchangePair, paired, steps
from ltkm_inspect.finding import Finding, Level, Report
from ltkm_inspect.report.keys import NO_KEYS, Keys

type Kind = Literal["finding", "field", "exchange"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in both captures."""

    kind: Kind
    what: str
    """The id of the rule, the path of the field, or `exchange` for one that only one capture has."""
    spot: Spot = EXCHANGE
    a: str | None = None
    """What capture A says, safe to print; None where it has no such thing."""
    b: str | None = None
    level: Level | None = None
    """Of a finding."""

    @property
    def sign(self) -> str:
        """`+` for what only B has, `-` for what only A has, `~` for a field whose values differ."""
        return "~" if self.kind == "field" else "+" if self.a is None else "-"

    @property
    def name(self) -> str:
        """What differs, and how bad that is."""
        return self.what if self.level is None else f"{self.level.word} {self.what}"


@dataclass(frozen=True, slots=True)
class ExchangeComparison:
    """Two exchanges that are one step of the procedure, and what differs between them."""

    pair: ExchangePair
    differences: tuple[Difference, ...]

    @property
    def step(self) -> CapturedExchange:
        """The exchange of B, else that of A."""
        step = self.pair.b or self.pair.a
        assert step is not None
        return step

    @property
    def counts(self) -> bool:
        """What came is the doing of the server: no fault was put in."""
        return not self.step.report.event.faults


@dataclass(frozen=True)
class Comparison:
    """Two captures compared."""

    a: int
    """How many MSK exchanges and datagrams capture A has."""
    b: int
    compared: tuple[ExchangeComparison, ...]
    """Every step, those without a difference too."""

    @property
    def noun(self) -> str:
        """What is compared: MSK exchanges, or events if there are datagrams."""
        return "event" if any(each.step.datagram is not None for each in self.compared) else "MSK exchange"

    @cached_property
    def differing(self) -> list[ExchangeComparison]:
        """The steps that differ."""
        return [each for each in self.compared if each.differences]

    @property
    def both(self) -> list[ExchangePair]:
        """The steps that both captures have."""
        return [each.pair for each in self.compared if each.pair.a is not None and each.pair.b is not None]

    @property
    def by_order(self) -> int:
        """How many of these were paired without a B-TID that both captures have."""
        return sum(not pair.by_terminal for pair in self.both)

    @property
    def differences(self) -> list[Difference]:
        """The findings that only one has, and the fields that differ."""
        return [each for step in self.compared for each in step.differences if each.kind != "exchange"]

    @property
    def worst(self) -> Level:
        """The worst level among the findings that only B has, except those of a fault; OFF if there is none."""
        came = (each for step in self.compared if step.counts for each in step.differences if each.sign == "+")
        return max((each.level for each in came if each.level is not None), default=Level.OFF)


def compared(a: Iterable[Report], b: Iterable[Report], keys: Keys = NO_KEYS, *, everything: bool = False) -> Comparison:
    """Compare two captures; with `everything` also the values of what differs every time."""
    first, second = steps(a), steps(b)
    found = [ExchangeComparison(pair, tuple(_differences(pair, keys, everything))) for pair in paired(first, second)]
    return Comparison(len(first), len(second), tuple(found))


def _differences(pair: ExchangePair, keys: Keys, everything: bool) -> Iterator[Difference]:
    if pair.a is None or pair.b is None:
        here = "only here"
        yield Difference("exchange", "exchange", a=here if pair.a else None, b=here if pair.b else None)
    yield from _of_findings(pair)
    if pair.a is not None and pair.b is not None:
        first, second = (facts(each.report.event, keys, everything=everything) for each in (pair.a, pair.b))
        yield from _of_fields(first, second, everything)


def _of_findings(pair: ExchangePair) -> Iterator[Difference]:
    first, second = _findings(pair.a), _findings(pair.b)
    for key in dict.fromkeys((*first, *second)):
        rule, level, spot = key
        before, after = first.get(key, []), second.get(key, [])
        same = min(len(before), len(after))
        for finding in before[same:]:
            yield Difference("finding", rule, spot, _text(finding), None, level)
        for finding in after[same:]:
            yield Difference("finding", rule, spot, None, _text(finding), level)


type _Key = tuple[str, Level, Spot]


def _findings(step: CapturedExchange | None) -> dict[_Key, list[Finding]]:
    """Return the findings of an exchange by rule, level and what they are about, not by words that always differ."""
    if step is None:
        return {}
    places = {item.number: spot for item, spot in spots(step.report.event).items()}
    found: dict[_Key, list[Finding]] = {}
    for finding in step.report.findings:
        place = finding.place
        spot = places.get(place.item, EXCHANGE) if place.item is not None else EXCHANGE
        found.setdefault((finding.rule, finding.level, spot._replace(ltkm=place.ltkm)), []).append(finding)
    return found


def _text(finding: Finding) -> str:
    return f"{finding.place}: {finding.text}"


def _of_fields(first: Facts, second: Facts, everything: bool) -> Iterator[Difference]:
    spots_of_both = {spot for spot, _ in first} & {spot for spot, _ in second}
    parts_of_both = {_part(key) for key in first} & {_part(key) for key in second}
    for key in dict.fromkeys((*first, *second)):
        spot, path = key
        if spot not in spots_of_both or _part(key) not in parts_of_both:
            continue  # the list of items, the number of LTKMs, or the list of payloads has this difference
        before, after = first.get(key), second.get(key)
        if None in (before, after) and (spot, path.rpartition(".")[0]) in first:
            continue  # a directive, which the list of them says
        if _compared(before, everything) != _compared(after, everything):
            yield Difference("field", path, spot, _shown(before, everything), _shown(after, everything))


def _part(key: tuple[Spot, str]) -> tuple[Spot, str]:
    """Return what a field is part of: a payload or a header; a field that is part of nothing is so itself."""
    spot, path = key
    return spot, path.partition(".")[0] if spot.ltkm is not None and path[:1].isupper() else ""


def _compared(fact: Fact | None, everything: bool) -> str | None:
    return None if fact is None else fact.value if everything or fact.kind is None else fact.kind


def _shown(fact: Fact | None, everything: bool) -> str | None:
    return None if fact is None else fact.value if everything or not fact.kind else fact.kind
