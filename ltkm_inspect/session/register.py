"""What a register is: all that a session remembers about one kind of thing, key by key."""

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ltkm_inspect.session.ltkm import LtkmRecord
from ltkm_inspect.session.summary import EventSummary
from ltkm_inspect.traffic import AUTO, TerminalBy

LIMIT = 10_000
"""How many keys each register remembers, if not told otherwise."""
CLOCK_SKEW = 60.0
"""How many seconds the clocks of two captures may differ, if not told otherwise."""
MSK_HOURS = 24.0
"""For how many hours deliveries of one MSK are compared, if not told otherwise."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings of a session, the same for all who share a run."""

    limit: int = LIMIT
    """How many keys each register remembers; the oldest are forgotten."""
    clock_skew: float = CLOCK_SKEW
    """How many seconds the clocks of two captures may differ."""
    msk_hours: float = MSK_HOURS
    """For how many hours deliveries of one MSK are compared."""
    terminal: TerminalBy = AUTO
    """What terminals are told apart by in what is named and counted."""
    hash_key: bytes = field(default_factory=lambda: os.urandom(16), repr=False)
    """The key of every hash of the run: nobody outside can aim at one, or find a secret by trying."""

    def is_recent(self, earlier: float | None, later: float | None) -> bool:
        """Tell whether two times (seconds since 1970 UTC) are within `msk_hours`; so is one that is not known."""
        return earlier is None or later is None or abs(later - earlier) <= self.msk_hours * 3600


@dataclass(frozen=True, eq=False)
class Register[K: Hashable, P, S]:
    """What a session remembers about one kind of thing.

    Its state under a key depends on the events that touch the key and on their order, and on nothing else. So the keys
    of a register may be shared among any number of processes.
    """

    name: str
    """What its keys are, in the plural, as in records."""
    keys: Callable[[EventSummary], Mapping[K, P]]
    """Returns the keys that an event touches, each with what the event adds under it, if anything."""
    after: Callable[[S | None, P, SessionSettings], S | None]
    """Returns the state under a key after an event; the very state before it where nothing changes."""


@dataclass(frozen=True, eq=False)
class LtkmRegister[K: Hashable, S](Register[K, list[LtkmRecord], S]):
    """A register of LTKMs: each touches one key at most, and adds to it if it was delivered."""

    key: Callable[[LtkmRecord], K | None]
    add: Callable[[S | None, LtkmRecord, SessionSettings], S | None]
    """Returns the state under a key after one more delivered LTKM."""


def ltkm_register[K: Hashable, S](
    name: str,
    key: Callable[[LtkmRecord], K | None],
    add: Callable[[S | None, LtkmRecord, SessionSettings], S | None],
) -> LtkmRegister[K, S]:
    """Return the register in which each LTKM touches that key."""

    def after(state: S | None, ltkms: list[LtkmRecord], settings: SessionSettings) -> S | None:
        for ltkm in ltkms:
            if ltkm.is_delivered:
                state = add(state, ltkm, settings)
        return state

    return LtkmRegister(name, partial(_by_key, key), after, key, add)


def _by_key[K: Hashable](key: Callable[[LtkmRecord], K | None], event: EventSummary) -> Mapping[K, list[LtkmRecord]]:
    found: dict[K, list[LtkmRecord]] = {}
    for ltkm in event.ltkms:
        touched = key(ltkm)
        if touched is not None:
            found.setdefault(touched, []).append(ltkm)
    return found
