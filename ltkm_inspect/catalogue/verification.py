"""Rules and faults on verification messages, with which a terminal answers a push."""

from dataclasses import replace

from ltkm_inspect import mikey
from ltkm_inspect.catalogue.changes import with_header, with_payload, with_payloads, without
from ltkm_inspect.catalogue.preconditions import ANSWERED, FIRST_DATAGRAM, KEYS, MATCHED, VERIFICATION
from ltkm_inspect.catalogue.profile import EMPTY_MAP
from ltkm_inspect.catalogue.pushes import of_push
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.keys.verification import NATURAL, reading_of, sign
from ltkm_inspect.mikey import Identity, Message, Timestamp, Verification
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import SentDatagram
from ltkm_inspect.session.pushes import PUSHES
from ltkm_inspect.spec import RFC3830, TS33246, Sure, Verb
from ltkm_inspect.traffic import Datagram
from ltkm_inspect.wire import count

FORM = TS33246["6.4.5.2"](says="a verification message has a header with the empty map, then T, IDr and V")
ANSWERS = TS33246["6.4.5.2"](says="a verification message has the CSB ID and the T of the message that it answers")
PARTS = (Timestamp, Identity, Verification)
NULL = 0
ANSWER_RULES = RuleGroup(
    SentDatagram, cite=[ANSWERS], needs=[VERIFICATION, FIRST_DATAGRAM, ANSWERED], covers=["UDP-02"]
)


@ANSWER_RULES.rule(FORM, needs=[VERIFICATION], covers=["UDP-03"])
def verification_malformed(datagram: SentDatagram) -> Problems:
    """A verification message does not have the form of one.

    The BSM cannot tell which message was answered, or by whom, and takes the key for not delivered.

    Make the terminal send a header with #CS 0 and the empty map, then T, IDr and V.
    """
    message, header = datagram.message, datagram.message.header
    assert header is not None
    if message.problem is not None:
        if message.problem.kind == "trailing":
            yield NotApplicable("octets follow the message, reported by datagram-crowded")
        else:
            yield Problem.of_reason(message.problem.reason, message.problem.path)
        return
    if not _has_form(message):
        got = ", ".join(payload.label for payload in message.payloads)
        yield Problem("", "T, ID and V", got or "no payloads")
    if (header.cs_count, header.cs_id_map_type) != (0, EMPTY_MAP):
        got = f"map type {header.cs_id_map_type}, {count(header.cs_count, 'crypto session')}"
        yield Problem("HDR.cs_id_map_type", "the empty map (1), no crypto sessions", got)


def _has_form(message: Message) -> bool:
    return tuple(map(type, message.payloads)) == PARTS


@ANSWER_RULES.warning(
    needs=[VERIFICATION, FIRST_DATAGRAM],
    level_reason="what it answers may have been sent before the capture began",
)
def verification_unmatched(datagram: SentDatagram) -> Problems:
    """A verification message answers nothing.

    No push has its CSB ID, nor its IDr and T. The BSM has nothing that it could confirm, and waits for another answer.

    Check whether the capture lacks the push. If not, compare the terminal's CSB ID with those that the BSM sent.
    """
    answer = datagram.step.summary.answer
    assert answer is not None
    if datagram.message.problem is None and not _has_form(datagram.message):
        yield NotApplicable("it has not the form of a verification message, reported by verification-malformed")
    elif datagram.answered is None:
        yield Problem("HDR.csb_id", "the CSB ID of a push", f"{answer.csb_id:08x}")


@ANSWER_RULES.rule()
def verification_csb_id_mismatch(datagram: SentDatagram) -> Problems:
    """The CSB ID of a verification message differs from that of the push.

    IDr and T are those of a push, but a BSM that looks for the CSB ID does not find it.

    Make the terminal copy the CSB ID from the message that it answers.
    """
    answer, push = datagram.step.summary.answer, datagram.answered
    assert answer is not None
    assert push is not None
    if answer.csb_id != push.csb_id:
        yield Problem("HDR.csb_id", f"{push.csb_id:08x} as in the push", f"{answer.csb_id:08x}", of_push(push))


