"""A real Chromium, driven over the WebDriver protocol by chromedriver, with no library in between."""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

PATIENCE = 30.0
"""Seconds after which the browser counts as hanging."""
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,1000"),
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key under which WebDriver sends elements
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Home": "\ue011", "End": "\ue010"} | {
    f"Arrow{side}": key for side, key in zip(("Left", "Up", "Right", "Down"), "\ue012\ue013\ue014\ue015", strict=True)
}


class Browser:
    """One window."""

    def __init__(self, port: int, folder: Path, arguments: tuple[str, ...]) -> None:
        """Open it."""
        self._port = port
        self._session = ""
        options = {
            "args": [*ARGUMENTS, *arguments, f"--user-data-dir={folder / 'profile'}"],
            "binary": shutil.which("chromium"),
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }
        found = self._call("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/{found['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/session{self._session}{path}", sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        assert response.status == 200, value
        return value

    def open(self, path: Path) -> Self:
        """Open a file."""
        self._call("POST", "/url", {"url": path.as_uri()})
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function body in the page and return what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: Any) -> Any:
        """Run a function body until what it returns is true."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.run(script, *arguments)):
            assert time.monotonic() < deadline, script
            time.sleep(0.02)
        return found

    def _element(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{found[_ELEMENT]}"

    def click(self, selector: str) -> None:
        """Click the first element that fits, as a user does: it must be visible and not be covered."""
        self._call("POST", f"{self._element(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into the first element that fits."""
        self._call("POST", f"{self._element(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys by name, one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def hover(self, selector: str) -> None:
        """Move the pointer over the first element that fits."""
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        move = {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": found}
        self._call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def log(self, kind: str = "browser") -> list[dict[str, Any]]:
        """Return what the browser logged since the last time: `browser` for the console, `performance` for requests."""
        found: list[dict[str, Any]] = self._call("POST", "/se/log", {"type": kind})
        return found

    def requests(self) -> list[str]:
        """Return the URLs that were asked for since the last time."""
        messages = (json.loads(entry["message"])["message"] for entry in self.log("performance"))
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]

    def emulate(self, medium: str, colour: str = "light") -> None:
        """Show the page as on that medium (`print`; empty for the screen) to a reader who likes it light or dark."""
        features = [{"name": "prefers-color-scheme", "value": colour}]
        parameters = {"media": medium, "features": features}
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": parameters})

    def resize(self, width: int, height: int) -> None:
        """Give the page that many pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}
        self._call("POST", "/goog/cdp/execute", command)

    def screenshot(self, path: Path) -> None:
        """Save a picture of the window."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self) -> None:
        """Close it."""
        with suppress(AssertionError, OSError):
            self._call("DELETE", "")


@contextmanager
def browser(folder: Path, *arguments: str) -> Iterator[Browser]:
    """Start chromedriver and a window, with its files in that folder; both are gone at the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert driver.poll() is None, "chromedriver ended"
            assert time.monotonic() < deadline, "chromedriver does not listen"
            time.sleep(0.02)
        window = Browser(port, folder, arguments)
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        try:
            driver.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait(PATIENCE)
