"""The payloads of MIKEY-TICKET (RFC 6043): TR, IDR, RANDR, TP and TICKET; an LTKM carries none of them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from ltkm_inspect.mikey.codes import (
    IDENTITY_ROLES,
    IDENTITY_TYPES,
    RAND_ROLES,
    TICKET_TYPES,
    TIMESTAMP_ROLES,
    TIMESTAMP_TYPES,
)
from ltkm_inspect.mikey.core import describe_time, pull_time
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Bits, Meaning
from ltkm_inspect.wire import Reader, opaque, printable_octets


@payload(13)
@dataclass(frozen=True, slots=True)
class TimestampWithRole(Payload):
    """Timestamp payload with a role indicator, TR (RFC 6043): a role, then the fields of T."""

    role: Annotated[int, TIMESTAMP_ROLES]
    type: Annotated[int, TIMESTAMP_TYPES]
    value: Annotated[bytes, Meaning(lambda timestamp: describe_time(timestamp.type, timestamp.value))]

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        role = reader.uint8("role")
        kind = reader.uint8("type")
        return cls(role, kind, pull_time(reader, kind))

    def push(self) -> bytes:
        return bytes((self.role, self.type)) + self.value


@payload(14)
@dataclass(frozen=True, slots=True)
class IdentityWithRole(Payload):
    """ID payload with a role indicator, IDR (RFC 6043, RFC 6509): a role, then the fields of ID."""

    role: Annotated[int, IDENTITY_ROLES]
    type: Annotated[int, IDENTITY_TYPES]
    value: Annotated[bytes, Meaning(lambda identity: identity.text)]

    @property
    def text(self) -> str:
        """The identity as text that is safe to print."""
        return printable_octets(self.value)

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(reader.uint8("role"), reader.uint8("type"), reader.opaque("value", length_octets=2))

    def push(self) -> bytes:
        return bytes((self.role, self.type)) + opaque(self.value, length_octets=2)


@payload(15)
@dataclass(frozen=True, slots=True)
class RandWithRole(Payload):
    """RAND payload with a role indicator, RANDR (RFC 6043): a role, then the fields of RAND."""

    role: Annotated[int, RAND_ROLES]
    value: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(reader.uint8("role"), reader.opaque("value"))

    def push(self) -> bytes:
        return bytes((self.role,)) + opaque(self.value)


# The ticket types are found (RFC 6043); that both payloads begin with type, subtype and version, and that every part
# has a length of two octets, is [recall L].


@payload(16)
@dataclass(frozen=True, slots=True)
class TicketPolicy(Payload):
    """Ticket policy payload TP (RFC 6043); the layout is from memory."""

    unverified: ClassVar[bool] = True

    ticket_type: Annotated[int, TICKET_TYPES, Bits(16)]
    subtype: int
    version: int
    policy: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        kind, subtype, version = reader.uint16("ticket_type"), reader.uint8("subtype"), reader.uint8("version")
        return cls(kind, subtype, version, reader.opaque("policy", length_octets=2))

    def push(self) -> bytes:
        return self.ticket_type.to_bytes(2) + bytes((self.subtype, self.version)) + opaque(self.policy, length_octets=2)


@payload(17)
@dataclass(frozen=True, slots=True)
class Ticket(Payload):
    """Ticket payload TICKET (RFC 6043); the layout is from memory."""

    unverified: ClassVar[bool] = True

    ticket_type: Annotated[int, TICKET_TYPES, Bits(16)]
    subtype: int
    version: int
    policy: bytes
    data: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        kind, subtype, version = reader.uint16("ticket_type"), reader.uint8("subtype"), reader.uint8("version")
        policy = reader.opaque("policy", length_octets=2)
        return cls(kind, subtype, version, policy, reader.opaque("data", length_octets=2))

    def push(self) -> bytes:
        fixed = self.ticket_type.to_bytes(2) + bytes((self.subtype, self.version))
        return fixed + opaque(self.policy, length_octets=2) + opaque(self.data, length_octets=2)
