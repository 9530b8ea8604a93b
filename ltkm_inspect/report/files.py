"""The reports of a run: JSON Lines are written during the run, other formats are rendered from them at its end."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Self

from ltkm_inspect.options.files import ReportTarget
from ltkm_inspect.options.table import AS_IT_HAPPENS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import PROGRAM, reason
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.line_file import Line
from ltkm_inspect.report.places import (
    Place,
    close_devices,
    filled,
    open_places,
    path_of,
    refused,
    render,
    require_apart,
    shown_name,
)
from ltkm_inspect.report.reading import RecordFile
from ltkm_inspect.report.stream import RecordStream, RunOutput
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.wire import count as count_text
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
        self._run = RunOutput(waits)
        self._lines: dict[ReportTarget, RecordStream] = {}
        self._rendered: dict[ReportTarget, Place] = {}
        """The places of the other formats."""
        self._source: ReportTarget | None = None
        """The target whose lines the other formats are rendered from."""
        self._part: Path | None = None
        """The temporary file, if the source is one."""
        self.left: list[str] = []
        """A line for each temporary file that an earlier run left beside the reports."""

    def outlive_files(self, counted: Callable[[], Summary]) -> None:
        """Go on in other files, beside live traffic: `counted` returns what was counted so far, for their summaries."""
        self._run.counted = counted

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
        """The path, as typed, of a report with every finding of the run, safe to print; empty if there is none.

        It is followed by how many records are missing from it, if any are.
        """
        streams = {target: lines for target, lines in self._lines.items() if lines.path != self._part}
        targets = [*streams, *(target for target in self._rendered if target.format in COMPLETE)]
        missed = next((stream.missed for stream in streams.values()), 0)
        but = f" except for {count_text(missed, 'missing record')}" if missed else ""
        return printable(str(targets[0].path)) + but if targets else ""

    @property
    def fixed_names(self) -> list[str]:
        """The reports whose paths have codes, but that are of the whole run; safe to print."""
        return [shown_name(each, path) for each, path in self._rendered.items() if path_of(path) != each.path]

    @property
    def has_page(self) -> bool:
        """One of the reports is an HTML page."""
        return any(target.format == "html" for target in self._rendered)

    def use(self, targets: Iterable[ReportTarget], run: Record, *, private: bool = False) -> list[str]:
        """Write these reports and no others from now on. OptionError if one cannot be written; then nothing changes.

        Every file of JSON Lines begins with the record of the run. If it has changed, it is written again to files
        that are already open, and what there is to say is returned as from `write`. strftime codes in a path are
        replaced with the local time. An existing file of JSON Lines is overwritten, unless its target appends or this
        run has written to it before. `private` reports have keys in them: from then on, only their owner can read the
        reports of this run.
        """
        former, former_private = self._run.record, self._run.private
        self._run.record, self._run.private = run, former_private or private
        targets = dict.fromkeys(targets)
        rest = [each for each in targets if each.format != AS_IT_HAPPENS]
        streams = [each for each in targets if each.format == AS_IT_HAPPENS]
        if rest and self._source in self._lines and self._source not in streams:
            streams.append(self._source)  # the other formats still need it
        lines, source, new = {**self._lines}, self._source if rest else None, {}
        try:
            others = {each: path_of(self._rendered[each]) if each in self._rendered else filled(each) for each in rest}
            paths = [self._lines[each].path if each in self._lines else filled(each) for each in streams]
            require_apart([*paths, *others.values()])
            new = open_places(
                {each: path for each, path in others.items() if each not in self._rendered}, self._run.waits
            )
            for each in streams:
                if each not in lines:
                    lines[each] = self._stream(each)
            if rest and source is None and self._run.counted is None:  # beside traffic, a stream may leave its file
                source = next((each for each in streams if lines[each].path.is_file()), None)
            if rest and source is None:
                source = self._begin_part(next(iter(others.values())), lines)
        except OptionError:
            for each in lines.keys() - self._lines.keys():
                lines[each].give_up()
            close_devices(new.values())
            self._run.record, self._run.private = former, former_private
            raise
        rendered = {each: new.get(each) or self._rendered[each] for each in rest}
        kept = {each for each in self._lines if each in streams or each == source}
        if self._run.private:
            for each in kept:
                lines[each].make_private()
        said = [line for each in lines.keys() - self._lines.keys() for line in lines[each].take_said()]
        said += [line for each in self._lines.keys() - kept for line in lines.pop(each).end([])]
        close_devices(self._rendered[each] for each in self._rendered.keys() - rendered.keys())
        if self._part is not None and not rendered:
            self._part.unlink(missing_ok=True)
            self._part = None
        self._lines, self._rendered, self._source = lines, rendered, source
        return said + (self._each(kept, RecordStream.write_run) if run != former else [])

    def _stream(self, target: ReportTarget) -> RecordStream:
        with refused(target.path):
            return RecordStream(target, self._run)

    def write(self, line: Line, *, stays: bool = False) -> list[str]:
        """Append a line to every file; return what there is to say, such as which file failed.

        Beside traffic, a line that `stays` goes into the same file as the line before it, and another file may take the
        place of one that failed. Otherwise nothing more is written to those.
        """
        return self._each(self._lines, lambda stream: stream.write(line, stays=stays))

    def finish(self, lines: Iterable[str] = ()) -> list[str]:
        """Append the last lines, close every file, and render the other formats; return what there is to say.

        Beside traffic, the summary is appended as well.
        """
        last = [*lines]
        said = self._each(self._lines, lambda stream: stream.end(last))
        source = self._lines.get(self._source) if self._source is not None else None
        if source is not None and not source.failed:
            failed = render(RecordFile(source.path), self._rendered, private=self._run.private)
        else:
            why = "not written, because not all records of the run could be stored"
            failed = [f"report {shown_name(*each)}: {why}" for each in self._rendered.items()]
        if self._part is not None:
            if failed and self._part.exists():
                typed = " ".join(f"--report {shown_name(*each)}" for each in self._rendered.items())
                again = f"{PROGRAM} report {printable(str(self._part))} {typed}"
                failed.append(f"the records of the run are kept; to render them, run: {again}")
            else:
                self._part.unlink(missing_ok=True)
        self._lines, self._rendered, self._source, self._part = {}, {}, None, None
        return said + failed

    def _each(self, targets: Iterable[ReportTarget], act: Callable[[RecordStream], list[str]]) -> list[str]:
        """Do something with these streams; return what there is to say. One that fails is given up."""
        said = []
        for each in [*targets]:
            stream = self._lines[each]
            try:
                said += act(stream)
            except (OSError, ValueError) as error:
                said.append(f"report {stream.name}: {reason(error)}; nothing more is written to it")
                stream.give_up()
                del self._lines[each]
        return said

    def _begin_part(self, beside: Path, lines: dict[ReportTarget, RecordStream]) -> ReportTarget:
        """Begin the temporary file of records, under a free name, and return its target."""
        folder = beside.parent if beside.is_file() or not beside.exists() else Path(tempfile.gettempdir())
        for number in count(1):
            path = folder / f".{beside.name}.{f'{number}.' if number > 1 else ''}jsonl.part"
            if not path.exists():
                break
            self.left.append(f"{printable(str(path))} is left from a run that was killed or is still running")
        target = ReportTarget(AS_IT_HAPPENS, Path(str(path).replace("%", "%%")))
        lines[target] = self._stream(target)
        if beside.is_file() and not self._run.private:
            shutil.copymode(beside, path)
        self._part = path
        return target
