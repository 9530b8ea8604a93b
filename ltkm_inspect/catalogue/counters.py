"""Rules and faults on the counters of LTKMs, and on the key streams that depend on them."""

from ltkm_inspect import mikey
from ltkm_inspect.catalogue.changes import with_header, with_payloads
from ltkm_inspect.catalogue.preconditions import IN_ORDER, MUK_BEFORE
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Message, Rand, Timestamp
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import HALF, DeliveredLtkm, LtkmRecord, distance, is_newer
from ltkm_inspect.spec import RFC1982, RFC3830, TS33246, Verb

ASCENDING = TS33246["6.4.3"](says="every MSK message, retransmissions included, has a higher counter than the last one")
REPLAY = TS33246["6.5.3"](says="a message is discarded unless its counter is above the one stored for its MUK")
COUNTER_RULES = RuleGroup(DeliveredLtkm, cite=[REPLAY, ASCENDING], needs=[MUK_BEFORE, IN_ORDER], covers=["XF-01"])


def _reuses_keystream(delivery: DeliveredLtkm) -> bool:
    """Tell whether an earlier LTKM has what the key stream is made of in common, and encrypts something else."""
    sent = delivery.sent
    same = [each for each in delivery.earlier if each.counter == sent.counter and each.csb_id == sent.csb_id]
    return bool(sent.encr_data) and any(
        each.rand == sent.rand and each.encr_data not in (b"", sent.encr_data) for each in same
    )


@COUNTER_RULES.rule(needs=[MUK_BEFORE])
def ltkm_replayed(delivery: DeliveredLtkm) -> Problems:
    """This exact LTKM was delivered before.

    The terminal has already stored its counter and discards it as a replay, so the request got no key. Pushes and
    responses share one counter: the same message in both is a replay, too, of whichever comes second.

    Make the BSM build a message with the next counter for every delivery, retransmissions included.
    """
    if delivery.is_repeated and (gap := delivery.event.unknown("request")) is not None:
        yield NotApplicable(f"whether the exchange was captured twice is not known without its request: {gap.reason}")
    elif delivery.is_repeated:
        first = next(each for each in delivery.before.ltkms if each.octets == delivery.sent.octets)
        got = "the same octets as in an earlier delivery"
        yield Problem("T.value", "a message with a new counter", got, _other_path(delivery, first))


@COUNTER_RULES.rule(
    RFC3830["4.2.3"](says="the key stream depends on the MUK, RAND, CSB ID and timestamp, and is used once"),
    needs=[],
    covers=["XF-06"],
)
def keystream_reused(delivery: DeliveredLtkm) -> Problems:
    """Two LTKMs encrypt different key data with the same key stream.

    Anyone who has both messages can compute the difference of the two keys, and from one key the other. This takes no
    MUK.

    Never send two messages with the same counter, RAND and CSB ID to one terminal.
    """
    if not delivery.earlier:
        yield NotApplicable("no earlier LTKM for this MUK was seen")
    elif _reuses_keystream(delivery):
        got = f"that of an earlier LTKM, with counter {delivery.sent.counter}"
        hint = _other_path(delivery, _with_counter(delivery))
        yield Problem("KEMAC.encr_data", "a new combination of counter, RAND and CSB ID", got, hint)


@COUNTER_RULES.rule()
def counter_repeated(delivery: DeliveredLtkm) -> Problems:
    """Counter repeats the previous LTKM's, but the message differs.

    The terminal discards the message and keeps only the key of the first one. Two messages with one counter suggest
    that two BSM processes count for the same terminal: for example one for pushes, and one for responses.

    Keep one counter per MUK, and add 1 before each message.
    """
    equal = delivery.sent.counter == delivery.before.counter
    if equal and not delivery.is_repeated and not _reuses_keystream(delivery):
        hint = _other_path(delivery, _with_counter(delivery))
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter), hint)


@COUNTER_RULES.rule(
    REPLAY,
    RFC1982["3.2"](says="of two 32-bit numbers the newer one is less than 2^31 ahead"),
    covers=["XF-01", "XF-04"],
)
def counter_backward(delivery: DeliveredLtkm) -> Problems:
    """Counter is behind the previous LTKM's for the same MUK.

    The terminal discards this message as a replay, and all further ones until the counter has caught up. A counter may
    start over only with a new MUK, which has a new B-TID or A-KID as IDr.

    Look for a BSM that lost its counters in a restart, for several BSMs that do not share them, or for one that counts
    pushes and responses apart.
    """
    assert delivery.before.counter is not None
    ahead = distance(delivery.sent.counter, delivery.before.counter)
    if ahead >= HALF and not delivery.is_repeated:
        half = "exactly half the range apart, which counts as a replay" if ahead == HALF else ""
        hint = half or _other_path(delivery, _with_counter(delivery) or _newest(delivery))
        yield Problem("T.value", f"a counter above {delivery.before.counter}", str(delivery.sent.counter), hint)


