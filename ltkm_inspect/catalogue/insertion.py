"""Faults that insert, replace or swap LTKMs."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Literal

from lxml import etree

from ltkm_inspect.document import ORDERQUERIES_NS, Splice, edit
from ltkm_inspect.fault import FaultError, Occasion, Remark, fault
from ltkm_inspect.sources import Base64Ltkm, FlowFile, LtkmFile, LtkmSource, ReceivedLtkms, RecipeFile
from ltkm_inspect.traffic import Document, Item, LtkmElement

type Place = Literal["auto", "empty", "second", "refused", "before-code", "msk", "root"]

NO_PLACE = {
    "auto": "the document has no item that says 200 OK or has an LTKM",
    "empty": "the document has no item that says 200 OK and has no LTKM",
    "second": "the document has no item with an LTKM",
    "refused": "the document has no item with a response code other than 200 OK",
}
"""Why there is no place of that kind."""


@fault(
    on=Item,
    reference="renewal",
    trips={"counters-disordered", "ltkm-repeated", "ltkm-replayed"},
    prepare=LtkmSource.remarks,
)
def inject_ltkm(
    item: Item,
    occasion: Occasion,
    *,
    at: Place = "auto",
    base64: Base64Ltkm | None = None,
    file: LtkmFile | None = None,
    flow: FlowFile | None = None,
    previous: bool = False,
    synthetic: RecipeFile | None = None,
) -> Iterator[Splice | Remark]:
    """Add an LTKM: a second one to an item, or one to a 200 OK item that has none.

    With `at`, put it into a refused item, before ResponseCode, into MSK, or under the root element. By default, the
    LTKM is the terminal's previous one. It can also come from base64 text, from a file, or from recorded traffic (the
    one for the same MSK and terminal, else the first), or be built with the MUK from a description. It is sent
    unchanged, even if its MAC is wrong.
    """
    source = LtkmSource(base64, file, flow, previous, synthetic)
    found = _place(item, at)
    if found is None:
        raise FaultError(NO_PLACE[at])
    neighbour, is_before = found
    octets, remark = source.ltkm(item.pair, occasion.once(ReceivedLtkms.of, item.document.exchange), occasion.turn)
    text = _element(neighbour.getparent(), octets)
    put = edit.before if is_before else edit.after
    yield put(item.document.xml, neighbour, text)
    if remark:
        yield Remark(remark)


@fault(on=LtkmElement, reference="renewal", trips={"ltkm-replayed"}, prepare=LtkmSource.remarks)
def replace_ltkm(
    ltkm: LtkmElement,
    occasion: Occasion,
    *,
    base64: Base64Ltkm | None = None,
    file: LtkmFile | None = None,
    flow: FlowFile | None = None,
    previous: bool = False,
    synthetic: RecipeFile | None = None,
) -> Iterator[Splice | Remark]:
    """Replace the message in the LTKM element (default: with the terminal's previous one).

    The sources are the same as for `inject-ltkm`.
    """
    source = LtkmSource(base64, file, flow, previous, synthetic)
    pair = ltkm.item.pair if ltkm.item is not None else None
    octets, remark = source.ltkm(pair, occasion.once(ReceivedLtkms.of, ltkm.document.exchange), occasion.turn)
    yield edit.refilled(ltkm.document.xml, ltkm.element, b64encode(octets).decode())
    if remark:
        yield Remark(remark)


@fault(on=Document, reference="several-keys", trips={"msk-id-mismatch", "counters-disordered"})
def swap_ltkm(document: Document, *, item: int = 0, other: int = 0) -> Iterator[Splice]:
    """Swap the contents of the LTKMs of two items (default: the first two that have one)."""
    first = _with_ltkm(document, item)
    second = _with_ltkm(first.item.document if first.item is not None else document, other, but=first)
    for one, another in ((first, second), (second, first)):
        yield edit.refilled(document.xml, one.element, edit.content(document.xml, another.element))


def _with_ltkm(document: Document, number: int, but: LtkmElement | None = None) -> LtkmElement:
    """Return the first LTKM of the item of that number, 0 for any, but for an item that is taken."""
    taken = but.item if but is not None else None
    for item in document.items:
        if item is not taken and item.ltkm_elements and number in (0, item.number):
            return item.ltkm_elements[0]
    which = f"item {number} with an LTKM" if number else "two items with an LTKM"
    raise FaultError(f"expected {which}, got none")


def _place(item: Item, at: Place) -> tuple[etree._Element, bool] | None:
    """Return the element beside which an LTKM is to be written, and whether that is before it; None for no such place.

    Raises IndexError where the item lacks the element that the place is named after.
    """
    success, code = item.outcome.is_success, item.code
    if at == "before-code":
        return item.parts.codes[0], True
    if at == "msk":
        return _last(item.parts.msks[0]), False
    if at == "root":
        return _last(item.document.root), False
    if at in ("auto", "empty") and success and not item.ltkm_elements:
        return _last(item.element), False
    if at in ("auto", "second") and item.ltkm_elements:
        return next(
            (each.element for each in reversed(item.ltkm_elements) if each.is_placed), _last(item.element)
        ), False
    if at == "refused" and code is not None and not success:
        return _last(item.element), False
    return None


def _last(element: etree._Element) -> etree._Element:
    return [child for child in element if isinstance(child.tag, str)][-1]


def _element(parent: etree._Element | None, octets: bytes) -> str:
    """Return an LTKM element for a place below a parent: with a prefix that is declared there, else with its own."""
    declared = parent.nsmap.items() if parent is not None else ()
    prefix = next((prefix for prefix, namespace in declared if prefix and namespace == ORDERQUERIES_NS), "")
    name, own = (f"{prefix}:LTKM", "") if prefix else ("LTKM", f' xmlns="{ORDERQUERIES_NS}"')
    return f"<{name}{own}>{b64encode(octets).decode()}</{name}>"
