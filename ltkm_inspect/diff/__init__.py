"""Compares two captures of the same procedure."""

from ltkm_inspect.diff.compare import Comparison, compared
from ltkm_inspect.diff.output import json_text, text_lines
