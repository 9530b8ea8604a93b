"""Editing the LTKM view in the real mitmproxy, by its keys, in a terminal that tmux holds."""

import base64
import json
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from ltkm_inspect import digest, document, mikey
from ltkm_inspect.keys import Verdict
from ltkm_inspect.reference import FIRST, KEYS, MRK
from tests.proxy.console import Console
from tests.proxy.parts import PATIENCE, Origin, Save, clean
from tests.proxy.test_keys import ring_text
from tests.proxy.test_traffic import response

pytestmark = pytest.mark.needs("tmux")

HEADING = re.compile(r"^LTKM +\[m:auto\]$", re.MULTILINE)
CHOICE = re.compile(r"([a-z0-9])\) response-body \(LTKM\)")


@dataclass
class Terminal:
    """A client that sends one request through the proxy and waits for what comes back."""

    port: int
    octets: bytes
    got: bytes = b""
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            client.sendall(self.octets)
            while part := client.recv(65536):
                self.got += part

    def answer(self) -> tuple[bytes, bytes]:
        """Return head and body of the response."""
        self._thread.join(PATIENCE)
        head, _, body = self.got.partition(b"\r\n\r\n")
        return head, body


EDITOR = """
import json, pathlib, re, sys
text = pathlib.Path(sys.argv[2]).read_text()
for old, new in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    text = re.sub(old, new, text)
pathlib.Path(sys.argv[2]).write_text(text)
"""


class Desk:
    """A place for a console whose editor makes the replacements that the test asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ring = folder / "ring.toml"
        self.ring.write_text(ring_text())
        self.ring.chmod(0o600)
        self._editor = folder / "editor.py"
        self._editor.write_text(EDITOR)
        self._edits = folder / "edits.json"
        self._console: Console | None = None

    def open(self, *arguments: str | Path) -> Console:
        """Start the console; it gets the key ring."""
        editor = f"{sys.executable} {self._editor} {self._edits}"
        ring = f"ltkm_keys={self.ring}"
        self._console = Console(self.folder, "--set", ring, *arguments, EDITOR=editor, MITMPROXY_EDITOR=editor)
        return self._console

    def edit(self, *edits: tuple[str, str]) -> None:
        """Press e in the tab of the response and choose its body as LTKM; the editor does these replacements."""
        assert self._console is not None
        self._edits.write_text(json.dumps(edits))
        self._console.screen(lambda shown: HEADING.search(shown) is not None)
        self._console.press("e")
        menu = self._console.screen(lambda shown: CHOICE.search(shown) is not None)
        key = CHOICE.search(menu)
        assert key is not None
        self._console.type(key[1])

    def close(self) -> None:
        """End the console."""
        if self._console is not None:
            self._console.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A place for a console."""
    with tempfile.TemporaryDirectory(prefix="ltkm-") as folder:
        place = Desk(Path(folder))
        yield place
        place.close()


