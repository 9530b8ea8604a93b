"""Reports of exchanges that the program fails on, so that none is lost."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from ltkm_inspect.context import Context
from ltkm_inspect.engine.own_findings import crash_finding, uninspected_finding
from ltkm_inspect.engine.rule_plan import not_applicable, unanswered
from ltkm_inspect.finding import EVENT_CRASHED, Outcome, Place, Report
from ltkm_inspect.traffic import Event


def crashed(event: Event, error: Exception, context: Context) -> Report:
    """Return the report of an event that the program failed on, of which nothing else is looked at here."""
    unchecked = not_applicable("the exchange could not be checked")
    return _report(event, error, dict.fromkeys(unanswered(context.settings), unchecked))


def failed(event: Event, error: Exception, context: Context) -> Report:
    """Return the same of an event whose check failed; where checks may not, raise its error."""
    if context.settings.debug:
        raise error
    return crashed(event.without_content(), error, context)


def uninspected(event: Event, reason: str, got: str, context: Context) -> Report:
    """Return the report of an event that is not inspected, for a reason that is a key of `PASSED_UNCHECKED`."""
    outcomes = dict.fromkeys(unanswered(context.settings), not_applicable("the exchange was not checked"))
    return Report(event.without_content(), (uninspected_finding(reason, got),), outcomes=outcomes, unchecked=reason)


def presented[T](report: Report, present: Callable[[Report], T]) -> tuple[Report, T]:
    """Return what presents a report, and the report that it presents: one that says so where this crashes.

    A report that cannot be presented keeps its findings, unless it is them that cannot be.
    """
    try:
        return report, present(report)
    except Exception as error:
        bare, blank = report.event.without_content(), report.event.blank()
        least = replace(_report(bare, error, report.outcomes), number=report.number)
        findings, accepted, notes = (
            tuple(each.without_octets() for each in found) for found in (report.findings, report.accepted, report.notes)
        )
        whole = replace(report, event=bare, findings=(*findings, *least.findings), accepted=accepted, notes=notes)
        for each in (whole, least, replace(least, event=blank)):
            with suppress(Exception):
                return each, present(each)
        raise


def _report(event: Event, error: Exception, outcomes: Mapping[str, Outcome]) -> Report:
    finding = crash_finding(EVENT_CRASHED, Place(), "an exchange that can be checked", error)
    return Report(event, (finding,), outcomes=outcomes)
