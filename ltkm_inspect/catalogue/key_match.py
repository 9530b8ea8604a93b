"""Rules and faults on whether the key identifiers in an LTKM match those of its item."""

from base64 import b64encode
from collections.abc import Iterator
from functools import partial

from ltkm_inspect.catalogue.identifiers import EXTENSION, KEY_DOMAIN, LENGTHS, MSK, is_zero_in, key_id, with_key_id
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.mikey import Kemac, KeyIds, Message
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import CR, TS33246
from ltkm_inspect.traffic import CodeKind, Ltkm, LtkmElement

type Pair = tuple[bytes, bytes]
"""An identifier as the item has it, and as the message has it."""

MATCH = CR["5.2.1.1"](
    quote="When <LTKM> element is included, values of <keyDomainID> and <MSKID> contained in <MSK> sibling element "
    "SHALL match Key Domain ID and MSKID sub-payloads of MBMS EXT payload in LTKM."
)


def _pair(ltkm: Ltkm, kind: int) -> Pair | NotApplicable:
    """Return what the item and the message say of an identifier, or why the two cannot be compared."""
    if ltkm.item is None:
        return NotApplicable("the LTKM is not in an item")
    if ltkm.carrier in ltkm.item.document.copies:
        return NotApplicable("the LTKM repeats that of another item, reported by ltkm-duplicated")
    found = ltkm.item.key_domain_id if kind == KEY_DOMAIN else ltkm.item.msk_id
    if found is None or found.octets is None or len(found.octets) != LENGTHS[kind]:
        return NotApplicable("the item has no such identifier of the right length")
    if ltkm.message is None or ltkm.message.problem is not None:
        return NotApplicable("the LTKM has no message that decodes completely")
    carried = key_id(ltkm.message, kind)
    if carried is None:
        return NotApplicable("the message does not have exactly one such key ID of the right length")
    return found.octets, carried


def is_matched(ltkm: Ltkm) -> bool:
    """Tell whether a message in an item with 200 OK carries the pair of the item, and that is no request for a key."""
    item, message = ltkm.item, ltkm.message
    if item is None or message is None or message.problem is not None or item.outcome is not CodeKind.SUCCESS:
        return False
    pair = item.pair
    if pair is None or len(pair[0]) != LENGTHS[KEY_DOMAIN] or len(pair[1]) != LENGTHS[MSK] or pair[1][2:] == b"\0\0":
        return False
    return message.pair == pair and ltkm.carrier not in item.document.copies


def _path(ltkm: Ltkm, kind: int) -> str:
    """Return the field path of the key ID of that type in the message."""
    assert ltkm.message is not None
    for extension in ltkm.message.extensions(EXTENSION):
        if isinstance(extension.value, KeyIds):
            for place, each in enumerate(extension.value.key_ids, 1):
                if each.type == kind:
                    return f"{ltkm.message.path_of(extension)}.key_ids[{place}].value"
    return ""


def _mismatch(ltkm: Ltkm, kind: int, pair: Pair, hint: str = "", level: Level | None = None) -> Problem:
    name = "keyDomainID" if kind == KEY_DOMAIN else "MSKID"
    return Problem(_path(ltkm, kind), f"{pair[0].hex()} as in {name} of the item", pair[1].hex(), hint, level)


MATCH_RULES = RuleGroup(Ltkm, cite=[MATCH], takes=partial(_pair, kind=MSK), fast_pass=is_matched)


@MATCH_RULES.rule(covers=["CR-5a"], takes=partial(_pair, kind=KEY_DOMAIN))
def key_domain_mismatch(ltkm: Ltkm, pair: Pair) -> Problems:
    """Key Domain ID in the LTKM differs from the item's.

    The terminal asked for a key of one domain and stores what it gets under another, where nothing looks for it.

    Check how the BSM pairs messages with items. If every item of a response is off by one, the pairing is wrong.
    """
    if pair[0] != pair[1]:
        yield _mismatch(ltkm, KEY_DOMAIN, pair)


@MATCH_RULES.rule(covers=["CR-5b"])
def msk_id_mismatch(ltkm: Ltkm, pair: Pair) -> Problems:
    """MSK ID in the LTKM differs from the item's.

    The terminal stores the key under the wrong ID, or rejects the response. The exchange does not show
    which of the two identifiers is wrong.

    Check how the BSM pairs messages with items. An item that repeats the request's Key Number 0 is reported by
    msk-id-current instead.
    """
    if _is_pull(ltkm, *pair):
        yield NotApplicable("the message has Key Number 0, reported by key-number-zero")
    elif pair[0] != pair[1] and not _is_current(*pair):
        yield _mismatch(ltkm, MSK, pair)


