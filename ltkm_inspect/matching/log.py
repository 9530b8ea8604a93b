"""The rows of a log, read as deliveries, and kept in little memory: a log may have millions."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from ltkm_inspect.finding import shorten
from ltkm_inspect.matching import columns as naming
from ltkm_inspect.matching.columns import LogColumns
from ltkm_inspect.matching.deliveries import Deliveries, Subject, subject
from ltkm_inspect.matching.table import LogError, LogRow, LogTable
from ltkm_inspect.matching.times import LogTimes, log_times, of_format
from ltkm_inspect.matching.values import (
    BY_TIME,
    DOMAIN_READINGS,
    MSK_READINGS,
    TS_READINGS,
    CellReading,
    b_tid_of,
    likeliest,
)
from ltkm_inspect.output.console import MOST_LINES
from ltkm_inspect.wire.key_text import is_key_text

_SAMPLE = 1000
"""How many rows tell how the cells are to be read."""
_WANTED = {"time": "a time", "b_tid": "a B-TID", "key_domain": "a Key Domain ID", "msk": "an MSK ID", "ts": "a TS"}


@dataclass(frozen=True, slots=True)
class LogReadings:
    """How the cells of a log are read."""

    times: LogTimes
    domain: CellReading[bytes]
    msk: CellReading[tuple[bytes | None, bytes]]
    ts: CellReading[int]

    @classmethod
    def of(cls, columns: LogColumns, rows: Sequence[LogRow], deliveries: Deliveries, time_format: str) -> "LogReadings":
        """Return the readings that fit these rows, and what the captures have."""
        samples = {name: [*filter(None, (column.text(row.cells) for row in rows))] for name, column in columns.items()}
        found, near = deliveries.found, deliveries.first
        pairs = {(each.subject.domain, each.subject.msk) for each in found}
        return cls(
            of_format(time_format, near) if time_format else log_times(samples["time"], near),
            likeliest(DOMAIN_READINGS, samples.get("key_domain", ()), {domain for domain, _ in pairs}),
            likeliest(MSK_READINGS, samples.get("msk", ()), {*pairs, *((None, msk) for _, msk in pairs)}),
            likeliest(TS_READINGS, samples.get("ts", ()), {ts for each in found for ts in (each.ts, each.seconds)}),
        )

    def names(self, columns: LogColumns) -> dict[str, str]:
        """Return how each column is read, for people."""
        named: dict[str, Any] = {"time": self.times, "key_domain": self.domain, "msk": self.msk, "ts": self.ts}
        return {name: each.name for name, each in named.items() if name in columns}

    @property
    def compares_seconds(self) -> bool:
        """The TS of the log is only known in whole seconds."""
        return self.ts.name == BY_TIME


class _UnreadCellError(ValueError):
    """One cell cannot be read."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(column)
        self.column = column
        self.text = text


@dataclass(slots=True)
class BsmLog:
    """What the log of a BSM says, row by row."""

    table: LogTable
    columns: LogColumns
    readings: LogReadings
    is_guessed: bool
    """The columns are guessed from the headers."""
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    """The line of each row in the file."""
    times: "array[float]" = field(default_factory=lambda: array("d"))
    """The time of each row, in seconds since 1970 UTC by the clock of the log."""
    subjects: "array[int]" = field(default_factory=lambda: array("l"))
    """Who gets which key, as an index of `known_subjects`."""
    values: "array[int]" = field(default_factory=lambda: array("Q"))
    """The TS of each row; 0 if the log has no such column."""
    known_subjects: list[Subject] = field(default_factory=list)
    b_tids: list[str] = field(default_factory=list)
    """The B-TID of each known subject as the log spells it; empty without one."""
    unread: int = 0
    """Rows that cannot be read."""
    problems: list[str] = field(default_factory=list)
    """Why the first of them cannot be read, safe to print."""
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    """The index of each known subject, by the texts of its cells."""

    @classmethod
    def read(
        cls, table: LogTable, deliveries: Deliveries, typed: dict[str, str], time_format: str, *, shows_cells: bool
    ) -> "BsmLog":
        """Read all rows of a log, to be compared with these deliveries; LogError if it lacks columns or no row fits.

        If `shows_cells` is false, what is said of rows that cannot be read does not repeat their cells.
        """
        columns = naming.chosen(typed, table.headers) if typed else naming.guessed(table.headers)
        sample = [*islice(table.rest, _SAMPLE)]
        readings = LogReadings.of(columns, sample or [table.first], deliveries, time_format)
        log = cls(table, columns, readings, not typed)
        if typed and all(text.isdigit() for text in typed.values()):
            log._take([table.first], shows_cells)  # data, if it can be read: by numbers, headers are not needed
            log.unread = 0
            log.problems.clear()
        log._take(chain(sample, table.rest), shows_cells)
        if log.problems and not log.lines:
            raise LogError(f"no row can be read: {log.problems[0]}")
        return log

    def _take(self, rows: Iterable[LogRow], shows_cells: bool) -> None:
        for row in rows:
            problem = row.problem
            try:
                if not problem:
                    self._add(row)
                    continue
            except _UnreadCellError as error:
                if len(self.problems) < MOST_LINES:
                    problem = self._problem(error, shows_cells)
            self.unread += 1
            if len(self.problems) < MOST_LINES:
                self.problems.append(f"line {row.line}: {problem}")

    def _add(self, row: LogRow) -> None:
        """Keep a row; _UnreadCellError for one of its cells."""
        cells, columns, readings = row.cells, self.columns, self.readings
        at = _read("time", columns["time"].text(cells), readings.times.read)
        texts = tuple([columns[name].text(cells) for name in ("b_tid", "key_domain", "msk") if name in columns])
        place = self._places.get(texts)
        if place is None:
            place = self._new_subject(dict(zip((each for each in _WHO if each in columns), texts, strict=True)))
            self._places[texts] = place
        value = _read("ts", columns["ts"].text(cells), readings.ts.read) if "ts" in columns else 0
        self.lines.append(row.line)
        self.times.append(at)
        self.subjects.append(place)
        self.values.append(value)

    def _new_subject(self, texts: dict[str, str]) -> int:
        readings = self.readings
        b_tid = _read("b_tid", texts["b_tid"], b_tid_of) if "b_tid" in texts else None
        msk = _read("msk", texts["msk"], readings.msk.read) if "msk" in texts else None
        if "key_domain" in texts:
            domain = _read("key_domain", texts["key_domain"], readings.domain.read)
            msk = (domain, b"" if msk is None else msk[1])
        found = subject(b_tid, msk)
        self.known_subjects.append(found if found.msk else found._replace(msk=None))
        self.b_tids.append(texts.get("b_tid", ""))
        return len(self.known_subjects) - 1

    def _problem(self, error: _UnreadCellError, shows_cells: bool) -> str:
        name, text = error.column, error.text
        got = "nothing" if not text else "other text (not shown)"
        if text and shows_cells and not is_key_text(text):
            got = shorten(text)
        hint = "; see --time-format" if name == "time" and text else ""
        return f"column {shorten(self.columns[name].name)}: expected {_WANTED[name]}, got {got}{hint}"

    @property
    def first(self) -> float:
        """The earliest time, by the clock of the log; there must be a row."""
        return min(self.times)

    @property
    def last(self) -> float:
        """The latest time."""
        return max(self.times)


_WHO = ("b_tid", "key_domain", "msk")


def _read[V](name: str, text: str, read: Callable[[str], V]) -> V:
    try:
        if text:
            return read(text)
    except (ValueError, OverflowError):
        pass
    raise _UnreadCellError(name, text)
