"""Where reports go: files that are replaced atomically, pipes and devices."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ltkm_inspect.options.files import ReportTarget
from ltkm_inspect.options.table import LINE_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.atomic_file import AtomicFile
from ltkm_inspect.output.console import reason
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.report import lines
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.lines import LineStyle
from ltkm_inspect.wire import crash_of, printable

type Place = Path | Device
"""Where a report goes. A pipe or device is opened once, at the start: its reader would end if it were opened twice."""


def places(targets: Iterable[ReportTarget]) -> dict[ReportTarget, Place]:
    """Return the places of reports on existing records; OptionError if one cannot be written."""
    found = {each: filled(each) for each in dict.fromkeys(targets)}
    require_apart(found.values())
    return open_places(found, waits=True)


def open_places(paths: Mapping[ReportTarget, Path], waits: bool) -> dict[ReportTarget, Place]:
    """Return the places with these paths, with devices open; OptionError if one cannot be written."""
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
    """Write reports from records; return a line for each that could not be written. Those are not created.

    If the records have keys in them, they are `private`: only their owner can read the reports.
    """
    failed = []
    for target, path in places.items():
        try:
            _render(records, target.format, path, private)
        except Exception as error:  # a format may fail, but the others must still be written
            why = reason(error) if isinstance(error, OSError) else crash_of(error)
            failed.append(f"report {shown_name(target, path)}: not written: {why}")
    return failed


def write(format: str, records: Iterable[Record], file: TextIO, style: LineStyle | None = None) -> None:
    """Write a report from the records of a run, which may be read more than once.

    Each format is a module beside this one. It is imported when something is written.
    """
    if format in LINE_FORMATS:
        lines.write(records, file, style or LineStyle(format))
    else:
        import_module(f"ltkm_inspect.report.{format}").write(records, file)


def filled(target: ReportTarget) -> Path:
    """Return the path of a report with its strftime codes replaced."""
    with refused(target.path):
        return Path(time.strftime(str(target.path)))


def require_apart(paths: Iterable[Path]) -> None:
    """Refuse two reports with the same path: one would overwrite the other."""
    known: set[Path] = set()
    for path in paths:
        absolute = path.resolve()
        if absolute in known and (path.is_file() or not path.exists()):
            raise OptionError("report", f"expected a different path for each report, got {printable(str(path))} twice")
        known.add(absolute)


def _place(path: Path, waits: bool) -> Place:
    """Return the place of a report. OptionError if it cannot be written: this is known before the work begins."""
    with refused(path):
        if is_device(path):
            return Device.open(path, waits=waits)
        with AtomicFile(path):
            return path


def text_file(device: Device, encoding: str) -> TextIO:
    return TextIOWrapper(cast(BinaryIO, device), encoding, "backslashreplace", newline="\n")


def _render(records: Iterable[Record], format: str, place: Place, private: bool) -> None:
    """Write a report; OSError if it cannot be written. Then an existing file is unchanged."""
    if isinstance(place, Device):
        with text_file(place, "utf-8") as file:
            write(format, records, file)
        return
    with AtomicFile(place, private=private) as atomic:
        with TextIOWrapper(atomic.file, "utf-8", "backslashreplace", newline="\n") as file:
            write(format, records, file)
        atomic.keep()


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Raise an OptionError for an error that prevents writing to a path."""
    try:
        yield
    except (OSError, ValueError) as error:
        why = f"cannot write {printable(str(path))}: {reason(error)}"
        raise OptionError("report", why) from error


def shown_name(target: ReportTarget, path: Place) -> str:
    return f"{target.format}={printable(str(path))}"
