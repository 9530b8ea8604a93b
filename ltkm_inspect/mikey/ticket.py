"""The payloads of MIKEY-TICKET (RFC 6043): TR, IDR, RANDR, TP and TICKET; an LTKM carries none of them."""

from typing import Annotated, ClassVar

from ltkm_inspect.mikey.codes import (
    IDENTITY_ROLES,
    IDENTITY_TYPES,
    RAND_ROLES,
    TICKET_TYPES,
    TIMESTAMP_ROLES,
    TIMESTAMP_TYPES,
)
from ltkm_inspect.mikey.core import TIMESTAMP_MEANING, TIMESTAMP_SIZE
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Bits, Meaning, Opaque
from ltkm_inspect.wire import printable_octets


@payload(13)
class TimestampWithRole(Payload):
    """Timestamp payload with a role indicator, TR (RFC 6043): a role, then the fields of T."""

    role: Annotated[int, TIMESTAMP_ROLES]
    type: Annotated[int, TIMESTAMP_TYPES]
    value: Annotated[bytes, TIMESTAMP_SIZE, TIMESTAMP_MEANING]


@payload(14)
class IdentityWithRole(Payload):
    """ID payload with a role indicator, IDR (RFC 6043, RFC 6509): a role, then the fields of ID."""

    role: Annotated[int, IDENTITY_ROLES]
    type: Annotated[int, IDENTITY_TYPES]
    value: Annotated[bytes, Opaque(2), Meaning(lambda identity: identity.text)]

    @property
    def text(self) -> str:
        """The identity as text that is safe to print."""
        return printable_octets(self.value)


@payload(15)
class RandWithRole(Payload):
    """RAND payload with a role indicator, RANDR (RFC 6043): a role, then the fields of RAND."""

    role: Annotated[int, RAND_ROLES]
    value: Annotated[bytes, Opaque(1)]


# The ticket types are found (RFC 6043); that both payloads begin with type, subtype and version, and that every part
# has a length of two octets, is [recall L].


@payload(16)
class TicketPolicy(Payload):
    """Ticket policy payload TP (RFC 6043); the layout is from memory."""

    unverified: ClassVar[bool] = True

    ticket_type: Annotated[int, TICKET_TYPES, Bits(16)]
    subtype: int
    version: int
    policy: Annotated[bytes, Opaque(2)]


@payload(17)
class Ticket(Payload):
    """Ticket payload TICKET (RFC 6043); the layout is from memory."""

    unverified: ClassVar[bool] = True

    ticket_type: Annotated[int, TICKET_TYPES, Bits(16)]
    subtype: int
    version: int
    policy: Annotated[bytes, Opaque(2)]
    data: Annotated[bytes, Opaque(2)]
