"""HTTP/1.1 as octets: messages read from a connection, and requests and responses written for one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ltkm_inspect.traffic import Headers, Request, Response


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came over a connection."""

    raw: bytes
    """Every octet of it."""
    start: str
    """Its request line or status line."""
    headers: Headers
    body: bytes
    """Without transfer coding, with its content coding."""
    whole: bool = True
    """False where the connection ended inside it."""

    @property
    def head(self) -> bytes:
        """The octets in front of the body."""
        return self.raw.partition(b"\r\n\r\n")[0]


class _Recorder:
    """Reads from a connection and keeps what it has read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.raw = bytearray()
        self.whole = True

    def line(self) -> bytes:
        octets = self._file.readline()
        self.raw += octets
        self.whole &= octets.endswith(b"\n")
        return octets

    def octets(self, number: int = -1) -> bytes:
        octets = self._file.read(number)
        self.raw += octets
        self.whole &= number in (-1, len(octets))
        return octets

    def chunks(self) -> Iterator[bytes]:
        while self.whole and (size := int(self.line().partition(b";")[0].strip() or b"0", 16)):
            yield self.octets(size)
            self.line()
        while self.whole and self.line().strip():
            pass


def receive(file: BinaryIO, *, method: str | None = None) -> Received | None:
    """Read one message: the response to a request of that method, or a request; None where the connection has ended."""
    recorder = _Recorder(file)
    start = recorder.line()
    if not start:
        return None
    fields = []
    while recorder.whole and (line := recorder.line()).strip():
        name, _, value = line.partition(b":")
        fields.append((name, value.strip()))
    headers = Headers(tuple(fields))
    text = start.decode("latin-1").rstrip("\r\n")
    length = headers.get("Content-Length")
    body = b""
    if method is not None and (method == "HEAD" or text.split(" ")[1] in ("204", "304")):
        pass
    elif "chunked" in (headers.get("Transfer-Encoding") or "").lower():
        body = b"".join(recorder.chunks())
    elif length is not None:
        body = recorder.octets(int(length))
    elif method is not None:
        body = recorder.octets()
    return Received(bytes(recorder.raw), text, headers, body, recorder.whole)


def request_octets(request: Request) -> bytes:
    """Return a request as it is written to a connection."""
    return _octets(f"{request.method} {request.target} {request.http_version}", request.headers, request.body or b"")


def response_octets(response: Response, *, chunk: int = 512) -> bytes:
    """Return a response as it is written to a connection; one with chunked transfer coding in chunks of that size."""
    start = f"{response.http_version} {response.status} {response.reason}"
    body = response.body or b""
    if "chunked" in (response.headers.get("Transfer-Encoding") or "").lower():
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    return _octets(start, response.headers, body)


def _octets(start: str, headers: Headers, body: bytes) -> bytes:
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in headers.fields)
    return start.encode("latin-1") + b"\r\n" + fields + b"\r\n" + body


def response_of(received: Received) -> Response:
    """Return a response as plain data."""
    version, status, reason = (*received.start.split(" ", 2), "")[:3]
    return Response(int(status), reason, version, received.headers, received.body)
