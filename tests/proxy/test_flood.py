"""A rule that many exchanges break does not flood the log: it shows some findings, and says where all are."""

import json
import re
from pathlib import Path

from ltkm_inspect import reference
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.flood import FloodControl
from ltkm_inspect.report.text import ExchangeText, FindingText
from tests.proxy.parts import Mitmdump, Save, edited

MISSPELT = [edited(reference.reference("download")[-1], "200 OK", "200 ok") for _ in range(11)]
RULE = "response-code-near-miss"


def text(*rules: str, faults: tuple[str, ...] = (), damage: tuple[str, ...] = ()) -> ExchangeText:
    findings = tuple(FindingText("violation", rule, "", "", f"violation {rule}") for rule in rules)
    return ExchangeText("1", "#1", "POST /", "200", faults, "1 item", "violation", damage, findings, ())


def test_the_first_findings_of_a_rule_are_logged_then_some_and_the_log_says_where_all_are(
    mitmdump: Mitmdump, save: Save, tmp_path: Path
) -> None:
    report, recording = tmp_path / "%Y.jsonl", save(MISSPELT)
    options = ("--set", "ltkm_log_first=2", "--set", "ltkm_log_every=4", "--set", f"ltkm_select={RULE}")
    run = mitmdump("-nr", recording, *options, "--set", f"ltkm_report={report}")
    remarks = [re.search(r"\(finding .*\)$", line) for line in run.log if f" {RULE}: " in line and "item" in line]
    assert [each and each[0] for each in remarks] == [
        None,
        f"(finding 2 of this rule; from here on one in 4 is shown; all are in {report})",
        f"(finding 4 of this rule; 1 before it not shown; all are in {report})",
        f"(finding 8 of this rule; 3 before it not shown; all are in {report})",
    ]
    headings = [line for line in run.log if line.startswith("#")]
    assert len(headings) == 11, "every exchange is logged"
    assert sum(line.endswith(", 1 finding not shown") for line in headings) == 7
    assert run.log[-2:] == [
        f"summary: warning {RULE}: 11",
        f"summary: 7 findings of 1 rule not shown in this log; all are in {report}",
    ]
    (written,) = tmp_path.glob("2*.jsonl")
    records = [json.loads(line) for line in written.read_text().splitlines()]
    assert sum(len(each.get("findings", ())) for each in records if "url" in each) == 11


def test_without_a_report_it_says_how_to_keep_them_and_what_is_left_out_has_no_line(
    mitmdump: Mitmdump, save: Save
) -> None:
    options = ("--set", "ltkm_log_first=3", "--set", "ltkm_log_every=never", "--set", "ltkm_log=findings")
    run = mitmdump("-nr", save(MISSPELT), *options, "--set", f"ltkm_select={RULE}")
    assert sum(line.startswith("#") for line in run.log) == 3
    kept = "all are counted, and ltkm_report=run.jsonl keeps them"
    assert any(line.endswith(f"(finding 3 of this rule; from here on none is shown; {kept})") for line in run.log)
    assert run.log[-1] == f"summary: 8 findings of 1 rule not shown in this log; {kept}"


def test_what_faults_cause_uses_up_nothing_of_what_the_server_breaks() -> None:
    flood, configuration = FloodControl(), Configuration(log="findings", log_first=1, log_every=None)
    faulted = [flood.limited(text("a", faults=("strip-ltkm",)), configuration, "x") for _ in range(2)]
    served = [flood.limited(text("a"), configuration, "x") for _ in range(2)]
    damaged = flood.limited(text("a", damage=("body",)), configuration, "x")
    assert [each and len(each.findings) for each in (*faulted, *served, damaged)] == [1, 0, 1, None, 0]
    assert faulted[1] is not None
    assert faulted[1].unbroken == [], "the fault breaks a rule, though the log does not show it again"


def test_all_findings_may_be_logged() -> None:
    flood, configuration = FloodControl(), Configuration(log_first=None)
    shown = [flood.limited(text("a", "b"), configuration, "") for _ in range(300)]
    assert all(each is not None and each.lines[1:] == ["  violation a", "  violation b"] for each in shown)
    assert flood.lines("") == []
