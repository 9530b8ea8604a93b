"""What workers of a cluster do with captures: they read each piece twice; in between the registers are folded.

The first time the events of a piece are summarized, the second time they are checked, with what happened before each of
them. What is between the two is small and can be computed again, so that nothing is lost with a worker.
"""

import pickle
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from errno import ESTALE
from functools import partial
from typing import NamedTuple

from ltkm_inspect.capture import CandidateRecord, CaptureSource, Damage
from ltkm_inspect.capture.damage import NotACaptureError
from ltkm_inspect.capture.sources import StoredFile
from ltkm_inspect.checking import serial
from ltkm_inspect.checking.checker import Checker, Presenter
from ltkm_inspect.checking.merging import MergedItem
from ltkm_inspect.checking.reading import Held, numbered, read
from ltkm_inspect.checking.results import Counts, StretchResult
from ltkm_inspect.checking.work import PreparedPiece, Stretch, scan_stretch
from ltkm_inspect.cluster.job import Job
from ltkm_inspect.cluster.kept import Kept
from ltkm_inspect.cluster.pieces import Batch, Merged, identity_of
from ltkm_inspect.context import Context
from ltkm_inspect.engine import take_apart
from ltkm_inspect.output.console import failure
from ltkm_inspect.session import Session, SessionEvent, folding
from ltkm_inspect.session.folding import FoldedSession, Followed
from ltkm_inspect.traffic import Event

CHANGED = "the file changed between the two times that it was read; check it again when it is complete"
BESIDE_CHANGED = "not checked: another capture that it is read together with changed meanwhile"


class _Mark(NamedTuple):
    """A file of a batch as it was opened."""

    identity: Hashable
    events: int
    """How many events were followed before it."""


class PieceSummary(NamedTuple):
    """What is known of a piece once it was read."""

    found: PreparedPiece
    """Where the records of a stretch are, and how many flows."""
    events: int
    """How many events the session follows in it."""
    until: float | None
    """Until when the packet captures go, in seconds since 1970 UTC; None if that is not known."""
    identities: tuple[bytes, ...]
    """For redaction: who is named in it and has no form of its own."""
    marks: tuple[_Mark | None, ...]
    """Each file of a batch that was opened, in order; None for one that could not be."""
    worker: str
    """Who read it."""


class MappedPiece(NamedTuple):
    """What the first reading of a piece gives."""

    summary: PieceSummary
    events: bytes
    """What the session keeps of each event, packed."""
    again: "Again"


class _RecordPlace(NamedTuple):
    """A record that may be an event, in the index of a stretch."""

    offset: int
    octets: int
    current: bool
    """It is of the current format."""


type _Index = list[_RecordPlace | Held]


class Again(NamedTuple):
    """What the second reading of a stretch begins with."""

    kept: Kept
    places: bytes
    """Where its records are, pickled; empty without any."""


@dataclass(slots=True, kw_only=True)
class _Summarizer(Checker):
    """Takes events as a checker does, and only summarizes them."""

    followed: list[Followed] = field(default_factory=list)
    identities: list[bytes] = field(default_factory=list)

    def take(self, held: Held | SessionEvent, result: StretchResult, number: int) -> None:
        if isinstance(held, Event):
            step = self.context.event(held)
            self._check(step, result, number)
            take_apart(step)
        else:
            Checker.take(self, held, result, number)

    def _check(self, step: SessionEvent, result: StretchResult, number: int) -> None:
        redaction = self.presenter.wording.redaction
        with suppress(Exception):  # who checks it says so
            self.followed.append(Followed(step.summary, not step.event.faults))
        if redaction is not None:
            with suppress(Exception):
                self.identities += redaction.seen_in(step.event)


def keep(job: Job, task: Merged) -> Merged:
    """Keep what was read already, until it was checked."""
    return task


def map_piece(job: Job, task: Stretch | Batch | Merged) -> MappedPiece:
    """Read a piece, and summarize its events."""
    session = Session(job.settings)
    checker = job.checker
    summarizer = _Summarizer(context=replace(checker.context, session=session), presenter=checker.presenter)
    found, marks, index, kept = PreparedPiece(), list[_Mark | None](), list[_RecordPlace | Held](), Kept([])

    @contextmanager
    def marked(location: str) -> Iterator[CaptureSource]:
        marks.append(None)
        with job.opened(location) as source:
            marks[-1] = _Mark(identity_of(source), len(summarizer.followed))
            try:
                yield source
            except NotACaptureError:
                raise
            except OSError:  # the second time it may go on where it failed now
                marks[-1] = None
                raise

    if isinstance(task, Stretch):
        try:
            with _stretch(job, task) as file:
                every = read(_noted(scan_stretch(file, task, found), index), task.name, checker.context.limits)
                for held in _steps(found.counted(every), checker.context, index, kept):
                    summarizer.take(held, StretchResult(task.name), 0)
        except Exception as error:  # a file that the program fails on takes no other one with it
            found.error = failure(error)
    else:
        whole = serial.check(task.files, summarizer, marked) if isinstance(task, Batch) else _merged(task, summarizer)
        for _ in whole:
            pass
    followed = summarizer.followed
    named = tuple(summarizer.identities)
    summary = PieceSummary(found, len(followed), session.until, named, tuple(marks), job.worker)
    return MappedPiece(summary, folding.pack(followed), Again(kept, pickle.dumps(index) if index else b""))


def summary_of(job: Job, mapped: MappedPiece) -> PieceSummary:
    """Return what the driver of a cluster has to know of a piece."""
    return mapped.summary


