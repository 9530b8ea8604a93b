"""Rules and faults on the RAND of MSKs, compared across their deliveries."""

from ltkm_inspect.catalogue.changes import with_payloads
from ltkm_inspect.catalogue.preconditions import MSK_SEEN, NEW_LTKM
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.mikey import Message, Rand
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.session import DeliveredLtkm
from ltkm_inspect.spec import RFC3830, TS33246, Verb

RAND_OCTETS = 16
RAND_RULES = RuleGroup(DeliveredLtkm, covers=["XF-15"])


@RAND_RULES.rule(
    TS33246["6.4.4"](says="all messages that deliver one MSK have the same RAND, for all UEs", verb=Verb.SHOULD),
    RFC3830["6.11"](says="the RAND is the same for all members of a CSB", verb=Verb.SHOULD),
    needs=[NEW_LTKM, MSK_SEEN],
    covers=["XF-05"],
)
def rand_changed(delivery: DeliveredLtkm) -> Problems:
    """The RAND differs from the one delivered before with the same MSK.

    The RAND belongs to the MSK, Key Number included, on all terminals. Keys below the MSK are derived with it, so
    terminals with another RAND cannot open the stream. Each delivery within 24 hours (`msk_hours`) is compared with the
    first one.

    Choose RAND together with the MSK, and send the same RAND to all terminals as long as the MSK lives.
    """
    sent, reference = delivery.sent, delivery.msk.rand
    assert reference is not None
    if reference.value != sent.rand:
        hint = "the CSB ID is the same" if reference.csb_id == sent.csb_id else ""
        yield Problem("RAND.value", f"{reference.value.hex()} as before", sent.rand.hex(), hint)


@RAND_RULES.rule(RFC3830["6.11"](says="RAND is a random or pseudorandom string", verb=Verb.SHOULD))
def rand_constant(delivery: DeliveredLtkm) -> Problems:
    """All octets of the RAND are the same.

    Such a RAND is a leftover test value. Keys of different MSKs are then derived with the same RAND. A RAND that is too
    short is only reported by rand-length-wrong.

    Give the BSM a source of random numbers.
    """
    rand = delivery.sent.rand
    if len(rand) >= RAND_OCTETS and len(set(rand)) == 1:
        yield Problem("RAND.value", "random octets", f"{len(rand)} octets of {rand[0]:02x}")


@RAND_RULES.note(RFC3830["6.11"](says="the RAND is generated independently for each CSB", verb=Verb.MAY))
def rand_shared(delivery: DeliveredLtkm) -> Problems:
    """Another MSK was delivered with the same RAND but another CSB ID.

    The BSM may use one RAND for all keys, or its RANDs may repeat.

    Check how the BSM chooses RAND.
    """
    sent, first = delivery.sent, delivery.rand
    if first is None or sent.msk is None:
        yield NotApplicable("the RAND was not used before, or the message has no MSK ID")
    elif first.msk != sent.msk and first.csb_id != sent.csb_id:
        domain, msk_id = first.msk[1:]
        yield Problem("RAND.value", got=f"also used for MSK ID {msk_id.hex()} of Key Domain {domain.hex()}")


@fault(on=DeliveredLtkm, reference="two-terminals", trips={"rand-changed"})
def replace_rand(delivery: DeliveredLtkm, *, value: bytes = bytes(range(16))) -> Message:
    """Deliver an MSK with a RAND that differs from the one delivered before."""
    return with_payloads(delivery.message, Rand(value))


@fault(on=DeliveredLtkm, reference="download", trips={"rand-constant"})
def flatten_rand(delivery: DeliveredLtkm, *, octet: int = 0) -> Message:
    """Deliver an MSK with a RAND whose octets are all the same."""
    return with_payloads(delivery.message, Rand(bytes((octet,)) * 16))
