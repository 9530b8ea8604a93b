"""Datagrams on the command line: what each command makes of the UDP flows in a flow file."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from mitmproxy import flow, udp
from mitmproxy.io import FlowReader, FlowWriter

from ltkm_inspect import reference
from ltkm_inspect.capture import DATAGRAM_FAULTS, FAULT
from ltkm_inspect.cli.program import commands
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import AGAIN, FIRST, OTHER_TERMINAL
from ltkm_inspect.report.reading import schema_text
from tests.datagrams import BSM, ERROR, PUSH, STKM, TERMINAL, pull, push, udp_flow

THIRD = replace(FIRST, counter=0x2C, csb_id=0x5A17C0E1)
MORE = replace(FIRST, counter=0x2D, csb_id=0x5A17C0E2)
ANSWER = reference.verification(reference.push(THIRD, v=True)).encode()
PUSHED = udp_flow(
    (True, push(THIRD, v=True), 4000), (False, ANSWER, 4001), (True, pull(MORE), 4002), (True, STKM, 4003)
)
NAT = udp_flow(
    (False, push(AGAIN, OTHER_TERMINAL)[:-5], 60),
    (True, ERROR, 61),
    client="203.0.113.7:40123",
    server=BSM,
    id="ab" * 16,
)
DNS = udp_flow(
    (True, b"\x12\x34\1\0\0\1" + bytes(6), 0), client="203.0.113.7:999", server="192.0.2.53:53", id="cd" * 16
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, [str(each) for each in arguments])


def save(path: Path, *flows: flow.Flow) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)  # type: ignore[no-untyped-call]
        for each in flows:
            writer.add(each)
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture with both paths: two exchanges, pushes to two terminals, and foreign traffic."""
    exchanges = [flow_of(each) for each in reference.reference("renewal")]
    return save(tmp_path / "both.flow", *exchanges, PUSHED, DNS, NAT)


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        "".join(
            f'[[subscribers]]\nb_tid = "{each.b_tid}"\nnaf = "{each.server}"\nmuk = "{each.muk.hex()}"\n'
            for each in (reference.TERMINAL, OTHER_TERMINAL)
        )
    )
    return path


