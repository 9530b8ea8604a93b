"""The commands that put faults into flows by name, run as mitmproxy runs them."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions, types
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.test import taddons, tflow

from ltkm_inspect.fault import FAULTS
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.reference import FIRST, ltkm, reference
from tests.proxy.parts import clean, flawed


class Heard:
    """An addon that hears which flows were changed."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self.flows: list[Flow] = []

    def update(self, flows: Sequence[Flow]) -> None:
        """Take note of flows."""
        self.flows += flows


class Stage:
    """The addon with mitmproxy's own command manager."""

    def __init__(self, context: Any) -> None:
        """Load the addon, and one that hears of changes."""
        self.context = context
        self.addon, self.heard = LtkmInspect(), Heard()
        context.master.addons.add(self.addon, self.heard)
        context.configure(self.addon, ltkm_strict=False)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a command with arguments."""
        return self.context.master.commands.call(f"ltkm.{name}", *arguments)

    def refused(self, name: str, *arguments: Any) -> str:
        """Return the one line that a command answers instead of doing something."""
        with pytest.raises(exceptions.CommandError) as caught:
            self.call(name, *arguments)
        text = str(caught.value)
        assert text.isprintable()
        return text


@pytest.fixture
def stage() -> Iterator[Stage]:
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        stage = Stage(context)
        yield stage
        stage.addon.done()


def body(flow: HTTPFlow) -> bytes:
    assert flow.response is not None
    assert flow.response.raw_content is not None
    return flow.response.raw_content


def test_a_fault_is_put_into_a_loaded_flow_and_taken_back(stage: Stage) -> None:
    flow = flow_of(clean())
    flow.comment = "mine"
    before, foreign = body(flow), tflow.tflow(resp=True)
    stage.call("fault", [flow, foreign], "shorten-rand:octets=8", "rename-ltkm")
    assert body(flow) != before
    assert exchange_of(flow).faults == ("shorten-rand:octets=8", "rename-ltkm")
    assert flow.marked == ":wrench:"
    assert flow.comment.startswith("mine [shorten-rand:octets=8, rename-ltkm; ltkm: fault] [")
    assert stage.heard.flows == [flow]
    assert stage.addon.summary.exchanges == 0
    stage.call("revert", [flow, foreign])
    assert (body(flow), flow.comment, flow.marked) == (before, "mine", "")
    assert exchange_of(flow).faults == ()


def test_strip_takes_all_ltkms_or_those_of_one_msk(stage: Stage) -> None:
    flow = flow_of(clean("several-keys"))
    stage.call("strip", [flow])
    exchange = exchange_of(flow)
    assert exchange.document is not None
    assert exchange.document.ltkms == ()
    stage.call("revert", [flow])
    document = exchange_of(flow).document
    assert document is not None
    domain, msk_id = document.items[1].pair or (b"", b"")
    stage.call("strip", [flow], f"{domain.hex()}/{msk_id[:2].hex()}/{msk_id[2:].hex()}")
    document = exchange_of(flow).document
    assert document is not None
    assert [len(item.ltkms) for item in document.items] == [1, 0]


def test_inject_takes_base64_a_file_and_the_previous_ltkm(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "an.ltkm"
    octets = ltkm(FIRST).encode()
    path.write_bytes(octets)
    for source in (b64encode(octets).decode(), str(path), f"file={path}", f"file={path},at=second"):
        flow = flow_of(clean())
        stage.call("inject", [flow], source)
        document = exchange_of(flow).document
        assert document is not None
        assert [each.octets for each in document.ltkms].count(octets) >= 1
        assert len(document.ltkms) == 2
    flows = [flow_of(each) for each in reference("renewal")]
    stage.call("inject", flows, "previous")
    assert [bool(exchange_of(flow).faults) for flow in flows][-1]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        pytest.param("fault", ["shorten-rant"], "did you mean shorten-rand?", id="unknown"),
        pytest.param("fault", ["shorten-rand:octets=many"], "parameter octets", id="parameter"),
        pytest.param("fault", [""], "unknown fault", id="empty"),
        pytest.param("strip", ["xyz"], "KEYDOMAIN", id="msk"),
        pytest.param("strip", ["010203"], "nothing changed", id="other-msk"),
        pytest.param("inject", ["file=/no/such/file"], "/no/such/file", id="file"),
        pytest.param("inject", ["%%%"], "base64", id="base64"),
        pytest.param("revert", [], "no flow has a fault", id="revert"),
    ],
)
def test_a_mistake_is_answered_in_one_line_and_changes_nothing(
    stage: Stage, name: str, arguments: Sequence[str], said: str
) -> None:
    flow = flow_of(flawed())
    before = flow.get_state()
    assert said in stage.refused(name, [flow], *arguments)
    assert flow.get_state() == before
    assert stage.heard.flows == []


def test_flows_that_are_not_msk_are_refused(stage: Stage) -> None:
    assert "no flow is an MSK exchange" in stage.refused(
        "fault", [tflow.tflow(resp=True), tflow.tdnsflow()], "rename-ltkm"
    )


def test_the_table_has_every_fault(stage: Stage) -> None:
    heading, *rows = stage.call("faults")
    assert heading == ["fault", "damages", "takes", "what it does"]
    assert [row[0] for row in rows] == list(FAULTS)


def completions(stage: Stage, name: str, typed: str) -> Sequence[str]:
    """Return how the console completes the argument behind the flows."""
    manager = stage.context.master.commands
    kind = manager.commands[name].parameters[1].type
    found = types.CommandTypes.get(kind)
    assert found is not None
    return found.completion(manager, kind, typed)


def test_faults_and_their_parameters_are_completed(stage: Stage) -> None:
    assert set(completions(stage, "ltkm.fault", "")) == set(FAULTS)
    assert "shorten-rand:octets=8" in completions(stage, "ltkm.fault", "shorten-rand:")
    assert "shorten-rand:octets=2,all=false" in completions(stage, "ltkm.fault", "shorten-rand:octets=2,")


def test_sources_are_completed(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "some.flow").touch()
    assert completions(stage, "ltkm.inject", f"flow={tmp_path}/so") == [f"flow={tmp_path / 'some.flow'}"]
    assert completions(stage, "ltkm.inject", "")[0] == "previous"
