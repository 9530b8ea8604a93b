"""Rules and faults on the request document, and on whether the response answers it.

The document of a request is the terminal's, so its findings say nothing against the BSM that answers it.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ltkm_inspect.catalogue.changes import with_request
from ltkm_inspect.catalogue.identifiers import KEY_DOMAIN, MSK, key_id
from ltkm_inspect.catalogue.preconditions import MSK_ROOT, WELL_FORMED
from ltkm_inspect.document import (
    MSK_REQUEST_NS,
    MskPair,
    Splice,
    Xml,
    base64_octets,
    content_text,
    edit,
    msk_pairs,
    request_departures,
)
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import TS26346, TS33246
from ltkm_inspect.traffic import Document, Exchange, Item

type Pair = tuple[bytes, bytes]
"""The octets of a Key Domain ID and of an MSK ID."""

SCHEMA = TS26346["11.6.1"]
IDENTIFIERS = TS33246["6.3.2.1"](
    says="a Key Domain ID is MCC and MNC in 3 octets; the Key Group part of an MSK ID of 4 octets is not 0"
)
MULTIPLE_STATUS = TS33246["6.3.2.4"]
NO_GROUP = b"\0\0"
CURRENT = b"\0\0"
"""The Key Number part that asks for the current MSK."""


def _root(exchange: Exchange) -> Any:
    """Return the root element of the request document, or why the document cannot be looked at."""
    if not exchange.asks_for_msk:
        return NotApplicable("the request asks for no MSK")
    document = exchange.request_document
    if document is None:
        return NotApplicable("no request body was captured, or it is over the limit")
    if document.root is None or not document.well_formed:
        return NotApplicable("the body of the request is not well-formed XML")
    if exchange.requested_pairs or _named(document.root):
        return document.root
    return NotApplicable("the request asks for no key, reported by request-names-no-key")


def _named(root: Any) -> list[MskPair]:
    """Return the MSKs of a request that have both identifiers, whatever is in them."""
    return [pair for pair in msk_pairs(root) if pair.key_domain_ids and pair.msk_ids]


REQUEST_RULES = RuleGroup(
    Exchange, covers=["XML-20"], looks_at=["request.body"], takes=_root, fast_pass=Exchange.asks_plainly
)


@REQUEST_RULES.rule(
    SCHEMA(says="the root element is mbmsMSKRequest and contains MSK elements, each with keyDomainID and MSKID"),
    covers=["XML-20"],
)
def request_structure_wrong(_: Exchange, root: Any) -> Problems:
    """The request document does not follow its schema.

    A BSM that validates answers with 400. One that does not may read fewer keys than the terminal asked for. The
    terminal wrote this document: the BSM is not at fault.

    Write only MSK elements under mbmsMSKRequest, each with keyDomainID first and MSKID second. The root element may
    have any attribute.
    """
    for departure in request_departures(root):
        yield Problem("request.body", departure.expected, departure.got)


def _is_right(pair: Pair) -> bool:
    """Tell whether both identifiers have their lengths, and the Key Group part is one."""
    domain, msk_id = pair
    return len(domain) == 3 and len(msk_id) == 4 and msk_id[:2] != NO_GROUP


@REQUEST_RULES.rule(
    SCHEMA(says="keyDomainID and MSKID are base64Binary, an MSKID of 4 octets"), IDENTIFIERS, covers=["XML-20"]
)
def request_identifier_invalid(exchange: Exchange, root: Any) -> Problems:
    """The request asks for a key by an identifier that no key can have.

    A BSM can only refuse such a key, or guess which one is meant. The terminal wrote this document: the BSM is not at
    fault.

    Check where the terminal gets the identifiers from: the service guide, or its own reading of it. Key Number 0, the
    current MSK, is legal; Key Group 0 is not.
    """
    pairs = exchange.requested_pairs
    if len(pairs) == len(root) and all(map(_is_right, pairs)):
        return
    for number, pair in enumerate(msk_pairs(root), 1):
        hint = f"MSK {number} of the request"
        if pair.key_domain_ids:
            yield from _wrong(content_text(pair.key_domain_ids[0]), "keyDomainID", 3, hint)
        if pair.msk_ids:
            yield from _wrong(content_text(pair.msk_ids[0]), "MSKID", 4, hint)


def _wrong(text: str, name: str, octets: int, hint: str) -> Problems:
    found = base64_octets(text)
    if found.octets is None:
        problem = Problem.of_reason(found.problem or "", hint=hint)
        yield Problem("request.body", f"{name}: {problem.expected}", problem.got, hint)
    elif len(found.octets) != octets:
        yield Problem("request.body", f"{name} of {octets} octets", f"{len(found.octets)}", hint)
    elif octets == 4 and found.octets[:2] == NO_GROUP:
        yield Problem("request.body", "MSKID with a Key Group from 0001 to ffff", found.octets.hex(), hint)


def _carried(item: Item) -> Iterator[Pair]:
    """Yield the pairs that the LTKMs of an item carry; where they are not the item's own, other rules report it."""
    for ltkm in item.ltkm_elements:
        if ltkm.message is not None:
            domain, msk_id = key_id(ltkm.message, KEY_DOMAIN), key_id(ltkm.message, MSK)
            if domain is not None and msk_id is not None:
                yield domain, msk_id


