"""Content codings of HTTP (gzip, deflate, br, zstd) taken off a body without trust, and put on again."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import brotli
import zstandard

MAX_CODINGS = 8
"""How many codings one Content-Encoding may list before the body is left alone."""

_ZSTD_WINDOW = 1 << 27
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate", "": "identity"}


@dataclass(slots=True)
class Decoded:
    """A body with its content codings taken off, as far as that was possible.

    `octets` is None where nothing could be decoded, and what was decoded before the damage where something was.
    `problem` says what is wrong with the coded body; `truncated` says that the limit, not the body, ended the output.
    """

    octets: bytes | None
    problem: str | None = None
    truncated: bool = False


def codings(content_encoding: str | None) -> tuple[str, ...]:
    """The codings that a Content-Encoding lists, in the order applied (RFC 9110 §8.4), without identity."""
    names = ((part.strip(" \t").lower()) for part in (content_encoding or "").split(","))
    return tuple(name for name in (_ALIASES.get(name, name) for name in names) if name != "identity")


def decode(octets: bytes, content_encoding: str | None, limit: int | None = None) -> Decoded:
    """The body without its content codings; never raises.

    At most `limit` octets are produced by each coding, so that a few octets cannot fill the memory; without a limit the
    cost is linear in the size of the output. A body of no octets is empty under every known coding.
    """
    if not content_encoding:
        return _cut(octets, limit)
    names = codings(content_encoding)
    if len(names) > MAX_CODINGS:
        return Decoded(None, f"expected at most {MAX_CODINGS} content codings, got {len(names)}")
    for name in names:
        if name not in _DECODERS:
            return Decoded(None, f"expected a content coding out of gzip, deflate, br and zstd, got {_shown(name)}")
    if not names or not octets:
        return _cut(octets, limit)
    problem: str | None = None
    truncated = False
    current = octets
    for name in reversed(names):
        decoded = _DECODERS[name](current, limit)
        truncated = truncated or decoded.truncated
        if problem is None and not truncated:
            problem = decoded.problem
        if decoded.octets is None:
            return Decoded(None, problem or decoded.problem, truncated)
        current = decoded.octets
    return Decoded(current, problem, truncated)


def encode(octets: bytes, content_encoding: str | None) -> bytes:
    """The body with the content codings put on, in the order listed; the same octets every time.

    Raises ValueError for a coding that is not known here.
    """
    names = codings(content_encoding)
    for name in names:
        if name not in _ENCODERS:
            raise ValueError(f"expected a content coding out of gzip, deflate, br and zstd, got {_shown(name)}")
    for name in names:
        octets = _ENCODERS[name](octets)
    return octets


def _shown(name: str) -> str:
    """Return a name as it came, which is escaped where it is printed, and at most 40 characters of it."""
    return f"'{name if len(name) <= 40 else name[:40] + '...'}'"


def _cut(octets: bytes, limit: int | None) -> Decoded:
    if limit is not None and len(octets) > limit:
        return Decoded(octets[:limit], None, True)
    return Decoded(octets)


class _Stream(Protocol):
    """One compressed stream while it is being decompressed."""

    eof: bool
    unused: bytes

    def feed(self, chunk: bytes, room: int) -> bytes:
        """What the next octets decompress to; not much more than `room` octets, 0 meaning all of it."""
        ...


class _Inflate:
    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes, room: int) -> bytes:
        out = self._inner.decompress(chunk, room)
        self.eof = self._inner.eof
        self.unused = self._inner.unused_data
        return out


class _Brotli:
    """The library drops what it has just decoded when more octets follow the stream in what it is fed.

    The octets fed so far are kept, so that the last of them can be fed again one by one to find the end of the stream.
    """

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._fed: list[bytes] = []
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes, room: int) -> bytes:
        try:
            out = self._pull(chunk, room)
        except brotli.error:
            out = self._by_octet(chunk, room)
        self._fed.append(chunk)
        self.eof = self._inner.is_finished()
        return out

    def _pull(self, chunk: bytes, room: int) -> bytes:
        # The output comes in blocks: what is pending has to be asked for until nothing comes.
        parts = []
        total = 0
        while True:
            out: bytes = self._inner.process(chunk, output_buffer_limit=room) if room else self._inner.process(chunk)
            parts.append(out)
            total += len(out)
            chunk = b""
            if self._inner.is_finished() or not out or (room and total >= room):
                return b"".join(parts)

    def _by_octet(self, chunk: bytes, room: int) -> bytes:
        self._inner = brotli.Decompressor()
        for earlier in self._fed:
            self._pull(earlier, 0)
        parts: list[bytes] = []
        for index in range(len(chunk)):
            try:
                parts.append(self._pull(chunk[index : index + 1], room))
            except brotli.error as error:
                raise _DamageError(b"".join(parts), index, error) from error
            if self._inner.is_finished():
                self.unused = chunk[index + 1 :]
                break
        return b"".join(parts)


class _DamageError(Exception):
    """A stream is broken after some output of the chunk that was being fed."""

    def __init__(self, out: bytes, index: int, error: Exception) -> None:
        super().__init__(str(error))
        self.out = out
        self.index = index
        self.error = error


class _Zstd:
    def __init__(self, context: zstandard.ZstdDecompressor) -> None:
        self._inner = context.decompressobj()
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes, room: int) -> bytes:
        out = self._inner.decompress(chunk)
        self.eof = self._inner.eof
        self.unused = self._inner.unused_data
        return out


def _run(
    name: str, octets: bytes, limit: int | None, start: Callable[[], _Stream], *, members: bool, step: int
) -> Decoded:
    """Decompress a body of one stream, or of several that follow each other, in small steps.

    The steps keep the cost linear: what a library copies when a stream ends inside the octets it was fed is never more
    than a step.
    """
    parts: list[bytes] = []
    total = 0
    position = 0
    stream = start()
    began = 0
    problem: str | None = None
    try:
        while position < len(octets):
            chunk = octets[position : position + step]
            out = stream.feed(chunk, 0 if limit is None else limit - total + 1)
            if out:
                parts.append(out)
                total += len(out)
            if limit is not None and total > limit:
                return Decoded(b"".join(parts)[:limit], None, True)
            position += len(chunk) - (len(stream.unused) if stream.eof else 0)
            if stream.eof:
                rest = len(octets) - position
                if not octets[position : position + 64].strip(b"\x00") and not octets[position:].strip(b"\x00"):
                    return Decoded(b"".join(parts), problem)
                if not members or not _looks_like(name, octets, position):
                    problem = f"expected the end of the {name} stream, got {rest} more octets"
                    return Decoded(b"".join(parts), problem)
                stream = start()
                began = position
        problem = f"expected the end of the {name} stream, got the end of the body after {len(octets) - began} octets"
    except _DamageError as damage:
        parts.append(damage.out)
        at = position + damage.index
        problem = f"expected a {name} stream, got damage at about octet {at}{_reason(damage.error)}"
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        problem = f"expected a {name} stream, got damage at about octet {position}{_reason(error)}"
    whole = b"".join(parts)
    return Decoded(whole[:limit] if whole else None, problem, limit is not None and len(whole) > limit)


def _reason(error: Exception) -> str:
    text = str(error).rpartition(": ")[2].strip().rstrip(".").lower()
    return f" ({text})" if text else ""


def _looks_like(name: str, octets: bytes, position: int) -> bool:
    if name == "gzip":
        return octets.startswith(b"\x1f\x8b", position)
    # A zstd frame, or a skippable frame (RFC 8878 §3.1).
    return octets.startswith(b"\x28\xb5\x2f\xfd", position) or octets[position + 1 : position + 4] == b"\x2a\x4d\x18"


def _gunzip(octets: bytes, limit: int | None) -> Decoded:
    return _run("gzip", octets, limit, lambda: _Inflate(31), members=True, step=8192)


def _inflate(octets: bytes, limit: int | None) -> Decoded:
    # RFC 9110 §8.4.1.2 means the zlib format; some senders leave its header out.
    wrapped = _run("deflate", octets, limit, lambda: _Inflate(15), members=False, step=8192)
    if wrapped.problem is None or wrapped.octets is not None:
        return wrapped
    raw = _run("deflate", octets, limit, lambda: _Inflate(-15), members=False, step=8192)
    return wrapped if raw.octets is None else raw


def _unbrotli(octets: bytes, limit: int | None) -> Decoded:
    return _run("br", octets, limit, _Brotli, members=False, step=8192)


def _unzstd(octets: bytes, limit: int | None) -> Decoded:
    # A block of four octets can stand for 128 KiB, and the library takes no limit: small steps bound what one of them
    # may yield.
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return _run("zstd", octets, limit, lambda: _Zstd(context), members=True, step=65536 if limit is None else 128)


def _gzip(octets: bytes) -> bytes:
    inner = zlib.compressobj(9, zlib.DEFLATED, -15)
    trailer = struct.pack("<II", zlib.crc32(octets), len(octets) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, inner.compress(octets), inner.flush(), trailer))


def _brotli(octets: bytes) -> bytes:
    coded: bytes = brotli.compress(octets)
    return coded


def _zstd(octets: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(octets)


_DECODERS: dict[str, Callable[[bytes, int | None], Decoded]] = {
    "gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "deflate": zlib.compress, "br": _brotli, "zstd": _zstd}
