"""LTKMs handed on to other programs: a spreadsheet, Wireshark, a script, a decoder of one's own."""

from ltkm_inspect.report.export.entry import Entry, Manner, entries
from ltkm_inspect.report.export.formats import FORMATS, XML, Format
from ltkm_inspect.report.export.run import REDACTABLE, Export, ExportError, cannot_redact
from ltkm_inspect.report.export.selection import Selection, parse_selection

__all__ = [
    "FORMATS",
    "REDACTABLE",
    "XML",
    "Entry",
    "Export",
    "ExportError",
    "Format",
    "Manner",
    "Selection",
    "cannot_redact",
    "entries",
    "parse_selection",
]
