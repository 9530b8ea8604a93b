"""`ltkm-inspect fault` and `faults`: what a user types, what is printed, what is written, and the exit codes."""

import base64
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.reference import AGAIN, B_TID, FIRST, KEYS, MRK, MUK, OPAQUE, TERMINAL, ltkm, reference
from ltkm_inspect.reference import exchange as made
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange
from tests.command import ROOT, little_room, run, run_shell

catalogue.load()
CLEAN = reference("download")[0]
CHALLENGE, ANSWERED = reference("challenge")
RENEWED = made([FIRST.msk_id], [(FIRST, "200 OK", ltkm(AGAIN))], nc=2, opaque=OPAQUE, at=3600)


def lines(octets: bytes) -> list[str]:
    return octets.decode().splitlines()


def write(path: Path, flows: Sequence[Flow]) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)  # type: ignore[no-untyped-call]
        for flow in flows:
            writer.add(flow)
    return path


def read(path: Path) -> list[Flow]:
    with path.open("rb") as file:
        return [*FlowReader(file).stream()]


def exchange(flow: Flow) -> Exchange:
    assert isinstance(flow, HTTPFlow)
    return exchange_of(flow)


def flows() -> list[Flow]:
    """Return a key, something else, a challenge, something else, and the key once more."""
    return [flow_of(ANSWERED), tflow.tflow(resp=True), flow_of(CHALLENGE), tflow.tdnsflow(), flow_of(RENEWED)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "in.flow", flows())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.flow"


def test_every_exchange_with_something_to_damage_is_damaged_and_all_flows_are_written_in_order(
    source: Path, target: Path
) -> None:
    done = run("fault", "shorten-rand:octets=8", source, target)
    before, after = read(source), read(target)
    assert [flow.id for flow in after] == [flow.id for flow in before]
    assert [after[n].get_state() for n in (1, 2, 3)] == [before[n].get_state() for n in (1, 2, 3)]
    for n in (0, 4):
        assert list(inspect(exchange(after[n])).rules) == ["rand-length-wrong"]
        assert exchange(after[n]).faults == ("shorten-rand:octets=8",)
    said = lines(done.stdout)
    assert [line.partition(": ")[0] for line in said[:2]] == [f"#{n} fault shorten-rand:octets=8" for n in (1, 5)]
    assert all(
        re.search(r": item 1, LTKM 1: replaced octets \d+–\d+ of the body with \d+ octets; body \d+ -> ", line)
        for line in said[:2]
    )
    assert said[2].startswith("unchanged: 1 MSK exchange: fault shorten-rand: ")
    assert said[3:] == ["2 of 5 flows changed (2 were not MSK exchanges, 1 could not be changed)"]
    assert lines(done.stderr) == [
        f"ltkm-inspect: 2 exchanges: {part} not recomputed (no key ring); the terminal will reject it"
        for part in ("MAC", "digest")
    ]
    assert done.returncode == 0


def test_what_was_put_in_is_not_blamed_on_the_server(source: Path, target: Path) -> None:
    assert run("fault", "shorten-rand", source, target).returncode == 0
    done = run("check", target)
    said = lines(done.stdout)
    assert sum(" [fault shorten-rand]: " in line for line in said) == 2
    assert said[-1] == (
        "summary: 2 exchanges with faults put in; findings after the change (2 violations, 0 warnings) do not count"
    )
    assert done.returncode == 0
    _, *objects, _, _ = [json.loads(line) for line in run("check", "--format", "jsonl", target).stdout.splitlines()]
    assert [each["faults"] for each in objects] == [["shorten-rand"], [], ["shorten-rand"]]


def test_a_finding_on_an_exchange_without_a_fault_still_counts(tmp_path: Path, target: Path) -> None:
    assert CLEAN.response is not None
    wrong = replace(CLEAN, id="00000009", response=replace(CLEAN.response, status=202))
    assert run("fault", "shorten-rand", write(tmp_path / "in.flow", [flow_of(CLEAN)]), target).returncode == 0
    mixed = write(tmp_path / "mixed.flow", [*read(target), flow_of(wrong)])
    done = run("check", mixed)
    assert "summary: violation status-not-200: 1" in lines(done.stdout)
    assert done.returncode == 3


