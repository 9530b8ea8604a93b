"""What a check gives of a stretch of a file: small enough to be handed from one process to another."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from ltkm_inspect.baseline import NewEntries
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.selection import SelectionMatches


class WorkerError(Exception):
    """A process that shared the work is gone, or failed; the text is one line, safe to print."""


class Shown(NamedTuple):
    """What is printed of one exchange."""

    lines: list[str]
    """As text; empty where nobody wants it."""
    json: str
    """As JSON, in one line; empty where nobody wants it."""
    is_unchecked: bool = False
    """It is a datagram that no rule applies to, such as an STKM."""


@dataclass(slots=True)
class Counts:
    """What is counted of exchanges, and of flows of other traffic."""

    summary: Summary = field(default_factory=Summary)
    matches: SelectionMatches = field(default_factory=SelectionMatches)
    """What matched the selection, if there is one."""
    new_entries: NewEntries = field(default_factory=NewEntries)
    """The findings for a new baseline, if one is to be written."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """How much the session had to forget up to here, by what it is."""

    def merge(self, later: "Counts") -> None:
        """Add what was counted of later exchanges of the same session."""
        self.summary.merge(later.summary)
        self.matches.merge(later.matches)
        self.new_entries.merge(later.new_entries)
        for name, number in later.forgotten.items():  # `|=` would leave out zeros, and so change the order
            self.forgotten[name] = max(self.forgotten[name], number)


@dataclass(slots=True)
class StretchResult:
    """What the check of one stretch of a file gave."""

    name: str
    """The file."""
    shown: list[Shown] = field(default_factory=list)
    """The MSK exchanges in their order."""
    octets: int = 0
    """How many octets of the file are done with this stretch."""
    problem: str = ""
    """What is wrong with the file, in one line that is safe to print."""
    unread: bool = False
    """Nothing of the file could be read."""
    damaged: list[str] = field(default_factory=list)
    """The events of the file that could not be read, a line each that is safe to print."""
