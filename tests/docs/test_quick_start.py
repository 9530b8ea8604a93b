"""What the quick start does with curl in place of a terminal: the commands of the page are really typed."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.generated import ROOT
from tests.proxy.parts import PATIENCE, Mitmdump

PAGE = (ROOT / "docs" / "quick-start.md").read_text()
SECTION = PAGE.partition("## Try it without a terminal\n")[2].partition("\n## ")[0]
SHELL = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
LOG = re.findall(r"^```text\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
CHANGES = re.compile(r"(?<=^#)\d+ \S+ 127\.0\.0\.1(:\d+)?(?= POST)|(?<=^#)\d+(?= fault)|curl/[\d.]+", re.MULTILINE)
"""What is different each time: number, time and port of an exchange, and the version of curl."""


def without_changes(lines: list[str]) -> list[str]:
    """Return log lines without what is different each time."""
    return [CHANGES.sub("…", line) for line in lines]


@pytest.mark.needs("curl")
def test_curl_gets_the_recorded_response_and_the_log_says_what_the_page_says(
    mitmdump: Mitmdump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    start, request, ask, fault = SHELL
    words = shlex.split(start.replace("\\\n", " "))
    assert words[:3] == ["mitmdump", "-s", "addons/ltkm.py"]
    proxy = mitmdump.proxy(*words[3:], *shlex.split(fault))
    ask = ask.replace("127.0.0.1:8080", f"127.0.0.1:{proxy.port}").replace("~/.mitmproxy", str(mitmdump.confdir))
    done = subprocess.run(
        ["sh", "-ec", request + ask], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    exchange, change = ([*map(str.rstrip, block.splitlines())] for block in LOG)
    log = [line for line in without_changes(proxy.stop().log) if line.startswith(("#", "  "))]
    assert log == without_changes([*exchange, *change, *exchange])
    assert done.stdout.count("<bcast:LTKM>") == 1 + 2
