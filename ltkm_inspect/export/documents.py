"""MSK responses as XML files: the documents as they came, without their content coding, and a table of them."""

from ltkm_inspect.export.entry import moment
from ltkm_inspect.export.table import rows, text_cell
from ltkm_inspect.finding import Report
from ltkm_inspect.output.redactor import NO_REDACTOR
from ltkm_inspect.traffic import Exchange
from ltkm_inspect.wire import time_text

INDEX = "index.csv"
"""The name of the table in the folder."""


def name(number: int) -> str:
    """Return the name of the document of that number, from 1, so that names sort like the exchanges."""
    return f"{number:06}.xml"


def octets(exchange: Exchange) -> bytes | None:
    """Return the document of a response; None where it has none."""
    if exchange.document is None or exchange.content is None:
        return None
    return exchange.content.octets


def lines(report: Report, file: str, number: int) -> bytes:
    """Return the line of a document in the table; a heading is above the first."""
    exchange = report.exchange
    cells = {
        "document": name(number),
        "file": _text(file),
        "id": _text(exchange.id),
        "time": time_text(moment(exchange)) or "",
        "client": _text(exchange.client),
        "b_tid": _text(exchange.b_tid),
        "url": _text(exchange.request.url),
        "status": str(exchange.response.status) if exchange.response is not None else "",
        "items": str(report.items),
        "ltkms": str(report.ltkms),
        "verdict": report.verdict,
        "rules": " ".join(report.rules),
        "faults": _text(" ".join(exchange.faults)),
    }
    return rows(cells, number)


def _text(text: str) -> str:
    return text_cell(text, NO_REDACTOR)
