"""Records of flow files as exchanges: what mitmproxy would make of them, without mitmproxy."""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from ltkm_inspect.capture.tnetstring import (
    INTEGER,
    LIST,
    NULL,
    OCTETS,
    REAL,
    TABLE,
    TEXT,
    Part,
    UnusualError,
    keys,
    parts,
    row,
    value,
)
from ltkm_inspect.exchange import Exchange, Headers, Limits, Request, Response

FAULT = "ltkm_fault"
"""The key in the metadata of a flow under which stand the faults that were put into it: a list, as typed."""

_NO_LIMITS = Limits()
_NO_FIELDS = Headers()
# As mitmproxy writes them, which is the last one first.
_FLOW = keys(
    *("websocket", "response", "request", "backup", "timestamp_created", "comment", "metadata", "marked", "is_replay"),
    *("intercepted", "server_conn", "client_conn", "error", "id", "type", "version"),
)
_MESSAGE = ("timestamp_end", "timestamp_start", "trailers", "content", "headers", "http_version")
_REQUEST = keys("path", "authority", "scheme", "method", "port", "host", *_MESSAGE)
_RESPONSE = keys("reason", "status_code", *_MESSAGE)
_CONNECTION = (
    *("timestamp_tls_setup", "timestamp_end", "timestamp_start", "sni", "tls_version", "cipher_list", "cipher"),
    *("alpn_offers", "alpn", "certificate_list", "tls", "error", "transport_protocol", "id", "sockname", "peername"),
)
_CLIENT = keys("proxy_mode", "mitmcert", *_CONNECTION)
_ERROR = keys("timestamp", "msg")
_SERVER = keys("via", "timestamp_tcp_setup", "address", *_CONNECTION)
_MODES = frozenset(["regular", "transparent", "upstream", "reverse", "socks5", "dns", "wireguard", "local", "tun"])
_FIELD: Callable[..., re.Match[bytes] | None] = re.compile(rb"(\d{1,12}):(\d{1,12}):").match
_VALUE: Callable[..., re.Match[bytes] | None] = re.compile(rb",(\d{1,12}):").match
_HOST = re.compile(r"((?:[a-z\d_-]{1,63}\.)*[a-z\d_-]{1,63})(?::(\d{1,5}))?", re.ASCII | re.IGNORECASE)
_PUNYCODE = "xn--"
_MAY_ASK: Callable[[bytes], re.Match[bytes] | None] = re.compile(rb"requesttype|%[67]").search
_CONTENT_TYPE = b"content-type"
_MEDIA_TYPES = b"mbms-msk"


def exchange_of(record: bytes, limits: Limits = _NO_LIMITS) -> Exchange | None:
    """Return the MSK exchange that a record of the current format holds; None for any other HTTP flow.

    UnusualError, or another ValueError or LookupError, where the record is not what mitmproxy writes: then mitmproxy
    has to read it.
    """
    inside: Part = (record[-1], record.index(b":") + 1, len(record) - 1)
    websocket, answered, asked, _, _, _, metadata, _, _, _, server, client, error, id, _, _ = row(record, inside, _FLOW)
    request = row(record, asked, _REQUEST)
    response = None if _is_null(answered) else row(record, answered, _RESPONSE)
    target, headers = _octets(record, request[0]), _fields(record, request[10])
    came = None if response is None else _fields(record, response[6])
    if _MAY_ASK(target) is None and not _names_ours(headers) and (came is None or not _names_ours(came)):
        return None
    if not _is_null(websocket):
        raise UnusualError("expected a flow without messages of its own")
    ended = None if response is None else _time(record, response[2])
    message = None
    if not _is_null(error):
        failed, told = row(record, error, _ERROR)
        message = _text(record, told)
        ended = _time(record, failed) if ended is None else ended
    who = _client(record[client[1] : client[2]])
    whom = _server(record[server[1] : server[2]])
    made = _request(record, request, target, headers)
    exchange = Exchange(
        made,
        None if response is None or came is None else _response(record, response, came),
        _text(record, id),
        message,
        who.address,
        whom.shown,
        who.id,
        _time(record, request[7]),
        ended,
        who.is_reverse and _has_upstream_host(record, request, made, whom.address),
        True,
        _faults(record, metadata),
        limits,
    )
    return exchange if exchange.is_msk else None


class _Client(NamedTuple):
    """What is told of the connection of a client."""

    id: str
    address: str
    is_reverse: bool
    """It was made to a reverse proxy."""


class _Server(NamedTuple):
    """What is told of the connection to a server."""

    shown: str
    address: tuple[str, int] | None
    """As the proxy was told it."""


@lru_cache(maxsize=1024)  # what a connection is told to be comes again with each of its flows
def _client(octets: bytes) -> _Client:
    held = row(octets, (TABLE, 0, len(octets)), _CLIENT)
    mode, id, peer = _text(octets, held[0]), _text(octets, held[15]), _address(octets, held[17])
    if peer is None:
        raise UnusualError("expected the address of a client")
    return _Client(id, _shown(peer), _is_reverse(mode))


