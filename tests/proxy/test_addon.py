"""The addon inside mitmproxy, without a process of its own: what it logs, counts and writes on flows."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions, http
from mitmproxy.addons.view import View
from mitmproxy.eventsequence import iterate
from mitmproxy.test import taddons, tflow

from ltkm_inspect.engine import inspect
from ltkm_inspect.inspecting import inspection
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.proxy import addon as addon_module
from ltkm_inspect.proxy import guard, inspector
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.exit_status import ExitStatus
from ltkm_inspect.report import stream, text
from ltkm_inspect.traffic import Headers
from tests.proxy.parts import clean, flawed


class Stage:
    """An addon on the stage of mitmproxy's own test tools."""

    def __init__(self, context: Any) -> None:
        """Load an addon into a context."""
        self.context = context
        self.addon = LtkmInspect()
        context.master.addons.add(self.addon)
        context.configure(self.addon, ltkm_strict=False)

    def play(self, flow: http.HTTPFlow) -> None:
        """Run every hook that a loaded flow fires."""
        for event in iterate(flow):
            self.context.master.addons.trigger(event)

    def set(self, **options: Any) -> None:
        """Change options while running."""
        self.context.options.update(**options)


@pytest.fixture
def stage(caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    """A stage, with everything from INFO on kept."""
    caplog.set_level(logging.INFO)
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        stage = Stage(context)
        yield stage
        stage.addon.done()


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what the addon logged."""
    names = (addon_module.__name__, guard.__name__, inspector.__name__)
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name in names]


def test_a_broken_exchange_is_a_warning_and_its_flow_is_marked(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(flawed())
    caplog.clear()
    stage.play(flow)
    assert logged(caplog) == [("WARNING", line) for line in text.lines(replace(inspect(flawed()), number=1))]
    assert flow.marked == ":red_circle:"
    assert flow.comment.startswith("[ltkm-missing")


def test_a_clean_exchange_is_information(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(clean())
    caplog.clear()
    stage.play(flow)
    assert logged(caplog) == [("INFO", line) for line in text.lines(replace(inspect(clean()), number=1))]
    assert (flow.marked, flow.comment) == ("", "")


def test_other_traffic_is_counted_and_left_alone(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    flow = tflow.tflow(resp=True)
    before = flow.get_state()
    caplog.clear()
    stage.play(flow)
    assert logged(caplog) == []
    assert flow.get_state() == before
    assert (stage.addon.summary.exchanges, stage.addon.summary.others) == (0, 1)


@pytest.mark.parametrize("make", [lambda: flow_of(clean()), lambda: tflow.tflow(resp=True)], ids=["msk", "other"])
def test_a_flow_with_response_and_error_is_counted_once(stage: Stage, make: Any) -> None:
    flow = make()
    flow.error = tflow.terr()
    stage.play(flow)
    summary = stage.addon.summary
    assert summary.exchanges + summary.others == 1


def test_an_exchange_without_a_response_is_counted(stage: Stage) -> None:
    stage.play(flow_of(replace(clean(), response=None, error="server gone")))
    assert stage.addon.summary.exchanges == 1


def test_a_dropped_response_is_inspected_by_the_error_hook(stage: Stage) -> None:
    flow = flow_of(replace(clean(), error="server gone"))
    assert flow.response is not None
    flow.response.raw_content = None
    stage.addon.error(flow)
    stage.addon.error(flow)
    assert stage.addon.summary.exchanges == 1


def test_a_flow_that_is_seen_again_is_checked_again(stage: Stage) -> None:
    flow = flow_of(flawed())
    stage.play(flow)
    flow.response = flow_of(clean("several-keys")).response
    stage.play(flow)
    assert stage.addon.summary.exchanges == 2
    assert (flow.marked, flow.comment) == ("", "")


def test_a_streamed_body_is_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.raw_content = None
    caplog.clear()
    stage.play(flow)
    assert [line for level, line in logged(caplog) if level == "WARNING" and "was streamed" in line]


def test_a_mistake_of_ours_is_one_line(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("a \x1b[31mmistake")

    monkeypatch.setattr(inspection, "judge", crash)
    caplog.clear()
    stage.play(flow_of(clean()))
    ((level, line),) = logged(caplog)
    assert (level, line.rpartition(":")[0]) == ("WARNING", "ltkm: response failed: RuntimeError at inspection.py")


def test_the_summary_comes_at_the_end(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.play(flow_of(flawed()))
    stage.play(tflow.tflow(resp=True))
    caplog.clear()
    stage.addon.done()
    assert [line for _, line in logged(caplog)] == stage.addon.summary.lines()
    assert "1 other flow ignored" in logged(caplog)[0][1]


def test_a_wrong_option_while_running_is_refused_and_rolled_back(stage: Stage) -> None:
    with pytest.raises(exceptions.OptionsError, match="ltkm_expect: expected auto"):
        stage.set(ltkm_expect="sometimes")
    assert stage.context.options.ltkm_expect == "auto"
    stage.play(flow_of(clean()))
    assert stage.addon.summary.exchanges == 1


def kinds(path: Path) -> list[str]:
    return [json.loads(line)["schema"].split("/")[1] for line in path.read_text("ascii").splitlines()]


def test_a_report_that_cannot_be_written_is_refused_and_the_old_one_goes_on(stage: Stage, tmp_path: Path) -> None:
    stage.set(ltkm_report=[str(tmp_path / "a.jsonl")])
    with pytest.raises(exceptions.OptionsError, match="ltkm_report: cannot write"):
        stage.set(ltkm_report=[str(tmp_path / "b.jsonl"), str(tmp_path / "no" / "c.jsonl")])
    stage.play(flow_of(clean()))
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2


def test_a_report_is_on_disk_before_the_next_exchange(stage: Stage, tmp_path: Path) -> None:
    stage.set(ltkm_report=[f"jsonl={tmp_path / 'r.jsonl'}"])
    stage.play(flow_of(flawed()))
    _, line = (tmp_path / "r.jsonl").read_text("ascii").splitlines()
    assert json.loads(line)["verdict"] == "violation"


def test_a_report_is_continued_where_it_is_asked_for_again(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("from an earlier run\n")
    for reports in ([str(path)], [], [str(path)]):
        stage.set(ltkm_report=reports)
        stage.play(flow_of(clean()))
    assert kinds(path) == ["run", "exchange", "summary", "run", "exchange"]


def test_each_file_of_a_report_counts_its_own_exchanges(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter("abbbcc")
    monkeypatch.setattr(stream, "_second", count().__next__)
    monkeypatch.setattr(stream, "filled", lambda target: tmp_path / f"{next(names)}.jsonl")
    stage.set(ltkm_report=["%H.jsonl"])
    for exchange in (flawed(), clean(), clean(), clean()):  # the last one begins c
        stage.play(flow_of(exchange))
    stage.addon.done()
    files = [tmp_path / f"{name}.jsonl" for name in "abc"]
    assert [kinds(path) for path in files] == [
        ["run", "summary"],
        ["run", "exchange", "exchange", "exchange", "summary"],
        ["run", "exchange", "session", "summary"],
    ]
    ends = [json.loads(path.read_text().splitlines()[-1]) for path in files]
    assert [end["exchanges"] for end in ends] == [0, 3, 1]
    broken = [{finding["rule"] for finding in end["findings"]} for end in ends]
    assert "ltkm-missing" in broken[1] - broken[2]
    assert "ltkm-replayed" in broken[2], "the rules know what is in the files before"


def test_a_report_that_fails_is_given_up_with_one_line(
    stage: Stage, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    stage.set(ltkm_report=[f"jsonl={pipe}"])
    os.close(reader)
    caplog.clear()
    stage.play(flow_of(clean()))
    stage.play(flow_of(clean()))
    warnings = [line for level, line in logged(caplog) if level == "WARNING"]
    assert warnings == [f"ltkm: report {pipe}: Broken pipe; nothing more is written to it"]
    assert stage.addon.summary.exchanges == 2


def test_the_command_checks_flows_that_no_hook_saw(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    view = View()
    stage.context.master.addons.add(view)
    flows = [flow_of(flawed()), flow_of(clean("two-terminals")), tflow.tflow(resp=True), tflow.tdnsflow()]
    caplog.clear()
    stage.context.master.commands.call("ltkm.check", flows)
    assert [bool(flow.marked) for flow in flows] == [True, False, False, False]
    assert ("INFO", "ltkm: checked 2 MSK exchanges in 4 flows") in logged(caplog)
    assert stage.addon.summary.exchanges == 0


def test_the_command_shows_findings_as_a_table(stage: Stage) -> None:
    table = stage.context.master.commands.call("ltkm.findings", [flow_of(flawed()), tflow.tflow(resp=True)])
    report = inspect(flawed())
    assert table[0] == ["flow", "rule", "place", "what"]
    assert [row[1] for row in table[1:]] == [
        f"{each.level.word} {each.rule}" for each in (*report.findings, *report.notes)
    ]


def test_the_exit_status_is_for_mitmdump_alone(stage: Stage) -> None:
    stage.addon.running()
    assert stage.context.master.addons.get(ExitStatus.name) is None


def test_only_a_reverse_proxy_that_rewrites_host_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for keep, warned in ((False, True), (True, False)):
        caplog.clear()
        with taddons.context() as context:  # type: ignore[no-untyped-call]
            context.options.add_option("keep_host_header", bool, False, "")
            context.options.update(mode=["reverse:http://127.0.0.1:9"], keep_host_header=keep)
            Stage(context).addon.done()
        assert any("keep_host_header=true" in line for _, line in logged(caplog)) is warned


def test_host_of_a_loaded_flow_is_the_upstream_in_reverse_mode(stage: Stage) -> None:
    stage.set(mode=["reverse:http://127.0.0.1:9"])
    flow = flow_of(clean())
    flow.live = False
    assert stage.addon.inspector.host_rewritten(flow) is True
    stage.set(mode=["regular"])
    assert stage.addon.inspector.host_rewritten(flow) is None
    assert exchange_of(flow, host_rewritten=True).host_rewritten


def test_a_register_exchange_is_msk_only_with_an_ltkm(stage: Stage) -> None:
    register = "/keymanagement?requesttype=register"
    for exchange, counted in ((clean("plain-mbms"), 0), (clean(), 1)):
        response = exchange.response
        assert response is not None
        headers = response.headers.put("Content-Type", "application/mbms-register-response+xml")
        flow = flow_of(
            replace(
                exchange,
                request=replace(exchange.request, target=register, headers=Headers()),
                response=replace(response, headers=headers),
            )
        )
        before = stage.addon.summary.exchanges
        stage.play(flow)
        assert stage.addon.summary.exchanges - before == counted


def test_a_script_that_is_loaded_again_goes_on(stage: Stage, tmp_path: Path) -> None:
    stage.set(ltkm_report=[str(tmp_path / "r.jsonl")])
    stage.play(flow_of(clean()))
    stage.context.master.addons.remove(stage.addon)
    stage.context.master.addons.add(stage.addon)
    stage.context.configure(stage.addon, ltkm_strict=False)
    stage.play(flow_of(clean()))
    assert kinds(tmp_path / "r.jsonl") == ["run", "exchange", "session", "summary", "run", "exchange"]
    assert stage.addon.summary.exchanges == 2