def test_what_was_put_in_is_not_held_against_what_comes_later(tmp_path: Path, target: Path) -> None:
    before = write(tmp_path / "in.flow", [flow_of(each) for each in reference("renewal")])
    assert run("fault", "rewind-counter:by=-100", before, target).returncode == 0  # far ahead
    first, second = read(target)
    assert exchange(first).faults == ()  # nothing went before it
    assert exchange(second).faults == ("rewind-counter:by=-100",)
    assert run("check", target).returncode == 0
    grant = replace(AGAIN, counter=AGAIN.counter + 1)
    later = made([FIRST.msk_id], [(FIRST, "200 OK", ltkm(grant))], nc=4, at=7200)
    done = run("check", write(tmp_path / "later.flow", [first, second, flow_of(later)]))
    assert lines(done.stdout)[-1].startswith("summary: 1 exchange with faults put in; ")
    assert done.returncode == 0
    second.revert()  # type: ignore[no-untyped-call]
    assert run("check", write(tmp_path / "later.flow", [first, second, flow_of(later)])).returncode == 0


def test_faults_add_up_over_several_runs(source: Path, target: Path, tmp_path: Path) -> None:
    assert run("fault", "shorten-rand", source, target).returncode == 0
    assert run("fault", "replace-status:status=203", target, tmp_path / "twice.flow").returncode == 0
    first, *_ = read(tmp_path / "twice.flow")
    assert exchange(first).faults == ("shorten-rand", "replace-status:status=203")
    first.revert()  # type: ignore[no-untyped-call]
    assert exchange(first).response == ANSWERED.response


def test_a_har_becomes_a_flow_file(tmp_path: Path, target: Path) -> None:
    har = tmp_path / "trial.har"
    har.write_text(json.dumps(SaveHar().make_har([flow_of(CLEAN), flow_of(CHALLENGE)])))
    done = run("fault", "rename-ltkm", har, target)
    first, second = read(target)
    assert "ltkm-misnamed" in inspect(exchange(first)).rules
    assert exchange(second).faults == ()
    assert done.returncode == 0


def test_a_file_without_an_msk_exchange_is_copied_and_4(tmp_path: Path, target: Path) -> None:
    done = run("fault", "shorten-rand", write(tmp_path / "other.flow", [tflow.tflow(resp=True)]), target)
    assert lines(done.stdout) == ["0 of 1 flow changed (1 was not an MSK exchange)"]
    assert lines(done.stderr) == ["ltkm-inspect: no MSK exchange was seen, so nothing was changed"]
    assert len(read(target)) == 1
    assert done.returncode == 4


def test_where_no_exchange_can_be_damaged_it_says_why_and_is_1(tmp_path: Path, target: Path) -> None:
    target.write_bytes(b"as it was")
    done = run("fault", "shorten-rand", write(tmp_path / "in.flow", [flow_of(CHALLENGE)]), target)
    (line,) = lines(done.stderr)
    assert line.startswith("ltkm-inspect: fault shorten-rand: ")
    assert target.read_bytes() == b"as it was"
    assert done.returncode == 1


def test_of_a_damaged_file_what_was_read_is_written_and_5(source: Path, target: Path) -> None:
    source.write_bytes(source.read_bytes()[:-40])
    done = run("fault", "shorten-rand", source, target)
    assert [exchange(flow).faults for flow in read(target) if isinstance(flow, HTTPFlow)] == [("shorten-rand",), (), ()]
    line, *_ = lines(done.stderr)
    assert line.startswith(f"ltkm-inspect: {source}: the file ends within a flow (after 4 flows, at octet ")
    assert lines(done.stdout)[-1].startswith("1 of 4 flows changed")
    assert done.returncode == 5


