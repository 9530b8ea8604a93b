"""What happened before an event: the state of each register under the keys that the event touches."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import batched, chain
from typing import Any

from ltkm_inspect.session.register import Register


@dataclass(slots=True, eq=False)
class PriorState:
    """What the session knew before an event. It is kept, so that a second check of the event has the same result."""

    twin: str | None = None
    """The id of an earlier event that is the same one, captured twice or replayed by mitmproxy."""
    replayed: str | None = None
    """The id of an earlier event with the same octets that the server accepted, as it did this one; None for a twin."""
    states: Mapping[tuple[str, Hashable], Any] = field(default_factory=dict)
    """The known states, by the name of the register and the key."""

    def of[K: Hashable, S](self, register: Register[K, Any, S], key: K) -> S | None:
        """Return the state of a register under a key that the event touches; None if there was none."""
        found: S | None = self.states.get((register.name, key))
        return found

    def packed(self) -> tuple[Any, ...]:
        """Return the same as a flat tuple. It takes a third of the memory: many are kept, and few are ever unpacked."""
        return (self.twin, self.replayed, *chain.from_iterable(self.states), *self.states.values())

    @classmethod
    def unpacked(cls, packed: tuple[Any, ...]) -> "PriorState":
        """Return the prior state that `packed` made a tuple of."""
        twin, replayed, *rest = packed
        split = len(rest) // 3 * 2
        return cls(twin, replayed, dict(zip(batched(rest[:split], 2), rest[split:], strict=True)))
