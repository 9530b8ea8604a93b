"""`report`, and the reports that `check` writes: what is printed, what is written, and the exit codes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from ltkm_inspect.report.reading import schema_text
from tests.command import COMMAND, ROOT, little_room, run_shell, text_of
from tests.command import run_text as run
from tests.report.runs import TRIAL
from tests.samples import generate

NOT_ENDED = "the records have no end: the run was killed or is still running"
NO_END = f"ltkm-inspect: {{}}: {NOT_ENDED}"


def exchanges_of(recorded: Path, less: int = 0) -> str:
    """How the summary begins of all recorded exchanges but some."""
    lines = recorded.read_text().splitlines()
    number = sum(json.loads(line)["schema"].startswith("ltkm-inspect/exchange/") for line in lines)
    return f"summary: {number - less} MSK exchanges"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of a run over the trial."""
    path = tmp_path_factory.mktemp("recorded") / "run.jsonl"
    assert run("check", "--report", path, TRIAL).returncode == 3
    return path


def cut(recorded: Path, folder: Path, octets: int) -> Path:
    path = folder / "cut.jsonl"
    path.write_bytes(recorded.read_bytes()[:-octets])
    return path


def test_it_prints_what_check_prints_and_ends_as_check_does(recorded: Path) -> None:
    assert run("report", recorded).stdout == run("check", TRIAL).stdout
    for fail_on, code in (("never", 0), ("warning", 3), ("violation", 3)):
        assert run("report", "--fail-on", fail_on, recorded).returncode == code


@pytest.mark.parametrize("given", [True, False], ids=["standard-input", "pipe"])
def test_it_reads_what_can_be_read_only_once(recorded: Path, tmp_path: Path, given: bool) -> None:
    if given:
        done = run("report", "-", "--format", "sarif", given=recorded.read_text())
    else:
        done = text_of(run_shell(f"cat {recorded} | {{command}} report --format sarif /dev/stdin"))
    assert (done.returncode, done.stderr) == (3, "")
    assert len(json.loads(done.stdout)["runs"][0]["results"]) > 80


def test_several_formats_come_of_one_run(recorded: Path, tmp_path: Path) -> None:
    names = ("sarif", "junit", "text", "jsonl")
    done = run("report", recorded, *(word for name in names for word in ("--report", f"{name}={tmp_path}/out.{name}")))
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"out.{name}" for name in names)
    assert (tmp_path / "out.jsonl").read_bytes() == recorded.read_bytes()
    for name in ("sarif", "junit", "text"):
        assert (tmp_path / f"out.{name}").read_text() == run("report", "--format", name, recorded).stdout


def test_a_line_that_was_cut_is_left_out_and_said(recorded: Path, tmp_path: Path) -> None:
    path = cut(recorded, tmp_path, 10)
    done = run("report", path)
    number = len(recorded.read_text().splitlines())
    assert done.stderr.splitlines() == [
        f"ltkm-inspect: {path}: line {number}: the last line is incomplete",
        NO_END.format(path),
    ]
    assert exchanges_of(recorded) in done.stdout
    assert done.returncode == 5


def test_a_run_without_an_end_is_no_clean_one(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(recorded.read_text().splitlines()[:2]) + "\n")
    done = run("report", path)
    assert (done.returncode, done.stderr.splitlines()) == (5, [NO_END.format(path)])


