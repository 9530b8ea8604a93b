"""A file, pipe or device that whole lines are appended to."""

import os
from contextlib import suppress
from errno import EIO
from io import RawIOBase
from pathlib import Path
from typing import Self

from ltkm_inspect.output.atomic_file import OWNER_ONLY, created
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.wire import printable

type Line = str | bytes | bytearray
"""A line without its end, as text or as octets; both are ASCII."""
_LARGE = 1 << 16
"""Octets that are written as they are, not copied behind others first."""


class LineFile:
    """Appends lines, all of a call or none, without a buffer: what was appended is there if the program is killed."""

    def __init__(self, path: Path, file: RawIOBase) -> None:
        """Take a file that was opened for appending, or a device."""
        self.path = path
        self.is_device = isinstance(file, Device)
        """It is a pipe or a device."""
        self._file = file
        self._size = self._status.st_size
        """How large the file is at least, unless another program has taken something off its end."""
        self._is_torn = False
        """Its last line is not complete, so the next line begins with a line end."""

    @classmethod
    def open(cls, path: Path, *, appends: bool, waits: bool, private: bool) -> Self:
        """Open a file, and empty it unless it `appends`; OSError if that fails. A new `private` one is its owner's."""
        if is_device(path):
            return cls(path, Device.open(path, waits=waits))
        if private and path.exists():
            path.chmod(OWNER_ONLY)  # before a key is written
        elif private:
            created(path, OWNER_ONLY).close()
        # always for appending: if another program empties the file, the next line is its first
        file = open(path, "ab", buffering=0)  # noqa: SIM115 - it stays open
        lines = cls(path, file)
        if not appends:
            file.truncate(0)
            lines._size = 0
        elif lines._size:
            with path.open("rb") as whole:
                whole.seek(-1, os.SEEK_END)
                lines._is_torn = whole.read(1) != b"\n"  # a program was killed while it wrote
        return lines

    @property
    def name(self) -> str:
        """Its path, safe to print."""
        return printable(str(self.path))

    @property
    def is_in_place(self) -> bool:
        """The file still has its path."""
        try:
            return os.path.samestat(os.stat(self.path), self._status)
        except OSError:
            return False

    @property
    def was_cut(self) -> bool:
        """Another program has taken something off its end, such as `logrotate` with `copytruncate`."""
        return not self.is_device and self._status.st_size < self._size

    def append(self, *lines: Line) -> None:
        """Write lines; OSError if they could not be written: then the file ends with a whole line, if possible."""
        parts: list[bytes | bytearray] = [b"\n"] if self._is_torn else []
        for line in lines:
            parts += line.encode("ascii") if isinstance(line, str) else line, b"\n"
        if sum(map(len, parts)) < _LARGE:
            parts = [b"".join(parts)]
        done = 0
        try:
            for part in parts:
                left = memoryview(part)
                while left:
                    written = self._file.write(left)
                    if not written:
                        raise OSError(EIO, os.strerror(EIO))
                    done += written
                    left = left[written:]
        except OSError:
            if done and not self.is_device:
                self._take_back(done)
            raise
        self._is_torn = False
        self._size += done

    def close(self) -> None:
        """Close the file; OSError if the reader of a pipe did not read all of it."""
        self._file.close()

    def give_up(self) -> None:
        """Close the file as it is."""
        with suppress(OSError):  # the failed write was already reported
            self.close()

    def discard(self) -> None:
        """Close a file that could not be begun, and delete it if nothing is in it."""
        is_empty = not self.is_device and not self._status.st_size
        self.give_up()
        if is_empty:
            with suppress(OSError):
                self.path.unlink()

    def make_private(self) -> None:
        """Let only the owner read the file."""
        if not self.is_device:
            with suppress(OSError):
                os.fchmod(self._file.fileno(), OWNER_ONLY)

    def _take_back(self, octets: int) -> None:
        """Take an incomplete line off the end; where that is not possible, the next line must not continue it."""
        try:
            os.ftruncate(self._file.fileno(), self._status.st_size - octets)
        except OSError:
            self._is_torn = True

    @property
    def _status(self) -> os.stat_result:
        return os.fstat(self._file.fileno())