def _is_pull(ltkm: Ltkm, sent: bytes, carried: bytes) -> bool:
    """Return whether the message has Key Number 0 of the right Key Group in an item that grants a key."""
    granted = ltkm.item is not None and ltkm.item.outcome.is_success
    return granted and sent[:2] == carried[:2] and carried[2:] == b"\0\0"


def _is_current(sent: bytes, carried: bytes) -> bool:
    """Return whether the item asks for the current MSK of the same Key Group as the MSK in the message."""
    return sent[:2] == carried[:2] and sent[2:] == b"\0\0" != carried[2:]


@MATCH_RULES.warning(
    MATCH,
    TS33246["6.3.2.1"](says="Key Number 0 in a request asks for the current MSK"),
    level_reason="the change request prints such an item as an example (a violation in strict mode)",
    covers=["ID-06"],
)
def msk_id_current(ltkm: Ltkm, pair: Pair, context: Context) -> Problems:
    """The item has Key Number 0, but the LTKM has the number of the delivered key.

    Terminals usually ask for Key Number 0, the current MSK. Read literally, the change request requires the real number
    in the item, but its own example has a 0 there. The two disagree, so this is a warning.

    Put the Key Number of the delivered MSK into the item's MSKID. In strict mode this is a violation.
    """
    if _is_current(*pair):
        level = Level.VIOLATION if context.settings.strict else None
        hint = "0 asks for the current MSK; the match rule read literally requires the delivered number"
        yield _mismatch(ltkm, MSK, pair, hint, level)


@MATCH_RULES.rule(
    TS33246["6.3.2.2.4"](says="Key Number 0 in a message asks the terminal to request the current MSK"),
    TS33246["6.5.3"](says="a message with Key Number 0 is treated this way over any transport"),
    covers=["ID-08"],
    takes=None,
)
def key_number_zero(ltkm: Ltkm) -> Problems:
    """The Key Number in an LTKM of a granted item is 0.

    Such a message does not deliver a key. It tells the terminal to request the current MSK; the terminal does so, and
    gets the same answer again.

    Put the Key Number of the delivered MSK into the message.
    """
    if ltkm.item is None or not ltkm.item.outcome.is_success:
        yield NotApplicable("the LTKM is not in a 200 OK item")
    elif ltkm.message is None or ltkm.message.problem is not None:
        yield NotApplicable("the LTKM has no message that decodes completely")
    elif is_zero_in(ltkm.message, slice(2, 4)):
        kemacs = ltkm.message.of(Kemac)
        empty = bool(kemacs) and not kemacs[0].encr_data
        hint = "solicited pull inside an MSK response" if empty else "the receiver ignores the key inside"
        yield Problem(_path(ltkm, MSK), "a Key Number from 0001 to ffff", "0000", hint)


@fault(on=Message, reference="download", trips={"key-domain-mismatch"})
def replace_key_domain(message: Message, *, value: bytes = bytes.fromhex("68ca0c")) -> Message:
    """Deliver a key of a Key Domain other than the item's."""
    return with_key_id(message, KEY_DOMAIN, value)


@fault(on=Message, reference="download", trips={"msk-id-mismatch"})
def replace_key_number(message: Message, *, value: bytes = bytes.fromhex("24cb4401")) -> Message:
    """Deliver an MSK ID other than the item's."""
    return with_key_id(message, MSK, value)


@fault(on=Message, reference="download", trips={"key-number-zero"})
def zero_key_number(message: Message) -> Message:
    """Set the Key Number part of the MSK ID to 0."""
    value = next(each.value for each in message.key_ids() if each.type == MSK)
    return with_key_id(message, MSK, value[:2] + b"\0\0")


@fault(on=LtkmElement, reference="download", trips={"msk-id-current"})
def request_current(ltkm: LtkmElement) -> Iterator[Splice]:
    """Write Key Number 0 into the item's MSKID, as if copied from the request."""
    assert ltkm.item is not None
    assert ltkm.item.msk_id is not None
    octets = (ltkm.item.msk_id.octets or b"")[:2] + b"\0\0"
    yield edit.refilled(ltkm.document.xml, ltkm.item.parts.msk_ids[0], b64encode(octets).decode())
