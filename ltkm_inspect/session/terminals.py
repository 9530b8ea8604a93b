"""The register of terminals: what each requested, and the nonce that it got for its next request."""

from collections.abc import Mapping
from dataclasses import dataclass

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary, KeyRequest
from ltkm_inspect.wire import plain

REQUESTS_OF_TERMINAL = 16
"""How many requests the register remembers per terminal."""


@plain
@dataclass(slots=True)
class TerminalHistory:
    """What one terminal did so far."""

    requests: tuple[KeyRequest, ...] = ()
    nonce: str | None = None
    """The nonce of its latest request with an answer."""
    next_nonce: str | None = None
    """The nextnonce of that answer."""
    answer_ended: float | None = None
    """When that answer ended."""


type _Touch = tuple[KeyRequest | None, tuple[str | None, str | None, float | None] | None]
"""What the terminal requested, and if there was an answer: its nonce, its nextnonce, and when it ended."""


def _keys(event: EventSummary) -> Mapping[str, _Touch]:
    answer = (event.nonce, event.next_nonce, event.origin.ended) if event.is_answer else None
    return {event.terminal: (event.asked, answer)}


def _after(history: TerminalHistory | None, touch: _Touch, settings: SessionSettings) -> TerminalHistory | None:
    asked, answer = touch
    if asked is None:
        return history
    known = history or TerminalHistory()
    requests = (*known.requests[1 - REQUESTS_OF_TERMINAL :], asked)
    return TerminalHistory(requests, *(answer or (known.nonce, known.next_nonce, known.answer_ended)))


TERMINALS = Register("terminals", _keys, _after)
"""What a terminal did, by its B-TID, otherwise its connection. A datagram only looks at it."""
