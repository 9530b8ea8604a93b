"""A subject where it is in an event: its place, its octets, and its turn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ltkm_inspect.finding import Place, Problem
from ltkm_inspect.mikey import spans
from ltkm_inspect.traffic import Event, Item, Ltkm
from ltkm_inspect.wire import Span, printable

if TYPE_CHECKING:
    from ltkm_inspect.subject.kind import Kind


@dataclass(slots=True)
class Site:
    """A subject, and where in its event it is."""

    kind: "Kind"
    subject: Any
    event: Event
    item: Item | None = None
    ltkm: Ltkm | None = None
    payload: int | None = None
    """Index of the payload that the subject is."""
    element: Any = None
    """The XML element that the subject is."""

    @property
    def numbers(self) -> tuple[int | None, int | None]:
        """The numbers of the item and the LTKM that it is in, or is."""
        return (
            self.item.number if self.item is not None else None,
            self.ltkm.number if self.ltkm is not None else None,
        )

    @property
    def order(self) -> tuple[int, ...]:
        """Where among all sites of the event it comes: from the outside in, in the order of the document."""
        item, ltkm = self.numbers
        return (self.kind.group, item or 0, ltkm or 0, self.kind.stage, self.payload or 0)

    def below(self, path: str) -> str:
        """Return a field path below the subject as one of the whole message."""
        if self.payload is None or self.ltkm is None or self.ltkm.message is None:
            return path
        return ".".join(part for part in (self.ltkm.message.paths[self.payload], path) if part)

    def place(self, path: str = "", element: Any = None) -> Place:
        """Return the place of a field of the subject, or of an element in it."""
        return self.kind.place(self, self.below(path), element)

    def locate(self, problem: Problem) -> tuple[Span | None, str]:
        """Return the octets that a problem is at: of the message for what is inside one, of the body for an element."""
        inside, document = self.kind.is_inside, self.event.document
        if self.ltkm is not None:
            path = self.below(problem.path)
            span = (problem.span if inside else None) or (self.ltkm.span(path) if path else None)
            if inside or span is not None:
                return _within(span, self.ltkm.octets), "message" if span else ""
        if problem.span is not None and document is not None:
            return _within(problem.span, document.xml.octets), "body"
        element = self.element if problem.element is None else problem.element
        if element is not None and document is not None:
            place = document.xml.place(element)
            return (None, "") if place is None else (Span(place.octets.start, place.octets.end), "body")
        span = self.ltkm.carrier.body_span if self.ltkm is not None else None
        return span, "body" if span is not None else ""


def _within(span: Span | None, octets: bytes | None) -> Span | None:
    """Return a span in these octets; where something is missing behind the last of them, that one is its place."""
    if not span or not octets:
        return None
    start = min(span.start, len(octets) - 1)
    return Span(start, max(min(span.end, len(octets)), start + 1))


@dataclass(frozen=True, slots=True)
class Octets:
    """The octets of one LTKM as they are: the subject of faults below the fields of a message."""

    octets: bytes

    @property
    def spans(self) -> Mapping[str, Span]:
        """The octets of every field, by field path."""
        return spans(self.octets)

    def put(self, path: str, value: bytes) -> bytes:
        """Return the octets with those of a field replaced; LookupError where the message has no such field."""
        found = self.spans.get(path)
        if found is None:
            raise ValueError(f"the message has no field {printable(path)}")
        return self.octets[: found.start] + value + self.octets[found.end :]
