"""A flow file that somebody is still writing, read on as it grows."""

import os
import time
from collections.abc import Iterator
from io import FileIO

from ltkm_inspect.capture.damage import SHORTER, Damage, DamagedEvent, PackedError
from ltkm_inspect.capture.records import CandidateRecord, SkippedFlows, scan

POLL = 0.2
"""How many seconds pass before it is looked again whether there is more."""
NOT_PLAIN = "expected an uncompressed flow file: unpack it first, or check it without --follow"
AGAIN = f"{SHORTER}; reading again from its start"


def follow(name: str) -> Iterator[SkippedFlows | CandidateRecord | Damage | DamagedEvent]:
    """Yield what a flow file holds and what is added to it, each flow once it is whole; it ends where there is damage.

    Where another file takes its name, as when it is rotated, the old one is read to its end, and then the new one.
    Raises OSError where it cannot be opened or read.
    """
    while True:
        with FileIO(name) as raw:
            tail = _Tail(name, raw)
            damaged = False
            for found in scan(tail.read):
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
        self.position = 0
        self.is_over = False
        """Another file has its name."""
        self.is_shorter = False
        """It has fewer octets than were read of it."""

    def read(self, size: int) -> bytes:
        """Return what there is, at most that much; wait where there is nothing."""
        while not (self.is_over or self.is_shorter):
            gone = self._is_gone()  # asked first: what was written before it went is read nevertheless
            octets = self._raw.read(size)
            if octets:
                if not self.position and not octets[:1].isdigit():
                    raise PackedError(NOT_PLAIN)
                self.position += len(octets)
                return octets
            self.is_over = gone
            self.is_shorter = os.fstat(self._raw.fileno()).st_size < self.position
            if not gone and not self.is_shorter:
                time.sleep(POLL)
        return b""

    def _is_gone(self) -> bool:
        try:
            there = os.stat(self._name)
        except OSError:  # between two files of that name
            return False
        return not os.path.samestat(there, os.fstat(self._raw.fileno()))
