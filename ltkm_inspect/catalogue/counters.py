"""Rules on the counter of LTKMs and the key stream that it makes, and their faults."""

from ltkm_inspect import mikey
from ltkm_inspect.catalogue.changes import with_header, with_payloads
from ltkm_inspect.catalogue.preconditions import IN_ORDER, MUK_BEFORE
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Message, Rand, Timestamp
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import HALF, DeliveredLtkm, LtkmRecord, distance, is_newer
from ltkm_inspect.spec import RFC1982, RFC3830, TS33246, Verb

ASCENDING = TS33246["6.4.3"](
    says="every MSK message has a counter above that of the last one, retransmissions included"
)
REPLAY = TS33246["6.5.3"](says="a message whose counter is not above the stored one of its MUK is discarded")
COUNTER_RULES = RuleGroup(DeliveredLtkm, cite=[REPLAY, ASCENDING], needs=[MUK_BEFORE, IN_ORDER], covers=["XF-01"])


def _reuses_keystream(delivery: DeliveredLtkm) -> bool:
    """Tell whether an earlier LTKM has what the key stream is made of in common, and encrypts something else."""
    sent = delivery.sent
    if not sent.encr_data:
        return False
    for each in delivery.earlier:
        same = each.counter == sent.counter and each.csb_id == sent.csb_id and each.rand == sent.rand
        if same and each.encr_data and each.encr_data != sent.encr_data:
            return True
    return False


@COUNTER_RULES.rule(needs=[MUK_BEFORE])
def ltkm_replayed(delivery: DeliveredLtkm) -> Problems:
    """The very LTKM was delivered before.

    The terminal has its counter stored already and discards it as a replay, so the request that it answers got no key.

    Make the BSM build a message with the next counter for every delivery, retransmissions included.
    """
    if delivery.is_repeated:
        yield Problem("T.value", "a message with a counter of its own", "the octets of an earlier delivery")


@COUNTER_RULES.rule(
    RFC3830["4.2.3"](says="the key stream is made of the MUK, RAND, CSB ID and timestamp; it is used once"),
    needs=[],
    covers=["XF-06"],
)
def keystream_reused(delivery: DeliveredLtkm) -> Problems:
    """Two LTKMs encrypt different key data with the same key stream.

    Whoever has both messages has the difference of the two keys, and with one key also the other. No MUK is needed for
    that.

    Never send two messages with the same counter, RAND and CSB ID to one terminal.
    """
    if not delivery.earlier:
        yield NotApplicable("no earlier LTKM of this MUK was seen")
    elif _reuses_keystream(delivery):
        got = f"those of an earlier one: counter {delivery.sent.counter}"
        yield Problem("KEMAC.encr_data", "counter, RAND and CSB ID that were not used together before", got)


@COUNTER_RULES.rule()
def counter_repeated(delivery: DeliveredLtkm) -> Problems:
    """The counter is that of the last LTKM, and the message is another one.

    The terminal discards the message, and takes the key of the first one for all there is. Two messages with one
    counter tell of two processes at the BSM that count for the same terminal.

    Keep one counter for each MUK, and add 1 before each message.
    """
    equal = delivery.sent.counter == delivery.before.counter
    if equal and not delivery.is_repeated and not _reuses_keystream(delivery):
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter))


@COUNTER_RULES.rule(
    REPLAY,
    RFC1982["3.2"](says="of two 32-bit numbers the newer one is less than 2^31 ahead"),
    covers=["XF-01", "XF-04"],
)
def counter_backward(delivery: DeliveredLtkm) -> Problems:
    """The counter is behind that of the last LTKM for the same MUK.

    The terminal discards the message as a replay, and every further one until the counter has caught up. A counter may
    start anew only with a new MUK, which has a new B-TID or A-KID as IDr.

    Look for a BSM that lost its counters in a restart, or for several that do not share them.
    """
    assert delivery.before.counter is not None
    ahead = distance(delivery.sent.counter, delivery.before.counter)
    if ahead >= HALF and not delivery.is_repeated:
        hint = "half the range apart, which is neither ahead nor behind and counts as a replay" if ahead == HALF else ""
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter), hint)


