"""Packet captures as events: exchanges over TCP and datagrams over UDP, in the order in which they are complete."""

import math
from collections import Counter
from collections.abc import Iterator

from ltkm_inspect.capture.conversation import Conversation
from ltkm_inspect.capture.damage import Damage, DamagedEvent, PackedError
from ltkm_inspect.capture.datagrams import Datagrams
from ltkm_inspect.capture.http1 import side_of
from ltkm_inspect.capture.records import SkippedFlows
from ltkm_inspect.capture.unread import UnreadTraffic
from ltkm_inspect.packets import (
    CaptureFileError,
    Network,
    PacketTime,
    Read,
    TcpBounds,
    TcpConnection,
    TcpConnections,
    TcpSegment,
    packet_time,
    packets,
)
from ltkm_inspect.traffic import OFFLINE, Datagram, Exchange, Limits

_SHARE = 16
"""One direction of a connection may take this part of the memory for all."""
_EVERY = 10_000
"""After so many packets without an event it is said how far the reading is."""

type PacketEvent = Exchange | Datagram | SkippedFlows | DamagedEvent | UnreadTraffic | Damage


def events(read: Read, limits: Limits = OFFLINE, capture: str = "") -> Iterator[PacketEvent]:
    """Yield what is ours in a packet capture, what was passed over, and what is damaged.

    What precedes damage in the file is yielded before it. At the end it is said what was not read.
    """
    found, damage = _Found(limits, capture), None
    number, waiting = 0, found.events
    take_packet, take_segment = found.network.take, found.connections.take
    try:
        for number, packet in enumerate(packets(read), 1):
            held = take_packet(packet)
            if held is None:
                continue
            moment = packet_time((number, packet.time))
            if isinstance(held, TcpSegment):
                take_segment(held, moment)
            elif (datagram := found.datagrams.event_of(held, moment, found.network)) is not None:
                waiting.append(datagram)
            if waiting or not number % _EVERY:
                yield from found.take()
    except (CaptureFileError, PackedError) as error:
        damage = Damage(error.offset if isinstance(error, CaptureFileError) else 0, str(error), number, "packet")
    found.connections.finish()
    yield from found.take()
    for link, times in found.network.unknown_links.items():
        yield DamagedEvent(f"{times} packets have link type {link}, which cannot be read")
    unread = found.counts()
    if unread.counts:
        yield unread
    if damage is not None:
        yield damage


class _Found:
    """What was found in a capture so far."""

    def __init__(self, limits: Limits, capture: str) -> None:
        total = math.inf if limits.reassembly is None else limits.reassembly
        connections = math.inf if limits.connections is None else limits.connections
        self.limits = limits
        self.capture = capture
        self.network = Network()
        self.datagrams = Datagrams(limits, capture)
        self.connections = TcpConnections(side_of, self._conversation, TcpBounds(connections, total / _SHARE, total))
        self.events: list[Exchange | Datagram | DamagedEvent] = []
        self._others = 0
        self._most = total
        self._kept = 0
        self._unread: Counter[str] = Counter()

    def take(self) -> Iterator[Exchange | Datagram | DamagedEvent | SkippedFlows]:
        """Yield what was found since the last time."""
        if self._others:
            yield SkippedFlows(self._others, 0)
            self._others = 0
        yield from self.events
        self.events.clear()

    def counts(self) -> UnreadTraffic:
        """Return what was not read, by its kind."""
        counts = self._unread + Counter(
            twice=self.datagrams.twice,
            cut=self.network.cut,
            fragments=self.network.fragments.missing,
            connections=self.connections.dropped,
            segments=self.connections.given_up,
        )
        return UnreadTraffic(counts)

    def _conversation(self, connection: TcpConnection, packet: PacketTime) -> Conversation:
        return Conversation(connection, packet, self)

    # What the conversations tell

    def found(self, exchange: Exchange) -> None:
        """Take an exchange of ours."""
        self.events.append(exchange)

    def damaged(self, reason: str) -> None:
        """Take note of an exchange of ours that cannot be read."""
        self.events.append(DamagedEvent(reason))

    def other(self) -> None:
        """Take note of an exchange of others."""
        self._others += 1

    def unread(self, protocol: str) -> None:
        """Take note of a connection whose protocol is not read; empty for one that nobody knows."""
        if protocol:
            self._unread[protocol] += 1
        else:
            self._others += 1

    def keep(self, octets: int) -> bool:
        """Count octets that are kept in memory from now on, or are not any more; False where there are too many."""
        self._kept += octets
        return self._kept <= self._most
