"""LTKMs in their session: what the key ring says about them, and what was delivered before them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltkm_inspect.keys import OpenedMessage
from ltkm_inspect.mikey import KeyData, Message
from ltkm_inspect.session.key_groups import KEY_GROUPS, GroupPolicy
from ltkm_inspect.session.ltkm import LtkmRecord, Muk, names_key
from ltkm_inspect.session.msks import MSKS, MskHistory
from ltkm_inspect.session.muks import LTKMS_OF_MUK, MUKS, MukHistory
from ltkm_inspect.session.push import Push
from ltkm_inspect.session.pushes import PUSHES
from ltkm_inspect.session.rands import RANDS, RandUse
from ltkm_inspect.session.register import LtkmRegister
from ltkm_inspect.traffic import Event, Ltkm

if TYPE_CHECKING:
    from ltkm_inspect.session.event import SessionEvent


@dataclass(eq=False)
class DeliveredLtkm:
    """An LTKM in its session: with what was delivered before it."""

    label = "session"

    ltkm: Ltkm
    step: "SessionEvent" = field(repr=False)
    sent: LtkmRecord
    before: MukHistory
    """What its MUK protected before this exchange."""
    beside: tuple[LtkmRecord, ...]
    """The LTKMs of the MUK that precede this one in its document."""
    msk: MskHistory
    """What its MSK was delivered with before, including by LTKMs that precede this one in its document."""
    group: GroupPolicy | None
    """The latest policy of its Key Group."""
    rand: RandUse | None
    """The first use of its RAND."""

    @property
    def event(self) -> Event:
        """The event that the LTKM is in."""
        return self.ltkm.event

    @property
    def muk(self) -> Muk:
        """The name of its MUK."""
        return self.sent.muk

    @property
    def message(self) -> Message:
        """The message of the LTKM."""
        assert self.ltkm.message is not None
        return self.ltkm.message

    @property
    def earlier(self) -> tuple[LtkmRecord, ...]:
        """Every remembered LTKM of the MUK; those that precede this one in its document come last."""
        return (*self.before.ltkms, *self.beside) if self.beside else self.before.ltkms

    @cached_property
    def same_msk(self) -> LtkmRecord | None:
        """The latest LTKM before this one that delivered the same MSK to the same terminal."""
        msk = self.sent.msk
        if msk is None:
            return None
        found = [each for each in self.earlier if each.msk == msk]
        return found[-1] if found else None

    @property
    def is_requested(self) -> bool:
        """The terminal asked for its key before; in an exchange it always did."""
        requested = (pair for each in self.step.terminal.requests for pair in each.pairs)
        return not self.sent.is_push or any(names_key(pair, self.sent.pair) for pair in requested)

    @property
    def acknowledged(self) -> Push | None:
        """The latest push that delivered the same MSK to the terminal and was acknowledged; None without one."""
        history = self.step.before.of(PUSHES, self.event.terminal)
        found = [push for push in history.pushes if push.is_answered] if history is not None else []
        pair = self.sent.pair
        return next((push for push in reversed(found) if push.is_push and pair == push.pair), None)

    @cached_property
    def is_repeated(self) -> bool:
        """The same octets were delivered before. The same delivery, checked again, does not count."""
        sent = self.sent
        same = [each for each in self.before.ltkms if each.octets == sent.octets]
        return not all(map(sent.is_of_same_event, same))

    @property
    def is_overtaken(self) -> bool:
        """It was delivered before the newest LTKM of the MUK, so the capture is not in the order of delivery."""
        ended, newest = self.sent.at, self.before.at
        return ended is not None and newest is not None and ended < newest


@dataclass(eq=False)
class OpenedLtkm:
    """An LTKM with what the key ring says about it."""

    label = "key"

    ltkm: Ltkm
    step: "SessionEvent" = field(repr=False)
    opened: OpenedMessage
    delivery: DeliveredLtkm | None = field(default=None, repr=False)
    """The LTKM in its session; None if no terminal would take it."""

    @property
    def event(self) -> Event:
        """The event that the LTKM is in."""
        return self.ltkm.event

    @property
    def entries(self) -> tuple[KeyData, ...]:
        """The key data sub-payloads; empty if the message could not be opened."""
        return self.opened.key_data.entries if self.opened.key_data is not None else ()

    @property
    def is_proved(self) -> bool:
        """One of the MUKs that were tried has verified another message, so it is right."""
        subscriber = self.opened.subscriber
        return subscriber is not None and self.step.is_proved(subscriber.muks)


def deliveries(step: "SessionEvent") -> Iterator[DeliveredLtkm]:
    """Yield the LTKMs of an event, each with what was delivered before it, earlier in its document included."""
    beside: dict[Muk, tuple[LtkmRecord, ...]] = {}
    histories = (_in_turn(register, step) for register in (MSKS, KEY_GROUPS, RANDS))
    for ltkm, sent, msk, group, rand in zip(step.records, step.records.values(), *histories, strict=True):
        mine = beside.get(sent.muk, ())
        known = (msk or _UNKNOWN).recent(sent.at, step.settings)
        yield DeliveredLtkm(ltkm, step, sent, step.before.of(MUKS, sent.muk) or _NOTHING, mine, known, group, rand)
        beside[sent.muk] = (*mine[1 - LTKMS_OF_MUK :], sent)


def _in_turn(register: LtkmRegister[Any, Any], step: "SessionEvent") -> Iterable[Any]:
    """Return the state of a register before each LTKM of an event."""
    name, known = register.name, step.before.states
    keys = [register.key(sent) for sent in step.records.values()]
    states = {key: known.get((name, key)) for key in keys}
    if len(states) == len(keys):
        return states.values()
    found = []
    for key, sent in zip(keys, step.records.values(), strict=True):
        found.append(states[key])
        if sent.is_delivered and key is not None:
            states[key] = register.add(states[key], sent, step.settings)
    return found


_NOTHING = MukHistory()
_UNKNOWN = MskHistory()
