"""Load for a proxy: a server and clients of raw HTTP/1.1 that cost little themselves, in one event loop."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """A request, and the response that the server gives to it."""

    request: bytes
    response: bytes


@dataclass(slots=True)
class Measured:
    """What one round of load came to."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds from a request to the last octet of its response."""
    cpu: float = 0.0
    """Seconds that the proxy took of its core."""
    besides: float = 0.0
    """Seconds that the processes took that it has started."""


class _Framed(asyncio.Protocol):
    """Cuts what arrives into messages by their Content-Length."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            self.message(message)

    def message(self, octets: bytes) -> None:
        raise NotImplementedError


class _Answering(_Framed):
    """One connection to the server; the last octets of a request's body or header say which response it wants."""

    def __init__(self, responses: dict[bytes, bytes]) -> None:
        super().__init__()
        self._responses = responses

    def message(self, octets: bytes) -> None:
        self.transport.write(self._responses[label_of(octets)])


class _Asking(_Framed):
    """One client on one connection, which asks as soon as it was answered, or once in so many seconds."""

    def __init__(
        self, pairs: Iterator[Pair], until: float, measured: Measured, ended: asyncio.Future[None], every: float
    ) -> None:
        super().__init__()
        self._pairs = pairs
        self._until = until
        self._measured = measured
        self._ended = ended
        self._every = every
        self._asked = 0.0
        self._wanted = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._ask()

    def message(self, octets: bytes) -> None:
        now = perf_counter()
        if octets != self._wanted:
            self._end(ValueError(f"expected {self._wanted[:60]!r}, got {octets[:60]!r}"))
            return
        self._measured.latencies.append(now - self._asked)
        if now >= self._until:
            self._end()
        elif self._every:
            asyncio.get_running_loop().call_later(max(0.0, self._asked + self._every - now), self._ask)
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("the connection ended"))

    def _ask(self) -> None:
        pair = next(self._pairs, None)
        if pair is None:
            self._end(ValueError("there are not enough exchanges for that load"))
            return
        self._wanted = pair.response
        self._asked = perf_counter()
        self.transport.write(pair.request)

    def _end(self, error: Exception | None = None) -> None:
        if not self._ended.done():
            if error is None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(error)
        self.transport.close()


_LABEL = re.compile(rb"\r\nX-Label: (\d+)\r\n")


def label_of(request: bytes) -> bytes:
    """Return the label by which the server knows what to answer."""
    found = _LABEL.search(request)
    assert found is not None
    return found[1]


async def serve(pairs: Sequence[Pair]) -> asyncio.Server:
    """Start the server on a free port of the loopback."""
    return await serve_labels({label_of(pair.request): pair.response for pair in pairs})


async def serve_labels(responses: dict[bytes, bytes]) -> asyncio.Server:
    """Start a server that answers by label; what is put into the dictionary later is answered, too."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Answering(responses), "127.0.0.1", 0)


async def press(port: int, clients: Sequence[Iterator[Pair]], seconds: float, every: float = 0.0) -> Measured:
    """Let the clients ask, each on a connection of its own, for about that long: at once again, or every so often."""
    loop = asyncio.get_running_loop()
    measured = Measured()
    begin = perf_counter()
    ends = []
    for pairs in clients:
        ended: asyncio.Future[None] = loop.create_future()
        ends.append(ended)

        def made(pairs: Iterator[Pair] = pairs, ended: "asyncio.Future[None]" = ended) -> _Asking:
            return _Asking(pairs, begin + seconds, measured, ended, every)

        await loop.create_connection(made, "127.0.0.1", port)
    await asyncio.gather(*ends)
    measured.seconds = perf_counter() - begin
    return measured
