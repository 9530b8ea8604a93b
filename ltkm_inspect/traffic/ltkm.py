"""An LTKM: a MIKEY message that delivers a key, and its place in the traffic."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ltkm_inspect import mikey
from ltkm_inspect.document import Splice
from ltkm_inspect.wire import Span

if TYPE_CHECKING:
    from ltkm_inspect.traffic.event import Event
    from ltkm_inspect.traffic.item import Item


type Replacement = Splice | bytes
"""What is put into an event: text at a place of its document, or all octets of a datagram."""


class Carrier(Protocol):
    """What contains an LTKM: an element of a document, or a datagram."""

    @property
    def event(self) -> "Event":
        """The event that it is in."""

    @property
    def item(self) -> "Item | None":
        """The item that it is in, at any depth; None outside every item."""

    @property
    def number(self) -> int:
        """Place among the carriers of its item, or of those outside every item, from 1."""

    @property
    def element_name(self) -> str | None:
        """The name of the element that it is, with its namespace; None for a datagram."""

    @property
    def octets(self) -> bytes | None:
        """The octets of the message; None where they cannot be read."""

    @property
    def problem(self) -> str | None:
        """Why the octets cannot be read; None where they can."""

    @property
    def is_delivery(self) -> bool:
        """A terminal takes an LTKM from it."""

    @property
    def body_span(self) -> Span | None:
        """Its place in the octets of the body; None for a datagram, or if it is not known."""

    def refilled(self, octets: bytes) -> Replacement:
        """Return the change of its event that makes it carry these octets; ValueError where there is none."""


@dataclass(eq=False)
class Ltkm:
    """The message in a carrier."""

    carrier: Carrier = field(repr=False)
    octets: bytes | None
    """The octets of the message; None where they cannot be read from the carrier."""

    @property
    def event(self) -> "Event":
        """The event that it is in."""
        return self.carrier.event

    @property
    def item(self) -> "Item | None":
        """The item that it is in, at any depth; None outside every item."""
        return self.carrier.item

    @property
    def number(self) -> int:
        """Place among the LTKMs of its item, or of those outside every item, from 1."""
        return self.carrier.number

    @cached_property
    def message(self) -> mikey.Message | None:
        """Its octets as a MIKEY message; None where there are none."""
        return mikey.decode(self.octets, self.event.limits.payloads) if self.octets else None

    def span(self, path: str) -> Span | None:
        """Return the octets of the field of its message with that path; None where there is no such field."""
        part = path.partition(".")[0]
        if part not in self._spans and self.octets and self.message is not None:
            self._spans[part] = mikey.part_spans(self.message, self.octets, part)
        return self._spans.get(part, {}).get(path)

    @cached_property
    def _spans(self) -> dict[str, dict[str, Span]]:
        """The spans of the fields that were asked for, by the part of the message: all of them take much memory."""
        return {}
