"""The register of nonces: the nonce counts that terminals used with each."""

from collections.abc import Mapping
from dataclasses import dataclass

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary, NonceUse
from ltkm_inspect.wire import plain

USES_OF_NONCE = 32
"""How many uses of one nonce the register remembers, besides its highest count."""


@plain
@dataclass(slots=True)
class NonceHistory:
    """How one terminal used one nonce so far."""

    highest: int | None = None
    """The highest nonce count."""
    at: float | None = None
    """When the request with the highest count began."""
    latest: tuple[NonceUse, ...] = ()
    """The latest uses, the oldest of them first."""


type _Use = tuple[NonceUse | None, float | None]
"""How an event uses the nonce, and when it began."""


def _keys(event: EventSummary) -> Mapping[tuple[str, str], _Use]:
    return {} if event.nonce is None else {(event.terminal, event.nonce): (event.use, event.origin.started)}


def _after(history: NonceHistory | None, touch: _Use, settings: SessionSettings) -> NonceHistory | None:
    use, began = touch
    if use is None:
        return history
    known = history or NonceHistory()
    higher = known.highest is None or use.number > known.highest
    highest, at = (use.number, began) if higher else (known.highest, known.at)
    return NonceHistory(highest, at, (*known.latest[1 - USES_OF_NONCE :], use))


NONCES = Register("nonces", _keys, _after)
"""How a terminal used a nonce, by terminal and nonce."""
