"""Packet captures as events: exchanges over TCP and datagrams over UDP, in the order in which they are complete."""

import math
from collections import Counter
from collections.abc import Iterator

from ltkm_inspect.capture.conversation import Conversation
from ltkm_inspect.capture.damage import Damage, DamagedEvent, PackedError
from ltkm_inspect.capture.datagrams import Datagrams
from ltkm_inspect.capture.exchanges import unreadable
from ltkm_inspect.capture.http1 import HttpMessage, side_of
from ltkm_inspect.capture.records import SkippedFlows
from ltkm_inspect.capture.unread import UnreadTraffic
from ltkm_inspect.packets import (
    OVERLAP,
    CaptureFileError,
    Network,
    PacketFile,
    PacketTime,
    Read,
    TcpBounds,
    TcpConnection,
    TcpConnections,
    TcpSegment,
    UdpPacket,
    packet_time,
    packets,
)
from ltkm_inspect.traffic import OFFLINE, Datagram, Exchange, Limits
from ltkm_inspect.wire import count

_SHARE = 16
"""One direction of a connection may take this part of the memory for all."""
_EVERY = 1000
"""After so many packets something is yielded, so that whoever reads on is not kept from everything else."""

type PacketEvent = Exchange | Datagram | SkippedFlows | DamagedEvent | UnreadTraffic | Damage


def events(read: Read, limits: Limits = OFFLINE, capture: str = "") -> Iterator[PacketEvent]:
    """Yield what is ours in a packet capture, what was passed over, and what is damaged.

    What precedes damage in the file is yielded before it. At the end it is said what was not read.
    """
    reader = PacketReader(limits)
    yield from reader.events(read, capture)
    yield from reader.finish()


class PacketReader:
    """Reads packet captures one after the other; connections and fragments go on in a file that follows in time."""

    def __init__(self, limits: Limits = OFFLINE) -> None:
        """Take what the events get, and how much is kept in memory."""
        self._limits = limits
        self._found = _Found(limits)
        self.until: float | None = None
        """When the latest packet that ends a file was captured, in seconds since 1970 UTC."""

    def events(self, read: Read, capture: str = "") -> Iterator[PacketEvent]:
        """Yield the events of the next file, and those before it that it does not go on with.

        What is not complete at its end is kept for the next one, unless the file is damaged.
        """
        found, file, damage = self._found, PacketFile(), None
        number, time = 0, None
        try:
            for number, packet in enumerate(packets(read), 1):
                time = packet.time
                if number == 1:
                    if not found.is_followed_at(time):
                        yield from self.finish()
                        found = self._found
                    file = found.begin(capture)
                    take, connections, events = found.network.take, found.connections, found.events
                held = take(packet)
                if type(held) is TcpSegment:
                    if not connections.passes_over(held):
                        connections.take(held, packet_time((file.before + number, time, file, held.acknowledged)))
                elif isinstance(held, UdpPacket):
                    moment = packet_time((file.before + number, time, file, 0))
                    if (datagram := found.datagrams.event_of(held, moment, found.network)) is not None:
                        events.append(datagram)
                if events:
                    yield from found.take()
                elif not number % _EVERY:
                    yield found.skipped()
        except (CaptureFileError, PackedError) as error:
            damage = Damage(error.offset if isinstance(error, CaptureFileError) else 0, str(error), number, "packet")
        if number:
            found.end(number, time)
            self.until = max((at for at in (self.until, time) if at is not None), default=None)
            yield from found.take()
        if damage is not None:
            yield from self.finish()
            yield damage

    def finish(self) -> Iterator[PacketEvent]:
        """Yield what is not complete, as nothing more comes, and what was not read."""
        found, self._found = self._found, _Found(self._limits)
        found.connections.finish()
        yield from found.take()
        unread = found.counts()
        if unread.counts:
            yield unread


class _Found:
    """What was found so far in capture files that follow each other."""

    def __init__(self, limits: Limits) -> None:
        total = math.inf if limits.reassembly is None else limits.reassembly
        connections = math.inf if limits.connections is None else limits.connections
        self.limits = limits
        self.network = Network()
        self.datagrams = Datagrams(limits)
        self.connections = TcpConnections(side_of, self._conversation, TcpBounds(connections, total / _SHARE, total))
        self.events: list[Exchange | Datagram | DamagedEvent] = []
        self._file = PacketFile()
        self._packets = 0
        self._until: float | None = None
        """When the last packet of the files that were read was captured."""
        self._others = 0
        self._most = total
        self._kept = 0
        self._unread: Counter[str] = Counter()

    def is_followed_at(self, time: float | None) -> bool:
        """Tell whether a file that begins at a time follows those that were read."""
        return time is not None and self._until is not None and time >= self._until - OVERLAP

    def begin(self, capture: str) -> PacketFile:
        """Go on with another file."""
        if self._packets:
            self.connections.carry()
        self._file = PacketFile(capture, self._packets)
        return self._file

    def end(self, packets: int, time: float | None) -> None:
        """Take note that a file ends with so many packets, the last of them at a time; say which cannot be read."""
        self._packets, self._until = self._packets + packets, time
        links = self.network.unknown_links
        for link, times in links.items():
            reason = (
                f"{count(times, 'packet')} {'has' if times == 1 else 'have'} link type {link}, which cannot be read"
            )
            self.events.append(DamagedEvent(reason, capture=self._file.name))
        links.clear()

    def take(self) -> Iterator[Exchange | Datagram | DamagedEvent | SkippedFlows]:
        """Yield what was found since the last time."""
        if self._others:
            yield self.skipped()
        yield from self.events
        self.events.clear()

    def skipped(self) -> SkippedFlows:
        """Return how many exchanges of others were found since the last time."""
        others, self._others = self._others, 0
        return SkippedFlows(others, 0)

    def counts(self) -> UnreadTraffic:
        """Return what was not read, by its kind."""
        counts = self._unread + Counter(
            twice=self.datagrams.twice,
            cut=self.network.cut,
            fragments=self.network.fragments.missing,
            connections=self.connections.dropped,
            segments=self.connections.given_up,
        )
        return UnreadTraffic(counts, self._file.name)

    def _conversation(self, connection: TcpConnection, packet: PacketTime) -> Conversation:
        return Conversation(connection, packet, self)

    # What the conversations tell

    def found(self, exchange: Exchange) -> None:
        """Take an exchange of ours."""
        self.events.append(exchange)

    def damaged(self, message: HttpMessage) -> None:
        """Take note of an exchange of ours that cannot be read, by the first message of it."""
        self.events.append(DamagedEvent(unreadable(message), capture=message.first.file.name))

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
