"""Request and response on the page: the first line, the header fields, and the body with marks for findings."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from ltkm_inspect.report.page.value import value_text
from ltkm_inspect.wire import inert

type Marks = Mapping[tuple[int, ...], int]
"""The numbers of the marks in a body, by first octet and the one after the last."""


LONGEST_FIELD = 1100
"""How many characters of a header field the page shows: as many as a record keeps."""


def http_views(record: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Marks]:
    """Return what the page shows of request and response, if recorded, and the marks in the response."""
    sides = [(side, record[side]) for side in ("request", "response") if record.get(side)]
    places = [place for side, message in sides if side == "response" for place in message["places"]]
    return [_message(side, message) for side, message in sides], {
        tuple(place[:2]): number for number, place in enumerate(places)
    }


def _message(side: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a request or response. The keys are short, since there may be a thousand."""
    return {
        "s": side,
        "l": value_text(message["line"]),
        "h": _fields(message["headers"]),
        "t": _fields(message["trailers"]),
        "b": None if message["body"] is None else _segments(message["body"], message["places"]),
        "n": message["length"],
    }


def _fields(fields: Iterable[Iterable[str]]) -> list[list[str]]:
    return [[value_text(part, LONGEST_FIELD) for part in pair] for pair in fields]


def _segments(body: str, places: list[list[int]]) -> list[tuple[str, list[int]]]:
    """Return a body as pieces of text, each with the numbers of its marks."""
    edges = sorted({0, len(body), *(min(edge, len(body)) for place in places for edge in place[2:])})
    return [
        (
            inert(body[start:end].replace("\r\n", "\n"), "\n\t"),
            [number for number, place in enumerate(places) if place[2] <= start and end <= place[3]],
        )
        for start, end in pairwise(edges)
    ]
