"""A report as lines of text: one for the exchange, then one for each finding."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from ltkm_inspect.finding import Level, Place, Report, line_of, shorten, text_of
from ltkm_inspect.finding import count as count
from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.output.redaction import NO_REDACTOR, Redactor
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.traffic import Event
from ltkm_inspect.wire import inert, printable

LONGEST_URL = 200
"""How many characters of a URL a heading shows."""


def lines(report: Report, redactor: Redactor = NO_REDACTOR) -> list[str]:
    """Return the heading of a report and its findings, a line each; wire text is escaped."""
    damage = (damage_line(redactor.text(gap.field), redactor.text(gap.reason)) for gap in report.event.damage)
    return [heading(report, redactor), *damage, *(redactor.finding(finding).line for finding in report.findings)]


def damage_line(field: str, reason: str) -> str:
    """Return the line that says what the capture damaged, by the field of the capture."""
    return f"damage {shorten(field)}: {shorten(reason)}"


def heading(report: Report, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the line that says of an exchange what was asked and answered, what is in it and how bad it is.

    The faults that were put into it stand at the end: what is wrong with it is not the server's doing.
    """
    event, levels = report.event, (report.count(Level.VIOLATION), report.count(Level.WARNING))
    counts = (report.items, report.ltkms, *levels)
    return _heading(
        report.verdict,
        asked(event, redactor),
        answered(event, redactor),
        counts,
        map(redactor.text, event.faults),
    )


def asked(event: Event, redactor: Redactor = NO_REDACTOR) -> str:
    """Return method and URL of an event, safe to print."""
    return _asked(redactor.text(event.method), redactor.text(event.url))


def answered(event: Event, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the status of the response, or why there is none; safe to print."""
    return _answered(event.status, redactor.text(event.error or ""))


def write(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write what the records of a run say as `ltkm-inspect check` prints it: every exchange, then the summary."""
    summary = Summary()
    shown: str | None = None
    for record in records:
        summary.add_record(record)
        kind = kind_of(record)
        if kind == "run" and len(record["sources"] or ()) == 1:
            shown = record["sources"][0]
        if kind != "exchange":
            continue
        if record["file"] not in (None, shown):
            shown = record["file"]
            file.write(f"{printable(shown or '')}:\n")
        file.writelines(f"{inert(line)}\n" for line in lines_of(record))
    file.writelines(f"{inert(line)}\n" for line in summary.lines())


def lines_of(record: Mapping[str, Any]) -> list[str]:
    """Return the lines of the record of an exchange: heading, findings, and what the keys at hand say of its LTKMs."""
    damage = (damage_line(each["field"], each["reason"]) for each in record.get("damage", ()))
    return [heading_of(record), *damage, *map(finding_line, record["findings"]), *_key_lines(record)]


def heading_of(record: Mapping[str, Any]) -> str:
    """Return the heading of the record of an exchange."""
    counts = [record["counts"][name] for name in ("items", "ltkms", "violations", "warnings")]
    answered = _answered(record["status"], record["error"])
    return _heading(record["verdict"], asked_of(record), answered, counts, record["faults"])


def asked_of(record: Mapping[str, Any]) -> str:
    """Return method and URL of the record of an exchange, safe to print."""
    return _asked(record["method"], record["url"])


def finding_line(record: Mapping[str, Any]) -> str:
    """Return a finding or note of a record as one line."""
    octets = (*record["octets"], record["octets_of"]) if record["octets"] else None
    place = Place(**record["place"])
    return line_of(record["level"], record["rule"], place, finding_text(record), octets, record["clauses"])


def finding_text(record: Mapping[str, Any]) -> str:
    """Return what a finding or note of a record says is wrong, in one line."""
    return text_of(record["title"], record["expected"], record["got"], record["hint"])


def _key_lines(record: Mapping[str, Any]) -> Iterator[str]:
    placed = [(item["item"], ltkm) for item in record["items"] for ltkm in item["ltkms"]]
    placed += [(None, ltkm) for ltkm in record["ltkms_outside"]]
    for item, ltkm in placed:
        if ltkm["key"] is not None:
            yield f"key {Place(item, ltkm['ltkm'])}: {ltkm['key']['text']}"


def _heading(verdict: str, asked: str, answered: str, counts: Iterable[int], faults: Iterable[str]) -> str:
    words = ("item", "LTKM", "violation", "warning")
    counted = ", ".join(count(number, word) for number, word in zip(counts, words, strict=True))
    put_in = "".join(f" [fault {shorten(fault)}]" for fault in faults)
    return f"{verdict} {asked} -> {answered}: {counted}{put_in}"


def _asked(method: str, url: str) -> str:
    return f"{shorten(method)} {shorten(url, LONGEST_URL)}"


def _answered(status: int | None, error: str | None) -> str:
    if status is not None:
        return str(status)
    return f"no response ({shorten(error)})" if error else "no response"
