"""A report as lines of text: one for the exchange, then one for each finding."""

from ltkm_inspect.exchange import Exchange
from ltkm_inspect.finding import Level, Report, shorten

LONGEST_URL = 200
"""How many characters of a URL a heading shows."""


def lines(report: Report) -> list[str]:
    """Return the heading of a report and its findings, a line each; wire text is escaped."""
    return [heading(report), *(finding.line for finding in report.findings)]


def heading(report: Report) -> str:
    """Return the line that says of an exchange what was asked and answered, what is in it and how bad it is.

    The faults that were put into it stand at the end: what is wrong with it is not the server's doing.
    """
    counted = ", ".join(
        [
            count(report.items, "item"),
            count(report.ltkms, "LTKM"),
            count(report.count(Level.VIOLATION), "violation"),
            count(report.count(Level.WARNING), "warning"),
        ]
    )
    faults = "".join(f" [fault {shorten(fault)}]" for fault in report.exchange.faults)
    return f"{report.verdict} {asked(report.exchange)} -> {answered(report.exchange)}: {counted}{faults}"


def asked(exchange: Exchange) -> str:
    """Return method and URL of an exchange, safe to print."""
    return f"{shorten(exchange.request.method)} {shorten(exchange.request.url, LONGEST_URL)}"


def answered(exchange: Exchange) -> str:
    """Return the status of the response, or why there is none; safe to print."""
    if exchange.response is not None:
        return str(exchange.response.status)
    return f"no response ({shorten(exchange.error)})" if exchange.error else "no response"


def count(number: int, word: str) -> str:
    """Return a number with its word, in the plural unless there is exactly one: `2 items`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
