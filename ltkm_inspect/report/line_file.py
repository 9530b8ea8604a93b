"""A file that JSON Lines are appended to as they come."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from ltkm_inspect.output.atomic_file import OWNER_ONLY, created
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.report.places import text_file
from ltkm_inspect.wire import printable


@dataclass(eq=False)
class LineFile:
    """A file that lines are appended to, each on disk before the next one."""

    path: Path
    file: TextIO
    whole: int = 0
    """How many octets of it are whole lines."""

    @classmethod
    def begin(cls, path: Path, mode: str, first: str, waits: bool, private: bool) -> "LineFile":
        """Open a file and write the first line; OSError or ValueError where that cannot be done."""
        if is_device(path):
            return cls.begin_on(Device.open(path, waits=waits), first)
        if private and not path.exists():
            created(path, OWNER_ONLY).close()
        elif private:
            path.chmod(OWNER_ONLY)  # before a key is in it
        file = open(path, mode, encoding="ascii", newline="\n")  # noqa: SIM115 - it stays open for the whole run
        lines = cls(path, cast(TextIO, file))
        if path.is_file():
            lines.whole = path.stat().st_size
        try:
            lines.append(first)
        except BaseException:
            lines.give_up()
            raise
        return lines

    @classmethod
    def begin_on(cls, device: Device, first: str) -> "LineFile":
        """Write the first line to a pipe or device; OSError where that cannot be done."""
        lines = cls(device.path, text_file(device, "ascii"))
        lines.append(first)
        return lines

    @property
    def name(self) -> str:
        """Its path, safe to print."""
        return printable(str(self.path))

    def append(self, line: str) -> None:
        """Write a line."""
        self.file.write(line + "\n")
        self.file.flush()
        self.whole += len(line) + 1

    def close(self) -> None:
        """Close it; OSError where the reader of a pipe did not take all of it."""
        self.file.close()

    def give_up(self) -> None:
        """Close it, and take away the part of a line at its end."""
        with suppress(OSError):  # what could not be written was said when it was tried
            self.close()
        with suppress(OSError):
            if self.path.is_file():
                os.truncate(self.path, self.whole)
