"""Reads flow files and HARs as exchanges, without mitmproxy."""

from ltkm_inspect.capture.damage import Damage, DamagedEvent
from ltkm_inspect.capture.flows import FAULT, exchange_of
from ltkm_inspect.capture.records import BEFORE, CandidateRecord, SkippedFlows, find_record, scan
from ltkm_inspect.capture.sources import STDIN, CaptureSource, opened
