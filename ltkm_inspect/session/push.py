"""What the session remembers of a message that was pushed, and of the answer to one."""

from dataclasses import dataclass
from typing import NamedTuple

from ltkm_inspect.keys import OpenedMessage, Verdict
from ltkm_inspect.mikey import Message, Timestamp
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.session.ltkm import LtkmRecord, Pair, names_key
from ltkm_inspect.traffic import Datagram, DatagramKind, Event, Ltkm
from ltkm_inspect.wire import plain

LONGEST_PUSH = 4096
"""How many octets a message has at most that is kept to verify its answer."""
_ANSWERS = (DatagramKind.VERIFICATION, DatagramKind.REPORTING)


@plain
@dataclass(slots=True)
class Push:
    """A push or a solicited pull; or an LTKM in a response that asks for an answer, which is sent over UDP."""

    kind: DatagramKind | None
    """None for an LTKM in a response."""
    event: str
    """The id of its event."""
    at: float | None
    """When it was sent, in seconds since 1970 UTC."""
    terminal: str
    csb_id: int
    counter: int | None
    """None unless T is a counter."""
    pair: Pair | None
    v: bool
    """It asks for a verification message."""
    octets: bytes
    """Empty for a message that is too long to be kept."""
    is_verified: bool
    """A MUK of the key ring verifies its MAC."""
    is_delivered: bool
    """The terminal took it, as far as is known."""
    is_answered: bool = False
    """A verification message or a reporting message answered it."""
    is_requested: bool = False
    """The terminal asked for its key afterwards."""

    @property
    def waits(self) -> bool:
        """The terminal should react to it, and has not."""
        waits = not self.is_requested if self.is_pull else self.is_push and self.v and not self.is_answered
        return waits and self.is_delivered

    @property
    def is_push(self) -> bool:
        """It delivers a key in a datagram."""
        return self.kind is DatagramKind.PUSH

    @property
    def is_pull(self) -> bool:
        """It is a solicited pull."""
        return self.kind is DatagramKind.PULL

    def is_about(self, requested: Pair) -> bool:
        """Tell whether a request names its key."""
        return names_key(requested, self.pair)


class PushAnswer(NamedTuple):
    """What a verification message or a reporting message says that it answers."""

    csb_id: int
    counter: int | None
    """None unless T is a counter."""

    def answers(self, push: Push) -> bool:
        """Tell whether it answers that message of the same terminal: by CSB ID and T."""
        return (push.csb_id, push.counter) == (self.csb_id, self.counter)


def push_of(ltkm: Ltkm, opened: OpenedMessage | None, sent: LtkmRecord | None) -> Push | None:
    """Return what is remembered of an LTKM here; None if it was not pushed and asks for no answer."""
    event, message, octets = ltkm.event, ltkm.message, ltkm.octets
    kind = event.kind if isinstance(event, Datagram) else None
    if message is None or message.header is None or octets is None or (kind is not None and not kind.is_ltkm):
        return None
    is_delivered = sent is not None and sent.is_delivered
    if kind is None and not (message.header.v and is_delivered):
        return None
    return Push(
        kind,
        event.id,
        event.ended,
        event.terminal,
        message.header.csb_id,
        _counter(message),
        message.pair,
        message.header.v,
        octets if len(octets) <= LONGEST_PUSH else b"",
        opened is not None and opened.verdict is Verdict.VALID,
        is_delivered,
    )


def answer_of(event: Event) -> PushAnswer | None:
    """Return what a datagram says that it answers; None for any other event."""
    if not isinstance(event, Datagram) or event.kind not in _ANSWERS:
        return None
    message = event.message
    assert message is not None
    assert message.header is not None
    return PushAnswer(message.header.csb_id, _counter(message))


def _counter(message: Message) -> int | None:
    times = message.of(Timestamp)
    return int.from_bytes(times[0].value) if times and times[0].type == COUNTER else None
