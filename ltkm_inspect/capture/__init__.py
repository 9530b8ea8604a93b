"""Reads flow files, HARs and packet captures as exchanges and datagrams, without mitmproxy."""

from ltkm_inspect.capture.damage import Damage, DamagedEvent
from ltkm_inspect.capture.flows import events_of, exchange_of
from ltkm_inspect.capture.metadata import DATAGRAM_FAULTS, FAULT
from ltkm_inspect.capture.records import BEFORE, CandidateRecord, SkippedFlows, find_record, scan
from ltkm_inspect.capture.sources import CaptureSource, LocalFile, StoredFile, opened, stored, unpacked
from ltkm_inspect.capture.unread import UnreadTraffic, unread_text
