"""The driver of a check on a cluster: it hands out the work, and gives the results in the order of the files.

It knows a few numbers of each piece, and no event.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, chain
from math import ceil
from typing import Any, Protocol

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.checking.merging import MergedCaptures
from ltkm_inspect.checking.results import StretchResult
from ltkm_inspect.checking.work import Stretch
from ltkm_inspect.cluster import rounds, work
from ltkm_inspect.cluster.pieces import ClusterPiece, Merged, cut, cut_by_time
from ltkm_inspect.output.redaction import REMEMBERED
from ltkm_inspect.session import folding
from ltkm_inspect.session.folding import Round

STATES = 8 << 10
"""About so many octets of prior states an event has."""
TOUCHES = 1 << 10
"""About so many octets an event has in each of the rounds without these."""
PART = 64 << 20
"""So many octets one part of a register should have: they are in the memory of one worker."""
MOST_TASKS = 400_000
"""Each part takes a few tasks for each group of pieces, and a scheduler needs about a millisecond for one."""
GROUPS, MOST_GROUPS = 8, 1000
"""In so many groups for each worker, and in all, pieces are handed on to the parts together."""
LEAST_EVENTS = 1000
"""So many events are worth a part."""
AHEAD = 4
"""How many pieces for each worker are handed out before their results are awaited."""


class Cluster(Protocol):
    """Workers that have the checker of the run, and call functions with it. What a call returns stays with them."""

    workers: int

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, worker: str = "") -> Any:
        """Have a function called; return what stands for its result, also in the arguments of later calls.

        It is called on that worker, unless another one has nothing to do.
        """

    def result(self, submitted: Any) -> Any:
        """Wait for a result, and return it. Raises WorkerError where there is none."""


@dataclass(slots=True)
class _Mapped:
    """A piece that was read once."""

    piece: ClusterPiece
    mapped: Any
    """Stands for what is known of it."""
    summary: work.PieceSummary
    again: Any = None
    """Stands for what the second reading of a stretch begins with."""
    answers: Any = ()
    """Stands for what all parts of all rounds say of it."""


def check(
    files: Sequence[Input], checker: Checker, cluster: Cluster, *, by_time: bool = False
) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in their order or by time, as on one machine.

    By time, this process reads the files, and hands out what is in them. Raises WorkerError where the cluster is gone,
    or failed.
    """
    pieces: list[_Mapped] = []
    captures = MergedCaptures(files, checker.context.limits) if by_time else None
    yield from _map(cut(files, cluster.workers) if captures is None else cut_by_time(captures), cluster, pieces)
    session = checker.context.session
    assert session is not None
    endings = _fold(cluster, pieces)
    judging = _Judging(cluster, checker, pieces)
    judging.submit()  # the end of the session is told meanwhile, which no rule needs
    ended = folding.end([cluster.result(each) for each in endings], session.settings)
    untils = [each.summary.until for each in pieces] if captures is None else [captures.until]
    ended.until = max((each for each in untils if each is not None), default=None)
    session.become(ended)
    checker.counts.forgotten = session.forgotten.copy()
    yield from judging.results()


