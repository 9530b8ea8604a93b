"""The register of nonces: how terminals counted the requests in which they used them."""

from collections.abc import Mapping
from typing import NamedTuple

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

USES_OF_NONCE = 32
"""How many uses of one nonce are remembered, besides its highest count."""


class NonceUse(NamedTuple):
    """One use of a nonce."""

    number: int
    """The nonce count."""
    content: bytes
    """A keyed hash of all that was asked."""


class NonceHistory(NamedTuple):
    """How one terminal used one nonce so far."""

    highest: int | None = None
    at: float | None = None
    """When the request with the highest count began."""
    latest: tuple[NonceUse, ...] = ()


def use_of(event: EventSummary) -> NonceUse | None:
    """Return how a request uses its nonce; None without credentials that count."""
    return None if event.nonce is None or event.number is None else NonceUse(event.number, event.question)


def _keys(event: EventSummary) -> Mapping[tuple[str, str], tuple[NonceUse | None, float | None]]:
    nonce = event.nonce
    return {} if nonce is None else {(event.terminal, nonce): (use_of(event), event.origin.started)}


def _after(
    history: NonceHistory | None, added: tuple[NonceUse | None, float | None], settings: SessionSettings
) -> NonceHistory | None:
    use, at = added
    if use is None:
        return history
    known = history or NonceHistory()
    higher = known.highest is None or use.number > known.highest
    highest, at = (use.number, at) if higher else (known.highest, known.at)
    return NonceHistory(highest, at, (*known.latest[1 - USES_OF_NONCE :], use))


NONCES = Register("nonces", _keys, _after)
"""How a terminal used a nonce, by terminal and nonce."""
