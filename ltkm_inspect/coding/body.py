"""The content codings of a body, taken off without trust and put on again."""

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO

import brotli
import zstandard

from ltkm_inspect.coding.decompressors import PIECE
from ltkm_inspect.coding.streams import CODERS, CodingError, DecodedBody, LimitError, decompress
from ltkm_inspect.wire import abbreviate

MAX_CODINGS = 8
"""How many codings one Content-Encoding may list before the body is left alone."""
_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate", "": "identity"}
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def codings(content_encoding: str | None) -> tuple[str, ...]:
    """The codings that a Content-Encoding lists, in the order applied (RFC 9110 §8.4), without identity."""
    if not content_encoding:
        return ()
    names = (part.strip(" \t").lower() for part in content_encoding.split(","))
    return tuple(name for name in (_ALIASES.get(name, name) for name in names) if name != "identity")


def decode(octets: bytes, content_encoding: str | None, limit: int | None = None) -> DecodedBody:
    """The body without its content codings; never raises.

    The codings are taken off in pieces, all at once: nothing but the result is kept, which has at most `limit` octets,
    and what is still coded may not be much larger. So a few octets cannot fill the memory, and the cost is linear. A
    body of no octets is empty under every known coding.
    """
    names = codings(content_encoding)
    if len(names) > MAX_CODINGS:
        return DecodedBody(None, f"expected at most {MAX_CODINGS} content codings, got {len(names)}")
    for name in names:
        if name not in CODERS:
            return DecodedBody(None, _unknown(name))
    if not names or not octets:
        return _cut(octets, limit)
    decoded = DecodedBody(None)
    pieces, length = iter((octets,)), len(octets)
    for number, name in enumerate(reversed(names), 1):
        most = limit if limit is None or number == len(names) else limit + limit // 8 + PIECE
        pieces, length = _within(decompress(CODERS[name], pieces, decoded, length), most), -1
    found = BytesIO()
    try:
        for piece in pieces:
            found.write(piece)
    except CodingError as error:
        decoded.problem = str(error)
    except LimitError:
        decoded.truncated = True
    whole = found.getvalue()
    if whole or decoded.problem is None:
        decoded.octets = whole
    return decoded


def encode(octets: bytes, content_encoding: str | None) -> bytes:
    """The body with the content codings put on, in the order listed; the same octets every time.

    Raises ValueError for a coding that is not known here.
    """
    names = codings(content_encoding)
    for name in names:
        if name not in ENCODERS:
            raise ValueError(_unknown(name))
    for name in names:
        octets = ENCODERS[name](octets)
    return octets


def _unknown(name: str) -> str:
    return f"expected gzip, deflate, br or zstd as content coding, got '{abbreviate(name)}'"


def _cut(octets: bytes, limit: int | None) -> DecodedBody:
    if limit is not None and len(octets) > limit:
        return DecodedBody(octets[:limit], None, True)
    return DecodedBody(octets)


def _within(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    """Yield the pieces up to so many octets; raise LimitError where there are more."""
    if limit is None:
        yield from pieces
        return
    left = limit
    for piece in pieces:
        if len(piece) > left:
            yield piece[:left]
            raise LimitError
        left -= len(piece)
        yield piece


def _gzip(octets: bytes) -> bytes:
    inner = zlib.compressobj(9, zlib.DEFLATED, -15)
    trailer = struct.pack("<II", zlib.crc32(octets), len(octets) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, inner.compress(octets), inner.flush(), trailer))


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gzip,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda octets: zstandard.ZstdCompressor().compress(octets),
}
