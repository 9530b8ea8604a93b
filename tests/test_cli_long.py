"""Long runs of `check`: several processes, a file that grows, a bar on the terminal, and how such a run ends."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from ltkm_inspect.capture.following import AGAIN, NOT_PLAIN
from ltkm_inspect.capture.inputs import NO_CAPTURE, Input
from ltkm_inspect.cli.progress import Progress
from ltkm_inspect.engine import inspect
from ltkm_inspect.report import text
from tests.bench._captures import write
from tests.command import COMMAND, PATIENCE, ROOT, run
from tests.test_cli import BROKEN, CLEAN, WARNED, lines, save


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture that is worth several processes."""
    path = tmp_path_factory.mktemp("long") / "long.flow"
    assert write(path, 4000, 80) > 12_000_000
    return path


class Running:
    """A `check` that runs."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "check", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def end(self, by: signal.Signals) -> tuple[int, list[str], list[str]]:
        """End it with all its processes, as a terminal does; return its code and what it still said."""
        os.killpg(self.process.pid, by)
        return self.ended()

    def ended(self) -> tuple[int, list[str], list[str]]:
        out, errors = self.process.communicate(timeout=PATIENCE)
        assert b"Traceback" not in errors
        return self.process.returncode, lines(out), lines(errors)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """A function that starts a check; what still runs at the end is stopped."""
    all: list[Running] = []

    def begin(*arguments: str | Path) -> Running:
        all.append(Running(*arguments))
        return all[-1]

    yield begin
    for each in all:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_the_output_is_the_same_octet_for_octet_whatever_the_number_of_jobs(long: Path, form: str) -> None:
    alone = run("check", "--jobs", "1", "--format", form, long)
    assert len(lines(alone.stdout)) >= 80
    for jobs in (2, 5):
        done = run("check", "--jobs", str(jobs), "--format", form, long)
        assert (done.stderr, done.returncode) == (b"", 0)
        assert untimed(done.stdout) == untimed(alone.stdout)


def test_a_report_is_the_same_whatever_the_number_of_jobs(long: Path, tmp_path: Path) -> None:
    written = []
    for jobs in ("1", "2"):
        assert run("check", "--jobs", jobs, "--report", tmp_path / "run.jsonl", long).returncode == 0
        written.append(untimed((tmp_path / "run.jsonl").read_bytes()))
    assert written[0] == written[1]


def untimed(output: bytes) -> bytes:
    """Return what was printed without the times at which the run began and the file was opened, in its first record."""
    first, _, rest = output.partition(b"\n")
    return re.sub(rb'("(?:started|opened)":)"[^"]*"', rb"\1null", first) + rest


def test_no_jobs_is_wrong_usage(long: Path) -> None:
    assert run("check", "--jobs", "0", long).returncode == 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the system does not tell the children of a process")
@pytest.mark.parametrize("what", ["interrupt", "terminate", "kill"])
def test_an_end_before_its_time_gives_one_line_what_there_is_its_code_and_no_parts(
    long: Path, start: Callable[..., Running], tmp_path: Path, what: str
) -> None:
    run = start("--jobs", "2", "--report", f"html={tmp_path / 'run.html'}", *[long] * 30)
    until = time.monotonic() + PATIENCE
    while len(run.workers()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    workers = run.workers()
    run.line()
    if what == "interrupt":
        code, said, errors = run.end(signal.SIGINT)
        expected = "interrupted, so the report is partial"
    elif what == "terminate":
        os.kill(run.process.pid, signal.SIGTERM)
        code, said, errors = run.ended()
        expected = "ended by SIGTERM, so the report is partial"
    else:
        os.kill(workers[1], signal.SIGKILL)
        code, said, errors = run.ended()
        expected = "a worker process ended by signal 9; its unfinished work was not checked"
    assert errors == [f"ltkm-inspect: {expected}"]
    assert said[-2].startswith("summary: ")
    assert code == (143 if what == "terminate" else 130)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert [each.name for each in tmp_path.iterdir()] == ["run.html"]


def test_an_interrupt_while_a_pipe_is_awaited_prints_what_there_is(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    run = start("-")
    assert run.process.stdin is not None
    run.process.stdin.write(save(tmp_path / "a", [CLEAN]).read_bytes())
    run.process.stdin.flush()
    assert run.line() == f"#1 {heading(CLEAN)}"
    os.killpg(run.process.pid, signal.SIGINT)
    code, said, errors = run.ended()
    assert said[0].startswith("summary: 1 MSK exchange ")
    assert errors == ["ltkm-inspect: interrupted, so the report is partial"]
    assert code == 130


# --follow


def append(path: Path, octets: bytes) -> None:
    with path.open("ab") as file:
        file.write(octets)


def heading(exchange: object) -> str:
    return text.lines(inspect(exchange))[0].removeprefix("#- ")  # type: ignore[arg-type]  # an exchange


def test_a_file_that_is_followed_gives_each_flow_once_it_is_whole(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    file = save(tmp_path / "live.flow", [CLEAN])
    more = save(tmp_path / "more", [BROKEN]).read_bytes()
    run = start("--follow", file)
    assert run.line().partition(" ")[2] == heading(CLEAN)
    append(file, more[:500])
    time.sleep(0.5)
    append(file, more[500:])
    assert run.line().partition(" ")[2] == heading(BROKEN)
    assert "ltkm-missing" in run.line()
    append(file, save(tmp_path / "others", [], foreign=2).read_bytes())
    time.sleep(0.5)
    code, said, errors = run.end(signal.SIGINT)
    assert said[0].startswith("summary: 2 MSK exchanges ")
    assert said[0].endswith("; 2 other flows ignored")
    assert errors == ["ltkm-inspect: interrupted, so the report is partial"]
    assert code == 130


def test_sigterm_ends_following_as_it_ends_any_check(tmp_path: Path, start: Callable[..., Running]) -> None:
    file = save(tmp_path / "live.flow", [BROKEN])
    run = start("--follow", file)
    assert run.line().partition(" ")[2] == heading(BROKEN)
    code, said, errors = run.end(signal.SIGTERM)
    assert said[-1].startswith("summary: violation ")
    assert (code, errors) == (143, ["ltkm-inspect: ended by SIGTERM, so the report is partial"])


def test_a_file_that_is_followed_may_be_empty_and_may_be_rotated(tmp_path: Path, start: Callable[..., Running]) -> None:
    file = tmp_path / "live.flow"
    file.touch()
    run = start("--follow", file)
    append(file, save(tmp_path / "a", [CLEAN]).read_bytes())
    assert run.line().partition(" ")[2] == heading(CLEAN)
    os.rename(file, tmp_path / "old.flow")
    append(tmp_path / "old.flow", save(tmp_path / "b", [BROKEN]).read_bytes())
    assert run.line().partition(" ")[2] == heading(BROKEN)
    assert "ltkm-missing" in run.line()
    save(tmp_path / "new", [WARNED])
    os.rename(tmp_path / "new", file)
    assert run.line().partition(" ")[2] == heading(WARNED)
    code, _, errors = run.end(signal.SIGTERM)
    assert (code, errors) == (143, ["ltkm-inspect: ended by SIGTERM, so the report is partial"])


def test_a_file_that_was_cut_while_it_is_followed_is_damaged_and_read_anew(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    file = save(tmp_path / "live.flow", [CLEAN, WARNED])
    run = start("--follow", file)
    size = file.stat().st_size
    assert run.line().partition(" ")[2] == heading(CLEAN)
    assert run.line().partition(" ")[2] == heading(WARNED)
    run.line()
    os.truncate(file, 0)
    time.sleep(0.6)
    append(file, save(tmp_path / "a", [BROKEN]).read_bytes())
    assert run.line().partition(" ")[2] == heading(BROKEN)
    code, _, errors = run.end(signal.SIGTERM)
    assert errors[0] == f"ltkm-inspect: {file}: {AGAIN} (after 0 flows, at octet {size})"
    assert code == 143


def test_damage_ends_following(tmp_path: Path) -> None:
    file = save(tmp_path / "live.flow", [CLEAN])
    append(file, b"garbage")
    done = run("check", "--follow", file)
    assert "what follows is not a flow" in lines(done.stderr)[0]
    assert done.returncode == 5


@pytest.mark.parametrize("octets", [b"\x1f\x8b\x08", b"some text", b"{}"])
def test_what_does_not_begin_like_a_flow_file_is_not_followed(tmp_path: Path, octets: bytes) -> None:
    file = tmp_path / "live.flow"
    file.write_bytes(octets)
    done = run("check", "--follow", file)
    assert lines(done.stderr) == [f"ltkm-inspect: {file}: {NOT_PLAIN}"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "got"),
    [(["-"], "standard input"), (["a", "b"], "2: run one command for each"), (["docs"], NO_CAPTURE)],
)
def test_only_one_file_can_be_followed(arguments: list[str], got: str) -> None:
    done = run("check", "--follow", *arguments)
    assert lines(done.stderr)[-1] == f"Error: --follow: expected one file, got {got}"
    assert done.returncode == 2


# the bar


class Terminal(io.StringIO):
    """What takes a bar."""

    def isatty(self) -> bool:
        return True


def test_the_bar_tells_rate_findings_and_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some"
    file.write_bytes(bytes(10_000_000))
    shown, clock = Terminal(), count()
    with monkeypatch.context() as here:
        here.setattr(sys, "stderr", shown)
        here.setattr(time, "time", lambda: float(next(clock)))
        here.setattr(time, "monotonic", lambda: float(next(clock)))
        with Progress([Input(str(file))]) as progress:
            for number in range(1, 9):
                progress.advance(1_000_000, Counter(rule=number))
    assert "kB/s, 8 findings" in shown.getvalue()
    assert " 80%" in shown.getvalue()
    assert re.search(r"\d\d:\d\d:\d\d", shown.getvalue())
    assert shown.getvalue().endswith("\x1b[?25h")


def test_a_terminal_gets_a_bar_and_nothing_else_does(long: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "check", "--jobs", "1", *[str(long)] * 3]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        out = process.communicate(timeout=PATIENCE)[0]
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the terminal is closed
        pass
    finally:
        os.close(ours)
    assert b"MB/s, 0 findings" in shown
    assert shown.endswith(b"\x1b[?25h")
    assert out == run("check", *[long] * 3).stdout
