"""Flows of mitmproxy to exchanges and back, and the quick look that leaves foreign traffic alone."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any

from mitmproxy import connection, http
from mitmproxy.flow import Error, Flow
from mitmproxy.net.http import url
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

from ltkm_inspect.capture import FAULT as FAULT
from ltkm_inspect.capture.metadata import faults_of
from ltkm_inspect.mitm.addresses import address_text, host_of, parse_address
from ltkm_inspect.mitm.odd_flow import refuse_odd
from ltkm_inspect.traffic import Exchange, Headers, Limits, Request, Response, ours

FLOW_ID = re.compile(r"[0-9a-f-]+")
"""The ids of flows that mitmweb accepts in a path."""
_NAMESPACE = uuid.UUID("d2c1a4f0-5d0b-5e52-9f6b-3a1c5f6e7d80")


def is_foreign(flow: http.HTTPFlow) -> bool:
    """Tell from header fields and path alone that a flow is no MSK exchange; False means that it may be one."""
    answered = flow.response.data.headers.fields if flow.response is not None else ()
    return not ours.may_be_exchange(flow.request.data.path, flow.request.data.headers.fields, answered)


def exchange_of(
    flow: http.HTTPFlow,
    limits: Limits | None = None,
    *,
    host_rewritten: bool | None = None,
    capture: str = "",
) -> Exchange:
    """Return a flow as an exchange; it keeps no reference to the flow, but shares its octets.

    `host_rewritten` says whether the proxy is known to have replaced Host, else the flow itself must tell. Raises
    OddFlowError where the flow was loaded from a file that holds what mitmproxy does not write.
    """
    if not flow.live or flow.is_replay is not None:  # else mitmproxy has just made it
        refuse_odd(flow)
    request = flow.request
    response = flow.response
    client, server = flow.client_conn, flow.server_conn
    ended = response.timestamp_end if response is not None else None
    return Exchange(
        Request(
            request.method,
            request.scheme,
            host_of(request),
            request.port,
            request.path,
            request.http_version,
            Headers(request.headers.fields),
            request.raw_content,
            _trailers(request),
        ),
        None
        if response is None
        else Response(
            response.status_code,
            response.reason,
            response.http_version,
            Headers(response.headers.fields),
            response.raw_content,
            _trailers(response),
        ),
        id=flow.id,
        error=flow.error.msg if flow.error is not None else None,
        client=address_text(client.peername),
        server=address_text(server.peername or server.address),
        connection=client.id,
        started=request.timestamp_start,
        ended=ended if ended is not None or flow.error is None else flow.error.timestamp,
        host_rewritten=_has_upstream_host(flow) if host_rewritten is None else host_rewritten,
        faults=faults_of(flow.metadata),
        limits=limits if limits is not None else Limits(),
        capture=capture,
        is_replayed=flow.is_replay is not None,
    )


def msk_exchange_of(flow: Flow, limits: Limits | None = None, **options: Any) -> Exchange | None:
    """Return the MSK exchange that a flow is, as `exchange_of` does; None for any other flow."""
    if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
        return None
    exchange = exchange_of(flow, limits, **options)
    return exchange if exchange.is_ours else None


def flow_of(exchange: Exchange) -> http.HTTPFlow:
    """Return an exchange as a flow that was recorded; ids and times come from the exchange, none from the clock."""
    asked, answered = exchange.request, exchange.response
    started = exchange.started or 0.0
    ended = started if exchange.ended is None else exchange.ended
    client = connection.Client(
        id=exchange.connection or id_of("connection", exchange.client),
        peername=parse_address(exchange.client) or ("", 0),
        sockname=("", 0),
        timestamp_start=started,
    )
    if exchange.host_rewritten:
        client.proxy_mode = ProxyMode.parse(f"reverse:{asked.scheme}://{url.hostport('', asked.host, asked.port)}")
    server = connection.Server(
        id=id_of("server", client.id, exchange.server),
        address=(asked.host, asked.port),
        peername=parse_address(exchange.server),
        timestamp_start=started,
    )
    result = http.HTTPFlow(client, server)
    result.id = exchange.id if FLOW_ID.fullmatch(exchange.id) else _flow_id(exchange)
    result.timestamp_created = started
    result.request = _request(asked, started)
    if answered is not None:
        result.response = _response(answered, ended)
    if exchange.is_replayed:
        result.is_replay = "response"
    if exchange.faults:
        result.metadata[FAULT] = list(exchange.faults)
    if exchange.error is not None:
        result.error = Error(exchange.error, ended)
    return result


def update(flow: http.HTTPFlow, before: Exchange, after: Exchange, *, fresh: bool = False) -> None:
    """Write on a flow what makes one exchange of it another, and leave the rest of it untouched.

    What it was is kept as its backup, so that mitmproxy can revert it. The backup of a `fresh` flow is replaced: it is
    from before the response came, of a flow that is replayed or whose request was edited. Nothing is written where
    something cannot be: ValueError.
    """
    asked = _differing(before.request, after.request, _REQUEST_PARTS)
    new: list[tuple[Any, str, Any]] = [
        (flow.request.data, part, getattr(_request(after.request).data, part)) for part in asked
    ]
    if after.response is None or before.response is None or flow.response is None:
        new.append((flow, "response", None if after.response is None else _response(after.response, after.ended)))
    else:
        answered = _differing(before.response, after.response, _RESPONSE_PARTS)
        new += [(flow.response.data, part, getattr(_response(after.response).data, part)) for part in answered]
    if after.connection != before.connection:
        new.append((flow.client_conn, "id", after.connection))
    if after.started is not None and before.started is not None and after.started != before.started:
        later, sides = after.started - before.started, (flow.request.data, flow.response and flow.response.data)
        for side in filter(None, sides):
            new += [(side, name, at + later) for name in _TIMES if (at := getattr(side, name)) is not None]
    if fresh:
        flow._backup = None
    flow.backup()  # type: ignore[no-untyped-call]
    for on, part, value in new:
        setattr(on, part, value)


_TIMES = ("timestamp_start", "timestamp_end")
_PARTS = {"http_version": "http_version", "headers": "headers", "body": "content", "trailers": "trailers"}
_REQUEST_PARTS = {"method": "method", "scheme": "scheme", "host": "host", "port": "port", "target": "path", **_PARTS}
_RESPONSE_PARTS = {"status": "status_code", "reason": "reason", **_PARTS}


def _differing(before: Request | Response, after: Request | Response, parts: Mapping[str, str]) -> list[str]:
    return [part for name, part in parts.items() if getattr(after, name) != getattr(before, name)]


def _request(asked: Request, at: float | None = None) -> http.Request:
    return http.Request(
        asked.host,
        asked.port,
        asked.method.encode("utf-8", "surrogateescape"),
        asked.scheme.encode(),
        b"",
        asked.target.encode("utf-8", "surrogateescape"),
        asked.http_version.encode() or b"HTTP/1.1",  # a HAR may not tell it
        http.Headers(asked.headers.fields),
        asked.body,
        http.Headers(asked.trailers.fields) if asked.trailers.fields else None,
        at or 0.0,
        at,
    )


def _response(answered: Response, at: float | None = None) -> http.Response:
    return http.Response(
        answered.http_version.encode(),
        answered.status,
        answered.reason.encode("iso-8859-1", "replace"),
        http.Headers(answered.headers.fields),
        answered.body,
        http.Headers(answered.trailers.fields) if answered.trailers.fields else None,
        at or 0.0,
        at,
    )


def _has_upstream_host(flow: http.HTTPFlow) -> bool:
    """Tell whether Host is what the proxy writes there in reverse mode: the address of its own upstream."""
    if not isinstance(flow.client_conn.proxy_mode, ReverseMode):
        return False
    address = flow.server_conn.address or flow.client_conn.proxy_mode.address
    return flow.request.host_header == url.hostport(flow.request.scheme, *address[:2])


def _trailers(message: http.Message) -> Headers:
    return Headers(message.trailers.fields) if message.trailers is not None else Headers()


def id_of(*parts: str) -> str:
    """Return an id made of these parts, the same each time."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


def _flow_id(exchange: Exchange) -> str:
    response = exchange.response
    body = b"" if response is None else response.body or b""
    what = (exchange.id, exchange.request.url, str(exchange.started), exchange.connection)
    return id_of("flow", *what, hashlib.sha256(body).hexdigest())
