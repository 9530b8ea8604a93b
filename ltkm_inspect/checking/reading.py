"""What is in an open file, in order: MSK exchanges, datagrams, other flows, damage; mitmproxy reads what is unusual."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from ltkm_inspect.capture.packets import PacketReader

type Held = Event | SkippedFlows | UnreadTraffic | Damage | DamagedEvent
"""The events and damage in a file, in order."""


class CaptureReader:
    """Reads the files of a run in their order; packet captures that follow each other in time are read as one."""

    def __init__(self, limits: Limits) -> None:
        """Take what the events get, and how much is kept in memory."""
        self._limits = limits
        self._packets: PacketReader | None = None
        """None before the first packet capture."""
        self._flows: Counter[str] = Counter()

    def events(self, source: CaptureSource, name: str) -> Iterator[tuple[str, int, Held]]:
        """Yield every event of an open file of that name, what was passed between them, and damage, as `numbered`.

        An event that began in a packet capture before it has the name of that one.
        """
        self._flows[name] = 0
        if not source.is_packets:
            yield from self.rest()
        yield from numbered(self._events(source, name), name, self._flows)

    @property
    def until(self) -> float | None:
        """Until when the packet captures go, in seconds since 1970 UTC; None if that is not known."""
        return None if self._packets is None else self._packets.until

    def rest(self) -> Iterator[tuple[str, int, Held]]:
        """Yield what is not complete at the end of the packet captures read so far, as nothing more comes."""
        if self._packets is not None:
            yield from numbered(self._packets.finish(), "", self._flows)

    def _events(self, source: CaptureSource, name: str) -> Iterator[Held]:
        if source.is_har:
            for each in har.exchanges(source.read, self._limits, name):
                yield SkippedFlows(1, 0) if isinstance(each, Exchange) and not each.is_ours else each
        elif source.is_packets:
            if self._packets is None:
                from ltkm_inspect.capture.packets import PacketReader  # other files are read without h11

                self._packets = PacketReader(self._limits)
            yield from self._packets.events(source.read, name)
        else:
            size = source.size if source.is_plain else None
            yield from read(scan(source.read, size=size), name, self._limits)


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


def numbered[H](found: Iterable[H], name: str, flows: Counter[str]) -> Iterator[tuple[str, int, H]]:
    """Yield what a file holds with the name of its capture, that of the file if it does not say, and its ordinal.

    The ordinal is among all flows of that capture, of which `flows` counts those that came earlier.
    """
    for held in found:
        ended = flows_of(held)  # who takes it may empty it
        capture = getattr(getattr(held, "event", held), "capture", "") or name
        yield capture, flows[capture] + 1, held
        # what follows damage is another file of the same name
        flows[capture] = 0 if isinstance(held, Damage) else flows[capture] + ended


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
