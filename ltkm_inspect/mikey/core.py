"""The payloads that an LTKM is made of, except SP and EXT: KEMAC, T, ID, V, RAND and ERR (RFC 3830 §6)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from ltkm_inspect.mikey.codes import (
    ENCRYPTION_ALGORITHMS,
    ERROR_NUMBERS,
    IDENTITY_TYPES,
    MAC_ALGORITHMS,
    MAC_LENGTHS,
    TIMESTAMP_LENGTHS,
    TIMESTAMP_TYPES,
)
from ltkm_inspect.mikey.keydata import KeyDataChain, decode_key_data
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Hex, Meaning, Secret
from ltkm_inspect.wire import Reader, opaque, printable_octets

COUNTER = 2
"""The TS type that MBMS uses: a 32-bit counter."""

_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_ERA = 1 << 32


@payload(1)
@dataclass(frozen=True, slots=True)
class Kemac(Payload):
    """Key data transport payload (RFC 3830 §6.2): encrypted key data and, as its last octets, the MAC."""

    encr_alg: Annotated[int, ENCRYPTION_ALGORITHMS]
    encr_data: Annotated[bytes, Secret(lambda kemac: kemac.encr_alg == 0)]
    mac_alg: Annotated[int, MAC_ALGORITHMS]
    mac: bytes

    @property
    def key_data(self) -> KeyDataChain | None:
        """The key data, where it is not encrypted; None where it is."""
        return decode_key_data(self.encr_data) if self.encr_alg == 0 else None

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        encr_alg = reader.uint8("encr_alg")
        encr_data = reader.opaque("encr_data", length_octets=2)
        mac_alg = reader.uint8("mac_alg")
        return cls(encr_alg, encr_data, mac_alg, pull_mac(reader, "mac_alg", "mac", mac_alg))

    def push(self) -> bytes:
        return bytes((self.encr_alg,)) + opaque(self.encr_data, length_octets=2) + bytes((self.mac_alg,)) + self.mac


@payload(5)
@dataclass(frozen=True, slots=True)
class Timestamp(Payload):
    """Timestamp payload (RFC 3830 §6.6); how many octets the value has follows from the type."""

    type: Annotated[int, TIMESTAMP_TYPES]
    value: Annotated[bytes, Meaning(lambda timestamp: describe_time(timestamp.type, timestamp.value))]

    @property
    def number(self) -> int:
        """The value as an unsigned number: a counter where the type is 2."""
        return int.from_bytes(self.value)

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        kind = reader.uint8("type")
        return cls(kind, pull_time(reader, kind))

    def push(self) -> bytes:
        return bytes((self.type,)) + self.value


@payload(6)
@dataclass(frozen=True, slots=True)
class Identity(Payload):
    """ID payload (RFC 3830 §6.7): in an LTKM the first names the BSM, the second the terminal."""

    type: Annotated[int, IDENTITY_TYPES]
    value: Annotated[bytes, Meaning(lambda identity: identity.text)]

    @property
    def text(self) -> str:
        """The identity as text that is safe to print."""
        return printable_octets(self.value)

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(reader.uint8("type"), reader.opaque("value", length_octets=2))

    def push(self) -> bytes:
        return bytes((self.type,)) + opaque(self.value, length_octets=2)


@payload(9)
@dataclass(frozen=True, slots=True)
class Verification(Payload):
    """Verification message payload V (RFC 3830 §6.9)."""

    auth_alg: Annotated[int, MAC_ALGORITHMS]
    ver_data: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        auth_alg = reader.uint8("auth_alg")
        return cls(auth_alg, pull_mac(reader, "auth_alg", "ver_data", auth_alg))

    def push(self) -> bytes:
        return bytes((self.auth_alg,)) + self.ver_data


@payload(11)
@dataclass(frozen=True, slots=True)
class Rand(Payload):
    """RAND payload (RFC 3830 §6.11): the random value that salts every derived key."""

    value: bytes

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(reader.opaque("value", length_octets=1))

    def push(self) -> bytes:
        return opaque(self.value, length_octets=1)


@payload(12)
@dataclass(frozen=True, slots=True)
class ErrorReport(Payload):
    """Error payload ERR (RFC 3830 §6.12)."""

    error_no: Annotated[int, ERROR_NUMBERS]
    reserved: Annotated[int, Hex(2)]

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(reader.uint8("error_no"), reader.uint16("reserved"))

    def push(self) -> bytes:
        return bytes((self.error_no,)) + self.reserved.to_bytes(2)


def pull_mac(reader: Reader, algorithm_name: str, name: str, algorithm: int) -> bytes:
    """Read a MAC whose length follows from the algorithm just read."""
    length = MAC_LENGTHS.get(algorithm)
    if length is None:
        raise reader.unknown(algorithm_name, "a MAC algorithm of known length (0 to 2)", algorithm)
    return reader.take(name, length)


def pull_time(reader: Reader, kind: int) -> bytes:
    """Read a timestamp value whose length follows from the TS type just read."""
    length = TIMESTAMP_LENGTHS.get(kind)
    if length is None:
        raise reader.unknown("type", "a TS type of known length (0 to 3)", kind)
    return reader.take("value", length)


def describe_time(kind: int, value: bytes) -> str:
    """Return a counter in decimal, or the moment that an NTP value stands for."""
    if kind not in TIMESTAMP_LENGTHS or len(value) != TIMESTAMP_LENGTHS[kind]:
        return ""
    if kind == COUNTER:
        return str(int.from_bytes(value))
    moment = ntp_moment(int.from_bytes(value[:4]))
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if kind != 1 else f"{moment:%Y-%m-%d %H:%M:%S}"


def ntp_moment(seconds: int) -> datetime:
    """Return the moment that the 32-bit seconds of an NTP time stand for, from January 1968 to January 2104.

    Seconds whose first bit is 0 are counted from February 2036 on, where the next era begins (RFC 4330 §3, which RFC
    6043 §6.3 refers to).
    """
    return _NTP_EPOCH + timedelta(seconds=seconds if seconds & _ERA >> 1 else seconds + _ERA)
