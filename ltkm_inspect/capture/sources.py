"""Files of saved traffic as they come: plain or compressed, from a pipe, or from elsewhere."""

import os
import re
import stat
import sys
from collections.abc import Hashable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from errno import EBADF
from io import FileIO
from typing import Protocol

from ltkm_inspect.capture.damage import PackedError, refuse_other
from ltkm_inspect.capture.entries import is_har, is_json
from ltkm_inspect.capture.records import BLOCK, Read
from ltkm_inspect.coding import CodingError, PieceStream, unpack
from ltkm_inspect.packets import is_capture
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.urls import is_url

STDIN = "-"
"""The name that means standard input."""

_FIRST = 512
"""How many octets tell what a file is."""
_PACKED = (
    ((b"\x1f\x8b",), "gzip", "gzip"),
    # A frame of Zstandard, and one that is to be skipped (RFC 8878 §3.1).
    ((b"\x28\xb5\x2f\xfd", *(bytes((number,)) + b"\x2a\x4d\x18" for number in range(0x50, 0x60))), "zstd", "zstd"),
    # A zlib stream (RFC 1950 §2.2), in which mitmproxy writes a HAR whose name ends in .zhar.
    (tuple(bytes((0x78, level)) for level in (0x01, 0x5E, 0x9C, 0xDA)), "deflate", "zlib"),
)
"""How a compressed file begins, its content coding, and the name of that."""
_ZSTD_WINDOW = 1 << 27
"""What `zstd --long` takes."""
_STEPS = {"zstd": 1024}
"""A file is larger than a body: larger steps take less time, and up to 32 MiB of memory."""
_FLOWS = re.compile(rb"\d{1,12}:").match


class StoredFile(Protocol):
    """A file as it is stored, on this machine or elsewhere; OSError where it cannot be read."""

    size: int | None
    """In octets; None for what is no file, or if nobody tells."""
    is_seekable: bool
    """Any part of it can be read at once."""

    def read(self, size: int, /) -> bytes:
        """Return at most that many octets, none at the end."""

    def seek(self, offset: int, /) -> int:
        """Go to a place."""

    def tell(self) -> int:
        """Return how many octets are in front of what is read next."""

    def identity(self) -> Hashable:
        """Return what another file of the same name would not have in common with it."""

    def close(self) -> None:
        """Close it."""


class LocalFile(FileIO):
    """A file on this machine, or standard input."""

    def __init__(self, file: str | int) -> None:
        """Open it; a number is that of an open file, which stays open."""
        super().__init__(file, closefd=isinstance(file, str))
        status = os.fstat(self.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.is_seekable = self.size is not None

    def identity(self) -> Hashable:
        """Return its device and inode."""
        status = os.fstat(self.fileno())
        return status.st_dev, status.st_ino


def stored(location: str) -> StoredFile:
    """Open a file as it is stored, by its path or URL; `-` is standard input. OSError where that cannot be done."""
    if is_url(location):
        from ltkm_inspect.capture.remote import RemoteFile  # other files are read without fsspec

        return RemoteFile(location)
    if location != STDIN:
        return LocalFile(location)
    if sys.stdin is None:  # closed by whoever started us
        raise OSError(EBADF, "no standard input")
    return LocalFile(sys.stdin.fileno())


@dataclass
class CaptureSource:
    """An open file of saved traffic, its compression taken off."""

    raw: StoredFile
    """The file as it is stored."""
    read: Read
    """Returns at most that many octets, none at the end; PackedError where they are damaged."""
    begins: bytes
    """Its first octets."""
    is_packed: bool = False
    """It is compressed."""

    @property
    def is_plain(self) -> bool:
        """It is a file that is not compressed, so that any part of it can be read at once."""
        return self.raw.is_seekable and not self.is_packed

    @property
    def size(self) -> int | None:
        """How many octets are stored; None for what is no file, or if nobody tells."""
        return self.raw.size

    @property
    def is_har(self) -> bool:
        """It begins like JSON, which no flow file does."""
        return is_json(self.begins)

    @property
    def is_packets(self) -> bool:
        """It is a packet capture."""
        return is_capture(self.begins)

    @property
    def may_be_capture(self) -> bool:
        """It begins like a flow file, a HAR or a packet capture."""
        return begins_like_capture(self.begins)


@contextmanager
def opened(location: str) -> Iterator[CaptureSource]:
    """Open a file by its path or URL, or standard input.

    OSError where that cannot be done, NotACaptureError where it is no traffic.
    """
    with unpacked(location) as source:
        refuse_other(source.begins)
        yield source


@contextmanager
def unpacked(location: str) -> Iterator[CaptureSource]:
    """Open any file as `opened` does, and take its compression off."""
    with closing(stored(location)) as raw:
        octets = PieceStream(iter(lambda: raw.read(BLOCK), b""))
        packed = _unpacking(octets)
        stream = packed or octets
        yield CaptureSource(raw, stream.take, stream.peek(_FIRST), packed is not None)


def may_begin_capture(octets: bytes) -> bool | None:
    """Tell whether a file that begins with these octets as stored may be a capture; None if that takes more of them."""
    stream = PieceStream(iter((octets,)))
    begins = (_unpacking(stream) or stream).peek(_FIRST)
    return begins_like_capture(begins) if begins or not octets else None


def begins_like_capture(begins: bytes) -> bool:
    """Tell whether octets are those of a flow file, a HAR or a packet capture."""
    return _FLOWS(begins) is not None or is_har(begins) or is_capture(begins)


def _unpacking(stored: PieceStream) -> PieceStream | None:
    """Return what is compressed in a file; None if it is not."""
    begins = stored.peek(_FIRST)
    for starts, coding, name in _PACKED:
        if begins.startswith(starts):
            return PieceStream(_unpacked(stored, coding, name))
    return None


def _unpacked(stored: PieceStream, coding: str, name: str) -> Iterator[bytes]:
    """Yield what is compressed in a file; PackedError where it is damaged."""
    try:
        yield from unpack(coding, iter(lambda: stored.take(BLOCK), b""), window=_ZSTD_WINDOW, step=_STEPS.get(coding))
    except CodingError as error:
        why = "ends too early: copy the file again" if error.ended else f"is damaged: {printable(error.cause)}"
        raise PackedError(f"the {name} data {why}") from error
