"""MSK responses as XML files: the documents as they came, without their content coding, and a table of them."""

from ltkm_inspect.export.entry import b_tid, moment
from ltkm_inspect.export.table import row, text_cell
from ltkm_inspect.finding import Report
from ltkm_inspect.output.redaction import NO_REDACTOR
from ltkm_inspect.report.jsonl import time_of
from ltkm_inspect.traffic import Exchange

INDEX = "index.csv"
"""The name of the table in the folder."""
COLUMNS = (
    "document",
    "file",
    "id",
    "time",
    "client",
    "b_tid",
    "url",
    "status",
    "items",
    "ltkms",
    "verdict",
    "rules",
    "faults",
)
"""The first line of the table."""


def name(number: int) -> str:
    """Return the name of the document of that number, from 1, so that names sort like the exchanges."""
    return f"{number:06}.xml"


def octets(exchange: Exchange) -> bytes | None:
    """Return the document of a response; None where it has none."""
    if exchange.document is None or exchange.content is None:
        return None
    return exchange.content.octets


def heading() -> bytes:
    """Return the first line of the table."""
    return row(COLUMNS)


def line(report: Report, file: str, number: int) -> bytes:
    """Return the line of a document in the table."""
    exchange = report.exchange
    return row(
        [
            name(number),
            *(text_cell(said, NO_REDACTOR) for said in (file, exchange.id)),
            time_of(moment(exchange)) or "",
            *(text_cell(said, NO_REDACTOR) for said in (exchange.client, b_tid(exchange), exchange.request.url)),
            str(exchange.response.status) if exchange.response is not None else "",
            str(report.items),
            str(report.ltkms),
            report.verdict,
            " ".join(report.rules),
            text_cell(" ".join(exchange.faults), NO_REDACTOR),
        ]
    )
