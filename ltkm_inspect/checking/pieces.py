"""Captures cut into pieces of work: a flow file into stretches of octets, any other file into batches of flows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import fstat

from ltkm_inspect.capture import (
    CandidateRecord,
    CaptureSource,
    Damage,
    DamagedEvent,
    SkippedFlows,
    UnreadTraffic,
    opened,
    scan,
)
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.reading import events
from ltkm_inspect.checking.results import StretchResult
from ltkm_inspect.checking.work import FileRecords, PreparedPiece, Stretch, Task
from ltkm_inspect.output.console import failure
from ltkm_inspect.traffic import Event, Limits

STRETCH = 1 << 20
"""How many octets of a flow file make a piece of work."""
BATCH = 200
"""How many exchanges of another file do."""


@dataclass(slots=True)
class File:
    """A file of which pieces are handed out."""

    name: str
    end: int = 0
    """Where the next stretch has to begin."""
    flows: int = 0
    begun: bool = False
    is_over: bool = False
    """It is damaged, or cannot be read: what follows in it counts for nothing."""


@dataclass(slots=True)
class Piece:
    """A piece of work on its way."""

    file: File
    task: Task | None
    """None where there is nothing to do."""
    checked: StretchResult | None = None
    """What it gives, once that is known."""
    octets: int = 0
    flows: int = 0
    """How many flows there are in the file before it."""
    worker: int | None = None
    """Who does it."""
    found: PreparedPiece | None = None
    problem: str = ""
    unread: bool = False


def cut(files: Sequence[Input], limits: Limits) -> Iterator[Piece]:
    """Yield the pieces of these files in their order."""
    for given in files:
        file = File(given.name)
        if given.problem:
            yield _problem(file, given.problem, unread=True)
            continue
        begun = False
        try:
            with opened(given.name) as source:
                whole = source.is_har or source.is_packets or not source.is_plain
                for piece in _batches(file, source, limits) if whole else _stretches(file, source):
                    begun = True
                    yield piece
                    if file.is_over:
                        break
        except Exception as error:  # a file that the program fails on takes no other one with it
            yield _problem(file, failure(error), unread=not begun)


def _problem(file: File, problem: str, *, unread: bool = False) -> Piece:
    return Piece(file, None, StretchResult(file.name, problem=problem, unread=unread))


def _stretches(file: File, source: CaptureSource) -> Iterator[Piece]:
    """Yield the stretches of a flow file, of which any part can be read at once."""
    size = source.size or 0
    status = fstat(source.raw.fileno())
    for start in range(0, max(size, 1), STRETCH):
        until = start + STRETCH if start + STRETCH < size else None
        yield Piece(file, Stretch(file.name, (status.st_dev, status.st_ino), start, until, size, start == 0))


def _batches(file: File, source: CaptureSource, limits: Limits) -> Iterator[Piece]:
    """Yield the content of a file that has to be read from its start, this many exchanges at a time."""
    found: list[SkippedFlows | UnreadTraffic | CandidateRecord | DamagedEvent | Event] = []
    octets = done = 0
    is_read = source.is_har or source.is_packets
    for each in events(source, file.name, limits) if is_read else scan(source.read):
        if not isinstance(each, Damage):
            found.append(replace(each) if isinstance(each, Event) else each)  # without what was parsed of it already
            octets += len(each.record) if isinstance(each, CandidateRecord) else 0
        if isinstance(each, Damage) or len(found) >= BATCH or octets >= STRETCH:
            at = source.raw.tell()
            yield Piece(file, FileRecords(file.name, found), octets=at - done)
            found, octets, done = [], 0, at
        if isinstance(each, Damage):
            yield _problem(file, str(each))
    if found:
        yield Piece(file, FileRecords(file.name, found), octets=(source.size or 0) - done)
