"""The report files of a run: begun before the work, rendered at its end, whole or not there, and nothing lost."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.options.files import ReportTarget, parse_report
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report import sarif
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.reading import RecordFile
from tests.report.runs import TRIAL, checked

RECORDS = checked(TRIAL)
RUN = RECORDS[0]
LINES = [*map(to_json, RECORDS[1:])]


def using(*texts: str | Path) -> ReportFiles:
    files = ReportFiles()
    assert files.use(targets(*texts), RUN) == []
    return files


def targets(*texts: str | Path) -> list[ReportTarget]:
    return [parse_report(str(text)) for text in texts]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(files: ReportFiles, lines: Iterable[str] = LINES) -> list[str]:
    """Write lines, the last one at the end; return what failed."""
    *most, last = lines
    return [failure for line in most for failure in files.write(line)] + files.finish([last])


def test_every_format_is_there_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    files = using(*(f"{name}={tmp_path}/out.{name}" for name in ("sarif", "jsonl", "text", "junit")))
    assert names(tmp_path) == ["out.jsonl"]
    assert written(files) == []
    assert names(tmp_path) == ["out.jsonl", "out.junit", "out.sarif", "out.text"]
    assert [*RecordFile(tmp_path / "out.jsonl")] == RECORDS
    assert len(json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]) > 80


def test_without_jsonl_the_records_are_kept_beside_until_all_is_rendered(tmp_path: Path) -> None:
    files = using(f"text={tmp_path}/out.txt")
    assert names(tmp_path) == [".out.txt.jsonl.part"]
    assert files.names == [f"text={tmp_path}/out.txt"]
    files.write(LINES[0])
    assert [*RecordFile(tmp_path / ".out.txt.jsonl.part")] == RECORDS[:2]
    assert written(files, LINES[1:]) == []
    assert names(tmp_path) == ["out.txt"]


def test_what_a_killed_run_left_is_not_overwritten_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".out.txt.jsonl.part"
    left.write_text("the records of another run\n")
    files = using(f"text={tmp_path}/out.txt")
    assert files.left == [f"{left} is left from a run that was killed or is still running"]
    assert written(files) == []
    assert names(tmp_path) == [".out.txt.jsonl.part", "out.txt"]
    assert left.read_text() == "the records of another run\n"


def test_a_format_that_stumbles_leaves_no_part_and_the_records_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(records: Iterable[Any], file: Any) -> None:
        file.write("half of it")
        raise RuntimeError("a mistake of ours")

    (tmp_path / "out.sarif").write_text("of the last run")
    monkeypatch.setattr(sarif, "write", stumble)
    files = using(f"sarif={tmp_path}/out.sarif", f"text={tmp_path}/out.txt")
    part = tmp_path / ".out.sarif.jsonl.part"
    asked = f"--report sarif={tmp_path}/out.sarif --report text={tmp_path}/out.txt"
    stumbled, kept = written(files)
    assert re.fullmatch(
        rf"report sarif={re.escape(str(tmp_path))}/out\.sarif: not written: RuntimeError at places\.py:\d+", stumbled
    )
    assert kept == f"the records of the run are kept; to render them, run: ltkm-inspect report {part} {asked}"
    assert names(tmp_path) == [part.name, "out.sarif", "out.txt"]
    assert (tmp_path / "out.sarif").read_text() == "of the last run"
    assert [*RecordFile(part)] == RECORDS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_no_space_is_said_of_a_report_and_of_lines(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"/dev/full: No space left on device"):
        using("jsonl=/dev/full")
    files = using("text=/dev/full", tmp_path / "run.jsonl")
    assert written(files) == ["report text=/dev/full: not written: No space left on device"]
    assert [*RecordFile(tmp_path / "run.jsonl")] == RECORDS


def test_what_could_not_be_kept_is_not_rendered_as_if_it_were_all(tmp_path: Path) -> None:
    files = using(f"text={tmp_path}/out.txt")
    part = tmp_path / ".out.txt.jsonl.part"
    descriptor = next(int(name) for name in os.listdir("/proc/self/fd") if points_to(name, part))
    files.write(LINES[0])
    reading = os.open(part, os.O_RDONLY)
    os.dup2(reading, descriptor)  # the next write fails
    os.close(reading)
    failed = written(files, LINES[1:])
    assert failed[0] == f"report {part}: Bad file descriptor; nothing more is written to it"
    assert failed[1] == (
        f"report text={tmp_path}/out.txt: not written, because not all records of the run could be stored"
    )
    assert len(failed) == 3
    assert names(tmp_path) == [part.name]
    assert [*RecordFile(part)] == RECORDS[:2]
    assert part.read_text().endswith("}\n")


def points_to(descriptor: str, path: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    except OSError:
        return False


@pytest.mark.parametrize("format", ["jsonl", "text", "sarif"])
def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, format: str) -> None:
    good = f"jsonl={tmp_path}/good.jsonl"
    for path, why in (
        (tmp_path / "no" / "such", "No such file or directory"),
        (tmp_path, "expected a file, got a folder"),
    ):
        with pytest.raises(OptionError, match=rf"^report: cannot write {path}: {why}"):
            using(good, f"{format}={path}")
        assert set(names(tmp_path)) <= {"good.jsonl"}


def test_two_reports_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"expected a different path for each report, got .*out twice"):
        using(f"sarif={tmp_path}/out", f"text={tmp_path}/./out")
    assert names(tmp_path) == []


def test_a_link_stays_a_link_and_the_mode_stays_the_mode(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "out.txt"
    real.write_text("before")
    real.chmod(0o640)
    link.symlink_to(real)
    assert written(using(f"text={link}")) == []
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "summary: " in real.read_text()


def test_reports_may_change_while_the_run_goes_on(tmp_path: Path) -> None:
    files = using(tmp_path / "run.jsonl")
    files.write(LINES[0])
    assert files.use(targets(tmp_path / "run.jsonl", f"text={tmp_path}/out.txt"), RUN) == []
    assert files.use(targets(f"text={tmp_path}/out.txt"), RUN) == []
    assert written(files, LINES[1:]) == []
    assert names(tmp_path) == ["out.txt", "run.jsonl"]
    assert [*RecordFile(tmp_path / "run.jsonl")] == RECORDS
    exchanges = sum("/exchange/" in record["schema"] for record in RECORDS)
    assert f"summary: {exchanges} MSK exchanges" in (tmp_path / "out.txt").read_text()


def test_a_part_goes_with_the_last_report_that_needs_it(tmp_path: Path) -> None:
    files = using(f"text={tmp_path}/out.txt")
    assert files.use([], RUN) == []
    assert names(tmp_path) == []
    assert files.finish(LINES) == []
    assert names(tmp_path) == []


def test_options_that_change_are_a_record_of_the_run_in_every_open_file(tmp_path: Path) -> None:
    files = using(tmp_path / "run.jsonl")
    changed = RUN | {"options": RUN["options"] | {"strict": True}}
    files.use(targets(tmp_path / "run.jsonl"), changed)
    files.use(targets(tmp_path / "run.jsonl"), changed)
    files.finish()
    assert [record["options"]["strict"] for record in RecordFile(tmp_path / "run.jsonl")] == [False, True]


def test_a_pipe_gets_its_report_without_a_file_beside_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files = using(f"text={pipe}")
        assert names(tmp_path) == ["pipe"]
        assert written(files, LINES[-2:]) == []
        assert b"summary: no MSK exchange was seen" in os.read(reader, 65536)
    finally:
        os.close(reader)
