"""The options that users type, in one table, and what their words mean; for the command line and the addon alike."""

from ltkm_inspect.options.faults import orders
from ltkm_inspect.options.files import ReportTarget, key_ring, parse_report
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.settings import JUDGING, parse_fail_on, settings
from ltkm_inspect.options.table import (
    AS_IT_HAPPENS,
    DEFAULTS,
    EXPORT_FORMATS,
    FAIL_ON,
    REPORT_FORMATS,
    SHOWS_KEYS,
    Option,
)
from ltkm_inspect.options.words import OptionError, blaming, did_you_mean

__all__ = [
    "AS_IT_HAPPENS",
    "DEFAULTS",
    "EXPORT_FORMATS",
    "FAIL_ON",
    "JUDGING",
    "REPORT_FORMATS",
    "SHOWS_KEYS",
    "Option",
    "OptionError",
    "ReportTarget",
    "blaming",
    "did_you_mean",
    "key_ring",
    "orders",
    "parse_fail_on",
    "parse_limit",
    "parse_report",
    "settings",
]
