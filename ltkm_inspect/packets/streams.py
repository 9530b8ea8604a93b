"""One direction of a TCP connection: segments in any order to octets in their order, with the holes between them."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import NamedTuple, Protocol

_NUMBERS = 0xFFFFFFFF
_AHEAD = 1 << 31
"""A sequence number is behind another one if it is less than this ahead (RFC 9293 §3.4)."""
_RECENT = 4
"""How many of the latest pieces are kept, to compare what comes again with them."""
OVERHEAD = 200
"""Octets of memory that a waiting piece takes beside its data."""
_start = itemgetter(0)


def distance(number: int, start: int) -> int:
    """Return how many octets a sequence number is ahead of another one; less than 0 behind it."""
    ahead = (number - start) & _NUMBERS
    return ahead if ahead < _AHEAD else ahead - _NUMBERS - 1


class PacketFile(NamedTuple):
    """One of the capture files that follow each other."""

    name: str = ""
    before: int = 0
    """How many packets are in the files before it."""


class PacketTime(NamedTuple):
    """The packet that something was captured in."""

    number: int
    """Its ordinal in all files that follow each other, from 1."""
    time: float | None
    """Seconds since 1970 UTC; None where the file does not say."""
    file: PacketFile = PacketFile()
    acknowledged: int = 0
    """The sequence number that its sender expects next from the other side."""

    @property
    def in_file(self) -> int:
        """Its ordinal in its file, from 1."""
        return self.number - self.file.before


packet_time: Callable[[tuple[int, float | None, PacketFile, int]], PacketTime] = partial(tuple.__new__, PacketTime)
"""PacketTime(…) in a third of the time."""


class ConnectionReader(Protocol):
    """Takes what both sides of a connection sent: side 0 is the one that opened it."""

    def data(self, side: int, octets: bytes, moment: PacketTime) -> None:
        """Take the octets that follow those before."""

    def hole(self, side: int, length: int, moment: PacketTime) -> None:
        """Take note that so many octets follow that were not captured; the packet is the first one behind them."""

    def conflict(self, side: int, length: int, moment: PacketTime) -> None:
        """Take note that a packet has other octets for some that came before, which count."""

    def finished(self, side: int, moment: PacketTime) -> None:
        """Take note that the side sends no more."""

    def closed(self, reason: str, moment: PacketTime | None) -> None:
        """Take note that nothing more comes, and why: one of the reasons in `packets.tcp`."""


type _Piece = tuple[int, bytes, PacketTime]
"""Octets that wait for those before them, by the position of the first."""


class TcpStream:
    """What one side of a connection sends."""

    __slots__ = (
        *("acknowledged", "end", "ends", "first", "is_finished", "is_waiting", "position", "recent"),
        *("sequence", "side", "size", "waiting"),
    )

    def __init__(self, ends: bytes, side: int) -> None:
        """Begin one of which nothing is known."""
        self.ends = ends
        self.side = side
        self.sequence: int | None = None
        """The sequence number that comes next; None until one is known."""
        self.first: int | None = None
        """The number of the first octet; None where the beginning was not captured."""
        self.position = 0
        """How many octets were given out or passed over."""
        self.waiting: list[_Piece] = []
        """What came too early, in order and without overlaps."""
        self.size = 0
        """How much memory that takes."""
        self.recent: list[tuple[int, bytes]] = []
        self.end: int | None = None
        """The position of the end, once that is known."""
        self.acknowledged = 0
        """The position up to which the other side has everything."""
        self.is_finished = False
        self.is_waiting = False
        """It lacks octets that the other side has, and it is known to those who count the time."""

    @property
    def is_behind(self) -> bool:
        """Octets are missing that were captured or acknowledged; the end counts as one (RFC 9293 §3.4)."""
        return bool(self.waiting) or self.acknowledged > self.position + 1

    def ahead(self, number: int) -> int:
        """Return how many octets a sequence number is ahead of what comes next; less than 0 behind it."""
        assert self.sequence is not None
        return distance(number, self.sequence)

    def give(self, octets: bytes, moment: PacketTime, reader: ConnectionReader) -> None:
        """Give out the octets that come next."""
        assert self.sequence is not None
        self.recent.append((self.position, octets))
        if len(self.recent) > _RECENT:
            del self.recent[0]
        self.position += len(octets)
        self.sequence = (self.sequence + len(octets)) & _NUMBERS
        reader.data(self.side, octets, moment)

    def place(self, start: int, octets: bytes, moment: PacketTime, reader: ConnectionReader) -> None:
        """Take octets at a position, and give out what comes next; of octets that come twice the first count."""
        end = start + len(octets)
        if start < self.position:
            if not (len(octets) == 1 and end == self.position):  # a keep-alive repeats an octet, whatever it is
                self._compare(start, octets, self.recent, moment, reader)
            if end <= self.position:
                return
            octets, start = octets[self.position - start :], self.position
        if start == self.position and (not self.waiting or end <= self.waiting[0][0]):
            self.give(octets, moment, reader)
        else:
            self._insert(start, octets, moment, reader)
        self.release(reader)

    def _insert(self, start: int, octets: bytes, moment: PacketTime, reader: ConnectionReader) -> None:
        """Let octets wait; what waits already at their place stays."""
        waiting, at, end = self.waiting, start, start + len(octets)
        index = bisect_right(waiting, start, key=_start)
        if index and waiting[index - 1][0] + len(waiting[index - 1][1]) > start:
            index -= 1
        there = []
        while at < end:
            found = waiting[index] if index < len(waiting) and waiting[index][0] < end else None
            until = end if found is None else found[0]
            if at < until:
                piece = octets[at - start : until - start]
                waiting.insert(index, (at, piece, moment))
                self.size += len(piece) + OVERHEAD
                index += 1
            if found is None:
                break
            there.append(found[:2])
            at, index = found[0] + len(found[1]), index + 1
        self._compare(start, octets, there, moment, reader)

    def _compare(
        self,
        start: int,
        octets: bytes,
        there: list[tuple[int, bytes]],
        moment: PacketTime,
        reader: ConnectionReader,
    ) -> None:
        """Say so where octets at a position differ from those that came before."""
        differ = 0
        for at, piece in there:
            begin, end = max(at, start), min(at + len(piece), start + len(octets))
            mine, theirs = octets[begin - start : end - start], piece[begin - at : end - at]
            if begin < end and mine != theirs:
                differ += sum(one != other for one, other in zip(mine, theirs, strict=True))
        if differ:
            reader.conflict(self.side, differ, moment)

    def release(self, reader: ConnectionReader) -> None:
        """Give out what need not wait any more."""
        done = 0
        for start, octets, moment in self.waiting:
            if start != self.position:
                break
            done += 1
            self.size -= len(octets) + OVERHEAD
            self.give(octets, moment, reader)
        if done:
            del self.waiting[:done]

    def lose(self, until: int, moment: PacketTime, reader: ConnectionReader) -> None:
        """Pass over what was not captured up to a position, which nothing waits before; give out what follows."""
        assert self.sequence is not None
        length = until - self.position
        self.position = until
        self.sequence = (self.sequence + length) & _NUMBERS
        reader.hole(self.side, length, moment)
        self.release(reader)

    def missing(self) -> Iterator[tuple[int, PacketTime | None]]:
        """Yield up to where octets are missing, again and again while some are, and what was captured behind them."""
        while self.waiting or (self.end is not None and self.position < self.end):
            if self.waiting:
                yield self.waiting[0][0], self.waiting[0][2]
            else:
                assert self.end is not None
                yield self.end, None

    def forget(self) -> None:
        """Let go of all octets."""
        self.waiting, self.recent, self.size = [], [], 0