def records(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def sent(output: str) -> list[dict[str, Any]]:
    return [record for record in records(output) if record["schema"] == "ltkm-inspect/datagram/1"]


def test_check_names_each_datagram_and_counts_them_by_kind(capture: Path) -> None:
    lines = run("check", capture).stdout.splitlines()
    headings = [line for line in lines if " UDP " in line]
    assert headings == [
        f"#3.1 09:06:40.000Z MTIzNDU2..Q1Ng UDP push {BSM} -> {TERMINAL}: 1 LTKM: clean",
        f"#3.2 09:06:41.000Z MTIzNDU2..Q1Ng UDP verification message {TERMINAL} -> {BSM}: clean",
        f"#3.3 09:06:42.000Z MTIzNDU2..Q1Ng UDP solicited pull {BSM} -> {TERMINAL}: 1 LTKM: clean",
        f"#3.4 09:06:43.000Z - UDP STKM {BSM} -> {TERMINAL}: unchecked",
        f"#5.1 08:01:00.000Z QUJDREVG..5PUA UDP push {BSM} -> 203.0.113.7:40123: 1 LTKM: violation",
        f"#5.2 08:01:01.000Z MTIzNDU2..Q1Ng UDP error message 203.0.113.7:40123 -> {BSM}: clean",
    ]
    summary = [line for line in lines if line.startswith("summary: ")]
    assert "2 MSK exchanges and 6 datagrams (6 clean, 0 with warnings, 1 with violations, 1 unchecked)" in summary[0]
    assert summary[0].endswith("1 other flow ignored")
    assert summary[1] == (
        "summary: datagrams: 2 pushes, 1 solicited pull, 1 verification message, 1 error message, 1 STKM"
    )


@pytest.mark.parametrize(("octets", "code"), [(PUSH, 0), (PUSH[:-5], 3), (STKM, 4), (b"garbage at this port", 4)])
def test_the_exit_code_says_whether_something_was_checked(octets: bytes, code: int, tmp_path: Path) -> None:
    found = run("check", save(tmp_path / "a.flow", udp_flow((True, octets, 0))))
    assert found.exit_code == code, found.output
    assert "1 datagram (" in found.stdout


def test_a_capture_of_foreign_traffic_has_nothing_to_check(tmp_path: Path) -> None:
    found = run("check", save(tmp_path / "a.flow", DNS))
    assert found.exit_code == 4
    assert "1 other flow ignored" in found.stdout


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("keys", [False, True])
def test_the_record_follows_its_schema(capture: Path, ring: Path, keys: bool, redact: bool) -> None:
    schema = json.loads(schema_text())
    wanted = {**schema["$defs"]["datagram"], "$defs": schema["$defs"]}
    flags: list[str | Path] = ["--keys", ring] if keys else []
    flags += ["--redact"] if redact else []
    found = sent(run("check", "--format", "jsonl", *flags, capture).stdout)
    assert len(found) == 6
    for record in found:
        assert [error.message for error in Draft202012Validator(wanted).iter_errors(record)] == []
    assert [record["kind"] for record in found] == ["push", "verification", "pull", "stkm", "push", "error"]
    assert [record["direction"] for record in found[:2]] == ["to_terminal", "from_terminal"]
    assert [(record["number"], record["place"]) for record in found] == [(3, 1), (3, 2), (3, 3), (3, 4), (5, 1), (5, 2)]
    assert [record["v"] for record in found[:3]] == [True, False, False]


def test_the_keys_open_a_push_as_they_open_a_response(capture: Path, ring: Path) -> None:
    first, *_ = sent(run("check", "--format", "jsonl", "--keys", ring, capture).stdout)
    assert first["message"]["key"]["verdict"] == "valid"
    assert first["message"]["key"]["check_value"]
    assert first["outcomes"]["mac-invalid"]["answer"] == "passed"
    assert first["outcomes"]["key-type-wrong"]["answer"] == "passed"
    assert FIRST.msk.hex() not in json.dumps(first)
    assert "  key LTKM 1: MAC valid" in run("check", "--keys", ring, capture).stdout


def test_no_rule_on_http_is_asked_about_a_datagram(capture: Path) -> None:
    for record in sent(run("check", "--format", "jsonl", capture).stdout):
        reasons = {rule: each["reason"] for rule, each in record["outcomes"].items()}
        for rule in ("transport-plain", "authorization-missing", "status-not-200", "request-repeated"):
            assert reasons[rule] == "a datagram is not an HTTP exchange"
        assert record["outcomes"]["verification-requested"]["answer"] == "not applicable"


def test_both_paths_are_of_one_terminal(capture: Path) -> None:
    *_, session, summary = records(run("check", "--format", "jsonl", capture).stdout)
    counts = {each["terminal"]: each["exchanges"] for each in session["terminals"]}
    assert counts[reference.B_TID] == 6  # two exchanges, and four datagrams with its IDr
    assert counts[OTHER_TERMINAL.b_tid] == 1
    assert summary["exchanges"] == 2
    assert summary["datagrams"]["push"] == 2


def test_redaction_covers_addresses_and_idr(capture: Path) -> None:
    for flags in (["--format", "jsonl"], []):
        shown = run("check", "--redact", *flags, capture).stdout
        for hidden in (reference.B_TID, OTHER_TERMINAL.b_tid, "192.0.2.10", "203.0.113.7", "198.51.100.1"):
            assert hidden not in shown
            assert hidden.encode().hex() not in shown
        assert shown.count("identity-") >= 6
        assert shown.count("address-") >= 12


@pytest.mark.parametrize(
    ("flags", "places"),
    [
        (["--terminal", OTHER_TERMINAL.b_tid], ["5.1"]),
        (["--terminal", "203.0.113.7"], ["5.1", "5.2"]),
        (["--msk", f"{FIRST.key_domain.hex()}/{FIRST.msk_id[:2].hex()}/0000"], ["3.3"]),
        (["--since", "2009-10-28T09:06:42Z"], ["3.3", "3.4"]),
        (["--until", "2009-10-28T08:01:00Z"], ["5.1"]),
    ],
    ids=str,
)
def test_selectors_select_datagrams(capture: Path, flags: list[str], places: list[str]) -> None:
    lines = run("check", *flags, capture).stdout.splitlines()
    assert [found[1] for line in lines if (found := re.match(r"#(\d+\.\d+) ", line))] == places


def test_a_report_is_read_back_as_check_prints_it(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for form in ("text", "concise", "github"):
        checked = run("check", "--format", form, "--report", path, capture)
        assert run("report", "--format", form, path).stdout == checked.stdout


def test_concise_lines_and_commands_name_the_datagram(capture: Path) -> None:
    assert (
        f"{capture}:5.1: violation length-overrun: LTKM 1, KEMAC.mac"
        in run("check", "--format", "concise", capture).stdout
    )
    assert "title=length-overrun (flow 5.1)::#5.1 " in run("check", "--format", "github", capture).stdout


def test_junit_and_sarif_have_the_findings_of_datagrams(capture: Path, tmp_path: Path) -> None:
    run("check", "--report", tmp_path / "a.xml", "--report", tmp_path / "a.sarif", capture)
    failures = [
        case for case in ElementTree.parse(tmp_path / "a.xml").iter("testcase") if case.find("failure") is not None
    ]
    assert [case.get("name") for case in failures] == ["length-overrun"]
    failure = failures[0].find("failure")
    assert failure is not None
    assert failure.get("message") == "1 finding in 7 events"
    results = json.loads((tmp_path / "a.sarif").read_text())["runs"][0]["results"]
    (overrun,) = [each for each in results if each["ruleId"] == "length-overrun"]
    assert "webRequest" not in overrun
    assert overrun["properties"]["exchange"] == f"{NAT.id}.1"


def messages(path: Path) -> Iterator[tuple[udp.UDPFlow, list[bytes]]]:
    with path.open("rb") as file:
        for each in FlowReader(file).stream():
            if isinstance(each, udp.UDPFlow):
                yield each, [message.content for message in each.messages]


def test_a_fault_on_a_message_goes_into_the_datagrams_of_a_recording(capture: Path, ring: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.flow"
    done = run("fault", "shorten-rand", "--keys", ring, capture, out)
    assert done.exit_code == 0, done.output
    assert "#3.1 fault shorten-rand: LTKM 1: replaced octets 0–165 of the message with 158 octets" in done.stdout
    assert "4 of 8 events changed, in 3 of 5 flows (4 could not be changed)" in done.stdout
    (pushed, octets), _, (nat, _) = messages(out)
    before = [message.content for message in PUSHED.messages]
    assert [new != old for new, old in zip(octets, before, strict=True)] == [True, False, True, False]
    assert pushed.metadata[DATAGRAM_FAULTS] == {"1": ["shorten-rand"], "3": ["shorten-rand"]}
    assert pushed.metadata[FAULT] == ["shorten-rand"]
    assert pushed.comment == "[shorten-rand; ltkm: fault]"
    assert FAULT not in nat.metadata  # what does not decode has no RAND
    pushed.revert()  # type: ignore[no-untyped-call]
    assert [message.content for message in pushed.messages] == before
    checked = run("check", "--keys", ring, out)
    assert f"UDP push {BSM} -> {TERMINAL} [fault shorten-rand]: 1 LTKM: violation" in checked.stdout
    assert "4 with faults put in" in checked.stdout


def test_a_fault_on_http_says_that_a_datagram_has_none(tmp_path: Path) -> None:
    path = save(tmp_path / "a.flow", udp_flow((True, PUSH, 0)))
    for fault, what in (("strip-ltkm", "document"), ("replace-status", "exchange")):
        found = run("fault", fault, path, tmp_path / "out.flow")
        assert found.exit_code == 1
        assert f"the datagram has no {what} to damage" in found.output


def test_export_takes_the_ltkms_of_datagrams(capture: Path) -> None:
    found = json.loads(run("export", "json", capture).stdout)
    assert [(each["item"], each["ltkm"]) for each in found[2:]] == [(None, 1)] * 3
    base64 = run("export", "base64", capture).stdout.split()
    assert len(base64) == 5
    assert run("export", "csv", capture).stdout.count("\n") == 6


def test_export_counts_and_writes_packets(capture: Path, tmp_path: Path) -> None:
    done = run("export", "pcap", capture, "-o", tmp_path / "a.pcap")
    assert "5 of 5 LTKMs in 2 MSK exchanges and 6 datagrams written" in done.stdout
    decoded = run("decode", "--format", "jsonl", tmp_path / "a.pcap")
    assert len(decoded.stdout.splitlines()) == 5
    again = run("check", tmp_path / "a.pcap").stdout
    assert f"UDP push {BSM} -> {TERMINAL}: 1 LTKM: clean" in again
    assert f"UDP push {BSM} -> 203.0.113.7:40123: 1 LTKM: violation" in again


def test_diff_compares_datagrams_by_terminal_kind_and_msk(capture: Path, tmp_path: Path) -> None:
    same = run("diff", capture, capture)
    assert same.exit_code == 0
    assert "summary: 8 events in A, 8 in B, 8 in both" in same.stdout
    pushed = save(tmp_path / "b.flow", udp_flow((True, PUSH[:-5], 0), (True, push(AGAIN), 1)))
    differs = run("diff", save(tmp_path / "a.flow", udp_flow((True, PUSH, 0))), pushed)
    assert differs.exit_code == 3
    lines = differs.stdout.splitlines()
    assert lines[0] == f"terminal {reference.B_TID}, push 1 for b8709d/24cb/4400:"
    assert "  + violation length-overrun: LTKM 1, KEMAC.mac: expected 20 octets of mac, got 15" in lines
    assert f"terminal {reference.B_TID}, push 2 for b8709d/24cb/4400:" in lines
    found = json.loads(run("diff", "--format", "json", tmp_path / "a.flow", pushed).stdout)
    assert [each["datagram"] for each in found["steps"]] == ["push", "push"]


def test_several_processes_give_what_one_does(capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltkm_inspect.checking.WORTH", 2)
    monkeypatch.setattr("ltkm_inspect.checking.pieces.STRETCH", 1500)
    one, two = (run("check", "--jobs", jobs, capture).stdout for jobs in ("1", "2"))
    assert one == two
    assert "#5.2 " in one


def test_a_flood_of_what_no_rule_applies_to_is_counted_and_not_listed(tmp_path: Path) -> None:
    stkms = save(tmp_path / "stkms.flow", udp_flow(*((True, STKM, second) for second in range(0, 60, 5))))
    lines = run("check", stkms).stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("#")] == [f"#1.{place}" for place in range(1, 11)]
    assert lines[-1] == "summary: 2 more unchecked datagrams not listed; --format jsonl and reports have all of them"
    numbers = [each.get("number") for each in records(run("check", "--format", "jsonl", stkms).stdout)]
    assert numbers.count(1) == 12
