"""The General Extension payload EXT and what an LTKM carries in it (RFC 3830 §6.15, RFC 4563, RFC 5410)."""

from typing import Annotated, Self

from ltkm_inspect.mikey.codes import BCAST_SUBTYPES, EXTENSION_TYPES, KEY_ID_TYPES
from ltkm_inspect.mikey.payload import Payload, payload
from ltkm_inspect.mikey.record import Meaning, Opaque, Secret, Structure, record
from ltkm_inspect.wire import Reader, opaque, printable_octets

VENDOR_ID, SDP_IDS, TESLA_KEY, KEY_IDS, CSB_ID, OMA_BCAST = range(6)
"""The extension types whose data this module knows; 6 and 7 are kept as octets, with their names."""

KEY_DOMAIN_ID, MSK_ID, MTK_ID = range(3)
"""The key ID types of RFC 4563."""


class Extension(Structure):
    """The data of an EXT payload, where it has fields of its own; `pull` reads the whole block."""

    __slots__ = ()


@record
class KeyId(Structure):
    """One sub-payload of Key ID information (RFC 4563 §4)."""

    type: Annotated[int, KEY_ID_TYPES]
    value: Annotated[bytes, Opaque(1), Meaning(lambda key_id: key_id.meaning)]

    @property
    def meaning(self) -> str:
        """The parts of an MSK ID, or the number of an MTK ID, where the length is right."""
        if self.type == MSK_ID and len(self.value) == 4:
            return f"Key Group 0x{self.value[:2].hex()}, Key Number 0x{self.value[2:].hex()}"
        return str(int.from_bytes(self.value)) if self.type == MTK_ID and len(self.value) == 2 else ""


@record
class KeyIds(Extension):
    """Key ID information (RFC 4563): in an LTKM the Key Domain ID, then the MSK ID."""

    key_ids: tuple[KeyId, ...]
    trailing: bytes = b""
    """Octets from the first sub-payload that could not be read."""

    def values(self, kind: int) -> tuple[bytes, ...]:
        """Return the values of every key ID of that type."""
        return tuple(key_id.value for key_id in self.key_ids if key_id.type == kind)

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        return cls(*reader.each("key_ids", KeyId.pull))

    def push(self) -> bytes:
        return b"".join([key_id.push() for key_id in self.key_ids]) + self.trailing


@record
class OmaBcast(Extension):
    """OMA BCAST extension (RFC 5410 §3): a subtype, and data whose layout OMA's specification gives."""

    subtype: Annotated[int, BCAST_SUBTYPES]
    data: bytes


EXTENSIONS: dict[int, type[Extension]] = {KEY_IDS: KeyIds, OMA_BCAST: OmaBcast}
"""What the data of an extension is, by its type."""


@payload(21)
class GeneralExtension(Payload):
    """General Extension payload (RFC 3830 §6.15)."""

    type: Annotated[int, EXTENSION_TYPES]
    value: Annotated[Extension | bytes, Secret(lambda ext: ext.type == TESLA_KEY), Meaning(lambda ext: ext.text)]
    """The data: of its own class for types 3 and 5, else, and where it does not follow its layout, the octets."""

    @property
    def text(self) -> str:
        """The data as text that is safe to print, for the types that are text (Vendor ID, SDP IDs); else empty."""
        textual = isinstance(self.value, bytes) and self.type in (VENDOR_ID, SDP_IDS)
        return printable_octets(self.value) if textual else ""  # type: ignore[arg-type]

    @property
    def data(self) -> bytes:
        """The data as octets."""
        return self.value if isinstance(self.value, bytes) else self.value.push()

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        kind = reader.uint8("type")
        known = EXTENSIONS.get(kind)
        return cls(kind, reader.opaque("value", 2) if known is None else reader.block("value", 2, known.pull))

    def push(self) -> bytes:
        return bytes((self.type,)) + opaque(self.data, length_octets=2)