@lru_cache(maxsize=256)
def _server(octets: bytes) -> _Server:
    held = row(octets, (TABLE, 0, len(octets)), _SERVER)
    address = _address(octets, held[2])
    return _Server(_shown(_address(octets, held[18]) or address), address)


def _request(record: bytes, asked: list[Part], target: bytes, headers: Headers) -> Request:
    http_version = _surrogates(record, asked[11])
    authority = _authority(record, asked, http_version, headers)
    host = _text(record, asked[5])
    return Request(
        _surrogates(record, asked[3]).upper(),
        _surrogates(record, asked[2]),
        _host_in(authority) if authority else host,
        _integer(record, asked[4]),
        target.decode("utf-8", "surrogateescape"),
        http_version,
        headers,
        _body(record, asked[9]),
        _trailers(record, asked[8]),
    )


def _response(record: bytes, answered: list[Part], headers: Headers) -> Response:
    return Response(
        _integer(record, answered[1]),
        _octets(record, answered[0]).decode("iso-8859-1"),
        _surrogates(record, answered[7]),
        headers,
        _body(record, answered[5]),
        _trailers(record, answered[4]),
    )


def _names_ours(headers: Headers) -> bool:
    return any(
        len(name) == 12 and name.lower() == _CONTENT_TYPE and _MEDIA_TYPES in text.lower()
        for name, text in headers.fields
    )


def _authority(record: bytes, asked: list[Part], http_version: str, headers: Headers) -> str | None:
    """Return what the request says is its host: `:authority` in HTTP/2 and HTTP/3, else Host."""
    octets = _octets(record, asked[1])
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


def _is_reverse(mode: str) -> bool:
    head, _, listening = mode.rpartition("@")
    name = (head or listening).partition(":")[0].lower()
    if name not in _MODES:
        raise UnusualError("expected a proxy mode that is known")
    return name == "reverse"


def _has_upstream_host(record: bytes, asked: list[Part], request: Request, upstream: tuple[str, int] | None) -> bool:
    """Tell whether Host is what the proxy writes there in reverse mode: the address of its own upstream."""
    if upstream is None:
        raise UnusualError("expected the address of the server")
    host, port = upstream
    written = host if port == {"http": 80, "https": 443}.get(request.scheme) else f"{host}:{port}"
    return _authority(record, asked, request.http_version, request.headers) == written


def _faults(record: bytes, metadata: Part) -> tuple[str, ...]:
    """Return the faults that a flow says were put into it, whatever program wrote its metadata."""
    if metadata[0] != TABLE:
        raise UnusualError("expected metadata by name")
    found = value(record, metadata).get(FAULT) if metadata[1] < metadata[2] else None
    if not found:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),)


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
            raise UnusualError("expected a value behind a name")
        fields.append((record[begin:middle], record[start:after]))
        at = after + 2
    return Headers(tuple(fields))


def _trailers(record: bytes, held: Part) -> Headers:
    return _NO_FIELDS if _is_null(held) else _fields(record, held)


def _is_null(held: Part) -> bool:
    return held[0] == NULL and held[1] == held[2]


def _octets(record: bytes, held: Part) -> bytes:
    if held[0] != OCTETS:
        raise UnusualError("expected octets")
    return record[held[1] : held[2]]


def _body(record: bytes, held: Part) -> bytes | None:
    return None if _is_null(held) else _octets(record, held)


def _surrogates(record: bytes, held: Part) -> str:
    return _octets(record, held).decode("utf-8", "surrogateescape")


def _text(record: bytes, held: Part) -> str:
    if held[0] != TEXT:
        raise UnusualError("expected text")
    return record[held[1] : held[2]].decode()


def _integer(record: bytes, held: Part) -> int:
    if held[0] != INTEGER:
        raise UnusualError("expected an integer")
    return int(record[held[1] : held[2]])


def _time(record: bytes, held: Part) -> float | None:
    if _is_null(held):
        return None
    if held[0] not in (REAL, INTEGER):
        raise UnusualError("expected a time")
    number: float = value(record, held)
    return number


def _address(record: bytes, held: Part) -> tuple[str, int] | None:
    """Return host and port; what else an address has is the scope of IPv6."""
    if _is_null(held):
        return None
    tag, start, end = held
    found = parts(record, start, end)
    if tag != LIST or len(found) < 2:
        raise UnusualError("expected host and port")
    return _text(record, found[0]), _integer(record, found[1])


@lru_cache(maxsize=1024)
def _shown(address: tuple[str, int] | None) -> str:
    """Return an address as mitmproxy writes it; empty where there is none."""
    if address is None or not address[0]:
        return ""
    host, port = address
    try:
        known = ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if known.is_unspecified:
        return f"*:{port}"
    if isinstance(known, IPv6Address):
        return f"[{known}]:{port}" if known.ipv4_mapped is None else f"{known.ipv4_mapped}:{port}"
    return f"{known}:{port}"
