"""A run whose records are in several files: each file is a report of its own, and all of them are one report."""

import json
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from ltkm_inspect.cli.program import commands
from ltkm_inspect.options.table import REPORT_FORMATS
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.jsonl import missing_record, part_record, summary_record
from ltkm_inspect.report.places import write
from ltkm_inspect.report.reading import schema_text
from ltkm_inspect.report.summary import NOT_ENDED, Summary
from tests.report.pages import page_of
from tests.report.runs import TRIAL, checked

RUN, *EVENTS, SESSION, SUMMARY = checked(TRIAL)
GAP = missing_record(7, 1_256_716_800.0, 1_256_716_860.0, "No space left on device")
GAP_LINE = "7 records missing from 2009-10-28T08:00:00.000Z to 2009-10-28T08:01:00.000Z: No space left on device"


def part(number: int, events: Iterable[Any], *last: Any, others: int = 0) -> list[Any]:
    """Return the records of a file that counts these events."""
    summary = Summary(others=others)
    for event in events:
        summary.add_record(event)
    run = part_record(RUN, number, 1_800_000_000.0 + number)
    return [run, *events, *last, json.loads(to_json(summary_record(summary)))]


PARTS = [part(1, EVENTS[:20], others=1), part(2, EVENTS[20:30]), part(3, EVENTS[30:], SESSION, others=3)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / f"run.jsonl.{number}" for number in (2, 1, 0)]
    for path, records in zip(paths, PARTS, strict=True):
        path.write_text("".join(f"{to_json(record)}\n" for record in records))
    return paths


def report(*words: str | Path) -> Result:
    return CliRunner().invoke(commands, ["report", *map(str, words)])


def test_several_files_are_one_report_in_the_order_in_which_they_were_begun(files: list[Path], tmp_path: Path) -> None:
    whole = tmp_path / "run.jsonl"
    whole.write_text("".join(f"{to_json(each)}\n" for each in (RUN, *EVENTS, SESSION, SUMMARY)))
    backwards = report(*reversed(files), files[0])
    assert (backwards.exit_code, backwards.stderr) == (3, "")
    assert backwards.stdout == report(whole).stdout
    merged = report("--format", "sarif", *files).stdout
    assert json.loads(merged) == json.loads(report("--format", "sarif", whole).stdout)
    assert report("--format", "junit", *files).stdout == report("--format", "junit", whole).stdout
    joined = tmp_path / "joined.jsonl"
    assert report(*files, "--report", joined).exit_code == 3
    assert report(joined).stdout == backwards.stdout


@pytest.mark.parametrize("format", REPORT_FORMATS)
def test_each_file_is_a_report_of_its_own(format: str, files: list[Path]) -> None:
    done = report("--format", format, files[1])
    assert (done.exit_code, done.stderr) == (
        0 if not json.loads(files[1].read_text().splitlines()[-1])["findings"] else 3,
        "",
    )
    said = "file 2 of the run that began"
    assert (said in done.stdout) is (format in ("text", "html"))


def test_it_says_which_files_are_missing(files: list[Path]) -> None:
    rest = f"of the run that began {RUN['started']}; the rest is in other files"
    for given, said in (
        (files[:1], [f"file 1 {rest}"]),
        (files[:2], [f"files 1 to 2 {rest}"]),
        (files[1:], [f"files 2 to 3 {rest}"]),
        (files[::2], [f"files 1, 3 {rest}"]),
        (files, []),
    ):
        lines = report(*given).stdout.splitlines()
        assert [line.removeprefix("summary: ") for line in lines if "of the run that began" in line] == said


def test_a_file_that_cannot_be_read_leaves_the_others(files: list[Path], tmp_path: Path) -> None:
    done = report(files[0], tmp_path / "missing.jsonl")
    assert done.exit_code == 5
    assert done.stderr == f"ltkm-inspect: {tmp_path}/missing.jsonl: No such file or directory\n"
    assert "summary: " in done.stdout


def test_a_file_without_an_end_among_others_is_noticed_in_every_format() -> None:
    records = [*PARTS[0][:-1], *PARTS[1], *PARTS[2]]
    assert NOT_ENDED[:24].lower() in page_of(records).lower()
    for format in ("junit", "sarif"):
        file = StringIO()
        write(format, records, file)
        assert NOT_ENDED in file.getvalue()


def test_missing_records_are_said_in_every_format_and_make_the_report_a_partial_one(tmp_path: Path) -> None:
    definition = {"$ref": "#/$defs/missing", "$defs": json.loads(schema_text())["$defs"]}
    assert Draft202012Validator(definition).is_valid(json.loads(to_json(GAP)))
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f"{to_json(each)}\n" for each in (RUN, *EVENTS[:5], GAP, *EVENTS[12:], SESSION, SUMMARY)))
    assert report(path).exit_code == 5
    shown = {format: report("--format", format, path).stdout for format in REPORT_FORMATS}
    assert f"summary: {GAP_LINE}" in shown["text"].splitlines()
    assert f"{GAP_LINE}." in shown["html"]
    (run,) = json.loads(shown["sarif"])["runs"]
    assert not run["invocations"][0]["executionSuccessful"]
    assert [each["message"]["text"] for each in run["invocations"][0]["toolExecutionNotifications"]] == [GAP_LINE]
    error = ElementTree.fromstring(shown["junit"]).find(".//testcase[@name='records-complete']/error")
    assert error is not None
    assert error.get("message") == GAP_LINE


def test_many_gaps_are_a_few_lines() -> None:
    summary = Summary()
    for number in range(9):
        summary.add_record({**GAP, "first": f"T{number}", "reason": "a\x1b"})
    assert len(summary.missing_lines) == 6
    assert summary.missing_lines[-1] == "4 more gaps in the records"
    assert "\x1b" not in "".join(summary.missing_lines)
