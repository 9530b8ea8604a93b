"""Saved traffic as exchanges, without mitmproxy: the records of flow files, and the files that they stand in."""

from ltkm_inspect.capture.damage import Damage, DamagedEvent
from ltkm_inspect.capture.flows import FAULT, exchange_of
from ltkm_inspect.capture.records import BEFORE, VERSION, CandidateRecord, SkippedFlows, find_record, may_be_msk, scan
from ltkm_inspect.capture.sources import STDIN, CaptureSource, opened
from ltkm_inspect.capture.tnetstring import UnusualError
