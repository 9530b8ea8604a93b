"""Files and folders that stand under their name only when they are whole."""

import os
import shutil
from contextlib import suppress
from errno import EACCES, EISDIR, ENOTEMPTY, EPERM
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_numbers = count(1)


class _Whole:
    """What a file and a folder in the making have in common: a name of its own until it is to be kept."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # through a link, which stays one
        self._part = self._path.with_name(f".ltkm-{os.getpid()}-{next(_numbers)}.part")
        self._kept = False

    def keep(self) -> None:
        """Say that it is whole."""
        self._kept = True


class WholeFile(_Whole):
    """A file in the making: it gets its name when it is whole, and none where it is not to be kept."""

    def __enter__(self) -> Self:
        """Begin the file; OSError where the folder or a file of that name cannot be written."""
        if self._path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if self._path.exists() and not self._path.is_file():
            raise OSError(EPERM, "expected a file or a name that is free, got something else")
        if self._path.exists() and not os.access(self._path, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        self.file: BinaryIO = open(self._part, "xb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file its name, or take it away; OSError where its end cannot be written."""
        try:
            self.file.close()
            if kind is None and self._kept:
                if self._path.exists():
                    shutil.copymode(self._path, self._part)
                os.replace(self._part, self._path)
        finally:
            with suppress(OSError):  # it is gone where it has its name
                self._part.unlink(missing_ok=True)


class WholeFolder(_Whole):
    """A folder in the making, which may stand in for an empty one."""

    def __enter__(self) -> Self:
        """Begin the folder; OSError where it cannot be made, or one of that name has something in it."""
        if self._path.exists() and not self._path.is_dir():
            raise FileExistsError(EPERM, "expected a folder or a name that is free, got something else")
        if self._path.is_dir() and any(self._path.iterdir()):
            raise OSError(ENOTEMPTY, "expected a folder that is new or empty, got one with files in it")
        self._part.mkdir()
        return self

    def write(self, name: str, octets: bytes) -> None:
        """Write a file of that name in the folder."""
        (self._part / name).write_bytes(octets)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the folder its name, or take it away with all that is in it."""
        try:
            if kind is None and self._kept:
                os.replace(self._part, self._path)
        finally:
            shutil.rmtree(self._part, ignore_errors=True)
