"""Rules and faults on the key identifiers in an LTKM."""

from dataclasses import replace

from ltkm_inspect.catalogue.changes import with_payload, without
from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.mikey import GeneralExtension, KeyId, KeyIds, Message
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import RFC4563, TS33246, Verb

CARRIED = TS33246["6.4.5.1"](says="an MSK message carries the Key Domain ID, then the MSK ID, in one EXT payload")
KEY_GROUP = TS33246["6.3.2.1"](says="the Key Group part of an MSK ID is not 0")
KEY_ID_TYPES = RFC4563["4"](says="a Key Domain ID has Key ID type 0, an MSK ID type 1, an MTK ID type 2")
KEY_DOMAIN, MSK, MTK = 0, 1, 2
LENGTHS = {KEY_DOMAIN: 3, MSK: 4}
KNOWN = frozenset({KEY_DOMAIN, MSK, MTK})
EXTENSION = 3
"""The General Extension type of Key ID information (RFC 4563)."""


def key_id(message: Message, kind: int) -> bytes | None:
    """Return the one key ID of that type, of the right length; None where there is not exactly one."""
    found = message.key_id(kind)
    return found if found is not None and len(found) == LENGTHS[kind] else None


MESSAGE_SHAPE = RuleGroup(Message, cite=[CARRIED, KEY_ID_TYPES], needs=[PSK_MESSAGE], shape_only=True)


@MESSAGE_SHAPE.rule(covers=["ID-01"])
def key_ids_missing(message: Message) -> Problems:
    """The message has no Key ID information.

    Without it, the card cannot tell which key it gets, and which of its keys to replace.

    Send one General Extension of type 3 with Key Domain ID and MSK ID.
    """
    if not message.extensions(EXTENSION):
        yield Problem("EXT", "one extension of type 3 (Key ID)", "none")


@MESSAGE_SHAPE.rule(covers=["ID-01"])
def key_ids_repeated(message: Message) -> Problems:
    """The message has Key ID information more than once.

    The receiver decides which one names the key.

    Send it once.
    """
    count = len(message.extensions(EXTENSION))
    if count > 1:
        yield Problem("EXT", "one extension of type 3 (Key ID)", str(count))


def _not_single(message: Message, kind: int, name: str) -> Problems:
    lengths = [len(each.value) for each in message.key_ids() if each.type == kind]
    if len(message.extensions(EXTENSION)) != 1:
        yield NotApplicable("the message does not have exactly one extension with key IDs")
    elif any(".key_ids" in problem.path for problem in message.inner_problems):
        yield NotApplicable("the key IDs cannot be read, reported by key-ids-malformed")
    elif lengths != [LENGTHS[kind]]:
        got = f"{len(lengths)} of them" if len(lengths) > 1 else f"{lengths[0]} octets" if lengths else "none"
        yield Problem("EXT.key_ids", f"one {name} of {LENGTHS[kind]} octets", got)


@MESSAGE_SHAPE.rule(covers=["ID-02"])
def key_domain_id_not_single(message: Message) -> Problems:
    """The Key ID information does not have exactly one Key Domain ID of 3 octets.

    The card stores keys by domain, so it needs exactly one.

    Send one key ID of type 0 with 3 octets.
    """
    yield from _not_single(message, KEY_DOMAIN, "Key Domain ID")


@MESSAGE_SHAPE.rule(covers=["ID-03"])
def msk_id_not_single(message: Message) -> Problems:
    """The Key ID information does not have exactly one MSK ID of 4 octets.

    The MSK ID names the key, so the card needs exactly one.

    Send one key ID of type 1 with 4 octets.
    """
    yield from _not_single(message, MSK, "MSK ID")


@MESSAGE_SHAPE.rule(TS33246["6.4.2"](says="messages that deliver MTKs have an MTK ID"), covers=["ID-04"])
def mtk_id_present(message: Message) -> Problems:
    """The Key ID information of an LTKM has an MTK ID.

    An MTK ID marks a short-term key message. A card that sees it treats the message as one, and looks for the MSK that
    should protect it.

    Leave the MTK ID out of LTKMs.
    """
    if any(each.type == MTK for each in message.key_ids()):
        yield Problem("EXT.key_ids", "no MTK ID", "one", "it marks a short-term key message")


