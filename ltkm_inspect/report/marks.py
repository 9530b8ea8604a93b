"""What is written on a flow about a report: plain values, which a report has or another process took from one."""

from dataclasses import dataclass

from ltkm_inspect.finding import Level, Report
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.wire import plain

MOST_LINES = 50
"""How many findings the metadata of one flow lists."""


@plain
@dataclass(slots=True)
class Marks:
    """What is written on a flow about its report."""

    verdict: str
    """One of `VERDICTS`."""
    rules: list[str]
    """The ids of the broken rules, each once."""
    lines: list[str]
    """The first findings as lines, without identities that are to be hidden."""
    number: int
    """How many findings there are."""

    @classmethod
    def of(cls, report: Report, redactor: Redactor = NO_REDACTOR) -> "Marks":
        """Return what is written about this report."""
        number = report.count(Level.VIOLATION) + report.count(Level.WARNING)
        lines = [redactor.finding(finding).line for finding in report.findings[:MOST_LINES]]
        return cls(report.verdict, list(report.rules), lines, number)
