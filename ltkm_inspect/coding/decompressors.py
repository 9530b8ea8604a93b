"""Decompresses one stream of each coding, in pieces."""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

PIECE = 1 << 16
"""How many octets a library returns at a time, if it takes a limit."""
_KEPT = 1 << 20
"""How many octets of a brotli stream are kept to find its end again."""


class Decompressor(Protocol):
    """One compressed stream while it is being decompressed."""

    eof: bool
    unused: bytes

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next octets decompress to, in pieces."""
        ...


class Inflate:
    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)
        self.eof = False
        self.unused = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        inner = self._inner
        before, whole, yielded = inner.copy(), chunk, 0
        while True:
            try:
                out = inner.decompress(chunk, PIECE)
            except zlib.error:  # it drops what it has just decoded
                yield from self._again(before, whole, yielded)
                raise
            if out:
                yielded += len(out)
                yield out
            chunk = inner.unconsumed_tail
            if inner.eof or not (chunk or len(out) == PIECE):
                break
        self.eof = inner.eof
        self.unused = inner.unused_data

    @staticmethod
    def _again(inner: "zlib._Decompress", chunk: bytes, known: int) -> Iterator[bytes]:
        """Yield what octets decompress to in front of their damage, but for so many octets of it, and raise."""
        for index in range(len(chunk)):
            octets = chunk[index : index + 1]
            while out := inner.decompress(octets, PIECE):
                if len(out) > known:
                    yield out[known:]
                known = max(known - len(out), 0)
                octets = inner.unconsumed_tail


class Brotli:
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
        while out := self._inner.process(chunk, output_buffer_limit=PIECE):
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


class Zstd:
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
