"""What each side can have at all: its terminals, and from when to when it goes."""

from typing import NamedTuple

from ltkm_inspect.matching.pairing import LogMatch


class Coverage(NamedTuple):
    """What one side covers."""

    first: float
    """By the clock of the captures, in seconds since 1970 UTC; so is `last`."""
    last: float
    names: frozenset[str]
    """The B-TIDs without realm; empty if the side has none."""

    @classmethod
    def of_captures(cls, match: LogMatch) -> "Coverage":
        """Return what the captures cover: everything, if they have no times."""
        deliveries = match.deliveries
        names = frozenset([each.subject.name for each in deliveries.found if each.subject.name is not None])
        if deliveries.first is None or deliveries.last is None:
            return cls(float("-inf"), float("inf"), names)
        return cls(deliveries.first, deliveries.last, names)

    @classmethod
    def of_log(cls, match: LogMatch) -> "Coverage":
        """Return what the log covers, which must have a row."""
        names = frozenset([each.name for each in match.log.known_subjects if each.name is not None])
        return cls(match.clock.of_log(match.log.first), match.clock.of_log(match.log.last), names)

    def has(self, name: str | None, at: float, window: float) -> bool:
        """Tell whether this side could have a delivery to that terminal at that time, or the window from it."""
        is_known = name is None or not self.names or name in self.names
        return is_known and self.first - window <= at <= self.last + window
