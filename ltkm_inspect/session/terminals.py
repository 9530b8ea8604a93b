"""The register of terminals: what each requested, and the nonce that it got for its next request."""

from collections.abc import Mapping
from dataclasses import dataclass

from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary, KeyRequest

REQUESTS_OF_TERMINAL = 16
"""How many requests the register remembers per terminal."""


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


def _keys(event: EventSummary) -> Mapping[str, EventSummary]:
    return {event.terminal: event}


def _after(history: TerminalHistory | None, event: EventSummary, settings: SessionSettings) -> TerminalHistory | None:
    if event.asked is None:
        return history
    known = history or TerminalHistory()
    requests = (*known.requests[1 - REQUESTS_OF_TERMINAL :], event.asked)
    answer = known.nonce, known.next_nonce, known.answer_ended
    if event.is_answer:
        answer = event.nonce, event.next_nonce, event.origin.ended
    return TerminalHistory(requests, *answer)


TERMINALS = Register("terminals", _keys, _after)
"""What a terminal did, by its B-TID, otherwise its connection. A datagram only looks at it."""
