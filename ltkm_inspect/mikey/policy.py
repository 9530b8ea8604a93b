"""The security policy payload SP and its parameters (RFC 3830 §6.10, RFC 4771, RFC 4442, RFC 7714)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

from ltkm_inspect.mikey.codes import PROTOCOLS, SRTP_PARAMETER_VALUES, SRTP_PARAMETERS
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Meaning, Opaque, Structure, record
from ltkm_inspect.wire import Pull, Reader, opaque

SRTP = 0


@record
class PolicyParameter(Structure):
    """One parameter of a policy for another protocol than SRTP, whose numbers have no names here."""

    type: int
    value: Annotated[bytes, Opaque(1)]


@record
class SrtpParameter(Structure):
    """One parameter of an SRTP policy."""

    type: Annotated[int, SRTP_PARAMETERS]
    value: Annotated[bytes, Opaque(1), Meaning(lambda parameter: parameter.meaning)]

    @property
    def number(self) -> int:
        """The value as an unsigned number."""
        return int.from_bytes(self.value)

    @property
    def meaning(self) -> str:
        """The value in words: the name of its code, or the number."""
        if not 0 < len(self.value) <= 8:
            return ""
        codes = SRTP_PARAMETER_VALUES.get(self.type)
        return codes.name_of(self.number) if codes else str(self.number)


@payload(10)
@dataclass(frozen=True)  # no slots: caches its parameter index in `__dict__`
class SecurityPolicy(Payload):
    """Security policy payload (RFC 3830 §6.10)."""

    policy_no: int
    protocol: Annotated[int, PROTOCOLS]
    params: tuple[SrtpParameter | PolicyParameter, ...] = ()
    trailing: bytes = b""
    """Octets inside the declared length that are no whole parameter."""

    @cached_property
    def by_type(self) -> Mapping[int, tuple[int, bytes]]:
        """The first parameter of each type: its place among all, from 1, and its value."""
        found: dict[int, tuple[int, bytes]] = {}
        for place, parameter in enumerate(self.params, 1):
            found.setdefault(parameter.type, (place, parameter.value))
        return found

    def values(self, kind: int) -> tuple[bytes, ...]:
        """Return the values of every parameter of that type."""
        return tuple(parameter.value for parameter in self.params if parameter.type == kind)

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        policy_no = reader.uint8("policy_no")
        protocol = reader.uint8("protocol")
        pull: Pull[SrtpParameter | PolicyParameter] = SrtpParameter.pull if protocol == SRTP else PolicyParameter.pull
        params, trailing = reader.list_block("params", 2, pull)
        return cls(policy_no, protocol, params, trailing)

    def push(self) -> bytes:
        inside = b"".join(parameter.push() for parameter in self.params) + self.trailing
        return bytes((self.policy_no, self.protocol)) + opaque(inside, length_octets=2)
