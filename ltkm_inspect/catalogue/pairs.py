"""Rules and faults on the Key Domain ID, MSK ID and code of an item."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator

from ltkm_inspect.catalogue.identifiers import KEY_GROUP
from ltkm_inspect.catalogue.preconditions import MSK_ROOT, WELL_FORMED
from ltkm_inspect.document import XML_SPACE, Splice, edit
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import TS33246, Sure, Verb
from ltkm_inspect.traffic import CodeKind, Document, Item

CODES = frozenset(map(str, (200, *range(400, 418), *range(500, 506))))
"""The code numbers that 3GPP TS 33.246 G.2.4 lists, those that it keeps for later or out of use included."""


ITEM_RULES = RuleGroup(Item, needs=[MSK_ROOT])
DOCUMENT_RULES = RuleGroup(Document, needs=[MSK_ROOT, WELL_FORMED])


@ITEM_RULES.rule(
    TS33246["6.3.2.4"](says="the status code of each key is an HTTP status code", verb=Verb.SHOULD),
    TS33246["G.2.4"](says="a list of the codes and what a terminal does on each", verb=Verb.SHOULD),
    covers=["XML-15"],
)
def response_code_unknown(item: Item) -> Problems:
    """A response code has a number that the procedure does not define.

    For each listed code, the terminal knows what to do: ask again, wait, or give up. For another one, it can only
    guess.

    Send 200, or the closest error: 403 for a key that is not granted, 404 for one that does not exist.
    """
    if item.outcome is not CodeKind.OTHER:
        if item.code is None:
            yield NotApplicable("the item has no response code")
        return
    assert item.code is not None
    number, space, reason = item.code.strip(XML_SPACE).partition(" ")
    if number in CODES:
        return
    if len(number) == 3 and number.isascii() and number.isdigit() and space and reason.strip():
        yield Problem("ResponseCode", "200, 400 to 417 or 500 to 505", number)
    else:
        yield NotApplicable("the response code is not a number with a reason, reported by response-code-near-miss")


@ITEM_RULES.rule(KEY_GROUP, covers=["XML-17"])
def key_group_reserved(item: Item) -> Problems:
    """The MSKID of an item has Key Group 0.

    The value is reserved. No key can have it, so the terminal cannot tell which key the item is about.

    Give the service a Key Group from 1 to 65535. Key Number 0 is legal; Key Group 0 is not.
    """
    msk_id = item.msk_id
    if msk_id is None or msk_id.octets is None or len(msk_id.octets) != 4:
        yield NotApplicable("the item has no MSK ID of 4 octets")
    elif msk_id.octets[:2] == b"\0\0":
        yield Problem("MSKID", "a Key Group from 0001 to ffff", "0000", element=item.parts.msk_ids[0])


@DOCUMENT_RULES.warning(
    TS33246["6.3.2.4"](says="the response has one status code for each pair of the request"),
    level_reason="a terminal that gets the same answer twice loses nothing (a violation if the LTKMs differ)",
    covers=["XML-16"],
)
def msk_repeated(document: Document) -> Problems:
    """Two items are about the same MSK.

    The terminal gets two answers for one key and may follow either. If their LTKMs differ, two keys may have the same
    name, which makes it a violation.

    Answer each pair once. If one item has the identifiers of another, check how the BSM builds its list.
    """
    pairs = document.pairs
    if len(pairs) < 2 or len(set(pairs)) == len(pairs):
        return
    first: dict[tuple[bytes, bytes], Item] = {}
    wanted = Counter(document.exchange.requested_pairs)
    for item, pair in zip(document.items, pairs, strict=True):
        original = item if pair is None else first.setdefault(pair, item)
        if pair is None or original is item or (len(pair[0]), len(pair[1])) != (3, 4):
            continue
        if any(ltkm in document.copies for ltkm in item.ltkm_elements):
            continue  # the whole item is there twice: its LTKM is reported as duplicated
        group = (pair[0], pair[1][:2] + b"\0\0")
        wanted[pair] -= 1
        if wanted[pair] + (wanted[group] if group != pair else 0) > 0:
            continue  # asked for more than once, as the current MSK and by its number: an answer to each is right
        mine, others = _messages(item), _messages(original)
        level = Level.VIOLATION if mine and others and mine != others else None
        got = f"the pair of item {original.number} in item {item.number}"
        hint = "with another LTKM" if level else ""
        yield Problem("", "a different pair for each item", got, hint, level, item.element)


def _messages(item: Item) -> set[bytes]:
    return {ltkm.octets for ltkm in item.ltkm_elements if ltkm.octets}


@DOCUMENT_RULES.note(
    TS33246["6.3.2.1"](says="a Key Domain ID is MCC and MNC in 3 octets", verb=Verb.MAY),
    TS33246["6.3.2.1"](says="MCC and MNC are encoded as in a PLMN identity", sure=Sure.RECALL_MIDDLE, verb=Verb.MAY),
    covers=["ID-13"],
)
def key_domain_readable(document: Document) -> Problems:
    """A Key Domain ID can be read as the country and network codes of an operator.

    This helps to see whose keys these are. The standards do not say how the codes are encoded, and their examples
    cannot be read this way.

    Nothing is wrong, whether the ID can be read this way or not.
    """
    seen: set[bytes] = set()
    for item in document.items:
        found = item.key_domain_id
        if found is None or found.octets is None or found.octets in seen:
            continue
        seen.add(found.octets)
        read = plmn(found.octets)
        if read is not None:
            element = item.parts.key_domain_ids[0]
            yield Problem("keyDomainID", got=f"{found.octets.hex()}: MCC {read[0]}, MNC {read[1]}", element=element)


def plmn(octets: bytes) -> tuple[str, str] | None:
    """Return MCC and MNC as 3GPP TS 24.008 writes them into 3 octets, or None where a digit does not fit."""
    if len(octets) != 3:
        return None
    digits = octets.hex()  # MCC 2, MCC 1, MNC 3 or f, MCC 3, MNC 2, MNC 1
    mcc, mnc = digits[1] + digits[0] + digits[3], digits[5] + digits[4] + digits[2].replace("f", "")
    return (mcc, mnc) if mcc.isdigit() and mnc.isdigit() else None


@fault(on=Item, reference="refused", trips={"response-code-unknown"})
def invent_response_code(item: Item, *, code: str = "299 Granted Later") -> Iterator[Splice]:
    """Write a response code that the procedure does not define."""
    yield edit.refilled(item.document.xml, item.parts.codes[0], code)


@fault(on=Item, reference="plain-mbms", trips={"key-group-reserved"})
def reserve_key_group(item: Item) -> Iterator[Splice]:
    """Set the Key Group part of an item's MSKID to 0, so that it differs from that of an LTKM in the item."""
    assert item.msk_id is not None
    octets = b"\0\0" + (item.msk_id.octets or b"")[2:]
    yield edit.refilled(item.document.xml, item.parts.msk_ids[0], b64encode(octets).decode())


@fault(on=Document, reference="plain-mbms", trips={"msk-repeated"})
def repeat_response(document: Document) -> Iterator[Splice]:
    """Repeat the first Response."""
    element = document.items[0].element
    yield edit.after(document.xml, element, edit.source(document.xml, element))


@fault(on=Document, reference="several-keys", trips={"msk-repeated", "msk-id-mismatch"})
def copy_msk(document: Document) -> Iterator[Splice]:
    """Copy the MSK of the first item into the second, whose LTKM keeps its identifiers."""
    first, second = document.items[0].parts.msks[0], document.items[1].parts.msks[0]
    yield edit.replaced(document.xml, second, edit.source(document.xml, first))
