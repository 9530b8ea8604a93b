"""Sets options, runs commands and waits for flows, told to over a socket; ends mitmdump when the other end is closed.

The option `steering` is the number of the open socket. A line is a JSON array: `["set", {OPTION: VALUE}]`,
`["run", [COMMAND, ARGUMENT, …]]`, or `["wait", EVENTS, SECONDS]`. The answer is a line as well: an object with `error`,
a text that is empty if all went well, and after `wait` the numbers `events`, `others` and `in_flight`.
"""

import asyncio
import json
import socket
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Any

from mitmproxy import connection, ctx, exceptions, http
from mitmproxy.addonmanager import Loader


class Steering:
    """Serves the socket as long as mitmdump runs, and mitmdump runs as long as the socket is open."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._in_flight: dict[str, str] = {}
        """The flows that wait for the end of their response, each with its connection."""

    def load(self, loader: Loader) -> None:
        """Offer the option."""
        loader.add_option("steering", int, -1, "The number of the open socket over which this mitmdump is steered.")

    async def running(self) -> None:
        """Begin to serve."""
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=ctx.options.steering))
        self._task = asyncio.create_task(self._serve(reader, writer))

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Count a flow that begins."""
        self._in_flight[flow.id] = flow.client_conn.id
        self._changed.set()

    def response(self, flow: http.HTTPFlow) -> None:
        """Count it as ended. The addon comes first, so it has been checked."""
        self._end(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Count one that ended in an error, too."""
        self._end(flow)

    def client_disconnected(self, client: connection.Client) -> None:
        """Count as ended what nothing else ends."""
        for flow in [id for id, owner in self._in_flight.items() if owner == client.id]:
            del self._in_flight[flow]
        self._changed.set()

    def udp_message(self, _: object) -> None:
        """Look again: there may be a datagram more."""
        self._changed.set()

    def _end(self, flow: http.HTTPFlow) -> None:
        self._in_flight.pop(flow.id, None)
        self._changed.set()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                answer = await self._obey(*json.loads(line))
                writer.write(json.dumps({"error": "", **answer}).encode() + b"\n")
                await writer.drain()
        ctx.master.shutdown()  # type: ignore[no-untyped-call]

    async def _obey(self, what: str, argument: Any, seconds: float = 0) -> dict[str, Any]:
        try:
            if what == "set":
                ctx.options.update(**argument)  # type: ignore[no-untyped-call]
            elif what == "run":
                ctx.master.commands.call_strings(argument[0], argument[1:])
            else:
                return await self._wait(argument, seconds)
        except (exceptions.OptionsError, exceptions.CommandError) as error:
            return {"error": str(error)}
        return {}

    async def _wait(self, events: int, seconds: float) -> dict[str, int]:
        """Wait until that many events were checked and no flow is in flight, but not for longer than that."""
        addon: Any = ctx.master.addons.get("ltkm")  # type: ignore[no-untyped-call]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._in_flight or addon.summary.events < events:
                    self._changed.clear()
                    await self._changed.wait()
        summary = addon.summary
        return {"events": summary.events, "others": summary.others, "in_flight": len(self._in_flight)}


addons = [Steering()]
