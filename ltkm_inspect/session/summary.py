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
