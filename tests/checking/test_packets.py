"""`check` reads packet captures as flow files: whole, compressed, from pipes, growing, and on several cores."""

import gzip
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ltkm_inspect import reference
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking import Checker, Presenter, serial
from ltkm_inspect.context import Context
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import Session
from tests.bench._packets import write
from tests.checking.test_parallel import both, named
from tests.command import run
from tests.packets.build import Record, enhanced, interface, pcap, pcap_record, section
from tests.packets.traffic import Wire, push, request_octets
from tests.test_cli import BROKEN, CLEAN, lines

TLS = b"\x16\x03\x01\x00\xc4\x01" + bytes(190)


def records() -> list[Record]:
    """Return a clean exchange, one with a violation, a push, and what is not read."""
    found: list[Record] = []
    for port, exchange in enumerate((CLEAN, BROKEN), 40_000):
        found += Wire(f"192.0.2.10:{port}", at=1e9 + port).open().exchange(exchange).close().records
    found += Wire("192.0.2.11:40000", "198.51.100.1:443", 1e9 + 50_000).open().message(0, TLS).close().records
    return [*found, push(reference.ltkm(reference.FIRST).encode(), 1e9 + 50_001)]


def pcapng(found: list[Record]) -> bytes:
    return section() + interface() + b"".join(enhanced(octets, round(time * 10**6)) for time, octets in found)


PLAIN = pcap(records())


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "trial.pcap"
    path.write_bytes(PLAIN)
    return path


def test_exchanges_are_checked_and_what_is_not_read_is_named(capture: Path) -> None:
    done = run("check", capture)
    said = lines(done.stdout)
    assert [line.rpartition(": ")[2] for line in said if " POST " in line] == ["clean", "violation"]
    assert said[-1].startswith("summary: not read: 1 TLS connection")
    assert (done.stderr, done.returncode) == (b"", 3)
    (*_, summary) = map(json.loads, lines(run("check", "--format", "jsonl", capture).stdout))
    assert summary["unread"]["tls"] == 1
    report = capture.with_name("run.jsonl")
    run("check", "--report", report, capture)
    assert lines(run("report", report).stdout)[-1] == said[-1]


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda octets: octets, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(zstandard.compress, id="zstd"),
        pytest.param(lambda _: pcapng(records()), id="pcapng"),
    ],
)
def test_every_form_of_a_capture_gives_the_same(capture: Path, pack: Callable[[bytes], bytes]) -> None:
    wanted = run("check", capture)
    packed = capture.with_name("packed")
    packed.write_bytes(pack(PLAIN))
    for done in (run("check", packed), run("check", "-", given=packed.read_bytes())):
        assert (done.stdout, done.stderr, done.returncode) == (wanted.stdout, b"", 3)


def test_folders_and_patterns_have_packet_captures(capture: Path) -> None:
    capture.with_name("notes.txt").write_text("no capture")
    wanted = lines(run("check", capture).stdout)
    for name in (capture.parent, capture.parent / "*.pcap"):
        found = lines(run("check", name).stdout)
        assert [line for line in found if not line.endswith(f"{capture}:")] == wanted


def test_a_damaged_capture_is_checked_up_to_the_damage(capture: Path) -> None:
    number = len(records())
    for octets, where in ((PLAIN + b"\1\2\3", len(PLAIN)), (PLAIN[:-9], len(pcap(records()[:-1])))):
        capture.write_bytes(octets)
        done = run("check", capture)
        assert len([line for line in lines(done.stdout) if " POST " in line]) == 2
        (line,) = lines(done.stderr)
        assert line.startswith(f"ltkm-inspect: {capture}: expected a packet ")
        assert line.endswith(f"(after {number - (octets < PLAIN)} packets, at octet {where})")
        assert done.returncode == 5
    capture.with_name("cut.gz").write_bytes(gzip.compress(PLAIN)[:-10])
    done = run("check", capture.with_name("cut.gz"))
    assert "the gzip data ends too early" in lines(done.stderr)[0]
    assert done.returncode == 5


def test_a_capture_without_exchanges_says_so(capture: Path) -> None:
    capture.write_bytes(pcap(records()[-12:]))
    done = run("check", capture)
    assert done.returncode in (0, 4)
    capture.write_bytes(pcap([]))
    assert run("check", capture).returncode == 4


def test_addresses_are_redacted(capture: Path) -> None:
    for form in ("text", "jsonl"):
        done = run("check", "--redact", "--format", form, capture)
        assert b"192.0.2." not in done.stdout
        assert b"198.51.100." not in done.stdout


def test_other_commands_read_packets_or_say_what_does(capture: Path) -> None:
    exported = run("export", "base64", capture)
    assert len(lines(exported.stdout)) == 3  # one of each response, and the push
    assert b"not read: 1 TLS connection" in exported.stderr
    assert run("diff", capture, capture).returncode == 0
    decoded = run("decode", "--format", "jsonl", capture)
    assert [json.loads(line)["source"] for line in lines(decoded.stdout)] == [f"{capture}, packet {len(records())}"]


