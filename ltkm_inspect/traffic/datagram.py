"""A datagram: one UDP packet that holds a MIKEY message. A push carries an LTKM itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import ClassVar

from ltkm_inspect import mikey
from ltkm_inspect.mikey import Identity, Kemac, Message, OmaBcast, Verification
from ltkm_inspect.mikey.extension import MSK_ID, MTK_ID, OMA_BCAST
from ltkm_inspect.mikey.header import FIXED_LENGTH
from ltkm_inspect.packets import MIKEY_PORT
from ltkm_inspect.traffic.event import Direction, Event
from ltkm_inspect.traffic.ltkm import Ltkm, Replacement
from ltkm_inspect.wire import Span

_INITIATOR, _VERIFICATION, _ERROR = 0, 1, 6
"""The data types of a pre-shared key message, of the answer to it, and of an error (RFC 3830 §6.1)."""
_STKM, _REPORTING = 2, 3
"""The subtypes of EXT BCAST of the messages that are no LTKM (RFC 5410 §3)."""
_NUMBER = slice(2, 4)
"""The Key Number part of an MSK ID."""
_PORT = f":{MIKEY_PORT}"


class DatagramKind(Enum):
    """What a datagram is for (3GPP TS 33.246 6.3.2, 6.4.5)."""

    PUSH = "push"
    """The BSM delivers a key: an LTKM."""
    PULL = "solicited pull"
    """The BSM asks the terminal to request the current key: an LTKM without a key, with the Key Number 0."""
    VERIFICATION = "verification message"
    """The terminal acknowledges a push."""
    REPORTING = "reporting message"
    """The terminal reports on an LTKM (OMA BCAST)."""
    ERROR = "error message"
    STKM = "STKM"
    """It delivers a traffic key (MTK), usually by multicast. It is counted and not checked."""
    OTHER = "other datagram"
    """Whatever else is sent to or from the port of MIKEY, a message that is damaged in front of its Key ID included."""

    @property
    def is_ltkm(self) -> bool:
        """It is an LTKM, be it without a key."""
        return self in (DatagramKind.PUSH, DatagramKind.PULL)

    def plural(self, number: int) -> str:
        """Return the number with the name of the kind, for people."""
        return f"{number} {self.value}" if number == 1 else f"{number} {_PLURALS.get(self, self.value + 's')}"


_PLURALS = {DatagramKind.PUSH: "pushes"}
_WAYS = {
    DatagramKind.PUSH: Direction.TO_TERMINAL,
    DatagramKind.PULL: Direction.TO_TERMINAL,
    DatagramKind.STKM: Direction.TO_TERMINAL,
    DatagramKind.VERIFICATION: Direction.FROM_TERMINAL,
    DatagramKind.REPORTING: Direction.FROM_TERMINAL,
}


def kind_of(message: Message) -> DatagramKind:
    """Return what a message in a datagram is for. Only what was decoded counts, so a message may be cut after it."""
    header = message.header
    if header is None or header.version != 1:
        return DatagramKind.OTHER
    subtypes = {each.value.subtype for each in message.extensions(OMA_BCAST) if isinstance(each.value, OmaBcast)}
    if header.data_type == _VERIFICATION:
        return DatagramKind.REPORTING if _REPORTING in subtypes else DatagramKind.VERIFICATION
    if header.data_type == _ERROR:
        return DatagramKind.ERROR
    if header.data_type != _INITIATOR:
        return DatagramKind.OTHER
    ids = {each.type: each.value for each in reversed(message.key_ids())}
    is_for_one = MSK_ID in ids and len(message.of(Identity)) > 1  # an LTKM with the wrong subtype is still an LTKM
    if MTK_ID in ids or (_STKM in subtypes and not is_for_one):
        return DatagramKind.STKM
    if MSK_ID not in ids:
        return DatagramKind.OTHER
    return DatagramKind.PULL if ids[MSK_ID][_NUMBER] == b"\0\0" else DatagramKind.PUSH


def direction_of(octets: bytes) -> Direction | None:
    """Return which way a message goes; None if that cannot be known from the message.

    The addresses say nothing: either side may send first, from and to the same port, and through a NAT.
    """
    message = mikey.decode(octets)
    known = _WAYS.get(kind_of(message))
    if known is not None or message.header is None:
        return known
    if message.header.data_type == _VERIFICATION or message.of(Verification):
        return Direction.FROM_TERMINAL
    return Direction.TO_TERMINAL if message.header.data_type == _INITIATOR or message.of(Kemac) else None


def may_be_message(octets: bytes) -> bool:
    """Tell from the first octets whether a datagram of any port may be a message of a known kind."""
    return len(octets) >= FIXED_LENGTH and octets[0] == 1 and octets[1] in (_INITIATOR, _VERIFICATION, _ERROR)


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
        return (self.ltkm,) if self._is_checked else ()

    @property
    def _is_checked(self) -> bool:
        """The rules on LTKMs look at it. Octets that are nothing like a message say nothing about the BSM."""
        if self.kind is not DatagramKind.OTHER:
            return self.kind.is_ltkm
        return self.was_delivered and (self.octets[:1] == b"\1" or self.octets[1:2] == b"\0")

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
        message = self.message
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

    @property
    def terminal(self) -> str:
        """The terminal: the IDr of the message, else the connection.

        The address says nothing: behind NAT all terminals share one.
        """
        return self.idr or self.connection or self.client
