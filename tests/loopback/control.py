"""A script for mitmdump that sets options and runs commands, as a user would in the console: told to over a socket.

The option `control` names the socket. A line is a JSON object of options, or an array with a command and its arguments.
The answer is a line as well: the text of the error, or an empty string.
"""

import asyncio
import json
from asyncio import StreamReader, StreamWriter

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader


class Control:
    """Serves the socket as long as mitmdump runs."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None

    def load(self, loader: Loader) -> None:
        """Offer the option."""
        loader.add_option("control", str, "", "The socket over which options are set.")

    async def running(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_unix_server(self._serve, ctx.options.control)

    def done(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            said = ""
            try:
                told = json.loads(line)
                if isinstance(told, dict):
                    ctx.options.update(**told)  # type: ignore[no-untyped-call]
                else:
                    ctx.master.commands.call_strings(told[0], told[1:])
            except (exceptions.OptionsError, exceptions.CommandError) as error:
                said = str(error)
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        writer.close()


addons = [Control()]
