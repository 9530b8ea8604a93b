"""Report files that are written as it happens: one line for each exchange, on disk before the next one."""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from ltkm_inspect.options import OptionError
from ltkm_inspect.wire import printable


class ReportFiles:
    """The open report files of a run, by path as typed."""

    def __init__(self) -> None:
        self._open: dict[Path, TextIO] = {}
        self._begun: set[str] = set()

    @property
    def names(self) -> list[str]:
        """The paths that are written to, safe to print."""
        return [printable(file.name) for file in self._open.values()]

    def use(self, paths: Iterable[Path]) -> None:
        """Open these files and close all others; OptionError where one cannot be written, and then nothing changes.

        strftime codes in a path are filled in with the local time. A file is begun anew, unless this run has written to
        it before.
        """
        wanted: dict[Path, TextIO] = {}
        try:
            for path in paths:
                wanted[path] = self._open[path] if path in self._open else self._begin(path)
        except OptionError:
            for path, file in wanted.items():
                if path not in self._open:
                    file.close()
            raise
        for path, file in self._open.items():
            if path not in wanted:
                file.close()
        self._open = wanted

    def write(self, line: str) -> list[str]:
        """Append a line to every file; a file that fails is given up, and a line returned that says so."""
        failed = []
        for path, file in [*self._open.items()]:
            try:
                file.write(line + "\n")
                file.flush()
            except (OSError, ValueError) as error:
                failed.append(f"report {printable(file.name)}: {_reason(error)}; nothing more is written to it")
                self._give_up(path)
        return failed

    def close(self) -> None:
        """Close every file."""
        for path in [*self._open]:
            self._give_up(path)

    def _begin(self, path: Path) -> TextIO:
        name = str(path)
        try:
            name = time.strftime(name)
            if name in self._begun:
                file = open(name, "a", encoding="ascii", newline="\n")  # noqa: SIM115 - it stays open for the whole run
            else:
                file = open(name, "w", encoding="ascii", newline="\n")  # noqa: SIM115
        except (OSError, ValueError) as error:
            raise OptionError(
                "report", f"expected a file that can be written, got {printable(name)}: {_reason(error)}"
            ) from error
        self._begun.add(name)
        return file

    def _give_up(self, path: Path) -> None:
        file = self._open.pop(path)
        with suppress(OSError):  # what could not be written was said when it was tried
            file.close()


def _reason(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error))
