"""The inspection of one event: it is read, and once its place in the session is known, judged."""

from ltkm_inspect.engine import failed, judge, take_apart, uninspected
from ltkm_inspect.finding import Report
from ltkm_inspect.inspecting.terms import Opening, Terms
from ltkm_inspect.session import EventSummary, PriorState


class EventInspection:
    """The inspection of one event. Neither half needs the session; what it knew before the event comes between them."""

    def __init__(self, opening: Opening, terms: Terms) -> None:
        """Begin; nothing of the event has been looked at."""
        self._opening, self._terms = opening, terms
        self._step = terms.context.event(opening.event)

    def read(self) -> EventSummary | Report | None:
        """Return what the session keeps of the event; None if it is not ours, or the report if reading it fails."""
        try:
            return self._step.summary if self._opening.event.is_ours else None
        except Exception as error:  # law 1: no input makes a hook raise
            return self.fail(error)

    def judge(self, before: PriorState) -> Report:
        """Return the report of the event, by what happened before it."""
        self._step.before = before
        return self._numbered(judge(self._step, self._terms.context))

    def fail(self, error: Exception) -> Report:
        """Return the report of the event if this program fails on it."""
        return self._numbered(failed(self._opening.event, error, self._terms.context))

    def leave(self, reason: str, got: str) -> Report:
        """Return the report of the event if it is not inspected; the reason is a key of `PASSED_UNCHECKED`."""
        return self._numbered(uninspected(self._opening.event, reason, got, self._terms.context))

    def end(self) -> None:
        """Take the event apart, once its report has been presented."""
        take_apart(self._step)

    def _numbered(self, report: Report) -> Report:
        report = self._terms.baseline.applied(report)
        report.number = self._opening.number
        return report
