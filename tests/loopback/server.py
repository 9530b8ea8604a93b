"""An HTTP/1.1 server on the loopback with a thread for each connection, which it keeps as long as the client does."""

import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Self, cast

from tests.loopback.wire import Received, receive
from tests.proxy.parts import PATIENCE


class Listener:
    """Listens on a port, and answers each request with the octets that a function returns for it."""

    def __init__(self, answer: Callable[[Received], bytes], address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        """Take the port, or a free one for 0, without serving yet."""
        self._server = _Server(address, _Connection)
        self._server.answer = answer
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving; connections that are still open end with their clients."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


class _Connection(socketserver.StreamRequestHandler):
    timeout = PATIENCE
    disable_nagle_algorithm = True

    def handle(self) -> None:
        answer = cast(_Server, self.server).answer
        with suppress(OSError):
            while (request := receive(cast(BinaryIO, self.rfile))) is not None and request.whole:
                self.wfile.write(answer(request))
                if (request.headers.get("Connection") or "").lower() == "close":
                    return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    answer: Callable[[Received], bytes]