class _PairComparison:
    """Which requested pairs are not answered by any item, and which items answer none of them."""

    def __init__(self, document: Document) -> None:
        exchange = document.exchange
        requested = dict.fromkeys(exchange.requested_pairs)
        named = len(_named(_root(exchange)))
        self.readable_request = named == len(exchange.requested_pairs) and all(map(_is_right, requested))
        self.readable_response = True
        self.foreign: list[tuple[Item, Pair]] = []
        self.repeated = 0
        answered: set[Pair] = set()
        seen: set[Pair] = set()
        for item, pair in zip(document.items, document.pairs, strict=True):
            if pair is None or not _is_right(pair):
                self.readable_response = False
                continue
            pairs = {pair, *_carried(item)}
            pairs |= {_as_current(each) for each in pairs}
            answered |= pairs
            if pair in seen:
                self.repeated += 1
            elif pairs.isdisjoint(requested):
                self.foreign.append((item, pair))
            seen.add(pair)
        self.unanswered = [pair for pair in requested if pair not in answered]


def _as_current(pair: Pair) -> Pair:
    """Return how the current MSK of its Key Group is requested, which any MSK of the group answers."""
    return pair[0], pair[1][:2] + CURRENT


def _compared(document: Document) -> _PairComparison | NotApplicable:
    """Return how request and response compare, or why they cannot be compared."""
    exchange = document.exchange
    if exchange.response is None or exchange.response.status != 200:
        return NotApplicable("the HTTP status is not 200")
    root = _root(exchange)
    if isinstance(root, NotApplicable):
        return root
    if not document.items:
        return NotApplicable("the document has no Response")
    compared = _PairComparison(document)
    if not compared.readable_request:
        return NotApplicable("the request has invalid identifiers, reported by request-identifier-invalid")
    return compared


def _is_echo(document: Document) -> bool:
    """Tell whether the items answer the requested pairs one by one in their order, as nearly all responses do."""
    exchange, pairs = document.exchange, document.pairs
    requested = exchange.requested_pairs
    if not pairs or len(pairs) != len(requested):
        return False
    for asked, pair in () if pairs == requested else zip(requested, pairs, strict=True):
        if pair is None or asked not in (pair, _as_current(pair)):
            return False
    asking = exchange.request_document
    is_readable = exchange.asks_for_msk and asking is not None and asking.well_formed
    is_answered = exchange.response is not None and exchange.response.status == 200
    return is_readable and is_answered and all(map(_is_right, requested))


PAIR_RULES = RuleGroup(
    Document, needs=[MSK_ROOT, WELL_FORMED], looks_at=["request.body"], takes=_compared, fast_pass=_is_echo
)


@PAIR_RULES.warning(
    MULTIPLE_STATUS(says="the response has one status code for each pair of the request"),
    level_reason="the same clause lets a terminal process a response that lacks some of its pairs",
    covers=["ID-09"],
)
def requested_msk_unanswered(document: Document, compared: _PairComparison) -> Problems:
    """A requested MSK has no Response.

    The terminal does not learn whether the key is granted, or why not. It may process the rest and ask again for what
    is missing.

    Answer every pair of the request with a separate Response, even if only to refuse it. Any key of the Key Group
    answers a request with Key Number 0.
    """
    if not compared.unanswered:
        return
    if not compared.readable_response or any(departure.kind == "root-child" for departure in document.departures):
        yield NotApplicable("an item cannot be identified: its identifiers are wrong or it is not a Response")
    elif len(compared.unanswered) > len(compared.foreign) + compared.repeated:
        for domain, msk_id in compared.unanswered:
            yield Problem("", f"a Response for {_shown(domain, msk_id)}", "none")
    else:
        yield NotApplicable("another key is answered in its place, reported by answered-msk-unrequested")


