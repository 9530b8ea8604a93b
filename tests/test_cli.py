"""What a user types, what is printed, and the exit codes."""

import gzip
import json
import os
import re
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.io import FlowWriter

from ltkm_inspect import __version__
from ltkm_inspect.cli.program import commands
from ltkm_inspect.engine import inspect
from ltkm_inspect.engine.own_findings import NOT_CHECKED_IN_FULL
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.table import REPORT_SUFFIXES
from ltkm_inspect.reference import AGAIN, FIRST, SECOND, exchange, ltkm, reference
from ltkm_inspect.report import text
from ltkm_inspect.report.summary import NOTHING_SEEN, Summary
from ltkm_inspect.rule import RULES
from ltkm_inspect.traffic import Exchange
from tests.command import COMMAND, ROOT, imported, run, run_process, run_shell
from tests.growth import grows_as_its_input
from tests.report.runs import TRIAL

MESSAGE = ltkm(FIRST).encode()
CLEAN = reference("download")[0]
BROKEN = exchange(
    [FIRST.msk_id, SECOND.msk_id],
    [(FIRST, "200 OK", ltkm(AGAIN)), (SECOND, "200 OK", None)],
    id="broken",
    nc=2,
    at=1,
)
"""Trips ltkm-missing."""
WARNED = exchange([FIRST.msk_id], [(FIRST, "200 ok", None)], id="warned", at=2)
"""Trips response-code-near-miss, a warning."""


def lines(octets: bytes) -> list[str]:
    return octets.decode().splitlines()


def objects(octets: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in octets.splitlines()]


def exchange_records(octets: bytes) -> list[dict[str, Any]]:
    return [each for each in objects(octets) if each["schema"].startswith("ltkm-inspect/exchange/")]


def kinds(octets: bytes) -> list[str]:
    return [each["schema"].split("/")[1] for each in objects(octets)]


def save(path: Path, exchanges: Sequence[Exchange], foreign: int = 0) -> Path:
    """Write exchanges, then flows of other traffic, to a flow file."""
    with path.open("wb") as file:
        writer = FlowWriter(file)  # type: ignore[no-untyped-call]
        for each in exchanges:
            writer.add(flow_of(each))
        for number in range(foreign):
            flow = flow_of(replace(CLEAN, id=f"{number:08x}"))
            flow.request = http.Request.make("GET", "http://example.com/")
            flow.response = http.Response.make(200, b"hello", {"Content-Type": "text/plain"})
            writer.add(flow)
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return save(tmp_path / "clean.flow", [CLEAN], foreign=1)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return save(tmp_path / "broken.flow", [CLEAN, BROKEN])


# check: exit codes


def test_clean_exchanges_end_with_0_and_a_summary(clean: Path) -> None:
    done = run("check", clean)
    summary = Summary()
    report = replace(inspect(CLEAN), number=1)
    summary.add(report)
    summary.other()
    assert lines(done.stdout) == [*text.lines(report), *summary.lines()]
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_violation_ends_with_3_and_is_a_line_that_points(broken: Path) -> None:
    done = run("check", broken)
    report = replace(inspect(BROKEN), number=2)
    assert "ltkm-missing" in report.rules
    assert [line for line in text.lines(report) if line not in lines(done.stdout)] == []
    assert done.returncode == 3


@pytest.mark.parametrize(("level", "code"), [("never", 0), ("warning", 3), ("violation", 0)])
def test_the_level_from_which_findings_fail_is_told(tmp_path: Path, level: str, code: int) -> None:
    file = save(tmp_path / "warned.flow", [WARNED])
    done = run("check", "--fail-on", level, file)
    assert b"warning response-code-near-miss: " in done.stdout
    assert done.returncode == code


def test_files_without_an_msk_exchange_end_with_4_and_say_so(tmp_path: Path) -> None:
    file = save(tmp_path / "other.flow", [], foreign=2)
    done = run("check", file)
    assert lines(done.stdout) == [f"summary: {NOTHING_SEEN}; 2 other flows ignored"]
    assert done.returncode == 4
    done = run("check", "--format", "jsonl", file)
    assert kinds(done.stdout) == ["run", "session", "summary"]
    assert lines(done.stderr) == [f"ltkm-inspect: {NOTHING_SEEN}"]
    assert done.returncode == 4


