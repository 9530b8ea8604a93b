"""The payloads that an LTKM is made of, except SP and EXT: KEMAC, T, ID, V, RAND and ERR (RFC 3830 §6)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

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
from ltkm_inspect.mikey.record import Hex, Meaning, Opaque, Secret, Sized
from ltkm_inspect.wire import printable_octets

COUNTER = 2
"""The TS type that MBMS uses: a 32-bit counter."""

_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_ERA = 1 << 32


def describe_time(kind: int, value: bytes) -> str:
    """Return a counter in decimal, or the time of an NTP value."""
    if kind not in TIMESTAMP_LENGTHS or len(value) != TIMESTAMP_LENGTHS[kind]:
        return ""
    if kind == COUNTER:
        return str(int.from_bytes(value))
    moment = ntp_moment(int.from_bytes(value[:4]))
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if kind != 1 else f"{moment:%Y-%m-%d %H:%M:%S}"


def ntp_moment(seconds: int) -> datetime:
    """Return the time of the 32-bit seconds of an NTP time, from January 1968 to January 2104.

    Seconds whose first bit is 0 are counted from February 2036 on, where the next era begins (RFC 4330 §3, which RFC
    6043 §6.3 refers to).
    """
    return _NTP_EPOCH + timedelta(seconds=seconds if seconds & _ERA >> 1 else seconds + _ERA)


TIMESTAMP_SIZE = Sized("type", TIMESTAMP_LENGTHS, "a TS type")
TIMESTAMP_MEANING = Meaning(lambda timestamp: describe_time(timestamp.type, timestamp.value))


@payload(1)
class Kemac(Payload):
    """Key data transport payload (RFC 3830 §6.2): encrypted key data and, as its last octets, the MAC."""

    encr_alg: Annotated[int, ENCRYPTION_ALGORITHMS]
    encr_data: Annotated[bytes, Opaque(2), Secret(lambda kemac: kemac.encr_alg == 0)]
    mac_alg: Annotated[int, MAC_ALGORITHMS]
    mac: Annotated[bytes, Sized("mac_alg", MAC_LENGTHS, "a MAC algorithm")]

    @property
    def key_data(self) -> KeyDataChain | None:
        """The key data, where it is not encrypted; None where it is."""
        return decode_key_data(self.encr_data) if self.encr_alg == 0 else None


@payload(5)
class Timestamp(Payload):
    """Timestamp payload (RFC 3830 §6.6); how many octets the value has follows from the type."""

    type: Annotated[int, TIMESTAMP_TYPES]
    value: Annotated[bytes, TIMESTAMP_SIZE, TIMESTAMP_MEANING]

    @property
    def number(self) -> int:
        """The value as an unsigned number: a counter where the type is 2."""
        return int.from_bytes(self.value)


@payload(6)
class Identity(Payload):
    """ID payload (RFC 3830 §6.7): in an LTKM the first names the BSM, the second the terminal."""

    type: Annotated[int, IDENTITY_TYPES]
    value: Annotated[bytes, Opaque(2), Meaning(lambda identity: identity.text)]

    @property
    def text(self) -> str:
        """The identity as text that is safe to print."""
        return printable_octets(self.value)


@payload(9)
class Verification(Payload):
    """Verification message payload V (RFC 3830 §6.9)."""

    auth_alg: Annotated[int, MAC_ALGORITHMS]
    ver_data: Annotated[bytes, Sized("auth_alg", MAC_LENGTHS, "a MAC algorithm")]


@payload(11)
class Rand(Payload):
    """RAND payload (RFC 3830 §6.11): the random value that salts every derived key."""

    value: Annotated[bytes, Opaque(1)]


@payload(12)
class ErrorReport(Payload):
    """Error payload ERR (RFC 3830 §6.12)."""

    error_no: Annotated[int, ERROR_NUMBERS]
    reserved: Annotated[int, Hex(2)]
