"""What changed between two captures of the same procedure."""

from ltkm_inspect.diff.compare import Compared, Comparison, Difference, compared
from ltkm_inspect.diff.output import json_text, text_lines

__all__ = ["Compared", "Comparison", "Difference", "compared", "json_text", "text_lines"]
