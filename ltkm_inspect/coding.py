"""Content codings of HTTP (gzip, deflate, br, zstd) taken off a body without trust, and put on again."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

import brotli
import zstandard

MAX_CODINGS = 8
"""How many codings one Content-Encoding may list before the body is left alone."""
WINDOW = 1 << 23
"""The largest window of zstd as a content coding, in octets (RFC 9659 §3)."""

_STEP = 8192
"""How many octets a library is fed at a time: it copies what follows a stream, and that is never more than a step."""
_PIECE = 1 << 16
"""How many octets a library hands out at a time, where it can be told."""
_ZSTD_STEP = 128
"""The same for zstd, which cannot be told how much to hand out: four octets can stand for 128 KiB, 128 for 4 MiB."""
_KEPT = 1 << 20
"""How many octets of a brotli stream are kept to find its end again."""
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate", "": "identity"}


@dataclass(slots=True)
class DecodedBody:
    """A body with its content codings taken off, as far as that was possible.

    `octets` is None where nothing could be decoded, and what was decoded before the damage where something was.
    `problem` says what is wrong with the coded body; `truncated` says that the limit, not the body, ended the output.
    """

    octets: bytes | None
    problem: str | None = None
    truncated: bool = False
    unwrapped: bool = False
    """A `deflate` had no zlib wrapper, which RFC 9110 §8.4.1.2 asks for."""


class CodingError(ValueError):
    """Coded octets are damaged; the text is one line, safe to print."""

    def __init__(self, text: str, cause: str = "", *, ended: bool = False) -> None:
        """Take the text, what the library says, and whether the octets only end too early."""
        super().__init__(text)
        self.cause = cause
        self.ended = ended


class _LimitError(Exception):
    """More octets came than the limit allows."""


def codings(content_encoding: str | None) -> tuple[str, ...]:
    """The codings that a Content-Encoding lists, in the order applied (RFC 9110 §8.4), without identity."""
    names = ((part.strip(" \t").lower()) for part in (content_encoding or "").split(","))
    return tuple(name for name in (_ALIASES.get(name, name) for name in names) if name != "identity")


def decode(octets: bytes, content_encoding: str | None, limit: int | None = None) -> DecodedBody:
    """The body without its content codings; never raises.

    The codings are taken off in pieces, all at once: nothing but the result is kept, which has at most `limit` octets,
    and what is still coded may not be much larger. So a few octets cannot fill the memory, and the cost is linear. A
    body of no octets is empty under every known coding.
    """
    if not content_encoding:
        return _cut(octets, limit)
    names = codings(content_encoding)
    if len(names) > MAX_CODINGS:
        return DecodedBody(None, f"expected at most {MAX_CODINGS} content codings, got {len(names)}")
    for name in names:
        if name not in _CODERS:
            return DecodedBody(None, f"expected a content coding out of gzip, deflate, br and zstd, got {_shown(name)}")
    if not names or not octets:
        return _cut(octets, limit)
    decoded = DecodedBody(None)
    pieces, length = iter((octets,)), len(octets)
    for number, name in enumerate(reversed(names), 1):
        most = limit if limit is None or number == len(names) else limit + limit // 8 + _PIECE
        pieces, length = _within(_unpack(_CODERS[name], pieces, decoded, length), most), -1
    found = BytesIO()
    try:
        for piece in pieces:
            found.write(piece)
    except CodingError as error:
        decoded.problem = str(error)
    except _LimitError:
        decoded.truncated = True
    whole = found.getvalue()
    if whole or decoded.problem is None:
        decoded.octets = whole
    return decoded


def unpack(name: str, pieces: Iterator[bytes], *, window: int = WINDOW, step: int | None = None) -> Iterator[bytes]:
    """Yield what coded octets stand for, in pieces of at most some MiB, however much that is in all.

    `name` is gzip, deflate, br or zstd; `window` is the largest window of zstd, `step` how many octets are taken at a
    time. Raises CodingError where the octets are damaged, once everything before the damage was yielded.
    """
    coder = _CODERS[name]
    if name == "zstd":
        coder = _zstd_coder(window)
    return _unpack(coder, pieces, DecodedBody(None), -1, step)


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


def _cut(octets: bytes, limit: int | None) -> DecodedBody:
    if limit is not None and len(octets) > limit:
        return DecodedBody(octets[:limit], None, True)
    return DecodedBody(octets)


def _within(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    """Yield the pieces up to so many octets; raise _LimitError where there are more."""
    if limit is None:
        yield from pieces
        return
    left = limit
    for piece in pieces:
        if len(piece) > left:
            yield piece[:left]
            raise _LimitError
        left -= len(piece)
        yield piece


class _Decompressor(Protocol):
    """One compressed stream while it is being decompressed."""

    eof: bool
    unused: bytes

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next octets decompress to, in pieces."""
        ...


