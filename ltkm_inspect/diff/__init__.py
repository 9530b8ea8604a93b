"""What changed between two captures of the same procedure."""

from ltkm_inspect.diff.compare import Comparison, Difference, ExchangeComparison, compared
from ltkm_inspect.diff.output import json_text, text_lines

__all__ = ["Comparison", "Difference", "ExchangeComparison", "compared", "json_text", "text_lines"]
