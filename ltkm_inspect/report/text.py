"""An exchange as lines of text: a heading that names it and its verdict, and below it an indented line per finding.

A report and its record give the same lines, in every output.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ltkm_inspect.finding import Finding, Level, Place, Report, ending_of, line_of, shorten, text_of
from ltkm_inspect.finding import count as count
from ltkm_inspect.names import NO_EVENT_NAMES, EventNames
from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.jsonl import terminal_name
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.selection import short_name
from ltkm_inspect.traffic import Datagram, DatagramKind, Event
from ltkm_inspect.wire import inert, plain, time_text

LONGEST_PATH = 200
"""How many characters of a path a line shows."""
INDENT = "  "
"""Indents the lines below an exchange line."""
UNKNOWN = "-"
"""Replaces an unknown time, number or terminal."""
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*(?=/)")


class FindingText(NamedTuple):
    """A finding or note, in parts that are safe to print."""

    level: str
    rule: str
    place: str
    text: str
    line: str
    """The whole finding in one line."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Identifies the finding when the same exchange is printed again, with a fault; its octets may have moved."""
        return self.rule, self.place, self.text


@plain
@dataclass(slots=True)
class ExchangeText:
    """The lines about an exchange, in parts that are safe to print."""

    number: str
    """The ordinal of its flow in the capture or run."""
    flow: str
    """Number, time (UTC) and terminal of the exchange."""
    request: str
    """Method and path; for a datagram its kind and where it comes from."""
    answer: str
    """The status of the response, or why there is none; for a datagram where it goes to."""
    faults: tuple[str, ...]
    """The faults that were put into it."""
    contents: str
    """The numbers of its items and LTKMs; empty for a datagram without an LTKM."""
    verdict: str
    damage: tuple[str, ...]
    """What the capture damaged."""
    findings: tuple[FindingText, ...]
    """Its findings, and its notes if they are shown."""
    keys: tuple[str, ...]
    """What the key ring says about its LTKMs."""
    accepted: tuple[FindingText, ...] = ()
    """The findings that the baseline accepts."""
    left_out: int = 0
    """How many findings its lines leave out, because the log has shown enough of their rules."""

    @property
    def heading(self) -> str:
        """The line that names the exchange and its verdict."""
        faults = "".join(f" [fault {fault}]" for fault in self.faults)
        contents = f": {self.contents}" if self.contents else ""
        return f"{self.flow} {self.request} -> {self.answer}{faults}{contents}: {self.verdict}"

    def after(self, before: "ExchangeText | None") -> "ExchangeText":
        """Return the text without what was already printed for the same exchange before its faults."""
        if before is None:
            return self
        known = {each.identity for each in before.findings}
        findings = tuple([each for each in self.findings if each.identity not in known])
        return replace(self, damage=(), findings=findings, keys=tuple(k for k in self.keys if k not in before.keys))

    @property
    def unbroken(self) -> list[str]:
        """A line that says that the faults break no rule here, if that is so."""
        if not self.faults or self.left_out or any(each.level != Level.NOTE.word for each in self.findings):
            return []
        if len(self.faults) > 1:
            return [f"{INDENT}the faults break no active rule here"]
        fault = self.faults[0].partition(":")[0]
        return [f"{INDENT}the fault breaks no active rule here (see ltkm-inspect explain {fault})"]

    @property
    def finding_lines(self) -> list[str]:
        """An indented line for each finding, and one if faults break no rule."""
        return [*(f"{INDENT}{each.line}" for each in self.findings), *self.unbroken]

    @property
    def lines(self) -> list[str]:
        """The heading, and indented below it the damage, the findings, and what the key ring says about each LTKM."""
        damage, keys = ([f"{INDENT}{line}" for line in lines] for lines in (self.damage, self.keys))
        left_out = f", {count(self.left_out, 'finding')} not shown" if self.left_out else ""
        return [self.heading + left_out, *damage, *self.finding_lines, *self.accepted_lines, *keys]

    @property
    def accepted_lines(self) -> list[str]:
        """An indented line for each accepted finding."""
        return [f"{INDENT}{each.line}" for each in self.accepted]