def show_response(console: Console) -> None:
    """Open the flow that has the focus, and the tab of its response."""
    console.press("Enter")
    console.screen(lambda shown: "Flow Details" in shown)
    console.press("Tab")
    console.screen(lambda shown: "response_code: " in shown)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_terminal_gets_an_intercepted_response_as_edited_and_properly_signed(desk: Desk, origin: Origin) -> None:
    exchange = clean()
    path = exchange.request.target.partition("?")[0].encode()
    origin.answers[path] = response(exchange)
    port = free_port()
    console = desk.open(
        *("--mode", f"reverse:http://{origin.authority}", "--listen-host", "127.0.0.1", "-p", str(port)),
        *("--set", "keep_host_header=true", "--set", "intercept=~s"),
    )
    console.screen(lambda shown: f"127.0.0.1:{port}" in shown)
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in exchange.request.headers.fields)
    asked = f"{exchange.request.method} {exchange.request.target} HTTP/1.1\r\n".encode() + fields
    terminal = Terminal(port, asked + b"Connection: close\r\n\r\n" + (exchange.request.body or b""))
    console.screen(lambda shown: "[1/1]" in shown and " 200 " in shown)
    show_response(console)

    desk.edit(("value: 24cb4400.*", "value: 24cb44g0"))  # a slip: the answer names the line, and nothing is changed
    refused = console.screen(lambda shown: "LTKM not changed" in shown)
    assert re.search(r"LTKM not changed: line \d+: value: expected octets in hex", refused)
    assert terminal.got == b""

    desk.edit(  # the editor shows the slip again, with the mistake above it
        ("# MISTAKE: value: expected octets in hex.*\n *value: 24cb44g0", "value: 24cb4401"),
        ("msk_id: 24cb4400", "msk_id: 24cb4401"),
        ("value: 0000002a.*", "value: 0000002b"),
    )
    console.screen(lambda shown: "key_number: 4401 (17409)" in shown)
    console.type("a")
    head, body = terminal.answer()

    assert re.search(rb"(?i)content-length: *(\d+)", head)[1] == str(len(body)).encode()  # type: ignore[index]
    xml = document.read(body)
    assert xml.root is not None
    (item,) = document.msk_items(xml.root).items
    assert document.base64_octets(document.content_text(item.msk_ids[0])).octets == bytes.fromhex("24cb4401")
    octets = base64.b64decode(item.candidates[0].text)
    message = mikey.decode(octets)
    assert message.key_id(1) == bytes.fromhex("24cb4401")
    assert message.of(mikey.Timestamp)[0].number == 43
    opened = KEYS.open(message, octets)
    assert opened.verdict is Verdict.VALID
    assert opened.key_data is not None
    assert [entry.key for entry in opened.key_data.entries] == [FIRST.msk]
    info = re.search(rb"(?im)^authentication-info: *(.*?)\r?$", head)
    assert info is not None
    assert exchange.request.credentials is not None
    expected = digest.rspauth(exchange.request.credentials, base64.b64encode(MRK), body)
    assert digest.parse_directives(info[1].decode()).get("rspauth") == expected
    assert exchange.authentication_info is not None
    assert exchange.authentication_info.get("rspauth") != expected


def test_a_loaded_flow_is_saved_as_edited_with_its_findings_and_the_trace_of_the_edit(desk: Desk, save: Save) -> None:
    console = desk.open("-n", "-r", save([clean("several-keys")]))
    console.screen(lambda shown: "[1/1]" in shown)
    show_response(console)
    desk.edit(("msk_id: 24cb4400", "msk_id: 24cb4401"))
    shown = console.screen(lambda shown: "# violation msk-id-mismatch: " in shown)
    assert "msk_id: 24cb4401" in shown
    assert "[fault edit]" in shown
    saved = desk.folder / "saved.flow"
    console.command(f"save.file @all {saved}")
    console.screen(lambda shown: saved.exists() and "Saved 1 flows" in shown)
    with saved.open("rb") as file:
        (flow,) = FlowReader(file).stream()
    assert isinstance(flow, HTTPFlow)
    assert flow.metadata["ltkm_fault"] == ["edit"]
    assert flow.response is not None
    assert base64.b64encode(bytes.fromhex("24cb4401")) in (flow.response.content or b"")
    flow.revert()  # type: ignore[no-untyped-call]
    exchange = clean("several-keys").response
    assert exchange is not None
    assert flow.response is not None
    assert flow.response.content == exchange.body


def test_an_editor_that_is_left_without_a_change_leaves_the_flow_as_it_was(desk: Desk, save: Save) -> None:
    console = desk.open("-n", "-r", save([clean("several-keys")]))
    console.screen(lambda shown: "[1/1]" in shown)
    show_response(console)
    desk.edit()
    console.screen(lambda shown: HEADING.search(shown) is not None and CHOICE.search(shown) is None)
    saved = desk.folder / "saved.flow"
    console.command(f"save.file @all {saved}")
    console.screen(lambda shown: saved.exists() and "Saved 1 flows" in shown)
    with saved.open("rb") as file:
        (flow,) = FlowReader(file).stream()
    assert isinstance(flow, HTTPFlow)
    assert "ltkm_fault" not in flow.metadata
    response = clean("several-keys").response
    assert response is not None
    assert flow.response is not None
    assert flow.response.content == response.body
    assert flow.response.headers.fields == response.headers.fields
