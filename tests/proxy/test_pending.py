"""Law 10: a request that is never answered is an exchange, live, loaded and offline, and other flows count alike."""

import json
import queue
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from mitmproxy import http
from mitmproxy.flow import Error, Flow
from mitmproxy.io import FlowReader
from mitmproxy.test import tflow

from ltkm_inspect.cli.program import commands
from ltkm_inspect.finding import EVENT_CRASHED, Report
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.output.redactor import Redactor
from ltkm_inspect.proxy import pending
from ltkm_inspect.report import text
from ltkm_inspect.report.keys import Keys
from tests.loopback.proxy import reverse
from tests.proxy.parts import PATIENCE, Mitmdump, Save, clean, flawed
from tests.proxy.test_addon import Stage, logged, stage

__all__ = ["stage"]


def unanswered() -> http.HTTPFlow:
    """Return a flow whose request waits for its answer."""
    flow = flow_of(replace(clean(), response=None))
    flow.live = True
    return flow


def counts(stage: Stage) -> tuple[int, int]:
    return stage.addon.summary.exchanges, stage.addon.summary.others


def findings(stage: Stage) -> Counter[str]:
    return Counter({rule: number for (_, rule), number in stage.addon.summary.findings.items()})


def test_a_request_that_waits_is_told_when_the_run_ends_before_the_summary(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    flow = unanswered()
    stage.play(flow)
    assert counts(stage) == (0, 0)
    caplog.clear()
    stage.addon.done()
    lines = [line for _, line in logged(caplog)]
    assert "-> no response" in lines[0]
    assert lines[1].startswith("  warning not-checked-in-full: ")
    assert lines[2].startswith("summary: 1 MSK exchange ")
    assert flow.marked == ":yellow_circle:"


def test_a_request_that_waits_is_told_when_its_connection_ends_and_no_other(stage: Stage) -> None:
    one, other = unanswered(), unanswered()
    stage.play(one)
    stage.play(other)
    stage.addon.client_disconnected(one.client_conn)
    assert counts(stage) == (1, 0)
    stage.addon.client_disconnected(one.client_conn)
    assert counts(stage) == (1, 0)


@pytest.mark.parametrize("late", ["response", "error"])
def test_an_exchange_that_ends_after_it_was_told_is_not_told_twice(stage: Stage, late: str) -> None:
    flow = unanswered()
    stage.play(flow)
    stage.addon.client_disconnected(flow.client_conn)
    if late == "response":
        flow.response = flow_of(clean()).response
        stage.addon.response(flow)
    else:
        flow.error = tflow.terr()
        stage.addon.error(flow)
    stage.addon.done()
    assert counts(stage) == (1, 0)


@pytest.mark.parametrize("late", ["response", "error"])
def test_an_exchange_that_ends_is_told_once(stage: Stage, late: str) -> None:
    flow = unanswered()
    stage.addon.request(flow)
    if late == "response":
        flow.response = flow_of(clean()).response
        stage.addon.response(flow)
    else:
        flow.error = Error(Error.KILLED_MESSAGE)
        stage.addon.error(flow)
    stage.addon.client_disconnected(flow.client_conn)
    stage.addon.done()
    assert counts(stage) == (1, 0)


def test_a_flow_that_is_replayed_without_an_answer_is_told_again(stage: Stage) -> None:
    flow = unanswered()
    for _ in range(2):
        stage.addon.request(flow)
        stage.addon.client_disconnected(flow.client_conn)
    assert counts(stage) == (2, 0)


def test_requests_beyond_the_bound_are_said(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "MOST", 2)
    flows = [unanswered() for _ in range(4)]
    for flow in flows:
        stage.play(flow)
    flows[0].response = flow_of(clean()).response
    stage.addon.response(flows[0])
    stage.addon.done()
    assert counts(stage) == (3, 0)
    assert any("too many unanswered requests: the oldest (2 requests)" in line for _, line in logged(caplog))


def everything() -> list[Flow]:
    """Return flows of every kind, saved as mitmproxy saves them."""
    failed = flow_of(replace(clean(), response=None, error="server gone"))
    both = tflow.tflow(resp=True, err=True)
    ours = [flow_of(clean()), flow_of(replace(clean(), response=None)), failed, flow_of(flawed())]
    others = [tflow.tflow(), tflow.tflow(resp=True), tflow.tflow(err=True), both, tflow.twebsocketflow()]
    rest = [tflow.ttcpflow(), tflow.ttcpflow(err=True), tflow.tudpflow(), tflow.tdnsflow(), tflow.tdnsflow(resp=True)]
    return [*ours, *others, *rest]


def saved(save: Save, flows: Iterable[Flow]) -> tuple[Path, list[Flow]]:
    path = save(flows)
    with path.open("rb") as file:
        return path, [*FlowReader(file).stream()]


def offline(path: Path) -> tuple[tuple[int, int], Counter[str]]:
    done = CliRunner().invoke(commands, ["check", "--format", "jsonl", str(path)])
    summary = json.loads(done.stdout.splitlines()[-1])
    told = Counter({each["rule"]: each["number"] for each in summary["findings"]})
    return (summary["exchanges"], summary["others"]), told


def test_loaded_flows_of_every_kind_are_counted_as_a_check_counts_them(stage: Stage, save: Save) -> None:
    path, flows = saved(save, everything())
    for flow in flows:
        stage.play(flow)  # type: ignore[arg-type]
    stage.addon.done()
    assert (counts(stage), findings(stage)) == offline(path)
    assert counts(stage) == (4, 10)


def test_live_flows_of_every_kind_are_counted_as_a_check_counts_them(stage: Stage, save: Save) -> None:
    path, flows = saved(save, everything())
    for flow in flows:
        flow.live = True
        stage.play(flow)  # type: ignore[arg-type]
    stage.addon.done()
    assert (counts(stage), findings(stage)) == offline(path)


@pytest.mark.parametrize("case", ["metadata", "id", "path"])
def test_a_flow_with_fields_of_other_types_has_a_finding_and_the_next_is_checked(stage: Stage, case: str) -> None:
    flow = flow_of(clean())
    if case == "metadata":
        flow.metadata = ["no", "table"]  # type: ignore[assignment]
    elif case == "id":
        flow.id = ["no", "text"]  # type: ignore[assignment]
    else:
        flow.request.data.path = None  # type: ignore[assignment]
    stage.play(flow)
    stage.play(flow_of(flawed()))
    assert stage.addon.summary.exchanges == 2
    assert findings(stage)[EVENT_CRASHED] == 1
    assert stage.addon.summary.crashed == 1


def test_a_report_that_cannot_be_logged_is_told_as_a_crash(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = text.exchange_text

    def crash(report: Report, redactor: Redactor, keys: Keys) -> text.ExchangeText:
        if EVENT_CRASHED not in report.rules:
            raise TypeError("not to be shown")
        return original(report, redactor, keys)

    monkeypatch.setattr(text, "exchange_text", crash)
    stage.play(flow_of(flawed()))
    lines = [line for _, line in logged(caplog)]
    assert any(line.startswith("  violation ltkm-missing: ") for line in lines)
    assert any(line.startswith("  warning event-crashed: ") for line in lines)
    assert "not to be shown" not in "\n".join(lines)


class Silent:
    """A server that reads requests and answers none; it closes the connections whose request asks for /closed."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: queue.Queue[bytes] = queue.Queue()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE)
        for each in self._open:
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.settimeout(PATIENCE)
                octets = b""
                while b"\r\n\r\n" not in octets and (part := client.recv(65536)):
                    octets += part
                self.requests.put(octets)
                if b"/closed" in octets:
                    client.close()
                else:
                    self._open.append(client)


def test_requests_that_nobody_answers_are_the_same_live_loaded_and_offline(mitmdump: Mitmdump, tmp_path: Path) -> None:
    report, flows = tmp_path / "live.jsonl", tmp_path / "live.flow"
    judged = ("--set", "ltkm_fail_on=warning")
    with closing(Silent()) as silent:
        proxy = mitmdump.proxy(*reverse(silent.port), "--set", f"ltkm_report={report}", *judged, "-w", flows)
        clients = []
        for path in ("closed?requesttype=msk-request", "left?requesttype=msk-request", "kept?requesttype=msk-request"):
            clients.append(socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE))
            clients[-1].sendall(f"GET /{path} HTTP/1.1\r\nHost: bmsc.home1.net\r\n\r\n".encode())
            assert path.encode() in silent.requests.get(timeout=PATIENCE)
            if path.startswith("closed"):
                assert clients[-1].recv(65536)  # the proxy says that the server is gone
            if path.startswith("left"):
                clients[-1].close()
        run = proxy.stop()
        for client in clients:
            client.close()
    loaded = mitmdump("-nr", flows, *judged)
    summaries = [[line for line in each.log if line.startswith("summary: ")] for each in (run, loaded)]
    assert "summary: 3 MSK exchanges " in summaries[0][0]
    assert summaries[0] == summaries[1]
    start = run.log.index(summaries[0][0])
    end = start + len(summaries[0])
    assert run.log[start:end] == summaries[0]
    assert not [line for line in run.log[end:] if "no response" in line]  # what mitmproxy says at its end may follow
    assert run.status == loaded.status == 3
    told = [json.loads(line) for line in report.read_text().splitlines()]
    live = Counter(finding["rule"] for each in told if "/exchange/" in each["schema"] for finding in each["findings"])
    assert ((3, 0), live) == offline(flows)
