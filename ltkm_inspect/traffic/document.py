"""The document of an MSK response, as the subject that rules look at."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltkm_inspect import document as msk
from ltkm_inspect.traffic.element import LtkmElement, elements_of
from ltkm_inspect.traffic.item import Item
from ltkm_inspect.traffic.ltkm import Ltkm

if TYPE_CHECKING:
    from ltkm_inspect.traffic.exchange import Exchange

_ROOT = f"{{{msk.MSK_RESPONSE_NS}}}mbmsMSKResponse"


@dataclass(eq=False)  # nothing below an exchange is frozen: that would treble what it costs to make
class Document:
    """The XML body of a response."""

    exchange: "Exchange" = field(repr=False)
    xml: msk.Xml = field(repr=False)

    @property
    def event(self) -> "Exchange":
        """The exchange that it is in."""
        return self.exchange

    @property
    def root(self) -> Any:
        """The root element, of the recovered tree where the document is not well-formed; None where there is none."""
        return self.xml.root

    @cached_property
    def is_msk_response(self) -> bool:
        """The root element is the one of an MBMS MSK response (3GPP TS 26.346 11.8.1)."""
        return self.xml.root is not None and self.xml.root.tag == _ROOT

    @cached_property
    def structure(self) -> msk.MskItems:
        """The elements that the document is made of."""
        return msk.MskItems((), (), ()) if self.root is None else msk.msk_items(self.root)

    @cached_property
    def departures(self) -> tuple[msk.Departure, ...]:
        """Where the elements depart from the content models of the schema; none without a root."""
        return () if self.root is None or self.structure.plain else tuple(msk.response_departures(self.root))

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The `<Response>` elements under the root, in document order."""
        return tuple([Item(self, number, parts) for number, parts in enumerate(self.structure.items, 1)])

    @cached_property
    def identifiers(self) -> tuple[tuple[str, Any, msk.Base64], ...]:
        """Every keyDomainID and MSKID of every item: local name, element, and decoded text."""
        found = []
        for item in self.items:
            found += [
                ("keyDomainID", *each) for each in zip(item.parts.key_domain_ids, item.key_domain_ids, strict=True)
            ]
            found += [("MSKID", *each) for each in zip(item.parts.msk_ids, item.msk_ids, strict=True)]
        return tuple(found)

    @cached_property
    def pairs(self) -> tuple[tuple[bytes, bytes] | None, ...]:
        """Key Domain ID and MSK ID of every item, in order; None for an item that has not exactly one of each."""
        return tuple([item.pair for item in self.items])

    @cached_property
    def _by_element(self) -> dict[Any, Item]:
        return {item.element: item for item in self.items}

    def item_of(self, element: Any) -> Item | None:
        """Return the item that an element is, or is part of; None outside every item."""
        above = (self._by_element.get(each) for each in (element, *element.iterancestors()))
        return next((item for item in above if item is not None), None)

    @cached_property
    def _extents(self) -> tuple[list[int], list[tuple[int, Item]]]:
        """Where each item begins and ends in the text; items without a known place are left out."""
        places = [(place.text, item) for item in self.items if (place := self.xml.place(item.element)) is not None]
        return [text.start for text, _ in places], [(text.end, item) for text, item in places]

    def item_at(self, offset: int) -> Item | None:
        """Return the item that a character of the text belongs to; None outside every item."""
        starts, ends = self._extents
        index = bisect_right(starts, offset) - 1
        return ends[index][1] if index >= 0 and offset < ends[index][0] else None

    @cached_property
    def elements_outside_items(self) -> tuple[LtkmElement, ...]:
        """The elements that carry LTKMs outside every item."""
        return elements_of(self, None, self.structure.outside)

    @cached_property
    def ltkm_elements(self) -> tuple[LtkmElement, ...]:
        """Every element that carries an LTKM or seems meant to: those outside every item, then item by item."""
        found = list(self.elements_outside_items)
        for item in self.items:
            found += item.ltkm_elements
        return tuple(found)

    @cached_property
    def xml_elements(self) -> frozenset[Any]:
        """The same elements as the parser has them."""
        return frozenset(each.element for each in self.ltkm_elements)

    @cached_property
    def ltkms(self) -> tuple[Ltkm, ...]:
        """The LTKMs in these elements."""
        return tuple([element.ltkm for element in self.ltkm_elements])

    @cached_property
    def copies(self) -> Mapping[LtkmElement, LtkmElement]:
        """The elements that repeat, octet for octet, the LTKM of an earlier item, with the one that has it first."""
        first: dict[bytes, LtkmElement] = {}
        found: dict[LtkmElement, LtkmElement] = {}
        for element in self.ltkm_elements:
            if element.octets and element.item is not None:
                original = first.setdefault(element.octets, element)
                if original.item is not element.item:
                    found[element] = original
        return found

    @cached_property
    def has_ltkm(self) -> bool:
        """At least one LTKM is in the document by its exact name, a later release's namespace included."""
        return any(element.is_named for element in self.ltkm_elements)
