"""The elements of a document that carry LTKMs."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ltkm_inspect import document as msk
from ltkm_inspect import mikey
from ltkm_inspect.document import edit
from ltkm_inspect.traffic.ltkm import Ltkm
from ltkm_inspect.wire import Span

if TYPE_CHECKING:
    from ltkm_inspect.traffic.document import Document
    from ltkm_inspect.traffic.exchange import Exchange
    from ltkm_inspect.traffic.item import Item


@dataclass(eq=False)
class LtkmElement:
    """An element that carries an LTKM, or seems meant to."""

    label = "LTKM"

    document: "Document" = field(repr=False)
    item: "Item | None" = field(repr=False)
    """The item that contains it, at any depth; None if none does."""
    number: int
    """Place among the LTKMs of its item (or of those outside every item), from 1."""
    parts: msk.LtkmCandidate = field(repr=False)
    """The element with its name, how the name is wrong, and its place."""

    @property
    def event(self) -> "Exchange":
        """The exchange that it is in."""
        return self.document.exchange

    @property
    def element(self) -> Any:
        """The element itself."""
        return self.parts.element

    @property
    def is_named(self) -> bool:
        """It has the name of the change request, or the same in the namespace of a later release."""
        return self.parts.miss is None

    @property
    def is_placed(self) -> bool:
        """It is where the change request requires it: at the extension point of `<Response>`."""
        return self.parts.where == "wildcard"

    @property
    def is_nested(self) -> bool:
        """It is inside another element that carries an LTKM."""
        return any(above in self.document.xml_elements for above in self.element.iterancestors())

    @property
    def is_delivery(self) -> bool:
        """A terminal takes an LTKM from it: it has its name and its place, in an item that says 200 OK or almost."""
        return self.item is not None and self.is_named and self.is_placed and self.item.outcome.may_be_success

    @cached_property
    def base64(self) -> msk.Base64:
        """Its text as octets, or why the text is not base64."""
        return msk.base64_octets(self.parts.text)

    @property
    def element_name(self) -> str:
        """Its name with its namespace."""
        return str(self.element.tag)

    @property
    def problem(self) -> str | None:
        """Why its text is not base64; None where it is."""
        return self.base64.problem

    @property
    def octets(self) -> bytes | None:
        """The octets of its message; None where the text is not base64."""
        return self.base64.octets

    @cached_property
    def ltkm(self) -> Ltkm:
        """The LTKM in it."""
        return Ltkm(self, self.octets)

    @property
    def body_span(self) -> Span | None:
        """Its place in the octets of the body; None if it is not known."""
        place = self.document.xml.place(self.element)
        return None if place is None else Span(place.octets.start, place.octets.end)

    def refilled(self, octets: bytes) -> msk.Splice:
        """Return what writes these octets into it; ValueError in a damaged document."""
        return edit.refilled(self.document.xml, self.element, b64encode(octets).decode())

    @property
    def message(self) -> mikey.Message | None:
        """The message in it; None where it has no octets."""
        return self.ltkm.message


def elements_of(
    document: "Document", item: "Item | None", found: Iterable[msk.LtkmCandidate]
) -> tuple[LtkmElement, ...]:
    """Return the candidates that carry LTKMs: one with another name only counts if its text is a whole message."""
    most = document.exchange.limits.payloads
    real = [candidate for candidate in found if candidate.miss != "other-name" or _is_message(candidate.text, most)]
    return tuple([LtkmElement(document, item, number, candidate) for number, candidate in enumerate(real, 1)])


def _is_message(text: str, most: int | None) -> bool:
    octets = msk.base64_octets(text).octets
    message = mikey.decode(octets, most) if octets else None
    return message is not None and (message.problem is None or message.is_cut) and bool(message.payloads)
