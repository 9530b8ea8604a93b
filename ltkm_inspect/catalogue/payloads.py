"""Rules and faults on which payloads a message has, how often and in which order."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_payload, without
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE, WHOLE_MESSAGE
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import (
    ErrorReport,
    GeneralExtension,
    Identity,
    Kemac,
    Message,
    Payload,
    Rand,
    SecurityPolicy,
    Timestamp,
)
from ltkm_inspect.mikey.codes import EXTENSION_TYPES
from ltkm_inspect.mikey.extension import KEY_IDS, OMA_BCAST
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC3830, RFC5410, TS33246, Verb

ONCE: tuple[type[Payload], ...] = (Timestamp, Rand, Kemac)
"""The payloads that a pre-shared key message has exactly once (RFC 3830 §3.1)."""
ALLOWED = frozenset({1, 5, 6, 10, 11, 21})
"""KEMAC, T, ID, SP, RAND and EXT: the payloads of a first message of the pre-shared key method."""


MESSAGE_SHAPE = RuleGroup(Message, needs=[PSK_MESSAGE], shape_only=True)


@MESSAGE_SHAPE.rule(
    RFC3830["3.1"](says="a pre-shared key message has T, RAND and KEMAC"), needs=[WHOLE_MESSAGE], covers=["MK-08"]
)
def payload_missing(message: Message) -> Problems:
    """A payload that every LTKM needs is missing.

    Without T there is no replay protection, without RAND no keys can be derived, and without KEMAC there is no key and
    no MAC.

    Send T, RAND and KEMAC, once each.
    """
    if message.header is None or message.header.data_type != 0 or not message.payloads:
        yield NotApplicable("the message is not a pre-shared key message with payloads")
        return
    for kind in ONCE:
        if not message.of(kind):
            yield Problem(kind.label, f"one {kind.label} payload", "none")


@MESSAGE_SHAPE.rule(
    RFC3830["3.1"](says="a pre-shared key message has one T, one RAND and one KEMAC"),
    needs=[WHOLE_MESSAGE],
    covers=["MK-08"],
)
def payload_repeated(message: Message) -> Problems:
    """A payload that is allowed only once appears twice.

    Which of the two a receiver uses is not defined, so the MAC or the keys may come out differently.

    Send T, RAND and KEMAC, once each.
    """
    for kind in ONCE:
        count = len(message.of(kind))
        if count > 1:
            yield Problem(f"{kind.label}[2]", f"one {kind.label} payload", str(count))


@rule(
    RFC3830["6.2"](says="in the pre-shared key method KEMAC is the last payload, and its Next payload is 0"),
    RFC5410["5"](says="the BCAST extension is integrity-protected, like everything before KEMAC"),
    on=Message,
    covers=["MK-09", "BC-04"],
    shape_only=True,
)
def kemac_not_last(message: Message) -> Problems:
    """Other payloads follow KEMAC.

    The MAC covers only what precedes it. Anyone can change what follows without being noticed.

    Move KEMAC to the end; its Next payload is 0.
    """
    payloads = message.payloads
    if payloads and type(payloads[-1]) is Kemac and message.tail_type == 0:
        return  # another KEMAC before it is reported by payload-repeated
    kemacs = [index for index, payload in enumerate(payloads) if isinstance(payload, Kemac)]
    if not kemacs:
        yield NotApplicable("the message has no KEMAC")
    elif len(kemacs) == 1 and kemacs[0] != len(payloads) - 1:
        after = payloads[kemacs[0] + 1].label
        yield Problem("KEMAC.next_payload", "0 (last payload)", f"{after} after it")
    elif len(kemacs) == 1 and message.tail_type != 0:
        yield NotApplicable("what follows KEMAC cannot be read, reported by payload-unknown or code-unknown")


@MESSAGE_SHAPE.rule(
    RFC3830["5.2"](says="T follows the header; MBMS puts EXT between the two", verb=Verb.SHOULD), covers=["MK-10"]
)
def timestamp_misplaced(message: Message) -> Problems:
    """T follows identities or policies.

    A receiver checks the counter against replay before anything else. The order is a recommendation, but a card with
    little memory may only read the payloads in the usual order.

    Send T after the extensions and before RAND, ID, SP and KEMAC.
    """
    before: set[type[Payload]] = set()
    for index, payload in enumerate(message.payloads):
        kind = type(payload)
        if kind is Timestamp:
            if before and Kemac not in before:
                level = None if Identity in before or SecurityPolicy in before else Level.NOTE
                labels = ", ".join(sorted(each.label for each in before))
                expected = "T before all other payloads except EXT"
                yield Problem(message.paths[index], expected, f"T after {labels}", level=level)
            elif before:
                yield NotApplicable("T follows KEMAC, reported by kemac-not-last")
            return
        if kind is not GeneralExtension:
            before.add(kind)
    yield NotApplicable("the message has no T")


@rule(
    RFC3830["6.15"](says="extensions are registered by number", verb=Verb.MAY),
    TS33246["6.5.3"](says="an unknown extension does not end the processing of a message", verb=Verb.MAY),
    on=GeneralExtension,
    covers=["MK-23"],
    shape_only=True,
)
def extension_additional(extension: GeneralExtension) -> Problems:
    """The message has a General Extension other than Key ID information and OMA BCAST.

    This is legal. The MAC covers it, and a receiver that does not know it ignores it.

    If a terminal fails on the message, try it without the extension.
    """
    if extension.type != KEY_IDS and extension.type != OMA_BCAST:
        yield Problem("type", got=EXTENSION_TYPES.describe(extension.type), hint="kept unchanged")


@MESSAGE_SHAPE.rule(
    RFC3830["3.1"](says="the payloads of the first message of the pre-shared key method"), covers=["MK-21"]
)
def payload_foreign(message: Message) -> Problems:
    """The message has a payload of another key exchange method.

    A receiver does not expect it, and its reaction is not defined.

    Send only EXT, T, RAND, ID, SP and KEMAC payloads.
    """
    for payload in message.payloads:
        if payload.payload_type not in ALLOWED:
            yield Problem(payload.label, "a payload of the pre-shared key method", payload.label)


@fault(on=Message, reference="download", trips={"payload-missing"}, leaves={"mac"})
def drop_rand(message: Message) -> Message:
    """Remove RAND from the message."""
    return without(message, message.of(Rand))


@fault(on=Message, reference="download", trips={"payload-repeated"})
def repeat_timestamp(message: Message) -> Message:
    """Send T twice."""
    payloads: list[Payload] = []
    for payload in message.payloads:
        payloads += [payload, payload] if isinstance(payload, Timestamp) else [payload]
    return replace(message, payloads=tuple(payloads))


@fault(on=Message, reference="download", trips={"kemac-not-last"}, leaves={"mac"})
def advance_kemac(message: Message) -> Message:
    """Send the Key ID information after KEMAC."""
    moved = message.extensions(KEY_IDS)
    return replace(message, payloads=(*without(message, moved).payloads, *moved))


@fault(on=Message, reference="download", trips={"timestamp-misplaced"})
def delay_timestamp(message: Message) -> Message:
    """Send T after the identities, just before KEMAC."""
    moved = message.of(Timestamp)[0]
    kept = with_payload(message, moved).payloads
    return replace(message, payloads=(*kept[:-1], moved, kept[-1]))


@fault(on=Message, reference="download", trips={"payload-foreign"})
def insert_error(message: Message) -> Message:
    """Insert an error payload before KEMAC."""
    return replace(message, payloads=(*message.payloads[:-1], ErrorReport(0, 0), message.payloads[-1]))
