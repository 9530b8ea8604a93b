"""The usual form of what nearly every LTKM is made of, read without a reader: it saves half the time of decoding.

A function here raises LookupError, or returns an offset beyond the end, for anything out of the ordinary, which `pull`
then reads, or says what is wrong with. Else it returns what `pull` returns: a test holds the two to each other.
"""

import struct
from collections.abc import Callable, Mapping

from ltkm_inspect.mikey.codes import MAC_LENGTHS, TIMESTAMP_LENGTHS
from ltkm_inspect.mikey.core import Identity, Kemac, Rand, Timestamp
from ltkm_inspect.mikey.extension import KEY_IDS, OMA_BCAST, GeneralExtension, KeyId, KeyIds, OmaBcast
from ltkm_inspect.mikey.header import EMPTY_MAP, FIXED_LENGTH, SRTP_ID, Header
from ltkm_inspect.mikey.payload import Payload

type Quick = Callable[[bytes, int], tuple[Payload, int]]
"""Takes the octets and the offset behind the Next payload octet; returns payload and the offset behind it."""

_header = struct.Struct(">BBBBIBB").unpack_from


def quick_header(octets: bytes) -> tuple[Header, int] | None:
    """Return a header of version 1 without crypto sessions, and its Next payload value."""
    if len(octets) < FIXED_LENGTH:
        return None
    version, data_type, following, flags, csb_id, count, map_type = _header(octets)
    if version != 1 or (map_type != EMPTY_MAP and (map_type != SRTP_ID or count)):
        return None
    return Header(1, data_type, flags > 0x7F, flags & 0x7F, csb_id, count, map_type), following


def _kemac(octets: bytes, at: int) -> tuple[Payload, int]:
    behind = at + 3 + (octets[at + 1] << 8 | octets[at + 2])
    algorithm = octets[behind]
    last = behind + 1 + MAC_LENGTHS[algorithm]
    return Kemac(octets[at], octets[at + 3 : behind], algorithm, octets[behind + 1 : last]), last


def _timestamp(octets: bytes, at: int) -> tuple[Payload, int]:
    behind = at + 1 + TIMESTAMP_LENGTHS[octets[at]]
    return Timestamp(octets[at], octets[at + 1 : behind]), behind


def _identity(octets: bytes, at: int) -> tuple[Payload, int]:
    behind = at + 3 + (octets[at + 1] << 8 | octets[at + 2])
    return Identity(octets[at], octets[at + 3 : behind]), behind


def _rand(octets: bytes, at: int) -> tuple[Payload, int]:
    behind = at + 1 + octets[at]
    return Rand(octets[at + 1 : behind]), behind


def _extension(octets: bytes, at: int) -> tuple[Payload, int]:
    kind, start = octets[at], at + 3
    behind = start + (octets[at + 1] << 8 | octets[at + 2])
    if kind == OMA_BCAST and start < behind:
        return GeneralExtension(OMA_BCAST, OmaBcast(octets[start], octets[start + 1 : behind])), behind
    if kind != KEY_IDS:
        raise LookupError
    found = []
    while start < behind:
        value = start + 2
        after = value + octets[start + 1]
        found.append(KeyId(octets[start], octets[value:after]))
        start = after
    if start != behind:
        raise LookupError
    return GeneralExtension(KEY_IDS, KeyIds(tuple(found))), behind


QUICK: dict[int, Quick] = {
    Kemac.payload_type: _kemac,
    Timestamp.payload_type: _timestamp,
    Identity.payload_type: _identity,
    Rand.payload_type: _rand,
    GeneralExtension.payload_type: _extension,
}
"""By Next payload value; all of them are payloads that begin with a Next payload octet."""


def read_usual(
    octets: bytes,
    following: int,
    at: int,
    ways: Mapping[int, Quick],
    payloads: list[Payload],
    offsets: list[int],
) -> tuple[int, int]:
    """Add the payloads from there on, each with its offset, up to the first that is not usual.

    Returns the Next payload value of that one (0 at the end of the message) and its offset.
    """
    end = len(octets)
    try:
        while following:
            payload, behind = ways[following](octets, at + 1)
            if behind > end:
                break
            payloads.append(payload)
            offsets.append(at)
            following, at = octets[at], behind
    except LookupError:
        pass
    return following, at
