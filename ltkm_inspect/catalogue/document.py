"""Rules and faults on the elements of an MSK response."""

from collections.abc import Iterator
from typing import Any

from ltkm_inspect.catalogue.preconditions import HAS_LTKM, MSK_ROOT, WELL_FORMED
from ltkm_inspect.context import Context
from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS, Splice, edit, split_name
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem, count
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import CR, TS26346, TS33246, Verb
from ltkm_inspect.traffic import Document

BODY = CR["5.2.1.1"](
    quote="The MBMS MSK Response, which provides the status code of each requested SEK/PEK, is an XML document defined "
    "in [3GPP TS 26.346 v7] in a 3GPP MBMS namespace."
)
SCHEMA = TS26346["11.8.1"]
FIELDS = {"keyDomainID": 3, "MSKID": 4}
"""Octets of each identifier of an MSK."""


def follows_schema(document: Document) -> bool:
    """Tell whether no element departs from its content model."""
    return not document.departures


DOCUMENT_RULES = RuleGroup(Document, needs=[MSK_ROOT, WELL_FORMED])
SCHEMA_RULES = RuleGroup(Document, needs=[MSK_ROOT, WELL_FORMED], fast_pass=follows_schema)


@DOCUMENT_RULES.rule(
    BODY,
    SCHEMA(says="the root element is mbmsMSKResponse in the namespace of the MSK response"),
    needs=[WELL_FORMED],
    covers=["CR-8a", "XML-04"],
)
def root_element_wrong(document: Document) -> Problems:
    """The root element is not mbmsMSKResponse in the namespace of the MSK response.

    A terminal looks for the items only under that element and namespace. The change request rejected a separate BCAST
    response document (its option 1), so that MBMS terminals keep working.

    Compare namespace and name octet for octet. This namespace has 3GPP in upper case, unlike later ones.
    """
    if document.is_msk_response:
        return
    if document.exchange.registers and not document.ltkm_elements:
        yield NotApplicable("the response belongs to a registration")
        return
    namespace, local = split_name(document.root.tag)
    hint = ""
    if namespace is not None and namespace.lower() == MSK_RESPONSE_NS.lower():
        hint = "the namespace differs in case" if namespace != MSK_RESPONSE_NS else ""
    elif local.endswith("RegisterResponse") or document.exchange.registers:
        hint = "the response of a registration, which carries no LTKM"
    elif namespace is not None and "bcast" in namespace:
        hint = "option 1, which the change request rejected"
    yield Problem("", f"mbmsMSKResponse in {MSK_RESPONSE_NS}", f"{local} in {namespace or 'no namespace'}", hint)


def departures(document: Document, *kinds: str) -> Iterator[Problem]:
    """Yield a problem for each departure of these kinds from the content models, in the order of the document."""
    for departure in document.departures:
        if departure.kind in kinds:
            yield Problem("", departure.expected, departure.got, element=departure.element)


@SCHEMA_RULES.rule(SCHEMA(says="the root element contains at least one Response"), covers=["XML-05"])
def responses_missing(document: Document) -> Problems:
    """The document has no Response.

    A terminal that asked for keys learns nothing about them.

    Send one Response for each requested MSK, even if only to refuse it.
    """
    yield from departures(document, "no-response")


@SCHEMA_RULES.rule(SCHEMA(says="extensions, elements of other namespaces, follow the Responses"), covers=["XML-05"])
def response_after_extension(document: Document) -> Problems:
    """A Response follows an extension under the root element.

    A validating terminal rejects the whole document. One that reads up to the first extension misses the rest.

    Put every Response before any other element under the root.
    """
    strays = {ltkm.element for ltkm in document.elements_outside_items if ltkm.parts.where == "under-root"}
    late = [child for child in document.root if child in strays or split_name(str(child.tag))[0] != MSK_RESPONSE_NS]
    if strays and all(child in strays for child in late if isinstance(child.tag, str)):
        return  # the misplaced LTKM itself is the extension: one cause, one finding
    yield from departures(document, "response-late")


