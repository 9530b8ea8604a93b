"""Pipes and devices that output goes to: refused where nobody reads them, and never waited for without end."""

import io
import os
import select
from contextlib import suppress
from errno import EAGAIN, ENXIO
from pathlib import Path
from typing import Any, Self

PATIENCE = 5.0
"""How many seconds a reader may take for its next octets, where it is waited for."""
MOST = 16 << 20
"""How many octets are kept for a reader that is slower than what is written."""
_PIECE = select.PIPE_BUF
"""So much can be written without waiting to a pipe that takes anything."""


class Device(io.RawIOBase):
    """What is written to a path that is no file; it keeps what the reader has not taken yet.

    Where more than `MOST` octets wait, it waits for the reader, unless it must not (beside live traffic).
    """

    def __init__(self, path: Path, file: int, *, waits: bool = True) -> None:
        """Take a path and the descriptor that it was opened with."""
        super().__init__()
        self.path = path
        self._file = file
        self._waits = waits
        self._kept = bytearray()

    @classmethod
    def open(cls, path: Path, *, waits: bool = True) -> Self:
        """Open it; OSError where that cannot be done, as for a pipe without a reader."""
        return cls(path, _opened(path), waits=waits)

    def __str__(self) -> str:
        return str(self.path)

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._file

    def write(self, octets: Any, /) -> int:
        """Write octets, or keep them; OSError where the reader is gone or takes too little."""
        self._kept += octets
        self._send(0.0)
        if len(self._kept) > MOST:
            self._send(PATIENCE if self._waits else 0.0, MOST)
            if len(self._kept) > MOST:
                raise self._give_up()
        return len(octets)

    def drain(self) -> None:
        """Wait until the reader has taken all that is kept; OSError where it takes nothing for too long."""
        self._send(PATIENCE)
        if self._kept:
            raise self._give_up()

    def close(self) -> None:
        """Close it, after what is kept was taken; OSError where that does not happen."""
        if self.closed:
            return
        try:
            self.drain()
        finally:
            super().close()
            os.close(self._file)

    def _send(self, patience: float, least: int = 0) -> None:
        """Write what is kept, down to `least` octets, for as long as the reader takes some within that many seconds."""
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        while len(self._kept) > least and poll.poll(patience * 1000):
            try:
                written = os.write(self._file, self._kept[:_PIECE])
            except BlockingIOError:
                return
            except OSError:
                self._kept.clear()
                raise
            del self._kept[:written]

    def _give_up(self) -> OSError:
        self._kept.clear()
        return OSError(EAGAIN, "its reader takes no data")


def is_device(path: Path) -> bool:
    """Tell whether a path is a pipe or a device, or the file that this process prints to: not one to be replaced."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return not (path.is_file() or path.is_dir()) or _output_of(status) is not None


def _output_of(status: os.stat_result) -> int | None:
    """Return the descriptor of standard output or standard error, where it is the same file."""
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(status, os.fstat(number)):
                return number
    return None


def _opened(path: Path) -> int:
    output = _output_of(os.stat(path))
    if output is not None:
        return os.dup(output)
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(ENXIO, "nobody reads it") if error.errno == ENXIO else error from None