@COUNTER_RULES.warning(
    ASCENDING,
    needs=[],
    level_reason="the order in which a terminal takes the items is not settled (a violation where two are equal)",
    covers=["XF-02"],
)
def counters_disordered(delivery: DeliveredLtkm) -> Problems:
    """The counters of the LTKMs in one document do not ascend.

    A terminal that works from top to bottom stores the higher counter first, and discards what comes below as a replay.
    Which way a terminal goes is not settled; that no two may be equal is.

    Write the items in the order in which their messages were built.
    """
    if not delivery.beside:
        yield NotApplicable("no LTKM of this MUK stands in front of it in the document")
        return
    last = delivery.beside[-1].counter
    if delivery.sent.counter == last:
        if not _reuses_keystream(delivery):
            yield Problem("T.value", f"a counter above {last}", str(last), "equal", Level.VIOLATION)
    elif not is_newer(delivery.sent.counter, last):
        yield Problem("T.value", f"a counter above {last}", str(delivery.sent.counter), "as in the LTKM in front of it")


@COUNTER_RULES.note(
    TS33246["6.4.3"](says="the counter also counts the messages that were sent in another way", verb=Verb.MAY),
    covers=["XF-03"],
)
def counter_gap(delivery: DeliveredLtkm, *, more_than: int = 1) -> Problems:
    """The counter is more than one ahead of that of the last LTKM.

    Messages in between were sent over UDP, or in exchanges that were not captured; or they were lost.

    Nothing is wrong with it. Where nothing else is sent to the terminal, look for the missing ones.
    """
    last = delivery.beside[-1].counter if delivery.beside else delivery.before.counter
    assert last is not None
    ahead = distance(delivery.sent.counter, last)
    if more_than < ahead < HALF:
        yield Problem("T.value", f"at most {more_than} ahead of {last}", f"{ahead} ahead")


def _last(delivery: DeliveredLtkm) -> LtkmRecord:
    """Return the last LTKM that was delivered for the MUK before this exchange."""
    if not delivery.before.ltkms:
        raise FaultError("no earlier LTKM of this terminal was seen")
    return delivery.before.ltkms[-1]


def _counter(number: int) -> Timestamp:
    return Timestamp(2, (number % (1 << 32)).to_bytes(4))


@fault(on=DeliveredLtkm, reference="renewal", trips={"ltkm-replayed"}, leaves={"encryption", "mac"})
def replay_ltkm(delivery: DeliveredLtkm) -> Message:
    """Send the last LTKM of the terminal once more."""
    return mikey.decode(_last(delivery).octets)


@fault(on=DeliveredLtkm, reference="renewal", trips={"counter-repeated"})
def repeat_counter(delivery: DeliveredLtkm) -> Message:
    """Give the message the counter of the last one."""
    return with_payloads(delivery.message, _counter(_last(delivery).counter))


@fault(on=DeliveredLtkm, reference="renewal", trips={"counter-backward"})
def rewind_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the message a counter behind that of the last one: 2147483648 behind is neither ahead nor behind."""
    return with_payloads(delivery.message, _counter(_last(delivery).counter - by))


@fault(on=DeliveredLtkm, reference="renewal", trips={"keystream-reused", "key-data-unreadable"}, leaves={"encryption"})
def repeat_keystream(delivery: DeliveredLtkm) -> Message:
    """Give the message counter, RAND and CSB ID of the last one, and leave its own key data."""
    last = _last(delivery)
    changed = with_payloads(delivery.message, _counter(last.counter), Rand(last.rand))
    return with_header(changed, csb_id=last.csb_id)


@fault(on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def equal_counters(delivery: DeliveredLtkm) -> Message:
    """Give the last LTKM of a document the counter of the one in front of it."""
    return with_payloads(delivery.message, _counter(delivery.beside[-1].counter))


@fault(on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def lower_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the last LTKM of a document a counter below that of the one in front of it."""
    return with_payloads(delivery.message, _counter(delivery.beside[-1].counter - by))
