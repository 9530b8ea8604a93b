"""Which LTKMs are exported: of some keys, of some terminals, or only those that something is wrong with."""

from collections.abc import Iterable
from dataclasses import dataclass

from ltkm_inspect import selection
from ltkm_inspect.export.entry import ExportEntry
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.options.words import blaming
from ltkm_inspect.selection import Terminal, parse_terminals
from ltkm_inspect.traffic import Event


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """What an LTKM must be like to be exported; by default any is."""

    keys: selection.Selection = selection.EVERY
    terminals: tuple[Terminal, ...] = ()
    """Terminals, of which one has to be meant; none at all mean every terminal."""
    flawed: bool = False

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return not (self.keys.selectors or self.terminals or self.flawed)

    def takes(self, entry: ExportEntry) -> bool:
        """Tell whether an LTKM is exported: by its key, its terminal, and the findings that concern it."""
        if self.flawed and not entry.findings:
            return False
        return self.keys.takes_ltkm(entry.ltkm) and self._is_of(entry.event)

    def takes_document(self, report: Report) -> bool:
        """Tell whether the document of an exchange is exported: by the keys in it, its terminal, and its findings."""
        if self.flawed and report.worst is Level.OFF:
            return False
        return self.keys.takes(report.event) and self._is_of(report.event)

    def _is_of(self, event: Event) -> bool:
        return not self.terminals or any(terminal.takes(event) for terminal in self.terminals)


def parse_selection(msks: Iterable[str] = (), terminals: Iterable[str] = (), flawed: bool = False) -> ExportSelection:
    """Return the selection that these words ask for; OptionError says which of them means nothing."""
    with blaming("msk", selection.SelectionError):
        keys = selection.parse_selection(text.lower().replace("0x", "") for text in msks)  # as tables have it
    return ExportSelection(keys, parse_terminals(terminals), flawed)
