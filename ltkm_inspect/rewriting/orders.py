"""Orders for a rewriter: which faults to put into which MSK responses, how often, and with which delay."""

from dataclasses import dataclass, field

from ltkm_inspect.fault import Application
from ltkm_inspect.rewriting.schedule import When
from ltkm_inspect.selection import EVERY, EventSelection, Selection, Terminal
from ltkm_inspect.traffic import AUTO, TerminalBy


@dataclass(frozen=True, slots=True)
class Orders:
    """The faults in the order of their application, and the responses they are for."""

    faults: tuple[Application, ...] = ()
    selection: Selection = EVERY
    """The keys that an exchange must be about, and the parts of it that the faults damage."""
    terminals: tuple[Terminal, ...] = ()
    """The terminals whose exchanges are selected; empty selects every terminal."""
    filter: str = ""
    """A filter expression of mitmproxy that the flow must match; empty for every flow."""
    when: When = field(default_factory=When)
    delay: float = 0.0
    """How many seconds an affected response is delayed."""
    refuses_unsigned: bool = False
    """Leave a response unchanged if its digest cannot be recomputed."""
    terminal_by: TerminalBy = AUTO
    """How terminals are distinguished."""

    @property
    def are_idle(self) -> bool:
        """There is neither a fault nor a delay."""
        return not self.faults and not self.delay

    @property
    def names(self) -> str:
        """The faults, as typed."""
        return ", ".join(map(str, self.faults))

    @property
    def events(self) -> EventSelection:
        """The selected exchanges, without the filter: that one takes a flow."""
        return EventSelection(self.selection, self.terminals)
