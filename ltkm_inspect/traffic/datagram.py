"""A datagram: one UDP packet that holds a MIKEY message. A push carries an LTKM itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ltkm_inspect.mikey import Identity, Message
from ltkm_inspect.packets import MIKEY_PORT
from ltkm_inspect.traffic.datagram_kind import DatagramKind, kind_of, may_be_message
from ltkm_inspect.traffic.event import Direction, Event
from ltkm_inspect.traffic.ltkm import Ltkm, Replacement
from ltkm_inspect.wire import Span

if TYPE_CHECKING:
    from ltkm_inspect.keys import KeyRing, Subscriber

_PORT = f":{MIKEY_PORT}"


@dataclass(frozen=True, eq=False)
class Datagram(Event):
    """One UDP packet with a MIKEY message."""

    octets: bytes = field(repr=False)
    """Its payload."""
    direction: Direction = field(default=Direction.TO_TERMINAL, kw_only=True)
    place: int = field(default=0, kw_only=True)
    """Its place among the messages of its UDP flow, from 1; 0 if it was not in a flow."""
    is_followed: bool = field(default=False, kw_only=True)
    """Another datagram of the same flow comes next in the capture."""
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
    def source(self) -> str:
        """The address and port that it comes from; empty if not known."""
        return self.client if self.direction is Direction.FROM_TERMINAL else self.server

    @property
    def target(self) -> str:
        """The address and port that it goes to; empty if not known."""
        return self.server if self.direction is Direction.FROM_TERMINAL else self.client

    @property
    def url(self) -> str:
        """The address that it goes to, as a URL."""
        return f"udp://{self.target}"

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
        """Its message with its place. It is an LTKM only if it is in `ltkms`."""
        return Ltkm(self, self.octets)

    @property
    def ltkms(self) -> tuple[Ltkm, ...]:
        """The LTKM in it, or what the BSM seems to have sent as one; none in an answer of the terminal or an STKM."""
        return (self.ltkm,) if self.kind.is_ltkm or self._may_be_ltkm else ()

    @property
    def is_checked(self) -> bool:
        """Rules look at it: not at an STKM, nor at octets that are nothing like a message."""
        return self.kind not in (DatagramKind.STKM, DatagramKind.OTHER) or self._may_be_ltkm

    @property
    def _may_be_ltkm(self) -> bool:
        """It goes to the terminal and begins like an LTKM, but is damaged."""
        is_other = self.kind is DatagramKind.OTHER and self.was_delivered
        return is_other and (self.octets[:1] == b"\1" or self.octets[1:2] == b"\0")

    @property
    def message(self) -> Message | None:
        """The message in it; None without octets."""
        return self.ltkm.message

    @cached_property
    def kind(self) -> DatagramKind:
        """What it is for."""
        return DatagramKind.OTHER if self.message is None else kind_of(self.message)

    @property
    def is_ours(self) -> bool:
        """It is from or to the port of MIKEY, or is a whole message of a known kind."""
        if any(address.endswith(_PORT) for address in (self.client, self.server)):
            return True
        message = self.message if may_be_message(self.octets) else None
        is_whole = message is not None and (message.problem is None or message.is_cut)
        return is_whole and self.kind is not DatagramKind.OTHER

    @property
    def was_delivered(self) -> bool:
        """It goes to the terminal; whether it arrived is not known."""
        return self.direction is Direction.TO_TERMINAL

    @cached_property
    def idr(self) -> str:
        """The IDr of its message, which names the terminal; empty without one. Of two identities it is the second."""
        identities = self.message.of(Identity) if self.message is not None else ()
        is_answer = self.direction is Direction.FROM_TERMINAL
        wanted = identities[-1:] if is_answer else identities[1:2]
        return wanted[0].value.decode("utf-8", "surrogateescape") if wanted else ""

    def subscriber_in(self, keys: "KeyRing") -> "Subscriber | None":
        """Return the terminal as a key ring knows it by IDr and IDi; None if it does not, or there is no IDr."""
        if not self.idr or self.message is None:
            return None
        identities = self.message.of(Identity)
        idi = identities[0].value.decode("utf-8", "replace") if len(identities) > 1 else None
        return keys.find(self.idr, idi)

    @property
    def b_tid(self) -> str:
        """Its IDr: in an LTKM that is the B-TID."""
        return self.idr

    @property
    def terminal(self) -> str:
        """The terminal: the IDr of the message, else the connection.

        The address says nothing: behind NAT all terminals share one.
        """
        return self.idr or self.connection or self.client
