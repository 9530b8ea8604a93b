"""How long an innocent request waits beside a hostile exchange in real mitmdump, with and without the addon."""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from tests.bench._load import label_of, serve_labels
from tests.bench.bench_proxy import Quiet, foreign, labelled, msk, started_by
from tests.hostile._form import Form, octets_of
from tests.hostile._growth import ROUNDS, Cost, above

SCRIPTS = ("no script", "addon")
PATIENCE = 60.0
"""Seconds after which a connection counts as hanging."""
GOAL = 0.005
"""Seconds that somebody innocent may wait longer; what takes longer is measured again."""
INNOCENT = labelled(foreign(), 0)
HOSTILE = 1
"""The label of the hostile exchange."""
MATCHING = labelled(msk(0, 0), 2)


@dataclass(frozen=True, slots=True)
class Beside:
    """What was seen of one hostile exchange and of who was beside it."""

    delay: float
    """Seconds for which an innocent request waited at most."""
    seconds: float
    """Until the hostile response was there."""
    octets: bytes
    """That response."""
    asked: int
    """How often somebody innocent asked."""


class Neighbors:
    """Two mitmdumps in front of one server, each with somebody innocent; to be used in `with` blocks."""

    def __init__(self, folder: Path, ring: Path) -> None:
        """Take a folder for what they write, and the key ring of the addon."""
        self._folder = folder
        self._ring = ring
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._responses = {label_of(each.request): each.response for each in (INNOCENT, MATCHING)}
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Start them, each on one core where there are two; the inspector process may use both, as may we."""
        self._stack.callback(self._loop.close)
        server = self._run(serve_labels(self._responses))
        self._stack.callback(server.close)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        for script in SCRIPTS:
            options = {"ltkm_redact": "true", "ltkm_keys": self._ring, "ltkm_report": self._folder / "proxy.jsonl"}
            typed = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
            upstream = server.sockets[0].getsockname()[1]
            proxy = Quiet(self._folder, script, upstream, *(typed if script == "addon" else ()))
            self._stack.callback(proxy.stop)
            self._ports[script] = proxy.port
            if len(cores) > 1:
                os.sched_setaffinity(proxy.process.pid, cores[:1])
        for port in self._ports.values():  # the first requests are slower than all others
            for _ in range(20):
                self._run(_ask(port, INNOCENT.request))
            self._run(_ask(port, MATCHING.request))  # which starts the inspector process
        if len(cores) > 1:
            for pid in started_by(proxy.process.pid):
                os.sched_setaffinity(pid, cores)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._stack.close()

    def _run[T](self, wanted: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(wanted)

    def cost(self, form: Form, octets: int) -> Cost:
        """Return what it costs somebody innocent that somebody else gets that form, of about that many octets."""
        exchange = form.of_size(octets)
        if exchange.response is None:  # there is nothing that the server could send
            return Cost(octets=octets_of(exchange))
        pair = labelled(exchange, HOSTILE)
        self._responses[label_of(pair.request)] = pair.response
        found = Cost(octets=octets_of(exchange), delay=float("inf"))
        for _ in range(ROUNDS):
            try:
                ours = self._run(_beside(self._ports["addon"], pair.request))
                plain = self._run(_beside(self._ports["no script"], pair.request, ours.asked))
            except (OSError, TimeoutError) as error:
                found.error = f"{type(error).__name__}: {error}"
                break
            found.delay = min(found.delay, ours.delay - plain.delay)
            found.seconds = ours.seconds
            if ours.octets != plain.octets:
                found.error = f"another response with the addon: {len(ours.octets)} octets, not {len(plain.octets)}"
            if found.delay <= GOAL:
                break
        found.wrong = above(found)
        return found


async def _beside(port: int, request: bytes, least: int = 0) -> Beside:
    """Let somebody ask for the hostile response while somebody else asks for one page after the other.

    The latter asks so many times at least: the longest of many waits is longer than that of a few.
    """
    waits: list[float] = []
    hostile = asyncio.create_task(_ask(port, request))
    begin = perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not hostile.done() or len(waits) < least:
        asked = perf_counter()
        writer.write(INNOCENT.request)
        await asyncio.wait_for(reader.readexactly(len(INNOCENT.response)), PATIENCE)
        waits.append(perf_counter() - asked)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Beside(max(waits, default=0.0), perf_counter() - begin, await hostile, len(waits))


async def _ask(port: int, request: bytes) -> bytes:
    """Return everything that comes back on one connection, up to where the response ends or nothing comes any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(request)
    await writer.drain()
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    body = b""
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None)
    if b"transfer-encoding: chunked" in head.lower():
        body = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n"), PATIENCE)
    elif length is not None:
        body = await asyncio.wait_for(reader.readexactly(int(length.partition(b":")[2])), PATIENCE)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return head + body
