"""A datagram in its session, and pushes that wait for what the terminal should do."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ltkm_inspect.mikey import Message
from ltkm_inspect.session.csb_ids import CSB_IDS
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.push import Push
from ltkm_inspect.session.pushes import PUSHES, PushHistory
from ltkm_inspect.traffic import Datagram, Event

if TYPE_CHECKING:
    from ltkm_inspect.session.event import SessionEvent
    from ltkm_inspect.session.session import Session


@dataclass(eq=False)
class SentDatagram:
    """A datagram in its session: with what it answers."""

    label = "datagram"

    event: Datagram
    step: "SessionEvent" = field(repr=False)

    @property
    def before(self) -> PriorState:
        """What happened before it."""
        return self.step.before

    @property
    def message(self) -> Message:
        """Its message. AssertionError without one, which only a datagram without octets has."""
        assert self.event.message is not None
        return self.event.message

    @cached_property
    def answered(self) -> Push | None:
        """What a verification message answers: of all messages with its CSB ID, or with its IDr and T, the likeliest.

        None if no such message was sent, and for any other datagram.
        """
        answer = self.step.summary.answer
        if answer is None:
            return None
        history = self.before.of(PUSHES, self.event.terminal)
        mine = history.pushes if history is not None else ()
        same_time = [push for push in mine if push.counter is not None and push.counter == answer.counter]
        same_id = [push for push in mine if push.csb_id == answer.csb_id]
        known = (*same_time, *(self.before.of(CSB_IDS, answer.csb_id) or ()), *same_id)

        def likelihood(push: Push) -> tuple[bool, int]:
            return push.csb_id == answer.csb_id, self._is_for_me(push) + (push.counter == answer.counter)

        return max(reversed(known), key=likelihood, default=None)

    @property
    def is_matched(self) -> bool:
        """It is a verification message with CSB ID, T and IDr of the message that it answers."""
        answer, push = self.step.summary.answer, self.answered
        return answer is not None and push is not None and answer.answers(push) and self._is_for_me(push)

    def _is_for_me(self, push: Push) -> bool:
        return push.terminal == self.event.terminal


@dataclass(eq=False)
class PendingPush:
    """A push or solicited pull to which the terminal has not reacted, seen from a later event of the terminal.

    At the end of a run the event is one that only has the time of the end.
    """

    label = "push"

    push: Push
    event: Event
    latest: float | None = None
    """When the latest event of the terminal before this one began."""

    @property
    def waited(self) -> float | None:
        """How many seconds before this event it was sent; None if a time is unknown."""
        return _apart(self.event.started, self.push.at)

    def expires(self, seconds: float) -> bool:
        """Tell whether this is the first event of the terminal more than so many seconds after the push."""
        waited, before = self.waited, _apart(self.latest, self.push.at)
        return waited is not None and waited > seconds and (before is None or before <= seconds)


def pending_pushes(step: "SessionEvent") -> Iterator[PendingPush]:
    """Yield each message pushed to the terminal of an event that it has not reacted to; none if it is a copy."""
    history = step.before.of(PUSHES, step.event.terminal)
    if history is None or step.before.twin is not None:
        return
    yield from _pending(history, step.event)


def pending_at_end(session: "Session") -> Iterator[PendingPush]:
    """Yield each message pushed in a session to which the terminal has not reacted, seen from the end of the run."""
    end = Datagram(b"", started=session.latest)
    for history in session.pushes:
        yield from _pending(history, end)


def _pending(history: PushHistory, event: Event) -> Iterator[PendingPush]:
    return (PendingPush(push, event, history.latest) for push in history.pushes if push.waits)


def _apart(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier
