"""Saved traffic as exchanges, without mitmproxy: the records of flow files, and the files that they stand in."""

from ltkm_inspect.capture.damage import Damage, DamagedEvent
from ltkm_inspect.capture.flows import FAULT, exchange_of
from ltkm_inspect.capture.records import BEFORE, CandidateRecord, SkippedFlows, find_record, scan
from ltkm_inspect.capture.sources import STDIN, CaptureSource, opened
