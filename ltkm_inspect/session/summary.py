"""What a session keeps of an event: all that registers ask, so that the event itself need not travel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.session.ltkm import LtkmRecord, Pair


@dataclass(slots=True)
class EventOrigin:
    """Where and when an event was captured: what events with the same octets are told apart by."""

    id: str
    started: float | None
    ended: float | None
    connection: str
    """What tells the connection from others; where that was not captured, the address."""
    client: str
    """Address and port."""
    capture: str
    """What tells the capture from others."""
    is_replayed: bool
    """mitmproxy replayed its request or its response."""
    is_accepted: bool
    """The response is whole, and asks neither for other credentials nor for the request at a later time."""
    is_counted: bool
    """Its credentials have a nonce, so that no lawful request is the same again."""


class TerminalKey(NamedTuple):
    """What the terminal of an event is told apart by."""

    text: str
    group: str
    """Its IMPI, SUPI or name if the key ring gives one, otherwise the same text."""
    is_named: bool
    """It is more than a connection, which may be one of several."""


class TerminalIdentity(NamedTuple):
    """Who the terminal of an event is, in what is named and counted; an empty text is not known."""

    key: str = ""
    """What the run tells it apart by."""
    name: str = ""
    """Its name in the key ring."""
    identity: str = ""
    """Its IMPI or SUPI in the key ring, else its name there."""
    answers: str = ""
    """The id of the exchange whose 401 its credentials answer."""
    replaces: str = ""
    """What the terminal was told apart by in that exchange, if it has bootstrapped again since."""


UNTOLD = TerminalIdentity()


class Challenged(NamedTuple):
    """An exchange that ended with a 401."""

    id: str
    connection: str
    started: float | None
    key: TerminalKey


@dataclass(slots=True)
class KeyRequest:
    """One request of a terminal, and what became of it."""

    pairs: frozenset[Pair]
    at: float | None
    answered: bool
    delivered: frozenset[Pair] = frozenset()
    """What was asked for and came with an LTKM."""


class NonceUse(NamedTuple):
    """One use of a nonce."""

    number: int
    """The nonce count."""
    content: bytes
    """A keyed hash of all that was asked."""


@dataclass(slots=True)
class EventSummary:
    """What a session keeps of an event, which another process may have looked at."""

    origin: EventOrigin
    terminal: str
    """The B-TID, otherwise the connection: rules depend on nothing else."""
    key: TerminalKey
    """What the terminal is told apart by in what is named and counted."""
    nonce: str | None
    """Of the request; None without credentials."""
    use: NonceUse | None
    """How the request uses its nonce; None without a nonce count."""
    fingerprint: bytes
    """A keyed hash that only an event with the same octets has as well; empty without credentials and LTKMs."""
    challenges: Mapping[str, tuple[digest.Directives, ...]]
    """Those of a 401, by their nonce."""
    asked: KeyRequest
    is_answer: bool
    """The request has credentials, and a response came."""
    next_nonce: str | None
    """What the response gives as nextnonce."""
    ltkms: tuple[LtkmRecord, ...]
    """The LTKMs that a terminal would take."""
    proofs: Mapping[bytes, bool]
    """By the keyed hash of each key that was tried, whether it verified something in the event."""
    answers: Challenged | None = None
    """The exchange whose challenge it answers, once its session has told."""

    @property
    def challenged(self) -> Challenged:
        """What is kept of it where it is a 401."""
        return Challenged(self.origin.id, self.origin.connection, self.origin.started, self.key)
