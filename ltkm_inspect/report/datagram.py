"""The record of a datagram, and the line of JSON of any event."""

from typing import Any

from ltkm_inspect.finding import Report
from ltkm_inspect.mikey import Room
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.jsonl import (
    DATAGRAM_SCHEMA,
    LEAST_PARTS,
    OCTETS_OF_PART,
    Record,
    event_fields,
    exchange_line,
    outcomes,
    record_line,
)
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.report.record_parts import findings_left_out, ltkm_record
from ltkm_inspect.traffic import Datagram


def event_line(
    report: Report,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
    *,
    for_page: bool = False,
) -> str:
    """Return the record of an exchange or a datagram as a line of JSON, without a line end."""
    if isinstance(report.event, Datagram):
        return record_line(_datagram_fields(report, report.event, file, keys, redactor), report, redactor)
    return exchange_line(report, file, keys, redactor, for_page=for_page)


def datagram_record(
    report: Report,
    datagram: Datagram,
    file: str | None = None,
    keys: Keys = NO_KEYS,
    redactor: Redactor = NO_REDACTOR,
) -> Record:
    """Return the record of the datagram that a report is about, read from this file."""
    return {**_datagram_fields(report, datagram, file, keys, redactor), "outcomes": outcomes(report, redactor)}


def _datagram_fields(report: Report, datagram: Datagram, file: str | None, keys: Keys, redactor: Redactor) -> Record:
    """Return the record without its outcomes."""
    origin, verdict, findings = event_fields(report, redactor)
    room, header = Room(LEAST_PARTS + len(datagram.octets) // OCTETS_OF_PART), None
    if datagram.message is not None:
        header = datagram.message.header
    record: dict[str, Any] = {
        "schema": DATAGRAM_SCHEMA,
        "file": file,
        "id": datagram.id,
        "number": report.number,
        "place": datagram.place,
        "kind": datagram.kind.key,
        "direction": datagram.direction.name.lower(),
        "source": datagram.source,
        "target": datagram.target,
        "v": None if header is None else header.v,
        **origin,
        **verdict,
        "message": ltkm_record(datagram.ltkm, keys, redactor, room) if datagram.octets else None,
        **findings,
        "more": findings_left_out(report),
    }
    redacted: Record = redactor.plain(record)
    return redacted