def test_an_empty_file_is_not_damaged(tmp_path: Path) -> None:
    file = tmp_path / "empty.flow"
    file.touch()
    done = run("check", file)
    assert lines(done.stdout) == [f"summary: {NOTHING_SEEN}; 0 other flows ignored"]
    assert done.returncode == 4


@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_the_only_file_missing_is_one_line_and_1(tmp_path: Path, format: str) -> None:
    done = run("check", "--format", format, tmp_path / "no\x1bsuch.flow")
    assert done.stdout == b""
    assert lines(done.stderr) == [f"ltkm-inspect: {tmp_path}/no\\x1bsuch.flow: No such file or directory"]
    assert done.returncode == 1


def test_a_folder_without_a_capture_is_one_line_and_1(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("12 terminals")
    done = run("check", tmp_path)
    assert lines(done.stderr) == [
        f"ltkm-inspect: {tmp_path}: the folder has no flow file, HAR or packet capture; unpack archives first"
    ]
    assert done.returncode == 1


def test_one_file_missing_of_several_is_5_and_beats_3(broken: Path, tmp_path: Path) -> None:
    done = run("check", tmp_path / "missing.flow", broken)
    assert lines(done.stderr) == [f"ltkm-inspect: {tmp_path}/missing.flow: No such file or directory"]
    assert b"ltkm-missing" in done.stdout
    assert done.returncode == 5


@pytest.mark.parametrize("cut", [1, 40, 700])
def test_a_cut_file_gives_what_stands_before_the_cut_then_one_line_and_5(broken: Path, cut: int) -> None:
    octets = broken.read_bytes()
    first = int(octets.partition(b":")[0]) + octets.index(b":") + 2
    broken.write_bytes(octets[:-cut])
    done = run("check", broken)
    assert text.lines(replace(inspect(CLEAN), number=1))[0] in lines(done.stdout)
    assert b"ltkm-missing" not in done.stdout
    (line,) = lines(done.stderr)
    assert line.startswith(f"ltkm-inspect: {broken}: ")
    assert f"at octet {first}" in line
    assert done.returncode == 5


@pytest.mark.parametrize(
    "octets",
    [
        *(
            b"\x00\xff\x1b[2J" * 100,
            b"{",
            b"[]",
            b"9" * 5000 + b":x",
            b"{}",
            b'{"a":1}',
            b'\xef\xbb\xbf{"a":{"log":{',
            b"{x}",
        ),
        *(b"some text\n", b"<LTKM/>", b"<!DOCTYPE html>", b"PK\x03\x04\x14\0\0\0", gzip.compress(b'{"a":1}', mtime=0)),
    ],
)
@pytest.mark.parametrize("command", ["check", "export json", "diff {}", "fault strip-ltkm"])
def test_a_file_that_is_neither_a_flow_file_nor_a_har_is_one_line_and_1(
    tmp_path: Path, octets: bytes, command: str
) -> None:
    file = tmp_path / "random"
    file.write_bytes(octets)
    out = [str(tmp_path / "out")] if command.startswith("fault") else []
    done = run(*command.format(TRIAL).split(), file, *out)
    (line,) = lines(done.stderr)
    assert line.isprintable()
    assert line.startswith(f"ltkm-inspect: {file}: ")
    assert done.stdout == b""
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param(b"", 4, id="empty"),
        pytest.param(b'{"log": {}}', 5, id="HAR without entries"),
        pytest.param(b'{"version": 1, "log": {"entries": [', 5, id="cut HAR"),
        pytest.param(b'{"log": {"entries": []}}', 4, id="empty HAR"),
    ],
)
def test_a_damaged_capture_is_5_and_an_empty_one_4(tmp_path: Path, octets: bytes, code: int) -> None:
    file = tmp_path / "capture"
    file.write_bytes(octets)
    assert run("check", file).returncode == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--expect", "alway"], "--expect: expected auto or always, got alway; did you mean always?"),
        (["--fail-on", "error"], "--fail-on: expected never, warning or violation, got error"),
        (["--select", "ltkm-mising"], "did you mean ltkm-missing?"),
        (
            ["--severity", "ltkm-missing"],
            "--severity: expected RULE=LEVEL, like ltkm-missing=warning, got ltkm-missing",
        ),
        (
            ["--report", "xml=x"],
            f"--report: expected a path that ends in {', '.join(ends[0] for ends in REPORT_SUFFIXES.values())}, or",
        ),
        (["--frmat", "jsonl"], "No such option"),
    ],
)
def test_a_wrong_option_is_2_and_says_what_was_expected(clean: Path, arguments: list[str], said: str) -> None:
    done = run("check", *arguments, clean)
    assert said in lines(done.stderr)[-1]
    assert done.stdout == b""
    assert done.returncode == 2


