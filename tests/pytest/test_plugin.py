"""The plugin as a test suite uses it (`pytest -p ltkm_inspect.pytest`), with the real mitmdump."""

import re
import sysconfig
from typing import Any

import pytest

import tests.loopback.terminal  # noqa: F401 - else each run imports mitmproxy again, which can be imported once only
from ltkm_inspect.pytest.running import RunningMitmdump
from tests.recorded import exchanges

pytest_plugins = ["pytester"]

HEAD = """
import threading
import pytest
from ltkm_inspect.reference import FIRST
from tests.loopback.bsm import Bsm, Habits
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset

@pytest.fixture(scope="module")
def bsm():
    with Bsm() as server:
        yield server

def deliver(bsm, proxy, name, habits=None):
    with Handset(person(name), proxy.port) as handset:
        bsm.subscribe(handset.terminal, habits)
        handset.connect([FIRST.msk_id])
        handset.ask([FIRST.msk_id])
"""
SHARED = """
@pytest.fixture(scope="module")
def proxy(bsm, start_ltkm_proxy):
    with start_ltkm_proxy(upstream=f"http://127.0.0.1:{bsm.port}", options={"ltkm_log": "summary"}) as proxy:
        yield proxy

def test_clean(bsm, proxy):
    deliver(bsm, proxy, "clean")
    proxy.assert_clean(at_least=2)

def test_finding(bsm, proxy):
    deliver(bsm, proxy, "finding", Habits(code="200 ok"))
    proxy.assert_clean()

def test_only_what_came_since_counts(bsm, proxy):
    deliver(bsm, proxy, "ignored", Habits(code="200 ok"))
    proxy.assert_clean(ignore=["response-code-near-miss"], at_least=2)

def test_less_than_wanted(bsm, proxy):
    with Handset(person("other"), proxy.port) as handset:
        handset.fetch("/page")
    proxy.assert_clean(at_least=3, timeout=0.05)

def test_a_fault_is_no_finding(bsm, proxy):
    proxy.set(ltkm_fault=["strip-ltkm"])
    deliver(bsm, proxy, "fault")
    proxy.assert_clean()
    with pytest.raises(ValueError, match="ltkm_fault"):
        proxy.set(ltkm_fault=["strip-ltkms"])

def test_what_is_in_flight_is_waited_for(bsm, proxy):
    threads = [threading.Thread(target=deliver, args=(bsm, proxy, f"thread {n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    proxy.assert_clean(at_least=8)
    for thread in threads:
        thread.join()
"""


def test_what_was_found_fails_the_test_and_the_capture_is_kept(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunningMitmdump] = []
    begin = RunningMitmdump.__init__

    def remember(self: RunningMitmdump, *given: Any) -> None:
        started.append(self)
        begin(self, *given)

    monkeypatch.setattr(RunningMitmdump, "__init__", remember)
    pytester.makepyfile(HEAD + SHARED)
    result = pytester.runpytest_inprocess("-p", "ltkm_inspect.pytest", "-p", "no:cacheprovider", "--ltkm-keep", "kept")
    result.assert_outcomes(passed=4, failed=2)
    output = result.stdout.str()
    assert re.search(
        r"E +AssertionError: #\d+ \S+ \S+ POST /keymanagement\S* -> 200: 1 item, 0 LTKMs: warning\n"
        r"E +warning response-code-near-miss: item 1, ResponseCode: ",
        output,
    )
    assert "expected at least 3 MSK exchanges and datagrams, got 0; 1 other flow went through the proxy" in output
    (folder,) = (pytester.path / "kept").iterdir()
    assert output.count(f"capture: {folder}/capture.flow") == 2, "one for each test that failed"
    assert sum(1 for _ in exchanges(folder / "capture.flow")) == 2 * 2 + 2 + 1 + 2 + 8
    assert (folder / "report.jsonl").read_text().count('"schema":"ltkm-inspect/summary/') == 1
    assert "listening at" in (folder / "mitmdump.log").read_text()
    (mitmdump,) = started
    assert mitmdump.process.poll() == 0


def test_a_regular_proxy_of_one_test_leaves_nothing_behind_and_ends_with_its_starter(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nltkm_set =\n    ltkm_profile=bcast\n    ltkm_ignore=user-agent-lacks-gba\n")
    pytester.makepyfile(
        HEAD
        + """
def test_regular(bsm, ltkm_proxy):
    with Handset(person("regular"), ltkm_proxy.port, proxied=f"http://127.0.0.1:{bsm.port}") as handset:
        bsm.subscribe(handset.terminal)
        handset.connect([FIRST.msk_id])
    assert ltkm_proxy.url == f"http://127.0.0.1:{ltkm_proxy.port}"
    assert ltkm_proxy.ca.read_text().startswith("-----BEGIN CERTIFICATE-----")
    ltkm_proxy.assert_clean(ignore=["exchange"])
    ltkm_proxy._wheel.close()  # as when this process is killed
    assert ltkm_proxy._mitmdump.process.wait(60) == 0
"""
    )
    result = pytester.runpytest_inprocess("-p", "ltkm_inspect.pytest", f"--basetemp={pytester.path / 'temporary'}")
    result.assert_outcomes(passed=1)
    left = [path for path in (pytester.path / "temporary").rglob("*") if path.is_file()]
    assert left == [], "neither capture nor the key of the certificate authority"


@pytest.mark.parametrize(("mode", "why"), [(0o644, "Permission denied"), (0o755, "unknown option: --listen-host")])
def test_a_mitmdump_that_cannot_start_is_one_error(
    mode: int, why: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_it(ltkm_proxy): pass")
    fake = pytester.mkdir("bin") / "mitmdump"
    fake.write_text("#!/bin/sh\necho Error: unknown option: $*\nexit 1\n")
    fake.chmod(mode)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(fake.parent))
    result = pytester.runpytest_inprocess("-p", "ltkm_inspect.pytest", "-q")
    result.assert_outcomes(errors=1)
    (line,) = [line for line in result.outlines if line.startswith("ltkm-inspect: ")]
    assert why in line
