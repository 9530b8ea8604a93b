"""UDP flows in mitmproxy: their datagrams are judged one by one, marked on the flow, and shown in the content view."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mitmproxy import contentviews, exceptions, udp
from mitmproxy.addons.view import View
from mitmproxy.eventsequence import iterate
from mitmproxy.io import FlowWriter
from mitmproxy.test import taddons, tflow

from ltkm_inspect import reference
from ltkm_inspect.cli.program import commands
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.mitm.marking import FINDINGS, RULES, VERDICT
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.reference import AGAIN, FIRST
from tests.datagrams import ERROR, PUSH, STKM, VERIFICATION, push, udp_flow
from tests.proxy.parts import Mitmdump


class Stage:
    """The addon in mitmproxy's own test tools."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.addon = LtkmInspect()
        context.master.addons.add(self.addon)
        context.configure(self.addon, ltkm_strict=False)

    def play(self, flow: udp.UDPFlow) -> None:
        """Run every hook that a loaded flow fires."""
        for event in iterate(flow):
            self.context.master.addons.trigger(event)


@pytest.fixture
def stage(caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    caplog.set_level(logging.INFO)
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        stage = Stage(context)
        yield stage
        stage.addon.done()


def pushed() -> udp.UDPFlow:
    return udp_flow(
        (True, push(v=True), 0),
        (False, VERIFICATION, 1),
        (True, push(AGAIN)[:-5], 2),
        (True, b"\2" + push(AGAIN)[1:], 3),
    )


def test_the_flow_says_what_is_wrong_in_which_message(stage: Stage) -> None:
    flow = pushed()
    flow.comment = "lab 3"
    stage.play(flow)
    assert flow.comment == "lab 3 [length-overrun, version-unsupported; ltkm: violation]"
    assert flow.marked == ":red_circle:"
    assert flow.metadata[VERDICT] == "violation"
    assert flow.metadata[RULES] == ["length-overrun", "version-unsupported"]
    first, second = flow.metadata[FINDINGS]
    assert first.startswith("message 3: violation length-overrun: LTKM 1, KEMAC.mac")
    assert second.startswith("message 4: violation version-unsupported: LTKM 1, HDR.version")
    assert stage.addon.summary.datagrams == {"push": 2, "verification": 1, "other": 1}
    assert stage.addon.summary.others == 0


def test_a_clean_flow_has_only_its_verdict(stage: Stage) -> None:
    clean, foreign = (
        udp_flow((True, push(v=True), 0), (False, VERIFICATION, 1)),
        udp_flow((True, STKM, 0), (True, STKM, 1)),
    )
    for flow, verdict in ((clean, "clean"), (foreign, "unchecked")):
        stage.play(flow)
        assert (flow.comment, flow.marked) == ("", "")
        assert flow.metadata == {VERDICT: verdict}


def test_many_findings_are_counted_and_the_first_are_listed(stage: Stage) -> None:
    flow = udp_flow(*[(True, push(FIRST)[:-5] + bytes((number,)), number) for number in range(60)])
    stage.play(flow)
    lines = flow.metadata[FINDINGS]
    assert len(lines) == 51
    assert lines[-1] == "and 10 more"


def test_a_flow_that_is_checked_again_says_the_same(stage: Stage) -> None:
    flow = pushed()
    stage.play(flow)
    before = flow.comment, flow.marked, dict(flow.metadata)
    stage.addon.check([flow, tflow.tudpflow()])
    assert (flow.comment, flow.marked, flow.metadata) == before
    assert stage.addon.summary.datagrams.total() == 4  # a command counts nothing
    rows = [[str(cell) for cell in row[1:3]] for row in stage.addon.findings([flow])[1:]]
    assert [row for row in rows if not row[0].startswith("note ")] == [
        ["violation length-overrun", "LTKM 1, KEMAC.mac"],
        ["violation version-unsupported", "LTKM 1, HDR.version"],
    ]


def test_a_loaded_flow_loses_what_an_earlier_run_wrote(stage: Stage) -> None:
    flow = pushed()
    flow.comment = "[mac-invalid; ltkm: violation]"
    flow.metadata = {RULES: ["mac-invalid"], FINDINGS: ["old"], VERDICT: "violation"}
    stage.play(flow)
    assert flow.comment == "[length-overrun, version-unsupported; ltkm: violation]"
    assert flow.metadata[RULES] == ["length-overrun", "version-unsupported"]


@pytest.mark.parametrize("error", [False, True])
def test_foreign_flows_are_counted_once(stage: Stage, error: bool) -> None:
    flow = tflow.tudpflow(err=error)
    before = flow.comment, flow.marked, dict(flow.metadata)
    stage.play(flow)
    assert (flow.comment, flow.marked, flow.metadata) == before
    assert (stage.addon.summary.events, stage.addon.summary.others) == (0, 1)


def test_a_flow_that_has_not_ended_is_counted_at_the_end(stage: Stage) -> None:
    foreign, ours = tflow.tudpflow(), pushed()
    for flow in (foreign, ours):
        stage.addon.udp_start(flow)
        stage.addon.udp_message(flow)
    stage.addon.done()
    assert (stage.addon.summary.others, stage.addon.summary.datagrams.total()) == (1, 1)


def test_a_flow_with_fields_of_another_type_is_a_finding(stage: Stage) -> None:
    flow = pushed()
    flow.messages[1].content = "text"
    stage.play(flow)
    assert stage.addon.summary.crashed
    assert stage.addon.summary.datagrams.total() == 4


def shown(flow: udp.UDPFlow, index: int) -> contentviews.ContentviewResult:
    return contentviews.prettify_message(flow.messages[index], flow)


def test_the_view_shows_the_message_of_a_datagram_with_what_is_wrong(stage: Stage) -> None:
    flow = pushed()
    stage.play(flow)
    result = shown(flow, 2)
    assert result.view_name == "LTKM"
    lines = result.text.splitlines()
    assert lines[0].startswith("# #1.3 08:00:02.000Z MTIzNDU2..Q1Ng UDP push ")
    assert lines[1] == "message: # 161 octets"
    assert any(line.strip().startswith("# violation length-overrun: KEMAC.mac") for line in lines)
    assert "    v: 0" in lines
    assert lines[-2] == "  findings: 1"


@pytest.mark.parametrize("octets", [VERIFICATION, ERROR, STKM])
def test_the_view_shows_the_other_kinds_too(stage: Stage, octets: bytes) -> None:
    flow = udp_flow((True, octets, 0))
    stage.play(flow)
    result = shown(flow, 0)
    assert result.view_name == "LTKM"
    assert "UDP " in result.text.splitlines()[0]


def test_the_view_leaves_foreign_messages_alone(stage: Stage) -> None:
    assert shown(tflow.tudpflow(), 0).view_name != "LTKM"
    odd = pushed()
    odd.messages[0].timestamp = "then"
    assert shown(odd, 0).view_name != "LTKM"


def test_the_view_refuses_to_edit_a_datagram(stage: Stage) -> None:
    flow = pushed()
    text = shown(flow, 0).text
    with pytest.raises(exceptions.CommandError, match="a datagram cannot be edited"):
        contentviews.reencode_message(text + "x: 1\n", flow.messages[0], flow, "LTKM")


def test_faults_are_put_into_datagrams_by_a_command_and_taken_back(stage: Stage) -> None:
    stage.context.master.addons.add(View())
    flow = udp_flow((True, PUSH, 0), (False, VERIFICATION, 1), (True, push(AGAIN), 2))
    stage.play(flow)
    call = stage.context.master.commands.call
    call("ltkm.fault", [flow], "shorten-rand")
    assert flow.messages[0].content != PUSH
    assert flow.messages[1].content == VERIFICATION
    assert flow.comment == "[shorten-rand; ltkm: fault] [rand-length-wrong, rand-changed; ltkm: violation]"
    assert flow.marked == ":wrench:"
    call("ltkm.revert", [flow])
    assert flow.messages[0].content == PUSH


def test_loaded_flows_say_what_check_says(tmp_path: Path, mitmdump: Mitmdump) -> None:
    path = tmp_path / "both.flow"
    with path.open("wb") as file:
        writer = FlowWriter(file)  # type: ignore[no-untyped-call]
        for each in (*map(flow_of, reference.reference("renewal")), pushed(), tflow.tudpflow()):
            writer.add(each)
    out = tmp_path / "run.jsonl"
    run = mitmdump("-nr", path, "--set", f"ltkm_report=jsonl={out}")
    checked = CliRunner().invoke(commands, ["check", str(path)]).stdout.splitlines()
    assert [line for line in run.log if line.startswith(("#", "  ", "summary"))] == checked
    theirs = CliRunner().invoke(commands, ["check", "--format", "jsonl", str(path)]).stdout.splitlines()
    ours = [json.loads(line) for line in out.read_text().splitlines()]
    expected = [{**json.loads(line), "file": None} for line in theirs if '"ltkm-inspect/datagram/1"' in line]
    assert [each for each in ours if each["schema"] == "ltkm-inspect/datagram/1"] == expected
    assert len(expected) == 4
