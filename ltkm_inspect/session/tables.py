"""The tables of a session: what each register remembers, key by key, up to a limit."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from ltkm_inspect.session.copies import COPIES, compare
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

type Registers = Iterable[Register[Any, Any, Any]]
type KeyFilter = Callable[[str, Mapping[Any, Any]], Mapping[Any, Any]]
"""Returns the part of the keys of a register that these tables have, by the name of the register."""


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

    def identify(self, event: EventSummary, *, remember: bool) -> PriorState:
        """Return whether an event is the same as an earlier one with its octets, or repeats it."""
        before = PriorState()
        for key, origin in COPIES.keys(event).items():
            copies = self.tables[COPIES.name].get(key)
            before = PriorState(*compare(copies or (), origin, self.settings.clock_skew))
            if remember:
                self.put(COPIES.name, key, COPIES.after(copies, origin, self.settings))
        return before

    def take(
        self, event: EventSummary, registers: Registers, *, remember: bool, only: KeyFilter | None = None
    ) -> dict[tuple[str, Hashable], Any]:
        """Return the known states of registers under the keys that an event touches, and remember the event.

        `only` limits this to some of the keys.
        """
        states: dict[tuple[str, Hashable], Any] = {}
        settings = self.settings
        for register in registers:
            name, table = register.name, self.tables[register.name]
            keys = register.keys(event)
            for touched, added in (keys if only is None else only(name, keys)).items():
                state = table.get(touched)
                if state is not None:
                    states[name, touched] = state
                if remember:
                    after = register.after(state, added, settings)
                    if after is not state and after is not None:
                        self.put(name, touched, after)
        return states

    def copy(self) -> "StateTables":
        """Return independent tables with the same in them."""
        other = StateTables(self.settings, self.forgotten)
        other.forgotten = self.forgotten.copy()
        other.tables = {name: dict(table) for name, table in self.tables.items()}  # states are never changed in place
        return other
