"""A flow file in the making, which stands under its name only when it is whole."""

import os
import shutil
from contextlib import suppress
from errno import EACCES, EISDIR, EPERM
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter


class Target:
    """A flow file in the making: it gets its name when it is whole, and none where it is not to be kept."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # through a link, which stays one
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
        self._file: BinaryIO = open(self._part, "xb")
        self._writer: Any = FlowWriter(self._file)  # type: ignore[no-untyped-call]
        return self

    def add(self, flow: Flow) -> None:
        """Write a flow behind the others."""
        self._writer.add(flow)

    def keep(self) -> None:
        """Say that the file is whole."""
        self._kept = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the file its name, or take it away; OSError where its end cannot be written."""
        try:
            self._file.close()
            if kind is None and self._kept:
                if self._path.exists():
                    shutil.copymode(self._path, self._part)
                os.replace(self._part, self._path)
        finally:
            with suppress(OSError):  # it is gone where it has its name
                self._part.unlink(missing_ok=True)
