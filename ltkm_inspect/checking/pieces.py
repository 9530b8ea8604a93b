"""Captures cut into pieces of work: a flow file into stretches of octets, any other file into batches of flows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ltkm_inspect.capture import (
    CandidateRecord,
    CaptureSource,
    Damage,
    LocalFile,
    SkippedFlows,
    opened,
    scan,
)
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.merging import FileProblem, MergedCaptures, MergedItem
from ltkm_inspect.checking.reading import CaptureReader, Held
from ltkm_inspect.checking.results import Counts, StretchResult
from ltkm_inspect.checking.work import FileRecords, MergedRecords, PreparedPiece, Record, Stretch, Task
from ltkm_inspect.output.console import failure

STRETCH = 1 << 20
"""How many octets of a flow file make a piece of work."""
FETCHED = 4
"""How many times as long it is if the file is elsewhere: some octets behind each stretch are fetched in vain."""
BATCH = 50
"""How many exchanges of another file do."""
STEP = 20
"""After so many of them it is time to look what else there is to do."""


@dataclass(slots=True)
class File:
    """A file of which pieces are handed out."""

    name: str
    location: str = ""
    """The path or URL to open it by."""
    end: int = 0
    """Where the next stretch has to begin."""
    flows: int = 0
    begun: bool = False
    is_over: bool = False
    """It is damaged, or cannot be read: what follows in it counts for nothing."""

    def settle(self, task: Task, found: PreparedPiece) -> "Stretch | Settled | None":
        """Go on behind the next piece of the file, once it is read; return its place in the file.

        None if there is nothing in it after all; a stretch if that is to be read instead, because a record began
        elsewhere.
        """
        if self.is_over:
            return None
        if isinstance(task, Stretch) and found.start != self.end and not found.error:
            if task.until is None or self.end < task.until:
                return task._replace(start=self.end, exact=True)
            return None
        problem, unread, flows = found.error, bool(found.error) and not self.begun, self.flows
        if found.damage is not None:
            problem = str(replace(found.damage, flows=found.damage.flows + flows))
        self.begun, self.is_over, self.end, self.flows = True, bool(problem), found.end, flows + found.flows
        return Settled(flows, problem, unread)


class Settled(NamedTuple):
    """The place of a piece in its file."""

    flows: int = 0
    """How many flows are in the file before it."""
    problem: str = ""
    """Why nothing that follows it can be read, in one line that is safe to print; empty if it can."""
    unread: bool = False
    """Nothing of the file could be read."""


_BEGIN = Settled()


@dataclass(slots=True)
class Piece:
    """A piece of work on its way."""

    file: File
    task: Task | None
    """None where there is nothing to do."""
    checked: list[StretchResult] | None = None
    """What it gives, once that is known; at least one result."""
    counts: Counts | None = None
    """What is counted in it, if there is anything."""
    octets: int = 0
    settled: Settled = _BEGIN
    worker: int | None = None
    """Who does it."""
    found: PreparedPiece | None = None


def cut(files: Sequence[Input], reader: CaptureReader) -> Iterator[Piece | None]:
    """Yield the pieces of these files in their order; None, now and then, while the next one is being read."""
    known: dict[str, File] = {}
    for given in files:
        file = known[given.name] = File(given.name, given.location)
        if given.problem:
            yield _problem(file, given.problem, unread=True)
            continue
        begun = False
        try:
            with opened(given.location) as source:
                for piece in _of_file(reader, known, file, source):
                    begun = True
                    yield piece
                    if file.is_over:
                        break
        except Exception as error:  # a file that the program fails on takes no other one with it
            yield _problem(file, failure(error), unread=not begun)
    yield from _batches(reader.rest(), known)


def _problem(file: File, problem: str, *, unread: bool = False) -> Piece:
    return Piece(file, None, [StretchResult(file.name, problem=problem, unread=unread)])


def _stretches(file: File, source: CaptureSource) -> Iterator[Piece]:
    """Yield the stretches of a flow file, of which any part can be read at once."""
    length = STRETCH if isinstance(source.raw, LocalFile) else STRETCH * FETCHED
    for each in Stretch.cut(file.name, file.location, source.raw.identity(), source.size or 0, length):
        yield Piece(file, each)


def _of_file(
    reader: CaptureReader, known: Mapping[str, File], file: File, source: CaptureSource
) -> Iterator[Piece | None]:
    """Yield the pieces of an open file, and of the packet captures known before it that end here or go on in it."""
    if source.is_har or source.is_packets:
        yield from _batches(reader.events(source, file.name), known, source.raw.tell)
        return
    yield from _batches(reader.rest(), known)
    if source.is_plain:
        yield from _stretches(file, source)
    else:
        yield from _batches(((file.name, 0, each) for each in scan(source.read)), known, source.raw.tell)


def _batches(
    found: Iterable[tuple[str, int, Held | CandidateRecord]],
    known: Mapping[str, File],
    position: Callable[[], int] = lambda: 0,
) -> Iterator[Piece | None]:
    """Yield what was found in files known by name, so many exchanges at a time; `position` is how far it is read."""
    batch: list[Record] = []
    octets, done, name = 0, 0, ""

    def piece() -> Piece:
        nonlocal batch, octets, done
        held, begun, batch, octets, done = batch, done, [], 0, position()
        return Piece(known[name], FileRecords(name, held), octets=done - begun)

    try:
        for number, (file, _, each) in enumerate(found, 1):
            is_nothing = isinstance(each, SkippedFlows) and not each.flows
            if is_nothing or not number % STEP:
                yield None
            if is_nothing:
                continue
            if batch and (file != name or isinstance(each, Damage) or len(batch) >= BATCH or octets >= STRETCH):
                yield piece()
            name = file
            if isinstance(each, Damage):
                yield _problem(known[name], str(each))
                continue
            batch.append(each)
            octets += len(each.record) if isinstance(each, CandidateRecord) else 0
    except Exception:
        if batch:  # what precedes the error counts
            yield piece()
        raise
    if batch:
        yield piece()


def cut_by_time(captures: MergedCaptures) -> Iterator[Piece | None]:
    """Yield the pieces of captures that are merged by time; None, now and then, while the next one is being read."""
    batch: list[MergedItem] = []

    def piece() -> Piece:
        nonlocal batch
        held, batch = batch, []
        records = [(each.name, each.number, each.held) for each in held if not isinstance(each.held, FileProblem)]
        return Piece(File(""), MergedRecords(held[0].name, records), octets=sum(each.octets for each in held))

    for number, item in enumerate(captures.items(), 1):
        if isinstance(item.held, FileProblem | Damage):
            if batch:
                yield piece()
            why = item.held if isinstance(item.held, FileProblem) else FileProblem(str(item.held), unread=False)
            yield _problem(File(item.name), why.text, unread=why.unread)
            continue
        batch.append(item)
        if len(batch) >= BATCH or sum(each.octets for each in batch) >= STRETCH:
            yield piece()
        elif not number % STEP:
            yield None
    if batch:
        yield piece()
