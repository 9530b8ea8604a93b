"""Registers: each holds what a session remembers about one kind of thing, key by key."""

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ltkm_inspect.session.ltkm import LtkmRecord
from ltkm_inspect.session.summary import EventSummary
from ltkm_inspect.traffic import AUTO, TerminalBy

LIMIT = 10_000
"""How many keys each register remembers by default."""
CLOCK_SKEW = 60.0
"""How many seconds the clocks of two captures may differ by default."""
MSK_HOURS = 24.0
"""For how many hours deliveries of one MSK are compared by default."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings of a session, the same in all processes of a run."""

    limit: int = LIMIT
    """How many keys each register remembers; the oldest are forgotten."""
    clock_skew: float = CLOCK_SKEW
    """How many seconds the clocks of two captures may differ."""
    msk_hours: float = MSK_HOURS
    """For how many hours deliveries of one MSK are compared."""
    terminal: TerminalBy = AUTO
    """How terminals are distinguished, for names and counts."""
    hash_key: bytes = field(default_factory=lambda: os.urandom(16), repr=False)
    """The key of every hash of the run. Without it, nobody can construct a collision or find a secret by guessing."""

    def is_recent(self, earlier: float | None, later: float | None) -> bool:
        """Tell whether two times (seconds since 1970 UTC) are at most `msk_hours` apart; true if one is unknown."""
        return earlier is None or later is None or abs(later - earlier) <= self.msk_hours * 3600


@dataclass(frozen=True, eq=False)
class Register[K: Hashable, P, S]:
    """What a session remembers about one kind of thing.

    Its state under a key only depends on the events that touch the key and on their order. So any number of processes
    can share the keys of a register among them.
    """

    name: str
    """What its keys are, in the plural; records use the same name."""
    keys: Callable[[EventSummary], Mapping[K, P]]
    """Returns the keys that an event touches, each with what the event adds under it, if anything."""
    after: Callable[[S | None, P, SessionSettings], S | None]
    """Returns the state under a key after an event; the same object as before if nothing changes."""


@dataclass(frozen=True, eq=False)
class LtkmRegister[K: Hashable, S](Register[K, list[LtkmRecord], S]):
    """A register of LTKMs: each touches at most one key, and adds to its state if it was delivered."""

    key: Callable[[LtkmRecord], K | None]
    add: Callable[[S | None, LtkmRecord, SessionSettings], S | None]
    """Returns the state under a key after one more delivered LTKM."""


def ltkm_register[K: Hashable, S](
    name: str,
    key: Callable[[LtkmRecord], K | None],
    add: Callable[[S | None, LtkmRecord, SessionSettings], S | None],
) -> LtkmRegister[K, S]:
    """Return a register in which each LTKM touches the key that `key` returns; None touches none."""

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
