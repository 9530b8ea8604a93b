"""The heartbeat of a running proxy: what was seen since the last one, as a record and as lines."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect.engine.own_findings import PASSED_UNCHECKED
from ltkm_inspect.finding import VERDICTS, Level
from ltkm_inspect.report.blind_spots import SHOWN, BlindSpots, unchecked_text
from ltkm_inspect.report.summary import Summary, late_text
from ltkm_inspect.traffic import DatagramKind, events_text
from ltkm_inspect.wire import count, inert, time_text

HEARTBEAT_SCHEMA = "ltkm-inspect/heartbeat/1"
SERVER_ERROR = 500
"""The status from which the server says that something is wrong with it (RFC 9110 15.6)."""
LEAST_JUMP = 5.0
"""By how many seconds the clock must jump between two heartbeats to be mentioned."""


@dataclass(slots=True)
class Heartbeat:
    """What a proxy saw in some time."""

    started: float
    ended: float
    """Seconds since 1970 UTC."""
    seen: Summary
    """The exchanges, datagrams and findings of this time."""
    blind_spots: BlindSpots
    """What could not be looked into in this time, as it may be shown."""
    flows: int = 0
    """Flows that began."""
    connections: int = 0
    """Clients that connected."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Responses of MSK exchanges, by status."""
    latest: float | None = None
    """When the latest exchange or datagram of the run was seen."""
    jump: float = 0.0
    """By how many seconds the clock ran ahead of the time that has passed; negative if it fell behind."""
    final: bool = False
    """It is the one at the end of the run."""

    @property
    def record(self) -> dict[str, Any]:
        """The record for JSON Lines."""
        seen = self.seen
        return {
            "schema": HEARTBEAT_SCHEMA,
            "started": time_text(self.started),
            "ended": time_text(self.ended),
            "final": self.final,
            "clock_jump": round(self.jump) if abs(self.jump) >= LEAST_JUMP else 0,
            "flows": self.flows,
            "connections": self.connections,
            "exchanges": seen.exchanges,
            "statuses": [{"status": status, "number": self.statuses[status]} for status in sorted(self.statuses)],
            "datagrams": {kind.key: seen.datagrams[kind.key] for kind in DatagramKind},
            "ltkms": seen.ltkms,
            "verdicts": {verdict: seen.verdicts[verdict] for verdict in VERDICTS},
            "findings": [
                {"rule": rule, "level": level.word, "number": number} for level, rule, number in seen.by_rule()
            ],
            "unchecked": {reason: seen.unchecked[reason] for reason in PASSED_UNCHECKED},
            "late": seen.late,
            "latest": time_text(self.latest),
            **self.blind_spots.fields(),
        }


def lines(record: Mapping[str, Any]) -> list[tuple[Level, str]]:
    """Return the lines of a heartbeat, safe to print, from its record: a warning for each blind spot, else notes.

    The one at the end of a run has none: the lines of the summary say the same of the whole run.
    """
    if record["final"]:
        return []
    notes = [(Level.NOTE, line) for line in _seen_lines(record)]
    return [(level, f"heartbeat: {inert(line)}") for level, line in (*notes, *_blind_lines(record))]


def _seen_lines(record: Mapping[str, Any]) -> Iterator[str]:
    levels = dict.fromkeys((Level.VIOLATION.word, Level.WARNING.word), 0)
    for each in record["findings"]:
        levels[each["level"]] = levels.get(each["level"], 0) + each["number"]
    datagrams = sum(record["datagrams"].values())
    findings = ", ".join(count(number, word) for word, number in levels.items())
    flows = f"{count(record['flows'], 'flow')} and {count(record['connections'], 'client connection')}"
    events = events_text(record["exchanges"], datagrams)
    yield f"{_clock(record['started'])} to {_clock(record['ended'])}: {flows}; {events}, {findings}"
    if record["clock_jump"]:
        yield f"the clock jumped by {record['clock_jump']:+} seconds: it was set, or the computer slept"
    for each in record["findings"][:SHOWN]:
        yield f"{each['level']} {each['rule']}: {each['number']}"
    if len(record["findings"]) > SHOWN:
        yield f"{count(len(record['findings']) - SHOWN, 'more rule')} broken"


def _without_flow(record: Mapping[str, Any], spots: BlindSpots) -> str:
    """Say why there is no flow at all; empty where there is one, or where failed handshakes explain it."""
    if record["flows"]:
        return ""
    if not record["connections"]:
        return "; no client connected to the proxy"
    if record["connections"] <= spots.failed_handshakes:
        return ""
    return "; connections without a flow pass unread (see --allow-hosts and --ignore-hosts) or have no request yet"


def _blind_lines(record: Mapping[str, Any]) -> Iterator[tuple[Level, str]]:
    spots = BlindSpots()
    spots.add_record(record)
    if any(each["status"] >= SERVER_ERROR for each in record["statuses"]):
        answers = ", ".join(f"{each['number']} with {each['status']}" for each in record["statuses"][:SHOWN])
        yield Level.WARNING, f"responses: {answers}"
    if not record["exchanges"] and not any(record["datagrams"].values()):
        latest = _clock(record["latest"], record["ended"])
        since = f"no MSK exchange since {latest}" if latest else "no MSK exchange yet"
        seen = f"seen instead: {others}" if (others := spots.other_line()) else "no other flow either"
        yield Level.NOTE, f"{since}; {seen}{_without_flow(record, spots)}"
    if text := unchecked_text(record["unchecked"], PASSED_UNCHECKED):
        yield Level.WARNING, f"not checked in full: {text}"
    if late := record.get("late", 0):
        yield Level.WARNING, late_text(late)
    for line in spots.handshake_lines():
        yield Level.WARNING, line


def _clock(time: str | None, now: str | None = None) -> str:
    """Return a time to the second: without its date, unless it is another day now; empty without a time."""
    if time is None:
        return ""
    date = "" if now is None or time[:10] == now[:10] else f"{time[:10]} "
    return f"{date}{time[11:19]}Z"
