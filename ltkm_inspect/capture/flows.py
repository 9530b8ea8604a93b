"""Records of flow files as exchanges: what mitmproxy would make of them, without mitmproxy."""

import re
from collections.abc import Callable

from ltkm_inspect.capture.connections import client_of, server_of
from ltkm_inspect.capture.metadata import FAULT as FAULT
from ltkm_inspect.capture.metadata import faults_of, metadata_of
from ltkm_inspect.capture.records import CandidateRecord
from ltkm_inspect.capture.tnetstring import (
    LIST,
    Part,
    UnusualError,
    integer_of,
    is_null,
    keys,
    octets_of,
    row,
    text_of,
    time_of,
)
from ltkm_inspect.capture.udp import datagrams_of
from ltkm_inspect.traffic import OFFLINE, Event, Exchange, Headers, Limits, Request, Response, ours

_NO_FIELDS = Headers()
# As mitmproxy writes them, which is the last one first.
_FLOW = keys(
    *("websocket", "response", "request", "backup", "timestamp_created", "comment", "metadata", "marked", "is_replay"),
    *("intercepted", "server_conn", "client_conn", "error", "id", "type", "version"),
)
_MESSAGE = ("timestamp_end", "timestamp_start", "trailers", "content", "headers", "http_version")
_REQUEST = keys("path", "authority", "scheme", "method", "port", "host", *_MESSAGE)
_RESPONSE = keys("reason", "status_code", *_MESSAGE)
_ERROR = keys("timestamp", "msg")
_FIELD: Callable[..., re.Match[bytes] | None] = re.compile(rb"(\d{1,12}):(\d{1,12}):").match
_VALUE: Callable[..., re.Match[bytes] | None] = re.compile(rb",(\d{1,12}):").match
_HOST = re.compile(r"((?:[a-z\d_-]{1,63}\.)*[a-z\d_-]{1,63})(?::(\d{1,5}))?", re.ASCII | re.IGNORECASE)
_PUNYCODE = "xn--"


def events_of(candidate: CandidateRecord, limits: Limits = OFFLINE, capture: str = "") -> tuple[Event, ...]:
    """Return what is ours in a record of the current format: an MSK exchange, or datagrams; else nothing.

    UnusualError, or another ValueError or LookupError, where the record is not what mitmproxy writes: then mitmproxy
    has to read it.
    """
    if candidate.is_udp:
        return datagrams_of(candidate.record, limits, capture)
    exchange = exchange_of(candidate.record, limits, capture)
    return () if exchange is None else (exchange,)


def exchange_of(record: bytes, limits: Limits = OFFLINE, capture: str = "") -> Exchange | None:
    """Return the MSK exchange in the record of an HTTP flow; None for any other flow. Raises what `events_of` does."""
    inside: Part = (record[-1], record.index(b":") + 1, len(record) - 1)
    held = row(record, inside, _FLOW)
    websocket, answered, asked, _, _, _, metadata, _, replayed, _, server, client, error, id, _, _ = held
    request = row(record, asked, _REQUEST)
    response = None if is_null(answered) else row(record, answered, _RESPONSE)
    target, headers = octets_of(record, request[0]), _fields(record, request[10])
    came = None if response is None else _fields(record, response[6])
    if not ours.may_be_exchange(target, headers.fields, came.fields if came is not None else ()):
        return None
    if not is_null(websocket):
        raise UnusualError("expected a flow without separate messages")
    ended = None if response is None else time_of(record, response[2])
    message = None
    if not is_null(error):
        failed, told = row(record, error, _ERROR)
        message = text_of(record, told)
        ended = time_of(record, failed) if ended is None else ended
    who = client_of(record[client[1] : client[2]])
    whom = server_of(record[server[1] : server[2]])
    made = _request(record, request, target, headers)
    exchange = Exchange(
        made,
        None if response is None or came is None else _response(record, response, came),
        id=text_of(record, id),
        error=message,
        client=who.address,
        server=whom.shown,
        connection=who.id,
        started=time_of(record, request[7]),
        ended=ended,
        host_rewritten=who.is_reverse and _has_upstream_host(record, request, made, whom.address),
        faults=faults_of(metadata_of(record, metadata)),
        limits=limits,
        capture=capture,
        is_replayed=not is_null(replayed),
    )
    return exchange if exchange.is_ours else None


