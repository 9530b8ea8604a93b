"""Reports beside live traffic: they rotate, outlive their files, and say what is missing."""

import json
import os
import re
from collections.abc import Callable
from errno import ENOSPC
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect.options.files import parse_report
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report import stream
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.reading import Reading, RecordFile
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.report.summary import Summary
from tests.command import little_room
from tests.report.runs import TRIAL, checked

RUN, *EVENTS, SESSION, _ = checked(TRIAL)


class Live:
    """Reports beside traffic."""

    def __init__(self, *texts: str | Path) -> None:
        self.files, self.summary = ReportFiles(waits=False), Summary()
        self.files.outlive_files(lambda: self.summary)
        self.opening = self.files.use([parse_report(str(text)) for text in texts], RUN)

    def tell(self, *numbers: int) -> list[str]:
        """Write and count these events; return what was said."""
        said = []
        for number in numbers:
            said += self.files.write(to_json(EVENTS[number]))
            self.summary.add_record(EVENTS[number])
        return said

    def finish(self) -> list[str]:
        return self.files.finish([to_json(SESSION)])


def records(path: Path) -> list[Any]:
    """Return the records of a file that has nothing else in it."""
    assert path.read_text().endswith("}\n")
    return [json.loads(line) for line in path.read_text().splitlines()]


def kinds(path: Path) -> str:
    """Return the first letters of the kinds of records, where a summary is an upper-case S."""
    return "".join(
        "S" if "/summary/" in each["schema"] else each["schema"].partition("/")[2][0] for each in records(path)
    )


def assert_sums_up(live: Live, *paths: Path) -> None:
    """The summaries of the files count every event of the run once, and the records say which are missing."""
    found = [each for path in paths for each in records(path)]
    ends = [each for each in found if "/summary/" in each["schema"]]
    assert sum(each["exchanges"] for each in ends) == live.summary.exchanges
    assert sum(each["others"] for each in ends) == live.summary.others
    files = RunFiles()
    for each in found:
        files.add(each)
    assert files.ended
    assert files.lines() == []
    seen = sum("/exchange/" in each["schema"] for each in found)
    missing = sum(each["records"] for each in found if "/missing/" in each["schema"])
    assert seen + missing == live.summary.exchanges


@pytest.fixture(autouse=True)
def _seconds_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_second", count().__next__)


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """A function that says which name the codes of a path give from now on."""
    now = [tmp_path / "a"]
    monkeypatch.setattr(stream, "filled", lambda target: now[0])

    def turn(name: str) -> Path:
        now[0] = tmp_path / name
        return now[0]

    return turn


def test_each_file_begins_with_the_run_and_ends_with_its_own_summary(paths: Callable[[str], Path]) -> None:
    first = paths("09.jsonl")
    live = Live("jsonl=%H.jsonl")
    assert live.tell(0, 1, 2) == []
    live.summary.other()
    second = paths("folder/that/is/not/there/10.jsonl")
    assert live.tell(3, 4) == []
    third = paths("11.jsonl")
    assert live.tell(5) == []
    assert live.finish() == []
    assert [kinds(path) for path in (first, second, third)] == ["reeeS", "reeS", "resS"]
    heads = [records(path)[0] for path in (first, second, third)]
    assert [head["part"] for head in heads] == [1, 2, 3]
    assert {head["started"] for head in heads} == {RUN["started"]}
    assert [records(path)[-1]["others"] for path in (first, second, third)] == [1, 0, 0]
    assert_sums_up(live, first, second, third)


def test_what_this_run_has_begun_is_continued_when_a_clock_goes_back(paths: Callable[[str], Path]) -> None:
    first = paths("a.jsonl")
    first.write_text("from an earlier run\n")
    live = Live("jsonl=%H.jsonl")
    assert live.opening == [f"report {first}: overwriting what was in it; + before the path appends"]
    live.tell(0)
    second = paths("b.jsonl")
    live.tell(1)
    paths("a.jsonl")
    live.tell(2)
    live.finish()
    assert (kinds(first), kinds(second)) == ("reSresS", "reS")


def test_a_record_with_faults_stays_with_the_one_before_it(paths: Callable[[str], Path]) -> None:
    first = paths("a.jsonl")
    live = Live("jsonl=%H.jsonl")
    live.tell(0)
    second = paths("b.jsonl")
    live.files.write(to_json(EVENTS[1]), stays=True)
    live.tell(2)
    live.finish()
    assert (kinds(first), kinds(second)) == ("reeS", "resS")


@pytest.mark.parametrize("deleted", [False, True], ids=["moved", "deleted"])
def test_a_file_that_was_moved_is_ended_and_another_one_begun(tmp_path: Path, deleted: bool) -> None:
    path, away = tmp_path / "run.jsonl", tmp_path / "run.jsonl.1"
    live = Live(path)
    live.tell(0, 1)
    os.link(path, away)  # so that the test sees what is written to a deleted one
    path.unlink() if deleted else path.rename(tmp_path / "moved")
    assert live.tell(2) == [f"report {path} was moved or deleted; going on in a new file"]
    assert live.finish() == []
    assert (kinds(away), kinds(path)) == ("reeS", "resS")
    assert_sums_up(live, away, path)


