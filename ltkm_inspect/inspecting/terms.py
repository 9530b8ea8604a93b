"""What an inspection goes by: the options of the run, as far as they matter to it, and what is asked of one event."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ltkm_inspect.baseline import NO_BASELINE, Baseline
from ltkm_inspect.context import Context
from ltkm_inspect.finding import Report
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.traffic import Event


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What inspections go by. Another process can be given it, keys included."""

    context: Context = field(default_factory=Context)
    """Without a session."""
    baseline: Baseline = NO_BASELINE
    wording: Wording = PLAIN
    keys: Keys = NO_KEYS
    """What reports say about keys."""
    log: str = "all"
    """Which exchanges the log shows: one of `LOG`."""
    has_records: bool = False
    """A report file takes the records of events."""
    has_page: bool = False
    """One of them is a page."""

    def logs(self, report: Report) -> bool:
        """Tell whether the log shows the exchange of a report."""
        flawed = bool(report.findings or report.event.faults or report.event.damage)
        return self.log == "all" or (self.log == "findings" and flawed)


class Opening(NamedTuple):
    """An event that is to be inspected, and what is wanted of its inspection."""

    event: Event
    number: int
    """The ordinal of its flow in the run."""
    counts: bool = True
    """It goes into the report files."""
    goes_on: bool = False
    """It is an event that was inspected before, and now has faults put in."""
    is_shown: bool = False
    """The texts of a content view are wanted, too."""
