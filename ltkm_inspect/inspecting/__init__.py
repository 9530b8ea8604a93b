"""The inspection of one event in two halves, with the session between them; in this process, or in one of its own."""

from ltkm_inspect.inspecting.inspection import EventInspection
from ltkm_inspect.inspecting.presentation import Presentation, ShownTexts, joined, present, rows
from ltkm_inspect.inspecting.sessions import BOTH, GOT, SENT, Sessions
from ltkm_inspect.inspecting.terms import Opening, Terms
