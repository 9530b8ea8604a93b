"""Rules and faults on what terminals ask for, also after a push, and on which BSM serves them."""

from dataclasses import replace

from ltkm_inspect.catalogue.preconditions import FIRST_COPY, REQUEST_BEFORE
from ltkm_inspect.catalogue.pushes import of_push
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import DeliveredLtkm, SessionEvent
from ltkm_inspect.session.connections import CONNECTIONS
from ltkm_inspect.session.pushes import PUSHES
from ltkm_inspect.session.senders import SENDERS
from ltkm_inspect.spec import TS31102, TS33246, Verb
from ltkm_inspect.traffic import Exchange

SENDER_RULES = RuleGroup(DeliveredLtkm, covers=["XF-12"])
REQUEST_RULES = RuleGroup(
    SessionEvent,
    cite=[TS33246["6.3.2.2"](says="a terminal asks for an MSK that it does not have", verb=Verb.MAY)],
    needs=[FIRST_COPY, REQUEST_BEFORE],
    covers=["XF-10"],
)


@SENDER_RULES.warning(
    TS33246["6.4.6.1"](says="the MUK of a message is found by IDi and IDr", verb=Verb.SHOULD),
    TS31102["4.2.81"](says="a card does not have two MUK IDs with the same IDi", verb=Verb.SHOULD),
)
def identities_alternate(delivery: DeliveredLtkm) -> Problems:
    """LTKMs for two terminals alternate on one connection.

    A connection belongs to one terminal. It may switch to a new B-TID or A-KID when the terminal has bootstrapped
    again, but not back and forth, because the card then has no MUK for the earlier one. Either the BSM mixes up
    terminals, or something in between combines several of them.

    Check how the BSM finds the MUK. If an HTTP proxy in between puts several terminals on one connection, ignore this
    rule.
    """
    idr = delivery.muk[1]
    order = delivery.step.before.of(CONNECTIONS, (delivery.sent.connection, delivery.muk[0]))
    if not order:
        over = "no LTKM came over this connection before"
        yield NotApplicable(over if delivery.sent.connection else "pushes of all terminals may have the same addresses")
    elif idr in order[:-1] and order[-1] != idr:
        joined = bool(delivery.event.connection)
        got = f"{_text(idr)} after {_text(order[-1])}"
        hint = "" if joined else "only the address links them, and many terminals may share it"
        yield Problem("ID[2].value", "one terminal per connection", got, hint, None if joined else Level.NOTE)


@SENDER_RULES.note(
    TS33246["6.4.6.1"](says="another IDi means another BM-SC, with another MUK and counter", verb=Verb.MAY)
)
def bsm_changed(delivery: DeliveredLtkm) -> Problems:
    """A terminal gets LTKMs from another BSM than before.

    Another IDi means another MUK and another counter.

    Nothing is wrong if there are several.
    """
    idi, idr = delivery.muk
    last = delivery.step.before.of(SENDERS, idr)
    if last is None:
        yield NotApplicable("the terminal got no LTKM before")
    elif last != idi:
        yield Problem("ID[1].value", f"{_text(last)} as before", _text(idi))


def _text(identity: bytes) -> str:
    return identity.decode("utf-8", "backslashreplace")


@REQUEST_RULES.note(looks_at=["request.body"])
def request_repeated(step: SessionEvent, *, seconds: int = 300) -> Problems:
    """A terminal repeats a request that got no answer.

    The first request or its response was lost.

    Find out what became of the first one.
    """
    pairs = step.exchange.requested_pairs
    for asked in reversed(step.terminal.requests):
        if not asked.answered and not asked.pairs.isdisjoint(pairs) and _is_within(step, asked.at, seconds):
            yield Problem("request.body", got="an unanswered request again")
            return


@REQUEST_RULES.note(looks_at=["request.body", "response.status"])
def key_requested_again(step: SessionEvent, *, seconds: int = 60) -> Problems:
    """A terminal asks again for a key that was just delivered to it.

    It did not accept the LTKM: it found the MAC wrong, the counter used, or something else in the response.

    Check the last response to this terminal, and what the terminal's log says about it.
    """
    pairs = step.exchange.requested_pairs
    for asked in reversed(step.terminal.requests):
        if not asked.delivered.isdisjoint(pairs) and _is_within(step, asked.at, seconds):
            again = [pair for pair in pairs if pair in asked.delivered]
            got = f"MSK ID {again[0][1].hex()} again" + (f" and {len(again) - 1} more" if len(again) > 1 else "")
            yield Problem("request.body", got=got, hint="just delivered with an LTKM")
            return


@REQUEST_RULES.note(needs=[FIRST_COPY], looks_at=["request.body"], covers=["UDP-11"])
def request_after_push(step: SessionEvent, *, seconds: int = 3600) -> Problems:
    """A terminal asks for a key whose push was not acknowledged.

    The push probably did not arrive: behind NAT it cannot. If V was not set, the terminal had no way to acknowledge it.

    Deliver the key in the response.
    """
    history = step.before.of(PUSHES, step.event.terminal)
    pushes = [push for push in history.pushes if push.is_push] if history is not None else []
    started, pairs = step.event.started, step.exchange.requested_pairs
    if not pushes:
        yield NotApplicable("nothing was pushed to the terminal before")
        return
    for push in reversed(pushes):
        if push.is_answered or push.is_requested or not any(map(push.is_about, pairs)):
            continue
        if push.at is None or started is None or 0 <= started - push.at <= seconds:
            why = "it asked for an answer, and none was seen" if push.v else "it did not ask for an answer"
            yield Problem("request.body", got=f"a request for the key of {of_push(push)}", hint=why)
            return


def _is_within(step: SessionEvent, at: float | None, seconds: int) -> bool:
    started = step.event.started
    return at is not None and started is not None and 0 <= started - at <= seconds


@fault(on=SessionEvent, reference="rebootstrapped", trips={"identities-alternate"})
def share_connection(step: SessionEvent, *, connection: str = "192.0.2.10:40001") -> Exchange:
    """Make the exchange come over another connection (default: the first connection of the reference)."""
    return replace(step.exchange, connection=connection)
