"""What all tests share: programs that may be missing, skips that may not happen, and the list of skips at the end.

A test that wants something from outside Python says so with `@pytest.mark.needs("tmux")` and is skipped where that is
missing. The environment variable REQUIRE names what must not be missing: a skip, by whatever means, whose reason names
one of these words is a failure.
"""

import os
import re
import shutil
import signal
from collections import defaultdict
from collections.abc import Generator, Iterator
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import rows

if TYPE_CHECKING:
    from tests.proxy.parts import Mitmdump

collect_ignore = ["bench"]

ROOT = Path(__file__).resolve().parent.parent

# What a test may need: the programs that must be there, and how to get them.
PROGRAMS = {
    "chromium": (("chromium", "chromedriver"), "apt-get install chromium chromium-driver"),
    "curl": (("curl",), "apt-get install curl"),
    "make": (("make",), "apt-get install make"),
    "nft": (("ip", "nft"), "apt-get install iproute2 nftables"),
    "openssl": (("openssl",), "apt-get install openssl"),
    "pipx": (("pipx",), "pip install pipx"),
    "tcpdump": (("tcpdump",), "apt-get install tcpdump"),
    "tmux": (("tmux",), "apt-get install tmux"),
    "tshark": (("tshark",), "apt-get install tshark"),
    "uv": (("uv",), "pip install uv"),
    "wireguard": (("wg", "wireguard-go"), "apt-get install wireguard-tools wireguard-go"),
}
FOLDERS = {"shared": (ROOT.parent / "shared", "a folder of that name, with the public vectors, beside the checkout")}

# The files of tests that take longest, each about ten seconds of a processor or more. They begin first, so that no
# process that shares the tests waits at the end for another that has just begun one of them.
LONGEST = (
    *("catalogue/test_closed_loop.py", "hostile/test_forms.py", "proxy/test_editing.py", "test_cli_long.py"),
    *("loopback/test_odd_responses.py", "loopback/test_replay.py", "proxy/test_reports.py", "output/test_redaction.py"),
    *(
        "proxy/test_faulting_live.py",
        "report/test_html_browser.py",
        "proxy/test_options.py",
        "export/test_wireshark.py",
    ),
    *("cases/test_cases.py", "test_cli.py", "checking/test_parallel.py", "proxy/test_traffic.py", "proxy/test_web.py"),
    *("report/test_schema.py", "report/test_html.py"),
)

# A deadline for one example measures the machine, not the code; how fast the code is belongs to tests/bench.
# `make test` draws half as many examples as `make sweep`.
settings.register_profile("sweep", settings(), deadline=None)
settings.register_profile("test", settings(), deadline=None, max_examples=50)
settings.load_profile("test")


@pytest.fixture(scope="session")
def mitmdump(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Mitmdump"]:
    """The real mitmdump; whatever of it still runs is stopped at the end."""
    from tests.proxy.parts import PATIENCE, Mitmdump

    tool = Mitmdump(tmp_path_factory.mktemp("mitmproxy"))
    yield tool
    for process in tool.running:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


def required() -> frozenset[str]:
    """The words in REQUIRE."""
    return frozenset(os.environ.get("REQUIRE", "").split())


def lack(need: str) -> str | None:
    """Why a test that needs this cannot run here, or None where it can."""
    if need in FOLDERS:
        folder, remedy = FOLDERS[need]
        there = folder.is_dir()
    elif need in PROGRAMS:
        programs, remedy = PROGRAMS[need]
        there = all(shutil.which(program) for program in programs)
    else:
        raise pytest.UsageError(f"expected one of {', '.join(sorted([*PROGRAMS, *FOLDERS]))}, got {need!r}")
    return None if there else f"needs {need}: {remedy}"


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why a test, or a whole module, was skipped; None where it was not (an expected failure is no skip)."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where its reason names something that REQUIRE names."""
    reason = skip_reason(report)
    if reason is None:
        return
    named = sorted(required().intersection(re.findall(r"[\w-]+", reason)))
    if named:
        report.outcome = "failed"
        report.longrepr = f"REQUIRE names {', '.join(named)}, but {report.nodeid} was skipped: {reason}"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse a REQUIRE that nothing here could ever fulfil."""
    config.addinivalue_line("markers", "needs(name, ...): skipped where a program or folder is missing")
    config.addinivalue_line("markers", "sweep: only in `make sweep`: beside it is one of its kind")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup: what is started would ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for word in required():
        lack(word)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> pytest.Function | None:
    """Make one test of the rows of a test, where that is possible and no single row is asked for."""
    if not isinstance(collector, pytest.Module) or not isfunction(obj) or not collector.funcnamefilter(name):
        return None
    test = None if rows.are_selected(collector.config) else rows.as_one(obj)
    return None if test is None else pytest.Function.from_parent(collector, name=name, callobj=test)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; within a file, and for all others, the order stays."""
    turns = {ROOT / "tests" / name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.path, len(LONGEST)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs are not met, before any fixture is set up for it."""
    for marker in item.iter_markers("needs"):
        for need in marker.args:
            reason = lack(need)
            if reason:
                pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Hold every test to REQUIRE."""
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Hold every module that skips itself to REQUIRE."""
    report = yield
    refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped, by reason and file."""
    places: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for report in terminalreporter.stats.get("skipped", []):
        places[skip_reason(report) or ""][report.nodeid.partition("::")[0]] += 1
    terminalreporter.section("skipped")
    if not places:
        terminalreporter.line("nothing was skipped")
    for reason, files in sorted(places.items()):
        terminalreporter.line(f"{sum(files.values())} skipped: {reason}")
        for file, count in sorted(files.items()):
            terminalreporter.line(f"    {file} ({count})")
