"""The records of a run in files of JSON Lines, written during the run.

Beside live traffic, a stream outlives its file. It goes on in another one if the codes of its path give another path or
if the file was moved or deleted. If it cannot write, it counts what is missing and tries again. Each file begins with a
record of the run and ends with a summary of what was counted since it began.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ltkm_inspect.options.files import ReportTarget
from ltkm_inspect.output.console import reason
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.jsonl import Record, missing_record, part_record, summary_record
from ltkm_inspect.report.line_file import Line, LineFile
from ltkm_inspect.report.places import filled
from ltkm_inspect.report.summary import Summary, missing_line
from ltkm_inspect.wire import printable

RETRY = 1.0
"""Seconds after which a stream that could not write tries again."""
MOST_FILES = 10_000
"""How many of its files a run remembers."""


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _second() -> int:
    """Return the time in seconds: strftime gives another path no more often."""
    return int(time.time())


@dataclass(eq=False)
class RunOutput:
    """What the streams of a run have in common."""

    waits: bool
    """Wait for a slow reader of a pipe."""
    counted: Callable[[], Summary] | None = None
    """Returns what was counted so far in live traffic. Without it, a stream has one file, and fails if that fails."""
    record: Record = field(default_factory=dict)
    """The record of the run."""
    private: bool = False
    """The records have keys in them."""
    begun: dict[Path, None] = field(default_factory=dict)
    """The latest `MOST_FILES` that this run has begun: it appends to them."""


@dataclass(slots=True)
class _MissingRecords:
    """Records that could not be written."""

    reason: str
    records: int = 0
    first: float = 0.0
    last: float = 0.0
    """When the first and the last one were to be written, in seconds since 1970 UTC."""
    retry: float = 0.0
    """When to try again, on the monotonic clock."""

    def add(self) -> None:
        self.last = time.time()
        self.first = self.first or self.last
        self.records += 1

    @property
    def record(self) -> Record:
        return missing_record(self.records, self.first, self.last, self.reason)


class RecordStream:
    """The files of one report, one after the other."""

    failed = False
    """Its last file has no end."""
    missed = 0
    """How many records could not be written."""

    def __init__(self, target: ReportTarget, run: RunOutput) -> None:
        """Begin the first file; OSError if that fails."""
        self.path = filled(target)
        """The file that is written now."""
        self._target = target
        self._run = run
        self._file: LineFile | None = None
        self._head: Record = {"part": 0}
        """The record that the file begins with."""
        self._head_is_missing = False
        """It changed, and that could not be written."""
        self._gap: _MissingRecords | None = None
        self._before = self._counted()
        """What was counted before the file began."""
        self._second = -1
        """When it was seen that the file is the right one."""
        self._said: list[str] = []
        file = self._begin(self.path, [])
        self._outlives = run.counted is not None and not file.is_device

    @property
    def name(self) -> str:
        """The path of the file, safe to print."""
        return printable(str(self.path))

    def take_said(self) -> list[str]:
        """Return what there is to say about the file, once."""
        said, self._said = self._said, []
        return said

    def write(self, line: Line, *, stays: bool = False) -> list[str]:
        """Append a line; return what there is to say about the file. OSError if the stream does not outlive an error.

        A line that `stays` goes into the same file as the one before it.
        """
        if not self._outlives:
            self._put(line)
        elif self._gap is not None and time.monotonic() < self._gap.retry:
            self._gap.add()
            self.missed += 1
        else:
            try:
                if not stays and (second := _second()) != self._second:
                    self._turn()
                    self._second = second
                self._put(line)
            except OSError as error:
                self._miss(error)
        return self.take_said()

    def write_run(self) -> list[str]:
        """Append the record of the run as it is now."""
        self._head = {**self._run.record, "part": self._head["part"], "opened": self._head["opened"]}
        said = self.write(to_json(self._head), stays=True)
        self._head_is_missing = self._gap is not None
        return said

    def end(self, lines: Iterable[str]) -> list[str]:
        """Append the last lines and close the file; return what failed."""
        last = [*lines, *self._summary_lines()]
        try:
            if last:
                self._put(*last)
            if self._file is not None:
                self._file.close()
        except OSError as error:
            self.failed = True
            self.give_up()
            lost = "" if self._gap is None else f"; {missing_line(self._gap.record)}"
            return [f"report {self.name}: {reason(error)}{lost}"]
        return self._said

    def give_up(self) -> None:
        """Close the file as it is."""
        if self._file is not None:
            self._file.give_up()

    def make_private(self) -> None:
        """Let only the owner read the file."""
        if self._file is not None:
            self._file.make_private()

    def _turn(self) -> None:
        """End the file if the next line does not belong there. OSError if it cannot be ended, nor another one begun."""
        file, path = self._file, filled(self._target)
        if file is None:
            self.path = path
            return
        is_cut, is_in_place = file.was_cut, file.is_in_place
        if path == file.path and is_in_place and not is_cut:
            return
        try:
            if not is_cut:
                self._put(*self._summary_lines())
        except OSError as error:
            self._begin(path, [])
            self._said.append(f"report {file.name}: its end could not be written: {reason(error)}")
        else:
            self._file, self.path, self._before = None, path, self._counted()
        if path == file.path:
            happened = "was cut short by another program" if is_in_place else "was moved or deleted"
            self._said.append(f"report {file.name} {happened}; going on in a new file")
        file.give_up()

    def _put(self, *lines: Line) -> None:
        """Append lines behind a record of what is missing, all or none of them; begin a file if none is open."""
        if self._gap is not None:
            changed = [to_json(self._head)] if self._file is not None and self._head_is_missing else []
            lines = (to_json(self._gap.record), *changed, *lines)
        if self._file is None:
            self._begin(self.path, lines)
        else:
            self._file.append(*lines)
        if self._gap is not None:
            self._said.append(f"report {self.name}: written again; {missing_line(self._gap.record)}")
            self._gap = None
            self._head_is_missing = False

    def _begin(self, path: Path, lines: Iterable[Line]) -> LineFile:
        """Begin a file with the record of the run and these lines."""
        head = self._run.record
        if self._run.counted is not None:
            head = part_record(head, self._head["part"] + 1, time.time())
        if path != self._target.path:  # it has codes: like mitmproxy's own files
            path.parent.mkdir(parents=True, exist_ok=True)
        appends = self._target.appends or path in self._run.begun
        if not appends and self._run.counted is not None and not self._head["part"] and _has_content(path):
            self._said.append(f"report {printable(str(path))}: overwriting what was in it; + before the path appends")
        file = LineFile.open(path, appends=appends, waits=self._run.waits, private=self._run.private)
        try:
            file.append(to_json(head), *lines)
        except BaseException:
            file.discard()
            raise
        self._file, self._head, self.path = file, head, path
        self._run.begun[path] = None
        if len(self._run.begun) > MOST_FILES:
            del self._run.begun[next(iter(self._run.begun))]
        return file

    def _miss(self, error: OSError) -> None:
        if self._gap is None:
            self._gap = _MissingRecords(error.strerror or type(error).__name__)
            self._said.append(f"report {self.name}: {reason(error)}; records are missing until it can be written")
        self._gap.add()
        self.missed += 1
        self._gap.retry = time.monotonic() + RETRY

    def _counted(self) -> Summary:
        return Summary() if self._run.counted is None else self._run.counted().since(Summary())

    def _summary_lines(self) -> list[str]:
        if self._run.counted is None:
            return []
        return [to_json(summary_record(self._run.counted().since(self._before)))]