def test_what_is_no_flow_file_leaves_the_target_alone_and_is_1(tmp_path: Path, target: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\x00\xff\x1b[2J" * 100)
    target.write_bytes(b"as it was")
    done = run("fault", "shorten-rand", tmp_path / "noise", target)
    assert len(lines(done.stderr)) == 1
    assert target.read_bytes() == b"as it was"
    assert done.returncode == 1


def test_a_missing_input_is_one_line_and_1(tmp_path: Path, target: Path) -> None:
    done = run("fault", "shorten-rand", tmp_path / "none.flow", target)
    assert lines(done.stderr) == [f"ltkm-inspect: {tmp_path}/none.flow: No such file or directory"]
    assert done.stdout == b""
    assert list(tmp_path.iterdir()) == []
    assert done.returncode == 1


@pytest.mark.parametrize("place", ["no/such.flow", "."])
def test_a_target_that_cannot_be_written_is_one_line_and_1(source: Path, tmp_path: Path, place: str) -> None:
    done = run("fault", "shorten-rand", source, tmp_path / place)
    (line,) = lines(done.stderr)
    assert line.startswith(f"ltkm-inspect: {tmp_path / place}: ")
    assert [each.name for each in tmp_path.iterdir()] == ["in.flow"]
    assert done.returncode == 1


@pytest.mark.skipif(not hasattr(os, "link"), reason="the system has no hard links")
@pytest.mark.parametrize("way", ["same", "symlink", "link"])
def test_the_input_is_never_the_target(source: Path, tmp_path: Path, way: str) -> None:
    other = tmp_path / "other.flow"
    if way == "same":
        other = source
    elif way == "symlink":
        other.symlink_to(source)
    else:
        os.link(source, other)
    before = source.read_bytes()
    done = run("fault", "shorten-rand", source, other)
    assert "expected another file than the input" in lines(done.stderr)[-1]
    assert source.read_bytes() == before
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("shorten-ran", "Error: unknown fault shorten-ran; did you mean shorten-rand?"),
        (
            "strip-ltkm,rename-ltkm",
            "Error: unknown fault strip-ltkm,rename-ltkm; expected one fault: "
            "add others with --also, or in mitmproxy by repeating ltkm_fault",
        ),
        (
            "ltkm-missing",
            "Error: unknown fault ltkm-missing, which is a rule; faults that break it: "
            "strip-ltkm, move-ltkm-under-root",
        ),
        (
            "shorten-rand=8",
            "Error: unknown fault shorten-rand=8; parameters follow a colon, with commas between them: "
            "shorten-rand:NAME=VALUE,… (octets=…, item=…, all=…)",
        ),
        (
            "shorten-rand:octets=8:item=2",
            "Error: fault shorten-rand: parameter octets: expected a whole number, got 8:item=2; "
            "separate parameters with commas",
        ),
        (
            "shorten-rand:octet=8",
            "Error: fault shorten-rand: expected octets=…, item=…, all=…, got octet=8; did you mean octets?",
        ),
        ("shorten-rand:octets=x", "Error: fault shorten-rand: parameter octets: expected a whole number, got x"),
        ("shorten-rand:octets=1,octets=2", "Error: fault shorten-rand: parameter octets appears twice"),
        ("\x1b[2J", "Error: unknown fault \\x1b[2J; ltkm-inspect faults lists them"),
    ],
)
def test_a_fault_that_means_nothing_is_2_and_one_line(source: Path, target: Path, fault: str, said: str) -> None:
    done = run("fault", fault, source, target)
    assert lines(done.stderr)[-1] == said
    assert not target.exists()
    assert done.returncode == 2


def test_a_full_disk_leaves_no_half_written_file(source: Path, target: Path) -> None:
    with little_room(4096):
        done = run("fault", "shorten-rand", source, target)
    assert lines(done.stderr)[-1] == f"ltkm-inspect: {target}: File too large"
    assert [each.name for each in target.parent.iterdir()] == ["in.flow"]
    assert done.returncode == 1


def test_a_reader_that_goes_away_does_not_stop_the_writing(tmp_path: Path, target: Path) -> None:
    many = write(tmp_path / "many.flow", [flow_of(replace(CLEAN, id=f"{n:08x}")) for n in range(300)])
    done = run_shell(f"{{command}} fault rename-ltkm {many} {target} | head -1; echo ${{PIPESTATUS[0]}}")
    assert lines(done.stdout)[-1] == "0"
    assert len(read(target)) == 300


def test_faults_are_listed_as_text_and_as_json() -> None:
    assert {each["id"] for each in json.loads(run("faults", "--format", "json").stdout)} == set(FAULTS)
    assert "  shorten-rand: " in run("faults").stdout.decode()


