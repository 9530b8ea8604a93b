"""Pieces of work that a capture is cut into, and how one process does its share of them.

Work has two halves. The first reads and decodes, which needs nothing but the octets, and yields what the session keeps
of each exchange. Once that is known of all earlier pieces, whoever did them, the second half runs the rules. So every
process knows the whole session, and each exchange is judged as if all had been read one after the other.
"""

import pickle
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ESTALE
from typing import NamedTuple

from ltkm_inspect.capture import (
    BEFORE,
    CandidateRecord,
    Damage,
    DamagedEvent,
    SkippedFlows,
    StoredFile,
    UnreadTraffic,
    find_record,
    scan,
    stored,
)
from ltkm_inspect.capture.damage import REPLACED
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.checking.reading import Held, flows_of, numbered, read
from ltkm_inspect.checking.results import Counts, StretchResult
from ltkm_inspect.output.console import failure
from ltkm_inspect.session import EventSummary, Session, SessionEvent
from ltkm_inspect.traffic import Event

_SLACK = 1 << 16


class Stretch(NamedTuple):
    """The records of a flow file that begin between two places."""

    name: str
    location: str
    """The path or URL to open the file by."""
    identity: Hashable
    """That of the file, because another one may have its name by now."""
    start: int
    until: int | None
    """None for all that there are."""
    size: int
    """Of the file."""
    exact: bool
    """A record begins at `start`; else the first one behind it is to be found, which is a guess."""

    @classmethod
    def cut(cls, name: str, location: str, identity: Hashable, size: int, length: int) -> "Iterator[Stretch]":
        """Yield the stretches of a file of so many octets: equally long ones, of about `length` octets."""
        number = max(1, round(size / length))
        starts = [place * size // number for place in range(number)]
        for start, until in zip(starts, [*starts[1:], None], strict=True):
            yield cls(name, location, identity, start, until, size, start == 0)


type Counted = SkippedFlows | UnreadTraffic | DamagedEvent | Event
type Record = Counted | CandidateRecord
"""What is in a file and can be handed to another process."""


class FileRecords(NamedTuple):
    """What was found in a file already."""

    name: str
    found: list[Record]


class MergedRecords(NamedTuple):
    """What was found in several files, in the order of time, each with its capture and its number there."""

    name: str
    """The first capture."""
    found: list[tuple[str, int, Held]]


type Task = Stretch | FileRecords | MergedRecords


@dataclass(slots=True)
class PreparedPiece:
    """What the first half of a piece of work gave."""

    start: int | None = None
    """Where the first record of a stretch begins; None where none was found."""
    end: int = 0
    """Where what follows begins."""
    flows: int = 0
    exchanges: int = 0
    """How many MSK exchanges and datagrams are in them."""
    damage: Damage | None = None
    error: str = ""
    """Why the file cannot be read."""
    seen: bytes = b""
    """What the session keeps of each exchange, pickled."""

    def counted(self, every: Iterable[Held]) -> Iterator[Counted]:
        """Yield everything but damage, and take note of where it ends and how much it is."""
        for held in every:
            if isinstance(held, Damage):
                self.damage = held
                continue
            self.flows += flows_of(held)
            if isinstance(held, DamagedEvent | SkippedFlows):
                self.end = max(held.end, self.end)
            elif not isinstance(held, UnreadTraffic):
                self.exchanges += 1
            yield held


def scan_stretch(file: StoredFile, task: Stretch, found: PreparedPiece) -> Iterator[CandidateRecord | Held]:
    """Yield what a scan finds in a stretch of an open flow file, and take note of where its first record begins."""
    start: int | None = task.start
    if not task.exact:
        file.seek(max(task.start - BEFORE, 0))
        start = find_record(file.read, task.start, task.size if task.until is None else task.until)
    if start is None:
        return
    found.start = found.end = start
    file.seek(start)
    until = task.until

    def some(size: int) -> bytes:
        """Read no further behind the last record than is needed to find its end."""
        return file.read(size if until is None else min(size, max(until - file.tell(), _SLACK)))

    yield from scan(some, start, until, task.size)


type _Waiting = SkippedFlows | UnreadTraffic | DamagedEvent | SessionEvent


@dataclass(slots=True)
class Share:
    """The share of one process in a check, with a session of its own that is kept up to date."""

    checker: Checker
    _waiting: dict[int, tuple[str, list[tuple[str, int, _Waiting]]]] = field(default_factory=dict)
    """What is to be inspected, each with its capture and its number there, from the beginning of its piece on."""
    _file: StoredFile | None = None
    _location: str = ""

    def find(self, number: int, task: Task) -> PreparedPiece:
        """Do the first half of a piece of work."""
        found, seen = PreparedPiece(), []
        waiting: list[tuple[str, int, _Waiting]] = []
        try:
            for name, at, held in self._numbered(task, found):
                if isinstance(held, UnreadTraffic | DamagedEvent | SkippedFlows):
                    waiting.append((name, at, held))
                else:
                    step = self.checker.context.event(held)
                    waiting.append((name, at, step))
                    if not held.faults:
                        with suppress(Exception):  # what cannot be looked at is not remembered; who inspects it says so
                            seen.append(step.summary)
        except Exception as error:  # a file that the program fails on takes no other one with it
            found.error = failure(error)
        self._waiting[number] = task.name, waiting
        found.seen = pickle.dumps(seen, pickle.HIGHEST_PROTOCOL) if seen else b""
        return found

    def inspect(self, number: int, seen: list[bytes], flows: int) -> tuple[list[StretchResult], Counts]:
        """Do the second half, after what others saw of the pieces before it, those of this process left out.

        `flows` is how many there are in the file before the piece. A result is about one capture.
        """
        session = self.follow(seen)
        for earlier in [earlier for earlier in self._waiting if earlier < number]:
            del self._waiting[earlier]  # it turned out that there is nothing in it after all
        first, waiting = self._waiting.pop(number)
        results, counts = [StretchResult(first)], Counts()
        self.checker.counts = counts
        for name, at, held in waiting:
            if name != results[-1].name:
                results.append(StretchResult(name))
            self.checker.take(held, results[-1], flows + at)
        counts.forgotten = session.forgotten.copy()
        return results, counts

    def follow(self, seen: list[bytes]) -> Session:
        """Take note of what others saw; return the session, which knows it now."""
        session = self.checker.context.session
        assert session is not None
        for octets in seen:
            each: EventSummary
            for each in pickle.loads(octets):  # it comes from a process of our own
                with suppress(Exception):  # whoever inspects it says so
                    session.follow(each)
        return session

    def close(self) -> None:
        """Close the file that was read last, which stays open for its next stretch."""
        if self._file is not None:
            self._file.close()

    def _numbered(self, task: Task, found: PreparedPiece) -> Iterator[tuple[str, int, Counted]]:
        if isinstance(task, MergedRecords):
            yield from ((name, at, held) for name, at, each in task.found for held in found.counted((each,)))
        else:
            yield from numbered(found.counted(self._held(task, found)), task.name, Counter())

    def _held(self, task: Stretch | FileRecords, found: PreparedPiece) -> Iterator[Held]:
        if isinstance(task, FileRecords):
            yield from read(iter(task.found), task.name, self.checker.context.limits)
            return
        yield from read(scan_stretch(self._opened(task), task, found), task.name, self.checker.context.limits)

    def _opened(self, task: Stretch) -> StoredFile:
        if self._file is None or self._location != task.location:
            self.close()
            self._file, self._location = stored(task.location), task.location
        if self._file.identity() != task.identity:
            raise OSError(ESTALE, REPLACED)
        return self._file
