"""Each option of the addon as typed to the real mitmdump: what it changes, and how a mistake is refused.

Most runs of mitmdump are in the process of the tests; that a process of its own gives the same is tested here as well.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.settings import settings
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.report import text
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import HERE, SCRIPT, TIME, Mitmdump, Run, Save, clean, edited, flawed

EXCHANGE = ("#", "  ")
"""How lines about exchanges begin."""
CLOCK = re.compile(r"\d\d:\d\d:\d\d\.\d{3}Z ")
"""When the request began, which a file that is written says otherwise."""


def said(log: Sequence[str]) -> list[str]:
    """Return the lines about exchanges."""
    return [CLOCK.sub("", line) for line in log if line.startswith(EXCHANGE)]


def shown(run: Run, script: Path) -> list[str]:
    """Return everything that was printed, without times and the path of the script."""
    return [TIME.sub("", line).replace(str(script), "") for line in run.output.splitlines()]


def expected(exchanges: Sequence[Exchange], **words: Any) -> list[str]:
    """Return the lines that the engine gives under these settings."""
    context = Context(settings(**words), session=Session())
    limits = parse_limit("1MiB,200")
    reports = [inspect(replace(exchange, limits=limits), context) for exchange in exchanges]
    return [line for at, report in enumerate(reports, 1) for line in said(text.lines(replace(report, number=at)))]


LATER = edited(clean(), "orderqueries:1.0", "orderqueries:1.1")
SWAPPED = edited(clean("several-keys"), "200 OK", "200 Okay")
EXCHANGES = (clean(), clean("plain-mbms"), clean("streaming"), flawed(), LATER, SWAPPED)


@pytest.mark.parametrize(
    "typed",
    ["ltkm_fail_on=violation", pytest.param("ltkm_fail_on=always", marks=pytest.mark.sweep), "ltkm_exspect=auto"],
)
def test_the_script_in_a_process_of_its_own_gives_the_same(mitmdump: Mitmdump, save: Save, typed: str) -> None:
    words: list[str | Path] = ["-nr", save(EXCHANGES), "--set", typed, "--flow-detail", "3"]
    here, there = mitmdump(*words), mitmdump.process(*words)
    assert (there.status, there.errors) == (here.status, here.errors)
    assert shown(there, SCRIPT) == shown(here, HERE)
    assert there.status in (1, 3)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param([], {}, id="defaults"),
        pytest.param(["ltkm_expect=always"], {"expect": "always"}, id="expect"),
        pytest.param(["ltkm_profile=mbms", "ltkm_profile=ruim"], {"profile": ["mbms", "ruim"]}, id="profile"),
        pytest.param(["ltkm_strict"], {"strict": True}, id="strict"),
        pytest.param(["ltkm_namespaces=1.1"], {"namespaces": ["1.1"]}, id="namespaces"),
        pytest.param(["ltkm_select=item", "ltkm_select=exchange"], {"select": ["item", "exchange"]}, id="select"),
        pytest.param(["ltkm_ignore=item"], {"ignore": ["item"]}, id="ignore"),
        pytest.param(["ltkm_severity=ltkm-missing=warning"], {"severity": ["ltkm-missing=warning"]}, id="severity"),
    ],
)
def test_settings_reach_the_rules(
    mitmdump: Mitmdump, save: Save, typed: Sequence[str], words: Mapping[str, Any]
) -> None:
    flags = [word for each in typed for word in ("--set", each)]
    run = mitmdump("-nr", save(EXCHANGES), *flags)
    assert run.status == 0
    assert run.errors == ""
    assert said(run.log) == expected(EXCHANGES, **words)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({"expect": "always"}, id="expect"),
        pytest.param({"namespaces": ["1.1"]}, id="namespaces"),
        pytest.param({"select": ["item"]}, id="select"),
        pytest.param({"ignore": ["item"]}, id="ignore"),
        pytest.param({"severity": ["ltkm-missing=warning"]}, id="severity"),
    ],
)
def test_settings_make_a_difference_here(words: Mapping[str, Any]) -> None:
    assert expected(EXCHANGES, **words) != expected(EXCHANGES)


def test_the_start_line_tells_version_rules_and_report(mitmdump: Mitmdump, save: Save, tmp_path: Path) -> None:
    report = tmp_path / "%Y" / "r.jsonl"
    (tmp_path / "%Y").mkdir()
    flags = ["--set", f"ltkm_report={str(report).replace('%', '%%')}", "--set", "ltkm_select=ltkm-missing"]
    run = mitmdump("-nr", save([flawed(), clean()]), *flags)
    told = f", 1 rule active, inspector process (auto), report to {report}"
    assert any(line.startswith("ltkm-inspect ") and line.endswith(told) for line in run.log)
    objects = [json.loads(line) for line in report.read_text("ascii").splitlines()]
    assert [each["schema"].rpartition("/")[0] for each in objects] == [
        "ltkm-inspect/run",
        "ltkm-inspect/exchange",
        "ltkm-inspect/exchange",
        "ltkm-inspect/session",
        "ltkm-inspect/summary",
    ]
    assert objects[0]["options"]["select"] == ["ltkm-missing"]
    assert [each["verdict"] for each in objects[1:3]] == ["violation", "clean"]


@pytest.mark.parametrize(
    ("level", "exchanges", "status"),
    [
        pytest.param("violation", [flawed()], 3, id="findings"),
        pytest.param("violation", [clean()], 0, id="none"),
        pytest.param("warning", [], 4, id="nothing-seen"),
        pytest.param("never", [flawed()], 0, id="never"),
    ],
)
def test_the_exit_status_tells_what_was_found(
    mitmdump: Mitmdump, save: Save, level: str, exchanges: Sequence[Exchange], status: int
) -> None:
    run = mitmdump("-nr", save(exchanges), "--set", f"ltkm_fail_on={level}")
    assert run.status == status
    assert any(line.startswith("summary: ") for line in run.log)


def test_the_exit_status_leaves_time_to_save(mitmdump: Mitmdump, save: Save, tmp_path: Path) -> None:
    out = tmp_path / "out.flow"
    flags: list[str | Path] = ["-w", out, "--set", "ltkm_fail_on=warning", "--set", f"hardump={tmp_path / 'out.har'}"]
    run = mitmdump("-nr", save([flawed()]), *flags)
    assert run.status == 3
    assert out.stat().st_size
    assert (tmp_path / "out.har").stat().st_size


def test_errors_of_mitmdump_keep_their_exit_status(mitmdump: Mitmdump, save: Save) -> None:
    path = save([flawed()])
    path.write_bytes(path.read_bytes() + b"12:damage")
    run = mitmdump("-nr", path, "--set", "ltkm_fail_on=violation")
    assert run.status == 1
    assert said(run.log) == expected([flawed()])


def test_the_limit_bounds_what_is_looked_at(mitmdump: Mitmdump, save: Save) -> None:
    run = mitmdump("-nr", save([clean("several-keys")]), "--set", "ltkm_limit=1MiB,1")
    assert any("not-checked-in-full" in line for line in said(run.log))


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(["ltkm_expect=sometimes"], id="expect"),
        pytest.param(["ltkm_expect=auto", "ltkm_expect=always"], id="twice"),
        pytest.param(["ltkm_expect"], id="no-value"),
        pytest.param(["ltkm_profile=sim"], id="profile"),
        pytest.param(["ltkm_strict=yes"], id="strict"),
        pytest.param(["ltkm_namespaces=7"], id="namespaces"),
        pytest.param(["ltkm_select=no-such-rule"], id="select"),
        pytest.param(["ltkm_ignore=no-such-rule"], id="ignore"),
        pytest.param(["ltkm_severity=ltkm-missing=awful"], id="severity"),
        pytest.param(["ltkm_fail_on=always"], id="fail-on"),
        pytest.param(["ltkm_limit=much"], id="limit"),
        pytest.param(["ltkm_report=/no/such/folder/r.jsonl"], id="report"),
        pytest.param(["ltkm_report=xml=r.xml"], id="report-format"),
        pytest.param(["ltkm_exspect=auto"], id="unknown"),
        pytest.param(["ltkm_fault=shorten-rant"], id="fault"),
        pytest.param(["ltkm_fault=shorten-rand:octets=x"], id="fault-parameter"),
        pytest.param(["ltkm_fault=drop-authorization"], id="fault-of-the-request"),
        pytest.param(["ltkm_fault=inject-ltkm:file=/no/such/file"], id="fault-file"),
        pytest.param(["ltkm_fault_filter=~nonsense (", "ltkm_fault=strip-ltkm"], id="fault-filter"),
        pytest.param(["ltkm_fault_msk=12", "ltkm_fault=strip-ltkm"], id="fault-msk"),
        pytest.param(["ltkm_fault_when=often", "ltkm_fault=strip-ltkm"], id="fault-when"),
        pytest.param(["ltkm_fault_delay=long"], id="fault-delay"),
        pytest.param(["ltkm_fault_unsigned=maybe"], id="fault-unsigned"),
        pytest.param(["ltkm_fault_terminal=a@b"], id="terminal-without-fault"),
        pytest.param(["ltkm_fault_when=first"], id="when-without-fault"),
    ],
)
def test_a_mistake_stops_mitmdump_with_one_line(mitmdump: Mitmdump, save: Save, typed: Sequence[str]) -> None:
    flags = [word for each in typed for word in ("--set", each)]
    run = mitmdump("-nr", save([flawed()]), *flags)
    assert run.status == 1
    assert "Traceback" not in run.output + run.errors
    option = typed[0].partition("=")[0]
    (line,) = [line for line in run.log if "ltkm_" in line]
    assert option in line
    assert said(run.log) == []
    assert not any(line.startswith("summary") for line in run.log)


def test_the_options_on_faults_are_listed_with_what_may_be_typed(mitmdump: Mitmdump) -> None:
    shown = " ".join(mitmdump("--options").output.replace("#", " ").split())
    for name, option in DEFAULTS.items():
        if name.startswith("fault"):
            assert f"{option.help} ({option.metavar})" in shown
            assert f"ltkm_{name}: " in shown


def test_an_unknown_option_comes_with_a_suggestion(mitmdump: Mitmdump, save: Save) -> None:
    run = mitmdump("-nr", save([]), "--set", "ltkm_exspect=auto", "--set", "ltkm-fault=strip-ltkm")
    assert "unknown option ltkm_exspect; did you mean ltkm_expect?" in run.log
    assert "unknown option ltkm-fault; did you mean ltkm_fault?" in run.log
