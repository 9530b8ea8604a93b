"""The register of pushes: what was pushed to each terminal, and what the terminal did then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ltkm_inspect.session.ltkm import Pair
from ltkm_inspect.session.push import Push, PushAnswer
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.summary import EventSummary, KeyRequest
from ltkm_inspect.wire import plain

PUSHES_OF_TERMINAL = 16
"""How many pushes the register remembers per terminal."""


@plain
@dataclass(slots=True)
class PushHistory:
    """What was pushed to one terminal so far."""

    pushes: tuple[Push, ...]
    """The latest ones, the oldest of them first."""
    latest: float | None
    """When the latest event of the terminal began, in seconds since 1970 UTC."""

    def find(self, octets: bytes) -> Push | None:
        """Return the push with these octets; None if it is not remembered."""
        return next((push for push in reversed(self.pushes) if push.octets == octets), None)


type _Touch = tuple[tuple[Push, ...], PushAnswer | None, KeyRequest | None, float | None]
"""What was pushed, what the event answers, what the terminal requested, and when the event began."""


def _keys(event: EventSummary) -> Mapping[str, _Touch]:
    return {event.terminal: (event.pushes, event.answer, event.asked, event.origin.started)}


def _after(history: PushHistory | None, touch: _Touch, settings: SessionSettings) -> PushHistory | None:
    pushed, answer, asked, began = touch
    if history is None and not pushed:
        return None
    known = history or PushHistory((), None)
    pushes = known.pushes
    if answer is not None:
        pushes = _answered(pushes, answer)
    if asked is not None:
        pushes = tuple([_requested(push, asked.pairs) for push in pushes])
    octets = {push.octets for push in pushes}
    new = [push for push in pushed if not push.octets or push.octets not in octets]
    times = [at for at in (known.latest, began) if at is not None]
    return PushHistory((*pushes, *new)[-PUSHES_OF_TERMINAL:], max(times, default=None))


def _answered(pushes: tuple[Push, ...], answer: PushAnswer) -> tuple[Push, ...]:
    """Return the pushes with the one marked that is answered, by CSB ID and T, else by one of them."""
    for equal in (
        answer.answers,
        lambda push: push.csb_id == answer.csb_id,
        lambda push: push.counter is not None and push.counter == answer.counter,
    ):
        for index in reversed(range(len(pushes))):
            if equal(pushes[index]):
                return (*pushes[:index], replace(pushes[index], is_answered=True), *pushes[index + 1 :])
    return pushes


def _requested(push: Push, pairs: Iterable[Pair]) -> Push:
    if push.is_requested or not any(map(push.is_about, pairs)):
        return push
    return replace(push, is_requested=True)


PUSHES = Register("pushes", _keys, _after)
"""What was pushed to a terminal, by its B-TID, which is the IDr of a push."""