def test_a_damaged_line_is_said_and_the_others_are_told(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first, second, *others = recorded.read_text().splitlines()
    exchange = {name: value for name, value in json.loads(second).items() if name != "faults"}
    path.write_text("\n".join([first, "{", "[]", json.dumps(exchange), *others]) + "\n")
    done = run("report", path)
    assert done.stderr.splitlines() == [
        f"ltkm-inspect: {path}: line 2: expected a record, got text that is not JSON",
        f"ltkm-inspect: {path}: line 3: expected a record, got other JSON",
        f"ltkm-inspect: {path}: line 4: the record has no faults",
    ]
    assert exchanges_of(recorded, less=1) in done.stdout
    assert done.returncode == 5


def test_much_damage_is_a_few_lines(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("{\n" * 1000 + recorded.read_text())
    said = run("report", path).stderr.splitlines()
    assert len(said) == 6
    assert said[-1] == f"ltkm-inspect: {path}: 1000 damaged lines in all"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the records of a run, got nothing: the input is empty"),
        (
            "\x00\x01\x02",
            "expected the records of a run, got unknown binary data; "
            "write them with ltkm-inspect check --report run.jsonl FILE",
        ),
        (
            "<!DOCTYPE html><title>trial</title>",
            "expected the records of a run, got an HTML page; "
            "write them with ltkm-inspect check --report run.jsonl FILE",
        ),
        (
            '{"schema":"ltkm-inspect/exchange/2"}\n',
            "line 1: expected ltkm-inspect/exchange/1, got ltkm-inspect/exchange/2",
        ),
        (
            '\n{"schema":"ltkm-inspect/message/1"}\n',
            "line 2: expected the records of a run, as `check --report jsonl=PATH` writes them, "
            "got ltkm-inspect/message/1",
        ),
    ],
    ids=["empty", "octets", "page", "version", "kind"],
)
def test_what_is_no_record_of_a_run_is_one_line_and_1(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    done = run("report", path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ltkm-inspect: {path}: {said}\n")


def test_records_that_somebody_else_made_up_are_one_line_and_1(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    record = json.loads(recorded.read_text().splitlines()[1])
    path.write_text(json.dumps(record | {"counts": 7}) + "\n")
    done = run("report", path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ltkm-inspect: {path}: expected records written by ltkm-inspect, got others (")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_one_line_and_1(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "no", "No such file or directory"),
        (tmp_path, "expected a file, got a folder: name a file in it"),
    ):
        done = run("report", path)
        assert (done.returncode, done.stderr) == (1, f"ltkm-inspect: {path}: {why}\n")


def test_a_run_that_saw_nothing_ends_with_4(tmp_path: Path) -> None:
    empty = tmp_path / "empty.flow"
    empty.touch()
    assert run("check", "--report", tmp_path / "run.jsonl", empty).returncode == 4
    done = run("report", tmp_path / "run.jsonl")
    assert (done.returncode, done.stdout) == (4, run("check", empty).stdout)


def test_it_never_overwrites_what_it_reads(recorded: Path) -> None:
    before = recorded.read_bytes()
    done = run("report", recorded, "--report", f"sarif={recorded}")
    assert done.returncode == 2
    assert recorded.read_bytes() == before


def test_the_schema_is_printed() -> None:
    done = run("report", "--schema")
    assert (done.returncode, done.stdout) == (0, schema_text())


def test_nobody_reading_any_more_is_no_trouble(recorded: Path) -> None:
    done = run_shell(f"{{command}} report --format junit {recorded} | head -1")
    assert done.stderr == b""


# check


def test_check_writes_several_reports_at_once(tmp_path: Path) -> None:
    names = ("sarif", "junit", "text")
    reports = [word for name in names for word in ("--report", f"{name}={tmp_path}/%Y.{name}")]
    done = run("check", *reports, TRIAL)
    assert (done.returncode, done.stderr) == (3, "")
    assert sorted(path.suffix[1:] for path in tmp_path.iterdir()) == sorted(names)
    (text,) = tmp_path.glob("20*.text")
    assert text.read_text() == done.stdout


@pytest.mark.parametrize("format", ["jsonl", "sarif"])
def test_a_path_that_cannot_be_written_is_said_before_a_file_is_read(tmp_path: Path, format: str) -> None:
    path = tmp_path / "no" / "such"
    done = run("check", "--report", f"{format}={path}", tmp_path / "missing.flow")
    why = f"No such file or directory; there is no folder {path.parent}"
    said = f"--report: cannot write {path}: {why}"
    assert (done.returncode, done.stderr) == (1, f"ltkm-inspect: {said}\n")


def test_no_space_for_a_report_leaves_no_part_of_it_and_ends_with_5(tmp_path: Path) -> None:
    # room for the records of the run, but not for the larger report
    with little_room(200_000):
        done = run("check", "--report", f"sarif={tmp_path}/out.sarif", generate.FOLDER / "change-request.flow")
    part = tmp_path / ".out.sarif.jsonl.part"
    report = f"sarif={tmp_path}/out.sarif"
    assert done.stderr.splitlines() == [
        f"ltkm-inspect: report {report}: not written: File too large",
        "ltkm-inspect: the records of the run are kept; "
        f"to render them, run: ltkm-inspect report {part} --report {report}",
    ]
    assert done.returncode == 5
    assert [path.name for path in tmp_path.iterdir()] == [part.name]
    assert run("report", part, "--report", report).returncode in (0, 3)
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"


def test_no_space_for_records_keeps_whole_lines_and_ends_with_5(recorded: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.jsonl"
    with little_room(100_000):
        done = run("check", "--report", report, TRIAL)
    assert done.stderr == f"ltkm-inspect: report {report}: File too large; nothing more is written to it\n"
    assert exchanges_of(recorded) in done.stdout
    assert done.returncode == 5
    lines = report.read_text().splitlines(keepends=True)
    assert len(lines) > 3
    assert all(line.endswith("}\n") and json.loads(line) for line in lines)
    assert run("report", report).stderr.splitlines() == [NO_END.format(report)]


def test_an_interrupt_gives_the_report_of_a_part_and_130(tmp_path: Path) -> None:
    capture = tmp_path / "long.flow"
    capture.write_bytes(TRIAL.read_bytes() * 60)
    report = tmp_path / "out.txt"
    process = subprocess.Popen(
        [*COMMAND, "check", "--report", f"text={report}", str(capture)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert said == "ltkm-inspect: interrupted, so the report is partial\n"
    assert process.returncode == 130
    assert "summary: " in printed
    assert "summary: " in report.read_text()
    assert sorted(os.listdir(tmp_path)) == ["long.flow", "out.txt"]
