"""TCP segments to connections, in bounded memory: in any order, repeated, lost, reused, without beginning or end."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from ltkm_inspect.packets.network import TcpSegment
from ltkm_inspect.packets.streams import ConnectionReader, PacketTime, TcpStream

FIN, SYN, RST, ACK = 1, 2, 4, 16
_ENDS = FIN | RST
_CHANGES = SYN | FIN | RST
FINISHED = "both sides closed the connection"
RESET = "the connection was reset"
REUSED = "another connection has the same addresses and ports"
DROPPED = "too many connections were open"
ENDED = "the capture ended"
"""Why nothing more comes of a connection."""
PATIENCE = 10.0
"""Seconds that a gap is kept open after the other side acknowledged what is in it: packets may be captured late, and
the clocks of two captures that were merged may differ.
"""
_PACKETS = 1000
"""Packets that a gap is kept open if the file has no times."""
_REMEMBERED = 10_000
"""How many closed connections are remembered, so that repeated segments do not begin another one."""
_NEAR = 1 << 20
"""A segment that is this far behind the end of a closed connection, or less, is repeated; one in the next file is of
the same connection if it is no farther from where that was.
"""
_FAR = 1 << 30
"""No window is larger (RFC 7323 §2.3): a segment that is farther ahead is not of this connection."""
_WINDOW = 1 << 24
"""A segment that is farther ahead may be of another connection, and its RST is one that the receiver ignores."""
_NUMBERS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class TcpBounds:
    """How much is kept in memory; infinite for no bound."""

    connections: float = 20_000
    """Open connections; beyond it the one that was quiet for longest is closed."""
    stream: float = 4 << 20
    """Octets of one direction that wait for missing ones; beyond it these count as not captured."""
    total: float = 64 << 20
    """The same for all connections together."""


class TcpConnection:
    """A connection that is open."""

    __slots__ = ("begun", "is_closed", "is_reset", "reader", "streams")

    def __init__(self, ends: bytes, side: int, moment: PacketTime) -> None:
        """Begin one by the ends of a segment that a side sends."""
        self.begun = moment
        streams = TcpStream(ends, side), TcpStream(reverse(ends), 1 - side)
        self.streams = streams if side == 0 else streams[::-1]
        """What the side that opened it sends, and what the other one does."""
        self.reader: ConnectionReader | None = None
        """None where nobody wants to know what is sent."""
        self.is_closed = False
        self.is_reset = False
        """One side gave it up; what the other side had sent by then may still be captured."""

    @property
    def has_beginning(self) -> bool:
        """Its first segment was captured, in one direction at least."""
        return any(stream.first is not None for stream in self.streams)

    def ignore(self) -> None:
        """Do without whatever is sent from now on."""
        self.reader = None


type _Known = tuple[TcpConnection, TcpStream, TcpStream]
"""A connection, one of its streams, and that of the other side."""


def _is_late(now: PacketTime, since: PacketTime) -> bool:
    """Tell whether a packet was captured too long after another one to be merely late."""
    if since.time is None or now.time is None:
        return now.number - since.number > _PACKETS
    return now.time - since.time > PATIENCE


def reverse(ends: bytes) -> bytes:
    """Return the ends of what goes the other way."""
    half = len(ends) // 2 - 2
    return ends[half : 2 * half] + ends[:half] + ends[-2:] + ends[-4:-2]


def _goes_on(known: _Known, segment: TcpSegment) -> bool:
    """Tell whether the first segment in a file is of the connection that had its ends in the file before."""
    connection, stream, other = known
    if connection.reader is None:  # it is not known where that one is
        return True
    if stream.sequence is not None:
        return abs(stream.ahead(segment.number)) <= _NEAR
    return other.sequence is None or not segment.flags & ACK or abs(other.ahead(segment.acknowledged)) <= _NEAR


class TcpConnections:
    """The open connections of a capture."""

    def __init__(
        self,
        begins: Callable[[bytes], int | None],
        reader: Callable[[TcpConnection, PacketTime], ConnectionReader],
        bounds: TcpBounds | None = None,
    ) -> None:
        """Take what tells which side a segment in the midst of a connection is from, if reading may begin there,
        and what makes the reader of a connection.
        """
        self._begins = begins
        self._reader = reader
        self._bounds = bounds or TcpBounds()
        self._streams: dict[bytes, _Known] = {}
        """What is known by the ends of a segment."""
        self._open: OrderedDict[TcpConnection, None] = OrderedDict()  # a dict takes long to find its oldest key
        """The one that was quiet for longest first."""
        self._latest: TcpConnection | None = None
        self._closed: deque[TcpConnection] = deque()
        self._late: deque[tuple[PacketTime, TcpConnection, TcpStream, int]] = deque()
        """Streams that lack what the other side has: since when, and at which position."""
        self._carried: set[TcpConnection] = set()
        """Those open at the end of a file of which the next one had no segment yet."""
        self._size = 0
        self.dropped = 0
        """How many connections were closed because there were too many."""
        self.given_up = 0
        """How many times missing octets were given up because too many others waited for them."""

    def __len__(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    @property
    def size(self) -> int:
        """How much memory the octets take that wait for missing ones."""
        return self._size

    def passes_over(self, segment: TcpSegment) -> bool:
        """Take the next segment if it changes nothing but when its connection was last used; tell whether that is so.

        It is of a connection that nobody reads, or only acknowledges what has come anyway.
        """
        ends, _, acknowledged, flags, data, lost = segment
        known = self._streams.get(ends)
        if known is None or flags & _CHANGES or self._late or self._carried:
            return False
        connection, stream, other = known
        if connection.is_closed:
            return False
        if connection.reader is not None and (
            data
            or lost
            or acknowledged != other.sequence
            or stream.sequence is None
            or stream.end is not None
            or connection.is_reset
        ):
            return False
        if connection is not self._latest:
            self._open.move_to_end(connection)
            self._latest = connection
        return True

    def take(self, segment: TcpSegment, moment: PacketTime) -> None:
        """Take the next segment."""
        ends, number, acknowledged, flags, data, lost = segment
        known = self._streams.get(ends)
        if self._carried and known is not None and known[0] in self._carried:
            self._carried.discard(known[0])
            if not flags & SYN and not _goes_on(known, segment):
                self._close(known[0], REUSED, moment)
        if flags & SYN:
            known = self._begun(known, ends, number, flags, moment)
            number += 1
        elif known is None or known[0].is_closed:
            known = self._picked_up(known, segment, moment)
        elif data and number != known[1].sequence and self._is_of_another(known, segment):
            self._close(known[0], REUSED, moment)
            known = self._picked_up(None, segment, moment)
        if self._late:
            self._give_up_late(moment)
        if known is None:
            return
        connection, stream, other = known
        if connection.is_closed:
            return
        reader = connection.reader
        if connection is not self._latest:
            self._open.move_to_end(connection)
            self._latest = connection
        if reader is None:
            stream.is_finished |= bool(flags & FIN)
            if flags & RST or (stream.is_finished and other.is_finished):
                self._close(connection, RESET if flags & RST else FINISHED, moment)
            return
        if flags & ACK:
            if other.sequence is None:
                other.sequence = acknowledged
            elif acknowledged != other.sequence and 0 < (ahead := other.ahead(acknowledged)) < _FAR:
                self._acknowledged(connection, other, ahead, moment)
        if stream.sequence is None:
            if not data or self._begins(data) is None:
                self._closing(connection, stream, None, flags, moment)
                return
            stream.sequence = number & _NUMBERS
        ahead = 0 if number == stream.sequence else stream.ahead(number)
        if flags & RST and not -_NEAR <= ahead <= _WINDOW:
            return
        end = stream.position + ahead + len(data) + lost
        if data and not stream.is_finished:
            if not ahead and not stream.waiting:
                stream.give(data, moment, reader)
            elif ahead < _FAR:
                before = stream.size
                stream.place(stream.position + ahead, data, moment, reader)
                self._size += stream.size - before
                self._limit(connection, stream, moment)
        if lost and stream.position == end - lost and connection.reader is not None and not stream.waiting:
            stream.lose(end, moment, reader)
        if connection.reader is None:
            self._tidy(connection)
        if flags & _ENDS or stream.end is not None or connection.is_reset:
            self._closing(connection, stream, end, flags, moment)

    def carry(self) -> None:
        """Take note that another file follows, where the ends of a connection may be those of another one."""
        self._carried = set(self._open)

    def finish(self) -> None:
        """Close all connections, as nothing more comes."""
        for connection in [*self._open]:
            has_end = all(stream.end is not None for stream in connection.streams)
            self._close(connection, FINISHED if has_end else ENDED, None)

    def _open_one(self, ends: bytes, side: int, moment: PacketTime) -> _Known:
        connection = TcpConnection(ends, side, moment)
        connection.reader = self._reader(connection, moment)
        first, second = connection.streams
        self._streams[first.ends] = connection, first, second
        self._streams[second.ends] = connection, second, first
        self._open[connection] = None
        while len(self._open) > self._bounds.connections:
            self.dropped += 1
            self._close(next(iter(self._open)), DROPPED, moment)
        return self._streams[ends]

    def _begun(
        self,
        known: _Known | None,
        ends: bytes,
        number: int,
        flags: int,
        moment: PacketTime,
    ) -> _Known:
        """Return the connection that a SYN opens, accepts, or had opened before."""
        first = (number + 1) & _NUMBERS
        if known is not None:
            connection, stream, other = known
            if stream.first is None and not connection.is_closed:  # what follows a SYN may be captured before it
                if stream.sequence is not None and stream.ahead(first) == -stream.position:
                    stream.first = first
                elif stream.sequence is None and other.first is not None:
                    stream.sequence = stream.first = first
            is_open = not (connection.is_closed or (other.position and _is_late(moment, connection.begun)))
            if stream.first == first and (flags & ACK or is_open):
                return known
            if not connection.is_closed:
                self._close(connection, REUSED, moment)
        known = self._open_one(ends, 1 if flags & ACK else 0, moment)
        known[1].sequence = known[1].first = first
        return known

    def _is_of_another(self, known: _Known, segment: TcpSegment) -> bool:
        """Tell whether a segment begins a connection with the ends of one that is open, as its SYN was not captured."""
        connection, stream, _ = known
        if connection.reader is None or stream.sequence is None:
            return False
        return not -_NEAR <= stream.ahead(segment.number) <= _WINDOW and self._begins(segment.data) is not None

    def _picked_up(self, known: _Known | None, segment: TcpSegment, moment: PacketTime) -> _Known | None:
        """Return the connection that a segment is in the midst of, if reading may begin with it."""
        side = self._begins(segment.data) if segment.data else None
        if side is None:
            return None
        if known is not None and known[1].sequence is not None and -_NEAR <= known[1].ahead(segment.number) < 0:
            return None
        found = self._open_one(segment.ends, side, moment)
        found[1].sequence = segment.number
        return found

    def _acknowledged(self, connection: TcpConnection, stream: TcpStream, ahead: int, moment: PacketTime) -> None:
        """Take note that the other side has octets of a stream that were not captured so far."""
        stream.acknowledged = max(stream.acknowledged, stream.position + ahead)
        if not stream.is_waiting:
            stream.is_waiting = True
            self._late.append((moment, connection, stream, stream.position))

    def _give_up_late(self, now: PacketTime) -> None:
        """Give up what is missing for too long, though the other side has it."""
        while self._late:
            since, connection, stream, position = self._late[0]
            if stream.acknowledged <= stream.position or connection.is_closed or connection.reader is None:
                self._late.popleft()
                stream.is_waiting = False
                continue
            if not _is_late(now, since) and len(self._late) <= self._bounds.connections:
                return
            self._late.popleft()
            stream.is_waiting = False
            if stream.position != position:  # it went on since, and misses something else now
                stream.is_waiting = True
                self._late.append((now, connection, stream, stream.position))
                continue
            # the end of a stream counts as an octet (RFC 9293 §3.4), and may be what was not captured
            if stream.waiting or stream.acknowledged - stream.position > 1:
                until, behind = next(stream.missing(), (stream.acknowledged, None))
                self._lose(connection, stream, min(until, stream.acknowledged), behind or now)
            self._closing(connection, stream, None, 0, now)

    def _lose(self, connection: TcpConnection, stream: TcpStream, until: int, moment: PacketTime) -> None:
        before = stream.size
        if connection.reader is not None:
            stream.lose(until, moment, connection.reader)
        self._size += stream.size - before
        self._tidy(connection)

    def _limit(self, connection: TcpConnection, stream: TcpStream, moment: PacketTime) -> None:
        """Give up what is missing where too much waits for it."""
        while stream.waiting and (stream.size > self._bounds.stream or self._size > self._bounds.total):
            if connection.reader is None:
                break
            self.given_up += 1
            self._lose(connection, stream, stream.waiting[0][0], stream.waiting[0][2])
        self._tidy(connection)

    def _tidy(self, connection: TcpConnection) -> None:
        """Let go of what waits where nobody wants it any more."""
        if connection.reader is None:
            for stream in connection.streams:
                self._size -= stream.size
                stream.forget()

    def _closing(
        self, connection: TcpConnection, stream: TcpStream, end: int | None, flags: int, moment: PacketTime
    ) -> None:
        if flags & FIN and stream.end is None and end is not None:
            stream.end = max(end, stream.position)
        self._finish_stream(connection, stream, moment)
        connection.is_reset |= bool(flags & RST)
        if connection.is_reset and not (connection.is_closed or any(each.is_behind for each in connection.streams)):
            self._close(connection, RESET, moment)

    def _finish_stream(self, connection: TcpConnection, stream: TcpStream, moment: PacketTime) -> None:
        if stream.end is None or stream.is_finished or stream.position < stream.end:
            return
        stream.is_finished = True
        if connection.reader is not None:
            connection.reader.finished(stream.side, moment)
        if all(each.is_finished for each in connection.streams):
            self._close(connection, FINISHED, moment)

    def _close(self, connection: TcpConnection, reason: str, moment: PacketTime | None) -> None:
        """Give out what waits, with the holes before it, and close a connection."""
        for stream in connection.streams:
            for until, behind in stream.missing():
                if connection.reader is None:
                    break
                self._lose(connection, stream, until, behind or moment or PacketTime(0, None))
            if stream.end is None and stream.acknowledged > stream.position + 1:
                self._lose(connection, stream, stream.acknowledged, moment or PacketTime(0, None))
            elif stream.end is not None and not stream.is_finished and connection.reader is not None:
                connection.reader.finished(stream.side, moment or PacketTime(0, None))
        connection.is_closed = True
        if connection.reader is not None:
            connection.reader.closed(RESET if connection.is_reset else reason, moment)
            connection.reader = None
        self._tidy(connection)
        for stream in connection.streams:
            stream.forget()
        del self._open[connection]
        if self._latest is connection:
            self._latest = None
        self._closed.append(connection)
        if len(self._closed) > _REMEMBERED:
            oldest = self._closed.popleft()
            for stream in oldest.streams:
                if (known := self._streams.get(stream.ends)) is not None and known[0] is oldest:
                    del self._streams[stream.ends]
