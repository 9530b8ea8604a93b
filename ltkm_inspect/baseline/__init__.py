"""Known findings: a file of those that are accepted, applied to reports, and written from them."""

from ltkm_inspect.baseline.baseline import NO_BASELINE, Baseline, BaselineEntry, FindingKey
from ltkm_inspect.baseline.baseline_file import BaselineFile
from ltkm_inspect.baseline.new_entries import NewEntries
