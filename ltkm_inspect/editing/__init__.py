"""Turns the edited tree of a document back into octets."""

from ltkm_inspect.editing.documents import edit_request, edit_response
from ltkm_inspect.editing.lines import EditError, significant