@ANSWER_RULES.rule(RFC3830["3.1"](says="the responder returns the timestamp of the initiator"), ANSWERS)
def verification_timestamp_mismatch(datagram: SentDatagram) -> Problems:
    """T in a verification message differs from T in the push.

    T tells one push of a key from the next. With another T, the BSM takes the message for the answer to another push,
    or for a replay.

    Make the terminal copy T from the message that it answers.
    """
    answer, push = datagram.step.summary.answer, datagram.answered
    assert answer is not None
    assert push is not None
    times = datagram.message.of(Timestamp)
    if not times:
        yield NotApplicable("there is no T, reported by verification-malformed")
    elif answer.counter is None and push.counter is not None:
        yield Problem("T.type", f"{COUNTER} (counter) as in the push", str(times[0].type), of_push(push))
    elif answer.counter != push.counter:
        yield Problem("T.value", f"{push.counter} as in the push", str(answer.counter), of_push(push))


@ANSWER_RULES.rule(TS33246["6.4.5.2"](says="IDr in a verification message is the terminal that answers"))
def verification_identity_mismatch(datagram: SentDatagram) -> Problems:
    """IDr in a verification message differs from IDr in the push.

    The push was for another terminal. The BSM looks for the MUK of the wrong one, or takes the key of the wrong one for
    delivered.

    Check whether the terminal has bootstrapped again and answers with its new B-TID: the answer needs the one that the
    message was for.
    """
    push, got = datagram.answered, datagram.event.idr
    assert push is not None
    if not got:
        yield NotApplicable("there is no IDr, reported by verification-malformed")
    elif got != push.terminal:
        yield Problem("ID.value", f"{push.terminal} as in the push", got, of_push(push))


@ANSWER_RULES.rule(
    TS33246["6.4.5.2"](says="a verification message is sent only if V was set in the message that it answers"),
    needs=[VERIFICATION, FIRST_DATAGRAM, MATCHED],
    covers=["UDP-05"],
)
def verification_unasked(datagram: SentDatagram) -> Problems:
    """A verification message answers a push that did not ask for one.

    The BSM does not wait for it. A terminal that answers every push costs an uplink message for each.

    Make the terminal look at the V flag of the header.
    """
    push = datagram.answered
    assert push is not None
    if not push.v:
        yield Problem("", "an answer only where V is set", "an answer to a message with V 0", of_push(push))


@ANSWER_RULES.rule(
    TS33246["6.4.5.2"](says="the NULL MAC is not used in a verification message"),
    needs=[VERIFICATION],
    covers=["UDP-03"],
)
def verification_not_authenticated(datagram: SentDatagram) -> Problems:
    """A verification message has the NULL MAC.

    Anyone can send it. The BSM then believes that a key was delivered that the terminal never got.

    Make the terminal send Auth alg 1.
    """
    found = datagram.message.of(Verification)
    if not found:
        yield NotApplicable("there is no V payload, reported by verification-malformed")
    elif found[-1].auth_alg == NULL:
        yield Problem("V.auth_alg", "a MAC algorithm other than NULL", "0 (NULL)")


def _reading(datagram: SentDatagram) -> str | NotApplicable | None:
    """Return how the MAC of the message verifies with the MUK that verifies the push; None if it does not."""
    push = datagram.answered
    assert push is not None
    request = mikey.decode(push.octets)
    muk = datagram.step.keys.open(request, push.octets).muk if push.is_verified and push.octets else None
    if muk is None:
        return NotApplicable("no MUK of the key ring verifies the message that it answers")
    try:
        return reading_of(datagram.message, datagram.event.octets, request, muk)
    except ValueError:
        return NotApplicable("there is no MAC to verify, reported by another rule")


MAC_RULES = RuleGroup(
    SentDatagram,
    cite=[RFC3830["5.2"](says="the MAC in V covers the whole message except itself, then IDi, IDr and T")],
    needs=[KEYS, VERIFICATION, FIRST_DATAGRAM, MATCHED],
    covers=["KEY-11"],
    takes=_reading,
)


@MAC_RULES.warning(level_reason="the clause can be read in several ways; all those that are known were tried")
def verification_mac_invalid(datagram: SentDatagram, reading: str | None) -> Problems:
    """The MAC of a verification message does not verify with the MUK that verifies the push.

    The BSM does not accept the answer, and delivers the key again. Either the terminal computes the MAC with another
    key or over other octets, or somebody else sent the message.

    Compare the terminal's MUK with that of the BSM. The MAC is keyed like that of the push, with the RAND of the push.
    """
    if reading is None:
        yield Problem("V.ver_data", got="a MAC that verifies in no reading of RFC 3830 5.2")


