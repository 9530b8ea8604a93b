"""The register of challenges: what a 401 said about the nonce that credentials use, and who has yet to answer it."""

from collections.abc import Mapping
from typing import NamedTuple

from ltkm_inspect.digest import Directives
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import Challenged, EventSummary

WAITING = 8
"""How many exchanges are remembered that got a challenge with one nonce and were not followed by an answer."""


class ChallengeHistory(NamedTuple):
    """What is known of the challenges with one nonce."""

    directives: tuple[Directives, ...] = ()
    """Those of the latest 401."""
    waiting: tuple[Challenged, ...] = ()
    """The exchanges that no request has answered yet, the latest last."""


type _Touch = tuple[EventSummary, tuple[Directives, ...], bool]
"""An event, the challenges that it has with the nonce, and whether its credentials use it."""


def _keys(event: EventSummary) -> Mapping[str, _Touch]:
    touched: dict[str, _Touch] = {nonce: (event, given, False) for nonce, given in event.challenges.items()}
    if event.nonce is not None:
        touched[event.nonce] = event, event.challenges.get(event.nonce, ()), True
    return touched


def _after(known: ChallengeHistory | None, touch: _Touch, settings: SessionSettings) -> ChallengeHistory | None:
    event, given, is_used = touch
    done = answered(known, event) if is_used else None
    if not given and done is None:
        return known
    directives, waiting = known or ChallengeHistory()
    if done is not None:
        waiting = tuple([each for each in waiting if each is not done])
    if given and settings.terminal.joins:
        waiting = (*waiting[1 - WAITING :], event.challenged)
    return ChallengeHistory(given or directives, waiting)


def answered(known: ChallengeHistory | None, event: EventSummary) -> Challenged | None:
    """Return the exchange whose challenge a request answers: the latest on its connection, else the only one.

    Where several terminals wait with one nonce, and none on this connection, it cannot be told.
    """
    if known is None:
        return None
    for waiting in reversed(known.waiting):
        if waiting.connection == event.origin.connection:
            return waiting
    return known.waiting[0] if len(known.waiting) == 1 else None


CHALLENGES = Register("challenges", _keys, _after)
"""The digest challenges of the latest 401 with a nonce, and the exchanges that have yet to be followed by an answer."""