def exchange_text(
    report: Report, redactor: Redactor = NO_REDACTOR, keys: Keys = NO_KEYS, *, notes: bool = False
) -> ExchangeText:
    """Return the text of an exchange from its report."""
    event, found = report.event, (*report.findings, *(report.notes if notes else ()))
    return ExchangeText(
        number_text(report.number, event),
        flow_of(report, redactor),
        request_line(event, redactor),
        answer_of(event, redactor),
        tuple(shorten(redactor.text(fault)) for fault in event.faults),
        _contents(None if isinstance(event, Datagram) else report.items, report.ltkms),
        report.verdict,
        tuple(damage_line(redactor.text(gap.field), redactor.text(gap.reason)) for gap in event.damage),
        tuple(_finding(redactor.finding(finding)) for finding in found),
        tuple(map(redactor.shown, keys.lines(report))),
        tuple(_finding(redactor.finding(finding)) for finding in report.accepted),
    )


def record_text(record: Mapping[str, Any], *, notes: bool = False) -> ExchangeText:
    """Return the text of an exchange from its record; any program may have written that."""
    counts, number = record["counts"], _number(record.get("number"), record.get("place", 0))
    names = EventNames.of_record(record)
    found = (finding_of(each, names) for each in (*record["findings"], *(record["notes"] if notes else ())))
    return ExchangeText(
        number,
        _flow(number, record["started"], *terminal_and_name(record, names)),
        recorded_request_line(record),
        recorded_answer(record),
        tuple(map(shorten, record["faults"])),
        _contents(counts.get("items"), counts["ltkms"]),
        inert(record["verdict"]),
        tuple(damage_line(each["field"], each["reason"]) for each in record.get("damage", ())),
        tuple(FindingText(*map(inert, each)) for each in found),
        tuple(inert(names.text(line)) for line in _key_lines(record)),
        tuple(FindingText(*map(inert, finding_of(each, names))) for each in record.get("accepted", ())),
    )


def recorded_terminal(record: Mapping[str, Any]) -> str:
    """Return the name of the terminal in lines; that of an older record is made of its B-TID."""
    name = record.get("terminal_name")
    return short_name(str(record["terminal"])) if name is None else str(name)


def terminal_and_name(record: Mapping[str, Any], names: EventNames) -> tuple[str, str]:
    """Return how lines show the terminal of a record, and what people call it; the name is empty if it has none."""
    shown = recorded_terminal(record)
    return shown, names.of_terminal(shown, str(record["terminal"]), str(record["client"]))


def terminal_label(record: Mapping[str, Any], names: EventNames) -> str:
    """Return what a narrow column shows of the terminal of a record: what people call it, else as in lines."""
    shown, name = terminal_and_name(record, names)
    return name or shown


def lines(report: Report, redactor: Redactor = NO_REDACTOR, keys: Keys = NO_KEYS) -> list[str]:
    """Return the lines of a report: the heading, its findings, and what the key ring says."""
    return exchange_text(report, redactor, keys).lines