class _Inflate:
    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        inner = self._inner
        before, whole, yielded = inner.copy(), chunk, 0
        while True:
            try:
                out = inner.decompress(chunk, _PIECE)
            except zlib.error:  # it drops what it has just decoded
                yield from self._again(before, whole, yielded)
                raise
            if out:
                yielded += len(out)
                yield out
            chunk = inner.unconsumed_tail
            if inner.eof or not (chunk or len(out) == _PIECE):
                break
        self.eof = inner.eof
        self.unused = inner.unused_data

    @staticmethod
    def _again(inner: "zlib._Decompress", chunk: bytes, known: int) -> Iterator[bytes]:
        """Yield what octets decompress to in front of their damage, but for so many octets of it, and raise."""
        for index in range(len(chunk)):
            octets = chunk[index : index + 1]
            while out := inner.decompress(octets, _PIECE):
                if len(out) > known:
                    yield out[known:]
                known = max(known - len(out), 0)
                octets = inner.unconsumed_tail


class _Brotli:
    """The library drops what it has just decoded when more octets follow the stream in what it is fed.

    The first octets fed are kept, so that they can be fed again, the last of them one by one, to find the end of the
    stream. Of a longer stream, the output of the last step is lost if something follows it.
    """

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._fed: list[bytes] = []
        self._size = 0
        self._yielded = 0
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._size += len(chunk)
        if self._size <= _KEPT:
            self._fed.append(chunk)
        else:
            self._fed.clear()
        try:
            for out in self._pull(chunk):
                self._yielded += len(out)
                yield out
        except brotli.error:
            if not self._fed:
                raise
            yield from self._again()
        self.eof = self._inner.is_finished()

    def _pull(self, chunk: bytes) -> Iterator[bytes]:
        # The output comes in blocks: what is pending has to be asked for until nothing comes.
        while out := self._inner.process(chunk, output_buffer_limit=_PIECE):
            yield out
            chunk = b""
            if self._inner.is_finished():
                break

    def _again(self) -> Iterator[bytes]:
        """Start anew, and yield what was not yielded before."""
        self._inner = brotli.Decompressor()
        *earlier, last = self._fed
        known = self._yielded
        for index in range(-len(earlier), len(last)):
            for out in self._pull(earlier[index] if index < 0 else last[index : index + 1]):
                if len(out) > known:
                    yield out[known:]
                known = max(known - len(out), 0)
            if self._inner.is_finished():
                self.unused = last[index + 1 :]
                break


class _Zstd:
    def __init__(self, context: zstandard.ZstdDecompressor) -> None:
        self._inner = context.decompressobj()
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        out = self._inner.decompress(chunk)
        self.eof = self._inner.eof
        self.unused = self._inner.unused_data
        if out:
            yield out


class _Feed:
    """Octets that come in pieces, taken a step at a time."""

    def __init__(self, pieces: Iterator[bytes], step: int) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0
        self._step = step
        self._failure: Exception | None = None
        self.position = 0
        """How many octets were taken."""

    def take(self) -> bytes:
        """Return the next octets, none at the end."""
        while self._at >= len(self._piece):
            if self._failure is not None:
                raise self._failure
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._piece, self._at = piece, 0
        chunk = self._piece[self._at : self._at + self._step]
        self._at += len(chunk)
        self.position += len(chunk)
        return chunk

    def put_back(self, octets: bytes) -> None:
        """Take back the last octets of what was taken last."""
        self._at -= len(octets)
        self.position -= len(octets)

    def peek(self, size: int) -> bytes:
        """Return the next octets, which are taken later; fewer at the end, or before what fails."""
        while len(self._piece) - self._at < size and self._failure is None:
            try:
                piece = next(self._pieces, None)
            except (CodingError, _LimitError) as error:
                self._failure = error
                break
            if piece is None:
                break
            self._piece, self._at = self._piece[self._at :] + piece, 0
        return self._piece[self._at : self._at + size]


