"""The driver of a check on a cluster: it hands out the work, and gives the results in the order of the files.

It knows a few numbers of each piece, and no event.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.checking.results import StretchResult
from ltkm_inspect.checking.work import Stretch
from ltkm_inspect.cluster import work
from ltkm_inspect.cluster.pieces import Piece, cut
from ltkm_inspect.output.redaction import REMEMBERED
from ltkm_inspect.session import folding

STATES = 16 << 10
"""About so many octets of prior states an event has."""
PART = 64 << 20
"""So many octets of prior states one part of a register should have: they are in the memory of one worker."""
MOST_PARTS = 64
"""Each part takes a few tasks for each piece: there are no more parts than this, unless there are more workers."""
LEAST_EVENTS = 1000
"""So many events are worth a part."""
AHEAD = 4
"""How many pieces for each worker are handed out before their results are awaited."""


class Cluster(Protocol):
    """Workers that have the checker of the run, and call functions with it. What a call returns stays with them."""

    workers: int

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a function called; return what stands for its result, also in the arguments of later calls."""

    def result(self, submitted: Any) -> Any:
        """Wait for a result, and return it. Raises WorkerError where there is none."""


@dataclass(slots=True)
class _Mapped:
    """A piece that was read once."""

    piece: Piece
    mapped: Any
    """Stands for what is known of it."""
    summary: work.Summary
    answers: list[Any] = field(default_factory=list)
    """Stand for what all parts of all rounds say of it."""


def check(files: Sequence[Input], checker: Checker, cluster: Cluster) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in their order, as on one machine.

    Raises WorkerError where the cluster is gone, or failed.
    """
    pieces: list[_Mapped] = []
    yield from _map(files, cluster, pieces)
    session = checker.context.session
    assert session is not None
    endings = _fold(cluster, pieces)
    ended = folding.end([cluster.result(each) for each in endings], session.settings)
    ended.until = max((each.summary.until for each in pieces if each.summary.until is not None), default=None)
    session.become(ended)
    checker.counts.forgotten = session.forgotten.copy()
    yield from _judge(cluster, checker, pieces)


def _map(files: Sequence[Input], cluster: Cluster, pieces: list[_Mapped]) -> Iterator[StretchResult]:
    """Have every piece read and summarized; yield how far it is."""
    waiting: deque[tuple[Piece, Any, Any]] = deque()

    def submit(piece: Piece) -> tuple[Piece, Any, Any]:
        mapped = cluster.submit("map", work.map_piece, piece.task)
        return piece, mapped, cluster.submit("summary", work.summary_of, mapped)

    def settle() -> StretchResult:
        piece, mapped, summary = waiting.popleft()
        while True:
            known: work.Summary = cluster.result(summary)
            if piece.file is None or not isinstance(piece.task, Stretch):
                break
            settled = piece.file.settle(piece.task, known.found)
            if settled is None:  # there is nothing in it after all
                return StretchResult(piece.name, octets=piece.octets)
            if not isinstance(settled, Stretch):
                piece.settled = settled
                until = known.found.end if known.found.error else piece.task.until
                piece.task = piece.task._replace(start=known.found.start or 0, until=until, exact=True)
                break
            piece.task = settled
            piece, mapped, summary = submit(piece)
        pieces.append(_Mapped(piece, mapped, known))
        return StretchResult(piece.name, octets=piece.octets // 2)

    for piece in cut(files):
        waiting.append(submit(piece))
        if len(waiting) > AHEAD * cluster.workers:
            yield settle()
    while waiting:
        yield settle()


def _fold(cluster: Cluster, pieces: list[_Mapped]) -> list[Any]:
    """Have the registers folded; return what stands for what each part says of the end."""
    numbered = [(number, each) for number, each in enumerate(pieces) if each.summary.events]
    events = sum(each.summary.events for each in pieces)
    enough = max(min(cluster.workers, events // LEAST_EVENTS), ceil(events * STATES / PART))
    parts = max(1, min(enough, max(MOST_PARTS, cluster.workers)))
    endings = []
    for stage in folding.STAGES:
        found = [cluster.submit("split", work.split, stage, each.mapped, each.answers, parts) for _, each in numbered]
        numbers = [number for number, _ in numbered]
        answers: list[list[Any]] = [[] for _ in numbered]
        for part in range(parts):
            picked = [cluster.submit("pick", work.pick, each, part) for each in found]
            folded = cluster.submit("fold", work.fold, stage, numbers, picked, part, parts)
            endings.append(cluster.submit("ending", work.ending, folded))
            for each, number in zip(answers, numbers, strict=True):
                each.append(cluster.submit("answer", work.answer, folded, number))
        for (_, mapped), each in zip(numbered, answers, strict=True):
            mapped.answers += each
    for mapped in pieces:
        mapped.mapped = None  # nobody needs it any more, once all that was submitted is done
    return endings


def _judge(cluster: Cluster, checker: Checker, pieces: list[_Mapped]) -> Iterator[StretchResult]:
    """Have every piece checked; yield the results."""
    left = deque(pieces)
    waiting: deque[tuple[Piece, tuple[bytes, ...], Any]] = deque()
    redaction = checker.presenter.wording.redaction
    known: list[bytes] = []
    """The identities that redaction remembers, up to the piece that is submitted next."""
    begun, refused = set[int](), set[int]()
    while left or waiting:
        while left and len(waiting) < AHEAD * cluster.workers:
            each = left.popleft()
            arguments = each.piece.task, each.summary, each.answers, each.piece.settled.flows, tuple(known)
            judged = cluster.submit("judge", work.judge_piece, *arguments)
            waiting.append((each.piece, each.summary.identities, judged))
            for identity in each.summary.identities:
                if len(known) >= REMEMBERED:
                    known.clear()
                known.append(identity)
        piece, identities, judged = waiting.popleft()
        results, counts = cluster.result(judged)
        checker.counts.merge(counts)
        if redaction is not None:
            for identity in identities:
                redaction.learn(identity)
        yield from _complete(piece, results, begun, refused)


def _complete(
    piece: Piece, results: list[StretchResult], begun: set[int], refused: set[int]
) -> Iterator[StretchResult]:
    """Yield the results of a piece with what is known of its place in its file, and how far it is."""
    done, file = piece.octets // 2, id(piece.file)
    for number, each in enumerate(results, 1):
        if piece.file is not None:
            if each.problem:  # each stretch of a file that was changed says so
                each.unread, each.problem = file not in begun, "" if file in refused else each.problem
                refused.add(file)
            else:
                _, each.problem, each.unread = piece.settled
            begun.add(file)
        each.octets = 0 if number < len(results) else piece.octets - done
        yield each
