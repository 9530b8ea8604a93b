"""The reports of a run: JSON Lines are written as it happens, the other formats are rendered from them at its end."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from typing import BinaryIO, Self, TextIO, cast

from ltkm_inspect.options import AS_IT_HAPPENS, OptionError, ReportTarget
from ltkm_inspect.output.atomic_file import OWNER_ONLY, AtomicFile, created
from ltkm_inspect.output.console import PROGRAM, reason
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.report.formats import FORMATS
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.reading import RecordFile
from ltkm_inspect.wire import crash_of, printable


@dataclass(eq=False)
class _LineFile:
    """A file that lines are appended to, each on disk before the next one."""

    path: Path
    file: TextIO
    whole: int = 0
    """How many octets of it are whole lines."""

    @classmethod
    def begin(cls, path: Path, mode: str, first: str, waits: bool, private: bool) -> "_LineFile":
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
    def begin_on(cls, device: Device, first: str) -> "_LineFile":
        """Write the first line to a pipe or device; OSError where that cannot be done."""
        lines = cls(device.path, _text(device, "ascii"))
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


class ReportFiles:
    """The reports of a run, by what was typed.

    Where formats are to be rendered and no JSON Lines were asked for, these are kept beside the first such report for
    as long as the run lasts: a part, from which a run that is killed can still be rendered.
    """

    def __init__(self, *, waits: bool = True) -> None:
        """Say whether a slow reader of a pipe is waited for, which must not be beside live traffic."""
        self._waits = waits
        self._lines: dict[ReportTarget, _LineFile] = {}
        self._rendered: dict[ReportTarget, Place] = {}
        """Where the other formats go."""
        self._source: ReportTarget | None = None
        """Which of the lines the other formats are rendered from."""
        self._part: Path | None = None
        """The file of the source, where nobody asked for it."""
        self._begun: set[Path] = set()
        self._private = False
        self._first = ""
        self.left: list[str] = []
        """A line for each file that an earlier run has left beside the reports."""

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give up what was not finished; only where the program failed the records of the run are left."""
        for each in self._lines.values():
            each.give_up()
        _close(self._rendered.values())
        if self._part is not None and not (kind is not None and issubclass(kind, Exception)):
            self._part.unlink(missing_ok=True)

    @property
    def names(self) -> list[str]:
        """The paths of the reports, safe to print."""
        asked = [lines.name for lines in self._lines.values() if lines.path != self._part]
        return asked + [_name(target, path) for target, path in self._rendered.items()]

    def use(self, targets: Iterable[ReportTarget], first: str, *, private: bool = False) -> list[str]:
        """Write these reports and no others; OptionError where one cannot be written, and then nothing changes.

        `first` is the record of the run, which every file begins with; in files that are open it is written again where
        it has changed, and what failed then is returned as with `write`. strftime codes in a path are filled in with
        the local time. A file of JSON Lines is begun anew, unless this run has written to it before. Once reports were
        private, as they have keys in them, only their owner can read those of this run.
        """
        self._private = self._private or private
        targets = dict.fromkeys(targets)
        wanted = [each for each in targets if each.format != AS_IT_HAPPENS]
        filled = {each: _path(self._rendered[each]) if each in self._rendered else _filled(each) for each in wanted}
        asked = [each for each in targets if each.format == AS_IT_HAPPENS]
        if wanted and self._source in self._lines and self._source not in asked:
            asked.append(self._source)  # the other formats still need it
        paths = {each: self._lines[each].path if each in self._lines else _filled(each) for each in asked}
        _require_apart([*paths.values(), *filled.values()])
        new = _places({each: path for each, path in filled.items() if each not in self._rendered}, self._waits)
        rendered = {each: new.get(each) or self._rendered[each] for each in wanted}
        known, source = {**self._lines}, self._source if rendered else None
        try:
            for each in asked:
                if each not in known:
                    mode = "a" if paths[each] in self._begun else "w"
                    known[each] = _begin(paths[each], mode, first, self._waits, self._private)
            if rendered and source is None:
                source = next((each for each in asked if known[each].path.is_file()), None)
            if rendered and source is None:
                source = self._begin_part(_path(next(iter(rendered.values()))), first, known)
        except OptionError:
            for each in known.keys() - self._lines.keys():
                known[each].give_up()
            _close(new.values())
            raise
        kept = {each for each in self._lines if each in asked or each == source}
        for path in (self._lines[each].path for each in kept if self._private):
            with suppress(OSError):
                if path.is_file():
                    path.chmod(OWNER_ONLY)
        for each in self._lines.keys() - kept:
            known.pop(each).give_up()
        _close(self._rendered[each] for each in self._rendered.keys() - rendered.keys())
        if self._part is not None and not rendered:
            self._part.unlink(missing_ok=True)
            self._part = None
        changed, self._first = first != self._first, first
        self._lines, self._rendered, self._source = known, rendered, source
        self._begun.update(lines.path for lines in known.values())
        return self._append(first, kept) if changed else []

    def write(self, line: str) -> list[str]:
        """Append a line to every file; a file that fails is given up, and a line returned that says so."""
        return self._append(line, self._lines)

    def finish(self, lines: Iterable[str] = ()) -> list[str]:
        """Append the last lines, close every file and render the other formats; return a line for whatever failed."""
        failed = [failure for line in lines for failure in self.write(line)]
        source = self._lines[self._source].path if self._source in self._lines else None
        for each in self._lines.values():
            try:
                each.close()
            except OSError as error:
                failed.append(f"report {each.name}: {reason(error)}")
        if source is not None:
            failed += render(RecordFile(source), self._rendered, private=self._private)
        else:
            why = "not written, because not all records of the run could be kept"
            failed += [f"report {_name(*each)}: {why}" for each in self._rendered.items()]
        if self._part is not None:
            if failed and self._part.exists():
                typed = " ".join(f"--report {_name(*each)}" for each in self._rendered.items())
                again = f"{PROGRAM} report {printable(str(self._part))} {typed}"
                failed.append(f"the records of the run are kept; to render them again: {again}")
            else:
                self._part.unlink(missing_ok=True)
        self._lines, self._rendered, self._source, self._part = {}, {}, None, None
        return failed

    def _append(self, line: str, targets: Iterable[ReportTarget]) -> list[str]:
        failed = []
        for each in [*targets]:
            lines = self._lines[each]
            try:
                lines.append(line)
            except (OSError, ValueError) as error:
                failed.append(f"report {lines.name}: {reason(error)}; nothing more is written to it")
                lines.give_up()
                del self._lines[each]
        return failed

    def _begin_part(self, beside: Path, first: str, known: dict[ReportTarget, _LineFile]) -> ReportTarget:
        """Begin the file that records are kept in where nobody asked for them, under a name that is free."""
        folder = beside.parent if beside.is_file() or not beside.exists() else Path(tempfile.gettempdir())
        for number in count(1):
            path = folder / f".{beside.name}.{f'{number}.' if number > 1 else ''}jsonl.part"
            if not path.exists():
                break
            self.left.append(f"{printable(str(path))} was left by a run that did not end, or has not ended yet")
        target = ReportTarget(AS_IT_HAPPENS, path)
        known[target] = _begin(path, "a" if self._private else "x", first, self._waits, self._private)
        if beside.is_file() and not self._private:
            shutil.copymode(beside, path)
        self._part = path
        return target


