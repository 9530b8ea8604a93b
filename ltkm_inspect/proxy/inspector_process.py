"""The inspector process as the proxy sees it: started, asked, replaced where it crashes or hangs, and ended."""

import asyncio
import logging
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import ltkm_inspect
from ltkm_inspect.inspecting import BOTH, SENT, Opening, Presentation, Terms
from ltkm_inspect.inspecting.__main__ import LONGEST, READY
from ltkm_inspect.proxy.remote_inspection import (
    Incoming,
    InspectorMissingError,
    NotInspectedError,
    RemoteInspection,
    Senders,
    dumped,
)
from ltkm_inspect.session import EventSummary

MOST_EVENTS = 1000
"""So many events may wait to be inspected."""
MOST_OCTETS = 64 << 20
"""So many octets they may have together."""
MOST_KNOWN = 10_000
"""So many of the latest events another process remembers that takes the place of one that has ended."""
PATIENCE = 10.0
"""Seconds for which the end of a run waits for what is not inspected yet."""
STARTS = 3
"""After so many starts in a row that came to nothing there is no other."""
STARTING = 60.0
"""Seconds that it may take until it is ready."""
logger = logging.getLogger(__name__)


class InspectorProcess:
    """A process that inspects one event after the other, in the order in which they come.

    It is another program, so nothing that happens to it, by whatever octets, happens to the proxy. If it crashes or
    hangs, another one takes its place and begins again with what was not answered; the event that it was at is tried
    once more and then left. It has a session of its own, which remembers the same events as that of the proxy; one that
    takes the place of another remembers the latest of them.
    """

    def __init__(self) -> None:
        self.is_ready = False
        self.is_missing = False
        """It could not be started, again and again."""
        self.module = "ltkm_inspect.inspecting"
        """What Python is to run."""
        self.longest = LONGEST
        """Seconds after which it counts as hanging."""
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._terms: Terms | None = None
        """By which it goes now."""
        self._wanted = Terms()
        self._asked: deque[RemoteInspection] = deque()
        """What it has not answered, in the order of the answers."""
        self._octets = 0
        """How many they have."""
        self._known: deque[tuple[str, bytes]] = deque(maxlen=MOST_KNOWN)
        """What a session keeps of the latest events, pickled, and what they are remembered as."""
        self._are_apart = False
        self._in, self._out = Incoming(), bytearray()
        self._record_follows: tuple[bytes, Presentation] | None = None
        """An answer of which the record has not come yet."""
        self._is_writing = False
        self._starts = 0
        self._since = 0.0
        """When it answered last, or was given the first of what it is to do."""
        self._until: float | None = None
        """When the end of the run stops waiting."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        """It was started."""
        return self._process is not None

    @property
    def waiting(self) -> int:
        """How many events are not inspected yet."""
        return len(self._asked)

    @property
    def is_at_something_large(self) -> bool:
        """It will take long until it answers."""
        return bool(self._asked) and self._asked[0].is_large

    def knows(self, senders: Callable[[], Senders]) -> bool:
        """Tell whether something of the same terminal waits to be inspected."""
        wanted = senders() if self._asked else frozenset()
        return any(not wanted.isdisjoint(each.senders) for each in self._asked)

    def open(
        self, opening: Opening, terms: Terms, senders: Callable[[], Senders], *, is_large: bool
    ) -> RemoteInspection:
        """Begin to inspect an event, which may be large; NotInspectedError if too much waits already.

        One event alone is never too much.
        """
        self._wanted = terms
        found = RemoteInspection(self.wait_for, opening, senders, is_large=is_large)
        number, octets = len(self._asked), self._octets
        if number >= MOST_EVENTS or (number and octets + len(found.octets) > MOST_OCTETS):
            raise NotInspectedError(f"{number} events ({octets >> 20} MB) were waiting for it", "queue")
        if self.is_missing:
            found.settle(b"", None, InspectorMissingError())
        else:
            self._ask(found)
        return found

    def follow(self, event: EventSummary | bytes, what: str) -> None:
        """Let the session of the process remember an event that it did not inspect, or what a terminal got."""
        octets = event if isinstance(event, bytes) else pickle.dumps(event, pickle.HIGHEST_PROTOCOL)
        self._known.append((what, octets))
        self._write(dumped("follow", what, octets))

    def part(self) -> None:
        """Distinguish from now on between what is sent and what terminals get."""
        if not self._are_apart:
            self._are_apart = True
            self._write(dumped("part"))

    def start(self) -> None:
        """Start it, if it does not run."""
        if self._process is None and not self.is_missing:
            self._loop, self._until = asyncio.get_running_loop(), None
            self._start()

    def stop(self) -> None:
        """End it; nothing is left behind."""
        self._disconnect()
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def hurry(self) -> None:
        """From now on, wait for all that is not answered no longer than the time limit."""
        self._until = monotonic() + PATIENCE

    def wait_for(self, inspection: RemoteInspection) -> None:
        """Let the process go on until it has answered; NotInspectedError in its place after the time limit."""
        end = monotonic() + PATIENCE if self._until is None else self._until
        while not inspection.is_answered:
            left = end - monotonic()
            if left <= 0 or self._socket is None:
                error = NotInspectedError("the run ended before it was inspected", "end")
                inspection.settle(b"", None, error)
                return
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._out else 0))
            for _, ready in poll.poll(1000 * left):
                if ready & select.POLLOUT:
                    self._flush()
                if ready & ~select.POLLOUT:
                    self._receive()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._in, self._out, self._record_follows = Incoming(), bytearray(), None
        self._socket, self._terms, self.is_ready = ours, None, False
        self._starts += 1
        path = [str(Path(ltkm_inspect.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", self.module, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                )
        except OSError as error:
            self._give_up(f"cannot be started: {error.strerror or error}")
            return
        assert self._loop is not None
        self._loop.add_reader(ours, self._receive)
        self._write(dumped("restore", [*self._known], self._are_apart))

    def _disconnect(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            assert self._loop is not None
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
        self._socket, self.is_ready, self._is_writing = None, False, False

    def _ask(self, inspection: RemoteInspection) -> None:
        self._asked.append(inspection)
        self._octets += len(inspection.octets)
        if len(self._asked) == 1:
            self._since = monotonic()
            if self._timer is None:
                self._watch_again()
        self._write_question(inspection)

    def _write_question(self, inspection: RemoteInspection) -> None:
        if self._terms is not self._wanted:
            self._terms = self._wanted
            self._write(dumped("use", self._wanted))
        self._write(inspection.octets)

    def _write(self, octets: bytes) -> None:
        if self._socket is None:
            return
        self._out += octets
        if not self._is_writing:
            self._flush()

    def _flush(self) -> None:
        """Write what goes; the rest when there is room again."""
        assert self._socket is not None
        assert self._loop is not None
        try:
            del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            return  # it has ended, which is noticed where answers are read
        if self._is_writing != bool(self._out):
            self._is_writing = not self._is_writing
            if self._is_writing:
                self._loop.add_writer(self._socket, self._flush)
            else:
                self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        """Take what has come."""
        assert self._socket is not None
        try:
            messages = self._in.receive(self._socket)
        except BlockingIOError:
            return
        except OSError:
            messages = None
        if messages is None:
            self._replace()
            return
        self._since = monotonic()
        for each in messages:
            if self._record_follows is not None:
                (octets, told), self._record_follows = self._record_follows, None
                told.record = each
                self._settle(octets, told)
            else:
                self._take(pickle.loads(each))  # it comes from a process of our own

    def _take(self, message: Any) -> None:
        if message == READY:
            self.is_ready, self._starts = True, 0
            self._watch_again()
            assert self._process is not None
            logger.debug("ltkm: the inspector process %d is ready", self._process.pid)
            return
        octets, told, error, record_follows = message
        if record_follows:
            self._record_follows = octets, told
        else:
            self._settle(octets, told, error)

    def _settle(self, octets: bytes, told: Presentation | None, error: str = "") -> None:
        """Give the first of those who wait the answer."""
        inspection = self._asked.popleft()
        self._octets -= len(inspection.octets)
        if inspection.is_answered:  # in vain: the time limit was over
            return
        if error:
            inspection.settle(b"", None, NotInspectedError(error))
            return
        if octets and not inspection.opening.event.faults:
            self._known.append((SENT if self._are_apart else BOTH, octets))
        inspection.settle(octets, told)

    @property
    def _left(self) -> float:
        """How many seconds it has left to answer; after them it counts as hanging."""
        return self._since + (self.longest if self.is_ready else STARTING) - monotonic()

    def _watch_again(self) -> None:
        """Look when it has no time left."""
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._left, self._look) if self._asked else None

    def _look(self) -> None:
        """End it if it hangs."""
        self._timer = None
        if self._socket is not None:
            self._receive()  # if the proxy itself was stopped, the answer may be there
        if not self._asked or self._left > 0:
            self._watch_again()
            return
        assert self._process is not None
        self._process.kill()
        self._replace(f"did not answer for {self.longest if self.is_ready else STARTING:g} s")

    def _replace(self, why: str = "") -> None:
        """Put another process in the place of one that has ended, and ask it what that one has not answered."""
        process, was_ready = self._process, self.is_ready
        self._disconnect()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            if process.poll() is None:
                process.kill()
                process.wait()
            why = why or _ending(process.returncode)
        if self._starts >= STARTS:
            self._give_up(f"{why}, {self._starts} times in a row")
            return
        at, becomes = "", ""
        if self._asked and was_ready:
            culprit = self._asked[0]
            culprit.crashes += 1
            number = culprit.opening.number
            at = f" while it inspected #{number}"
            becomes = f"; #{number} is tried once more"
            if culprit.crashes > 1:
                becomes = f"; #{number} is not checked"
                self._asked.popleft()
                self._octets -= len(culprit.octets)
                culprit.settle(b"", None, NotInspectedError(f"the inspector process {why}"))
        logger.warning("ltkm: the inspector process %s%s and is replaced%s", why, at, becomes)
        self._start()
        for inspection in self._asked:
            self._write_question(inspection)

    def _give_up(self, why: str) -> None:
        logger.warning("ltkm: the inspector process %s; from now on, the proxy itself inspects", why)
        self.is_missing = True
        self._disconnect()
        self._process = None
        while self._asked:
            self._asked.popleft().settle(b"", None, InspectorMissingError())
        self._octets = 0


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"