def test_faults_go_into_the_exchanges_and_datagrams_of_packets_and_flows_are_written(capture: Path) -> None:
    target = capture.with_name("out.flow")
    done = run("fault", "shorten-rand", "--keys", "flows/trial.keys.toml", capture, target)
    assert lines(done.stdout)[-1].startswith("3 of 3 events changed, in 3 of 3 flows")
    assert f"{capture}: not read: 1 TLS connection" in done.stderr.decode()
    assert done.returncode == 0
    before, after = (
        map(json.loads, lines(run("check", "--format", "jsonl", path).stdout)) for path in (capture, target)
    )
    for one, other in list(zip(before, after, strict=True))[1:4]:
        assert (one.get("client"), one.get("started")) == (other.get("client"), other.get("started"))
    summary = lines(run("check", target).stdout)
    assert any("3 exchanges with faults put in" in line for line in summary)
    (datagram,) = [line for line in summary if " UDP " in line]
    assert "198.51.100.1:2269 -> 192.0.2.10:2269" in datagram


def test_an_exchange_that_was_not_captured_to_its_end_has_no_flow(capture: Path) -> None:
    capture.write_bytes(pcap(Wire().open().exchange(CLEAN).message(0, request_octets(CLEAN.request)).records))
    done = run("fault", "shorten-rand", capture, capture.with_name("out.flow"))
    assert "has no flow, as the capture is incomplete: end of the capture: the capture ended" in done.stderr.decode()
    assert done.returncode == 5


def results_of(path: Path, *, follow: bool = False) -> object:
    checker = Checker(context=Context(session=Session()), presenter=Presenter(keys=Keys(), as_json=True))
    file = Input(str(path))
    return serial.follow(file, checker) if follow else serial.check([file], checker)


def test_a_pipe_gives_an_exchange_before_the_capture_goes_on(tmp_path: Path) -> None:
    pipe, told = tmp_path / "pipe", threading.Event()
    os.mkfifo(pipe)
    first = Wire().open().exchange(CLEAN).records
    second = Wire("192.0.2.11:40000", at=1e9).open().exchange(BROKEN).records

    def write_both() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(pcap(first))
            assert told.wait(60)
            file.write(b"".join(pcap_record(*record) for record in second))

    writer = threading.Thread(target=write_both, daemon=True)
    writer.start()
    results = results_of(pipe)
    assert len(next(results).shown) == 1  # type: ignore[call-overload]
    told.set()
    assert len(next(results).shown) == 1  # type: ignore[call-overload]
    writer.join(60)


def test_a_capture_that_grows_is_followed_and_so_is_the_one_that_takes_its_name(tmp_path: Path) -> None:
    path = tmp_path / "live.pcap"
    first = Wire().open().exchange(CLEAN).records
    path.write_bytes(pcap(first[:-3]))
    results = results_of(path, follow=True)
    with path.open("ab") as file:
        file.write(b"".join(pcap_record(*record) for record in first[-3:]))
    assert len(next(results).shown) == 1  # type: ignore[call-overload]
    with path.open("ab") as file:
        file.write(b"".join(pcap_record(*record) for record in Wire("192.0.2.7:1").open().exchange(BROKEN).records))
    assert len(next(results).shown) == 1  # type: ignore[call-overload]
    other = tmp_path / "other"
    other.write_bytes(pcapng(Wire("192.0.2.8:1").open().exchange(CLEAN).close().records))
    other.replace(path)
    assert len(next(results).shown) == 1  # type: ignore[call-overload]


def test_a_push_to_a_terminal_that_is_not_seen_again_is_counted_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = reference.push(reference.FIRST, v=True).encode()
    first = [push(pushed, 1e9), *Wire("192.0.2.11:40000", "198.51.100.1:443", 1e9).open().records]
    later = Wire("192.0.2.11:40000", "198.51.100.1:443", 1e9 + 60).open().records
    paths = tmp_path / "short.pcap", tmp_path / "long.pcap"
    for path, found in zip(paths, (first, first + later), strict=True):
        path.write_bytes(pcap(found))
    line = "summary: at the end, not counted as findings: push-unanswered: 1 (the terminal was not seen again)"
    assert [line in lines(run("check", path).stdout) for path in paths] == [False, True]
    report = tmp_path / "run.jsonl"
    done = run("check", "--report", report, paths[1])
    assert done.returncode == 0
    assert json.loads(lines(report.read_bytes())[-1])["waiting"] == {"push-unanswered": 1}
    assert line in lines(run("report", report).stdout)
    both(monkeypatch, named(*paths))


def test_several_processes_give_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.pcapng"
    write(path, 1500, 30)
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(PLAIN + b"\1\2\3")
    printed = both(monkeypatch, named(path, damaged, path))
    assert len(printed) > 60