@SCHEMA_RULES.rule(
    SCHEMA(says="a Response contains MSK, ResponseCode, and then elements of other namespaces, in this order"),
    covers=["XML-06"],
)
def response_children_wrong(document: Document) -> Problems:
    """A Response does not consist of MSK, ResponseCode, and then extensions.

    A terminal cannot tell which key a code is about, or what became of the key.

    Write MSK first, then ResponseCode, once each, then extensions. An LTKM in the wrong place is reported by
    ltkm-misplaced instead, one in the wrong namespace by ltkm-namespace-wrong.
    """
    early = _items_with_ltkm(document, "early")
    for problem in departures(document, "response-child", "root-child"):
        # An LTKM in the wrong place or namespace is reported by another rule: one cause, one finding.
        if problem.element in document.xml_elements or problem.element in early:
            continue
        yield problem


def _items_with_ltkm(document: Document, where: str) -> set[Any]:
    """Return the elements of the items that have an LTKM at such a place."""
    return {each.item.element for each in document.ltkm_elements if each.item is not None and each.parts.where == where}


@SCHEMA_RULES.rule(
    SCHEMA(says="an MSK contains keyDomainID and MSKID, in this order, and nothing else"), covers=["XML-07"]
)
def msk_children_wrong(document: Document) -> Problems:
    """An MSK does not consist of keyDomainID, then MSKID.

    Without both identifiers the terminal cannot tell which key the item is about.

    Write keyDomainID first, then MSKID, once each, and nothing else: MSK has no extension point.
    """
    inside = _items_with_ltkm(document, "in-msk")
    for problem in departures(document, "msk-child"):
        if problem.element.getparent() not in inside:  # the misplaced LTKM is the cause there
            yield problem


def _wrong_length(document: Document, name: str) -> Problems:
    octets = FIELDS[name]
    for local, element, found in document.identifiers:
        if local == name and found.octets is not None and len(found.octets) != octets:
            yield Problem(name, f"{octets} octets", f"{len(found.octets)}", element=element)


@DOCUMENT_RULES.rule(SCHEMA(says="an MSKID is 4 octets in base64"), covers=["XML-08"])
def msk_id_length_wrong(document: Document) -> Problems:
    """An MSKID does not have 4 octets.

    An MSK ID consists of a Key Group part and a Key Number part of 2 octets each. With another length, neither can be
    read.

    Encode the 4 octets, not their hex digits.
    """
    yield from _wrong_length(document, "MSKID")


@DOCUMENT_RULES.rule(
    TS33246["6.3.2.1"](says="a Key Domain ID is MCC and MNC in 3 octets"),
    TS26346["11.3.1"](says="a Key Domain ID has 3 octets"),
    covers=["XML-09"],
)
def key_domain_id_length_wrong(document: Document) -> Problems:
    """A keyDomainID does not have 3 octets.

    The schema does not set a length, so no validator notices. The card compares 3 octets and finds no key.

    Encode the 3 octets, not their hex digits.
    """
    yield from _wrong_length(document, "keyDomainID")


@DOCUMENT_RULES.rule(SCHEMA(says="keyDomainID and MSKID are base64Binary"), covers=["XML-10"])
def identifier_not_base64(document: Document) -> Problems:
    """A keyDomainID or MSKID is not base64.

    Lenient decoders skip unknown characters and get other octets. Strict ones reject the document.

    Use the alphabet with + and /, pad to a multiple of four characters, and set unused bits to 0.
    """
    for name, element, found in document.identifiers:
        if found.octets is None:
            yield Problem.of_reason(found.problem or "", name, element=element)


@DOCUMENT_RULES.rule(
    TS33246["6.4.3"](says="every MSK message, retransmissions included, has a new counter"),
    needs=[HAS_LTKM, WELL_FORMED],
    covers=["LTKM-10"],
)
def ltkm_duplicated(document: Document) -> Problems:
    """The same LTKM is in two items.

    The second copy has the same counter, so the terminal discards it as a replay and never gets the key of that item.

    Build a separate message for each requested key.
    """
    for copy, original in document.copies.items():
        assert copy.item is not None
        assert original.item is not None
        got = f"the LTKM of item {original.item.number} again in item {copy.item.number}"
        yield Problem("", "a separate message for each item", got, element=copy.element)