def test_a_file_that_another_program_emptied_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    live = Live(path)
    live.tell(0, 1)
    os.truncate(path, 0)
    assert live.tell(2) == [f"report {path} was cut short by another program; going on in a new file"]
    live.finish()
    assert kinds(path) == "resS"
    assert records(path)[0]["part"] == 2


@pytest.mark.parametrize("rotates", [False, True])
def test_a_full_disk_is_said_once_and_what_is_missing_when_there_is_room(
    rotates: bool, paths: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = second = paths("a.jsonl")
    live = Live("jsonl=%H.jsonl")
    live.tell(0, 1)
    monkeypatch.setattr(stream, "RETRY", 0.0)
    with little_room(500):  # too little for a record of the run, too
        said = live.tell(2, 3)
        assert said == [f"report {first}: File too large; records are missing until it can be written"]
        assert kinds(first) == "ree", "no part of a line is left"
        if rotates:
            second = paths("b.jsonl")
            assert live.tell(4) == []
        monkeypatch.setattr(stream, "RETRY", 3600.0)
        assert live.tell(5) == []
    assert live.tell(6) == [], "it tries again only now and then"
    monkeypatch.setattr(live.files._lines[parse_report("jsonl=%H.jsonl")]._gap, "retry", 0.0)
    (line,) = live.tell(7)
    number = 5 if rotates else 4
    assert line.startswith(f"report {first}: written again; {number} records missing from 20")
    assert line.endswith("Z: File too large")
    assert live.finish() == []
    assert kinds(first) + ("" if first == second else kinds(second)) == ("reemSresS" if rotates else "reemesS")
    assert_sums_up(live, *dict.fromkeys([first, second]))


def test_options_that_change_while_the_disk_is_full_are_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.jsonl"
    live = Live(path)
    monkeypatch.setattr(stream, "RETRY", 0.0)
    with little_room(500):
        live.tell(0)
        assert live.files.use([parse_report(str(path))], {**RUN, "redacted": True}) == []
    live.tell(1, 2)
    assert live.files.complete_name == f"{path} except for 2 missing records"
    live.finish()
    assert kinds(path) == "rmreesS"
    assert [each["redacted"] for each in records(path) if "/run/" in each["schema"]] == [False, True]


def test_a_disk_that_is_full_at_the_end_is_said_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    live = Live(path, f"text={tmp_path}/out.txt")
    with little_room(path.stat().st_size + 10):
        assert len(live.tell(0, 1)) == 2, "a line for the report, and one for the records of the other"
        said = live.finish()
    assert said[0].startswith(f"report {path}: File too large; 2 records missing from 20")
    assert said[2].endswith("not written, because not all records of the run could be stored")
    assert kinds(path) == "r"


def test_a_line_that_cannot_be_taken_back_does_not_damage_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    path = tmp_path / "run.jsonl"
    live = Live(path)
    monkeypatch.setattr(stream, "RETRY", 0.0)
    with monkeypatch.context() as patch, little_room(path.stat().st_size + 100):
        patch.setattr(os, "ftruncate", fail)
        live.tell(0)
    live.tell(1)
    live.finish()
    reading = Reading()
    found = [each["schema"].split("/")[1] for each in RecordFile(path).read(reading)]
    assert found == ["run", "missing", "exchange", "session", "summary"]
    assert reading.damage == ["line 2: expected a record, got text that is not JSON"]


def test_a_report_that_appends_goes_on_behind_a_run_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(f'{to_json(RUN)}\n{{"half')
    live = Live(f"+{path}")
    assert live.opening == []
    live.tell(0)
    live.finish()
    reading = Reading()
    found = [each["schema"].split("/")[1] for each in RecordFile(path).read(reading)]
    assert found == ["run", "run", "exchange", "session", "summary"]
    assert reading.damaged == 1
    assert not reading.run_files.ended, "the run that was killed has no end"


def test_a_file_that_cannot_be_ended_does_not_hold_up_the_next(
    paths: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = paths("a.jsonl")
    live = Live("jsonl=%H.jsonl")
    live.tell(0)
    reading = os.open(first, os.O_RDONLY)
    file = live.files._lines[parse_report("jsonl=%H.jsonl")]._file
    assert file is not None
    os.dup2(reading, file._file.fileno())  # whatever is written to it fails
    os.close(reading)
    second = paths("b.jsonl")
    assert live.tell(1) == [f"report {first}: its end could not be written: Bad file descriptor"]
    live.finish()
    assert (kinds(first), kinds(second)) == ("re", "resS")
    assert records(second)[-1]["exchanges"] == 2, "no event of the run is lost in the summaries"


def test_a_report_that_cannot_rotate_is_named(tmp_path: Path) -> None:
    live = Live(f"html={tmp_path}/%j.html", f"text={tmp_path}/out.txt", f"{tmp_path}/%j.jsonl")
    (name,) = live.files.fixed_names
    assert re.fullmatch(rf"html={re.escape(str(tmp_path))}/\d\d\d\.html", name)
    live.tell(0)
    assert live.finish() == []
    assert "summary: 1 MSK exchange " in (tmp_path / "out.txt").read_text()
