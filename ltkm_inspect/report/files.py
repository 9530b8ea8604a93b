"""The reports of a run: JSON Lines are written during the run, other formats are rendered from them at its end."""

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

from ltkm_inspect.options.files import ReportTarget
from ltkm_inspect.options.table import AS_IT_HAPPENS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.atomic_file import OWNER_ONLY
from ltkm_inspect.output.console import PROGRAM, reason
from ltkm_inspect.report.places import (
    LineFile,
    Place,
    close_devices,
    filled,
    open_places,
    path_of,
    render,
    require_apart,
    shown_name,
)
from ltkm_inspect.report.reading import RecordFile
from ltkm_inspect.wire import printable

COMPLETE = ("text", "sarif")
"""The formats besides JSON Lines that have every finding of a run."""


class ReportFiles:
    """The reports of a run, by their targets.

    If other formats are to be rendered and JSON Lines are not a target, the lines are kept in a temporary file beside
    the first such report while the run lasts. If the run is killed, a report can still be rendered from that file.
    """

    def __init__(self, *, waits: bool = True) -> None:
        """`waits`: wait for a slow reader of a pipe. This must be false during live traffic."""
        self._waits = waits
        self._lines: dict[ReportTarget, LineFile] = {}
        self._rendered: dict[ReportTarget, Place] = {}
        """The places of the other formats."""
        self._source: ReportTarget | None = None
        """The target whose lines the other formats are rendered from."""
        self._part: Path | None = None
        """The temporary file, if the source is one."""
        self._begun: set[Path] = set()
        self._private = False
        self._first = ""
        self.left: list[str] = []
        """A line for each temporary file that an earlier run left beside the reports."""

    def __enter__(self) -> Self:
        """Return the reports; nothing is written yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close and discard unfinished reports. The temporary file is only left if the program failed."""
        for each in self._lines.values():
            each.give_up()
        close_devices(self._rendered.values())
        if self._part is not None and not (kind is not None and issubclass(kind, Exception)):
            self._part.unlink(missing_ok=True)

    @property
    def names(self) -> list[str]:
        """The paths of the reports, safe to print."""
        names = [lines.name for lines in self._lines.values() if lines.path != self._part]
        return names + [shown_name(target, path) for target, path in self._rendered.items()]

    @property
    def complete_name(self) -> str:
        """The path, as typed, of a report with every finding of the run, safe to print; empty if there is none."""
        targets = [target for target, lines in self._lines.items() if lines.path != self._part]
        targets += [target for target in self._rendered if target.format in COMPLETE]
        return printable(str(targets[0].path)) if targets else ""

    @property
    def has_page(self) -> bool:
        """One of the reports is an HTML page."""
        return any(target.format == "html" for target in self._rendered)

    def use(self, targets: Iterable[ReportTarget], first: str, *, private: bool = False) -> list[str]:
        """Write these reports and no others from now on. OptionError if one cannot be written; then nothing changes.

        `first` is the record of the run, which every file begins with. If it has changed, it is written again to files
        that are already open, and failures are returned as from `write`. strftime codes in a path are replaced with the
        local time. An existing file of JSON Lines is overwritten, unless this run has written to it before. `private`
        reports have keys in them: from then on, only their owner can read the reports of this run.
        """
        self._private = self._private or private
        targets = dict.fromkeys(targets)
        rest = [each for each in targets if each.format != AS_IT_HAPPENS]
        others = {each: path_of(self._rendered[each]) if each in self._rendered else filled(each) for each in rest}
        streams = [each for each in targets if each.format == AS_IT_HAPPENS]
        if rest and self._source in self._lines and self._source not in streams:
            streams.append(self._source)  # the other formats still need it
        paths = {each: self._lines[each].path if each in self._lines else filled(each) for each in streams}
        require_apart([*paths.values(), *others.values()])
        new = open_places({each: path for each, path in others.items() if each not in self._rendered}, self._waits)
        rendered = {each: new.get(each) or self._rendered[each] for each in rest}
        lines, source = {**self._lines}, self._source if rendered else None
        try:
            for each in streams:
                if each not in lines:
                    mode = "a" if paths[each] in self._begun else "w"
                    lines[each] = LineFile.begin(paths[each], mode, first, self._waits, self._private)
            if rendered and source is None:
                source = next((each for each in streams if lines[each].path.is_file()), None)
            if rendered and source is None:
                source = self._begin_part(path_of(next(iter(rendered.values()))), first, lines)
        except OptionError:
            for each in lines.keys() - self._lines.keys():
                lines[each].give_up()
            close_devices(new.values())
            raise
        kept = {each for each in self._lines if each in streams or each == source}
        for path in (self._lines[each].path for each in kept if self._private):
            with suppress(OSError):
                if path.is_file():
                    path.chmod(OWNER_ONLY)
        for each in self._lines.keys() - kept:
            lines.pop(each).give_up()
        close_devices(self._rendered[each] for each in self._rendered.keys() - rendered.keys())
        if self._part is not None and not rendered:
            self._part.unlink(missing_ok=True)
            self._part = None
        changed, self._first = first != self._first, first
        self._lines, self._rendered, self._source = lines, rendered, source
        self._begun.update(each.path for each in lines.values())
        return self._append(first, kept) if changed else []

    def write(self, line: str) -> list[str]:
        """Append a line to every file; return a line for each file that failed. Nothing more is written to those."""
        return self._append(line, self._lines)

    def finish(self, lines: Iterable[str] = ()) -> list[str]:
        """Append the last lines, close every file, and render the other formats; return a line for each failure."""
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
            why = "not written, because not all records of the run could be stored"
            failed += [f"report {shown_name(*each)}: {why}" for each in self._rendered.items()]
        if self._part is not None:
            if failed and self._part.exists():
                typed = " ".join(f"--report {shown_name(*each)}" for each in self._rendered.items())
                again = f"{PROGRAM} report {printable(str(self._part))} {typed}"
                failed.append(f"the records of the run are kept; to render them, run: {again}")
            else:
                self._part.unlink(missing_ok=True)
        self._lines, self._rendered, self._source, self._part = {}, {}, None, None
        return failed

    def _append(self, line: str, targets: Iterable[ReportTarget]) -> list[str]:
        failed = []
        for each in [*targets]:
            file = self._lines[each]
            try:
                file.append(line)
            except (OSError, ValueError) as error:
                failed.append(f"report {file.name}: {reason(error)}; nothing more is written to it")
                file.give_up()
                del self._lines[each]
        return failed

    def _begin_part(self, beside: Path, first: str, lines: dict[ReportTarget, LineFile]) -> ReportTarget:
        """Begin the temporary file of records, under a free name, and return its target."""
        folder = beside.parent if beside.is_file() or not beside.exists() else Path(tempfile.gettempdir())
        for number in count(1):
            path = folder / f".{beside.name}.{f'{number}.' if number > 1 else ''}jsonl.part"
            if not path.exists():
                break
            self.left.append(f"{printable(str(path))} is left from a run that was killed or is still running")
        target = ReportTarget(AS_IT_HAPPENS, path)
        lines[target] = LineFile.begin(path, "a" if self._private else "x", first, self._waits, self._private)
        if beside.is_file() and not self._private:
            shutil.copymode(beside, path)
        self._part = path
        return target
