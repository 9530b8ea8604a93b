"""Which LTKMs are exported: of some keys, of some terminals, or only those that something is wrong with."""

from collections.abc import Iterable
from dataclasses import dataclass

from ltkm_inspect.export.entry import ExportEntry
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.options.selected import event_selection
from ltkm_inspect.selection import EVERY_EVENT, EventSelection


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """What an LTKM must be like to be exported; by default any is."""

    events: EventSelection = EVERY_EVENT
    flawed: bool = False

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return self.events.takes_all and not self.flawed

    @property
    def options(self) -> list[str]:
        """The options of the command line that it comes from."""
        return [*dict.fromkeys(f"--{option}" for option, *_ in self.events.selectors()), *["--flawed"][: self.flawed]]

    def takes(self, entry: ExportEntry) -> bool:
        """Tell whether an LTKM is exported: by its key, its terminal, and the findings that concern it."""
        if self.flawed and not entry.findings:
            return False
        report = entry.report
        is_around = self.events.takes_around(entry.event, report.terminal, report.number)
        return is_around and self.events.keys.takes_ltkm(entry.ltkm)

    def takes_document(self, report: Report) -> bool:
        """Tell whether the document of an exchange is exported: by the keys in it, its terminal, and its findings."""
        if self.flawed and report.worst is Level.OFF:
            return False
        return self.events.takes(report.event, report.terminal, report.number)


def parse_selection(
    msks: Iterable[str] = (), terminals: Iterable[str] = (), flows: Iterable[str] = (), *, flawed: bool = False
) -> ExportSelection:
    """Return the selection that these words ask for; OptionError says which of them means nothing."""
    return ExportSelection(event_selection(msks, terminals, flows), flawed)
