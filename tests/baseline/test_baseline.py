"""Known findings: which ones a baseline accepts, and how every output tells them from the others."""

import io
import json
import re
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator

from ltkm_inspect import reference
from ltkm_inspect.baseline import Baseline, BaselineEntry, BaselineFile, NewEntries
from ltkm_inspect.cli.program import commands
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.output.console import FINDINGS, OK
from ltkm_inspect.report.places import write
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.traffic import Exchange
from ltkm_inspect.wire.toml_file import TomlError
from tests.report.runs import TRIAL
from tests.report.test_schema import wrong

RULE, FIELD, MSK = "msk-id-mismatch", "EXT[1].key_ids[2].value", "b8709d/24cb/4400"
SCHEMA = json.loads((Path(__file__).parents[1] / "report/sarif-2.1.0.json").read_text())
TODAY = date(2026, 11, 30)


def flawed(**more: Any) -> Report:
    """Return the report of an exchange with one violation: an LTKM with the MSK ID of another item."""
    grant, other = reference.FIRST, reference.SECOND
    items = [(grant, "200 OK", reference.ltkm(replace(grant, msk_id=other.msk_id)))]
    exchange: Exchange = replace(reference.exchange([grant.msk_id], items), **more)
    report = inspect(exchange)
    assert list(report.rules) == [RULE]
    return report


def applied(entry: BaselineEntry, report: Report | None = None) -> Report:
    return Baseline((entry,)).applied(report or flawed(), lambda: TODAY)


@pytest.mark.parametrize(
    ("more", "is_accepted"),
    [
        ({}, True),
        ({"terminal": reference.B_TID, "msk": MSK, "field": FIELD}, True),
        ({"terminal": "192.0.2.10"}, True),
        ({"terminal": "192.0.2.11"}, False),
        ({"msk": "b8709d/24cb"}, True),
        ({"msk": "b8709d"}, True),
        ({"msk": "b8709d/24cb/4401"}, False),
        ({"field": "EXT[1]"}, False),
        ({"rule": "ltkm-missing"}, False),
        ({"expires": date(2026, 11, 30)}, True),
        ({"expires": date(2026, 11, 29)}, False),
    ],
    ids=str,
)
def test_an_entry_accepts_what_fits_all_that_it_names(more: dict[str, Any], is_accepted: bool) -> None:
    report = applied(BaselineEntry(**{"rule": RULE, "reason": "why", **more}))
    assert (report.verdict == "clean") is is_accepted
    assert len(report.findings) + len(report.accepted) == 1
    assert [each.accepted for each in report.accepted] == ["why"] * is_accepted
    summary = Summary()
    summary.add(report)
    assert summary.exit_code(Level.VIOLATION) == (OK if is_accepted else FINDINGS)


def test_what_was_left_out_is_accepted_by_an_entry_for_any_place_alone() -> None:
    report = replace(flawed(), left_out={(RULE, Level.VIOLATION): 7, ("other", Level.NOTE): 1})
    anywhere, at_field = (applied(BaselineEntry(RULE, "why", field=field), report) for field in ("", FIELD))
    assert anywhere.accepted_left_out == {(RULE, Level.VIOLATION): 7}
    assert anywhere.verdict == at_field.verdict == "clean"
    assert at_field.count(Level.VIOLATION) == 7
    assert len(anywhere.matched) == 8


