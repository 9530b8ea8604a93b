"""LTKMs handed on to other programs: a spreadsheet, Wireshark, a script, a decoder of one's own."""

from ltkm_inspect.export.entry import ExportEntry, Manner, entries
from ltkm_inspect.export.formats import FORMATS, XML
from ltkm_inspect.export.run import REDACTABLE, Export, ExportError, cannot_redact
from ltkm_inspect.export.selection import ExportSelection, parse_selection
