"""What a report becomes for the log, the marks, the report files and the content view: plain values without events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ltkm_inspect.engine import presented
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.inspecting.terms import Opening, Terms
from ltkm_inspect.output.redactor import Redactor
from ltkm_inspect.report import text
from ltkm_inspect.report.counts import counts_of, faulted_counts_of
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.report.outline import request_lines, response_lines
from ltkm_inspect.session import EventSummary
from ltkm_inspect.traffic import Exchange
from ltkm_inspect.wire import plain


class ShownTexts(NamedTuple):
    """What a content view shows of an exchange."""

    request: str
    response: str
    rows: list[list[str]]
    """Its findings and notes, as `ltkm.findings` shows them."""


@plain
@dataclass(slots=True)
class Presentation:
    """What is told of one event. It can be given to another process."""

    number: int
    """The ordinal of its flow in the run."""
    marks: Marks
    worst: Level
    """The worst level of its findings."""
    tally: dict[str, Any]
    """What it adds to the counts of the run, in the form of `Summary.counts`."""
    flow: str
    """How lines of the log name it."""
    exchange_text: text.ExchangeText | None
    """Its lines in the log; None if the log does not show it."""
    is_streamed: bool
    """Its body was streamed past."""
    record: bytes | bytearray
    """Its line in the report files, as octets; empty if they do not get it."""
    shown: ShownTexts | None = None
    summary: EventSummary | bytes | None = field(default=None, compare=False)
    """What a session keeps of it, which may be pickled; set by who has the session."""


def present(report: Report, opening: Opening, terms: Terms) -> Presentation:
    """Return what is told of the report of an event; of one that crashes meanwhile, that it did."""

    def all_of(report: Report) -> Presentation:
        redactor, event = terms.wording.redactor(report.event, report), report.event
        response = event.response if isinstance(event, Exchange) else None
        is_streamed = response is not None and response.body is None and event.error is None
        exchange_text = text.exchange_text(report, redactor, terms.keys) if terms.logs(report) else None
        return Presentation(
            opening.number,
            Marks.of(report, redactor),
            report.worst,
            faulted_counts_of(report) if opening.goes_on else counts_of(report),
            text.flow_of(report, redactor) if exchange_text is None else exchange_text.flow,
            exchange_text,
            is_streamed,
            event_line(report, keys=terms.keys, redactor=redactor, for_page=terms.has_page).encode("ascii")
            if opening.counts and terms.has_records
            else b"",
            _shown(report, event, redactor, terms) if opening.is_shown and isinstance(event, Exchange) else None,
        )

    return presented(report, all_of)[1]


def rows(report: Report, redactor: Redactor) -> Iterator[list[str]]:
    """Yield the findings and notes of a report as rows of a table: flow, rule, place, what."""
    exchange = text.exchange_text(report, redactor, notes=True)
    for finding in exchange.findings:
        yield [exchange.flow, f"{finding.level} {finding.rule}", finding.place, finding.text]


def joined(lines: Iterable[str]) -> str:
    """Return lines as one text, with an end of line behind each."""
    return "".join(f"{line}\n" for line in lines)


def _shown(report: Report, exchange: Exchange, redactor: Redactor, terms: Terms) -> ShownTexts:
    body = b"" if exchange.response is None else exchange.response.body or b""
    content = exchange.content
    data = body if content is None or content.octets is None or content.problem else content.octets
    response = response_lines(report, data, terms.keys, redactor)
    return ShownTexts(joined(request_lines(report, redactor)), joined(response), [*rows(report, redactor)])