def test_what_a_fault_caused_is_left_alone() -> None:
    report = flawed(faults=("repeat-ltkm",))
    assert applied(BaselineEntry(RULE, "why"), report) is report


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[accepted]\nrule = "x"', r"expected \[\[accepted\]\] above each entry, got \[accepted\] in single brackets"),
        ('rule = "x"', r"rule: the line \[\[accepted\]\] is missing above it"),
        ("[[acepted]]\n", r"acepted: expected \[\[accepted\]\], got another name; did you mean accepted"),
        ('\n[[accepted]]\nreason = "y"', "line 2: rule: expected the id of a rule"),
        ('[[accepted]]\nrule = "msk-id-mismach"', "line 1: rule: unknown rule .*; did you mean msk-id-mismatch"),
        ('[[accepted]]\nrule = "rule-crashed"\nreason = "y"', "line 1: rule: .* cannot be accepted"),
        (f'[[accepted]]\nrule = "{RULE}"', "line 1: reason: say why the finding is accepted"),
        (f'[[accepted]]\nrule = "{RULE}"\nreason = ""\n[[accepted]]\n', r"line 1: reason: .* \(2 entries have none\)"),
        (f'[[accepted]]\nrule = "{RULE}"\nmks = "y"', "line 1: mks: unknown field; .* did you mean msk"),
        (f'[[accepted]]\nrule = "{RULE}"\nreason = "y"\nmsk = "uHCd"', "line 1: msk: expected KEYDOMAIN.* not base64"),
        (f'[[accepted]]\nrule = "{RULE}"\nreason = "y"\nterminal = "192.0.2.1:5"', "terminal: .* without a port"),
        (f'[[accepted]]\nrule = "{RULE}"\nreason = "y"\nexpires = "2026-01-01"', "expires: .* without quotation marks"),
        (f'[[accepted]]\nrule = "{RULE}"\nreason = "y"\n' * 2, "line 4: rule, .* of the entry in line 1"),
        (f'[[accepted]]\nrule = "{RULE}"\nfield = ""\nreason = "y"', "field: .* leave it out for any"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.toml"
    path.write_text(text)
    with pytest.raises(TomlError, match=rf"^[^\n]*{said}[^\n]*$"):
        BaselineFile(path)


def test_what_is_written_accepts_the_same_findings_once_it_has_reasons(tmp_path: Path) -> None:
    hostile = 'a"\\\x7f\u202e\x00@bsf'
    report, new = flawed(), NewEntries()
    for each in (report, report, replace(report, terminal=report.terminal._replace(key=hostile))):
        new.add(each)
    path = tmp_path / "baseline.toml"
    path.write_text(new.toml(Baseline(), {}))
    (table,) = tomllib.loads(path.read_text())["accepted"]
    assert table == {"rule": RULE, "terminal": reference.B_TID, "msk": MSK, "field": FIELD, "reason": ""}
    assert "# 3 findings: " in path.read_text()
    entry = BaselineEntry(RULE, 'said "no"', hostile, MSK, FIELD, TODAY)
    path.write_text(NewEntries().toml(Baseline((entry,)), {}))
    (read,) = BaselineFile(path).content.entries
    assert replace(read, line=None) == entry
    assert "# matched nothing in this run" in path.read_text()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, list(map(str, arguments)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a baseline that accepts all of the trial but for one warning, with an entry that nothing fits."""
    path = tmp_path / "known.toml"
    assert run("check", "--write-baseline", path, TRIAL).exit_code == FINDINGS
    text = path.read_text().replace('reason = ""', 'reason = "ticket 4711"')
    path.write_text(text.replace('rule = "rand-constant"', 'rule = "ltkm-missing"'))
    return path


def test_a_run_with_known_findings_does_not_fail_and_every_format_shows_them_apart(file: Path, tmp_path: Path) -> None:
    done = run("check", "--baseline", file, "--format", "jsonl", TRIAL)
    assert done.exit_code == OK
    assert [problem for line in done.stdout.splitlines() for problem in wrong(line)] == []
    assert "no finding fits" in done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    outputs = {}
    for format in ("text", "sarif", "junit", "html"):
        output = io.StringIO()
        write(format, records, output)
        outputs[format] = output.getvalue()
    printed = run("check", "--baseline", file, TRIAL).stdout
    assert outputs["text"] == printed
    assert "  accepted violation msk-id-mismatch: item 1" in printed
    assert "; accepted because: ticket 4711\n" in printed
    assert "summary: accepted violation msk-id-mismatch: 2" in printed
    assert ": no finding fits" in printed
    assert "<failure" not in outputs["junit"]
    assert "accepted violation msk-id-mismatch" in outputs["junit"]
    assert "Accepted because" in outputs["html"]
    sarif = json.loads(outputs["sarif"])
    assert [error.message for error in Draft7Validator(SCHEMA).iter_errors(sarif)] == []
    found = sarif["runs"][0]["results"]
    accepted = [each for each in found if each["baselineState"] == "unchanged"]
    assert all(each["suppressions"][0]["justification"] == "ticket 4711" for each in accepted)
    assert len(accepted) == sum(len(record.get("accepted", ())) for record in records[:-1]) > 20
    assert {each["ruleId"] for each in found if each["baselineState"] == "absent"} == {"ltkm-missing"}
    assert {each["ruleId"] for each in found if each["baselineState"] == "new" and each["level"] != "note"} == {
        "rand-constant"
    }


def test_records_from_before_give_the_same_report(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run("check", "--report", path, TRIAL)
    assert run("report", path).exit_code == FINDINGS
    done = run("report", "--baseline", file, path)
    assert done.exit_code == OK
    assert done.stdout == run("check", "--baseline", file, TRIAL).stdout
    again = run("report", "--baseline", file, "--format", "jsonl", path).stdout.splitlines()
    assert [problem for line in again for problem in wrong(line)] == []


def test_several_processes_count_like_one(file: Path) -> None:
    one, two = (run("check", "--jobs", jobs, "--baseline", file, TRIAL, TRIAL).stdout for jobs in ("1", "2"))
    assert one == two


def test_a_redacted_run_does_not_show_the_terminals_of_the_baseline(file: Path) -> None:
    done = run("check", "--redact", "--baseline", file, "--format", "jsonl", TRIAL)
    assert done.exit_code == OK
    assert "bsf.home1.net" not in done.stdout.replace("bsf.home1.net/", "")
    assert "terminal identity-" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--write-baseline", "{file}"], "known.toml exists; --baseline .* as well keeps its reasons"),
        (["--write-baseline", "new.toml", "--redact"], "--write-baseline: not allowed with --redact"),
        (["--baseline", ""], "--baseline: expected a path, got nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: str, file: Path) -> None:
    done = run("check", *(each.format(file=file) for each in arguments), TRIAL)
    assert done.exit_code == 2
    assert re.search(said, done.stderr)


def test_a_baseline_that_is_written_again_keeps_its_reasons(file: Path) -> None:
    run("check", "--baseline", file, "--write-baseline", file, TRIAL)
    entries = tomllib.loads(file.read_text())["accepted"]
    assert [entry["rule"] for entry in entries if not entry["reason"]] == ["rand-constant"]
    assert file.read_text().count("# matched nothing in this run") == 1
