"""The check of captures on several cores: the same results in the same order as on one.

Each process reads and decodes pieces of the files, which the main process hands out in their order. What the session
keeps of each exchange is passed on to all of them, so that each runs the rules on its own pieces as if it had read the
others as well. A long flow file is cut anywhere; a process then guesses where the first record of its stretch begins,
and the guess is taken only if the stretch before ends there.
"""

import signal
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.checking.merging import MergedCaptures
from ltkm_inspect.checking.pieces import Piece, cut, cut_by_time
from ltkm_inspect.checking.reading import CaptureReader
from ltkm_inspect.checking.results import StretchResult, WorkerError
from ltkm_inspect.checking.work import PreparedPiece, Share, Stretch
from ltkm_inspect.wire import crash_of

_ENDS = (signal.SIGINT, signal.SIGTERM)
AHEAD = 100
"""A process may begin another piece while so many exchanges wait for their turn: what was decoded takes memory."""
READ_AHEAD = 2
"""How many pieces for each process may be read before somebody begins them."""
IN_ALL = 8
"""How many pieces for each process may be read and not yet printed."""


@dataclass(slots=True)
class _Worker:
    """A process that shares the work."""

    index: int
    process: BaseProcess
    connection: Connection
    busy: int | None = None
    """The piece that it works at."""
    pieces: list[int] = field(default_factory=list)
    """Those that it has begun, in their order."""
    received: int = 0
    """Index of the piece up to which the process has received what others saw."""


def check(files: Sequence[Input], checker: Checker, jobs: int, *, by_time: bool = False) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in their order or by time.

    That many processes share it.

    Raises WorkerError where one of them is gone.
    """
    workers: list[_Worker] = []
    try:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # until each new process minds them by itself
        try:
            for _ in range(jobs):
                workers.append(_start(workers, checker))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield from _Run(files, workers, checker, by_time).results()
    finally:
        for worker in workers:
            worker.connection.close()
            worker.process.kill()
        for worker in workers:
            worker.process.join()


def _start(others: list[_Worker], checker: Checker) -> _Worker:
    forking = get_context("fork")
    ours, theirs = forking.Pipe()
    inherited = [ours, *(other.connection for other in others)]
    process = forking.Process(target=_serve, args=(theirs, inherited, checker), daemon=True)
    with warnings.catch_warnings():
        # Python warns of other threads, which are only those that fetch files
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    theirs.close()
    return _Worker(len(others), process, ours)


def _serve(connection: Connection, inherited: list[Connection], checker: Checker) -> None:
    """Answer one request after the other, until there is nobody who asks."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)  # the main process says when it is over
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    for other in inherited:
        other.close()  # else it would not be noticed that the main process is gone
    share = Share(checker)
    try:
        while True:
            what, given = connection.recv()
            try:
                answer = getattr(share, what)(*given)
            except Exception as error:
                connection.send(crash_of(error))
            else:
                connection.send(answer)
    except (EOFError, OSError):
        pass  # the main process is gone