def heading(report: Report, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the line that names an exchange and its verdict."""
    return exchange_text(report, redactor).heading


def flow_of(report: Report, redactor: Redactor = NO_REDACTOR) -> str:
    """Return number, time (UTC) and terminal of an exchange, safe to print."""
    event, shown = report.event, terminal_name(report, redactor)
    name = redactor.names.of_terminal(shown, report.terminal.key or event.terminal, event.client)
    return _flow(number_text(report.number, event), time_text(event.started), shown, name)


def request_line(event: Event, redactor: Redactor = NO_REDACTOR) -> str:
    """Return method and path of an exchange, or kind and source of a datagram, safe to print."""
    if isinstance(event, Datagram):
        return _sent(event.kind.value, redactor.text(event.source), redactor.names.of_address(event.source))
    return _request_line(redactor.text(event.method), redactor.text(event.url))


def answer_of(event: Event, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the status of the response, or why there is none, or the target of a datagram; safe to print."""
    if isinstance(event, Datagram):
        return _word(redactor.text(event.target), redactor.names.of_address(event.target))
    return _answer(event.status, redactor.text(event.error or ""))


def recorded_request_line(record: Mapping[str, Any]) -> str:
    """Return what `request_line` does, from a record."""
    if kind_of(record) == "datagram":
        name = EventNames.of_record(record).of_address(record["source"])
        return _sent(DatagramKind.title_of(record["kind"]), record["source"], name)
    return _request_line(record["method"], record["url"])


def recorded_answer(record: Mapping[str, Any]) -> str:
    """Return what `answer_of` does, from a record."""
    if kind_of(record) == "datagram":
        return _word(record["target"], EventNames.of_record(record).of_address(record["target"]))
    return _answer(record["status"], record["error"])


def path_of(url: str) -> str:
    """Return the path of a URL with its query, or all of a URL without a path."""
    return _ORIGIN.sub("", url, count=1)


def damage_line(field: str, reason: str) -> str:
    """Return the line about a field that the capture damaged."""
    return f"damage {shorten(field)}: {shorten(reason)}"


def _finding(finding: Finding) -> FindingText:
    return FindingText(finding.level.word, finding.rule, str(finding.place), finding.text, finding.line)


def finding_of(record: Mapping[str, Any], names: EventNames = NO_EVENT_NAMES) -> FindingText:
    """Return the text of a finding or note in a record, with the names of the event."""
    octets = (*record["octets"], record["octets_of"]) if record["octets"] else None
    place = names.place(Place(**record["place"]))
    text = text_of(record["title"], *(names.text(record[part]) for part in ("expected", "got", "hint")))
    ending = ending_of(octets, record["clauses"])
    line = line_of(record["level"], record["rule"], place, text, ending, record.get("reason", ""))
    return FindingText(record["level"], record["rule"], str(place), text, line)


def ltkms_of(record: Mapping[str, Any]) -> Iterator[tuple[int | None, Mapping[str, Any]]]:
    """Yield the object of each LTKM in a record with the number of its item, if it is in one."""
    if kind_of(record) == "datagram":
        if record["counts"]["ltkms"] and record["message"] is not None:
            yield None, record["message"]
        return
    for item in record["items"]:
        for ltkm in item["ltkms"]:
            yield item["item"], ltkm
    for ltkm in record["ltkms_outside"]:
        yield None, ltkm


def _key_lines(record: Mapping[str, Any]) -> Iterator[str]:
    for item, ltkm in ltkms_of(record):
        if ltkm["key"] is not None:
            yield f"key {Place(item, ltkm['ltkm'])}: {ltkm['key']['text']}"


def number_text(number: int | None, event: Event) -> str:
    """Return the ordinal of the flow of an event; for a datagram of a UDP flow, with its place in the flow: `21.3`."""
    return _number(number, event.place if isinstance(event, Datagram) else 0)


def _flow(number: str, started: str | None, terminal: str, name: str) -> str:
    clock = inert(started[11:]) if started else UNKNOWN
    return f"#{number} {clock} {_word(terminal, name)}"


def _number(number: int | None, place: int = 0) -> str:
    text = UNKNOWN if number is None else inert(str(number))
    return f"{text}.{place}" if place else text


def _word(text: str, name: str) -> str:
    """Return text as one word that is safe to print, with spaces escaped, and its name in brackets if it has one."""
    word = shorten(text).replace(" ", "\\x20") or UNKNOWN
    return f"{word} ({shorten(name)})" if name else word


def _request_line(method: str, url: str) -> str:
    text = f"{shorten(method)} {shorten(path_of(url), LONGEST_PATH)}".replace("…", "...")
    return text.encode("ascii", "backslashreplace").decode()


def _answer(status: int | None, error: str | None) -> str:
    if status is not None:
        return inert(str(status))
    return f"no response ({shorten(error)})" if error else "no response"


def _sent(kind: str, source: str, name: str) -> str:
    return f"UDP {shorten(kind)} {_word(source, name)}"


def _contents(items: int | None, ltkms: int) -> str:
    """Return how many items and LTKMs there are; without items it is a datagram, which has one LTKM at most."""
    if items is None:
        return count(ltkms, "LTKM") if ltkms else ""
    return f"{count(items, 'item')}, {count(ltkms, 'LTKM')}"