def _request(record: bytes, asked: list[Part], target: bytes, headers: Headers) -> Request:
    http_version = _surrogates(record, asked[11])
    authority = _authority(record, asked, http_version, headers)
    host = text_of(record, asked[5])
    return Request(
        _surrogates(record, asked[3]).upper(),
        _surrogates(record, asked[2]),
        _host_in(authority) if authority else host,
        integer_of(record, asked[4]),
        target.decode("utf-8", "surrogateescape"),
        http_version,
        headers,
        _body(record, asked[9]),
        _trailers(record, asked[8]),
    )


def _response(record: bytes, answered: list[Part], headers: Headers) -> Response:
    return Response(
        integer_of(record, answered[1]),
        octets_of(record, answered[0]).decode("iso-8859-1"),
        _surrogates(record, answered[7]),
        headers,
        _body(record, answered[5]),
        _trailers(record, answered[4]),
    )


def _authority(record: bytes, asked: list[Part], http_version: str, headers: Headers) -> str | None:
    """Return what the request says is its host: `:authority` in HTTP/2 and HTTP/3, else Host."""
    octets = octets_of(record, asked[1])
    if octets and http_version in ("HTTP/2.0", "HTTP/3"):
        try:
            named = octets.decode("idna")
        except UnicodeError:
            named = octets.decode("utf-8", "surrogateescape")
        return named or headers.get("host")
    return headers.get("host")


def _host_in(authority: str) -> str:
    """Return the host of an authority without its port; all but plain names and IPv4 addresses is left to mitmproxy."""
    found = _HOST.fullmatch(authority)
    if found is None or len(authority) > 255 or _PUNYCODE in authority.lower() or int(found[2] or 0) > 65535:
        raise UnusualError("expected a host of letters, digits, hyphens and dots")
    return found[1]


def _has_upstream_host(record: bytes, asked: list[Part], request: Request, upstream: tuple[str, int] | None) -> bool:
    """Tell whether Host is what the proxy writes there in reverse mode: the address of its own upstream."""
    if upstream is None:
        raise UnusualError("expected the address of the server")
    host, port = upstream
    written = host if port == {"http": 80, "https": 443}.get(request.scheme) else f"{host}:{port}"
    return _authority(record, asked, request.http_version, request.headers) == written


def _fields(record: bytes, held: Part) -> Headers:
    tag, at, end = held
    if tag != LIST:
        raise UnusualError("expected a list of fields")
    fields = []
    while at < end:
        name = _FIELD(record, at, end)
        if name is None:
            raise UnusualError("expected a field")
        begin = name.end()
        middle = begin + int(name[2])
        content = _VALUE(record, middle, end)
        if content is None:
            raise UnusualError("expected a name and a value")
        start = content.end()
        after = start + int(content[1])
        if after + 1 != name.end(1) + 1 + int(name[1]) or after + 1 >= end or record[after : after + 2] != b",]":
            raise UnusualError("expected a value after a name")
        fields.append((record[begin:middle], record[start:after]))
        at = after + 2
    return Headers(tuple(fields))


def _trailers(record: bytes, held: Part) -> Headers:
    return _NO_FIELDS if is_null(held) else _fields(record, held)


def _body(record: bytes, held: Part) -> bytes | None:
    return None if is_null(held) else octets_of(record, held)


def _surrogates(record: bytes, held: Part) -> str:
    return octets_of(record, held).decode("utf-8", "surrogateescape")