def test_a_fault_is_explained() -> None:
    done = run("explain", "shorten-rand")
    assert lines(done.stdout)[0] == "# shorten-rand"
    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [["fault"], ["fault", "shorten-rand"], ["fault", "shorten-rand", "in.flow"]])
def test_an_incomplete_command_is_2(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["fault", "faults"])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "-h")
    assert done.stdout.startswith(b"Usage: ltkm-inspect ")
    assert done.returncode == 0


KEY = f"{FIRST.key_domain.hex()}/{FIRST.msk_id[:2].hex()}/{FIRST.msk_id[2:].hex()}"


def test_several_faults_are_put_in_in_their_order(source: Path, target: Path) -> None:
    done = run("fault", "shorten-rand:octets=8", source, target, "--also", "rename-ltkm", "--also", "replace-status")
    assert done.returncode == 0
    found = [exchange(flow).faults for flow in read(target) if isinstance(flow, HTTPFlow)]
    assert [each for each in found if each] == [("shorten-rand:octets=8", "rename-ltkm", "replace-status")] * 2


@pytest.mark.parametrize(
    ("selectors", "hit"),
    [
        pytest.param(["--when", "first"], [0], id="first"),
        pytest.param(["--when", "nth=2"], [4], id="second"),
        pytest.param(["--msk", KEY], [0, 4], id="msk"),
        pytest.param(["--filter", "~s"], [0, 4], id="filter"),
        pytest.param(["--terminal", "192.0.2.10", "--terminal", B_TID], [0, 4], id="terminal"),
        pytest.param(["--msk", "ffffff", "--msk", KEY, "--when", "first"], [0], id="several"),
    ],
)
def test_selectors_choose_the_exchanges_that_are_hit(
    source: Path, target: Path, selectors: list[str], hit: list[int]
) -> None:
    done = run("fault", "rename-ltkm", source, target, *selectors)
    assert done.returncode == 0
    after = read(target)
    assert [n for n, flow in enumerate(after) if isinstance(flow, HTTPFlow) and exchange(flow).faults] == hit
    assert lines(done.stdout)[-1].startswith(f"{len(hit)} of 5 flows changed (2 were not MSK exchanges, ")


def test_a_selector_that_never_matches_is_said(source: Path, target: Path) -> None:
    done = run("fault", "rename-ltkm", source, target, "--msk", "ffffff", "--msk", KEY)
    assert lines(done.stderr)[-1] == f"ltkm-inspect: --msk: no MSK exchange matches ffffff; MSKs seen: {KEY}"
    assert done.returncode == 0
    done = run("fault", "rename-ltkm", source, target, "--terminal", "no\x1b[2Jbody")
    assert lines(done.stderr)[0].startswith(
        "ltkm-inspect: --terminal: no MSK exchange matches no\\x1b[2Jbody; terminals seen: "
    )
    assert lines(done.stderr)[-1] == "ltkm-inspect: no MSK exchange is selected"
    assert done.returncode == 1


def test_a_response_that_cannot_be_signed_anew_is_left_where_that_is_wanted(source: Path, target: Path) -> None:
    done = run("fault", "rename-ltkm", source, target, "--unsigned", "refuse")
    assert "the digest cannot be recomputed" in lines(done.stderr)[-1]
    assert not target.exists()
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (["--msk", "12"], "Error: --msk: expected KEYDOMAIN"),
        (["--when", "often"], "Error: --when: expected always, first"),
        (["--filter", "~nonsense ("], "Error: --filter: expected a mitmproxy filter expression"),
        (["--unsigned", "no"], "Error: --unsigned: expected warn or refuse"),
        (["--also", "shorten-rant"], "Error: unknown fault shorten-rant; did you mean shorten-rand?"),
    ],
)
def test_a_selector_that_means_nothing_is_2_and_one_line(
    source: Path, target: Path, selector: list[str], said: str
) -> None:
    done = run("fault", "rename-ltkm", source, target, *selector)
    assert lines(done.stderr)[-1].startswith(said)
    assert not target.exists()
    assert done.returncode == 2


def octets_of(path: Path) -> list[list[bytes | None]]:
    """Return the octets of the LTKMs of every MSK response in a file."""
    documents = [exchange(flow).document for flow in read(path) if isinstance(flow, HTTPFlow)]
    return [[each.octets for each in document.ltkms] for document in documents if document is not None]


