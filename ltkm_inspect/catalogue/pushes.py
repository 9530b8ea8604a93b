"""Rules and faults on pushes and solicited pulls, and on what terminals do about them."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_header, with_payload
from ltkm_inspect.catalogue.keys import TEK
from ltkm_inspect.catalogue.preconditions import FIRST_DATAGRAM, MSK_BEFORE, PULL, PUSH
from ltkm_inspect.context import Context
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.keys.protection import encrypt
from ltkm_inspect.mikey import Interval, Kemac, KeyData, KeyDataChain, Message
from ltkm_inspect.mikey.keydata import INTERVAL
from ltkm_inspect.rule import Need, Problems, RuleGroup, rule
from ltkm_inspect.session import DeliveredLtkm, PendingPush, Push, SentDatagram, SessionEvent
from ltkm_inspect.spec import TS33246, Verb
from ltkm_inspect.traffic import Datagram, Exchange
from ltkm_inspect.wire import count

PULLED = TS33246["6.3.2.2.4"](says="a solicited pull delivers no key and does not ask for an answer")
IGNORED = TS33246["6.5.3"](says="a message with Key Number 0 is a solicited pull, and no key is taken from it")


def _no_answer(pending: PendingPush, _: Context) -> str | None:
    return None if pending.push.is_push else "a solicited pull asks for no answer"


def _no_pull(pending: PendingPush, _: Context) -> str | None:
    return None if pending.push.is_pull else "a push need not be followed by a request"


ASKS_FOR_ANSWER = Need("V", "a push to the terminal asks for an answer, and none was seen", _no_answer)
ASKS_FOR_REQUEST = Need("pull", "the terminal was solicited to ask for a key, and has not asked for it", _no_pull)

PUSH_RULES = RuleGroup(SentDatagram, cite=[PULLED, IGNORED], needs=[PULL], covers=["UDP-06"])


@PUSH_RULES.note(
    TS33246["6.3.2.2"](says="keys are sent to terminals that asked for them", verb=Verb.MAY),
    needs=[PUSH, FIRST_DATAGRAM],
    covers=["UDP-01"],
)
def push_unrequested(datagram: SentDatagram) -> Problems:
    """A push is for a terminal that was not seen to ask for a key.

    The terminal asked before the capture began, it asked somewhere else, or the BSM pushes to one that does not expect
    it.

    Nothing is wrong, unless the capture is complete.
    """
    if not datagram.event.idr:
        yield NotApplicable("the push has no IDr")
    elif not any(each.pairs for each in datagram.step.terminal.requests):
        yield Problem("ID[2].value", got="no request of this terminal was seen before")


@PUSH_RULES.rule()
def pull_has_key(datagram: SentDatagram) -> Problems:
    """A solicited pull has key data.

    Key Number 0 makes it a solicited pull: the terminal takes no key from it, so the key is lost. It then asks for the
    current key of the Key Group over HTTP.

    Send the key with its own Key Number, or the solicited pull with an empty KEMAC.
    """
    kemacs = datagram.message.of(Kemac)
    if not kemacs:
        yield NotApplicable("the message has no KEMAC")
    elif kemacs[-1].encr_data:
        yield Problem("KEMAC.encr_data", "no octets", count(len(kemacs[-1].encr_data), "octet"))


@PUSH_RULES.rule()
def pull_asks_for_answer(datagram: SentDatagram) -> Problems:
    """A solicited pull asks for a verification message.

    The answer to it is a request over HTTP. A terminal that also answers over UDP has nothing to confirm.

    Do not set V in a solicited pull.
    """
    assert datagram.message.header is not None
    if datagram.message.header.v:
        yield Problem("HDR.v", "0", "1")


PENDING_RULES = RuleGroup(PendingPush)


@PENDING_RULES.warning(
    TS33246["6.4.5.2"](says="a terminal answers a message in which V is set"),
    needs=[ASKS_FOR_ANSWER],
    level_reason="a datagram may be lost, and so may the answer to it",
    covers=["UDP-04"],
)
def push_unanswered(pending: PendingPush, *, seconds: int = 10) -> Problems:
    """A push asked for a verification message, and none came in time.

    The push did not arrive (behind NAT it cannot), the terminal discarded it, or the answer was lost. The time is known
    to have passed when the terminal is seen again, so the finding is on that event. If the terminal is not seen again,
    the summary counts the push.

    Check whether the push reached the terminal: a request for the same key that follows says that it did not.
    """
    if pending.expires(seconds):
        yield Problem("", f"a verification message within {seconds} s", _waited(pending), of_push(pending.push))


@PENDING_RULES.warning(
    PULLED,
    TS33246["6.3.2.2.4"](says="after a solicited pull, the terminal asks for the current key"),
    needs=[ASKS_FOR_REQUEST],
    level_reason="a datagram may be lost",
    covers=["UDP-07"],
)
def pull_unfollowed(pending: PendingPush, *, seconds: int = 60) -> Problems:
    """A solicited pull was not followed by a request in time.

    The pull did not arrive, or the terminal did not ask for a key of that Key Group. The time is known to have passed
    when the terminal is seen again, so the finding is on that event. If it is not seen again, the summary counts the
    pull.

    Check whether the pull reached the terminal, and whether its request did.
    """
    if pending.expires(seconds):
        expected = f"a request for a key of the Key Group within {seconds} s"
        yield Problem("", expected, _waited(pending), of_push(pending.push))


def _waited(pending: PendingPush) -> str:
    assert pending.waited is not None
    return f"none in {pending.waited:.0f} s"


def of_push(push: Push) -> str:
    """Return which push it is, in words."""
    kind = "LTKM" if push.kind is None else push.kind.value
    counter = "" if push.counter is None else f" and counter {push.counter}"
    return f"the {kind}{f' {push.event}' if push.event else ''} with CSB ID {push.csb_id:08x}{counter}"


@rule(
    TS33246["6.4.3"](says="each message that is sent takes a counter of its own", verb=Verb.MAY),
    on=DeliveredLtkm,
    level=Level.NOTE,
    needs=[MSK_BEFORE],
    covers=["UDP-10"],
)
def msk_delivered_both_ways(delivery: DeliveredLtkm) -> Problems:
    """A key is delivered on one path although the terminal got it on the other.

    Either the key comes in a response although its push was acknowledged, or it is pushed although a response delivered
    it. The terminal takes the second message, too, if its counter is higher, and has the same key as before.

    If the BSM should know that the key was delivered, check whether the acknowledgment or the request reached it.
    """
    if delivery.sent.is_push:
        earlier = [each for each in delivery.earlier if each.msk == delivery.sent.msk and not each.is_push]
        if earlier:
            yield Problem("EXT", got="a push of a key that a response delivered", hint=earlier[-1].event)
    elif (push := delivery.acknowledged) is not None:
        yield Problem("EXT", got="a key whose push was acknowledged", hint=of_push(push))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"push-unanswered"})
def delay_answer(datagram: SentDatagram, *, seconds: int = 60) -> Datagram:
    """Send the verification message so many seconds later."""
    return _later(datagram.event, "datagram", seconds)


@fault(on=SessionEvent, reference="pulled", trips={"pull-unfollowed"})
def delay_request(step: SessionEvent, *, seconds: int = 600) -> Exchange:
    """Make the exchange happen so many seconds later."""
    return _later(step.exchange, "exchange", seconds)


def _later[E: (Datagram, Exchange)](event: E, noun: str, seconds: int) -> E:
    if event.started is None or event.ended is None:
        raise FaultError(f"the time of the {noun} is not known")
    return replace(event, started=event.started + seconds, ended=event.ended + seconds)


@fault(on=SentDatagram, reference="solicited-pull", trips={"pull-has-key"})
def fill_pull(datagram: SentDatagram, *, key: bytes = bytes(range(0xB0, 0xC0))) -> Datagram:
    """Put a key into the solicited pull, encrypted if the MUK is known."""
    event, message = datagram.event, datagram.message
    kemac, muk = message.of(Kemac)[-1], datagram.step.keys.open(message, event.octets).muk
    data = KeyDataChain((KeyData(TEK, INTERVAL, key, validity=Interval(b"\0\0", b"\x0f\xff")),)).encode()
    filled = (
        with_payload(message, kemac, replace(kemac, encr_data=data)) if muk is None else encrypt(message, muk, data)
    )
    return replace(event, octets=filled.encode())


@fault(on=Message, reference="solicited-pull", trips={"pull-asks-for-answer"})
def flag_pull(message: Message) -> Message:
    """Set V in the solicited pull."""
    return with_header(message, v=True)
