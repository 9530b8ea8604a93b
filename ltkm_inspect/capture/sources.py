"""Files of saved traffic as they come: plain or compressed, or from a pipe."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EBADF
from io import FileIO

from ltkm_inspect.capture.damage import PackedError, refuse_other
from ltkm_inspect.capture.entries import is_har, is_json
from ltkm_inspect.capture.records import BLOCK, Read
from ltkm_inspect.coding import CodingError, PieceStream, unpack
from ltkm_inspect.packets import is_capture
from ltkm_inspect.wire import printable

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


@dataclass
class CaptureSource:
    """An open file of saved traffic, its compression taken off."""

    raw: FileIO
    """The file as it is stored."""
    read: Read
    """Returns at most that many octets, none at the end; PackedError where they are damaged."""
    begins: bytes
    """Its first octets."""
    is_plain: bool = False
    """It is a file that is not compressed, so that any part of it can be read at once."""
    size: int | None = field(init=False)
    """How many octets are stored; None for what is no file."""

    def __post_init__(self) -> None:
        """Ask how large it is."""
        status = os.fstat(self.raw.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None
        self.is_plain = self.is_plain and self.size is not None

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
        return _FLOWS(self.begins) is not None or is_har(self.begins) or self.is_packets


@contextmanager
def opened(name: str) -> Iterator[CaptureSource]:
    """Open a file, or standard input; OSError where that cannot be done, NotACaptureError where it is no traffic."""
    with unpacked(name) as source:
        refuse_other(source.begins)
        yield source


@contextmanager
def unpacked(name: str) -> Iterator[CaptureSource]:
    """Open any file, or standard input, and take its compression off; OSError where that cannot be done."""
    if name != STDIN:
        raw = FileIO(name)
    elif sys.stdin is None:  # closed by whoever started us
        raise OSError(EBADF, "no standard input")
    else:
        raw = FileIO(sys.stdin.fileno(), closefd=False)
    with raw:
        yield _source(raw)


def _source(raw: FileIO) -> CaptureSource:
    stored = PieceStream(iter(lambda: raw.read(BLOCK), b""))
    begins = stored.peek(_FIRST)
    for starts, coding, name in _PACKED:
        if begins.startswith(starts):
            packed = PieceStream(_unpacked(stored, coding, name))
            return CaptureSource(raw, packed.take, packed.peek(_FIRST))
    return CaptureSource(raw, stored.take, begins, is_plain=True)


def _unpacked(stored: PieceStream, coding: str, name: str) -> Iterator[bytes]:
    """Yield what is compressed in a file; PackedError where it is damaged."""
    try:
        yield from unpack(coding, iter(lambda: stored.take(BLOCK), b""), window=_ZSTD_WINDOW, step=_STEPS.get(coding))
    except CodingError as error:
        why = "ends too early: copy the file again" if error.ended else f"is damaged: {printable(error.cause)}"
        raise PackedError(f"the {name} data {why}") from error
