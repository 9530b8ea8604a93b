"""A comparison of captures with a log, as text, CSV and JSON."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from ltkm_inspect.export.table import rows as csv_rows
from ltkm_inspect.export.table import text_cell
from ltkm_inspect.finding import shorten
from ltkm_inspect.matching.coverage import Coverage
from ltkm_inspect.matching.deliveries import Subject
from ltkm_inspect.matching.pairing import LogMatch
from ltkm_inspect.matching.reasons import reason_of
from ltkm_inspect.matching.words import apart_text, summary_lines
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redactor import NO_REDACTOR
from ltkm_inspect.wire import time_text

SCHEMA = "ltkm-inspect/match/1"
_SIDES = {"log": "log only", "capture": "capture only", "repeated": "repeated", "both": "both"}
"""Which side has a delivery, as records say it, and for people."""


class MatchEntry(NamedTuple):
    """One delivery, with the time by which it is sorted."""

    at: float
    """By the clock of the captures; 0 if it is not known."""
    side: str
    row: int | None
    delivery: int | None


class MatchOutput:
    """What is printed of a comparison."""

    def __init__(self, match: LogMatch, *, everything: bool = False, overlap: bool = False) -> None:
        """`everything` lists also what both have; `overlap` leaves out what one side cannot have."""
        self.match = match
        self.everything = everything
        self.overlap = overlap
        self._wording = match.deliveries.wording

    @cached_property
    def entries(self) -> list[MatchEntry]:
        """What is listed, in the order of time."""
        match = self.match
        found = [self._entry("log", row, None) for row in match.only_rows]
        found += [self._entry("capture", None, each) for each in match.only_deliveries]
        if self.overlap:
            found = [entry for entry in found if not self._is_beyond(entry)]
        if self.everything:
            found += [self._entry("both", row, delivery) for delivery, row in match.row_of.items()]
            found += [self._entry("repeated", None, each) for each in match.repeated]
        return sorted(found, key=lambda entry: entry[0])

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many there are of each: of `log_only` and `capture_only` those that are listed."""
        match = self.match
        ours = sum(entry.side == "log" for entry in self.entries)
        theirs = sum(entry.side == "capture" for entry in self.entries)
        only = sum(1 for _ in match.only_rows) + sum(1 for _ in match.only_deliveries)
        beyond = only - ours - theirs if self.overlap else sum(map(self._is_beyond, self.entries))
        return {
            "deliveries": len(match.deliveries.found),
            "rows": len(match.log.lines),
            "unread": match.log.unread,
            "matched": len(match.row_of),
            "log_only": ours,
            "capture_only": theirs,
            "repeated": len(match.repeated),
            "beyond": beyond,
        }

    @property
    def differs(self) -> bool:
        """One side has a delivery that the other lacks."""
        return bool(self.counts["log_only"] or self.counts["capture_only"])

    @cached_property
    def reason(self) -> str:
        """Why nothing matches; empty if something does, or there is nothing to match."""
        match = self.match
        return reason_of(match, self._wording.terminal) if match.log.lines and not match.row_of else ""

    def lines(self, format: str) -> Iterator[str]:
        """Yield the comparison in that format, line by line."""
        match format:
            case "csv":
                yield from self._csv()
            case "json":
                yield from self._json()
            case _:
                # if nothing matches, all is a difference, and the reason is what helps
                yield from () if self.reason else map(self._line, self.entries)
                yield from (f"summary: {line}" for line in self.summary)

    @property
    def summary(self) -> Iterator[str]:
        """The summary, and why nothing matches."""
        yield from summary_lines(self)
        if self.reason:
            yield f"nothing matches: {self.reason}"

    def _entry(self, side: str, row: int | None, delivery: int | None) -> MatchEntry:
        at = None if delivery is None else self.match.deliveries.found[delivery].at
        if row is not None and delivery is None:
            at = self.match.clock.of_log(self.match.log.times[row])
        return MatchEntry(at or 0.0, side, row, delivery)

    def _is_beyond(self, entry: MatchEntry) -> bool:
        """Tell whether the other side cannot have it."""
        other = self._others.get(entry.side)
        return other is not None and not other.has(self._subject(entry).name, entry.at, self.match.window)

    @cached_property
    def _others(self) -> dict[str, Coverage]:
        """What the other side of each side covers."""
        return {"log": Coverage.of_captures(self.match), "capture": Coverage.of_log(self.match)}

    def _subject(self, entry: MatchEntry) -> Subject:
        if entry.delivery is not None:
            return self.match.deliveries.found[entry.delivery].subject
        assert entry.row is not None
        return self.match.log.known_subjects[self.match.log.subjects[entry.row]]

    @cached_property
    def _spellings(self) -> dict[tuple[str | None, str | None], str]:
        """How the captures spell B-TIDs, with realm and without: under redaction each has one name on both sides."""
        found: dict[tuple[str | None, str | None], str] = {}
        for each in self.match.deliveries.found:
            found[each.subject.name, each.subject.realm] = found[each.subject.name, None] = each.b_tid
        return found

    def _name(self, text: str) -> str | None:
        """Return what people call a key or a B-TID; None if they do not."""
        return self._wording.names.of_selector(text) or None

    def _record(self, entry: MatchEntry) -> dict[str, Any]:
        """Return one delivery as data for JSON."""
        match, subject = self.match, self._subject(entry)
        row, delivery = entry.row, None if entry.delivery is None else match.deliveries.found[entry.delivery]
        log, ts = match.log, None if delivery is None else delivery.ts
        b_tid = None if delivery is None else delivery.b_tid
        if row is not None and delivery is None:
            ts = log.values[row] if "ts" in log.columns else None
            text = log.b_tids[log.subjects[row]]
            b_tid = self._spellings.get((subject.name, subject.realm)) or (self._wording.terminal(text) if text else "")
        return {
            "side": entry.side,
            "time": time_text(entry.at or None),
            "log_time": None if row is None else time_text(log.times[row]),
            "line": None if row is None else log.lines[row],
            "file": None if delivery is None else delivery.file,
            "number": None if delivery is None else delivery.number,
            "id": None if delivery is None else delivery.id,
            "item": None if delivery is None else delivery.item,
            "ltkm": None if delivery is None else delivery.ltkm,
            "b_tid": b_tid or None,
            "terminal_name": self._name(b_tid or "") if self._wording.redaction is None else None,
            "key_domain_id": None if subject.domain is None else subject.domain.hex(),
            "msk_id": None if subject.msk is None else subject.msk.hex(),
            "key_name": self._name(subject.key) if subject.domain is not None else None,
            "ts": ts,
            "faults": [] if delivery is None else list(delivery.faults),
            "beyond": self._is_beyond(entry),
            "note": self._note(entry),
        }

    def _note(self, entry: MatchEntry) -> str:
        """Return what else is to be said of a delivery; empty if nothing is."""
        match = self.match
        if entry.side == "log" and entry.row is not None:
            near = match.near_rows.get(entry.row)
            if near is not None and near.is_paired:
                return f"repeats line {match.log.lines[match.row_of[near.other]]}"
            return "" if near is None else f"the captures have it {apart_text(-near.apart)}"
        if entry.delivery is None:
            return ""
        if entry.side == "repeated":
            return f"repeats {match.deliveries.found[match.repeated[entry.delivery]].id}"
        near = match.near_deliveries.get(entry.delivery)
        if entry.side != "capture" or near is None:
            is_unread = entry.side == "capture" and match.deliveries.found[entry.delivery].ts is None
            return "no TS can be read in it" if is_unread else ""
        line = match.log.lines[near.other]
        return (
            f"repeats the delivery of line {line}" if near.is_paired else f"line {line} has it {apart_text(near.apart)}"
        )

    def _line(self, entry: MatchEntry) -> str:
        record = self._record(entry)
        at = record["time"] or "(no time)"
        places = [f"line {record['line']}"] if record["line"] is not None else []
        if record["id"] is not None:
            item = [] if record["item"] is None else [f"item {record['item']}"]
            places += [f"{shorten(record['file'], 200)} #{record['number']}", *item, f"LTKM {record['ltkm']}"]
        key = self._subject(entry).key
        parts = [f"B-TID {shorten(record['b_tid'])}{_named(record['terminal_name'])}"] if record["b_tid"] else []
        parts += [f"MSK {key}{_named(record['key_name'])}"] if key else []
        parts += [f"TS {record['ts']}"] if record["ts"] is not None else []
        faults = "".join(f" [fault {shorten(fault)}]" for fault in record["faults"])
        remarks = [record["note"], "beyond what the other side covers" if record["beyond"] else ""]
        note = "; ".join(filter(None, remarks))
        return f"{at} {_SIDES[entry.side]}: {', '.join(places + parts)}{faults}{f' ({note})' if note else ''}"

    def _csv(self) -> Iterator[str]:
        for number, entry in enumerate(self.entries, 1):
            cells = {name: _cell(value) for name, value in self._record(entry).items()}
            yield csv_rows(cells, number).decode().removesuffix("\r\n")

    def _json(self) -> Iterator[str]:
        match = self.match
        log, table = match.log, match.log.table
        head = to_json(
            {
                "schema": SCHEMA,
                "captures": [*dict.fromkeys(each.file for each in match.deliveries.found)],
                "log": {
                    "encoding": table.encoding,
                    "separator": table.separator,
                    "columns": {name: column.name for name, column in log.columns.items()},
                    "guessed": log.is_guessed,
                    "read_as": log.readings.names(log.columns),
                },
                "window": match.window,
                "clock": [each.plain for each in match.clock.offsets],
                "clock_by_order": match.clock.by_order,
                "counts": self.counts,
                "reason": self.reason or None,
                "summary": [*self.summary],
            }
        )
        yield f'{head[:-1]},"deliveries":['
        for number, entry in enumerate(self.entries, 1):
            yield to_json(self._record(entry)) + ("," if number < len(self.entries) else "")
        yield "]}"


def _named(name: str | None) -> str:
    return f" ({shorten(name)})" if name else ""


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return text_cell("" if value is None else " ".join(value) if isinstance(value, list) else str(value), NO_REDACTOR)
