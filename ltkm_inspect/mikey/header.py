"""The common header HDR and its three maps of crypto sessions (RFC 3830 §6.1, RFC 4563 §5, RFC 6043 §6.1.1)."""

from typing import Annotated, Self

from ltkm_inspect.mikey.codes import DATA_TYPES, MAP_TYPES, PRF_FUNCTIONS, PROTOCOLS, VERSIONS
from ltkm_inspect.mikey.record import Bits, Hex, Structure, record
from ltkm_inspect.wire import DecodeError, Reader, opaque

FIXED_LENGTH = 10
"""Octets of the header before the CS ID map info."""

SRTP_ID, EMPTY_MAP, GENERIC_ID = 0, 1, 2


@record
class SrtpSession(Structure):
    """One crypto session of an SRTP-ID map; its CS ID is its place in the map, counted from 1."""

    policy_no: int
    ssrc: Annotated[int, Hex(4)]
    roc: Annotated[int, Hex(4)]


@record
class GenericSession(Structure):
    """One crypto session of a GENERIC-ID map (RFC 6043 §6.1.1)."""

    cs_id: int
    protocol: Annotated[int, PROTOCOLS]
    s: bool
    """The S flag, the first bit of the octet that counts the policies."""
    policies: bytes
    """The numbers of the SP payloads that apply, one octet each, 127 at most."""
    session_data: bytes
    spi: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        """Read one session, whose parts say how long they are."""
        cs_id = reader.uint8("cs_id")
        protocol = reader.uint8("protocol")
        octet = reader.uint8("s|policies_length")
        policies = reader.take("policies", octet & 0x7F)
        return cls(cs_id, protocol, octet > 0x7F, policies, reader.opaque("session_data", 2), reader.opaque("spi"))

    def push(self) -> bytes:
        """Return the octets of the session; ValueError where there are more than 127 policies."""
        if len(self.policies) > 0x7F:
            raise ValueError(f"expected at most 127 policies, got {len(self.policies)}")
        fixed = bytes((self.cs_id, self.protocol, self.s << 7 | len(self.policies)))
        return fixed + self.policies + opaque(self.session_data, length_octets=2) + opaque(self.spi)


@record
class Header:
    """The common header; its Next payload is the type of the first payload of the message."""

    version: Annotated[int, VERSIONS]
    data_type: Annotated[int, DATA_TYPES]
    v: bool
    """The V flag: the initiator asks for a verification message."""
    prf_func: Annotated[int, PRF_FUNCTIONS, Bits(7)]
    csb_id: Annotated[int, Hex(4)]
    cs_count: int
    """The field #CS as written, 0 to 255; with an empty map it need not be 0."""
    cs_id_map_type: Annotated[int, MAP_TYPES]
    cs_id_map: tuple[SrtpSession | GenericSession, ...] = ()

    def push(self, next_payload: int) -> bytes:
        """Return the octets of the header with that Next payload value."""
        flags = self.v << 7 | self.prf_func
        fixed = bytes((self.version, self.data_type, next_payload, flags))
        counts = bytes((self.cs_count, self.cs_id_map_type))
        return fixed + self.csb_id.to_bytes(4) + counts + b"".join(session.push() for session in self.cs_id_map)


def pull_header(reader: Reader) -> tuple[Header, int, DecodeError | None]:
    """Read the header; return it, its Next payload value, and why the map after its fixed part could not be read.

    The fixed part is also read if the version is unknown or the map is damaged, since a tester wants to see it. Then
    the reader is at the end of the fixed part, and the map is empty. DecodeError below ten octets.
    """
    if reader.end - reader.offset < FIXED_LENGTH:
        reason = f"expected at least {FIXED_LENGTH} octets of header, got {reader.end - reader.offset}"
        raise DecodeError(reason, reader.end, "", "truncated")
    version = reader.uint8("version")
    data_type = reader.uint8("data_type")
    next_payload = reader.uint8("next_payload")
    flags = reader.uint8("v|prf_func")
    csb_id = reader.uint32("csb_id")
    count = reader.uint8("cs_count")
    map_type = reader.uint8("cs_id_map_type")
    sessions: tuple[SrtpSession | GenericSession, ...] | DecodeError = ()
    if version != 1:
        sessions = DecodeError(f"expected MIKEY version 1, got {version}", reader.offset - 10, "version", "version")
    elif map_type == SRTP_ID:
        if count:
            sessions = reader.attempt(lambda reader: reader.times("cs_id_map", count, SrtpSession.pull))
    elif map_type == GENERIC_ID:
        sessions = reader.attempt(lambda reader: reader.times("cs_id_map", count, GenericSession.pull))
    elif map_type != EMPTY_MAP:
        sessions = reader.unknown("cs_id_map_type", "a map type of known layout (0 to 2)", map_type)
    problem = None
    if isinstance(sessions, DecodeError):
        problem, sessions = sessions, ()
    flag, prf = flags > 0x7F, flags & 0x7F
    return Header(version, data_type, flag, prf, csb_id, count, map_type, sessions), next_payload, problem
