"""Key data sub-payloads, which are in the decrypted Encr data of KEMAC (RFC 3830 §6.13 and §6.14)."""

from dataclasses import field
from typing import Annotated, Self

from ltkm_inspect.mikey.codes import KEY_TYPES, VALIDITY_TYPES
from ltkm_inspect.mikey.record import Bits, Meaning, Opaque, Secret, Structure, record
from ltkm_inspect.wire import DecodeError, DecodeProblem, Reader, opaque

KEY_DATA = 20
"""The Next payload value of key data."""

SALTED = frozenset({1, 3, 5})
"""The key types that carry a salt (RFC 3830 §6.13)."""

NO_VALIDITY, SPI, INTERVAL = range(3)


@record
class Spi(Structure):
    """Key validity by Security Parameter Index or MKI (RFC 3830 §6.14)."""

    spi: Annotated[bytes, Opaque(1)]


@record
class Interval(Structure):
    """Key validity by interval (RFC 3830 §6.14): in MBMS from SEQl to SEQu, in terms of the MTK ID."""

    valid_from: Annotated[bytes, Opaque(1), Meaning(lambda interval: _number(interval.valid_from))]
    valid_to: Annotated[bytes, Opaque(1), Meaning(lambda interval: _number(interval.valid_to))]


type Validity = Spi | Interval | None


@record
class KeyData(Structure):
    """One key with its salt and its validity; its repr shows neither key nor salt."""

    type: Annotated[int, KEY_TYPES, Bits(4)]
    kv: Annotated[int, VALIDITY_TYPES, Bits(4)]
    key: Annotated[bytes, Secret()]
    salt: Annotated[bytes | None, Secret(lambda entry: entry.salt is not None)] = None
    """None where the type has no salt field."""
    validity: Validity = None

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        """Read the sub-payload after its Next payload octet."""
        octet = reader.uint8("type|kv")
        kind, kv = octet >> 4, octet & 0x0F
        if kind not in KEY_TYPES:
            raise reader.unknown("type", "a key data type of known layout (0 to 7)", kind)
        if kv not in VALIDITY_TYPES:
            raise reader.unknown("kv", "a key validity type of known layout (0 to 2)", kv)
        key = reader.opaque("key", length_octets=2)
        salt = reader.opaque("salt", length_octets=2) if kind in SALTED else None
        return cls(kind, kv, key, salt, pull_validity(reader, kv))

    def push(self) -> bytes:
        """Return the sub-payload after its Next payload octet."""
        salt = b"" if self.salt is None else opaque(self.salt, length_octets=2)
        validity = b"" if self.validity is None else self.validity.push()
        return bytes((self.type << 4 | self.kv,)) + opaque(self.key, length_octets=2) + salt + validity


@record
class KeyDataChain:
    """The sub-payloads of one Encr data field, in order; empty where no key is delivered."""

    entries: tuple[KeyData, ...]
    tail_type: int = 0
    """The Next payload value that ends the chain."""
    trailing: Annotated[bytes, Secret(lambda chain: bool(chain.trailing))] = b""
    """Octets that are not decoded; they may hold key material, and the repr hides them."""
    problem: DecodeProblem | None = field(default=None, compare=False)
    """Why decoding stopped before the last octet; offsets count from the start of the Encr data."""

    def encode(self) -> bytes:
        """Return the plaintext; for a decoded chain exactly the octets it was decoded from."""
        following = [KEY_DATA] * (len(self.entries) - 1) + [self.tail_type]
        parts = [bytes((number,)) + entry.push() for number, entry in zip(following, self.entries, strict=False)]
        return b"".join([*parts, self.trailing])


def decode_key_data(octets: bytes) -> KeyDataChain:
    """Decode the plaintext of KEMAC's Encr data; never raises: what cannot be read is kept, with the reason."""
    reader = Reader(octets)
    entries: list[KeyData] = []
    following = KEY_DATA if octets else 0
    start = 0
    error: DecodeError | None = None
    try:
        while following == KEY_DATA:
            number = reader.uint8("next_payload")
            entries.append(KeyData.pull(reader))
            following, start = number, reader.offset
    except DecodeError as stop:
        error = stop.within(f"key_data[{len(entries) + 1}]")
    if error is None and following:
        reason = f"expected Next payload 0 or {KEY_DATA}, got {following}"
        error = DecodeError(reason, start, f"key_data[{len(entries)}].next_payload", "misplaced")
    elif error is None and start < len(octets):
        reason = f"expected the end of the key data, got {len(octets) - start} more octets"
        error = DecodeError(reason, start, "trailing", "trailing")
    tail = following if entries else 0
    return KeyDataChain(tuple(entries), tail, octets[start:], None if error is None else error.problem())


def pull_validity(reader: Reader, kv: int) -> Validity:
    """Read the key validity data of a validity type that is 0, 1 or 2."""
    if kv == SPI:
        return reader.inside("validity", Spi.pull)
    return reader.inside("validity", Interval.pull) if kv == INTERVAL else None


def _number(limit: bytes) -> str:
    return str(int.from_bytes(limit)) if 0 < len(limit) <= 8 else ""
