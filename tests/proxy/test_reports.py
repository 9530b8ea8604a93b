"""Reports of the addon in the real mitmdump, however it is stopped."""

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from tests.proxy.parts import TRIAL, Mitmdump, Origin
from tests.proxy.test_traffic import ANSWERS, request


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def reports(*wanted: str) -> list[str]:
    return [word for each in wanted for word in ("--set", f"ltkm_report={each}")]


def report(*arguments: str | Path) -> str:
    return CliRunner().invoke(commands, ["report", *map(str, arguments)]).stdout


def test_several_formats_are_written_of_a_recording_and_agree(mitmdump: Mitmdump, tmp_path: Path) -> None:
    wanted = reports(*(f"{name}={tmp_path}/out.{name}" for name in ("sarif", "text", "jsonl", "junit")))
    run = mitmdump("-nr", TRIAL, *wanted, "--set", "ltkm_fail_on=violation")
    assert run.status == 3
    assert names(tmp_path) == ["out.jsonl", "out.junit", "out.sarif", "out.text"]
    run_record, *_ = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert run_record["sources"] == [str(TRIAL)]
    assert run_record["options"]["fail_on"] == "violation"
    for name in ("sarif", "text", "junit"):
        assert (tmp_path / f"out.{name}").read_text() == report("--format", name, tmp_path / "out.jsonl")
    # what the log says is what the report says
    logged, written = run.log, (tmp_path / "out.text").read_text().splitlines()
    assert set(written) <= set(logged)
    assert len(written) > 70


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_run_that_is_stopped_has_its_reports_and_its_status(
    mitmdump: Mitmdump, origin: Origin, tmp_path: Path, by: signal.Signals
) -> None:
    origin.answers = {b"/flawed": ANSWERS["/flawed"]}
    proxy = mitmdump.proxy(*reports(f"junit={tmp_path}/out.xml"), "--set", "ltkm_fail_on=violation")
    proxy.send(request(origin, "/flawed"))
    assert names(tmp_path) == [".out.xml.jsonl.part"]
    run = proxy.stop(by)
    assert run.status == 3
    assert names(tmp_path) == ["out.xml"]
    assert '<failure type="violation"' in (tmp_path / "out.xml").read_text()


def test_a_run_that_was_killed_can_be_rendered(mitmdump: Mitmdump, origin: Origin, tmp_path: Path) -> None:
    origin.answers = {b"/flawed": ANSWERS["/flawed"]}
    flags = reports(f"sarif={tmp_path}/out.sarif")
    proxy = mitmdump.proxy(*flags)
    proxy.send(request(origin, "/flawed"))
    proxy.stop(signal.SIGKILL)
    part = tmp_path / ".out.sarif.jsonl.part"
    assert names(tmp_path) == [part.name]
    assert "violation ltkm-missing: " in report(part)
    assert report(part, "--report", f"sarif={tmp_path}/out.sarif") == ""
    assert json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
    # the next run begins a file of its own, and says what is there
    run = mitmdump("-nr", TRIAL, *flags)
    assert f"ltkm: {part} is left from a run that was killed or is still running" in run.log
    assert names(tmp_path) == [part.name, "out.sarif"]


def test_a_report_that_cannot_be_finished_is_a_line_and_changes_no_status(mitmdump: Mitmdump, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    run = mitmdump("-nr", TRIAL, *reports("text=/dev/full", f"sarif={folder}/out.sarif"))
    assert "ltkm: report text=/dev/full: not written: No space left on device" in run.log
    assert names(folder) == ["out.sarif"]
    assert run.status == 0


@pytest.mark.parametrize("wanted", ["sarif=/no/such/folder/x", "sarif=", "text=/tmp"])
def test_a_path_that_cannot_be_written_ends_mitmdump_with_1(mitmdump: Mitmdump, wanted: str) -> None:
    run = mitmdump("-n", *reports(wanted))
    assert run.status == 1
    (line,) = [line for line in run.output.splitlines() if "ltkm_report" in line]
    assert "ltkm_report: cannot write " in line or "ltkm_report: expected a path" in line


def test_an_exchange_that_goes_on_with_a_fault_counts_once_in_every_format(
    mitmdump: Mitmdump, origin: Origin, tmp_path: Path
) -> None:
    origin.answers = {b"/identity": ANSWERS["/identity"]}
    wanted = reports(f"text={tmp_path}/out.txt", f"junit={tmp_path}/out.xml", f"jsonl={tmp_path}/out.jsonl")
    proxy = mitmdump.proxy(*wanted, "--set", "ltkm_fault=strip-ltkm", "--set", "ltkm_fail_on=violation")
    proxy.send(request(origin, "/identity"))
    proxy.send(request(origin, "/identity"))
    run = proxy.stop()
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    exchanges = [record for record in records if record["schema"].startswith("ltkm-inspect/exchange/")]
    assert [each["faults"] for each in exchanges] == [[], ["strip-ltkm"]] * 2
    assert (records[-1]["exchanges"], records[-1]["faulted"]["exchanges"]) == (2, 2)
    summary = [line for line in run.log if line.startswith("summary: ")]
    assert summary[0].startswith("summary: 2 MSK exchanges (")
    told = (tmp_path / "out.txt").read_text().splitlines()
    assert [line for line in told if line.startswith("summary: ")] == summary
    suites = (tmp_path / "out.xml").read_text().count("<testsuite ")
    assert suites == 3, "the run, the traffic as it came, and as it went on"
