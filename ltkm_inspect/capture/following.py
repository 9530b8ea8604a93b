"""A flow file or packet capture that somebody is still writing, read on as it grows."""

import os
import time
from collections.abc import Iterator
from errno import EINVAL
from io import FileIO
from itertools import chain
from typing import TYPE_CHECKING

from ltkm_inspect.capture.damage import SHORTER, Damage
from ltkm_inspect.capture.records import BLOCK, CandidateRecord, scan
from ltkm_inspect.packets import is_capture, may_become_capture
from ltkm_inspect.traffic import Limits

if TYPE_CHECKING:
    from ltkm_inspect.capture.packets import PacketEvent

POLL = 0.2
"""How many seconds pass before it is looked again whether there is more."""
NOT_PLAIN = "expected an uncompressed flow file or packet capture: unpack it first, or check it without --follow"
AGAIN = f"{SHORTER}; reading again from its start"


def follow(name: str, limits: Limits) -> "Iterator[CandidateRecord | PacketEvent]":
    """Yield what a capture holds and what is added to it, each event once it is whole; it ends where there is damage.

    Where another file takes its name, as when it is rotated, the old one is read to its end, and then the new one.
    Raises OSError where it cannot be opened or read, or does not begin like a capture.
    """
    packets = None
    while True:
        with FileIO(name) as raw:
            tail = _Tail(name, raw)
            damaged = False
            events: Iterator[CandidateRecord | PacketEvent]
            if tail.is_packets():
                if packets is None:
                    from ltkm_inspect.capture.packets import PacketReader  # other files are read without h11

                    packets = PacketReader(limits)
                events = packets.events(tail.read, name)
            else:
                events = scan(tail.read) if packets is None else chain(packets.finish(), scan(tail.read))
            for found in events:
                yield found
                damaged = isinstance(found, Damage)
            if tail.is_shorter:
                yield Damage(tail.position, AGAIN, 0)
            elif damaged and not tail.is_over:
                return


class _Tail:
    """Reads a file on and on, until another one has its name or it was cut."""

    def __init__(self, name: str, raw: FileIO) -> None:
        self._name = name
        self._raw = raw
        self._begin = b""
        """The first octets, once they were looked at and before they are taken."""
        self.position = 0
        self.is_over = False
        """Another file has its name."""
        self.is_shorter = False
        """It has fewer octets than were read of it."""

    def read(self, size: int) -> bytes:
        """Return what there is, at most that much; wait where there is nothing."""
        if self._begin:
            begin, self._begin = self._begin, b""
            if not (begin[:1].isdigit() or is_capture(begin)):
                raise OSError(EINVAL, NOT_PLAIN)
            return begin
        while not (self.is_over or self.is_shorter):
            gone = self._is_gone()  # asked first: what was written before it went is read nevertheless
            octets = self._raw.read(size)
            if octets:
                self.position += len(octets)
                return octets
            self.is_over = gone
            self.is_shorter = os.fstat(self._raw.fileno()).st_size < self.position
            if not gone and not self.is_shorter:
                time.sleep(POLL)
        return b""

    def is_packets(self) -> bool:
        """Tell whether it is a packet capture, by its first octets."""
        begin = self.read(BLOCK)
        while may_become_capture(begin) and (octets := self.read(BLOCK)):
            begin += octets
        self._begin = begin
        return is_capture(begin)

    def _is_gone(self) -> bool:
        try:
            there = os.stat(self._name)
        except OSError:  # between two files of that name
            return False
        return not os.path.samestat(there, os.fstat(self._raw.fileno()))
