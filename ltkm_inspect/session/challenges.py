"""The register of challenges: the latest 401 with each nonce, and the exchanges that wait for an answer to it."""

from collections.abc import Mapping
from typing import NamedTuple

from ltkm_inspect.digest import Directives
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import ChallengedExchange, EventSummary
from ltkm_inspect.traffic import Event

WAITING = 8
"""How many exchanges the register remembers per nonce whose challenge no request has answered yet."""


class ChallengeHistory(NamedTuple):
    """The challenges with one nonce."""

    directives: tuple[Directives, ...] = ()
    """The challenges of the latest 401."""
    waiting: tuple[ChallengedExchange, ...] = ()
    """The exchanges whose challenge no request has answered yet, the latest last."""


type _Touch = tuple[ChallengedExchange, tuple[Directives, ...], bool]
"""An event as one that waits for an answer, its challenges with the nonce, and whether its credentials use it."""


def _keys(event: EventSummary) -> Mapping[str, _Touch]:
    if event.nonce is None and not event.challenges:
        return {}
    mine = event.challenged
    touched: dict[str, _Touch] = {nonce: (mine, directives, False) for nonce, directives in event.challenges.items()}
    if event.nonce is not None:
        touched[event.nonce] = mine, event.challenges.get(event.nonce, ()), True
    return touched


def _after(known: ChallengeHistory | None, touch: _Touch, settings: SessionSettings) -> ChallengeHistory | None:
    mine, challenges, is_used = touch
    challenged = find_challenged(known, mine.connection) if is_used else None
    if not challenges and challenged is None:
        return known
    directives, waiting = known or ChallengeHistory()
    if challenged is not None:
        waiting = tuple([each for each in waiting if each is not challenged])
    if challenges and settings.terminal.joins:
        waiting = (*waiting[1 - WAITING :], mine)
    return ChallengeHistory(challenges or directives, waiting)


def find_challenged(known: ChallengeHistory | None, connection: str) -> ChallengedExchange | None:
    """Return the exchange whose challenge a request answers: the latest on this connection, else the only one.

    None if several terminals wait with one nonce and none of them on this connection: then nobody knows which.
    """
    if known is None:
        return None
    for waiting in reversed(known.waiting):
        if waiting.connection == connection:
            return waiting
    return known.waiting[0] if len(known.waiting) == 1 else None


CHALLENGES = Register("challenges", _keys, _after)
"""The digest challenges of the latest 401 with a nonce, and the exchanges that wait for an answer, by nonce."""


def challenges_in(event: Event) -> Mapping[str, tuple[Directives, ...]]:
    """Return the digest challenges of a 401, by their nonce."""
    found: dict[str, tuple[Directives, ...]] = {}
    for challenge in event.challenges:
        nonce = challenge.get("nonce")
        if nonce is not None:
            found[nonce] = (*found.get(nonce, ()), challenge)
    return found
