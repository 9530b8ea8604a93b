"""What is to be done to the MSK responses that pass: which faults, to which of them, how often, and how late."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ltkm_inspect.fault import Application
from ltkm_inspect.rewriting.schedule import When
from ltkm_inspect.selection import EVERY, Selection, Terminal
from ltkm_inspect.traffic import Exchange


@dataclass(frozen=True, slots=True)
class Orders:
    """Faults in their order, and their application."""

    faults: tuple[Application, ...] = ()
    selection: Selection = EVERY
    """The keys that an exchange must be about, and what is damaged in it."""
    terminals: tuple[Terminal, ...] = ()
    """One of them must have asked; none at all mean every terminal."""
    filter: str = ""
    """A filter expression of mitmproxy that the flow must match; empty for every flow."""
    when: When = field(default_factory=When)
    delay: float = 0.0
    """Seconds for which a response that is hit is held back."""
    refuses_unsigned: bool = False
    """A response whose digest cannot be made anew is left as it was."""

    @property
    def are_idle(self) -> bool:
        """Nothing is to be done to any response."""
        return not self.faults and not self.delay

    @property
    def select(self) -> bool:
        """They are not for every MSK response."""
        return bool(self.selection.selectors or self.terminals or self.filter)

    @property
    def names(self) -> str:
        """The faults, as typed."""
        return ", ".join(map(str, self.faults))

    def selectors(self) -> Iterator["FlowSelector"]:
        """Yield each selector but the filter, which takes a flow."""
        for key in self.selection.selectors:
            yield FlowSelector("fault_msk", str(key), Selection((key,)).takes)
        for terminal in self.terminals:
            yield FlowSelector("fault_terminal", str(terminal), partial(Terminal.takes, terminal))


@dataclass(frozen=True, slots=True)
class FlowSelector:
    """One selector: of those of one option one has to match, and one of each option that has any."""

    option: str
    """The name of its option in the table: `fault_msk`."""
    text: str
    """As typed."""
    takes: Callable[[Exchange], bool]
