"""What is to be done to the MSK responses that pass: which faults, to which of them, how often, and how late."""

from dataclasses import dataclass, field

from ltkm_inspect.fault import Application
from ltkm_inspect.rewriting.schedule import When
from ltkm_inspect.selection import EVERY, EventSelection, Selection, Terminal
from ltkm_inspect.traffic import AUTO, TerminalBy


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
    told_by: TerminalBy = AUTO
    """What terminals are told apart by."""

    @property
    def are_idle(self) -> bool:
        """Nothing is to be done to any response."""
        return not self.faults and not self.delay

    @property
    def names(self) -> str:
        """The faults, as typed."""
        return ", ".join(map(str, self.faults))

    @property
    def events(self) -> EventSelection:
        """Which exchanges are meant, but for the filter, which takes a flow."""
        return EventSelection(self.selection, self.terminals)
