"""What is in an open file, in order: MSK exchanges, datagrams, other flows, damage; mitmproxy reads what is unusual."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ltkm_inspect.capture import (
    CandidateRecord,
    CaptureSource,
    Damage,
    DamagedEvent,
    SkippedFlows,
    UnreadTraffic,
    events_of,
    har,
    scan,
)
from ltkm_inspect.traffic import Datagram, Event, Exchange, Limits

type Held = Event | SkippedFlows | UnreadTraffic | Damage | DamagedEvent
"""The events and damage in a file, in order."""


def events(source: CaptureSource, name: str, limits: Limits) -> Iterator[Held]:
    """Yield every event of a file of that name just opened, what was passed between them, and damage."""
    if source.is_har:
        for each in har.exchanges(source.read, limits, name):
            yield SkippedFlows(1, 0) if isinstance(each, Exchange) and not each.is_ours else each
    elif source.is_packets:
        from ltkm_inspect.capture import packets  # other files are read without h11

        yield from packets.events(source.read, limits, name)
    else:
        size = source.size if source.is_plain else None
        yield from read(scan(source.read, size=size), name, limits)


def read(found: Iterable[CandidateRecord | Held], name: str, limits: Limits) -> Iterator[Held]:
    """Yield the events that a scan of the file of that name found, and what is damaged.

    A record of another format ends it, as all that follow may be of that one.
    """
    flows = 0
    for each in found:
        found_here = _events(each, flows, name, limits) if isinstance(each, CandidateRecord) else (each,)
        for held in found_here:
            yield held
            if isinstance(held, Damage) and isinstance(each, CandidateRecord):
                return
            flows += flows_of(held)


def numbered[H](found: Iterable[H], before: int = 0) -> Iterator[tuple[int, H]]:
    """Yield what a file holds with its ordinal among all flows of it, `before` of which came earlier."""
    for held in found:
        ended = flows_of(held)  # who takes it may empty it
        yield before + 1, held
        # what follows damage is another file of the same name
        before = 0 if isinstance(held, Damage) else before + ended


def flows_of(held: object) -> int:
    """Return how many flows end with something in a file; a datagram that another one of its flow follows ends none."""
    if isinstance(held, SkippedFlows):
        return held.flows
    if isinstance(held, UnreadTraffic):
        return 0
    event = getattr(held, "event", held)
    return 0 if isinstance(event, Datagram) and event.is_followed else 1


def _events(candidate: CandidateRecord, flows: int, name: str, limits: Limits) -> Sequence[Held]:
    if candidate.current:
        try:
            found: Sequence[Event] = events_of(candidate, limits, capture=name)
        except (ValueError, LookupError, RecursionError):
            pass  # not as mitmproxy writes it: whether it is a flow nevertheless, only mitmproxy can tell
        else:
            return found or (SkippedFlows(1, candidate.end),)
    from ltkm_inspect.mitm import reading

    read_flow = reading.record(candidate, flows, limits)
    if not isinstance(read_flow, tuple):
        return (read_flow,)
    return [replace(each, capture=name) for each in read_flow[1]] or (SkippedFlows(1, candidate.end),)