def test_an_interrupt_ends_with_130(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*COMMAND, "decode", pipe],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with pipe.open("wb"):  # returns as soon as the command has opened its end
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"Traceback" not in said
    assert process.returncode == 130


# check: forms


def test_concise_is_one_finding_per_line_and_nothing_else(broken: Path) -> None:
    done = run("check", "--format", "concise", broken)
    (finding,) = inspect(BROKEN).findings
    assert lines(done.stdout) == [f"{broken}:2: violation {finding.rule}: {finding.place}: {finding.text}"]
    assert (done.stderr, done.returncode) == (b"", 3)


def test_github_gets_a_command_for_each_finding(broken: Path) -> None:
    (line,) = lines(run("check", "--format", "github", broken).stdout)
    assert line.startswith(f"::error file={broken},title=ltkm-missing (flow 2)::#2 08:00:01.000Z ")


def test_quiet_hides_what_is_clean_and_notes_are_shown_if_asked_for(broken: Path) -> None:
    shown = [line[:2] for line in lines(run("check", "--quiet", broken).stdout)]
    assert shown[:2] == ["#2", "  "]
    assert b"\n  note transport-plain: " in run("check", "--notes", broken).stdout
    refused = run("check", "--quiet", "--format", "jsonl", broken)
    assert (b"--quiet: expected --format text" in refused.stderr, refused.returncode) == (True, 2)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--terminal", "192.0.2.10"], ["#1", "#2"]),
        (["--terminal", "MTIzNDU2..Q1Ng"], ["#1", "#2"]),
        (["--terminal", "nobody@bsf.home1.net"], []),
        (["--msk", "b8709d/24cb"], ["#1", "#2"]),
        (["--since", "2009-10-28T08:00:01Z"], ["#2"]),
        (["--until", "2009-10-28T08:00:00.500"], ["#1"]),
        (["--flow", "#2"], ["#2"]),
        (["--flow", "1-2", "--flow", "9"], ["#1", "#2"]),
    ],
)
def test_a_selection_says_what_is_told_of(broken: Path, words: list[str], numbers: list[str]) -> None:
    done = run("check", *words, broken)
    assert [line.split()[0] for line in lines(done.stdout) if line.startswith("#")] == numbers
    assert (b"; 1 MSK exchange not selected; " in done.stdout) is (len(numbers) == 1)
    if not numbers:
        (said,) = lines(done.stdout)
        assert said.startswith("summary: no MSK exchange matches the selection; 2 MSK exchanges not selected; ")
        assert lines(done.stderr) == [
            "ltkm-inspect: --terminal: no MSK exchange matches nobody@bsf.home1.net; terminals seen: MTIzNDU2..Q1Ng"
        ]
        assert done.returncode == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--msk", "ffffff/0001"],
            "--msk: no MSK exchange matches ffffff/0001; MSKs seen: b8709d/24cb/4400, b8709d/68c9/0001",
        ),
        (["--terminal", "203.0.113.9"], "--terminal: no MSK exchange matches 203.0.113.9; addresses seen: 192.0.2.10"),
        (
            ["--since", "2030-01-01"],
            "--since: no MSK exchange began then; the exchanges began 2009-10-28T08:00:00Z to 2009-10-28T08:00:01Z",
        ),
        (["--flow", "3-9"], "--flow: no MSK exchange has the number 3-9; numbers seen: 1 to 2"),
        (
            ["--until", "2000-01-01"],
            "--until: no MSK exchange began then; the exchanges began 2009-10-28T08:00:00Z to 2009-10-28T08:00:01Z",
        ),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_selector_that_matches_nothing_says_what_there_is(
    broken: Path, words: list[str], said: str, jobs: str
) -> None:
    done = run("check", "--jobs", jobs, *words, broken)
    assert lines(done.stderr) == [f"ltkm-inspect: {said}"]
    assert done.returncode == 4