def again_of(job: Job, mapped: MappedPiece) -> Again:
    """Return what the second reading of a stretch begins with."""
    return mapped.again


def judge_piece(
    job: Job,
    task: Stretch | Batch | Merged,
    summary: PieceSummary,
    again: Again | None,
    answers: Sequence[bytes],
    flows: int,
    identities: Sequence[bytes],
) -> tuple[list[StretchResult], Counts]:
    """Read a piece again, and check it, by what all parts of all rounds say of it.

    `again` is there for a stretch, and `flows` are those in its file before it. `identities` are those that redaction
    knows from earlier pieces.
    """
    session = FoldedSession(job.settings, folding.prior_states(summary.events, answers))
    context = replace(job.checker.context, session=session)
    checker = replace(job.checker, context=context, presenter=_knowing(job.checker, identities), counts=Counts())
    if isinstance(task, Merged):
        results = [*_joined(_merged(task, checker))]
    elif isinstance(task, Batch):
        results = [*_joined(serial.check(task.files, checker, _unchanged(job, task, summary.marks, session)))]
    else:
        assert again is not None
        result = StretchResult(task.name)
        try:
            with _stretch(job, task) as file:
                every: Iterable[Held | SessionEvent] | None = again.kept.take()
                if every is None:
                    every = read(_indexed(file, again.places), task.name, context.limits)
                for _, at, held in numbered(every, task.name, Counter({task.name: flows})):
                    if not isinstance(held, Damage):  # nothing follows it, and it is known of the whole file
                        checker.take(held, result, at)
        except Exception as error:  # a file that the program fails on takes no other one with it
            result.problem = failure(error)
        results = [result]
    return results, checker.counts


def _merged(task: Merged, checker: Checker) -> Iterator[StretchResult]:
    items: list[MergedItem] = pickle.loads(task.items)
    return serial.check_items(items, checker)


@contextmanager
def _stretch(job: Job, task: Stretch) -> Iterator[StoredFile]:
    """Open the file of a stretch; OSError if it was changed."""
    with job.opened(task.location) as source:
        if identity_of(source) != task.identity:
            raise OSError(ESTALE, CHANGED)
        yield source.raw


def _noted(found: Iterable[CandidateRecord | Held], index: _Index) -> Iterator[CandidateRecord | Held]:
    """Yield what a scan finds, and take note of where the records are."""
    for each in found:
        if isinstance(each, CandidateRecord):
            index.append(_RecordPlace(each.offset, len(each.record), each.current))
        else:
            index.append(each)
        yield each


def _steps(every: Iterable[Held], context: Context, index: _Index, kept: Kept) -> Iterator[Held | SessionEvent]:
    """Yield what is in a stretch, the events as they will be checked, and keep each once it was looked at."""
    for held in every:
        place, step = index[-1], context.event(held) if isinstance(held, Event) else held
        yield step
        kept.add(step, place.octets if isinstance(place, _RecordPlace) else 0)


def _indexed(file: StoredFile, index: bytes) -> Iterator[CandidateRecord | Held]:
    """Yield what a scan found before, without looking at what is between the records; OSError if it is not there."""
    each: _RecordPlace | Held
    for each in pickle.loads(index) if index else ():
        if isinstance(each, _RecordPlace):
            file.seek(each.offset)
            record = b""
            while len(record) < each.octets:
                more = file.read(each.octets - len(record))
                if not more:
                    raise OSError(ESTALE, CHANGED)
                record += more
            yield CandidateRecord(each.offset, record, each.current)
        else:
            yield each


def _unchanged(job: Job, task: Batch, marks: Sequence[_Mark | None], session: FoldedSession) -> serial.Open:
    """Return what opens the files of a batch in their order, as long as they are those that were summarized."""
    left = iter(marks)
    files = [file.location for file in task.files if not file.problem]
    is_changed = task.are_packets and any(map(partial(_is_other, job), files, marks))

    @contextmanager
    def unchanged(location: str) -> Iterator[CaptureSource]:
        mark = next(left)
        with job.opened(location) as source:
            if mark is None or identity_of(source) != mark.identity:
                raise OSError(ESTALE, CHANGED)
            if is_changed:
                raise OSError(ESTALE, BESIDE_CHANGED)
            session.position = mark.events
            yield source

    return unchanged


def _is_other(job: Job, location: str, mark: _Mark | None) -> bool:
    """Tell whether a file cannot be read as it was before."""
    try:
        with job.opened(location) as source:
            return mark is None or identity_of(source) != mark.identity
    except OSError:
        return mark is not None


def _knowing(checker: Checker, identities: Iterable[bytes]) -> Presenter:
    """Return a presenter that has seen these identities, if it redacts."""
    presenter = checker.presenter
    redaction = presenter.wording.redaction
    if redaction is None:
        return presenter
    redaction = redaction.another()
    for each in identities:
        redaction.learn(each)
    return replace(presenter, wording=replace(presenter.wording, redaction=redaction))


def _joined(results: Iterable[StretchResult]) -> Iterator[StretchResult]:
    """Yield results, those that follow each other in one file as one."""
    last: StretchResult | None = None
    for each in results:
        if last is None or last.name != each.name or last.problem:
            if last is not None:
                yield last
            last = each
            continue
        last.shown += each.shown
        last.octets += each.octets
        last.damaged += each.damaged
        last.problem, last.unread = each.problem, each.unread
    if last is not None:
        yield last
