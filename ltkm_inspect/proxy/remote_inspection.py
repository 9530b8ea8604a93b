"""One event that the inspector process is asked about, and how requests and answers are framed."""

import pickle
import socket
import struct
from collections.abc import Callable
from functools import cached_property

from ltkm_inspect.engine.handling import Question
from ltkm_inspect.inspecting import Opening, Presentation

type Senders = frozenset[str | bytes]
"""What tells whose event it is: the id of its connection, and its B-TID."""

_HEADER = struct.Struct("!i")
_LONG_HEADER = struct.Struct("!Q")
"""How multiprocessing frames what goes through a connection: a length, for a long one after -1."""


CHUNK = 1 << 18
"""How many octets are received at once."""


class NotInspectedError(Exception):
    """An event was not inspected; the text says why, safe to print."""

    def __init__(self, text: str, reason: str = "crashed") -> None:
        """Take the text, and the reason as a key of `PASSED_UNCHECKED`."""
        super().__init__(text)
        self.reason = reason


class InspectorMissingError(Exception):
    """There is no inspector process, and there will be none."""


class RemoteInspection(Question):
    """The inspection of one event in the process."""

    def __init__(
        self,
        wait_for: Callable[["RemoteInspection"], None],
        opening: Opening,
        senders: Callable[[], Senders],
        *,
        is_large: bool,
    ) -> None:
        self.opening, self.is_large = opening, is_large
        self._senders = senders
        self.octets = dumped("inspect", opening)
        self.crashes = 0
        """How many processes ended while they were at it."""
        self.is_answered = False
        self._wait_for = wait_for
        self._answer: tuple[bytes, Presentation | None] = b"", None
        self._error: Exception | None = None
        self._go_on: Callable[[], None] = _do_nothing

    @cached_property
    def senders(self) -> Senders:
        """What tells whose event it is; nobody asks as long as nothing large is inspected."""
        return self._senders()

    def __call__(self) -> tuple[bytes, Presentation | None]:
        """Return what a session keeps of the event, pickled, and what is told of it, None for one that is not ours.

        Waits for it, for a limited time. Without an answer, NotInspectedError or InspectorMissingError.
        """
        self._wait_for(self)
        if self._error is not None:
            raise self._error
        return self._answer

    def then(self, go_on: Callable[[], None]) -> None:
        """Call this when there is an answer, or none will come."""
        if self.is_answered:
            go_on()
        else:
            self._go_on = go_on

    def settle(self, summary: bytes, told: Presentation | None, error: Exception | None = None) -> None:
        """Take the answer, or the reason why there is none."""
        self.is_answered, self._answer, self._error = True, (summary, told), error
        self._go_on()


def dumped(what: str, *given: object) -> bytes:
    """Return a request to the process, with its length before it."""
    octets = pickle.dumps((what, given), pickle.HIGHEST_PROTOCOL)
    if len(octets) > 0x7FFFFFFF:
        return _HEADER.pack(-1) + _LONG_HEADER.pack(len(octets)) + octets
    return _HEADER.pack(len(octets)) + octets


class Incoming:
    """What comes from the process, message by message; a large one is received where it stays."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._octets = bytearray()
        """What is of no large message."""
        self._large, self._filled = bytearray(), 0
        """A large message, and how much of it has come."""

    def receive(self, connection: socket.socket) -> list[bytearray] | None:
        """Take what has come; return the messages that are complete with it, None if nothing more will come."""
        if self._large:
            with memoryview(self._large) as whole:
                received = connection.recv_into(whole[self._filled : self._filled + CHUNK])
            if not received:
                return None
            self._filled += received
        else:
            octets = connection.recv(CHUNK)
            if not octets:
                return None
            self._octets += octets
        found = []
        while (message := self._taken()) is not None:
            found.append(message)
        return found

    def _taken(self) -> bytearray | None:
        """Take the first message that is there as a whole; None if there is none."""
        if self._large:
            if self._filled < len(self._large):
                return None
            whole, self._large = self._large, bytearray()
            return whole
        at, start = self._octets, _HEADER.size
        if len(at) < start:
            return None
        (length,) = _HEADER.unpack_from(at)
        if length < 0:
            start += _LONG_HEADER.size
            if len(at) < start:
                return None
            (length,) = _LONG_HEADER.unpack_from(at, _HEADER.size)
        end = start + length
        if len(at) < end:
            if length > CHUNK:
                self._large, self._filled = bytearray(length), len(at) - start
                self._large[: self._filled] = at[start:]
                at.clear()
            return None
        message = at[start:end]
        del at[:end]
        return message


def _do_nothing() -> None:
    """Do nothing: nobody waits."""
