"""The tables of a session: what each register remembers, key by key, up to a limit."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ltkm_inspect.session.copies import COPIES, compare
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventOrigin, EventSummary

type Touch = tuple[Register[Any, Any, Any], Any, Any]
"""A key of a register that an event touches, with what the event adds under it."""


def touches_of(event: EventSummary, registers: Iterable[Register[Any, Any, Any]]) -> list[Touch]:
    """Return the keys that an event touches in these registers."""
    return [(register, key, added) for register in registers for key, added in register.keys(event).items()]


class StateTables:
    """A bounded table per register.

    Each remembers a limited number of keys. Beyond it, those whose state has not changed for longest are forgotten.
    """

    def __init__(self, settings: SessionSettings, names: Iterable[str]) -> None:
        """Start with an empty table for each register of these names."""
        self.settings = settings
        self.forgotten = Counter(dict.fromkeys(names, 0))
        """How many keys each register forgot, by its name."""
        self.tables: dict[str, dict[Any, Any]] = {name: {} for name in self.forgotten}
        """The state under each key, by the name of the register; that which changed last comes last."""

    def put(self, register: str, key: Any, state: Any) -> None:
        """Remember a state as the latest one, and forget the oldest if there are too many."""
        table = self.tables[register]
        table.pop(key, None)
        table[key] = state
        while len(table) > self.settings.limit:
            del table[next(iter(table))]
            self.forgotten[register] += 1

    def identify(self, touches: Mapping[bytes, EventOrigin], *, remember: bool) -> PriorState:
        """Return whether an event is the same as an earlier one or repeats it, by its keys in `COPIES`."""
        before = PriorState()
        for key, origin in touches.items():
            copies = self.tables[COPIES.name].get(key)
            before = PriorState(*compare(copies or (), origin, self.settings.clock_skew))
            if remember:
                self.put(COPIES.name, key, COPIES.after(copies, origin, self.settings))
        return before

    def take(self, touches: Iterable[Touch], *, remember: bool) -> dict[tuple[str, Hashable], Any]:
        """Return the known states under the keys that an event touches, and remember the event."""
        states: dict[tuple[str, Hashable], Any] = {}
        tables, settings = self.tables, self.settings
        for register, key, added in touches:
            name = register.name
            state = tables[name].get(key)
            if state is not None:
                states[name, key] = state
            if remember:
                after = register.after(state, added, settings)
                if after is not state and after is not None:
                    self.put(name, key, after)
        return states

    def copy(self) -> "StateTables":
        """Return independent tables with the same in them."""
        other = StateTables(self.settings, self.forgotten)
        other.forgotten = self.forgotten.copy()
        other.tables = {name: dict(table) for name, table in self.tables.items()}  # states are never changed in place
        return other
