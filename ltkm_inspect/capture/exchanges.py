"""HTTP messages of a packet capture as exchanges, with what the capture lacks of them."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from ltkm_inspect.capture.connections import host_of, shown
from ltkm_inspect.capture.http1 import HttpMessage
from ltkm_inspect.capture.http_head import RequestHead, ResponseHead
from ltkm_inspect.packets import PacketFile, PacketTime, TcpConnection
from ltkm_inspect.traffic import Exchange, Gap, Headers, Limits, Request, Response, ours, split_target
from ltkm_inspect.wire import printable

_PORT = 80


class Owner(Protocol):
    """Takes the exchanges of all connections, and counts what is no exchange of ours."""

    limits: Limits

    def found(self, exchange: Exchange) -> None:
        """Take an exchange of ours."""

    def damaged(self, message: HttpMessage) -> None:
        """Take note of an exchange of ours that cannot be read, by the first message of it."""

    def other(self) -> None:
        """Take note of an exchange of others."""

    def unread(self, protocol: str) -> None:
        """Take note of a connection whose protocol is not read; empty for one that nobody knows."""

    def keep(self, octets: int) -> bool:
        """Count octets that are kept in memory from now on, or are not any more; False where there are too many."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What the exchanges of a connection have in common."""

    client: tuple[str, int]
    server: tuple[str, int]
    name: str
    """What tells it from others, in other captures as well; its addresses do not follow from it."""
    limits: Limits

    @classmethod
    def of(cls, connection: TcpConnection, first: PacketTime, limits: Limits) -> "ConnectionInfo":
        """Return what is known of a connection, by its first packet."""
        client, server = (_address(stream.ends) for stream in connection.streams)
        seed = b"%b %r %d" % (connection.streams[0].ends, first.time, first.in_file)
        return cls(client, server, blake2b(seed, digest_size=8).hexdigest(), limits)


def exchange_of(
    info: ConnectionInfo,
    request: HttpMessage | None,
    response: HttpMessage | None,
    gaps: list[Gap],
    *,
    error: str | None = None,
    end: PacketTime | None = None,
) -> Exchange:
    """Return the exchange of two messages, of which one may be missing; `end` is the packet that broke it off.

    A request that is missing has its reason in the gaps, a response in them or in the error.
    """
    first = request or response
    assert first is not None
    file = first.first.file
    made, answered = Request("", "http", *info.server, ""), None
    if request is not None and isinstance(request.head, RequestHead):
        made = _request(request, request.head, info.server)
        gaps = [*gaps, *_gaps(request, "request", file)]
    elif request is not None and request.loss is not None:
        gaps = [*gaps, Gap(place(request.loss[0], file), request.loss[2], ("request",), is_damage=True)]
    elif request is not None and request.problem:
        gaps = [*gaps, Gap(place(request.first, file), unreadable(request), ("request",), is_damage=True)]
    if response is not None:
        if isinstance(response.head, ResponseHead):
            answered = _response(response, response.head)
            gaps = [*gaps, *_gaps(response, "response", file)]
        elif response.loss is not None:
            gaps = [*gaps, response_gap(response.loss[0], response.loss[2], file)]
        if response.problem:
            error = f"the response is not HTTP/1: {printable(response.problem)}"
        end = response.last or end
    return Exchange(
        made,
        answered,
        id=f"packet-{first.first.in_file}{f'-{first.ordinal}' if first.ordinal > 1 else ''}",
        client=shown(info.client),
        server=shown(info.server),
        connection=info.name,
        started=first.first.time,
        ended=None if end is None else end.time,
        error=error,
        limits=info.limits,
        capture=file.name,
        gaps=tuple(gaps),
    )


def _address(ends: bytes) -> tuple[str, int]:
    """Return the address and port of the source."""
    return host_of(ends[: len(ends) // 2 - 2]), int.from_bytes(ends[-4:-2])


def may_be_ours(request: HttpMessage | None, response: HttpMessage | None) -> bool:
    """Tell from the heads whether an exchange may be ours."""
    head = request.head if request is not None else None
    target = head.target if isinstance(head, RequestHead) else b""
    fields = (message.fields for message in (request, response) if message is not None)
    return ours.may_be_exchange(target, *fields)


def unreadable(message: HttpMessage) -> str:
    """Return why a message cannot be read whose first octets may be of one of ours."""
    why = message.problem or (message.loss[2] if message.loss is not None else "its end is missing")
    return f"packet {message.first.in_file}: an HTTP/1 message is damaged: {printable(why)}"


def place(packet: PacketTime | None, file: PacketFile) -> str:
    """Return where something of an exchange is missing that began in a file, in words."""
    if packet is None or not packet.number:
        return "end of the capture"
    return f"packet {packet.in_file}" + (f" of {printable(packet.file.name)}" if packet.file != file else "")


def response_gap(packet: PacketTime | None, reason: str, file: PacketFile, *, is_damage: bool = True) -> Gap:
    """Return that nothing is known of the response of an exchange that began in a file."""
    return Gap(place(packet, file), reason, ("response",), is_damage=is_damage)


def _gaps(message: HttpMessage, side: str, file: PacketFile) -> list[Gap]:
    """Return what was lost of a message whose head is known, and whose exchange began in a file."""
    if message.loss is None:
        return []
    packet, part, why = message.loss
    hides = (f"{side}.{part}", f"{side}.trailers") if message.length is None else (f"{side}.{part}",)
    return [Gap(place(packet, file), why, hides, is_damage=True)]


def _request(message: HttpMessage, head: RequestHead, server: tuple[str, int]) -> Request:
    headers = Headers(head.fields)
    target = head.target.decode("utf-8", "surrogateescape")
    absolute = split_target(target)[0]
    host, port = _authority(absolute or headers.get("host") or "")
    return Request(
        head.method.decode("ascii").upper(),
        "http",
        host or server[0],
        (port or _PORT) if absolute else server[1],
        target,
        f"HTTP/{head.version.decode('ascii')}",
        headers,
        _body(message),
        Headers(message.trailers),
    )


def _response(message: HttpMessage, head: ResponseHead) -> Response:
    return Response(
        head.status,
        head.reason.decode("iso-8859-1"),
        f"HTTP/{head.version.decode('ascii')}",
        Headers(head.fields),
        _body(message),
        Headers(message.trailers),
    )


def _body(message: HttpMessage) -> bytes | None:
    return None if message.body is None or not message.is_complete else b"".join(message.body)


def _authority(text: str) -> tuple[str, int]:
    """Return host and port of an authority; 0 without a port."""
    host, colon, port = text.rpartition("@")[2].rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) < 6) or (host.count(":") and host[-1:] != "]"):
        return text.rpartition("@")[2].strip("[]"), 0
    return host.strip("[]"), int(port)
