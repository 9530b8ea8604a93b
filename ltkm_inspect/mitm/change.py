"""Describes what faults changed in an exchange, as a line of the log and on its flow."""

import hashlib
from collections.abc import Iterator

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.udp import UDPFlow
from mitmproxy.utils import human

from ltkm_inspect.finding import count, shorten
from ltkm_inspect.mitm.flows import update
from ltkm_inspect.mitm.marking import mark_datagram_faults, mark_faults
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.report.text import number_text
from ltkm_inspect.rewriting.rewriter import Change
from ltkm_inspect.traffic import Datagram, Event, Exchange, Response


def change_line(change: Change, number: int | None, redactor: Redactor = NO_REDACTOR) -> str:
    """Return the change of the flow of that number as one line, safe to print.

    It says what was put in, where the exchange differs now, and what no longer fits it.
    """
    faults = ", ".join(shorten(redactor.text(str(fault))) for fault in change.faults)
    injection = change.injection
    parts = [redactor.shown(str(each)) for each in (*injection.edits, *injection.remarks, *injection.unsealed)]
    if not (injection.edits and isinstance(change.after, Datagram)):  # the edits say all of a datagram
        parts.insert(len(injection.edits), ", ".join(_differences(change.before, change.after)))
    return f"#{number_text(number, change.before)} fault {faults}: {'; '.join(filter(None, parts))}"


def write_change(flow: Flow, change: Change, came: Marks | None = None, redactor: Redactor = NO_REDACTOR) -> None:
    """Make the change in its flow, and write on it what was done; what it was is its backup.

    `came` is what was found in a response that has just come, in whose flow an older backup says nothing any more.
    """
    before, after = change.before, change.after
    if isinstance(flow, UDPFlow) and isinstance(before, Datagram) and isinstance(after, Datagram):
        _write_datagram(flow, before, after)
        mark_datagram_faults(flow, after.place, change.names, redactor)
    elif isinstance(flow, HTTPFlow) and isinstance(before, Exchange) and isinstance(after, Exchange):
        update(flow, before, after, fresh=came is not None)
        mark_faults(flow, change.names, sha256(before.response), sha256(after.response), came, redactor)


def _write_datagram(flow: UDPFlow, before: Datagram, after: Datagram) -> None:
    """Write on a UDP flow what a fault changed in a datagram: octets and time, and the port of the BSM in the flow."""
    message, sides = flow.messages[after.place - 1], (flow.client_conn, flow.server_conn)
    moved = [side for side in sides if human.format_address(side.peername) == before.server != after.server]
    flow.backup()  # type: ignore[no-untyped-call]
    message.content = after.octets
    if after.started is not None:
        message.timestamp = after.started
    for side in moved:
        host, _, port = after.server.rpartition(":")
        side.peername = (host.strip("[]"), int(port))


def sha256(response: Response | None) -> str | None:
    """Return the digest of the body of a response as sent, in hex; None where there is none."""
    return None if response is None or response.body is None else hashlib.sha256(response.body).hexdigest()


def _differences(before: Event, after: Event) -> Iterator[str]:
    """Yield what differs, in the order of an exchange; wire text is left out."""
    if before.started != after.started:
        yield "time"
    if isinstance(before, Datagram) and isinstance(after, Datagram):
        if before.server != after.server:
            yield "port"
        if before.octets != after.octets:
            is_as_long = len(before.octets) == len(after.octets)
            yield "message" if is_as_long else f"message {_sizes(before.octets, after.octets)}"
    if not isinstance(before, Exchange) or not isinstance(after, Exchange):
        return
    if before.connection != after.connection:
        yield "connection"
    for name, words in _REQUEST_PARTS.items():
        if getattr(before.request, name) != getattr(after.request, name):
            yield f"request {words}"
    if before.request.body != after.request.body:
        yield f"request body {_sizes(before.request.body, after.request.body)}"
    first, second = before.response, after.response
    if first is None or second is None:
        if first is not second:
            yield "response removed" if second is None else "response added"
        return
    if (first.status, first.reason) != (second.status, second.reason):
        yield f"status {first.status} -> {second.status}" if first.status != second.status else "reason phrase"
    if first.http_version != second.http_version:
        yield "HTTP version"
    if _other_fields(first, second, "Content-Length", "Authentication-Info"):
        yield "header fields"
    elif _other_fields(first, second, "Content-Length"):
        yield "Authentication-Info"
    if first.trailers != second.trailers:
        yield "trailer fields"
    if first.body != second.body:
        yield f"body {_sizes(first.body, second.body)}"


_REQUEST_PARTS = {
    "method": "method",
    "scheme": "scheme",
    "host": "host",
    "port": "port",
    "target": "target",
    "http_version": "HTTP version",
    "headers": "header fields",
    "trailers": "trailer fields",
}


def _other_fields(before: Response, after: Response, *names: str) -> bool:
    """Tell whether header fields other than these differ. If the body is the same, Content-Length counts, too."""
    first, second = before.headers, after.headers
    for name in names:
        if name != "Content-Length" or before.body != after.body:
            first, second = first.without(name), second.without(name)
    return first != second


def _sizes(before: bytes | None, after: bytes | None) -> str:
    return f"{len(before or b'')} -> {count(len(after or b''), 'octet')}"
