"""The register of sightings: how often and when each terminal of the run was seen."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ltkm_inspect.session.challenges import ChallengeHistory, find_challenged
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

FORMER = 16
"""How many former keys of a terminal the register remembers."""


class Sighting(NamedTuple):
    """The counts of one terminal; an exchange that was captured twice counts once."""

    terminal: str
    """Its latest key: what distinguishes it from other terminals."""
    former: tuple[str, ...] = ()
    """Its keys before it bootstrapped again, the latest last."""
    exchanges: int = 0
    first: float | None = None
    """When the first exchange began."""
    last: float | None = None
    """When the latest exchange began."""

    def joined(self, other: "Sighting") -> "Sighting":
        """Return the sum of this and of what was counted under a former key."""
        former = tuple(dict.fromkeys((*other.former, other.terminal, *self.former)))
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        exchanges = self.exchanges + other.exchanges
        return Sighting(self.terminal, former[-FORMER:], exchanges, min(firsts, default=None), max(lasts, default=None))


def _keys(event: EventSummary) -> Mapping[str, Sighting]:
    key, began, challenged = event.key, event.origin.started, event.answers
    if event.asked is None and not key.is_named:
        return {}  # the address of a datagram is not one terminal
    if challenged is None or challenged.key.text == key.text:
        return {key.group: Sighting(key.text, (), 1, began, began)}
    if challenged.key.is_named:
        return {key.group: Sighting(key.text, (challenged.key.text,), 1, began, began)}
    correction = Sighting(challenged.key.text, (), -1)  # the 401 was counted under its connection
    first = began if challenged.started is None else challenged.started
    return {challenged.key.group: correction, key.group: Sighting(key.text, (), 2, first, began)}


def _after(known: Sighting | None, new: Sighting, settings: SessionSettings) -> Sighting:
    if known is None:
        return new
    former = known.former
    if new.former or new.terminal != known.terminal:
        keys = dict.fromkeys((*former, known.terminal, *new.former))
        former = tuple([each for each in keys if each != new.terminal])
    first = new.first if known.first is None else known.first
    last = known.last if new.last is None else new.last
    return Sighting(new.terminal, former[-FORMER:], known.exchanges + new.exchanges, first, last)


SIGHTINGS = Register("sightings", _keys, _after)
"""How often and when a terminal was seen, by its IMPI, SUPI or name in the key ring, else by what tells it apart."""


def attributed(event: EventSummary, challenges: ChallengeHistory | None) -> EventSummary:
    """Return an event for this register: with the exchange whose challenge it answers."""
    challenged = find_challenged(challenges, event.origin.connection) if event.nonce is not None else None
    return event if challenged is None else replace(event, answers=challenged)


class Joined:
    """Keys and the later keys that replaced them, in chains of any length."""

    def __init__(self) -> None:
        """Start without replaced keys."""
        self._next: dict[str, str] = {}

    def join(self, former: str, key: str) -> None:
        """Record that `key` replaced the key `former`."""
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
    """Return the counts of each terminal, by its first exchange; one that bootstrapped again is counted once."""
    joined, found = Joined(), dict[str, Sighting]()
    for group, each in sightings.items():
        for name in each.former:
            joined.join(name, group)
    left = [(group, each) for group, each in sightings.items() if each.exchanges > 0]
    for group, each in sorted(left, key=lambda entry: entry[1].first or 0):
        latest = joined.latest(group)
        found[latest] = each.joined(found[latest]) if latest in found else each
    return sorted(found.values(), key=lambda each: (each.first or 0, each.terminal))
