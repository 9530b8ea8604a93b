"""What a session keeps of an event: all that registers need, so that the event is not sent between processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.session.ltkm import LtkmRecord, Pair
from ltkm_inspect.session.push import Push, PushAnswer
from ltkm_inspect.wire import plain


@plain
@dataclass(slots=True)
class EventOrigin:
    """Where and when an event was captured. This distinguishes events with the same octets."""

    id: str
    started: float | None
    ended: float | None
    connection: str
    """The id of the connection; if that was not captured, the address of the client."""
    client: str
    """Address and port."""
    capture: str
    """The id of the capture."""
    is_replayed: bool
    """mitmproxy replayed its request or its response."""
    is_accepted: bool
    """The response is complete, and its status is neither 401 nor 5xx."""
    is_counted: bool
    """Its credentials have a nonce, so no correct request has the same octets."""


class TerminalKey(NamedTuple):
    """What distinguishes the terminal of an event from others."""

    text: str
    group: str
    """Its IMPI, SUPI or name if the key ring gives one, otherwise the same text."""
    is_named: bool
    """It is not just a connection: a terminal may have several of these."""


class TerminalIdentity(NamedTuple):
    """Who the terminal of an event is, for names and counts; an empty text is unknown."""

    key: str = ""
    """What distinguishes it from other terminals of the run."""
    name: str = ""
    """Its name in the key ring."""
    identity: str = ""
    """Its IMPI or SUPI in the key ring, else its name there."""
    answers: str = ""
    """The id of the exchange whose 401 its credentials answer."""
    replaces: str = ""
    """The former key: the one in that exchange, if the terminal has bootstrapped again since."""


UNKNOWN_TERMINAL = TerminalIdentity()


class ChallengedExchange(NamedTuple):
    """What a session keeps of an exchange that ended with a 401."""

    id: str
    connection: str
    started: float | None
    key: TerminalKey


@plain
@dataclass(slots=True)
class KeyRequest:
    """One request of a terminal, and what was delivered."""

    pairs: frozenset[Pair]
    at: float | None
    answered: bool
    delivered: frozenset[Pair] = frozenset()
    """The requested pairs that came with an LTKM."""


class NonceUse(NamedTuple):
    """One use of a nonce."""

    number: int
    """The nonce count."""
    content: bytes
    """A keyed hash of the whole request."""


@plain
@dataclass(slots=True)
class EventSummary:
    """What a session keeps of an event; another process may have made it."""

    origin: EventOrigin
    terminal: str
    """The B-TID, otherwise the connection; only this one matters to rules."""
    key: TerminalKey
    """What distinguishes the terminal, for names and counts."""
    nonce: str | None
    """The nonce of the request; None without credentials."""
    use: NonceUse | None
    """How the request uses its nonce; None without a nonce count."""
    fingerprint: bytes
    """A keyed hash of all octets of the event; empty for an exchange without credentials and LTKMs, and for a datagram
    that no rule looks at."""
    challenges: Mapping[str, tuple[digest.Directives, ...]]
    """The challenges of a 401, by their nonce."""
    asked: KeyRequest | None
    """None for a datagram, which asks for nothing."""
    is_answer: bool
    """The request has credentials, and a response came, though it may not have been captured."""
    next_nonce: str | None
    """The nextnonce of the response."""
    ltkms: tuple[LtkmRecord, ...]
    """The LTKMs that a terminal would take."""
    proofs: Mapping[bytes, bool]
    """Whether each tried key verified something in the event, by the keyed hash of the key."""
    pushes: tuple[Push, ...] = ()
    """What was pushed in it, and its LTKMs that ask for an answer."""
    answer: PushAnswer | None = None
    """What it says that it answers, if it is an answer to a push."""
    answers: ChallengedExchange | None = None
    """The exchange whose challenge it answers; the session sets it."""

    @property
    def challenged(self) -> ChallengedExchange:
        """What the session keeps of it if it is a 401."""
        return ChallengedExchange(self.origin.id, self.origin.connection, self.origin.started, self.key)
