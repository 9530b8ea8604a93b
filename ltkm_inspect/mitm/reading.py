"""Reads flow files of mitmproxy, HARs and packet captures as flows and events, up to any damage."""

import io
import os
import re
from collections.abc import Iterator
from errno import ESPIPE
from pathlib import Path

from mitmproxy import exceptions
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader

from ltkm_inspect.capture import CandidateRecord, SkippedFlows, UnreadTraffic, har, scan
from ltkm_inspect.capture import Damage as Damage
from ltkm_inspect.capture import DamagedEvent as DamagedEvent
from ltkm_inspect.capture.damage import NotACaptureError, refuse_other
from ltkm_inspect.capture.entries import is_json
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.mitm.odd_flow import OddFlowError
from ltkm_inspect.mitm.udp_flows import events_of, flow_of_event
from ltkm_inspect.packets import Read as ReadOctets
from ltkm_inspect.packets import is_capture
from ltkm_inspect.traffic import OFFLINE, Event, Exchange, Limits
from ltkm_inspect.wire import printable

_TABLE = re.compile(rb"\d+:\d+:\w").match
"""How a table with names begins, and so every flow, be the rest of it damaged."""

type Read = tuple[Flow, tuple[Event, ...]]
"""A flow as it was read, and what is ours in it: an MSK exchange, or datagrams."""


def events(path: Path, limits: Limits = OFFLINE) -> Iterator[Event | Damage | DamagedEvent | None]:
    """Yield what is ours in a recording in order, None for every other flow, and damage at its place.

    An empty file yields nothing. Raises OSError where the file cannot be opened or read.
    """
    for found in flows(path, limits):
        if isinstance(found, Damage | DamagedEvent):
            yield found
        elif not isinstance(found, UnreadTraffic):
            yield from found[1] or (None,)


def record(candidate: CandidateRecord, flows: int, limits: Limits = OFFLINE) -> Read | Damage | DamagedEvent:
    """Return the flow in one record of a flow file, or what is wrong with it; so many flows were read before it.

    A record of another format is damage, as all that follow may be of that one. NotACaptureError where not even the
    first record of a file begins like a flow.
    """
    try:
        (flow,) = FlowReader(io.BytesIO(candidate.record)).stream()
        return flow, events_of(flow, limits)
    except Exception as error:  # the reader lets through KeyError, AssertionError and more for mutated files
        text = str(error)
        if isinstance(error, exceptions.FlowReadException) and "version" in text:
            return Damage(candidate.offset, printable(text.rstrip(".")), flows)
        if not (candidate.offset or candidate.current or _TABLE(candidate.record)):
            raise NotACaptureError(candidate.record) from None
        why = text if isinstance(error, OddFlowError) else "not a flow that mitmproxy writes"
        return DamagedEvent(f"flow at octet {candidate.offset}: {why}", candidate.end)


def flows(path: Path, limits: Limits = OFFLINE) -> Iterator[Read | Damage | DamagedEvent | UnreadTraffic]:
    """Yield every flow of a flow file or HAR in order, with what is ours in it, and damage at its place.

    Of a packet capture, each MSK exchange and each datagram is a flow; then it is said what was not read. An empty file
    yields nothing. Raises OSError where the file cannot be opened or read.
    """
    with io.FileIO(path) as file:
        if not file.seekable():
            raise OSError(ESPIPE, "expected a file, got a pipe; save its output to a file first")
        start = file.read(512)
        file.seek(0)
        refuse_other(start)
        if is_json(start):
            for each in har.exchanges(file.read, limits):
                yield (flow_of(each), (each,) if each.is_ours else ()) if isinstance(each, Exchange) else each
            return
        if is_capture(start):
            yield from _of_packets(file.read, limits)
            return
        number = 0
        for candidate in scan(file.read, size=os.fstat(file.fileno()).st_size, every=True):
            if isinstance(candidate, SkippedFlows):
                continue
            found = record(candidate, number, limits) if isinstance(candidate, CandidateRecord) else candidate
            yield found
            if isinstance(found, Damage):
                return
            number += 1


def _of_packets(read: ReadOctets, limits: Limits) -> Iterator[Read | Damage | DamagedEvent | UnreadTraffic]:
    from ltkm_inspect.capture import packets  # other files are read without h11

    for each in packets.events(read, limits):
        if isinstance(each, SkippedFlows):
            continue
        if not isinstance(each, Event):
            yield each
        elif each.gaps:  # which no flow can have: whoever reads it would blame the peers
            yield DamagedEvent(f"{each.id} has no flow, as the capture is incomplete: {printable(str(each.gaps[0]))}")
        else:
            flow = flow_of_event(each)
            yield flow, events_of(flow, limits)
