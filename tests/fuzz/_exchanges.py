"""Targets that are a whole exchange: what rules say of it, and what faults and edits make of it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random

from ltkm_inspect import document, reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context
from ltkm_inspect.editing import EditError, edit_request, edit_response
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.redactor import NO_REDACTOR
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.outline import request_lines, response_lines
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Headers, Request, Response
from tests.fuzz._inputs import changed
from tests.fuzz._messages import XML, fields
from tests.fuzz._target import FORMAT_LAWS, Target, require, require_laws, require_printable
from tests.loopback.wire import request_octets, response_octets

load()
PARTS = re.compile(rb"\r\n\r\n")
BETWEEN = b"\r\n--response--\r\n"
"""Between a request and its response, as an input has them."""
STATUS = re.compile(r"(\S*) ?(\S*) ?(.*)", re.S)


@cache
def exchanges() -> Sequence[bytes]:
    """Return the exchanges of all references as octets."""
    return [octets_of(each) for name in reference.REFERENCES for each in reference.reference(name)]


def octets_of(exchange: Exchange) -> bytes:
    """Return an exchange as octets that can be changed anywhere."""
    response = b"" if exchange.response is None else response_octets(exchange.response)
    return request_octets(exchange.request) + BETWEEN + response


def exchange_of(octets: bytes) -> Exchange:
    """Return what such octets are as an exchange, whatever became of them."""
    asked, _, answered = octets.partition(BETWEEN)
    (method, target, version), headers, body = _message(asked)
    request = Request(method, "http", reference.BSM, 80, target, version, headers, body)
    response = None
    if answered:
        (version, status, reason), headers, body = _message(answered)
        number = int(status) if status.isascii() and status.isdigit() and len(status) < 5 else 200
        response = Response(number, reason, version, headers, body)
    return replace(reference.reference("download")[0], request=request, response=response)


def _message(octets: bytes) -> tuple[Sequence[str], Headers, bytes]:
    head, _, body = octets.partition(b"\r\n\r\n")
    start, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    found = STATUS.fullmatch(start)
    assert found is not None
    pairs = (line.partition(": ") for line in lines)
    made = (
        (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")) for name, _, value in pairs
    )
    return found.groups(), Headers(tuple(made)), body


def look_at_exchange(octets: bytes) -> None:
    """Inspect an exchange with keys, twice in a session, and write everything there is to write of it."""
    exchange = exchange_of(octets)
    context = Context(session=Session(), keys=reference.KEYS)
    for each in (exchange, replace(exchange, id="again", started=(exchange.started or 0) + 60)):
        report = inspect(each, context)
        require_laws(report)
        for line in text.lines(report):
            require(line.isprintable(), f"a line is safe to print, got {line!a}")
        for redactor in (NO_REDACTOR, Redaction().redactor(each)):
            FORMAT_LAWS["jsonl"](jsonl.exchange_line(report, keys=Keys(reference.KEYS, False), redactor=redactor))


def look_at_faults(octets: bytes) -> None:
    """Put one to three faults into a changed exchange; where they cannot be put in, that is all that is said."""
    random = Random(octets)
    exchange = exchange_of(octets)
    ids = random.sample(sorted(FAULTS), random.randint(1, 3))
    context = Context(session=Session(), keys=reference.KEYS if random.random() < 0.8 else KeyRing())
    inspect(exchange, context)
    try:
        damaged = inject(exchange, [Application(FAULTS[id]) for id in ids], context=context)
    except FaultError as error:
        require_printable(str(error))
        return
    require_laws(inspect(damaged, context))


def look_at_edits(octets: bytes) -> None:
    """Change the lines that show an exchange, and take them back into its documents."""
    random = Random(octets)
    exchange = exchange_of(octets)
    context = Context(session=Session(), keys=reference.KEYS)
    report = inspect(exchange, context)
    content = exchange.content
    data = b"" if content is None else content.octets or b""
    shown = "\n".join(response_lines(report, data))
    require_printable(shown)
    asked = "\n".join(request_lines(report))
    require_printable(asked)
    edited, edited_request = (_edited(random, each) for each in (shown, asked))
    try:
        body = edit_response(shown, shown, exchange, context)
        require(body == data, "lines that were not edited change nothing")
        document.read(edit_response(shown, edited, exchange, context))
    except EditError as error:
        require_printable(str(error))
    try:
        document.read(edit_request(asked, edited_request, exchange))
    except EditError as error:
        require_printable(str(error))


def _edited(random: Random, shown: str) -> str:
    lines = shown.encode("utf-8", "surrogatepass").split(b"\n")
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(lines))
        match random.randrange(4):
            case 0:
                lines[at] = changed(random, lines[at], lines)
            case 1:
                del lines[at : at + random.randint(1, 4)]
            case 2:
                lines[at:at] = lines[at : at + random.randint(1, 12)]
            case _:
                words = lines[at].split(b" ")
                words[-1] = random.choice(
                    (b"0", b"1", b"ff", b"(none)", b'"a"', b"00" * 20, words[-1][:-1], words[-1] * 2)
                )
                lines[at] = b" ".join(words)
        lines = lines or [b""]
    return b"\n".join(lines).decode("utf-8", "replace")


def _tokens() -> tuple[bytes, ...]:
    return (*XML, *(value for value in fields() if len(value) < 200), BETWEEN, b"Content-Encoding: gzip\r\n")


TARGETS = (
    Target("exchanges", exchanges, look_at_exchange, _tokens(), weight=3),
    Target("faults", exchanges, look_at_faults, XML, weight=3),
    Target("edits", exchanges, look_at_edits, XML, weight=3),
)