@DOCUMENT_RULES.note(CR["5.2.1.1"](says="LTKMs may come in the response", verb=Verb.MAY), covers=["CR-2a"])
def ltkm_unused(document: Document, context: Context) -> Problems:
    """The response grants keys but has no LTKM.

    Either the keys are pushed over UDP, as in plain MBMS, or this BSM does not include LTKMs. Such a push does not get
    through a NAT.

    Nothing is wrong with the response. If you expect LTKMs in it, set `ltkm_expect=always`.
    """
    if context.settings.wants_ltkms:
        yield NotApplicable("LTKMs are expected; missing ones are reported by ltkm-missing")
        return
    granted = sum(item.outcome.is_success for item in document.items)
    if granted and not document.ltkm_elements:
        yield Problem("", got=f"no LTKM for {count(granted, 'granted key')}", hint="pushed over UDP?")


@fault(on=Document, reference="plain-mbms", trips={"root-element-wrong"})
def replace_root(document: Document, *, name: str = "bcast:LTKMResponse") -> Iterator[Splice]:
    """Rename the root element, as in option 1, which the change request rejected."""
    yield from edit.renamed(document.xml, document.root, name)
    yield from edit.declared(document.xml, document.root, name, ORDERQUERIES_NS)


@fault(on=Document, reference="plain-mbms", trips={"root-element-wrong"})
def lower_namespace(document: Document) -> Iterator[Splice]:
    """Write the MSK response namespace in lower case."""
    yield from edit.namespace_replaced(document.xml, document.root, MSK_RESPONSE_NS, MSK_RESPONSE_NS.lower())


@fault(on=Document, reference="plain-mbms", trips={"responses-missing"})
def drop_responses(document: Document) -> Iterator[Splice]:
    """Remove every Response from the document."""
    for item in document.items:
        yield edit.replaced(document.xml, item.element, "")


EXTENSION = '<x:note xmlns:x="urn:example:extension"/>'


@fault(on=Document, reference="several-keys", trips={"response-after-extension"})
def insert_extension(document: Document) -> Iterator[Splice]:
    """Insert an extension between the first two Responses."""
    yield edit.after(document.xml, document.items[0].element, EXTENSION)


@fault(on=Document, reference="plain-mbms", trips={"response-children-wrong"})
def repeat_response_code(document: Document) -> Iterator[Splice]:
    """Repeat the ResponseCode of the first item."""
    code = document.items[0].parts.codes[0]
    yield edit.after(document.xml, code, edit.source(document.xml, code))


@fault(on=Document, reference="plain-mbms", trips={"msk-children-wrong"})
def swap_identifiers(document: Document) -> Iterator[Splice]:
    """Write MSKID before keyDomainID in the first item."""
    parts = document.items[0].parts
    domain, msk_id = parts.key_domain_ids[0], parts.msk_ids[0]
    yield edit.replaced(document.xml, domain, edit.source(document.xml, msk_id))
    yield edit.replaced(document.xml, msk_id, edit.source(document.xml, domain))


@fault(on=Document, reference="plain-mbms", trips={"msk-id-length-wrong"})
def replace_msk_id(document: Document, *, text: str = "JMtE") -> Iterator[Splice]:
    """Replace the text of the first MSKID (default: 3 octets)."""
    yield edit.refilled(document.xml, document.items[0].parts.msk_ids[0], text)


@fault(on=Document, reference="plain-mbms", trips={"key-domain-id-length-wrong"})
def replace_key_domain_id(document: Document, *, text: str = "uHCdAA==") -> Iterator[Splice]:
    """Replace the text of the first keyDomainID (default: 4 octets)."""
    yield edit.refilled(document.xml, document.items[0].parts.key_domain_ids[0], text)


@fault(on=Document, reference="plain-mbms", trips={"identifier-not-base64"})
def garble_msk_id(document: Document, *, text: str = "JMt!AA==") -> Iterator[Splice]:
    """Replace the text of the first MSKID with text that is not base64."""
    yield edit.refilled(document.xml, document.items[0].parts.msk_ids[0], text)


@fault(on=Document, reference="several-keys", trips={"ltkm-duplicated"})
def copy_ltkm(document: Document) -> Iterator[Splice]:
    """Copy the LTKM of the first item into the second."""
    first, second = document.items[0].ltkm_elements[0], document.items[1].ltkm_elements[0]
    yield edit.refilled(document.xml, second.element, first.parts.text)
