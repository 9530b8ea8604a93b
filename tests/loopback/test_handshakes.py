"""Real TLS handshakes with the real proxy, in this process: those that fail have a cause, and metrics count them."""

import asyncio
import json
import logging
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from mitmproxy import options
from mitmproxy.certs import CertStore
from mitmproxy.tools.dump import DumpMaster

from ltkm_inspect.proxy.addon import LtkmInspect
from tests.proxy.parts import PATIENCE

NAME = "bsm.example"


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.005)


class Proxied:
    """The proxy, with the addon, in front of a server that mitmproxy does not trust; it runs on the loop of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.report = folder, folder / "run.jsonl"
        self.addon, self.port = LtkmInspect(), 0

    def run(self, steps: Callable[["Proxied"], Awaitable[None]]) -> list[dict[str, Any]]:
        """Take steps while it runs; return the failed handshakes that its report then has."""
        root = logging.getLogger()
        handlers, level = root.handlers, root.level
        try:
            asyncio.run(self._run(steps))
        finally:
            root.handlers = handlers
            root.setLevel(level)
        records = [json.loads(line) for line in self.report.read_text().splitlines()]
        return [row for record in records if "/heartbeat/" in record["schema"] for row in record["handshakes"]]

    async def _run(self, steps: Callable[["Proxied"], Awaitable[None]]) -> None:
        CertStore.from_store(self.folder, "mitmproxy", 2048)
        certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.load_cert_chain(self.folder / "mitmproxy-ca.pem")
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=certificate)
        upstream = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        typed = options.Options(confdir=str(self.folder), mode=[f"reverse:{upstream}@127.0.0.1:0"])
        master = DumpMaster(typed, with_termlog=False, with_dumper=False)
        master.addons.add(self.addon)  # type: ignore[no-untyped-call]
        typed.update(connection_strategy="lazy", ltkm_report=[str(self.report)], ltkm_metrics="0")  # type: ignore[no-untyped-call]
        running = asyncio.ensure_future(master.run())
        proxy = cast(Any, master.addons.get("proxyserver"))  # type: ignore[no-untyped-call]
        await until(proxy.listen_addrs)
        self.port = proxy.listen_addrs()[0][1]
        try:
            async with asyncio.timeout(PATIENCE):
                await steps(self)
        finally:
            server.close()
            master.shutdown()  # type: ignore[no-untyped-call]
            await running

    async def fail(self, number: int) -> None:
        """Wait until so many handshakes have failed."""
        await until(lambda: self.addon.monitor.failures.total() >= number)

    async def connect(self, *, trusts: bool, request: bytes = b"") -> bytes:
        """Connect as a client that knows the CA of the proxy or does not; return what comes back for a request."""
        return await asyncio.to_thread(self._connect, trusts, request)

    def _connect(self, trusts: bool, request: bytes) -> bytes:
        context = ssl.create_default_context(cafile=self.folder / "mitmproxy-ca-cert.pem" if trusts else None)
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        with plain, context.wrap_socket(plain, server_hostname=NAME) as client:
            client.sendall(request)
            return client.recv(4096) if request else b""

    async def send(self, octets: bytes, port: int | None = None) -> bytes:
        """Send octets to the proxy, or to another port; return what comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        writer.write(octets)
        answer = await reader.read()
        writer.close()
        return answer


def client_hello(suites: list[int], version: int = 0x0303) -> bytes:
    """Return a ClientHello, in its record, as a client of TLS up to 1.2 sends it (RFC 5246 7.4.1.2)."""
    host = NAME.encode()
    sni = struct.pack("!HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    listed = struct.pack(f"!H{len(suites)}H", 2 * len(suites), *suites)
    body = struct.pack("!H32sB", version, bytes(32), 0) + listed + b"\1\0" + struct.pack("!H", len(sni)) + sni
    message = b"\1" + len(body).to_bytes(3) + body
    return struct.pack("!BHH", 22, 0x0301, len(message)) + message


def test_each_failed_handshake_has_its_cause(tmp_path: Path) -> None:
    served = b""

    async def steps(proxied: Proxied) -> None:
        nonlocal served
        with pytest.raises(ssl.SSLCertVerificationError):
            await proxied.connect(trusts=False)
        await proxied.fail(1)
        await proxied.send(client_hello([0x00A8, 0xC035, 0x00FF]))
        await proxied.send(client_hello([0x1234]))
        await proxied.send(client_hello([0xC02F], version=0x0301))
        await proxied.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")
        await proxied.connect(trusts=True)
        request = b"GET / HTTP/1.1\r\nHost: bsm.example\r\nConnection: close\r\n\r\n"
        assert (await proxied.connect(trusts=True, request=request)).startswith(b"HTTP/1.1 502 ")
        with pytest.raises(ssl.SSLCertVerificationError):
            await proxied.connect(trusts=False)
        await proxied.fail(8)
        metrics = proxied.addon.monitor._server
        assert metrics is not None
        url = urlsplit(metrics.url)
        served = await proxied.send(b"GET /metrics HTTP/1.0\r\n\r\n", url.port)
        assert (await proxied.send(b"GET / HTTP/1.0\r\n\r\n", url.port)).startswith(b"HTTP/1.1 404 ")
        proxied.addon.monitor.use(None, None)
        with pytest.raises(ConnectionRefusedError):
            await proxied.send(b"", url.port)

    rows = Proxied(tmp_path).run(steps)
    assert {(row["side"], re.sub(r":\d+$", ":PORT", row["server"]), row["cause"]): row["number"] for row in rows} == {
        ("client", NAME, "untrusted_ca"): 1,
        ("client", NAME, "psk_only"): 1,
        ("client", NAME, "no_shared_cipher"): 1,
        ("client", NAME, "no_shared_version"): 1,
        ("client", "127.0.0.1:PORT", "no_client_hello"): 1,
        ("client", NAME, "closed_before_request"): 1,
        ("server", "127.0.0.1", "server_certificate"): 1,
        ("client", NAME, "pinned"): 1,
    }
    assert served.startswith(b"HTTP/1.1 200 ")
    assert b'\nltkm_tls_failures_total{cause="psk_only",side="client"} 1.0\n' in served
    assert b"\nltkm_inspection_seconds_count 0.0\n" in served
    assert NAME.encode() not in served
