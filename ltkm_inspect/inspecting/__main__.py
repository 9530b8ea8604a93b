"""The inspector process: `python -m ltkm_inspect.inspecting DESCRIPTOR` answers what comes through that socket.

It inspects one event after the other, by a session of its own, which remembers the same events as that of the proxy. It
ends when nobody is at the other end of the socket.
"""

import gc
import os
import pickle
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection

from ltkm_inspect import catalogue
from ltkm_inspect.inspecting import EventInspection, Opening, Presentation, Sessions, Terms, present
from ltkm_inspect.session import EventSummary
from ltkm_inspect.wire import crash_of
from ltkm_inspect.wire.garbage import collect_rarely

LONGEST = 30.0
"""Seconds that one answer may take. Whoever waits ends the process then; it ends by itself after twice that time."""
READY = "ready"
"""What it sends when it can begin."""
_HIGHEST = pickle.HIGHEST_PROTOCOL

LARGE = 1 << 16
"""A record with more octets than this comes behind its answer, as it is: the proxy has nothing to do with it."""

type Answer = tuple[bytes, Presentation | None, str]
"""What the session keeps of an event, pickled, or nothing; what is told of it, None if it is not ours; or an error."""


class Desk:
    """What the process knows, and what it can be asked: each method is a request."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.terms = Terms()

    def use(self, terms: Terms) -> None:
        """Go by these terms from now on."""
        self.terms = terms
        for session in (self.sessions.sent, self.sessions.got):
            session.settings = terms.context.settings.session

    def restore(self, known: Iterable[tuple[str, bytes]], are_apart: bool) -> None:
        """Remember what the process before this one did, as far as it is known."""
        if are_apart:
            self.sessions.part()
        for what, octets in known:
            self.follow(what, octets)

    def part(self) -> None:
        """Distinguish from now on between what is sent and what terminals get."""
        self.sessions.part()

    def follow(self, what: str, octets: bytes) -> None:
        """Remember an event that was inspected elsewhere, or what a terminal got."""
        self.sessions.follow(octets, what)

    def inspect(self, opening: Opening) -> Answer:
        """Inspect an event."""
        inspection = EventInspection(opening, self.terms)
        found = inspection.read()
        if not isinstance(found, EventSummary):
            return b"", None if found is None else present(found, opening, self.terms), ""
        try:
            before = self.sessions.before(found, is_faulted=bool(opening.event.faults))
        except Exception as error:
            report = inspection.fail(error)
        else:
            report = inspection.judge(before)
        answer = pickle.dumps(found, _HIGHEST), present(report, opening, self.terms), ""
        inspection.end()
        return answer


def serve(connection: Connection, desk: Desk) -> None:
    """Answer one request after the other, until there is nobody who asks."""
    catalogue.load()
    gc.collect()
    gc.freeze()
    collect_rarely()
    connection.send(READY)
    while True:
        what, given = pickle.loads(connection.recv_bytes())  # from the process that started this one
        signal.setitimer(signal.ITIMER_REAL, 2 * LONGEST)  # SIGALRM ends the process, even inside of a library
        try:
            answer = getattr(desk, what)(*given)
            messages = [] if answer is None else framed(answer)
        except Exception as error:
            messages = framed((b"", None, crash_of(error)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        for message in messages if what == "inspect" else ():
            connection.send_bytes(message)


def framed(answer: Answer) -> list[bytes | bytearray]:
    """Return the messages that an answer is sent in: it with whether its record follows, and the record."""
    told = answer[1]
    if told is None or len(told.record) <= LARGE:
        return [pickle.dumps((*answer, False), _HIGHEST)]
    record, told.record = told.record, b""
    return [pickle.dumps((*answer, True), _HIGHEST), record]


def main(descriptor: int, desk: Desk) -> None:
    """Serve on a socket that was inherited."""
    with suppress(EOFError, OSError):  # nobody waits any more
        serve(Connection(descriptor), desk)
    os._exit(0)  # there is nothing to tidy up, and nobody to wait for it


if __name__ == "__main__":
    main(int(sys.argv[1]), Desk())
