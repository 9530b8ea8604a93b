"""Exchanges as the packets in which they go over a network."""

from collections.abc import Iterator
from ipaddress import ip_address

from ltkm_inspect.traffic import Exchange, Headers, Request, Response
from tests.packets.build import ACK, FIN, IPV4, IPV6, PSH, SYN, TCP, Record, ethernet, ipv4, ipv6, tcp, udp

STEP = 0.0005
"""Seconds between two packets."""


def request_octets(request: Request) -> bytes:
    """Return a request as it is sent."""
    line = f"{request.method} {request.target} {request.http_version}".encode("utf-8", "surrogateescape")
    return _message(line, request.headers, request.body, request.trailers)


def response_octets(response: Response) -> bytes:
    """Return a response as it is sent."""
    line = f"{response.http_version} {response.status} {response.reason}".encode("iso-8859-1")
    return _message(line, response.headers, response.body, response.trailers)


def _message(line: bytes, headers: Headers, body: bytes | None, trailers: Headers) -> bytes:
    octets = b"\r\n".join([line, *(name + b": " + value for name, value in headers.fields), b"", b""])
    if "chunked" not in (headers.get("transfer-encoding") or ""):
        return octets + (body or b"")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _halves(body or b""))
    return octets + chunks + b"0\r\n" + b"".join(b"%b: %b\r\n" % field for field in trailers.fields) + b"\r\n"


def _halves(body: bytes) -> list[bytes]:
    return [part for part in (body[: len(body) // 2], body[len(body) // 2 :]) if part]


class Wire:
    """A TCP connection between a terminal and a BSM, as the packets of it."""

    def __init__(
        self, client: str = "192.0.2.10:40000", server: str = "198.51.100.1:80", at: float = 1_700_000_000.0
    ) -> None:
        """Begin with nothing sent."""
        self.ends = [_split(client), _split(server)]
        self.time = at
        self.sent = [1000, 0xFFFFFF00]
        """The sequence numbers that come next; those of the BSM begin again soon."""
        self.records: list[Record] = []

    def packet(self, side: int, data: bytes = b"", flags: int = ACK, skip: int = 0) -> Record:
        """Return a packet that a side sends, so many octets ahead of what comes next."""
        (source, sport), (target, dport) = self.ends[side], self.ends[1 - side]
        segment = tcp(data, self.sent[side] + skip, self.sent[1 - side], flags, (sport, dport))
        build, kind = (ipv4, IPV4) if ip_address(source).version == 4 else (ipv6, IPV6)
        self.time += STEP
        return self.time, ethernet(build(segment, TCP, (source, target)), kind)

    def send(self, side: int, data: bytes = b"", flags: int = ACK) -> "Wire":
        """Let a side send a packet."""
        self.records.append(self.packet(side, data, flags))
        self.sent[side] = (self.sent[side] + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        return self

    def open(self) -> "Wire":
        """Shake hands."""
        return self.send(0, flags=SYN).send(1, flags=SYN | ACK).send(0)

    def message(self, side: int, octets: bytes, size: int = 1460) -> "Wire":
        """Let a side send octets in segments of that size, and the other acknowledge them."""
        for at in range(0, len(octets), size):
            self.send(side, octets[at : at + size], PSH | ACK)
        return self.send(1 - side)

    def exchange(self, exchange: Exchange, size: int = 1460) -> "Wire":
        """Send the request and the response of an exchange."""
        self.message(0, request_octets(exchange.request), size)
        if exchange.response is not None:
            self.message(1, response_octets(exchange.response), size)
        return self

    def close(self) -> "Wire":
        """Close both sides."""
        return self.send(0, flags=FIN | ACK).send(1, flags=FIN | ACK).send(0)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def push(data: bytes, at: float, source: str = "198.51.100.1:2269", target: str = "192.0.2.10:2269") -> Record:
    """Return a datagram."""
    (sender, sport), (receiver, dport) = _split(source), _split(target)
    return at, ethernet(ipv4(udp(data, sport, dport), ends=(sender, receiver)))


def records_of(exchanges: Iterator[Exchange], size: int = 1460) -> Iterator[Record]:
    """Yield the packets of exchanges, each on a connection of its own."""
    for exchange in exchanges:
        wire = Wire(exchange.client, exchange.server or "198.51.100.1:80", exchange.started or 0.0)
        yield from wire.open().exchange(exchange, size).close().records
