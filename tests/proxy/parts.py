"""What the tests of the addon are made of: the real mitmdump, an origin server on the loopback, and exchanges."""

import io
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from mitmproxy import contentviews, ctx
from mitmproxy.flow import Flow
from mitmproxy.tools import main

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Report
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.pytest.running import RunningMitmdump, SteeringWheel
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.proxy.warm import Fork
from tests.recorded import exchanges

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "addons" / "ltkm.py"
HERE = Path(__file__).with_name("script.py")
"""What stands in for it in this process."""
TRIAL = ROOT / "flows" / "trial.flow"
MITMDUMP = Path(sys.executable).with_name("mitmdump")
PATIENCE = 120.0
"""Seconds after which a process or a socket counts as hanging."""

TIME = re.compile(r"^\[\d\d:\d\d:\d\d\.\d{3}\] ")


@dataclass
class Run:
    """What a run of mitmdump printed, and its exit status."""

    status: int
    output: str
    errors: str = ""

    @property
    def log(self) -> list[str]:
        """The log lines without their time."""
        return [TIME.sub("", line) for line in self.output.splitlines() if TIME.match(line)]


@dataclass
class Mitmdump:
    """The real mitmdump, with a configuration folder of its own."""

    confdir: Path
    running: list[subprocess.Popen[str] | Fork] = field(default_factory=list)

    def command(self, *arguments: str | Path, script: bool = True) -> list[str]:
        """Return the command line, with the script unless told otherwise."""
        load = [SCRIPT] if script else []
        return [str(MITMDUMP), *self._words(load, arguments)]

    def _words(self, scripts: Sequence[Path], arguments: Sequence[str | Path]) -> list[str]:
        load = [word for each in scripts for word in ("-s", str(each))]
        if scripts and not any("ltkm_deadline" in str(each) for each in arguments):
            load += ["--set", "ltkm_deadline=never"]  # a busy machine must not decide what is put in
        return ["--set", f"confdir={self.confdir}", *load, *map(str, arguments)]

    def __call__(self, *arguments: str | Path) -> Run:
        """Run it to its end in this process, which takes a tenth of what a process of its own takes."""
        words = self._words([HERE], arguments)
        out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        status: object = 0
        timer = threading.Timer(PATIENCE, _shut_down)
        timer.start()
        with _nothing_left_behind(), redirect_stdout(out), redirect_stderr(errors):
            try:
                main.mitmdump(words)
            except SystemExit as end:
                status = end.code
            finally:
                hung = timer.finished.is_set()
                timer.cancel()
        assert isinstance(status, int)
        assert not hung
        for stream in (out, errors):
            stream.seek(0)
        return Run(status, out.read(), errors.read())

    def process(self, *arguments: str | Path) -> Run:
        """Run it to its end as a process."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=PATIENCE, check=False)
        return Run(done.returncode, done.stdout, done.stderr)

    def proxy(self, *arguments: str | Path, script: bool = True, wheel: SteeringWheel | None = None) -> "Proxy":
        """Start it as a proxy on a free port of the loopback, steered by that wheel.

        Without the script, nothing of this package is in it.
        """
        listen = ["--listen-host", "127.0.0.1", "-p", "0", *arguments]
        process: subprocess.Popen[str] | Fork
        if script:
            process = Fork(self._words([SCRIPT], listen), wheel)
        else:
            command = self.command(*listen, script=False)
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.running.append(process)
        return Proxy(process)


def _shut_down() -> None:
    ctx.master.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def _nothing_left_behind() -> Iterator[None]:
    """Take away what a run of mitmproxy leaves in its process: what listens to the log, and our content view."""
    root, views = logging.getLogger(), contentviews.registry._by_name
    handlers, level, former = root.handlers, root.level, {**views}
    root.handlers = []
    views.pop(LtkmView.name.lower(), None)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        views.clear()
        views.update(former)


class Proxy(RunningMitmdump):
    """A mitmdump that is listening."""

    @property
    def log(self) -> list[str]:
        """The log lines so far, without their time."""
        return Run(0, self.output).log

    def send(self, octets: bytes) -> bytes:
        """Return everything that comes back on one connection until its end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            client.sendall(octets)
            parts = []
            with suppress(ConnectionResetError):
                while part := client.recv(65536):
                    parts.append(part)
        return b"".join(parts)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> Run:
        """End it by signal; return what it printed."""
        return Run(self.end(by), self.output)


class Origin:
    """An HTTP/1 server on the loopback that answers each path with the octets that it was told, then closes."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.answers: dict[bytes, bytes] = {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with client, suppress(OSError):
                    client.settimeout(PATIENCE)
                    client.sendall(self.answers[_request_path(client)])

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"


def _request_path(client: socket.socket) -> bytes:
    octets = b""
    while b"\r\n\r\n" not in octets:
        part = client.recv(65536)
        if not part:
            raise ConnectionResetError
        octets += part
    head, _, body = octets.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += client.recv(65536)
    return head.split(b" ", 2)[1].partition(b"?")[0]


def clean(name: str = "download") -> Exchange:
    """Return the last exchange of a clean reference."""
    return reference.reference(name)[-1]


def edited(exchange: Exchange, old: str, new: str) -> Exchange:
    """Return the exchange with some text of its response body replaced, which must be there."""
    response = exchange.response
    assert response is not None
    assert response.body is not None
    assert old.encode() in response.body
    return replace(exchange, response=response.with_content(response.body.replace(old.encode(), new.encode())))


def flawed() -> Exchange:
    """Return an exchange with two items that claim success and one LTKM: `ltkm-missing`."""
    first, second = reference.FIRST, reference.SECOND
    items = [(first, "200 OK", reference.ltkm(first)), (second, "200 OK", None)]
    return reference.exchange([first.msk_id, second.msk_id], items)


def inspected(path: Path) -> list[Report | None]:
    """Return the report of each flow in a flow file, as one session; None for a flow that is not MSK."""
    context = Context(session=Session())
    return [inspect(each, context) if isinstance(each, Exchange) else None for each in exchanges(path)]


type Save = Callable[[Iterable[Exchange | Flow]], Path]