def test_an_ltkm_of_a_file_is_put_into_every_item_that_has_one(source: Path, target: Path, tmp_path: Path) -> None:
    given = ltkm(FIRST).encode()
    path = tmp_path / "ltkm.b64"
    path.write_bytes(base64.b64encode(given))
    done = run("fault", f"inject-ltkm:at=second,file={path}", source, target)
    assert done.returncode == 0, done.stderr
    assert octets_of(target) == [[*each, given] for each in octets_of(source)]
    assert [exchange(flow).faults for flow in read(target) if exchange_is_changed(flow)] == [
        (f"inject-ltkm:at=second,file={path}",)
    ] * 2


def exchange_is_changed(flow: Flow) -> bool:
    return isinstance(flow, HTTPFlow) and bool(exchange(flow).faults)


def test_an_ltkm_is_made_with_the_muk_of_the_ring_and_follows_on(source: Path, target: Path, tmp_path: Path) -> None:
    ring, recipe = tmp_path / "ring.toml", tmp_path / "key.toml"
    ring.write_text(f'[[subscribers]]\nb_tid = "{TERMINAL.b_tid}"\nmuk = "{MUK.hex()}"\nmrk = "{MRK.hex()}"\n')
    ring.chmod(0o600)
    recipe.write_text('counter = "continue"\n')
    done = run("fault", "--keys", ring, f"replace-ltkm:synthetic={recipe}", source, target)
    assert (done.returncode, done.stderr) == (0, b"")
    context = Context(keys=KEYS, session=Session())
    for flow in read(target):
        if isinstance(flow, HTTPFlow):
            assert list(inspect(exchange(flow), context).rules) == []
    assert MUK.hex().encode() not in target.read_bytes()


def test_what_is_no_mikey_message_is_said_once_and_sent(source: Path, target: Path) -> None:
    done = run("fault", "replace-ltkm:base64=3q2+7w==", source, target)
    said = [line for line in lines(done.stderr) if "MIKEY" in line]
    assert len(said) == 1
    assert said[0].startswith("ltkm-inspect: fault replace-ltkm: it is not a MIKEY message, but is sent unchanged (")
    assert octets_of(target) == [[b"\xde\xad\xbe\xef"]] * 2
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("inject-ltkm:file=/nope", "Error: fault inject-ltkm: parameter file: /nope: No such file or directory"),
        ("inject-ltkm:base64=!", "Error: fault inject-ltkm: parameter base64: expected base64, got !"),
        (
            "inject-ltkm:base64=AQ==,previous=true",
            "Error: fault inject-ltkm: expected one source, got base64 and previous",
        ),
    ],
)
def test_a_source_that_is_none_is_2_and_one_line(source: Path, target: Path, fault: str, said: str) -> None:
    done = run("fault", fault, source, target)
    assert lines(done.stderr)[-1] == said
    assert not target.exists()
    assert done.returncode == 2


def test_what_was_taken_for_want_of_a_better_one_is_told_with_how_often(source: Path, target: Path) -> None:
    done = run("fault", f"replace-ltkm:flow={ROOT / 'flows/trial.flow'}", source, target)
    assert lines(done.stdout)[-3] == (
        "2 exchanges: fault replace-ltkm: no LTKM of this MSK or for this terminal: used the first one"
    )
    assert done.returncode == 0


def test_a_flow_that_cannot_be_written_is_named_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from ltkm_inspect.cli.program import commands
    from ltkm_inspect.mitm.flow_file import FlowFileWriter
    from tests.test_cli import save as save_exchanges

    original, flows = FlowFileWriter.add, iter(range(1000))

    def add(self: FlowFileWriter, flow: Flow) -> None:
        if next(flows) == 1:
            "\ud800".encode()
        original(self, flow)

    monkeypatch.setattr(FlowFileWriter, "add", add)
    source, target = save_exchanges(tmp_path / "in.flow", [CLEAN, CLEAN, CLEAN]), tmp_path / "out.flow"
    done = CliRunner().invoke(commands, ["fault", "rename-ltkm", str(source), str(target)])
    assert done.exit_code == 5
    assert f"{source}: a flow cannot be written: UnicodeEncodeError at " in done.stderr
    assert target.exists()
