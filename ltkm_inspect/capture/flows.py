"""Records of flow files as exchanges: what mitmproxy would make of them, without mitmproxy."""

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from ltkm_inspect.capture.tnetstring import (
    INTEGER,
    LIST,
    NULL,
    OCTETS,
    REAL,
    TEXT,
    Part,
    UnusualError,
    part,
    parts,
    table,
    value,
)
from ltkm_inspect.exchange import Exchange, Headers, Limits, Request, Response

FAULT = "ltkm_fault"
"""The key in the metadata of a flow under which stand the faults that were put into it: a list, as typed."""

_NO_LIMITS = Limits()
_NO_FIELDS = Headers()
_FLOW = {
    *(b"version", b"type", b"id", b"error", b"client_conn", b"server_conn", b"intercepted", b"is_replay", b"marked"),
    *(b"metadata", b"comment", b"timestamp_created", b"backup", b"request", b"response", b"websocket"),
}
_MESSAGE = {b"http_version", b"headers", b"content", b"trailers", b"timestamp_start", b"timestamp_end"}
_REQUEST = _MESSAGE | {b"host", b"port", b"method", b"scheme", b"authority", b"path"}
_RESPONSE = _MESSAGE | {b"status_code", b"reason"}
_MODES = frozenset(["regular", "transparent", "upstream", "reverse", "socks5", "dns", "wireguard", "local", "tun"])
_FIELD: Callable[..., re.Match[bytes] | None] = re.compile(rb"(\d{1,12}):(\d{1,12}):").match
_HOST = re.compile(r"((?:[a-z\d_-]{1,63}\.)*[a-z\d_-]{1,63})(?::(\d{1,5}))?", re.ASCII | re.IGNORECASE)
_PUNYCODE = "xn--"
_MAY_ASK: Callable[[bytes], re.Match[bytes] | None] = re.compile(rb"requesttype|%[67]").search
_CONTENT_TYPE = b"content-type"
_MEDIA_TYPES = b"mbms-msk"


def exchange_of(record: bytes, limits: Limits = _NO_LIMITS) -> Exchange | None:
    """Return the MSK exchange that a record of the current format holds; None for any other HTTP flow.

    UnusualError, or another ValueError, where the record is not what mitmproxy writes: then mitmproxy has to read it.
    """
    flow = table(record, part(record, 0, len(record)))
    if flow.keys() != _FLOW:
        raise UnusualError("expected the fields of an HTTP flow")
    asked = table(record, flow[b"request"])
    answered = None if _is_null(flow[b"response"]) else table(record, flow[b"response"])
    if asked.keys() != _REQUEST or (answered is not None and answered.keys() != _RESPONSE):
        raise UnusualError("expected the fields of a request and a response")
    target = _octets(record, asked[b"path"])
    headers = _fields(record, asked[b"headers"])
    came = None if answered is None else _fields(record, answered[b"headers"])
    if _MAY_ASK(target) is None and not _names_ours(headers) and (came is None or not _names_ours(came)):
        return None
    if not _is_null(flow[b"websocket"]):
        raise UnusualError("expected a flow without messages of its own")
    error = None if _is_null(flow[b"error"]) else table(record, flow[b"error"])
    response = None if answered is None or came is None else _response(record, answered, came)
    client, server = table(record, flow[b"client_conn"]), table(record, flow[b"server_conn"])
    request = _request(record, asked, target, headers)
    upstream = _address(record, server[b"address"])
    ended = None if answered is None else _time(record, answered[b"timestamp_end"])
    failed = None if error is None else _time(record, error[b"timestamp"])
    mode = _text(record, client[b"proxy_mode"])
    exchange = Exchange(
        request,
        response,
        _text(record, flow[b"id"]),
        None if error is None else _text(record, error[b"msg"]),
        _shown(_address(record, client[b"peername"])),
        _shown(_address(record, server[b"peername"]) or upstream),
        _text(record, client[b"id"]),
        _time(record, asked[b"timestamp_start"]),
        failed if ended is None and error is not None else ended,
        _is_reverse(mode) and _has_upstream_host(record, asked, request, upstream),
        True,
        _faults(value(record, flow[b"metadata"])),
        limits,
    )
    return exchange if exchange.is_msk else None


def _request(record: bytes, asked: dict[bytes, Part], target: bytes, headers: Headers) -> Request:
    http_version = _surrogates(record, asked[b"http_version"])
    host = _text(record, asked[b"host"])
    authority = _authority(record, asked, http_version, headers)
    return Request(
        _surrogates(record, asked[b"method"]).upper(),
        _surrogates(record, asked[b"scheme"]),
        _host_in(authority) if authority else host,
        _integer(record, asked[b"port"]),
        target.decode("utf-8", "surrogateescape"),
        http_version,
        headers,
        _body(record, asked[b"content"]),
        _trailers(record, asked[b"trailers"]),
    )


def _response(record: bytes, answered: dict[bytes, Part], headers: Headers) -> Response:
    return Response(
        _integer(record, answered[b"status_code"]),
        _octets(record, answered[b"reason"]).decode("iso-8859-1"),
        _surrogates(record, answered[b"http_version"]),
        headers,
        _body(record, answered[b"content"]),
        _trailers(record, answered[b"trailers"]),
    )


def _names_ours(headers: Headers) -> bool:
    return any(
        len(name) == 12 and name.lower() == _CONTENT_TYPE and _MEDIA_TYPES in text.lower()
        for name, text in headers.fields
    )


def _authority(record: bytes, asked: dict[bytes, Part], http_version: str, headers: Headers) -> str | None:
    """Return what the request says is its host: `:authority` in HTTP/2 and HTTP/3, else Host."""
    octets = _octets(record, asked[b"authority"])
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


def _has_upstream_host(
    record: bytes, asked: dict[bytes, Part], request: Request, upstream: tuple[str, int] | None
) -> bool:
    """Tell whether Host is what the proxy writes there in reverse mode: the address of its own upstream."""
    if upstream is None:
        raise UnusualError("expected the address of the server")
    host, port = upstream
    written = host if port == {"http": 80, "https": 443}.get(request.scheme) else f"{host}:{port}"
    return _authority(record, asked, request.http_version, request.headers) == written


def _faults(metadata: Any) -> tuple[str, ...]:
    """Return the faults that a flow says were put into it, whatever program wrote its metadata."""
    if not isinstance(metadata, dict):
        raise UnusualError("expected metadata by name")
    found = metadata.get(FAULT)
    if not found:
        return ()
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),)


def _fields(record: bytes, held: Part) -> Headers:
    tag, at, end = held
    if tag != LIST:
        raise UnusualError("expected a list of fields")
    fields = []
    while at < end:
        found = _FIELD(record, at, end)
        if found is None:
            raise UnusualError("expected a field")
        begin = found.end()
        middle = begin + int(found[2])
        stop = found.end(1) + 1 + int(found[1])
        tag, start, after = part(record, middle + 1, stop)
        if tag != OCTETS or after + 1 != stop or stop >= end or record[middle] != OCTETS or record[stop] != LIST:
            raise UnusualError("expected a name and a value")
        fields.append((record[begin:middle], record[start:after]))
        at = stop + 1
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
