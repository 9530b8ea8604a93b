"""SIGINT and SIGTERM in every command that runs long: one line, their own exit codes, and no part of a file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli import signals
from ltkm_inspect.cli.program import commands
from tests.command import ROOT
from tests.proxy.parts import TRIAL

BOTH = [
    pytest.param(signal.SIGINT, 130, "interrupted", id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, "ended by SIGTERM", id="SIGTERM"),
]


def signalled(original: Callable[..., Any], by: signal.Signals, after: int = 1) -> Callable[..., Any]:
    """Make a function send this process a signal when it is called for that time."""
    calls = iter(range(1, 1_000_000))

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) == after:
            os.kill(os.getpid(), by)
        return original(*arguments, **options)

    return call


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "run.jsonl"
    path.parent.mkdir()
    CliRunner().invoke(commands, ["check", "--report", str(path), str(TRIAL)])
    return path


@pytest.mark.parametrize(("by", "code", "said"), BOTH)
@pytest.mark.parametrize("command", ["check", "report", "export", "export-xml", "diff", "fault"])
def test_a_signal_ends_a_command_with_one_line_its_code_and_no_part(
    command: str,
    by: signal.Signals,
    code: int,
    said: str,
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ltkm_inspect import engine
    from ltkm_inspect.mitm.rewriting import FlowRewriter
    from ltkm_inspect.report.reading import RecordFile

    out = tmp_path / "out"
    out.mkdir()
    arguments: dict[str, list[Any]] = {
        "check": ["check", "--report", f"html={out / 'a'}", TRIAL],
        "report": ["report", "--report", f"html={out / 'a'}", records],
        "export": ["export", "base64", "-o", out / "a", TRIAL],
        "export-xml": ["export", "xml", "-o", out / "a", TRIAL],
        "diff": ["diff", TRIAL, TRIAL],
        "fault": ["fault", "rename-ltkm", TRIAL, out / "a"],
    }
    monkeypatch.setattr("ltkm_inspect.checking.checker.inspect_step", signalled(engine.inspect_step, by, 4))
    monkeypatch.setattr(engine, "inspect", signalled(engine.inspect, by, 4))
    monkeypatch.setattr(FlowRewriter, "apply", signalled(FlowRewriter.apply, by, 4))
    monkeypatch.setattr(RecordFile, "read", signalled(RecordFile.read, by, 3))
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    done = CliRunner().invoke(commands, [*map(str, arguments[command])])
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    assert done.exit_code == code
    partial = ", so the report is partial" if command == "check" else ""
    assert done.stderr == f"ltkm-inspect: {said}{partial}\n"
    assert [each.name for each in out.iterdir()] == (["a"] if command == "check" else [])
    if command == "check":
        assert "summary: 3 MSK exchanges " in done.stdout


def test_a_check_that_is_interrupted_a_second_time_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ltkm_inspect import engine
    from ltkm_inspect.report import places

    monkeypatch.setattr("ltkm_inspect.checking.checker.inspect_step", signalled(engine.inspect_step, signal.SIGTERM, 4))
    monkeypatch.setattr("ltkm_inspect.report.files.render", signalled(places.render, signal.SIGINT))
    done = CliRunner().invoke(commands, ["check", "--report", f"html={tmp_path / 'a'}", str(TRIAL)])
    assert done.exit_code == 130
    assert [*tmp_path.iterdir()] == []


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals.raising():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def importing(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """A function that starts a check, and returns once it imports the last of what it needs, where it waits."""
    started: list[subprocess.Popen[bytes]] = []
    code = (
        "import sys\n"
        "class Waiting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'ltkm_inspect.session':\n"
        "            print('here', flush=True)\n"
        "            sys.stdin.read()\n"
        "sys.meta_path.insert(0, Waiting())\n"
        "from ltkm_inspect.cli import main\n"
        "main()\n"
    )

    def start() -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", code, "check", str(TRIAL)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe))
        out = started[-1].stdout
        assert out is not None
        assert out.readline() == b"here\n"
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize(("by", "code", "said"), BOTH)
def test_a_signal_before_anything_has_begun_prints_nothing(
    importing: Callable[[], subprocess.Popen[bytes]], by: signal.Signals, code: int, said: str
) -> None:
    process = importing()
    process.send_signal(by)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == code
