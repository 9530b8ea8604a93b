"""Decodes octets in pieces: gzip, deflate, br, zstd."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import brotli
import zstandard

from ltkm_inspect.coding.decompressors import Brotli, Decompressor, Inflate, Zstd
from ltkm_inspect.wire import count

WINDOW = 1 << 23
"""The largest window of zstd as a content coding, in octets (RFC 9659 §3)."""
STEP = 8192
"""How many octets a library gets at a time: it copies what follows a stream, and that is at most one step."""
_ZSTD_STEP = 128
"""The same for zstd, whose output cannot be limited: 4 octets can expand to 128 KiB, and 128 octets to 4 MiB."""


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


class LimitError(Exception):
    """More octets came than the limit allows."""


class PieceStream:
    """Octets that come in pieces, taken in pieces of another size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0
        self._failure: Exception | None = None
        self.position = 0
        """How many octets were taken."""

    def take(self, size: int) -> bytes:
        """Return the next octets, at most that many, none at the end; what the pieces raise comes behind them all."""
        while self._at >= len(self._piece) and self._fill():
            pass
        if self._at >= len(self._piece) and self._failure is not None:
            raise self._failure
        chunk = self._piece[self._at : self._at + size]
        self._at += len(chunk)
        self.position += len(chunk)
        return chunk

    def put_back(self, octets: bytes) -> None:
        """Take back the last octets of what was taken last."""
        self._at -= len(octets)
        self.position -= len(octets)

    def peek(self, size: int) -> bytes:
        """Return the next octets, which are taken later; fewer at the end, or before what fails."""
        while len(self._piece) - self._at < size and self._fill():
            pass
        return self._piece[self._at : self._at + size]

    def _fill(self) -> bool:
        piece = None
        if self._failure is None:
            try:
                piece = next(self._pieces, None)
            except (ValueError, LimitError) as error:
                self._failure = error
        if piece is not None:
            self._piece, self._at = self._piece[self._at :] + piece, 0
        return piece is not None


@dataclass(frozen=True, slots=True)
class Coder:
    """How the streams of one coding are read."""

    name: str
    start: Callable[[], Callable[[bytes, DecodedBody], Decompressor]]
    """Returns what begins a stream, given its first octets and where to say what is odd about it."""
    is_member: Callable[[bytes], bool] = lambda _: False
    """Tells from its first 4 octets that another stream follows."""
    step: int = STEP


def decompress(
    coder: Coder, pieces: Iterator[bytes], decoded: DecodedBody, length: int, step: int | None = None
) -> Iterator[bytes]:
    """Yield what one stream decompresses to, or several that follow each other; `length` is -1 where it is unknown."""
    name, feed, begin, step = coder.name, PieceStream(pieces), coder.start(), step or coder.step
    stream, began = begin(feed.peek(STEP), decoded), 0
    while chunk := feed.take(step):
        try:
            yield from stream.feed(chunk)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            cause, at = str(error).rpartition(": ")[2].strip().rstrip(".").lower(), feed.position - len(chunk)
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
        while chunk := feed.take(step):
            if chunk.strip(b"\x00"):  # zeros pad a tape, and nobody minds them
                rest = f"{count(length - end, 'more octet')}" if length >= 0 else "more octets"
                raise CodingError(f"expected the end of the {name} stream, got {rest}", "more octets follow the stream")
        return
    text = (
        f"expected the end of the {name} stream, got the end of the body after {count(feed.position - began, 'octet')}"
    )
    raise CodingError(text, ended=True)


def _inflating(first: bytes, decoded: DecodedBody) -> Decompressor:
    # RFC 9110 §8.4.1.2 means the zlib format; some senders leave its header out.
    if not _inflates(first, 15) and _inflates(first, -15):
        decoded.unwrapped = True
        return Inflate(-15)
    return Inflate(15)


def _inflates(first: bytes, wbits: int) -> bool:
    """Tell whether a stream begins with these octets, as far as its first octet of output."""
    try:
        zlib.decompressobj(wbits).decompress(first, 1)
    except zlib.error:
        return False
    return True


def zstd_coder(window: int) -> Coder:
    def start() -> Callable[[bytes, DecodedBody], Decompressor]:
        context = zstandard.ZstdDecompressor(max_window_size=window)
        return lambda _, __: Zstd(context)

    # A zstd frame, or a skippable frame (RFC 8878 §3.1).
    return Coder(
        "zstd", start, lambda octets: octets == b"\x28\xb5\x2f\xfd" or octets[1:] == b"\x2a\x4d\x18", _ZSTD_STEP
    )


CODERS: dict[str, Coder] = {
    "gzip": Coder("gzip", lambda: lambda _, __: Inflate(31), lambda octets: octets.startswith(b"\x1f\x8b")),
    "deflate": Coder("deflate", lambda: _inflating),
    "br": Coder("br", lambda: lambda _, __: Brotli()),
    "zstd": zstd_coder(WINDOW),
}


def unpack(name: str, pieces: Iterator[bytes], *, window: int = WINDOW, step: int | None = None) -> Iterator[bytes]:
    """Yield decoded octets in pieces of at most some MiB, without a limit in total.

    `name` is gzip, deflate, br or zstd; `window` is the largest window of zstd, `step` how many octets are taken at a
    time. Raises CodingError where the octets are damaged, once everything before the damage was yielded.
    """
    coder = CODERS[name]
    if name == "zstd":
        coder = zstd_coder(window)
    return decompress(coder, pieces, DecodedBody(None), -1, step)
