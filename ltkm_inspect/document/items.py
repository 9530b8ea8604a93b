"""The items of an MSK response and the pairs of an MSK request, found in one pass over the tree."""

from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from .names import LATER_ORDERQUERIES_NS, LTKM_TAG, MSK_RESPONSE_NS, ORDERQUERIES_NS, XML_SPACE, near_miss, split_name

_LATER_TAGS = frozenset(f"{{{namespace}}}LTKM" for namespace in LATER_ORDERQUERIES_NS)
_SHORTEST = 14
_MIKEY_START = "AQA"

WHERE = {
    "wildcard": "a child of Response, after MSK and ResponseCode",
    "early": "a child of Response, before MSK or ResponseCode",
    "in-msk": "inside MSK",
    "in-code": "inside ResponseCode",
    "nested": "inside another element of a Response",
    "under-root": "a child of the root element",
    "root": "the root element itself",
    "elsewhere": "inside another element outside the Responses",
}
"""The places where an LTKM candidate can be; the right one is "wildcard"."""


class LtkmCandidate(NamedTuple):
    """An element that is an LTKM or looks like one.

    `miss` is None for an LTKM (of the change request's namespace or, with `later`, of a later one), else a key of
    NEAR_MISSES; with "other-name" only the text looks like a message, which the caller has to decode. `where` is a key
    of WHERE.
    """

    element: etree._Element
    namespace: str | None
    local: str
    miss: str | None
    later: bool
    where: str

    @property
    def text(self) -> str:
        """The simple content of the element."""
        return content_text(self.element)


class ResponseItem(NamedTuple):
    """One Response element: its MSKs, what is in them, its ResponseCodes, the LTKM candidates anywhere below."""

    element: etree._Element
    msks: tuple[etree._Element, ...]
    key_domain_ids: tuple[etree._Element, ...]
    msk_ids: tuple[etree._Element, ...]
    codes: tuple[etree._Element, ...]
    candidates: tuple[LtkmCandidate, ...]
    foreign: tuple[etree._Element, ...]
    plain: bool = False
    """It is written as nearly all are, and departs in nothing from its content model."""

    @property
    def code(self) -> str | None:
        """The text of the first ResponseCode as it is written, or None if there is none."""
        return content_text(self.codes[0]) if self.codes else None


class MskItems(NamedTuple):
    """What an MSK response is made of: its Responses, candidates outside them, unknown elements under the root."""

    items: tuple[ResponseItem, ...]
    outside: tuple[LtkmCandidate, ...]
    foreign: tuple[etree._Element, ...]
    plain: bool = False
    """The root encloses plain Responses alone, and departs in nothing from its content model."""

    def candidates(self) -> Iterator[LtkmCandidate]:
        """Every candidate of the document, those of the Responses first."""
        for item in self.items:
            yield from item.candidates
        yield from self.outside


class MskPair(NamedTuple):
    """One MSK element of a request with its keyDomainID and MSKID elements."""

    element: etree._Element
    key_domain_ids: tuple[etree._Element, ...]
    msk_ids: tuple[etree._Element, ...]


def content_text(element: etree._Element) -> str:
    """The text directly in an element, that around comments, processing instructions and children included."""
    first = element.text or ""
    if not len(element):
        return first
    return "".join((first, *(child.tail or "" for child in element)))


def msk_items(root: etree._Element) -> MskItems:
    """The items of an MSK response in document order; linear in the document.

    Elements are recognised in the namespace of the root element, so that a document with a wrong one is still shown.
    Candidates are all elements whose local name is LTKM in any case, and all whose text looks like the base64 of a
    MIKEY message.
    """
    tag = root.tag
    if not isinstance(tag, str):
        return MskItems((), (), ())
    names = _RESPONSE if tag.startswith(_RESPONSE_PREFIX) else _names(split_name(tag)[0])
    items: list[ResponseItem] = []
    outside: list[LtkmCandidate] = []
    foreign: list[etree._Element] = []
    outside += _itself(root, "root")
    plain = tag == _ROOT and not root.keys() and _is_blank(root.text)
    for child in root:
        tag = child.tag
        if tag == names.response:
            item = _plain_item(child, names) or _item(child, names)
            items.append(item)
            plain = plain and item.plain and _is_blank(child.tail)
            continue
        plain = False
        if isinstance(tag, str):
            found = [*_itself(child, "under-root")]
            outside += found
            if not found:
                foreign.append(child)
            outside += _below(child, "elsewhere")
    return MskItems(tuple(items), tuple(outside), tuple(foreign), plain and bool(items))


def msk_pairs(root: etree._Element) -> tuple[MskPair, ...]:
    """The MSK elements of an MSK request in document order, recognised in the namespace of the root element."""
    tag = root.tag
    if not isinstance(tag, str):
        return ()
    names = _names(split_name(tag)[0])
    pairs = []
    for child in root:
        if child.tag == names.msk:
            domains = tuple(leaf for leaf in child if leaf.tag == names.key_domain_id)
            ids = tuple(leaf for leaf in child if leaf.tag == names.msk_id)
            pairs.append(MskPair(child, domains, ids))
    return tuple(pairs)