class _Run:
    """One check that is shared between processes."""

    def __init__(self, files: Sequence[Input], workers: list[_Worker], checker: Checker, by_time: bool) -> None:
        self._workers = workers
        self._checker = checker
        limits = checker.context.limits
        self._reader = MergedCaptures(files, limits) if by_time else CaptureReader(limits)
        reader = self._reader
        self._new = cut(files, reader) if isinstance(reader, CaptureReader) else cut_by_time(reader)
        self._pieces: dict[int, Piece] = {}
        """Those that were read and not yet given out, by their number."""
        self._waiting: deque[int] = deque()
        """Those of them that nobody has begun."""
        self._read = self._settled = self._given = 0
        """How many pieces were read, are known to be what they seem, and were given out."""
        self._is_read = False
        """There are no more."""
        self._seen: dict[int, tuple[int | None, bytes]] = {}
        """What was seen in each piece, and by whom, until everybody knows it."""

    def results(self) -> Generator[StretchResult]:
        """Yield the results in the order of the pieces."""
        while True:
            busy = self._hand_out()
            while (piece := self._pieces.get(self._given)) is not None and piece.checked is not None:
                yield from self._give(piece, piece.checked)
            goes_on = self._read_on()
            if not (busy or goes_on or self._pieces):
                break
            # the processes are waited for only if there is nothing to read for them meanwhile
            for connection in wait(busy, 0 if goes_on else None) if busy else ():
                self._receive(next(worker for worker in self._workers if worker.connection is connection))
        worker, session = self._workers[0], self._checker.context.session
        self._send(worker, self._given, "follow", self._news(worker, self._given))
        if session is not None:
            session.become(self._answer(worker))
            session.until = self._reader.until

    def _read_on(self) -> bool:
        """Read a little further; return whether there is more to read now."""
        workers = len(self._workers)
        if self._is_read or len(self._waiting) >= READ_AHEAD * workers or len(self._pieces) >= IN_ALL * workers:
            return False
        try:
            piece = next(self._new)
        except StopIteration:
            self._is_read = True
            return False
        if piece is not None:
            number, self._read = self._read, self._read + 1
            self._pieces[number] = piece
            if piece.task is None:
                self._settle()
            else:
                self._waiting.append(number)
        return True

    def _hand_out(self) -> list[Connection]:
        """Give every process something to do, if there is; return the connections to those that have."""
        for worker in self._workers:
            if worker.busy is None:
                self._employ(worker)
        return [worker.connection for worker in self._workers if worker.busy is not None]

    def _employ(self, worker: _Worker) -> None:
        """Give a process the oldest of its pieces, where it can go on with it, else a new one."""
        if worker.pieces:
            number = worker.pieces[0]
            piece = self._pieces[number]
            if piece.found is None:
                self._send(worker, number, "find", number, piece.task)
                return
            if number < self._settled:
                self._send(worker, number, "inspect", number, self._news(worker, number), piece.settled.flows)
                return
        if self._waiting and len(worker.pieces) < 2 and self._ahead(worker) < AHEAD:
            number = self._waiting.popleft()
            piece = self._pieces[number]
            piece.worker = worker.index
            worker.pieces.append(number)
            self._send(worker, number, "find", number, piece.task)

    def _news(self, worker: _Worker, number: int) -> list[bytes]:
        """Return what others saw in the pieces before this one that the process has not received yet."""
        known = (self._seen.get(each, (None, b"")) for each in range(worker.received, number))
        worker.received = number
        return [octets for who, octets in known if who != worker.index and octets]

    def _ahead(self, worker: _Worker) -> int:
        """Return how many exchanges of a process wait for their turn."""
        return sum(found.exchanges for each in worker.pieces if (found := self._pieces[each].found) is not None)

    def _send(self, worker: _Worker, number: int, what: str, *given: Any) -> None:
        """Let a process do that to the piece of this number."""
        worker.busy = number
        try:
            worker.connection.send((what, given))
        except OSError:
            raise WorkerError(_end_of(worker)) from None

    def _answer(self, worker: _Worker) -> Any:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            raise WorkerError(_end_of(worker)) from None
        if isinstance(answer, str):
            raise WorkerError(f"a worker process failed: {answer}")
        return answer

    def _receive(self, worker: _Worker) -> None:
        answer = self._answer(worker)
        number, worker.busy = worker.busy, None
        assert number is not None
        piece = self._pieces[number]
        if isinstance(answer, PreparedPiece):
            piece.found = answer
            self._settle()
        else:
            piece.checked, piece.counts = answer
            worker.pieces.remove(number)

    def _settle(self) -> None:
        """Go on to the first piece of which it is not known yet that it begins where the one before it ends."""
        while (piece := self._pieces.get(self._settled)) is not None:
            number, file, found = self._settled, piece.file, piece.found
            if piece.task is None:
                if file.is_over:
                    piece.checked = [StretchResult(file.name)]
            elif found is None:
                return
            elif isinstance(settled := file.settle(piece.task, found), Stretch):
                piece.task, piece.found = settled, None
                return
            elif settled is None:
                piece.checked = [StretchResult(file.name)]
                if piece.worker is not None:
                    self._workers[piece.worker].pieces.remove(number)
            else:
                piece.settled = settled
                if isinstance(piece.task, Stretch):
                    piece.octets = found.end - (found.start or 0)
                self._seen[number] = piece.worker, found.seen
            self._settled += 1

    def _give(self, piece: Piece, checked: list[StretchResult]) -> list[StretchResult]:
        """Return the results of a piece, complete, and let go of what nobody needs any more."""
        del self._pieces[self._given]
        self._given += 1
        for number in [*self._seen]:
            if number >= min(self._given, *(worker.received for worker in self._workers)):
                break
            del self._seen[number]
        if piece.counts is not None:
            self._checker.counts.merge(piece.counts)
        if piece.task is not None:
            _, checked[-1].problem, checked[-1].unread = piece.settled
        checked[-1].octets = piece.octets
        return checked


def _end_of(worker: _Worker) -> str:
    worker.process.join(1)
    code = worker.process.exitcode
    how = f"by signal {-code}" if code is not None and code < 0 else "unexpectedly"
    return f"a worker process ended {how}; its unfinished work was not checked"
