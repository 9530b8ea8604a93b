"""Checks what is in files, one event after the other: each is inspected, counted, and made ready to print."""

from contextlib import suppress
from dataclasses import dataclass, field

from ltkm_inspect.baseline import NO_BASELINE, Baseline
from ltkm_inspect.capture import Damage, DamagedEvent, SkippedFlows, UnreadTraffic
from ltkm_inspect.checking.reading import Held
from ltkm_inspect.checking.results import Counts, Shown, StretchResult
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect_step, presented, take_apart
from ltkm_inspect.finding import UNCHECKED, Report
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report import text
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.selection import EVERY_EVENT, EventSelection
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.traffic import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Presenter:
    """How exchanges are printed."""

    keys: Keys
    style: LineStyle | None = None
    """How exchanges are printed as lines; None where nobody wants them."""
    as_json: bool = False
    wording: Wording = PLAIN
    for_page: bool = False
    """The JSON is for an HTML page, too."""

    def shown(self, report: Report, file: str) -> Shown:
        """Return what is printed of an exchange that was read from that file."""
        redactor = self.wording.redactor(report.event, report)
        json = event_line(report, file, self.keys, redactor, for_page=self.for_page) if self.as_json else ""
        if self.style is None:
            return Shown([], json)
        exchange = text.exchange_text(report, redactor, self.keys, notes=self.style.notes)
        return Shown(self.style.lines(exchange, file), json, exchange.verdict == UNCHECKED)

    def pass_over(self, event: Event) -> None:
        """Take note of who is named in an exchange that is not printed: nobody is to be named elsewhere, either."""
        redaction = self.wording.redaction
        if redaction is not None:
            with suppress(Exception):  # what it fails on is not printed
                for each in redaction.seen_in(event):
                    redaction.learn(each)


@dataclass(slots=True, kw_only=True)
class Checker:
    """Checks events in the order of their session."""

    context: Context
    presenter: Presenter
    baseline: Baseline = NO_BASELINE
    """Which findings are accepted."""
    collects: bool = False
    """The findings that it does not accept are collected for a new baseline."""
    selection: EventSelection = EVERY_EVENT
    """Which exchanges are printed and counted; the session takes all of them."""
    counts: Counts = field(default_factory=Counts)
    """What was counted so far."""

    def take(self, held: Held | SessionEvent, result: StretchResult, number: int) -> None:
        """Take what comes next in a file, with the number of its flow: count it, and add what is printed of it."""
        if isinstance(held, SkippedFlows):
            self.counts.summary.others += held.flows
        elif isinstance(held, UnreadTraffic):
            self.counts.summary.unread.update(held.counts)
        elif isinstance(held, Damage):
            result.problem = str(held)
        elif isinstance(held, DamagedEvent):
            result.damaged.append(str(held))
        else:
            self._check(held if isinstance(held, SessionEvent) else self.context.event(held), result, number)

    def _check(self, step: SessionEvent, result: StretchResult, number: int) -> None:
        report = self.baseline.applied(inspect_step(step, self.context))
        report.number = number
        counts = self.counts
        if self.selection.takes_all or counts.matches.add(self.selection, report.event, report.terminal, number):
            report, shown = presented(report, lambda report: self.presenter.shown(report, result.name))
            counts.summary.add(report)
            if self.collects:
                counts.new_entries.add(report)
            result.shown.append(shown)
        else:
            self.presenter.pass_over(report.event)
            counts.summary.unselected += 1
        take_apart(step)
