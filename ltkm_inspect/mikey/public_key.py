"""The payloads of public-key and Diffie-Hellman messages: PKE, DH, SIGN, CERT and CHASH (RFC 3830 §6)."""

from typing import Annotated, ClassVar, Self

from ltkm_inspect.mikey.codes import (
    CACHE_INDICATORS,
    CERTIFICATE_TYPES,
    DH_GROUPS,
    DH_LENGTHS,
    HASH_FUNCTIONS,
    HASH_LENGTHS,
    SIGNATURE_TYPES,
    VALIDITY_TYPES,
)
from ltkm_inspect.mikey.keydata import Validity, pull_validity
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Bits, Opaque, Sized
from ltkm_inspect.wire import Reader

DH_SIZE = Sized("group", DH_LENGTHS, "a DH group")


@payload(2)
class EnvelopeData(Payload):
    """Envelope data payload PKE (RFC 3830 §6.3)."""

    cache: Annotated[int, CACHE_INDICATORS, Bits(2)]
    """The C field, two bits."""
    data: bytes
    """At most 16,383 octets."""

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        cache, data = pull_shared_length(reader, "cache", "data", length_bits=14)
        return cls(cache, data)

    def push(self) -> bytes:
        return push_shared_length(self.cache, self.data, length_bits=14)


@payload(3)
class DiffieHellman(Payload):
    """DH data payload (RFC 3830 §6.4); how long the value is follows from the group."""

    group: Annotated[int, DH_GROUPS]
    value: Annotated[bytes, DH_SIZE]
    reserved: Annotated[int, Bits(4)]
    """Four bits, kept as they came."""
    kv: Annotated[int, VALIDITY_TYPES, Bits(4)]
    validity: Validity = None

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        group = reader.uint8("group")
        value = DH_SIZE.pull(reader, "value", group)
        octet = reader.uint8("reserved|kv")
        kv = octet & 0x0F
        if kv not in VALIDITY_TYPES:
            raise reader.unknown("kv", "a key validity type of known layout (0 to 2)", kv)
        return cls(group, value, octet >> 4, kv, pull_validity(reader, kv))

    def push(self) -> bytes:
        validity = b"" if self.validity is None else self.validity.push()
        return bytes((self.group,)) + self.value + bytes((self.reserved << 4 | self.kv,)) + validity


@payload(4)
class Signature(Payload):
    """Signature payload SIGN (RFC 3830 §6.5): always the last, and without a Next payload octet."""

    chained: ClassVar[bool] = False

    type: Annotated[int, SIGNATURE_TYPES, Bits(4)]
    """The S type field, four bits."""
    signature: bytes
    """At most 4,095 octets."""

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        kind, signature = pull_shared_length(reader, "type", "signature", length_bits=12)
        return cls(kind, signature)

    def push(self) -> bytes:
        return push_shared_length(self.type, self.signature, length_bits=12)


@payload(7)
class Certificate(Payload):
    """Certificate payload CERT (RFC 3830 §6.7)."""

    type: Annotated[int, CERTIFICATE_TYPES]
    data: Annotated[bytes, Opaque(2)]


@payload(8)
class CertificateHash(Payload):
    """Certificate hash payload CHASH (RFC 3830 §6.8); how long the hash is follows from the function."""

    function: Annotated[int, HASH_FUNCTIONS]
    hash: Annotated[bytes, Sized("function", HASH_LENGTHS, "a hash function")]


def pull_shared_length(reader: Reader, first: str, name: str, length_bits: int) -> tuple[int, bytes]:
    """Read two octets shared by a small number and a length of that many bits, then that many octets."""
    number = reader.uint16(f"{first}|{name}_length")
    length = number & (1 << length_bits) - 1
    if length > reader.end - reader.offset:
        left = reader.end - reader.offset
        reader.offset -= 2
        raise reader.overrun(name, length, left)
    return number >> length_bits, reader.take(name, length)


def push_shared_length(number: int, value: bytes, length_bits: int) -> bytes:
    """Write what `pull_shared_length` reads; ValueError where the octets are too many for the length field."""
    if len(value) >> length_bits:
        raise ValueError(f"expected at most {(1 << length_bits) - 1} octets, got {len(value)}")
    return (number << length_bits | len(value)).to_bytes(2) + value
