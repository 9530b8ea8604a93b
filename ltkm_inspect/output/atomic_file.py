"""Files and folders that get their name only when they are whole.

A file that replaces another keeps its mode; a new one has the mode that the umask leaves. One with keys in it can be
read by its owner only, whatever the mode of the file that it replaces. So can the part of it that is not whole yet.
"""

import os
import shutil
import stat
from contextlib import suppress
from errno import EACCES, EISDIR, ENOTEMPTY, EPERM
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_numbers = count(1)
OWNER_ONLY = 0o600
"""The mode of a file with keys in it."""


def created(path: Path, mode: int | None) -> BinaryIO:
    """Create a file of that mode, which nobody who must not can open in between; None for what the umask leaves."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags, 0o666 if mode is None else mode), "wb")
    if mode is not None:
        path.chmod(mode)  # the umask may have taken some of it away
    return file


class _Atomic:
    """What a file and a folder in the making have in common: a name of its own until it is to be kept."""

    def __init__(self, path: Path, *, private: bool = False) -> None:
        """Take the path; what is private has keys in it."""
        self._private = private
        self._path = path.resolve()  # through a link, which stays one
        self._part = self._path.with_name(f".ltkm-{os.getpid()}-{next(_numbers)}.part")
        self._kept = False

    def keep(self) -> None:
        """Say that it is whole."""
        self._kept = True


class AtomicFile(_Atomic):
    """A file in the making: it gets its name when it is whole, and none where it is not to be kept."""

    def __enter__(self) -> Self:
        """Begin the file; OSError where the folder or a file of that name cannot be written."""
        if self._path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if self._path.exists() and not self._path.is_file():
            raise OSError(EPERM, "expected a file or an unused name, got something else")
        if self._path.exists() and not os.access(self._path, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        self.file: BinaryIO = created(self._part, self._mode())
        return self

    def _mode(self) -> int | None:
        if self._private:
            return OWNER_ONLY
        return stat.S_IMODE(self._path.stat().st_mode) if self._path.exists() else None

    def make_private(self) -> None:
        """Let nobody else read it from here on: a key follows."""
        if not self._private:
            self._private = True
            self._part.chmod(OWNER_ONLY)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file its name, or take it away; OSError where its end cannot be written."""
        try:
            self.file.close()
            if kind is None and self._kept:
                os.replace(self._part, self._path)
        finally:
            with suppress(OSError):  # it is gone where it has its name
                self._part.unlink(missing_ok=True)


class AtomicFolder(_Atomic):
    """A folder in the making, which may stand in for an empty one."""

    def __enter__(self) -> Self:
        """Begin the folder; OSError where it cannot be made, or one of that name has something in it."""
        if self._path.exists() and not self._path.is_dir():
            raise FileExistsError(EPERM, "expected a folder or an unused name, got something else")
        if self._path.is_dir() and any(self._path.iterdir()):
            raise OSError(ENOTEMPTY, "expected a new or empty folder, got one with files")
        self._part.mkdir(mode=0o700 if self._private else 0o777)
        return self

    def make_private(self) -> None:
        """Let nobody else read what is in it from here on: a key follows."""
        if not self._private:
            self._private = True
            self._part.chmod(0o700)
            for each in self._part.iterdir():
                each.chmod(OWNER_ONLY)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file of that name in the folder."""
        with created(self._part / name, OWNER_ONLY if self._private else None) as file:
            file.write(octets)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the folder its name, or take it away with all that is in it."""
        try:
            if kind is None and self._kept:
                os.replace(self._part, self._path)
        finally:
            shutil.rmtree(self._part, ignore_errors=True)
