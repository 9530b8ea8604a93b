"""The cost of an inspection grows as its input does: counted in lines of code, at one size and at four times that."""

import base64
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.mikey import PAYLOADS
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Headers

DOWNLOAD = reference.reference("download")[0]
assert DOWNLOAD.content is not None
assert DOWNLOAD.document is not None
assert DOWNLOAD.response is not None
BODY = DOWNLOAD.content.octets or b""
MESSAGE = DOWNLOAD.document.ltkms[0].octets or b""
CHALLENGED = replace(DOWNLOAD, response=replace(DOWNLOAD.response, status=401))
N = 60
LESS_THAN_SQUARED = 5.5
"""Four times the input takes four times as many lines, give or take what is done once; if it were squared, sixteen."""

SHORTEST = {
    1: [bytes(4), b"\1\0\0\0"],
    4: [bytes(2), bytes(4)],
    5: [b"\2\0\0\0\1", b"\0" + bytes(8), b"\3" + bytes(4)],
    6: [b"\1\0\0", b"\1\0\1a"],
    10: [bytes(4), b"\0\0\0\3\0\1\1", b"\7\7\0\1\1"],
    11: [b"\0", b"\x10" + bytes(16)],
    21: [*(bytes((kind, 0, 0)) for kind in range(9)), b"\3\0\1\0", b"\5\0\1\1", b"\5\0\1\2", b"\5\0\2\1\7"],
}
"""Payloads behind their Next payload octet; of any other type some zeros are enough for the first one to be read."""


def payloads(kind: int, octets: bytes, number: int) -> Exchange:
    """Return the download with a message that begins with so many payloads."""
    header = MESSAGE[:2] + bytes((kind,)) + MESSAGE[3:10]
    chain = (bytes((kind,)) + octets) * (number - 1) + MESSAGE[2:3] + octets
    return body(BODY.replace(base64.b64encode(MESSAGE), base64.b64encode(header + chain + MESSAGE[10:])))


def body(octets: bytes) -> Exchange:
    assert DOWNLOAD.response is not None
    return replace(DOWNLOAD, response=replace(DOWNLOAD.response, body=octets))


def before(end: bytes, inserted: bytes) -> Callable[[int], Exchange]:
    """Return what makes a response with so many of these octets before that tag."""
    return lambda number: body(BODY.replace(end, inserted * number + end, 1))


def header(exchange: Exchange, name: str, value: str) -> Exchange:
    """Return the exchange with that header in its response."""
    assert exchange.response is not None
    headers = exchange.response.headers.without(name)
    fields = Headers((*headers.fields, (name.encode(), value.encode())))
    return replace(exchange, response=replace(exchange.response, headers=fields))


def fields(exchange: Exchange, name: str, value: str, number: int) -> Exchange:
    """Return the exchange with so many such fields in its response."""
    assert exchange.response is not None
    headers = Headers((*exchange.response.headers.fields, *[(name.encode(), value.encode())] * number))
    return replace(exchange, response=replace(exchange.response, headers=headers))


CHALLENGE = 'Digest realm="3GPP-bootstrapping@a.b", nonce="a"'
FORMS: dict[str, Callable[[int], Exchange]] = {
    **{
        f"payload {kind} {octets.hex()}": partial(payloads, kind, octets)
        for kind in sorted(PAYLOADS)
        for octets in SHORTEST.get(kind, [bytes(8)])
    },
    "key IDs": lambda number: payloads(21, b"\3" + (2 * number).to_bytes(2) + b"\x09\0" * number, 1),
    "parameters": lambda number: payloads(10, b"\0\0" + (2 * number).to_bytes(2) + bytes(2) * number, 1),
    "items": before(b"</mbmsMSKResponse>", b"<Response/>"),
    "LTKMs": before(b"</Response>", b"<bcast:LTKM/>"),
    "LTKMs in no namespace": before(b"</Response>", b'<LTKM xmlns=""/>'),
    "LTKMs outside": before(b"</mbmsMSKResponse>", b"<bcast:LTKM/>"),
    "elements": before(b"</Response>", b"<x/>"),
    "elements outside": before(b"</mbmsMSKResponse>", b'<x xmlns="u:x"/>'),
    "identifiers": before(b"</MSK>", b"<MSKID>!</MSKID>"),
    "MSKs": before(b"<ResponseCode>", b"<MSK/>"),
    "comments": before(b"</bcast:LTKM>", b"<!---->"),
    "undecodable octets": before(b"</ResponseCode>", b"\xff"),
    "control characters": before(b"</ResponseCode>", b"\1"),
    "challenges": lambda number: header(CHALLENGED, "WWW-Authenticate", ", ".join([CHALLENGE] * number)),
    "fields with a challenge": lambda number: fields(CHALLENGED, "WWW-Authenticate", CHALLENGE, number),
    "directives": lambda number: header(DOWNLOAD, "Authentication-Info", "nc=1," * number),
}


def lines(exchange: Exchange) -> int:
    """Return how many lines of code are run to inspect an exchange and to tell what was found."""
    context = Context(keys=reference.KEYS, session=Session())
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    monitoring = sys.monitoring
    tool = monitoring.PROFILER_ID
    monitoring.use_tool_id(tool, "growth")
    try:
        monitoring.register_callback(tool, monitoring.events.LINE, counted)
        monitoring.set_events(tool, monitoring.events.LINE)
        report = inspect(exchange, context)
        text.lines(report)
        jsonl.exchange_line(report, None, Keys(context.keys))
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return count


@pytest.mark.parametrize("form", FORMS)
def test_the_cost_grows_as_the_input_does(form: str) -> None:
    make = FORMS[form]
    lines(make(N))  # what is worked out once in a process
    assert lines(make(4 * N)) < LESS_THAN_SQUARED * lines(make(N))