type Place = Path | Device
"""Where a report goes; a pipe or device is open from the start, as its reader would end if it were opened twice."""


def places(targets: Iterable[ReportTarget]) -> dict[ReportTarget, Place]:
    """Return where reports of records that are there go; OptionError where one cannot be written."""
    found = {each: _filled(each) for each in dict.fromkeys(targets)}
    _require_apart(found.values())
    return _places(found, waits=True)


def _places(paths: Mapping[ReportTarget, Path], waits: bool) -> dict[ReportTarget, Place]:
    """Return the same of these paths."""
    found: dict[ReportTarget, Place] = {}
    try:
        for each, path in paths.items():
            found[each] = _place(path, waits)
    except OptionError:
        _close(found.values())
        raise
    return found


def _path(place: Place) -> Path:
    return place.path if isinstance(place, Device) else place


def _close(places: Iterable[Place]) -> None:
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
            failed.append(f"report {_name(target, path)}: not written: {why}")
    return failed


def _begin(path: Path, mode: str, first: str, waits: bool, private: bool) -> _LineFile:
    try:
        return _LineFile.begin(path, mode, first, waits, private)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _filled(target: ReportTarget) -> Path:
    """Return where a report goes: its path with the time in it."""
    try:
        return Path(time.strftime(str(target.path)))
    except ValueError as error:
        raise _unwritable(target.path, error) from error


def _require_apart(paths: Iterable[Path]) -> None:
    """Refuse two reports of one name: each would overwrite the other."""
    known: set[Path] = set()
    for path in paths:
        whole = path.resolve()
        if whole in known and (path.is_file() or not path.exists()):
            raise OptionError("report", f"expected a path of its own for each report, got {printable(str(path))} twice")
        known.add(whole)


def _place(path: Path, waits: bool) -> Place:
    """Return where a report goes; refuse a path that it cannot be written to, before the work for it is done."""
    try:
        if is_device(path):
            return Device.open(path, waits=waits)
        with AtomicFile(path):
            return path
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def _text(device: Device, encoding: str) -> TextIO:
    return TextIOWrapper(cast(BinaryIO, device), encoding, "backslashreplace", newline="\n")


def _render(records: Iterable[Record], format: str, place: Place, private: bool) -> None:
    """Write a report; OSError where it cannot be written, and then what was there before still is."""
    if isinstance(place, Device):
        with _text(place, "utf-8") as file:
            FORMATS[format](records, file)
        return
    with AtomicFile(place, private=private) as whole:
        with TextIOWrapper(whole.file, "utf-8", "backslashreplace", newline="\n") as file:
            FORMATS[format](records, file)
        whole.keep()


def _unwritable(path: Path, error: Exception) -> OptionError:
    return OptionError("report", f"expected a file that can be written, got {printable(str(path))}: {reason(error)}")


def _name(target: ReportTarget, path: Place) -> str:
    return f"{target.format}={printable(str(path))}"
