"""The register of sightings: how often and when each terminal was seen, as the run tells terminals apart."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ltkm_inspect.session.challenges import ChallengeHistory, answered
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

FORMER = 16
"""How many former names of a terminal are remembered."""


class Sighting(NamedTuple):
    """What is counted of one terminal; the same exchange captured twice counts once."""

    terminal: str
    """What it is told apart by, at the latest."""
    former: tuple[str, ...] = ()
    """What it was told apart by before it bootstrapped again, the latest last."""
    exchanges: int = 0
    first: float | None = None
    """When the first of them began."""
    last: float | None = None
    """When the latest of them began."""

    def joined(self, other: "Sighting") -> "Sighting":
        """Return this together with what was counted under a former name."""
        former = tuple(dict.fromkeys((*other.former, other.terminal, *self.former)))
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        exchanges = self.exchanges + other.exchanges
        return Sighting(self.terminal, former[-FORMER:], exchanges, min(firsts, default=None), max(lasts, default=None))


def _keys(event: EventSummary) -> Mapping[str, Sighting]:
    key, began, done = event.key, event.origin.started, event.answers
    if done is None or done.key.text == key.text:
        return {key.group: Sighting(key.text, (), 1, began, began)}
    if done.key.is_named:
        return {key.group: Sighting(key.text, (done.key.text,), 1, began, began)}
    taken_from = Sighting(done.key.text, (), -1)
    first = began if done.started is None else done.started
    return {done.key.group: taken_from, key.group: Sighting(key.text, (), 2, first, began)}


def _after(known: Sighting | None, seen: Sighting, settings: SessionSettings) -> Sighting:
    if known is None:
        return seen
    former = known.former
    if seen.former or seen.terminal != known.terminal:
        names = dict.fromkeys((*former, known.terminal, *seen.former))
        former = tuple([each for each in names if each != seen.terminal])
    first = seen.first if known.first is None else known.first
    last = known.last if seen.last is None else seen.last
    return Sighting(seen.terminal, former[-FORMER:], known.exchanges + seen.exchanges, first, last)


SIGHTINGS = Register("sightings", _keys, _after)
"""How often and when a terminal was seen, by its IMPI, SUPI or name in the key ring, else by what tells it apart."""


def attributed(event: EventSummary, challenges: ChallengeHistory | None) -> EventSummary:
    """Return an event as this register takes it: with the exchange whose challenge it answers."""
    done = answered(challenges, event) if event.nonce is not None else None
    return event if done is None else replace(event, answers=done)


class Joined:
    """Keys that turned out to be former keys of others, however long the chain."""

    def __init__(self) -> None:
        """Begin with every key by itself."""
        self._next: dict[str, str] = {}

    def join(self, former: str, key: str) -> None:
        """Take one key for a former one of the other."""
        if self.latest(former) != self.latest(key):
            self._next[self.latest(former)] = self.latest(key)

    def latest(self, key: str) -> str:
        """Return the key at the end of the chain."""
        latest = key
        while latest in self._next:
            latest = self._next[latest]
        while key != latest:
            self._next[key], key = latest, self._next[key]
        return latest


def terminals(sightings: Mapping[str, Sighting]) -> list[Sighting]:
    """Return what was counted of each terminal, by when it came; one that bootstrapped again is one."""
    joined, found = Joined(), dict[str, Sighting]()
    for group, each in sightings.items():
        for name in each.former:
            joined.join(name, group)
    left = [(group, each) for group, each in sightings.items() if each.exchanges > 0]
    for group, each in sorted(left, key=lambda entry: entry[1].first or 0):
        latest = joined.latest(group)
        found[latest] = each.joined(found[latest]) if latest in found else each
    return sorted(found.values(), key=lambda each: (each.first or 0, each.terminal))
