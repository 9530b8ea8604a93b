"""Reports and exports that go to pipes and devices: refused without a reader, and never waited for without end."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ltkm_inspect.cli.program import commands
from ltkm_inspect.options.files import parse_report
from ltkm_inspect.output import device
from ltkm_inspect.output.device import Device, is_device
from ltkm_inspect.report.files import ReportFiles
from tests.proxy.parts import TRIAL

FORMATS = ["jsonl", "html", "text", "sarif", "junit"]


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe that nobody reads."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def idle(pipe: Path) -> Iterator[int]:
    """The descriptor of a reader that takes nothing by itself."""
    file = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    yield file
    os.close(file)


class Reader:
    """A reader that takes all there is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # it holds the pipe open from the start, so that whoever writes finds a reader
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self._file, True)
        self._octets = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        while part := os.read(self._file, 65536):
            self._octets += part

    def start(self) -> None:
        self._thread.start()

    def octets(self) -> bytes:
        self._thread.join(60)
        os.close(self._file)
        return bytes(self._octets)


def run(*words: str | Path) -> Result:
    done = CliRunner().invoke(commands, [*map(str, words)])
    assert not isinstance(done.exception, Exception), repr(done.exception)
    return done


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_to_a_pipe_that_nobody_reads_is_refused_in_one_line(format: str, pipe: Path) -> None:
    done = run("check", "--report", f"{format}={pipe}", TRIAL)
    assert done.exit_code == 1
    assert done.stderr == f"ltkm-inspect: --report: cannot write {pipe}: nobody reads it\n"
    assert [each.name for each in pipe.parent.iterdir()] == ["pipe"]


@pytest.mark.parametrize("words", [("export", "csv", "-o"), ("export", "pcap", "-o")], ids=["csv", "pcap"])
def test_an_export_to_a_pipe_that_nobody_reads_is_refused_in_one_line(words: tuple[str, ...], pipe: Path) -> None:
    done = run(*words, pipe, TRIAL)
    assert (done.exit_code, done.stderr) == (1, f"ltkm-inspect: {pipe}: nobody reads it\n")


@pytest.mark.parametrize("format", FORMATS)
def test_a_report_to_a_pipe_with_a_reader_is_that_of_a_file(format: str, pipe: Path, tmp_path: Path) -> None:
    records, file = tmp_path / "run.jsonl", tmp_path / "file"
    run("check", "--report", records, TRIAL)
    run("report", records, "--report", f"{format}={file}")
    reader = Reader(pipe)
    opened = Device.open(pipe)  # keeps the reader until the program has opened the pipe, too
    reader.start()
    done = run("report", records, "--report", f"{format}={pipe}")
    opened.close()
    assert reader.octets() == file.read_bytes()
    assert done.exit_code == 3


def test_an_export_to_a_pipe_with_a_reader_is_that_of_a_file(pipe: Path, tmp_path: Path) -> None:
    run("export", "json", "-o", tmp_path / "file", TRIAL)
    reader = Reader(pipe)
    opened = Device.open(pipe)
    reader.start()
    done = run("export", "json", "-o", pipe, TRIAL)
    opened.close()
    assert reader.octets() == (tmp_path / "file").read_bytes()
    assert done.exit_code == 0


def test_a_report_to_the_null_device_is_written(tmp_path: Path) -> None:
    assert run("check", "--report", "html=/dev/null", "--report", "jsonl=/dev/null", TRIAL).exit_code == 3
    assert run("export", "base64", "-o", os.devnull, TRIAL).exit_code == 0
    assert is_device(Path(os.devnull))
    assert not is_device(tmp_path)
    assert not is_device(tmp_path / "missing")


def test_a_device_that_is_full_is_one_line() -> None:
    done = run("check", "--report", "html=/dev/full", TRIAL)
    assert done.exit_code == 5
    assert "report html=/dev/full: not written: No space left on device" in done.stderr


def test_a_reader_that_takes_nothing_is_given_up(pipe: Path, idle: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "PATIENCE", 0.0)
    done = run("check", "--report", f"jsonl={pipe}", TRIAL)
    assert done.exit_code == 5
    assert done.stderr == f"ltkm-inspect: report {pipe}: its reader takes no data\n"
    assert os.read(idle, 1 << 20).startswith(b"{")


@pytest.mark.parametrize("waits", [True, False])
def test_what_waits_for_a_reader_is_bounded(
    waits: bool, pipe: Path, idle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "MOST", 100_000)
    monkeypatch.setattr(device, "PATIENCE", 0.0 if waits else 3600.0)
    files = ReportFiles(waits=waits)
    files.use([parse_report(f"jsonl={pipe}")], {})
    assert files.write("x" * 100_000) == []
    failed = files.write("x" * 100_000)
    assert failed == [f"report {pipe}: its reader takes no data; nothing more is written to it"]
    assert files.write("x") == []


def test_what_a_slow_reader_had_no_room_for_comes_later(pipe: Path, idle: int) -> None:
    file = Device.open(pipe, waits=False)
    octets = os.urandom(200_000)
    file.write(octets)
    got = bytearray()
    while len(got) < len(octets):
        with suppress(BlockingIOError):
            got += os.read(idle, 65536)
        file.write(b"")
    file.close()
    assert got == octets


def test_a_reader_that_goes_is_one_line(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files = ReportFiles()
    files.use([parse_report(f"jsonl={pipe}")], {})
    os.close(reader)
    assert files.write("x") == [f"report {pipe}: Broken pipe; nothing more is written to it"]
    assert files.finish() == []


@pytest.mark.parametrize("format", ["text", "html", "sarif", "junit"])
def test_text_in_records_that_cannot_be_encoded_is_escaped_in_a_report(format: str, tmp_path: Path) -> None:
    records, out = tmp_path / "run.jsonl", tmp_path / "out"
    run("check", "--report", records, TRIAL)
    lines = records.read_text("ascii").splitlines()
    lines[1:-2] = [re.sub(r'"clauses":\["', r'"clauses":["\\ud800', line) for line in lines[1:-2]]
    records.write_text("\n".join(lines) + "\n")
    assert "\\ud800" in records.read_text()
    assert run("report", records, "--report", f"{format}={out}").exit_code == 3
    assert out.read_bytes().decode("utf-8")
