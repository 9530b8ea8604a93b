"""A datagram: one UDP packet that holds a MIKEY message, and so carries an LTKM itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

from ltkm_inspect import mikey
from ltkm_inspect.mikey import Identity
from ltkm_inspect.traffic.event import Direction, Event
from ltkm_inspect.traffic.ltkm import Ltkm, Replacement
from ltkm_inspect.wire import Span


@dataclass(frozen=True, eq=False)
class Datagram(Event):
    """One UDP packet with a MIKEY message."""

    octets: bytes = field(repr=False)
    """Its payload."""
    direction: Direction = field(default=Direction.TO_TERMINAL, kw_only=True)
    number: ClassVar = 1
    """It carries one message."""
    item: ClassVar = None
    """There are no items outside a document."""
    element_name: ClassVar = None
    """It is no element."""
    body_span: ClassVar = None
    """It is in no body."""
    problem: ClassVar = None
    """Its octets are as they came."""

    @property
    def method(self) -> str:
        """`UDP`."""
        return "UDP"

    @property
    def url(self) -> str:
        """The address that it goes to, as a URL."""
        return f"udp://{self.client if self.direction is Direction.TO_TERMINAL else self.server}"

    @property
    def is_delivery(self) -> bool:
        """A terminal takes an LTKM from it."""
        return self.was_delivered

    def refilled(self, octets: bytes) -> bytes:
        """Return the octets as they are: the whole payload."""
        return octets

    def without_content(self) -> "Datagram":
        """Return the datagram without its octets."""
        return replace(self, octets=b"")

    def blank(self) -> "Datagram":
        """Return a datagram of which only the id is known."""
        return Datagram(b"", id=str(self.id), faults=self.faults)

    def replaced_octets(self, replacement: Replacement) -> tuple[Span, int]:
        """Return all its octets, and how many it has then."""
        return Span(0, len(self.octets)), len(replacement)

    def changed(self, changes: Iterable[Replacement]) -> "Datagram":
        """Return the datagram with the last of these payloads."""
        *_, octets = changes
        assert isinstance(octets, bytes)
        return replace(self, octets=octets)

    @cached_property
    def ltkm(self) -> Ltkm:
        """The LTKM in it."""
        return Ltkm(self, self.octets)

    @property
    def ltkms(self) -> tuple[Ltkm, ...]:
        """The same; none without octets."""
        return (self.ltkm,) if self.octets else ()

    @property
    def message(self) -> mikey.Message | None:
        """The message in it; None without octets."""
        return self.ltkm.message

    @property
    def is_ours(self) -> bool:
        """Its octets begin as a MIKEY message does."""
        return self.message is not None and self.message.header is not None

    @property
    def was_delivered(self) -> bool:
        """It goes to the terminal; whether it got there nobody can tell."""
        return self.direction is Direction.TO_TERMINAL

    @cached_property
    def terminal(self) -> str:
        """The terminal: the IDr of the message, else the connection.

        The address does not tell: behind NAT all terminals share one.
        """
        identities = self.message.of(Identity) if self.message is not None else ()
        idr = identities[-1].value.decode("utf-8", "surrogateescape") if identities else ""
        return idr or self.connection or self.client