class _Names(NamedTuple):
    response: str
    msk: str
    code: str
    key_domain_id: str
    msk_id: str


def _names(namespace: str | None) -> _Names:
    prefix = f"{{{namespace}}}" if namespace else ""
    return _Names(*(prefix + local for local in ("Response", "MSK", "ResponseCode", "keyDomainID", "MSKID")))


_RESPONSE = _names(MSK_RESPONSE_NS)
_RESPONSE_PREFIX = f"{{{MSK_RESPONSE_NS}}}"
_ROOT = f"{_RESPONSE_PREFIX}mbmsMSKResponse"


def _plain_item(response: etree._Element, names: _Names) -> ResponseItem | None:
    """Return a Response that is MSK, ResponseCode and at most an LTKM; None for any other, which needs the long way.

    Nearly all are such, so everything is looked at once here, for the parts as well as for departures.
    """
    children = list(response)
    if not 2 <= len(children) <= 3:
        return None
    msk, code, *ltkms = children
    leaves = list(msk)
    if [each.tag for each in (msk, code, *leaves)] != [names.msk, names.code, names.key_domain_id, names.msk_id]:
        return None
    domain, msk_id = leaves
    for leaf in (domain, msk_id, code):
        if len(leaf) or leaf.keys() or len(leaf.text or "") >= _SHORTEST:  # it might be a message
            return None
    between = (response.text, msk.text, domain.tail, msk_id.tail, msk.tail, code.tail)
    if response.keys() or msk.keys() or not _is_blank("".join(filter(None, between))):
        return None
    if any(ltkm.tag != LTKM_TAG or len(ltkm) or not _is_blank(ltkm.tail) for ltkm in ltkms):
        return None
    found = tuple([_ltkm(ltkm, "wildcard") for ltkm in ltkms])
    # An item in another namespace than that of the schema has its parts all the same, and departs from the schema.
    plain = names is _RESPONSE
    return ResponseItem(response, (msk,), (domain,), (msk_id,), (code,), found, (), plain)


def _is_blank(text: str | None) -> bool:
    return not text or not text.strip(XML_SPACE)


def _ltkm(element: etree._Element, where: str) -> LtkmCandidate:
    return LtkmCandidate(element, ORDERQUERIES_NS, "LTKM", None, False, where)


def _item(response: etree._Element, names: _Names) -> ResponseItem:
    msks: list[etree._Element] = []
    domains: list[etree._Element] = []
    ids: list[etree._Element] = []
    codes: list[etree._Element] = []
    candidates: list[LtkmCandidate] = []
    foreign: list[etree._Element] = []
    direct = 0
    for child in response:
        tag = child.tag
        if tag in (names.msk, names.code):
            _early(candidates, direct)
            if tag == names.msk:
                msks.append(child)
                domains += [leaf for leaf in child if leaf.tag == names.key_domain_id]
                ids += [leaf for leaf in child if leaf.tag == names.msk_id]
                candidates += _below(child, "in-msk")
            else:
                codes.append(child)
                candidates += [*_itself(child, "in-code"), *_below(child, "in-code")]
            direct = len(candidates)
        elif isinstance(tag, str):
            found = [*_itself(child, "wildcard")]
            candidates += found
            if not found:
                foreign.append(child)
            candidates += _below(child, "nested")
    return ResponseItem(
        response, tuple(msks), tuple(domains), tuple(ids), tuple(codes), tuple(candidates), tuple(foreign)
    )


def _early(candidates: list[LtkmCandidate], first: int) -> None:
    """Candidates that were taken to stand in the wildcard stand before an MSK or ResponseCode after all."""
    for index in range(first, len(candidates)):
        if candidates[index].where == "wildcard":
            candidates[index] = candidates[index]._replace(where="early")


def _itself(element: etree._Element, where: str) -> Iterator[LtkmCandidate]:
    found = _candidate(element, str(element.tag), where)
    if found is not None:
        yield found


def _below(element: etree._Element, where: str) -> Iterator[LtkmCandidate]:
    for descendant in element.iterdescendants("*") if len(element) else ():
        yield from _itself(descendant, where)


def _candidate(element: etree._Element, tag: str, where: str) -> LtkmCandidate | None:
    if tag == LTKM_TAG:
        return _ltkm(element, where)
    if tag[-4:].lower() == "ltkm" and (len(tag) == 4 or tag[-5] in "}:"):
        namespace, local = split_name(tag)
        return LtkmCandidate(element, namespace, local, near_miss(namespace, local), tag in _LATER_TAGS, where)
    text = element.text
    if text is not None and len(text) >= _SHORTEST and _looks_like_message(text):
        namespace, local = split_name(tag)
        return LtkmCandidate(element, namespace, local, "other-name", False, where)
    return None


def _looks_like_message(text: str) -> bool:
    """Whether a text begins like the base64 of a MIKEY header: version 1, data type 0."""
    return text.startswith(_MIKEY_START) or text[:64].lstrip(XML_SPACE).startswith(_MIKEY_START)