@COUNTER_RULES.warning(
    ASCENDING,
    needs=[],
    level_reason="the order in which a terminal processes the items is not settled (equal counters are a violation)",
    covers=["XF-02"],
)
def counters_disordered(delivery: DeliveredLtkm) -> Problems:
    """Counters do not ascend within the document.

    A terminal that works from top to bottom stores the higher counter first, and discards the later LTKM as a replay.
    The order in which terminals work is not settled, but two counters must never be equal.

    Write the items in the order in which their messages were built.
    """
    if not delivery.beside:
        yield NotApplicable("no LTKM for this MUK precedes it in the document")
        return
    last = delivery.beside[-1].counter
    if delivery.sent.counter == last:
        if not _reuses_keystream(delivery):
            yield Problem("T.value", f"a counter above {last}", str(last), "equal", Level.VIOLATION)
    elif not is_newer(delivery.sent.counter, last):
        yield Problem(
            "T.value", f"a counter above {last}", str(delivery.sent.counter), f"the LTKM before it has {last}"
        )


@COUNTER_RULES.note(
    TS33246["6.4.3"](says="the counter also counts messages sent in other ways", verb=Verb.MAY),
    covers=["XF-03"],
)
def counter_gap(delivery: DeliveredLtkm, *, more_than: int = 1) -> Problems:
    """Counter is more than one ahead of the previous LTKM's.

    Messages in between were pushed over UDP or sent in exchanges, and not captured, or they were lost. A push that was
    captured leaves no gap.

    Nothing is wrong. If the terminal gets messages in no other way, look for the missing ones.
    """
    last = delivery.beside[-1].counter if delivery.beside else delivery.before.counter
    assert last is not None
    ahead = distance(delivery.sent.counter, last)
    if more_than < ahead < HALF:
        yield Problem("T.value", f"at most {more_than} ahead of {last}", f"{ahead} ahead")


def _with_counter(delivery: DeliveredLtkm) -> LtkmRecord | None:
    """Return the first remembered LTKM of the MUK with the same counter; None without one."""
    return next((each for each in delivery.before.ltkms if each.counter == delivery.sent.counter), None)


def _newest(delivery: DeliveredLtkm) -> LtkmRecord | None:
    """Return the remembered LTKM of the MUK with the newest counter; None if it is not remembered."""
    return next((each for each in delivery.before.ltkms if each.counter == delivery.before.counter), None)


def _other_path(delivery: DeliveredLtkm, earlier: LtkmRecord | None) -> str:
    """Say which path came first and what the terminal does, if two LTKMs came on different ones; otherwise nothing."""
    if earlier is None or earlier.is_push == delivery.sent.is_push:
        return ""
    paths = ("a push", "this response") if earlier.is_push else ("a response", "this push")
    where = f" ({earlier.event})" if earlier.event else ""
    return f"{paths[0]} came first{where} with counter {earlier.counter}; the terminal discards {paths[1]}"


def _last(delivery: DeliveredLtkm) -> LtkmRecord:
    """Return the last LTKM that was delivered for the MUK before this exchange."""
    if not delivery.before.ltkms:
        raise FaultError("no earlier LTKM for this terminal was seen")
    return delivery.before.ltkms[-1]


def _counter(number: int) -> Timestamp:
    return Timestamp(2, (number % (1 << 32)).to_bytes(4))


@fault(on=DeliveredLtkm, reference="renewal", trips={"ltkm-replayed"}, leaves={"encryption", "mac"})
def replay_ltkm(delivery: DeliveredLtkm) -> Message:
    """Send the terminal's previous LTKM again."""
    return mikey.decode(_last(delivery).octets)


@fault(on=DeliveredLtkm, reference="renewal", trips={"counter-repeated"})
def repeat_counter(delivery: DeliveredLtkm) -> Message:
    """Give the message the same counter as the previous one."""
    return with_payloads(delivery.message, _counter(_last(delivery).counter))


@fault(on=DeliveredLtkm, reference="renewal", trips={"counter-backward"})
def rewind_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the message a lower counter than the previous one (2147483648 lower is exactly half the range apart)."""
    return with_payloads(delivery.message, _counter(_last(delivery).counter - by))


@fault(on=DeliveredLtkm, reference="renewal", trips={"keystream-reused", "key-data-unreadable"}, leaves={"encryption"})
def repeat_keystream(delivery: DeliveredLtkm) -> Message:
    """Give the message the counter, RAND and CSB ID of the previous one, but its own key data."""
    last = _last(delivery)
    changed = with_payloads(delivery.message, _counter(last.counter), Rand(last.rand))
    return with_header(changed, csb_id=last.csb_id)


@fault(on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def equal_counters(delivery: DeliveredLtkm) -> Message:
    """Give the last LTKM of a document the same counter as the one before it."""
    return with_payloads(delivery.message, _counter(delivery.beside[-1].counter))


@fault(on=DeliveredLtkm, reference="several-keys", trips={"counters-disordered"})
def lower_counter(delivery: DeliveredLtkm, *, by: int = 1) -> Message:
    """Give the last LTKM of a document a lower counter than the one before it."""
    return with_payloads(delivery.message, _counter(delivery.beside[-1].counter - by))