def _map(new: Iterable[ClusterPiece], cluster: Cluster, pieces: list[_Mapped]) -> Iterator[StretchResult]:
    """Have every piece read and summarized; yield how far it is."""
    waiting: deque[tuple[ClusterPiece, Any, Any]] = deque()

    def submit(piece: ClusterPiece) -> tuple[ClusterPiece, Any, Any]:
        if isinstance(piece.task, Merged):
            piece.task = cluster.submit("keep", work.keep, piece.task)
        mapped = cluster.submit("map", work.map_piece, piece.task)
        return piece, mapped, cluster.submit("summary", work.summary_of, mapped)

    def settle() -> StretchResult:
        piece, mapped, summary = waiting.popleft()
        while True:
            known: work.PieceSummary = cluster.result(summary)
            if piece.file is None or not isinstance(piece.task, Stretch):
                break
            settled = piece.file.settle(piece.task, known.found)
            if settled is None:  # there is nothing in it after all
                return StretchResult(piece.name, octets=piece.octets)
            if not isinstance(settled, Stretch):
                piece.settled = settled
                break
            piece.task = settled
            piece, mapped, summary = submit(piece)
        pieces.append(_Mapped(piece, mapped, known))
        return StretchResult(piece.name, octets=piece.octets // 2)

    for piece in new:
        waiting.append(submit(piece))
        if len(waiting) > AHEAD * cluster.workers:
            yield settle()
    while waiting:
        yield settle()


def _fold(cluster: Cluster, pieces: list[_Mapped]) -> list[Any]:
    """Have the registers folded; return what stands for what each part says of the end."""
    known = [number for number, each in enumerate(pieces) if each.summary.events]
    groups = [*batched(known, max(1, len(known) // min(GROUPS * cluster.workers, MOST_GROUPS)))]
    events = sum(each.summary.events for each in pieces)
    parts, history_parts = parts_for(events, len(groups), cluster.workers)
    mapped = [[pieces[number].mapped for number in group] for group in groups]
    found = [
        cluster.submit("split", rounds.split, group, each, parts, history_parts)
        for group, each in zip(groups, mapped, strict=True)
    ]
    early = [[cluster.submit("pick", rounds.pick, each, 0, part) for each in found] for part in range(parts)]
    history = [[cluster.submit("pick", rounds.pick, each, 1, part) for each in found] for part in range(history_parts)]
    folded: dict[Round, list[Any]] = {}

    def fold(stage: Round, touches: list[list[Any]]) -> list[list[Any]]:
        """Have every part of a round folded; return what stands for what they say of each group."""
        needed = [each for round in stage.needs for each in folded[round]]
        folded[stage] = [cluster.submit("fold", rounds.fold, stage, part, needed) for part in touches]
        if stage in (Round.EVENTS, Round.SIGHTINGS):
            return []
        return [[cluster.submit("answer", rounds.answer, part, group) for part in folded[stage]] for group in groups]

    fold(Round.EVENTS, early)
    copies, challenges, past = fold(Round.COPIES, early), fold(Round.CHALLENGES, early), fold(Round.HISTORY, history)
    for group, *answers in zip(groups, copies, challenges, past, strict=True):
        gathered = cluster.submit("gather", rounds.gather, [*chain.from_iterable(answers)])
        for number in group:
            pieces[number].answers = cluster.submit("own", rounds.own, gathered, number)
    found = [
        cluster.submit("split", rounds.split_sightings, group, each, said, parts)
        for group, each, said in zip(groups, mapped, challenges, strict=True)
    ]
    fold(
        Round.SIGHTINGS, [[cluster.submit("pick", rounds.pick, each, part) for each in found] for part in range(parts)]
    )
    for piece in pieces:
        piece.again = cluster.submit("again", work.again_of, piece.mapped) if piece.piece.file is not None else None
        piece.mapped = None  # nobody needs it any more, once all that was submitted is done
    return [cluster.submit("ending", rounds.ending, part) for every in folded.values() for part in every]


def parts_for(events: int, groups: int, workers: int) -> tuple[int, int]:
    """Return among how many parts the keys of registers are shared: of most, and of `HISTORY`."""
    most = MOST_TASKS // max(groups, 1)
    history_parts = max(min(workers, events // LEAST_EVENTS), ceil(events * STATES / PART))
    return max(1, min(ceil(events * TOUCHES / PART), most // 16)), max(1, min(history_parts, most // 4))


class _Judging:
    """Has every piece checked, a few at a time."""

    def __init__(self, cluster: Cluster, checker: Checker, pieces: list[_Mapped]) -> None:
        self._cluster = cluster
        self._checker = checker
        self._left = deque(pieces)
        self._waiting: deque[tuple[ClusterPiece, tuple[bytes, ...], Any]] = deque()
        self._known: list[bytes] = []
        """The identities that redaction remembers, up to the piece that is submitted next."""

    def submit(self) -> None:
        """Have as many pieces checked as are worth it."""
        while self._left and len(self._waiting) < AHEAD * self._cluster.workers:
            each = self._left.popleft()
            piece, summary = each.piece, each.summary
            arguments = piece.task, summary, each.again, each.answers, piece.settled.flows, tuple(self._known)
            judged = self._cluster.submit("judge", work.judge_piece, *arguments, worker=summary.worker)
            self._waiting.append((piece, summary.identities, judged))
            each.again, each.answers = None, ()  # so that workers need not keep them any longer
            for identity in summary.identities:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known.append(identity)

    def results(self) -> Iterator[StretchResult]:
        """Yield the results in their order."""
        redaction = self._checker.presenter.wording.redaction
        begun, refused = set[int](), set[int]()
        while self._waiting:
            piece, identities, judged = self._waiting.popleft()
            results, counts = self._cluster.result(judged)
            self._checker.counts.merge(counts)
            if redaction is not None:
                for identity in identities:
                    redaction.learn(identity)
            yield from _complete(piece, results, begun, refused)
            self.submit()


def _complete(
    piece: ClusterPiece, results: list[StretchResult], begun: set[int], refused: set[int]
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