@MAC_RULES.note(
    RFC3830["5.2"](
        says="IDi, IDr and T follow the message, as they are in their payloads", verb=Verb.MAY, sure=Sure.DERIVED
    )
)
def verification_mac_unusual(datagram: SentDatagram, reading: str | None) -> Problems:
    """The MAC of a verification message verifies in an unusual reading of RFC 3830.

    The clause appends IDi, IDr and T to what the MAC covers, and does not say in which form. A BSM that reads it
    otherwise refuses the message.

    Agree on one reading.
    """
    if reading is not None and reading != NATURAL:
        yield Problem("V.ver_data", got=f"over {reading}", hint=f"the natural reading: {NATURAL}")


def _sent(datagram: SentDatagram, message: Message) -> Datagram:
    return replace(datagram.event, octets=message.encode())


def _csb_id(message: Message) -> int:
    assert message.header is not None
    return message.header.csb_id


def _counted(message: Message, by: int) -> Timestamp:
    number = int.from_bytes(message.of(Timestamp)[0].value) + by
    return Timestamp(COUNTER, (number % (1 << 32)).to_bytes(4))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-malformed"})
def drop_answer_identity(datagram: SentDatagram) -> Datagram:
    """Remove IDr from the verification message."""
    return _sent(datagram, without(datagram.message, datagram.message.of(Identity)))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-unmatched"})
def answer_nothing(datagram: SentDatagram) -> Datagram:
    """Give the verification message another CSB ID and another T."""
    message = with_payloads(datagram.message, _counted(datagram.message, 1000))
    return _sent(datagram, with_header(message, csb_id=_csb_id(message) ^ 0xFFFFFFFF))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-csb-id-mismatch"})
def replace_answer_csb_id(datagram: SentDatagram, *, by: int = 1) -> Datagram:
    """Give the verification message another CSB ID (default: one more)."""
    csb_id = (_csb_id(datagram.message) + by) % (1 << 32)
    return _sent(datagram, with_header(datagram.message, csb_id=csb_id))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-timestamp-mismatch"})
def replace_answer_timestamp(datagram: SentDatagram, *, by: int = 1) -> Datagram:
    """Give the verification message another T (default: one more)."""
    return _sent(datagram, with_payloads(datagram.message, _counted(datagram.message, by)))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-identity-mismatch"})
def replace_answer_identity(datagram: SentDatagram, *, to: str = "QUJDREVGR0hJSktMTU5PUA==@bsf.home1.net") -> Datagram:
    """Write another terminal's B-TID into the verification message."""
    identity = replace(datagram.message.of(Identity)[0], value=to.encode("utf-8", "surrogateescape"))
    return _sent(datagram, with_payloads(datagram.message, identity))


@fault(on=SentDatagram, reference="late-acknowledgment", trips={"verification-unasked"})
def answer_unasked(datagram: SentDatagram) -> Datagram:
    """Answer the latest push that did not ask for it."""
    history = datagram.before.of(PUSHES, datagram.event.terminal)
    quiet = [push for push in history.pushes if not push.v] if history is not None else []
    if not quiet or quiet[-1].counter is None:
        raise FaultError("no push without V was seen before")
    push = quiet[-1]
    request = mikey.decode(push.octets)
    message = with_header(with_payloads(datagram.message, request.of(Timestamp)[0]), csb_id=push.csb_id)
    muk = datagram.step.keys.open(request, push.octets).muk
    return _sent(datagram, message if muk is None else sign(message, request, muk))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-not-authenticated"})
def drop_answer_mac(datagram: SentDatagram) -> Datagram:
    """Send the verification message with the NULL MAC."""
    last = datagram.message.of(Verification)[-1]
    return _sent(datagram, with_payload(datagram.message, last, Verification(NULL, b"")))


@fault(on=SentDatagram, reference="acknowledged-push", trips={"verification-mac-invalid"})
def break_answer_mac(datagram: SentDatagram) -> Datagram:
    """Change the last bit of the MAC of the verification message."""
    if not datagram.message.of(Verification):
        raise FaultError("the datagram has no V payload")
    octets = datagram.event.octets
    return replace(datagram.event, octets=octets[:-1] + bytes((octets[-1] ^ 1,)))
