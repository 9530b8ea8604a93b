"""The register of challenges: what a 401 said about the nonce that credentials use."""

from collections.abc import Mapping

from ltkm_inspect.digest import Directives
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary

type Challenges = tuple[Directives, ...]


def _keys(event: EventSummary) -> Mapping[str, Challenges]:
    return event.challenges if event.nonce is None else {event.nonce: (), **event.challenges}


def _after(known: Challenges | None, given: Challenges, settings: SessionSettings) -> Challenges | None:
    return given or known


CHALLENGES = Register("challenges", _keys, _after)
"""The digest challenges of the latest 401 with a nonce, by the nonce."""
