"""Servers on the loopback from which tests read captures: S3 as moto plays it, and web servers of several abilities."""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote
from urllib.request import urlopen

import pytest

SIGNATURE = "?key=a%2Fb+c%3d"
"""A query that means the same if it is written in another way, and then does not fit."""
SECRET = "canary-of-a-secret-access-key"


@contextmanager
def object_storage() -> Iterator[str]:
    """Yield the address of an S3 whose bucket `trial` is empty; the environment leads to it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as here:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
            here.delenv(name, raising=False)
        here.setenv("AWS_ENDPOINT_URL", address)
        here.setenv("AWS_DEFAULT_REGION", "us-east-1")
        here.setenv("AWS_ACCESS_KEY_ID", "canary")
        here.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        import fsspec

        storage: Any = fsspec.get_filesystem_class("s3")
        storage.clear_instance_cache()  # what is in there may belong to another server, which has ended
        urlopen(f"{address}/moto-api/reset", b"").close()  # all servers of a process share what is in them
        storage().mkdir("trial")
        try:
            yield address
        finally:
            storage.clear_instance_cache()
            server.stop()


class _Web(BaseHTTPRequestHandler):
    """Serves octets by path; the first part of a path is what this server can do."""

    protocol_version = "HTTP/1.1"
    files: Mapping[str, bytes]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        kind, _, name = unquote(self.path.partition("?")[0]).strip("/").partition("/")
        octets = self.files.get(name)
        if name == "folder":
            inside = (quote(each.removeprefix("folder/")) for each in self.files if each.startswith("folder/"))
            links = [*inside, "/", "../", "?C=M;O=A", "http://elsewhere.invalid/a.flow"]
            octets = "".join(f'<a href="{each}">{each}</a>' for each in links).encode()
        is_denied = kind == "denied" or (kind == "signed" and not self.path.endswith(SIGNATURE))
        if is_denied or octets is None:
            self.send_response(403 if is_denied else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if kind == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            octets = b"%x\r\n%b\r\n0\r\n\r\n" % (len(octets), octets)
        elif kind == "ranges" and asked is not None:
            first, last = int(asked[1]), min(int(asked[2]), len(octets) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(octets)}")
            octets = octets[first : last + 1]
            self.send_header("Content-Length", str(len(octets)))
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command == "GET":
            try:
                self.wfile.write(octets)
            except OSError:  # who wanted only the first octets is gone
                self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away, as those do that have what they want."""


@contextmanager
def web_server(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the host and port of a web server.

    `/ranges/NAME` is a file of which any part can be had, `/plain/NAME` one that is only sent in full, `/chunked/NAME`
    one whose length nobody tells, `/denied/NAME` one for others, `/signed/NAME` one that takes `SIGNATURE`, and
    `/plain/folder/` an index.
    """
    server = _Server(("127.0.0.1", 0), type("_Handler", (_Web,), {"files": files}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
