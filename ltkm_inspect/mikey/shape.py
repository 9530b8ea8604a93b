"""What two messages of one kind never have in common, and the shape of a message: the octets without it."""

from collections.abc import Iterator, Mapping

from ltkm_inspect.mikey.core import Identity, Kemac, Rand, Timestamp, Verification
from ltkm_inspect.mikey.message import Message
from ltkm_inspect.mikey.payload import Payload
from ltkm_inspect.wire import Span

CSB_ID = Span(4, 8)
"""Where the CSB ID is, which two messages never have in common either."""
UNSHARED: Mapping[type[Payload], tuple[tuple[str, int], ...]] = {
    Timestamp: (("value", 2),),
    Rand: (("value", 2),),
    Kemac: (("encr_data", 4), ("mac", 1)),
    Verification: (("ver_data", 2),),
}
"""The fields that two messages never have in common, each with the number of octets in front of it: those from the
start of the payload, or from the end of the field before."""


def unshared_fields(payload: Payload, offset: int) -> Iterator[tuple[str, int, int]]:
    """Yield the name, start and end of each of these fields of a payload that begins at the offset."""
    end = offset
    for name, before in UNSHARED.get(type(payload), ()):
        start = end + before
        end = start + len(getattr(payload, name))
        yield name, start, end


def message_shape(message: Message, octets: bytes) -> bytes:
    """Return the octets of a decoded message without what no two messages of one kind have in common.

    Left out are CSB ID (but not whether it is 0), timestamp, RAND, Encr data and MAC; their lengths stay. Of an
    identity in ASCII only the length stays, and that it is ASCII.
    """
    header = message.header
    parts = [octets[: CSB_ID.start], b"\1" if header is not None and header.csb_id else b"\0"]
    at = CSB_ID.end
    for payload, offset in zip(message.payloads, message.offsets, strict=True):
        if type(payload) is Identity:
            at_value = offset + 4
            is_ascii = payload.value.isascii()
            parts += octets[at:at_value], b"\1" if is_ascii else b"\0"
            at = at_value + len(payload.value) if is_ascii else at_value
        elif type(payload) in UNSHARED:
            for _, start, end in unshared_fields(payload, offset):
                parts.append(octets[at:start])
                at = end
    parts.append(octets[at:])
    return b"".join(parts)
