"""Edited text back to octets: the lines that show a document, changed by hand, become splices of that document."""

from ltkm_inspect.editing.documents import edit_request, edit_response
from ltkm_inspect.editing.lines import EditError, significant
