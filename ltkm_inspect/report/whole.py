"""Files that get their name when they are whole: until then nobody takes a part of one for all of it."""

import os
import shutil
from contextlib import suppress
from errno import EACCES, EISDIR, EPERM
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


class Whole:
    """A file in the making: it gets its name when it is whole, and none where it is not to be kept."""

    def __init__(self, path: Path) -> None:
        """Take the path that it is to have; a link there stays one."""
        self._path = path.resolve()
        self._part = self._path.with_name(f".ltkm-{os.getpid()}.part")
        self._kept = False

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

    def keep(self) -> None:
        """Say that the file is whole."""
        self._kept = True

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
