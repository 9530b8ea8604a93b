"""What a user of the real mitmweb sees of the addon, in a headless browser."""

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.parts import PATIENCE, SCRIPT, TRIAL, inspected
from tests.report.browser import Browser, browser

MITMWEB = Path(sys.executable).with_name("mitmweb")
PASSWORD = "let-the-test-in"
FLAW = "ltkm-missing"
CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1600,3000", "--virtual-time-budget=10000", "--dump-dom"),
)

pytestmark = pytest.mark.needs("chromium")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _get(port: int, path: str) -> Any:
    """Return what mitmweb answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {PASSWORD}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _flows(port: int) -> list[dict[str, Any]]:
    """Return the flows that mitmweb has, none while it does not answer."""
    with suppress(ConnectionError):
        flows: list[dict[str, Any]] = _get(port, "/flows")
        return flows
    return []


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a mitmweb that has loaded the trial."""
    folder = tmp_path_factory.mktemp("mitmweb")
    port = _free_port()
    options = [f"confdir={folder}", f"web_port={port}", f"web_password={PASSWORD}", "web_open_browser=false"]
    options += ["web_columns=path", "web_columns=comment"]
    command = [str(MITMWEB), "-n", "-s", str(SCRIPT), "-r", str(TRIAL)]
    for option in options:
        command += ["--set", option]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE
        while len(_flows(port)) < len(inspected(TRIAL)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def page(port: int, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of mitmweb, as the browser has it with the response of a flawed flow opened."""
    folder = tmp_path_factory.mktemp("chromium")
    flaw = next(report for report in inspected(TRIAL) if report is not None and FLAW in report.rules)
    url = f"http://127.0.0.1:{port}/?token={PASSWORD}#/flows/{flaw.exchange.id}/response"
    dump = folder / "page.html"
    with dump.open("wb") as output:  # no pipe: what the browser leaves running would hold it open
        command = [*CHROMIUM, f"--user-data-dir={folder / 'profile'}", url]
        subprocess.run(command, stdout=output, stderr=subprocess.DEVNULL, timeout=PATIENCE, check=True)
    return dump.read_text(encoding="utf-8")


def test_the_flow_list_shows_the_comment_of_each_flawed_flow(page: str) -> None:
    flawed = [report for report in inspected(TRIAL) if report is not None and report.findings]
    expected = [f"[{', '.join(report.rules)}; ltkm: {report.verdict}]" for report in flawed]
    assert f"[{FLAW}; ltkm: violation]" in expected
    assert [comment for comment in re.findall(r'<td class="col-comment">([^<]*)</td>', page) if comment] == expected


def test_the_response_of_a_flawed_flow_opens_as_a_tree_with_its_finding(page: str) -> None:
    tree = [unescape(line) for line in re.findall(r"<div>([^<]*)</div>", page)]
    assert "items:" in tree
    assert any(line.startswith("    key_group: ") for line in tree)
    assert any(line.startswith(f"    # violation {FLAW}: ") for line in tree)
    assert re.search(r"<h[1-6][^>]*>LTKM\b|>LTKM<", page)


@pytest.fixture(scope="module")
def window(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window with mitmweb and its command bar."""
    with browser(tmp_path_factory.mktemp("browser")) as window:
        window.run("location.href = arguments[0]", f"http://127.0.0.1:{port}/?token={PASSWORD}#/flows")
        window.wait("return [...document.querySelectorAll('nav.nav-tabs a')].some(a => a.textContent == 'Options')")
        window.run("[...document.querySelectorAll('nav.nav-tabs a')].find(a => a.textContent == 'Options').click()")
        label = "[...document.querySelectorAll('label')].find(l => l.textContent.includes('Display Command Bar'))"
        window.wait(f"return !!{label}")
        window.run(f"{label}.click()")
        window.wait("return !!document.querySelector('.command-input input')")
        yield window


def _command(window: Browser, text: str) -> None:
    """Type a command into the command bar."""
    window.type(".command-input input", text)
    window.press("Enter")


def _faulted(port: int) -> list[str]:
    """Return the comments of the flows that a fault is in."""
    return [flow["comment"] for flow in _flows(port) if "; ltkm: fault]" in flow["comment"]]


def test_the_command_bar_puts_faults_into_flows_and_takes_them_back(port: int, window: Browser, tmp_path: Path) -> None:
    _command(window, "ltkm.fault @all shorten-rand:octets=8")
    window.wait("return document.body.textContent.includes('[shorten-rand:octets=8; ltkm: fault]')")
    window.screenshot(tmp_path / "faults.png")
    comments = _faulted(port)
    assert len(comments) > 20
    assert any("rand-length-wrong" in comment for comment in comments)
    _command(window, "ltkm.revert @all")
    window.wait("return !document.body.textContent.includes('; ltkm: fault]')")
    assert _faulted(port) == []


def test_the_command_bar_shows_a_mistake_in_one_line(port: int, window: Browser) -> None:
    _command(window, "ltkm.fault @all shorten-rant")
    window.wait("return document.body.textContent.includes('unknown fault shorten-rant; did you mean shorten-rand?')")
    assert _faulted(port) == []


def test_the_command_bar_shows_the_faults(window: Browser) -> None:
    _command(window, "ltkm.faults")
    window.wait("return document.body.textContent.includes('Keep only the first octets of RAND.')")


def test_an_option_on_faults_is_set_and_a_mistake_refused(port: int, window: Browser) -> None:
    _command(window, "set ltkm_fault=shorten-rant")
    window.wait("return document.body.textContent.includes('ltkm_fault: unknown fault shorten-rant')")
    assert _get(port, "/options")["ltkm_fault"]["value"] == []
    _command(window, "set ltkm_fault=strip-ltkm")
    window.wait("return document.body.textContent.includes('$ set ltkm_fault=strip-ltkm')")
    assert _get(port, "/options")["ltkm_fault"]["value"] == ["strip-ltkm"]
