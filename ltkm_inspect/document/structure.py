"""What the content models of TS 26.346 §11.6 and §11.8 say about a tree, element by element."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from lxml import etree

from .names import LATER_ORDERQUERIES_NS, LTKM_TAG, MSK_REQUEST_NS, MSK_RESPONSE_NS, XML_SPACE, XSI_NS, split_name

_XSI_ALLOWED = frozenset(
    f"{{{XSI_NS}}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation", "type", "nil")
)


class Departure(NamedTuple):
    """One departure from a content model: its kind, the element, and what is there.

    The kinds are `root`, `no-response`, `response-late`, `root-child`, `root-foreign`, `response-child`, `msk-child`,
    `leaf-child`, `attribute`, `text` and `no-msk`.
    """

    kind: str
    element: etree._Element
    expected: str
    got: str


def response_departures(root: etree._Element) -> Iterator[Departure]:
    """Yield where an MSK response departs from mskResponse.xsd (TS 26.346 §11.8.1); simple values are not checked.

    A wrong root is the only departure that is reported. `root-foreign` depends on the schemas that a receiver has; LTKM
    elements are not reported.
    """
    if root.tag != f"{{{MSK_RESPONSE_NS}}}mbmsMSKResponse":
        yield _root(root, MSK_RESPONSE_NS, "mbmsMSKResponse")
        return
    yield from _bare(root)
    responses = 0
    late = False
    for child in _elements(root):
        if child.tag == _RESPONSE:
            responses += 1
            if late:
                yield Departure("response-late", child, "every Response before extensions", "a Response after one")
            yield from _response(child)
            continue
        namespace, local = split_name(str(child.tag))
        if namespace in (None, MSK_RESPONSE_NS):
            yield Departure("root-child", child, "Response or an element of another namespace", _name(child))
        else:
            late = True
            if child.tag != LTKM_TAG and not (namespace in LATER_ORDERQUERIES_NS and local == "LTKM"):
                yield Departure("root-foreign", child, "an element whose schema the receiver has", _name(child))
    if not responses:
        yield Departure("no-response", root, "at least one Response", "none")


def request_departures(root: etree._Element) -> Iterator[Departure]:
    """Where an MSK request departs from mskRequest.xsd (TS 26.346 §11.6.1); simple values are not looked at."""
    if root.tag != f"{{{MSK_REQUEST_NS}}}mbmsMSKRequest":
        yield _root(root, MSK_REQUEST_NS, "mbmsMSKRequest")
        return
    yield from _texts(root)
    pairs = 0
    for child in _elements(root):
        if child.tag == f"{{{MSK_REQUEST_NS}}}MSK":
            pairs += 1
            yield from _msk(child, MSK_REQUEST_NS)
        else:
            yield Departure("root-child", child, "MSK", _name(child))
    if not pairs:
        yield Departure("no-msk", root, "at least one MSK", "none")


def ltkm_departures(ltkm: etree._Element) -> Iterator[Departure]:
    """Where an LTKM element departs from the change request's LTKMType; simple values are not looked at."""
    for name in _foreign_attributes(ltkm):
        if name != "version":
            yield Departure("attribute", ltkm, "no attribute except version", _shown(name))
    for child in _elements(ltkm):
        yield Departure("leaf-child", ltkm, "only text", _name(child))


def _is_blank(text: str | None) -> bool:
    return not text or not text.strip(XML_SPACE)


_PREFIX = f"{{{MSK_RESPONSE_NS}}}"
_RESPONSE, _MSK, _CODE = f"{_PREFIX}Response", f"{_PREFIX}MSK", f"{_PREFIX}ResponseCode"


def _response(response: etree._Element) -> Iterator[Departure]:
    if not len(response) and not response.keys() and _is_blank(response.text):
        yield Departure("response-child", response, "MSK as the first element", "the end")
        return
    yield from _bare(response)
    children = list(_elements(response))
    for got, tag, expected in zip_longest(
        children[:2], (_MSK, _CODE), ("MSK as the first element", "ResponseCode after MSK")
    ):
        if got is None or got.tag != tag:
            yield Departure("response-child", response, expected, "the end" if got is None else _name(got))
            break
    else:
        for child in children[2:]:
            if split_name(str(child.tag))[0] in (None, MSK_RESPONSE_NS):
                yield Departure(
                    "response-child", child, "an element of another namespace after ResponseCode", _name(child)
                )
    for child in children:
        if child.tag == _MSK:
            yield from _msk(child, MSK_RESPONSE_NS)
        elif child.tag == _CODE:
            yield from _leaf(child)


def _msk(msk: etree._Element, namespace: str) -> Iterator[Departure]:
    yield from _bare(msk)
    children = list(_elements(msk))
    names = [str(child.tag) for child in children]
    if names != [f"{{{namespace}}}keyDomainID", f"{{{namespace}}}MSKID"]:
        shown = ", ".join(_name(child) for child in children[:8]) + (", ..." if len(children) > 8 else "")
        yield Departure("msk-child", msk, "keyDomainID, MSKID", shown or "nothing")
    for child in children:
        if split_name(str(child.tag))[0] == namespace:
            yield from _leaf(child)


def _leaf(leaf: etree._Element) -> Iterator[Departure]:
    yield from _attributes(leaf)
    for child in _elements(leaf):
        yield Departure("leaf-child", leaf, "only text", _name(child))


def _bare(element: etree._Element) -> Iterator[Departure]:
    yield from _attributes(element)
    yield from _texts(element)


def _attributes(element: etree._Element) -> Iterator[Departure]:
    for name in _foreign_attributes(element):
        yield Departure("attribute", element, "no attribute", _shown(name))


def _foreign_attributes(element: etree._Element) -> Iterable[str]:
    names = element.keys()
    return [name for name in map(str, names) if name not in _XSI_ALLOWED] if names else ()


def _texts(element: etree._Element) -> Iterator[Departure]:
    if not _is_blank(element.text) or not all(_is_blank(child.tail) for child in element):
        yield Departure("text", element, "only elements", "text")


def _elements(element: etree._Element) -> Iterator[etree._Element]:
    return (child for child in element if isinstance(child.tag, str))


def _root(root: etree._Element, namespace: str, local: str) -> Departure:
    return Departure("root", root, f"{{{namespace}}}{local}", _shown(str(root.tag)))


def _name(element: etree._Element) -> str:
    """The name of an element as a finding shows it: with the namespace if it is not the document's own."""
    namespace, local = split_name(str(element.tag))
    if namespace in (MSK_RESPONSE_NS, MSK_REQUEST_NS):
        return _shown(local)
    return _shown(f"{{{namespace or ''}}}{local}")


def _shown(name: str) -> str:
    cut = name if len(name) <= 120 else name[:120] + "..."
    return cut.encode("ascii", "backslashreplace").decode("ascii")