@PAIR_RULES.warning(
    MULTIPLE_STATUS(says="the response has status codes for the pairs of the request"),
    level_reason="a terminal can use the answers that it asked for and ignore the rest",
    covers=["ID-10"],
)
def answered_msk_unrequested(_: Document, compared: _PairComparison) -> Problems:
    """A Response is about an MSK that was not requested.

    The terminal does not find one of the pairs that it asked for, or gets a key that it cannot assign. Responses that
    were mixed up between terminals also look like this.

    Copy the pair from the request into the Response. Any key of the Key Group may answer a request with Key Number 0.
    """
    for item, pair in compared.foreign:
        yield Problem("MSK", "a pair of the request", _shown(*pair), element=item.element)


def _shown(domain: bytes, msk_id: bytes) -> str:
    return f"{domain.hex()} {msk_id.hex()}"


def _asking(exchange: Exchange, change: Callable[[Xml, Sequence[MskPair]], Splice]) -> Exchange:
    """Return the exchange with the document of its request changed; FaultError where it has none with a pair."""
    document = exchange.request_document
    if document is None or document.root is None or not document.well_formed:
        raise FaultError("the request has no document to damage")
    named = _named(document.root)
    if not named:
        raise FaultError("the request names no key")
    body = document.splice([change(document, named)])
    headers = exchange.request.headers.without("Content-Encoding").put("Content-Length", str(len(body)))
    return with_request(exchange, headers=headers, body=body)


@fault(on=Exchange, reference="download", trips={"request-structure-wrong"})
def insert_requested_element(exchange: Exchange, *, name: str = "ResponseCode") -> Exchange:
    """Insert another element after the first MSK of the recorded request."""
    return _asking(exchange, lambda xml, msks: edit.after(xml, msks[0].element, f"<{name}/>"))


@fault(on=Exchange, reference="download", trips={"request-structure-wrong"})
def replace_requested_namespace(
    exchange: Exchange, *, namespace: str = "urn:3gpp:metadata:2005:MBMS:mskRequest"
) -> Exchange:
    """Put the recorded request into another namespace (default: the right one in lower case)."""

    def change(xml: Xml, _: object) -> Splice:
        at = (xml.text or "").index(MSK_REQUEST_NS)
        return Splice(at, at + len(MSK_REQUEST_NS), namespace)

    return _asking(exchange, change)


@fault(on=Exchange, reference="download", trips={"request-identifier-invalid"})
def replace_requested_msk_id(exchange: Exchange, *, text: str = "JMtE") -> Exchange:
    """Replace the text of the first MSKID of the recorded request (default: 3 octets)."""
    return _asking(exchange, lambda xml, msks: edit.refilled(xml, msks[0].msk_ids[0], text))


@fault(on=Exchange, reference="download", trips={"request-identifier-invalid"})
def zero_requested_key_group(exchange: Exchange) -> Exchange:
    """Set the Key Group part of the first MSKID of the recorded request to 0."""

    def change(xml: Xml, msks: Sequence[MskPair]) -> Splice:
        element = msks[0].msk_ids[0]
        octets = base64_octets(content_text(element)).octets or b""
        return edit.refilled(xml, element, b64encode(NO_GROUP + octets[2:]).decode())

    return _asking(exchange, change)


@fault(on=Document, reference="several-keys", trips={"requested-msk-unanswered"})
def drop_response(document: Document) -> Iterator[Splice]:
    """Remove the last Response from the document."""
    yield edit.replaced(document.xml, document.items[-1].element, "")


@fault(on=Exchange, reference="several-keys", trips={"answered-msk-unrequested"})
def drop_requested_msk(exchange: Exchange) -> Exchange:
    """Remove the last MSK from the recorded request, so that its answer is unrequested."""
    return _asking(exchange, lambda xml, msks: edit.replaced(xml, msks[-1].element, ""))