@MESSAGE_SHAPE.rule(
    TS33246["6.4.2"](says="the Key Domain ID comes first, then the MSK ID", verb=Verb.SHOULD), covers=["ID-05"]
)
def key_ids_disordered(message: Message) -> Problems:
    """The MSK ID precedes the Key Domain ID.

    Some cards read the two by position.

    Send the Key Domain ID first.
    """
    types = [each.type for each in message.key_ids() if each.type in LENGTHS]
    if types == [MSK, KEY_DOMAIN]:
        yield Problem("EXT.key_ids", "Key Domain ID, then MSK ID", "MSK ID, then Key Domain ID")


@MESSAGE_SHAPE.note(
    RFC4563["4"](says="key ID types 241 to 255 are for private use, and the others are not assigned", verb=Verb.MAY),
    covers=["ID-05"],
)
def key_id_unknown(message: Message) -> Problems:
    """The Key ID information has an identifier of an undefined type.

    A receiver ignores it.

    Nothing is wrong if both sides agree on what it means.
    """
    for each in message.key_ids():
        if each.type not in KNOWN:
            yield Problem("EXT.key_ids", got=f"type {each.type}: {each.value.hex() or 'no octets'}")


def is_zero_in(message: Message, part: slice) -> bool:
    """Tell whether a part of the MSK ID is 0; no without exactly one MSK ID of 4 octets."""
    value = key_id(message, MSK)
    return value is not None and value[part] == b"\0\0"


@MESSAGE_SHAPE.rule(KEY_GROUP, covers=["ID-07"])
def key_group_zero(message: Message) -> Problems:
    """The Key Group part of the MSK ID is 0.

    The value is reserved, so a card has no group to store the key under.

    Give the service a Key Group from 1 to 65535.
    """
    if is_zero_in(message, slice(0, 2)):
        yield Problem("EXT.key_ids", "a Key Group from 0001 to ffff", "0000")


def _with_key_ids(message: Message, key_ids: tuple[KeyId, ...]) -> Message:
    """Return the message with other key IDs in its first Key ID information."""
    return with_payload(message, message.extensions(EXTENSION)[0], GeneralExtension(EXTENSION, KeyIds(key_ids)))


def with_key_id(message: Message, kind: int, value: bytes) -> Message:
    """Return the message with another value in its key IDs of that type."""
    return _with_key_ids(
        message, tuple(KeyId(kind, value) if each.type == kind else each for each in message.key_ids())
    )


@fault(on=Message, reference="download", trips={"key-ids-missing"})
def drop_key_ids(message: Message) -> Message:
    """Remove the Key ID information from the message."""
    return without(message, message.extensions(EXTENSION))


@fault(on=Message, reference="download", trips={"key-ids-repeated"})
def repeat_key_ids(message: Message) -> Message:
    """Send an empty Key ID information before the real one."""
    return replace(message, payloads=(GeneralExtension(EXTENSION, KeyIds(())), *message.payloads))


@fault(on=Message, reference="download", trips={"key-domain-id-not-single"})
def drop_key_domain_id(message: Message) -> Message:
    """Remove the Key Domain ID from the Key ID information."""
    return _with_key_ids(message, tuple(each for each in message.key_ids() if each.type != KEY_DOMAIN))


@fault(on=Message, reference="download", trips={"msk-id-not-single"})
def shorten_msk_id(message: Message, *, octets: int = 3) -> Message:
    """Send only the first octets of the MSK ID."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return with_key_id(message, MSK, value[:octets])


@fault(on=Message, reference="download", trips={"mtk-id-present"})
def add_mtk_id(message: Message, *, value: bytes = b"\0\1") -> Message:
    """Add an MTK ID after the MSK ID."""
    return _with_key_ids(message, (*message.key_ids(), KeyId(MTK, value)))


@fault(on=Message, reference="download", trips={"key-ids-disordered"})
def swap_key_ids(message: Message) -> Message:
    """Send the key IDs in reverse order."""
    return _with_key_ids(message, message.key_ids()[::-1])


@fault(on=Message, reference="download", trips={"key-group-zero", "msk-id-mismatch"})
def zero_key_group(message: Message) -> Message:
    """Set the Key Group part of the MSK ID to 0, so that it differs from the item's."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return with_key_id(message, MSK, b"\0\0" + value[2:])
