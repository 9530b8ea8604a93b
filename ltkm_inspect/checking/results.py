"""What a check gives of a stretch of a file: small enough to be handed from one process to another."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from ltkm_inspect.baseline import NO_BASELINE, Baseline, NewEntries
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect_step, presented
from ltkm_inspect.finding import UNCHECKED, Report
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report import text
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.selection import EVERY_EVENT, EventSelection, SelectionMatches
from ltkm_inspect.session import SessionEvent


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
class StretchResult:
    """What the check of one stretch of a file gave."""

    name: str
    """The file."""
    shown: list[Shown] = field(default_factory=list)
    """The MSK exchanges in their order."""
    summary: Summary = field(default_factory=Summary)
    """The same exchanges, and flows of other traffic, counted."""
    matches: SelectionMatches = field(default_factory=SelectionMatches)
    """What matched the selection, if there is one."""
    new_entries: NewEntries = field(default_factory=NewEntries)
    """The findings for a new baseline, if one is to be written."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """How much the session had to forget up to here, by what it is."""
    octets: int = 0
    """How many octets of the file are done with this stretch."""
    problem: str = ""
    """What is wrong with the file, in one line that is safe to print."""
    unread: bool = False
    """Nothing of the file could be read."""
    damaged: list[str] = field(default_factory=list)
    """The events of the file that could not be read, a line each that is safe to print."""


@dataclass(frozen=True, slots=True)
class Presenter:
    """How exchanges are printed."""

    keys: Keys
    style: LineStyle | None
    """How exchanges are printed as lines; None where nobody wants them."""
    as_json: bool
    wording: Wording = PLAIN
    baseline: Baseline = NO_BASELINE
    """Which findings are accepted."""
    collects: bool = False
    """The findings that it does not accept are collected for a new baseline."""
    selection: EventSelection = EVERY_EVENT
    """Which exchanges are printed and counted; the session takes all of them."""
    for_page: bool = False
    """The JSON is for an HTML page, too."""

    def add(self, step: SessionEvent, context: Context, checked: StretchResult, number: int) -> None:
        """Inspect an exchange, the flow of that number in its file, and add what is counted and printed of it."""
        report = self.baseline.applied(inspect_step(step, context))
        report.number = number
        if self.selection.takes_all or checked.matches.add(self.selection, report.event, report.terminal, number):
            report, shown = presented(report, lambda report: self._shown(report, checked.name))
            checked.summary.add(report)
            if self.collects:
                checked.new_entries.add(report)
            checked.shown.append(shown)
        else:
            checked.summary.unselected += 1
        # What was worked out of it refers back to it. It is taken apart here, so that it is gone at once: a long run
        # would else have to look for hundreds of such documents again and again.
        document = vars(step.event).get("document")
        for each in (*(document.items if document is not None else ()), document, step):
            if each is not None:
                vars(each).clear()

    def _shown(self, report: Report, name: str) -> Shown:
        redactor = self.wording.redactor(report.event, report)
        json = event_line(report, name, self.keys, redactor, for_page=self.for_page) if self.as_json else ""
        if self.style is None:
            return Shown([], json)
        exchange = text.exchange_text(report, redactor, self.keys, notes=self.style.notes)
        return Shown(self.style.lines(exchange, name), json, exchange.verdict == UNCHECKED)