def test_what_there_is_instead_is_redacted_as_lines_are(broken: Path) -> None:
    done = run("check", "--redact", "--terminal", "nobody@bsf.home1.net", "--terminal", "203.0.113.9", broken)
    first, second = lines(done.stderr)
    name = re.compile(r"no MSK exchange matches (identity|address)-[0-9a-f]{10}; (\w+) seen: \1-[0-9a-f]{10}$")
    assert [name.search(line)[2] for line in (first, second)] == ["terminals", "addresses"]  # type: ignore[index]


def test_an_empty_file_says_how_to_record_one(tmp_path: Path) -> None:
    empty = tmp_path / "empty.flow"
    empty.touch()
    said = f"ltkm-inspect: {empty}: the file is empty: record the traffic with mitmdump -w FILE or tcpdump -w FILE, or "
    for words in (["check"], ["export", "csv"], ["diff", empty], ["fault", "strip-ltkm"]):
        done = run(*words, empty, *([tmp_path / "out.flow"] if words[0] == "fault" else []))
        assert any(line.startswith(said) for line in lines(done.stderr))
        assert done.returncode == 4


def test_a_missing_file_names_one_that_is_nearly_called_so(broken: Path) -> None:
    for name in (f"{broken.stem}x{broken.suffix}", broken.stem, f"{broken.stem}.har"):
        done = run("check", broken.with_name(name))
        assert lines(done.stderr)[0].endswith(f"{name}: No such file or directory; did you mean {broken}?")
    done = run("check", broken.with_name("quite-another.flow"))
    assert lines(done.stderr)[0].endswith("quite-another.flow: No such file or directory")


def test_a_file_in_the_place_of_a_command_says_what_to_type(broken: Path) -> None:
    done = run(broken)
    assert lines(done.stderr)[-1] == (
        f"Error: {broken} is a file, not a command; to check it: ltkm-inspect check {broken}"
    )
    assert done.returncode == 2


def test_a_time_that_is_none_is_refused(broken: Path) -> None:
    done = run("check", "--since", "yesterday", broken)
    assert b"--since: expected a time like 2009-10-28T08:00:00Z, got yesterday" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("text", ["0", "9-3", "-1", "one", ""])
def test_a_number_that_no_flow_has_is_refused(broken: Path, text: str) -> None:
    done = run("check", "--flow", text, broken)
    expected = f"--flow: expected the number of a flow, or a range like 26-30, got {text or 'nothing'}"
    assert (expected in done.stderr.decode(), done.returncode) == (True, 2)


