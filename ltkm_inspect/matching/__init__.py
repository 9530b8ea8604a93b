"""Compares the deliveries in captures with the log of a BSM."""

from ltkm_inspect.matching.columns import parse_columns
from ltkm_inspect.matching.deliveries import Deliveries
from ltkm_inspect.matching.log import BsmLog
from ltkm_inspect.matching.output import MatchOutput
from ltkm_inspect.matching.pairing import LogMatch
from ltkm_inspect.matching.table import LogError, LogTable, parse_encoding, parse_separator
from ltkm_inspect.matching.times import parse_time_format
from ltkm_inspect.matching.words import columns_line
