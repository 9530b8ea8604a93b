"""The records of a run as JSON Lines. Every other report format is made from them.

`schemas/records.json` describes every field. `ltkm-inspect report --schema` prints it, and `docs/records.md` shows it.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from ltkm_inspect import __version__
from ltkm_inspect.capture.unread import UNREAD
from ltkm_inspect.engine.own_findings import PASSED_UNCHECKED
from ltkm_inspect.finding import VERDICTS, Answer, Level, Report
from ltkm_inspect.mikey import Room
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.output.json_line import quoted, to_json
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.evidence import evidence
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.report.record_parts import (
    finding_record,
    findings_left_out,
    gap_record,
    hex_or_none,
    item_record,
    ltkm_record,
)
from ltkm_inspect.report.summary import Summary, by_rule
from ltkm_inspect.selection import short_name
from ltkm_inspect.session import Muk, MukHistory, Session
from ltkm_inspect.traffic import Datagram, DatagramKind, Item, Ltkm
from ltkm_inspect.wire import printable_octets, time_text

type Record = Mapping[str, Any]
"""One object of JSON Lines."""

RUN_SCHEMA = "ltkm-inspect/run/1"
EXCHANGE_SCHEMA = "ltkm-inspect/exchange/1"
DATAGRAM_SCHEMA = "ltkm-inspect/datagram/1"
SESSION_SCHEMA = "ltkm-inspect/session/1"
SUMMARY_SCHEMA = "ltkm-inspect/summary/1"
MISSING_SCHEMA = "ltkm-inspect/missing/1"
LARGE, PIECES = 1 << 16, 8
"""A document of more than this many octets has its record encoded in pieces, one per payload: this many levels deep."""
LEAST_PARTS = 1000
"""How many parts (items, LTKMs, payloads, …) a record has room for, however small the response is."""
OCTETS_OF_PART = 16
"""Each 16 octets of the response make room for one more part. A clean response has about 32 octets per part."""
PARTS_OF_ITEM = 4
"""How many parts an item counts as, without its LTKMs: an empty item has 10 octets, and its record 120."""


def write(records: Iterable[Record], file: TextIO) -> None:
    """Write records, one per line."""
    for record in records:
        file.write(to_json(record) + "\n")


def run_record(
    sources: Sequence[str] | None,
    values: Mapping[str, Any],
    redaction: Redaction | None = None,
    *,
    started: float | None = None,
) -> Record:
    """Return the first record of a run that started at this time (seconds since 1970 UTC; default: now).

    `values` are the options as typed, by the names of the option table. It is the record of the first file of the run,
    which begins with the run; `part_record` makes those of the others.
    """
    began = time_text(time.time() if started is None else started)
    options = {name: _option_value(values[name]) if name in values else None for name in DEFAULTS}
    return {
        "schema": RUN_SCHEMA,
        "version": __version__,
        "started": began,
        "part": 1,
        "opened": began,
        "sources": None if sources is None else list(sources),
        "options": options if redaction is None else redaction.options(options),
        "redacted": redaction is not None,
    }


def part_record(run: Record, part: int, opened: float) -> Record:
    """Return the record of a run for the file of that number, which begins at this time (seconds since 1970 UTC)."""
    return {**run, "part": part, "opened": time_text(opened)}


def missing_record(records: int, first: float, last: float, reason: str) -> Record:
    """Return the record that stands for records that could not be written, the first and the last at these times."""
    times = {"first": time_text(first), "last": time_text(last)}
    return {"schema": MISSING_SCHEMA, "records": records, **times, "reason": reason}


def exchange_record(
    report: Report,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
    *,
    for_page: bool = False,
) -> Record:
    """Return the record of one exchange, read from this file."""
    fields = _exchange_fields(report, file, keys, redactor, for_page=for_page)
    return {**fields, "outcomes": outcomes(report, redactor)}


def outcomes(report: Report, redactor: Redactor = NO_REDACTOR) -> Record:
    """Return what each rule answers."""
    found = {rule: {"answer": each.answer.value, "reason": each.reason} for rule, each in report.outcomes.items()}
    redacted: Record = redactor.plain(found)
    return redacted


def _exchange_fields(report: Report, file: str | None, keys: Keys, redactor: Redactor, *, for_page: bool) -> Record:
    """Return the record of one exchange without its outcomes.

    It contains request and response if something is wrong, or if it is for an HTML page, which shows those of every
    exchange. They make a record a tenth larger and a third slower, and most exchanges of a long run are clean.
    """
    exchange, terminal = report.exchange, report.terminal
    document = exchange.document
    # The report must not delay live traffic, so only LTKMs that the rules have decoded are listed.
    checked_ltkms = frozenset(document.ltkms[: exchange.limits.ltkms]) if document else frozenset()
    octets = exchange.content.octets if exchange.content is not None else None
    listing = _Listing(checked_ltkms, keys, redactor, Room(LEAST_PARTS + len(octets or b"") // OCTETS_OF_PART))
    origin, verdict, findings = event_fields(report, redactor)
    record: dict[str, Any] = {
        "schema": EXCHANGE_SCHEMA,
        "file": file,
        "id": exchange.id,
        "number": report.number,
        "method": exchange.request.method,
        "url": exchange.request.url,
        "status": exchange.response.status if exchange.response is not None else None,
        **origin,
        "answers": terminal.answers or None,
        "replaces": redactor.terminal(terminal.replaces) if terminal.replaces else None,
        **verdict,
        "items": listing.items(document.items) if document else [],
        "ltkms_outside": listing.ltkms([each.ltkm for each in document.elements_outside_items]) if document else [],
        **findings,
    }
    record["more"] = {
        "items": listing.items_left_out,
        "ltkms": listing.ltkms_left_out,
        **findings_left_out(report),
    }
    messages: Record = {"request": None, "response": None}
    if report.findings or report.accepted or exchange.faults or for_page:
        messages = evidence(report, checked_ltkms, redactor, show_keys=keys.show)
    return {**redactor.plain(record), **messages}


def event_fields(report: Report, redactor: Redactor = NO_REDACTOR) -> tuple[dict[str, Any], ...]:
    """Return the fields that the records of exchanges and datagrams have in common.

    There are three groups: when and where it took place, what became of it, and what the rules found. The outcomes are
    left to `outcomes`.
    """
    event, terminal = report.event, report.terminal
    answers = [outcome.answer for outcome in report.outcomes.values()]
    origin = {
        "started": time_text(event.started),
        "ended": time_text(event.ended),
        "client": event.client,
        "server": event.server,
        "terminal": redactor.terminal(terminal.key or event.terminal),
        "terminal_name": terminal_name(report, redactor),
        "identity": redactor.terminal(terminal.identity) if terminal.identity else None,
        "names": redactor.names.plain,
    }
    verdict = {
        "error": event.error,
        "damage": [gap_record(gap) for gap in event.damage],
        "lacks": [gap_record(gap) for gap in event.lacks],
        "late": False,  # who inspected it late knows
        "faults": list(event.faults),
        "verdict": report.verdict,
        "counts": {
            **({} if isinstance(event, Datagram) else {"items": report.items}),
            "ltkms": report.ltkms,
            "violations": report.count(Level.VIOLATION),
            "warnings": report.count(Level.WARNING),
            "notes": report.count(Level.NOTE),
            **{answer.key: answers.count(answer) for answer in Answer},
        },
    }
    findings = {
        "findings": [finding_record(finding) for finding in report.findings],
        "accepted": [{**finding_record(finding), "reason": finding.accepted} for finding in report.accepted],
        "notes": [finding_record(note) for note in report.notes],
        "outcomes": None,
    }
    return origin, verdict, findings


def session_record(session: Session, wording: Wording = PLAIN) -> Record:
    """Return the record of a session: its terminals, ordered by first exchange, and its MUKs, ordered by identities."""
    shown, redaction = wording.terminal, wording.redaction
    muks = sorted(session.muks.items(), key=lambda entry: entry[0])
    b_tids = [b_tid for each in session.terminals for b_tid in (each.terminal, *each.former)]
    b_tids += [printable_octets(identity) for muk, _ in muks for identity in muk]
    return {
        "schema": SESSION_SCHEMA,
        "terminals": [
            {
                "terminal": shown(each.terminal),
                "former": list(map(shown, each.former)),
                "exchanges": each.exchanges,
                "first": time_text(each.first),
                "last": time_text(each.last),
            }
            for each in session.terminals
        ],
        "muks": [_muk(muk, protected, redaction) for muk, protected in muks],
        "names": wording.names.of_b_tids(b_tids).plain if redaction is None else None,
        "forgotten": dict(session.forgotten),
    }


def summary_record(summary: Summary) -> Record:
    """Return the record of a whole run."""
    return {
        "schema": SUMMARY_SCHEMA,
        "exchanges": summary.exchanges,
        "datagrams": {kind.key: summary.datagrams[kind.key] for kind in DatagramKind},
        "others": summary.others,
        "unselected": summary.unselected,
        "forgotten": summary.forgotten["exchanges"],
        "damaged": summary.damaged,
        "verdicts": {verdict: summary.verdicts[verdict] for verdict in VERDICTS},
        "counts": {
            "items": summary.items,
            "ltkms": summary.ltkms,
            "violations": summary.total(Level.VIOLATION),
            "warnings": summary.total(Level.WARNING),
            "notes": summary.notes,
            **{answer.key: summary.answers[answer] for answer in Answer},
        },
        "findings": [
            {"rule": rule, "level": level.word, "number": number} for level, rule, number in summary.by_rule()
        ],
        "accepted": [
            {"rule": rule, "level": level.word, "number": number} for level, rule, number in by_rule(summary.accepted)
        ],
        "baseline": summary.baseline,
        "faulted": {
            "exchanges": summary.faulted,
            "violations": summary.faulted_findings[Level.VIOLATION],
            "warnings": summary.faulted_findings[Level.WARNING],
        },
        "unread": {kind: summary.unread[kind] for kind in UNREAD},
        "waiting": dict(sorted(summary.waiting.items())),
        "unchecked": {reason: summary.unchecked[reason] for reason in PASSED_UNCHECKED},
        "late": summary.late,
    }


def exchange_line(
    report: Report,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
    *,
    for_page: bool = False,
) -> str:
    """Return the record of `exchange_record` as a line of JSON, without a line end."""
    content = report.exchange.content
    is_large = content is not None and len(content.octets or b"") > LARGE
    record = _exchange_fields(report, file, keys, redactor, for_page=for_page)
    return record_line(record, report, redactor, PIECES if is_large else 0)


def record_line(record: Record, report: Report, redactor: Redactor, levels: int = 0) -> str:
    """Return the record of an event without its outcomes as a line, with them."""
    return to_json(record, levels).replace('"outcomes":null', f'"outcomes":{_outcomes_text(report, redactor)}', 1)


def _outcomes_text(report: Report, redactor: Redactor) -> str:
    """Return what each rule answers as JSON. That is half of a record, so no objects are made of it first."""
    if not redactor.redacts_nothing:
        return to_json(outcomes(report, redactor))
    skipped, passed, parts = Answer.NOT_APPLICABLE, Answer.PASSED, []
    for rule, outcome in report.outcomes.items():
        if outcome.answer is skipped:
            reason = outcome.reason
            parts.append(f'"{rule}":{_SKIPPED}{quoted(reason) if reason.isascii() else to_json(reason)}}}')
        else:
            parts.append(f'"{rule}":{_PASSED if outcome.answer is passed else _BROKEN}')
    return f"{{{','.join(parts)}}}"


_SKIPPED = to_json({"answer": Answer.NOT_APPLICABLE.value, "reason": None}).removesuffix("null}")
_PASSED, _BROKEN = (to_json({"answer": each.value, "reason": ""}) for each in (Answer.PASSED, Answer.BROKEN))


def _option_value(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, str | bool) else list(value)


def _muk(muk: Muk, protected: MukHistory, redaction: Redaction | None) -> Record:
    idi, idr = ((each, printable_octets(each)) if redaction is None else redaction.named(each) for each in muk)
    return {
        "idi": hex_or_none(idi[0]),
        "idi_text": idi[1],
        "idr": hex_or_none(idr[0]),
        "idr_text": idr[1],
        "counter": protected.counter,
        "delivered": time_text(protected.at),
        "ltkms": protected.number,
    }


@dataclass(slots=True)
class _Listing:
    """Lists items and LTKMs within the room of a record, so that its size is proportional to the response."""

    checked_ltkms: frozenset[Ltkm]
    keys: Keys
    redactor: Redactor
    room: Room
    items_left_out: int = 0
    ltkms_left_out: int = 0
    """How many items, and how many LTKMs, the record has no room for."""

    def items(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        found = []
        for number, item in enumerate(items):
            if len(self.room.take((item,) * PARTS_OF_ITEM)) < PARTS_OF_ITEM:
                self.items_left_out = len(items) - number
                break
            found.append({**item_record(item), "ltkms": self.ltkms(item.ltkms)})
        return found

    def ltkms(self, ltkms: Sequence[Ltkm]) -> list[dict[str, Any]]:
        checked = [ltkm for ltkm in ltkms if ltkm in self.checked_ltkms]
        listed = self.room.take(checked)
        self.ltkms_left_out += len(checked) - len(listed)
        return [ltkm_record(ltkm, self.keys, self.redactor, self.room) for ltkm in listed]


def terminal_name(report: Report, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the name of the terminal in lines: its name in the key ring, else its shortened B-TID, else the client.

    If the run distinguishes terminals by address or header, it is that address or the value of that header. It is empty
    if the message of a datagram does not name a terminal: nothing else says which side that is.
    """
    event, key = report.event, report.terminal.key or report.event.terminal
    if key in (event.connection, event.client):
        return "" if isinstance(event, Datagram) else redactor.text(event.client or key)
    return redactor.terminal(key, (report.terminal.name or short_name(key)) if key == event.terminal else key)
