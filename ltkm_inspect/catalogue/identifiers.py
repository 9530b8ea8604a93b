"""Rules on the key identifiers in an LTKM, and on how they match those of its item, with the faults that break them."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

from ltkm_inspect.catalogue.preconditions import PSK_MESSAGE
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import GeneralExtension, Kemac, KeyId, KeyIds, Message
from ltkm_inspect.rule import RuleGroup
from ltkm_inspect.spec import CR, RFC4563, TS33246, Verb
from ltkm_inspect.traffic import CodeKind, Ltkm, LtkmElement

MATCH = CR["5.2.1.1"](
    quote="When <LTKM> element is included, values of <keyDomainID> and <MSKID> contained in <MSK> sibling element "
    "SHALL match Key Domain ID and MSKID sub-payloads of MBMS EXT payload in LTKM."
)
CARRIED = TS33246["6.4.5.1"](says="an MSK message carries the Key Domain ID, then the MSK ID, in one EXT payload")
KEY_ID_TYPES = RFC4563["4"](says="a Key Domain ID is of Key ID type 0, an MSK ID of type 1, an MTK ID of type 2")
KEY_DOMAIN, MSK, MTK = 0, 1, 2
LENGTHS = {KEY_DOMAIN: 3, MSK: 4}
KNOWN = frozenset({KEY_DOMAIN, MSK, MTK})
EXTENSION = 3
"""The General Extension type of Key ID information (RFC 4563)."""


def key_id(message: Message, kind: int) -> bytes | None:
    """Return the one key ID of that type, of the right length; None where there is not exactly one."""
    found = message.key_id(kind)
    return found if found is not None and len(found) == LENGTHS[kind] else None


def _pair(ltkm: Ltkm, kind: int) -> tuple[bytes, bytes] | str:
    """Return what the item and the message say of an identifier, or why the two cannot be compared."""
    if ltkm.item is None:
        return "the LTKM stands in no item"
    if ltkm.carrier in ltkm.item.document.copies:
        return "the LTKM repeats that of another item, which is reported by itself"
    found = ltkm.item.key_domain_id if kind == KEY_DOMAIN else ltkm.item.msk_id
    if found is None or found.octets is None or len(found.octets) != LENGTHS[kind]:
        return "the item has no such identifier of the right length"
    if ltkm.message is None or ltkm.message.problem is not None:
        return "the LTKM holds no message that decodes to its end"
    carried = key_id(ltkm.message, kind)
    if carried is None:
        return "the message has not exactly one such key ID of the right length"
    return found.octets, carried


def is_matched(ltkm: Ltkm) -> bool:
    """Tell whether a message in an item with 200 OK carries the pair of the item, and that is no request for a key."""
    item, message = ltkm.item, ltkm.message
    if item is None or message is None or message.problem is not None or item.outcome is not CodeKind.SUCCESS:
        return False
    pair = item.pair
    if pair is None or len(pair[0]) != LENGTHS[KEY_DOMAIN] or len(pair[1]) != LENGTHS[MSK] or pair[1][2:] == b"\0\0":
        return False
    matched = message.key_id(KEY_DOMAIN) == pair[0] and message.key_id(MSK) == pair[1]
    return matched and ltkm.carrier not in item.document.copies


def _path(ltkm: Ltkm, kind: int) -> str:
    """Return the field path of the key ID of that type in the message."""
    assert ltkm.message is not None
    for extension in ltkm.message.extensions(EXTENSION):
        if isinstance(extension.value, KeyIds):
            for place, each in enumerate(extension.value.key_ids, 1):
                if each.type == kind:
                    return f"{ltkm.message.path_of(extension)}.key_ids[{place}].value"
    return ""


def _mismatch(
    ltkm: Ltkm, kind: int, name: str, sent: bytes, carried: bytes, hint: str = "", level: Level | None = None
) -> Problem:
    return Problem(_path(ltkm, kind), f"{sent.hex()} as in {name} of the item", carried.hex(), hint, level)


MATCH_RULES = RuleGroup(Ltkm, cite=[MATCH], usual=is_matched)
MESSAGE_RULES = RuleGroup(Message, cite=[CARRIED, KEY_ID_TYPES], needs=[PSK_MESSAGE])


@MATCH_RULES.rule("key-domain-mismatch", covers=["CR-5a"])
def key_domain_mismatch(ltkm: Ltkm) -> Iterator[Problem | NotApplicable]:
    """The Key Domain ID in the LTKM is not the one of its item.

    The terminal asked for a key of one domain and files what it gets under another, where nothing will look for it.

    Look at how the BSM pairs messages with items; if all items of a response are off by one, the pairing is.
    """
    pair = _pair(ltkm, KEY_DOMAIN)
    if isinstance(pair, str):
        yield NotApplicable(pair)
    elif pair[0] != pair[1]:
        yield _mismatch(ltkm, KEY_DOMAIN, "keyDomainID", *pair)


@MATCH_RULES.rule("msk-id-mismatch", covers=["CR-5b"])
def msk_id_mismatch(ltkm: Ltkm) -> Iterator[Problem | NotApplicable]:
    """The MSK ID in the LTKM is not the one of its item.

    The terminal takes the key for another than it is, or rejects the response. Which of the two identifiers is wrong
    cannot be told from here.

    Look at how the BSM pairs messages with items. An item that repeats the Key Number 0 of the request is reported by
    msk-id-current instead.
    """
    pair = _pair(ltkm, MSK)
    if isinstance(pair, str):
        yield NotApplicable(pair)
    elif _is_pull(ltkm, *pair):
        yield NotApplicable("the message has Key Number 0, which is reported by itself")
    elif pair[0] != pair[1] and not _is_current(*pair):
        yield _mismatch(ltkm, MSK, "MSKID", *pair)


def _is_pull(ltkm: Ltkm, sent: bytes, carried: bytes) -> bool:
    """Return whether the message has Key Number 0 of the right Key Group in an item that grants a key."""
    granted = ltkm.item is not None and ltkm.item.outcome.is_success
    return granted and sent[:2] == carried[:2] and carried[2:] == b"\0\0"


def _is_current(sent: bytes, carried: bytes) -> bool:
    """Return whether the item asks for the current MSK of the very Key Group that the message delivers one of."""
    return sent[:2] == carried[:2] and sent[2:] == b"\0\0" != carried[2:]


@MATCH_RULES.warning(
    "msk-id-current",
    cite=[MATCH, TS33246["6.3.2.1"](says="Key Number 0 in a request asks for the current MSK")],
    level_reason="the change request prints such an item as an example (a violation in strict mode)",
    covers=["ID-06"],
)
def msk_id_current(ltkm: Ltkm, context: Context) -> Iterator[Problem | NotApplicable]:
    """The item has Key Number 0, and the LTKM has the number of the key that it delivers.

    Asking for Key Number 0, the current MSK, is the usual request. Read literally, the change request wants the real
    number in the item; its own example has a 0 there. Two documents disagree, so this is a warning.

    Put the Key Number of the delivered MSK into the item's MSKID. Strict mode makes this a violation.
    """
    pair = _pair(ltkm, MSK)
    if isinstance(pair, str):
        yield NotApplicable(pair)
    elif _is_current(*pair):
        level = Level.VIOLATION if context.settings.strict else None
        hint = "0 asks for the current MSK; the match rule read literally requires the delivered number"
        yield _mismatch(ltkm, MSK, "MSKID", *pair, hint=hint, level=level)


@MESSAGE_RULES.rule("key-ids-missing", covers=["ID-01"])
def key_ids_missing(message: Message) -> Iterator[Problem]:
    """The message has no Key ID information.

    Without it the card cannot tell which key it is given, and which of its keys to replace.

    Send one General Extension of type 3 with Key Domain ID and MSK ID.
    """
    if not message.extensions(EXTENSION):
        yield Problem("EXT", "one extension of type 3 (Key ID)", "none")


@MESSAGE_RULES.rule("key-ids-repeated", covers=["ID-01"])
def key_ids_repeated(message: Message) -> Iterator[Problem]:
    """The message has Key ID information more than once.

    Which of them names the key is left to the receiver.

    Send it once.
    """
    count = len(message.extensions(EXTENSION))
    if count > 1:
        yield Problem("EXT", "one extension of type 3 (Key ID)", str(count))


def _not_single(message: Message, kind: int, name: str) -> Iterator[Problem | NotApplicable]:
    if len(message.extensions(EXTENSION)) != 1:
        yield NotApplicable("the message has not exactly one extension with key IDs")
        return
    if any(".key_ids" in problem.path for problem in message.inner_problems):
        yield NotApplicable("the key IDs cannot be read, which is reported by itself")
        return
    single = message.key_id(kind)
    if single is not None and len(single) == LENGTHS[kind]:
        return
    values = [each.value for each in message.key_ids() if each.type == kind]
    expected = f"one {name} of {LENGTHS[kind]} octets"
    if not values:
        yield Problem("EXT.key_ids", expected, "none")
    elif len(values) > 1:
        yield Problem("EXT.key_ids", expected, f"{len(values)} of them")
    elif len(values[0]) != LENGTHS[kind]:
        yield Problem("EXT.key_ids", expected, f"{len(values[0])} octets")


@MESSAGE_RULES.rule("key-domain-id-not-single", covers=["ID-02"])
def key_domain_id_not_single(message: Message) -> Iterator[Problem | NotApplicable]:
    """The Key ID information has not exactly one Key Domain ID of 3 octets.

    The card files keys by domain; without one, or with two, it cannot.

    Send one key ID of type 0 with 3 octets.
    """
    yield from _not_single(message, KEY_DOMAIN, "Key Domain ID")


@MESSAGE_RULES.rule("msk-id-not-single", covers=["ID-03"])
def msk_id_not_single(message: Message) -> Iterator[Problem | NotApplicable]:
    """The Key ID information has not exactly one MSK ID of 4 octets.

    The MSK ID says which key this is; without one, or with two, the card cannot take it.

    Send one key ID of type 1 with 4 octets.
    """
    yield from _not_single(message, MSK, "MSK ID")


@MESSAGE_RULES.rule(
    "mtk-id-present",
    cite=[TS33246["6.4.2"](says="an MTK ID stands in the messages that deliver MTKs")],
    covers=["ID-04"],
)
def mtk_id_present(message: Message) -> Iterator[Problem]:
    """The Key ID information of an LTKM has an MTK ID.

    An MTK ID is the mark of a short-term key message. A card that sees it treats the message as one and looks for the
    MSK that should protect it.

    Leave the MTK ID out of LTKMs.
    """
    if any(each.type == MTK for each in message.key_ids()):
        yield Problem("EXT.key_ids", "no MTK ID", "one", "the mark of a short-term key message")


@MESSAGE_RULES.rule(
    "key-ids-disordered",
    cite=[TS33246["6.4.2"](says="the Key Domain ID comes first, then the MSK ID", verb=Verb.SHOULD)],
    covers=["ID-05"],
)
def key_ids_disordered(message: Message) -> Iterator[Problem]:
    """The MSK ID stands before the Key Domain ID.

    Cards have been seen to read the two by position.

    Send the Key Domain ID first.
    """
    types = [each.type for each in message.key_ids() if each.type in LENGTHS]
    if types == [MSK, KEY_DOMAIN]:
        yield Problem("EXT.key_ids", "Key Domain ID, then MSK ID", "MSK ID, then Key Domain ID")


@MESSAGE_RULES.note(
    "key-id-unknown",
    cite=[
        RFC4563["4"](says="key ID types 241 to 255 are for private use, and the others are not assigned", verb=Verb.MAY)
    ],
    covers=["ID-05"],
)
def key_id_unknown(message: Message) -> Iterator[Problem]:
    """The Key ID information has an identifier of a type that is not defined.

    A receiver passes over it.

    Nothing is wrong with it where both sides agree on what it means.
    """
    for each in message.key_ids():
        if each.type not in KNOWN:
            yield Problem("EXT.key_ids", got=f"type {each.type}: {each.value.hex() or 'no octets'}")


def _msk_id_problem(message: Message, part: slice) -> bool:
    value = key_id(message, MSK)
    return value is not None and value[part] == b"\0\0"


@MESSAGE_RULES.rule(
    "key-group-zero", cite=[TS33246["6.3.2.1"](says="the Key Group part of an MSK ID is not 0")], covers=["ID-07"]
)
def key_group_zero(message: Message) -> Iterator[Problem]:
    """The Key Group part of the MSK ID is 0.

    The value is reserved; a card has no group to file the key under.

    Give the service a Key Group from 1 to 65535.
    """
    if _msk_id_problem(message, slice(0, 2)):
        yield Problem("EXT.key_ids", "a Key Group from 0001 to ffff", "0000")


@MATCH_RULES.rule(
    "key-number-zero",
    cite=[
        TS33246["6.3.2.2.4"](says="Key Number 0 in a message asks the terminal to request the current MSK"),
        TS33246["6.5.3"](says="a message with Key Number 0 is treated so whatever it came over"),
    ],
    covers=["ID-08"],
)
def key_number_zero(ltkm: Ltkm) -> Iterator[Problem | NotApplicable]:
    """The Key Number part of the MSK ID is 0 in an LTKM that answers a granted request.

    Such a message does not deliver a key: the terminal takes it for the BSM's wish that it requests the current MSK. It
    will do so, and get the same answer again.

    Put the Key Number of the delivered MSK into the message.
    """
    if ltkm.item is None or not ltkm.item.outcome.is_success:
        yield NotApplicable("the LTKM belongs to no item with 200 OK")
        return
    if ltkm.message is None or ltkm.message.problem is not None:
        yield NotApplicable("the LTKM holds no message that decodes to its end")
        return
    if _msk_id_problem(ltkm.message, slice(2, 4)):
        kemacs = ltkm.message.of(Kemac)
        empty = bool(kemacs) and not kemacs[0].encr_data
        hint = "solicited pull inside an MSK response" if empty else "the receiver ignores the key inside"
        yield Problem(_path(ltkm, MSK), "a Key Number from 0001 to ffff", "0000", hint)


def _with_key_ids(message: Message, key_ids: tuple[KeyId, ...]) -> Message:
    """Return the message with other key IDs in its first Key ID information."""
    payloads = list(message.payloads)
    index = next(i for i, payload in enumerate(payloads) if payload in message.extensions(EXTENSION))
    payloads[index] = GeneralExtension(EXTENSION, KeyIds(key_ids))
    return replace(message, payloads=tuple(payloads))


def _replaced(message: Message, kind: int, value: bytes) -> Message:
    return _with_key_ids(
        message, tuple(KeyId(kind, value) if each.type == kind else each for each in message.key_ids())
    )


@fault("replace-key-domain", on=Message, reference="download", trips={"key-domain-mismatch"})
def replace_key_domain(message: Message, *, value: bytes = bytes.fromhex("68ca0c")) -> Message:
    """Deliver a key of another Key Domain than the item says."""
    return _replaced(message, KEY_DOMAIN, value)


@fault("replace-key-number", on=Message, reference="download", trips={"msk-id-mismatch"})
def replace_key_number(message: Message, *, value: bytes = bytes.fromhex("24cb4401")) -> Message:
    """Deliver another MSK ID than the item says."""
    return _replaced(message, MSK, value)


@fault("drop-key-ids", on=Message, reference="download", trips={"key-ids-missing"})
def drop_key_ids(message: Message) -> Message:
    """Take the Key ID information out of the message."""
    gone = message.extensions(EXTENSION)
    return replace(message, payloads=tuple(payload for payload in message.payloads if payload not in gone))


@fault("repeat-key-ids", on=Message, reference="download", trips={"key-ids-repeated"})
def repeat_key_ids(message: Message) -> Message:
    """Send an empty Key ID information in front of the real one."""
    return replace(message, payloads=(GeneralExtension(EXTENSION, KeyIds(())), *message.payloads))


@fault("drop-key-domain-id", on=Message, reference="download", trips={"key-domain-id-not-single"})
def drop_key_domain_id(message: Message) -> Message:
    """Take the Key Domain ID out of the Key ID information."""
    return _with_key_ids(message, tuple(each for each in message.key_ids() if each.type != KEY_DOMAIN))


@fault("shorten-msk-id", on=Message, reference="download", trips={"msk-id-not-single"})
def shorten_msk_id(message: Message, *, octets: int = 3) -> Message:
    """Send only the first octets of the MSK ID."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return _replaced(message, MSK, value[:octets])