def test_there_are_colors_only_where_they_are_wanted(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert b"\x1b" not in run("check", broken).stdout
    assert b"\x1b[31mviolation ltkm-missing\x1b[0m" in run("check", "--color", "always", broken).stdout


def test_the_same_exchanges_in_a_har_give_the_same_findings(tmp_path: Path) -> None:
    har = tmp_path / "trial.har"
    har.write_text(json.dumps(SaveHar().make_har([flow_of(CLEAN), flow_of(BROKEN)])))
    done = run("check", har)
    assert [line for line in lines(done.stdout) if line.startswith("  violation ltkm-missing: ")] == [
        f"  {finding.line}" for finding in inspect(BROKEN).findings
    ]
    assert done.returncode == 3


def test_jsonl_is_one_object_an_exchange_in_the_order_of_the_file(broken: Path) -> None:
    done = run("check", "--format", "jsonl", broken)
    assert kinds(done.stdout) == ["run", "exchange", "exchange", "session", "summary"]
    found = exchange_records(done.stdout)
    assert [each["verdict"] for each in found] == ["clean", "violation"]
    assert [each["file"] for each in found] == [str(broken)] * 2
    assert "ltkm-missing" in {finding["rule"] for finding in found[1]["findings"]}
    assert done.returncode == 3


def test_a_report_file_has_the_objects_and_the_summary(broken: Path, tmp_path: Path) -> None:
    done = run("check", "--report", f"jsonl={tmp_path}/%Y.jsonl", broken)
    (report,) = tmp_path.glob("20*.jsonl")
    first, *others, summary = objects(report.read_bytes())
    assert [*others, summary] == objects(run("check", "--format", "jsonl", broken).stdout)[1:]
    assert first["schema"] == "ltkm-inspect/run/1"
    assert first["sources"] == [str(broken)]
    assert first["options"]["report"] == [f"jsonl={tmp_path}/%Y.jsonl"]
    assert summary["schema"] == "ltkm-inspect/summary/1"
    assert summary["exchanges"] == 2
    assert done.returncode == 3


def test_a_report_that_cannot_be_written_is_one_line_and_1(clean: Path, tmp_path: Path) -> None:
    done = run("check", "--report", tmp_path / "no" / "such.jsonl", clean)
    assert len(lines(done.stderr)) == 1
    assert done.returncode == 1


def test_the_input_is_never_overwritten_by_a_report(clean: Path) -> None:
    before = clean.read_bytes()
    done = run("check", "--report", clean, clean)
    assert done.returncode == 2
    assert clean.read_bytes() == before


def test_of_several_files_each_is_named_above_its_exchanges(clean: Path, broken: Path) -> None:
    found = lines(run("check", clean, broken).stdout)
    assert found[0] == f"{clean}:"
    assert f"{broken}:" in found
    assert found.index(f"{broken}:") == 2


def test_rules_can_be_left_out_and_levels_changed(broken: Path) -> None:
    assert run("check", "--ignore", "ltkm-missing", broken).returncode == 0
    assert run("check", "--severity", "ltkm-missing=warning", broken).returncode == 0
    assert run("check", "--select", "ltkm-repeated,ltkm-missing", broken).returncode == 3


def test_offline_there_is_no_limit_to_body_and_ltkms(tmp_path: Path) -> None:
    many = exchange([FIRST.msk_id], [(FIRST, "200 OK", ltkm(FIRST))] * 6_000)
    assert many.response is not None
    assert len(many.response.body or b"") > 1 << 20
    done = run("check", "--limit", "findings=none", save(tmp_path / "many.flow", [many]))
    assert ": 6000 items, 6000 LTKMs: " in lines(done.stdout)[0]
    assert NOT_CHECKED_IN_FULL.encode() not in done.stdout


def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    file = save(tmp_path / "long.flow", [BROKEN] * 400)
    done = run_shell(f"{{command}} check {file} | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == b""
    assert lines(done.stdout)[-1] == "3"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_is_one_line_and_1(broken: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "check", broken], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert lines(done.stderr) == ["ltkm-inspect: standard output: No space left on device"]
    assert done.returncode == 1


def test_a_terminal_that_lacks_a_character_gets_an_escape(broken: Path) -> None:
    done = run_process("check", broken, env={**os.environ, "PYTHONIOENCODING": "iso8859_5"})
    assert b" \\xb7 CR 5.2.1.1" in done.stdout
    assert done.returncode == 3


# hostile input


def with_body(octets: bytes, reason: str = "OK") -> Exchange:
    assert CLEAN.response is not None
    headers = CLEAN.response.headers.put("Content-Length", str(len(octets)))
    return replace(CLEAN, response=replace(CLEAN.response, body=octets, headers=headers, reason=reason))


def clean_body() -> bytes:
    assert CLEAN.response is not None
    assert CLEAN.response.body is not None
    return CLEAN.response.body


def in_place_of_the_ltkm(octets: bytes) -> bytes:
    return clean_body().replace(b64encode(MESSAGE), octets)


def entities() -> bytes:
    """A billion laughs."""
    defined = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return b'<!DOCTYPE x [<!ENTITY l0 "lol">%s]><x>&l9;</x>' % defined


HOSTILE: dict[str, Callable[[], Exchange]] = {
    "octets-at-random": lambda: with_body(bytes(range(256)) * 4_000),
    "billion-laughs": lambda: with_body(entities()),
    "large-body": lambda: with_body(clean_body().replace(b"\n</", b"<!--" + b"x" * 2_000_000 + b"-->\n</")),
    "large-base64": lambda: with_body(in_place_of_the_ltkm(b"AQ AF" * 200_000)),
    "deep": lambda: with_body(b"<a>" * 100_000),
    "cut-message": lambda: with_body(in_place_of_the_ltkm(b64encode(MESSAGE[:-30]))),
    "reason-phrase": lambda: with_body(clean_body(), "OK\x1b]0;owned\x07\u202e"),
    "identity": lambda: with_body(in_place_of_the_ltkm(b64encode(MESSAGE.replace(b"bmsc.home1", b"bm\xff\x1b[2J.ho")))),
    "response-code": lambda: with_body(clean_body().replace(b"200 OK", "200 \u202eKO\u009b2J".encode())),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gives_printable_lines(tmp_path: Path, name: str) -> None:
    file = save(tmp_path / "hostile.flow", [HOSTILE[name](), CLEAN])
    for form in ("text", "jsonl"):
        done = run("check", "--format", form, file)
        assert done.returncode in (0, 3)
        assert done.stderr == b""
        assert all(line.isprintable() for line in lines(done.stdout))
    assert kinds(done.stdout) == ["run", "exchange", "exchange", "session", "summary"]


# decode


def test_a_message_decodes_to_the_same_object_from_every_form(tmp_path: Path) -> None:
    files = {"raw": MESSAGE, "hex": MESSAGE.hex().encode(), "base64": b64encode(MESSAGE) + b"\n"}
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    typed = [b64encode(MESSAGE).decode(), MESSAGE.hex(), *(str(tmp_path / name) for name in files)]
    done = run("decode", "--format", "jsonl", *typed)
    found = objects(done.stdout)
    assert len(found) == 5
    for each in found:
        assert {**each, "source": ""} == {**found[0], "source": ""}
    assert found[0]["error"] is None
    assert found[0]["trailing"] == ""
    assert [payload["name"] for payload in found[0]["payloads"]][-1] == "KEMAC"
    assert done.returncode == 0


@pytest.mark.parametrize("octets", [MESSAGE, b64encode(MESSAGE), MESSAGE.hex().encode() + b"\r\n"])
def test_standard_input_may_be_any_form(octets: bytes) -> None:
    (found,) = objects(run("decode", "--format", "jsonl", "-", given=octets).stdout)
    assert found["length"] == len(MESSAGE)
    assert found["error"] is None


def test_one_message_a_line_gives_one_object_a_line_in_that_order_and_3_where_one_does_not_decode() -> None:
    given = b"\n".join([b64encode(MESSAGE), b"nonsense!", b64encode(MESSAGE[:50]), MESSAGE.hex().encode()])
    done = run("decode", "--format", "jsonl", "-", given=given)
    found = objects(done.stdout)
    assert [each["source"] for each in found] == [f"standard input, line {number}" for number in (1, 2, 3, 4)]
    assert [each["error"] is None for each in found] == [True, False, False, True]
    assert found[1]["length"] is None
    assert found[2]["length"] == 50
    assert found[2]["error"]["offset"] <= 50
    assert found[2]["trailing"]
    assert done.returncode == 3


def test_a_message_is_printed_as_soon_as_its_line_came() -> None:
    process = subprocess.Popen(
        [*COMMAND, "decode", "--format", "jsonl", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b64encode(MESSAGE) + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["length"] == len(MESSAGE)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_text_form_is_a_tree() -> None:
    found = lines(run("decode", MESSAGE.hex()).stdout)
    assert found[0] == f"argument 1: {len(MESSAGE)} octets"
    assert any(line.endswith(f"]: {FIRST.rand.hex()}") for line in found)


@pytest.mark.parametrize("given", [b"", b"\n\n"])
def test_no_message_at_all_is_said_and_4(given: bytes) -> None:
    done = run("decode", "-", given=given)
    assert lines(done.stderr) == [
        "ltkm-inspect: no LTKM in the input; expected an LTKM element in XML, or UDP port 2269 in a packet capture"
    ]
    assert done.returncode == 4


def test_a_missing_file_of_messages_is_1_alone_and_5_beside_others(tmp_path: Path) -> None:
    alone = run("decode", tmp_path / "missing.bin")
    assert lines(alone.stderr) == [f"ltkm-inspect: {tmp_path}/missing.bin: No such file or directory"]
    assert alone.returncode == 1
    assert run("decode", tmp_path / "missing.bin", MESSAGE.hex()).returncode == 5


@pytest.mark.parametrize("argument", ["", "0100", "zzz!", "\x1b[2J", "01" * 300])
def test_what_does_not_decode_is_3_and_safe_to_print(argument: str) -> None:
    for form in ("text", "jsonl"):
        done = run("decode", "--format", form, "--", argument)
        assert done.returncode == 3
        assert all(line.isprintable() for line in lines(done.stdout))


def test_base64_of_many_octets_takes_linear_time() -> None:
    def decode(size: int) -> None:
        octets = MESSAGE + bytes(size)
        done = run("decode", "--format", "jsonl", "-", given=b64encode(octets))
        assert objects(done.stdout)[0]["length"] == len(octets)
        assert done.returncode == 3

    assert grows_as_its_input(decode, 250_000)


def test_a_reader_of_decode_that_goes_away_ends_it() -> None:
    done = run_shell(f"yes {MESSAGE.hex()} | {{command}} decode --format jsonl - | head -1")
    assert len(objects(done.stdout)) == 1
    assert b"Traceback" not in done.stderr


# rules, explain, addon, --version


def test_rules_are_listed_as_text_and_as_json() -> None:
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert {each["id"] for each in listed} == set(RULES)
    assert "  violation ltkm-missing: " in run("rules").stdout.decode()


def test_a_rule_is_explained_with_an_example() -> None:
    done = run("explain", "ltkm-missing")
    assert lines(done.stdout)[0] == "# ltkm-missing"
    assert "    violation ltkm-missing: " in done.stdout.decode()
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["rule-crashed", "not-checked-in-full"])
def test_the_findings_of_the_engine_itself_are_explained(name: str) -> None:
    assert run("explain", name).stdout.decode().startswith(f"# {name}\n")


def test_an_unknown_rule_is_2_and_a_guess() -> None:
    done = run("explain", "ltkm-mising")
    assert lines(done.stderr)[-1] == "Error: unknown rule or fault ltkm-mising; did you mean ltkm-missing?"
    assert done.returncode == 2
    assert b"\x1b" not in run("explain", "\x1b[2J").stderr


def test_the_path_of_the_addon_script_is_printed() -> None:
    (path,) = lines(run("addon").stdout)
    assert Path(path).is_file()
    assert Path(path).name == "ltkm.py"


def test_the_version_is_printed() -> None:
    assert lines(run("--version").stdout) == [f"ltkm-inspect {__version__}"]


@pytest.mark.parametrize("words", ["check", "diff A", "export csv", "fault drop-ltkm", "keys check", "report"])
def test_an_empty_name_is_no_folder_at_hand(words: str) -> None:
    done = CliRunner().invoke(commands, [*words.split(), ""])
    assert done.exit_code == 2
    assert "expected the name of a file, got nothing" in done.output


def test_a_word_that_is_neither_message_nor_file_is_said_to_be_neither() -> None:
    done = CliRunner().invoke(commands, ["decode", "missing"])
    assert done.exit_code == 3
    assert done.output.endswith("got missing, and no file has that name\n")


@pytest.mark.parametrize("arguments", [[], ["chek"], ["check"], ["decode"], ["explain"]])
def test_an_incomplete_command_is_2(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["", "check", "decode", "rules", "explain", "addon"])
def test_every_command_has_help(command: str) -> None:
    done = run(*command.split(), "-h")
    assert done.stdout.startswith(b"Usage: ltkm-inspect ")
    assert done.returncode == 0


# start-up

LIGHT = {
    "--version": ["--version"],
    "addon": ["addon"],
    "decode": ["decode", MESSAGE.hex()],
    "explain": ["explain", "ltkm-missing"],
    "faults": ["faults"],
    "rules": ["rules"],
}


@pytest.mark.parametrize("command", LIGHT)
def test_a_command_that_needs_no_proxy_imports_none(command: str) -> None:
    found = imported(*LIGHT[command])
    assert "ltkm_inspect.cli" in found
    assert not {name for name in found if name.partition(".")[0] == "mitmproxy" or name == "ltkm_inspect.proxy"}


@pytest.mark.parametrize("command", ["--version", "addon", "decode"])
def test_a_command_that_knows_no_exchange_imports_no_parser_and_no_catalogue(command: str) -> None:
    assert not imported(*LIGHT[command]) & {"lxml.etree", "ltkm_inspect.traffic", "ltkm_inspect.catalogue"}