@dataclass(frozen=True, slots=True)
class _Coder:
    """How the streams of one coding are read."""

    name: str
    start: Callable[[], Callable[[bytes, DecodedBody], _Decompressor]]
    """Returns what begins a stream, given its first octets and where to say what is odd about it."""
    is_member: Callable[[bytes], bool] = lambda _: False
    """Tells from its first 4 octets that another stream follows."""
    step: int = _STEP


def _unpack(
    coder: _Coder, pieces: Iterator[bytes], decoded: DecodedBody, length: int, step: int | None = None
) -> Iterator[bytes]:
    """Yield what one stream decompresses to, or several that follow each other; `length` is -1 where it is unknown."""
    name, feed, begin = coder.name, _Feed(pieces, step or coder.step), coder.start()
    stream, began = begin(feed.peek(_STEP), decoded), 0
    while chunk := feed.take():
        try:
            yield from stream.feed(chunk)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            cause, at = _reason(error), feed.position - len(chunk)
            text = f"expected a {name} stream, got damage at about octet {at}"
            raise CodingError(f"{text} ({cause})" if cause else text, cause) from error
        if not stream.eof:
            continue
        feed.put_back(stream.unused)
        following = feed.peek(4)
        if not following:
            return
        if coder.is_member(following):
            stream, began = begin(following, decoded), feed.position
            continue
        end = feed.position
        while chunk := feed.take():
            if chunk.strip(b"\x00"):  # zeros pad a tape, and nobody minds them
                rest = f"{length - end} more octets" if length >= 0 else "more octets"
                raise CodingError(f"expected the end of the {name} stream, got {rest}", "more octets follow the stream")
        return
    text = f"expected the end of the {name} stream, got the end of the body after {feed.position - began} octets"
    raise CodingError(text, ended=True)


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip().rstrip(".").lower()


def _inflating(first: bytes, decoded: DecodedBody) -> _Decompressor:
    # RFC 9110 §8.4.1.2 means the zlib format; some senders leave its header out.
    if not _inflates(first, 15) and _inflates(first, -15):
        decoded.unwrapped = True
        return _Inflate(-15)
    return _Inflate(15)


def _inflates(first: bytes, wbits: int) -> bool:
    """Tell whether a stream begins with these octets, as far as its first octet of output."""
    try:
        zlib.decompressobj(wbits).decompress(first, 1)
    except zlib.error:
        return False
    return True


def _zstd_coder(window: int) -> _Coder:
    def start() -> Callable[[bytes, DecodedBody], _Decompressor]:
        context = zstandard.ZstdDecompressor(max_window_size=window)
        return lambda _, __: _Zstd(context)

    # A zstd frame, or a skippable frame (RFC 8878 §3.1).
    return _Coder(
        "zstd", start, lambda octets: octets == b"\x28\xb5\x2f\xfd" or octets[1:] == b"\x2a\x4d\x18", _ZSTD_STEP
    )


def _gzip(octets: bytes) -> bytes:
    inner = zlib.compressobj(9, zlib.DEFLATED, -15)
    trailer = struct.pack("<II", zlib.crc32(octets), len(octets) & 0xFFFFFFFF)
    return b"".join((_GZIP_HEADER, inner.compress(octets), inner.flush(), trailer))


def _brotli(octets: bytes) -> bytes:
    coded: bytes = brotli.compress(octets)
    return coded


def _zstd(octets: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(octets)


_CODERS: dict[str, _Coder] = {
    "gzip": _Coder("gzip", lambda: lambda _, __: _Inflate(31), lambda octets: octets.startswith(b"\x1f\x8b")),
    "deflate": _Coder("deflate", lambda: _inflating),
    "br": _Coder("br", lambda: lambda _, __: _Brotli()),
    "zstd": _zstd_coder(WINDOW),
}
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "deflate": zlib.compress, "br": _brotli, "zstd": _zstd}
