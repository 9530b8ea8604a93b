"""Where reports go: files that lines are appended to, files that replace others at once, pipes and devices."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ltkm_inspect.options.files import ReportTarget
from ltkm_inspect.options.table import LINE_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.atomic_file import OWNER_ONLY, AtomicFile, created
from ltkm_inspect.output.console import reason
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.report import lines
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.wire import crash_of, printable

type Place = Path | Device
"""Where a report goes; a pipe or device is open from the start, as its reader would end if it were opened twice."""


def places(targets: Iterable[ReportTarget]) -> dict[ReportTarget, Place]:
    """Return where reports of records that are there go; OptionError where one cannot be written."""
    found = {each: filled(each) for each in dict.fromkeys(targets)}
    require_apart(found.values())
    return open_places(found, waits=True)


def open_places(paths: Mapping[ReportTarget, Path], waits: bool) -> dict[ReportTarget, Place]:
    """Return the same of these paths."""
    found: dict[ReportTarget, Place] = {}
    try:
        for each, path in paths.items():
            found[each] = _place(path, waits)
    except OptionError:
        close_devices(found.values())
        raise
    return found


def path_of(place: Place) -> Path:
    return place.path if isinstance(place, Device) else place


def close_devices(places: Iterable[Place]) -> None:
    for each in places:
        if isinstance(each, Device):
            with suppress(OSError):
                each.close()


def render(records: Iterable[Record], places: Mapping[ReportTarget, Place], *, private: bool = False) -> list[str]:
    """Write reports from records; return a line for each that could not be written, and is then not there.

    Where the records have keys in them, they are private: only their owner can read the reports.
    """
    failed = []
    for target, path in places.items():
        try:
            _render(records, target.format, path, private)
        except Exception as error:  # whatever a format stumbles over, the others are still to be written
            why = reason(error) if isinstance(error, OSError) else crash_of(error)
            failed.append(f"report {shown_name(target, path)}: not written: {why}")
    return failed


def write(format: str, records: Iterable[Record], file: TextIO, style: LineStyle | None = None) -> None:
    """Write a report of the records of a run; it may go through them more than once, and keeps none of them.

    Each format is a module beside this one, imported when something is written.
    """
    if format in LINE_FORMATS:
        lines.write(records, file, style or LineStyle(format))
    else:
        import_module(f"ltkm_inspect.report.{format}").write(records, file)


def filled(target: ReportTarget) -> Path:
    """Return where a report goes: its path with the time in it."""
    with _written(target.path):
        return Path(time.strftime(str(target.path)))


def require_apart(paths: Iterable[Path]) -> None:
    """Refuse two reports of one name: each would overwrite the other."""
    known: set[Path] = set()
    for path in paths:
        whole = path.resolve()
        if whole in known and (path.is_file() or not path.exists()):
            raise OptionError("report", f"expected a different path for each report, got {printable(str(path))} twice")
        known.add(whole)


def _place(path: Path, waits: bool) -> Place:
    """Return where a report goes; refuse a path that it cannot be written to, before the work for it is done."""
    with _written(path):
        if is_device(path):
            return Device.open(path, waits=waits)
        with AtomicFile(path):
            return path


def text_file(device: Device, encoding: str) -> TextIO:
    return TextIOWrapper(cast(BinaryIO, device), encoding, "backslashreplace", newline="\n")


def _render(records: Iterable[Record], format: str, place: Place, private: bool) -> None:
    """Write a report; OSError where it cannot be written, and then what was there before still is."""
    if isinstance(place, Device):
        with text_file(place, "utf-8") as file:
            write(format, records, file)
        return
    with AtomicFile(place, private=private) as whole:
        with TextIOWrapper(whole.file, "utf-8", "backslashreplace", newline="\n") as file:
            write(format, records, file)
        whole.keep()


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Make of what keeps a path from being written to an OptionError."""
    try:
        yield
    except (OSError, ValueError) as error:
        why = f"cannot write {printable(str(path))}: {reason(error)}"
        raise OptionError("report", why) from error


def shown_name(target: ReportTarget, path: Place) -> str:
    return f"{target.format}={printable(str(path))}"


@dataclass(eq=False)
class LineFile:
    """A file that lines are appended to, each on disk before the next one."""

    path: Path
    file: TextIO
    whole: int = 0
    """How many octets of it are whole lines."""

    @classmethod
    def begin(cls, path: Path, mode: str, first: str, waits: bool, private: bool) -> "LineFile":
        """Open a file and write the first line; OptionError where that cannot be done."""
        with _written(path):
            if is_device(path):
                lines = cls(path, text_file(Device.open(path, waits=waits), "ascii"))
            else:
                if private and not path.exists():
                    created(path, OWNER_ONLY).close()
                elif private:
                    path.chmod(OWNER_ONLY)  # before a key is in it
                file = open(path, mode, encoding="ascii", newline="\n")  # noqa: SIM115 - it stays open for the whole run
                lines = cls(path, cast(TextIO, file), path.stat().st_size if path.is_file() else 0)
            try:
                lines.append(first)
            except BaseException:
                lines.give_up()
                raise
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