@fault("add-mtk-id", on=Message, reference="download", trips={"mtk-id-present"})
def add_mtk_id(message: Message, *, value: bytes = b"\0\1") -> Message:
    """Send an MTK ID behind the MSK ID."""
    return _with_key_ids(message, (*message.key_ids(), KeyId(MTK, value)))


@fault("swap-key-ids", on=Message, reference="download", trips={"key-ids-disordered"})
def swap_key_ids(message: Message) -> Message:
    """Send the key IDs in reverse order."""
    return _with_key_ids(message, message.key_ids()[::-1])


@fault("zero-key-group", on=Message, reference="download", trips={"key-group-zero", "msk-id-mismatch"})
def zero_key_group(message: Message) -> Message:
    """Set the Key Group part of the MSK ID to 0; it then differs from that of the item."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return _replaced(message, MSK, b"\0\0" + value[2:])


@fault("zero-key-number", on=Message, reference="download", trips={"key-number-zero"})
def zero_key_number(message: Message) -> Message:
    """Set the Key Number part of the MSK ID to 0."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return _replaced(message, MSK, value[:2] + b"\0\0")


@fault("request-current", on=LtkmElement, reference="download", trips={"msk-id-current"})
def request_current(ltkm: LtkmElement) -> Iterator[Splice]:
    """Write Key Number 0 into the MSKID of the item, as if echoed from the request."""
    assert ltkm.item is not None
    assert ltkm.item.msk_id is not None
    octets = (ltkm.item.msk_id.octets or b"")[:2] + b"\0\0"
    yield edit.refilled(ltkm.document.xml, ltkm.item.parts.msk_ids[0], b64encode(octets).decode())
