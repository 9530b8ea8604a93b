"""Faults put into saved flows: what changes, what is kept, what is left alone, and the file that comes of it."""

import gzip
import hashlib
import io
import os
import stat
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.fault import FAULTS, Application, Fault, parse_application
from ltkm_inspect.mitm.change import change_line
from ltkm_inspect.mitm.flow_file import FlowFileWriter
from ltkm_inspect.mitm.flows import FAULT, exchange_of, flow_of
from ltkm_inspect.mitm.marking import FAULT_MARK, FAULT_METADATA, FAULTED, METADATA, ORIGINAL, mark
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.mitm.udp_flows import events_of, flow_of_event
from ltkm_inspect.reference import DATAGRAM_REFERENCES, KEYS, REFERENCES, events, reference
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rewriting.rewriter import Change
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Event, Exchange
from tests.proxy.parts import Mitmdump, clean, flawed

catalogue.load()


def apply(flow: HTTPFlow, *faults: str) -> list[Change | None]:
    """Put faults into a flow, one after the other, each in a run of its own."""
    return [apply_to(flow, FlowRewriter(Orders((parse_application(fault),)))) for fault in faults]


def apply_to(flow: HTTPFlow, rewriting: FlowRewriter) -> Change | None:
    """Put the faults of a rewriter into a flow."""
    return next(iter(rewriting.apply(flow, [exchange_of(flow)])), None)


def again(flow: Flow) -> Flow:
    """Return the flow as it comes back from a flow file."""
    file = io.BytesIO()
    writer: Any = FlowWriter(file)  # type: ignore[no-untyped-call]
    writer.add(flow)
    file.seek(0)
    (read,) = FlowReader(file).stream()
    return read


def saved(flow: Flow) -> HTTPFlow:
    """Return the same of an HTTP flow."""
    read = again(flow)
    assert isinstance(read, HTTPFlow)
    return read


def body(flow: HTTPFlow) -> bytes:
    """Return the body of the response as sent."""
    assert flow.response is not None
    assert flow.response.raw_content is not None
    return flow.response.raw_content


def left(exchange: Exchange, fault: str = "shorten-rand") -> str:
    """Return why a fault was not put into an exchange, which must be as it was."""
    rewriting = FlowRewriter(Orders((parse_application(fault),)))
    flow = flow_of(exchange)
    before = flow.get_state()
    assert rewriting.apply(flow, [exchange]) == []
    assert flow.get_state() == before
    assert (rewriting.exchanges, rewriting.hit, rewriting.failed) == (1, 0, True)
    (reason,) = rewriting.left
    assert rewriting.reason == reason
    return reason


OF_EXCHANGES = {id: fault for id, fault in FAULTS.items() if fault.reference in REFERENCES}


@pytest.mark.parametrize("fault", OF_EXCHANGES.values(), ids=list(OF_EXCHANGES))
def test_a_faulted_flow_breaks_the_rules_of_the_fault_also_when_it_was_saved(fault: Any) -> None:
    *earlier, before = reference(fault.reference)
    context = Context(keys=KEYS, session=Session())
    rewriting = FlowRewriter(Orders((Application(fault),)), context)
    for each in earlier:
        inspect(each, context)
        rewriting.remember(each)
    flow = flow_of(before)
    (change,) = rewriting.apply(flow, [before])
    assert change is not None
    exchange = exchange_of(saved(flow))
    assert set(inspect(exchange, context).rules) >= fault.trips
    assert exchange.faults == (fault.id,)
    line = change_line(change, 7)
    assert line.startswith(f"#7 fault {fault.id}: ")
    assert line.isprintable()
    assert line.rpartition(": ")[2]  # says what changed
    # a flow has the host of its Host field, which a fault may have changed
    assert isinstance(change.after, Exchange)
    exchange = replace(exchange, request=replace(exchange.request, host=change.after.request.host))
    for part in fields(Exchange):
        if part.name not in ("id", "faults"):
            assert getattr(exchange, part.name) == getattr(change.after, part.name), part.name


def as_exchange(event: Event) -> Exchange:
    """Return an event that must be an exchange."""
    assert isinstance(event, Exchange)
    return event


OF_DATAGRAMS = {id: fault for id, fault in FAULTS.items() if fault.reference in DATAGRAM_REFERENCES}


@pytest.mark.parametrize("fault", OF_DATAGRAMS.values(), ids=list(OF_DATAGRAMS))
def test_a_faulted_flow_with_datagrams_breaks_the_rules_of_the_fault_also_when_it_was_saved(fault: Fault) -> None:
    context = Context(keys=KEYS, session=Session())
    rewriting = FlowRewriter(Orders((Application(fault),)), context)
    known = events(fault.reference)
    flows = [flow_of_event(each) for each in known]
    *earlier, before = [events_of(flow)[0] for flow in flows]
    for each in earlier:
        inspect(each, context)
        rewriting.remember(each)
    (change,) = rewriting.apply(flows[-1], [before])
    line = change_line(change, 7)
    number = "#7" if isinstance(before, Exchange) else "#7.1"
    assert line.startswith(f"{number} fault {fault.id}: ")
    assert line.rpartition(": ")[2]  # says what changed
    (after,) = events_of(again(flows[-1]))
    assert set(inspect(after, context).rules) == fault.trips
    assert after.faults == (fault.id,)


def test_the_flow_says_what_was_put_in_and_keeps_the_digests_of_both_bodies() -> None:
    flow = flow_of(clean())
    original = body(flow)
    apply(flow, "shorten-rand:octets=8")
    read = saved(flow)
    assert read.metadata[FAULT] == ["shorten-rand:octets=8"]
    assert read.metadata[ORIGINAL] == hashlib.sha256(original).hexdigest()
    assert read.metadata[FAULTED] == hashlib.sha256(body(read)).hexdigest() != read.metadata[ORIGINAL]
    assert read.comment == "[shorten-rand:octets=8; ltkm: fault]"
    assert read.marked == FAULT_MARK == ":wrench:"


def test_mitmdump_shows_what_was_put_in_and_does_not_fail_for_it(mitmdump: Mitmdump, tmp_path: Path) -> None:
    path = tmp_path / "out.flow"
    with FlowFileWriter(path) as file:
        for exchange in reference("two-terminals"):
            flow = flow_of(exchange)
            assert apply(flow, "shorten-rand:octets=8") != [None]
            file.add(flow)
        file.keep()
    again = tmp_path / "again.flow"
    run = mitmdump("-nr", path, "-w", again, "--set", "ltkm_fail_on=warning")
    assert sum(" [fault shorten-rand:octets=8]: " in line for line in run.log) == 2
    assert run.log[-1] == (
        "summary: 2 exchanges with faults put in; findings after the change (2 violations, 0 warnings) do not count"
    )
    assert run.status == 0
    with again.open("rb") as octets:
        flows = [*FlowReader(octets).stream()]
    for read in flows:
        assert isinstance(read, HTTPFlow)
        assert read.comment == "[shorten-rand:octets=8; ltkm: fault] [rand-length-wrong; ltkm: violation]"
        assert read.marked == FAULT_MARK
        read.revert()  # type: ignore[no-untyped-call]
        assert inspect(exchange_of(read)).verdict == "clean"
        assert read.metadata == {}


def test_reverting_brings_the_flow_back_as_it_was_also_from_a_file() -> None:
    flow = flow_of(clean())
    flow.comment, flow.marked = "mine", ":grapes:"
    before = flow.get_state()
    apply(flow, "shorten-rand", "empty-request")
    read = saved(flow)
    assert read.modified()  # type: ignore[no-untyped-call]
    read.revert()  # type: ignore[no-untyped-call]
    assert saved(read).get_state() == saved(flow_from(before)).get_state()


def flow_from(state: Any) -> Flow:
    """Return the flow of a state."""
    return Flow.from_state(state)


def test_faults_add_up_and_the_first_body_stays_the_original() -> None:
    flow = flow_of(clean())
    original = body(flow)
    apply(flow, "shorten-rand")
    flow = saved(flow)
    apply(flow, "rename-ltkm:name=lTkM", "replace-status:status=202")
    assert exchange_of(flow).faults == ("shorten-rand", "rename-ltkm:name=lTkM", "replace-status:status=202")
    assert flow.metadata[ORIGINAL] == hashlib.sha256(original).hexdigest()
    assert flow.metadata[FAULTED] == hashlib.sha256(body(flow)).hexdigest()
    assert flow.comment == "[shorten-rand, rename-ltkm:name=lTkM, replace-status:status=202; ltkm: fault]"
    flow.revert()  # type: ignore[no-untyped-call]
    assert body(flow) == original
    assert exchange_of(flow).faults == ()


def test_a_fault_in_the_request_changes_the_recorded_request() -> None:
    flow = flow_of(clean())
    response = body(flow)
    (change,) = apply(flow, "empty-request")
    assert change is not None
    assert flow.request.raw_content == b""
    assert "request body " in change_line(change, None)
    assert body(flow) == response
    assert flow.metadata[ORIGINAL] == flow.metadata[FAULTED]


def test_what_the_fault_does_not_touch_stays_octet_for_octet() -> None:
    flow = flow_of(clean())
    flow.request.headers["X-Mine"] = "1"
    before = flow.get_state()
    apply(flow, "shorten-rand")
    after = flow.get_state()
    for key in ("id", "client_conn", "server_conn", "error", "request", "timestamp_created", "websocket"):
        assert after[key] == before[key], key
    for key in ("http_version", "status_code", "reason", "timestamp_start", "timestamp_end", "trailers"):
        assert after["response"][key] == before["response"][key], key


def test_a_compressed_body_is_compressed_again_and_its_length_fits() -> None:
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.encode("gzip")
    apply(flow, "shorten-rand")
    assert flow.response.headers["Content-Encoding"] == "gzip"
    assert flow.response.headers["Content-Length"] == str(len(body(flow)))
    assert b"mbmsMSKResponse" in gzip.decompress(body(flow))
    assert "rand-length-wrong" in inspect(exchange_of(flow)).rules


def test_a_check_leaves_the_fault_on_the_flow_and_a_fault_takes_the_old_check_away() -> None:
    flow = flow_of(flawed())
    flow.comment = "mine"
    mark(flow, Marks.of(inspect(exchange_of(flow))))
    apply(flow, "shorten-rand")
    assert not set(METADATA) & set(flow.metadata)
    assert flow.comment == "mine [shorten-rand; ltkm: fault]"
    for _ in range(2):
        mark(flow, Marks.of(inspect(exchange_of(flow))))
        assert flow.comment.startswith("mine [shorten-rand; ltkm: fault] [")
        assert flow.comment.endswith("; ltkm: violation]")
        assert flow.marked == FAULT_MARK
        assert set(FAULT_METADATA) <= set(flow.metadata)
    flow.marked = ""  # the user does not want it
    mark(flow, Marks.of(inspect(exchange_of(flow))))
    assert flow.marked == ""


@pytest.mark.parametrize("text", ["]", "[x; ltkm: violation]", "a\x1b[2J\n", "\udcff", "x" * 5000])
def test_any_parameter_can_be_saved_and_does_not_break_the_comment(text: str) -> None:
    flow = flow_of(clean())
    apply(flow, f"replace-status:reason={text}")
    read = saved(flow)
    assert len(exchange_of(read).faults) == 1
    assert read.comment.isprintable()
    assert len(read.comment) < 300
    mark(read, Marks.of(inspect(exchange_of(read))))
    apply(read, "shorten-rand")
    assert read.comment.count("; ltkm: fault]") == 1


@pytest.mark.parametrize("value", ["a-fault", ["a", 1], ("b",), 5, {"a": 1}])
def test_metadata_of_another_program_is_no_trouble(value: object) -> None:
    flow = flow_of(clean())
    flow.metadata[FAULT] = value
    exchange = exchange_of(flow)
    assert exchange.faults
    assert all(isinstance(each, str) for each in exchange.faults)
    assert exchange_of(flow_of(exchange)).faults == exchange.faults


def test_what_has_no_response_to_damage_is_left_and_says_why() -> None:
    exchange = clean()
    assert exchange.response is not None
    response = exchange.response
    assert left(replace(exchange, response=None)) == "the exchange has no response"
    head = replace(exchange, request=replace(exchange.request, method="HEAD"), response=replace(response, body=b""))
    assert "HEAD" in left(head)
    assert "204" in left(replace(exchange, response=replace(response, status=204, body=b"")), "replace-status")
    assert "not captured" in left(replace(exchange, response=replace(response, body=None)), "replace-status")
    headers = response.headers.put("Content-Encoding", "gzip")
    assert "content coding" in left(replace(exchange, response=replace(response, headers=headers)), "replace-status")


def test_what_the_fault_does_not_find_or_does_not_change_is_left_and_says_why() -> None:
    assert left(reference("challenge")[0], "shorten-rand").startswith("fault shorten-rand: ")
    assert "no difference" in left(clean(), "replace-status:status=200,reason=OK")


def test_foreign_flows_are_counted_and_untouched() -> None:
    rewriting = FlowRewriter(Orders((parse_application("shorten-rand"),)))
    flows: list[Flow] = [tflow.tflow(resp=True), tflow.ttcpflow(), tflow.tdnsflow()]
    before = [flow.get_state() for flow in flows]
    assert [rewriting.apply(flow, []) for flow in flows] == [[]] * 3
    assert [flow.get_state() for flow in flows] == before
    assert not rewriting.failed
    assert list(rewriting.lines()) == ["0 of 3 flows changed (3 were not MSK exchanges)"]


def test_the_closing_lines_count_what_became_of_the_flows() -> None:
    rewriting = FlowRewriter(Orders((parse_application("shorten-rand"),)))
    for exchange in (clean(), reference("challenge")[0], replace(clean(), response=None)):
        if exchange.document or exchange.response is None:
            rewriting.apply(flow_of(exchange), [exchange])
    rewriting.apply(tflow.tflow(), [])
    assert list(rewriting.lines())[-1].startswith(
        f"{rewriting.hit} of {rewriting.flows} flows changed (1 was not an MSK exchange, "
    )
    alone = FlowRewriter(Orders((parse_application("shorten-rand"),)))
    alone.apply(flow_of(clean()), [clean()])
    assert list(alone.lines()) == ["1 of 1 flow changed"]


@pytest.mark.parametrize(
    ("fault", "unsealed"),
    [
        ("shorten-rand", ["MAC", "digest"]),
        ("rename-ltkm", ["digest"]),
        ("replace-status", []),
        ("empty-request", []),
        ("drop-authentication-info", []),
        ("wrap-multipart", ["digest"]),
        ("drop-mac", ["digest"]),
    ],
)
def test_what_needs_a_key_to_be_made_anew_is_said(fault: str, unsealed: list[str]) -> None:
    rewriting = FlowRewriter(Orders((parse_application(fault),)))
    rewriting.apply(flow_of(clean()), [clean()])
    assert [part.part for part in rewriting.unsealed] == unsealed
    assert [*rewriting.warnings()] == [
        f"1 exchange: {part} not recomputed (no key ring); the terminal will reject it" for part in unsealed
    ]


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.flow"
    with FlowFileWriter(path) as file:
        file.add(flow_of(clean()))
        assert not path.exists()
        file.keep()
    assert path.is_file()
    before = path.read_bytes()
    with FlowFileWriter(path) as file:
        file.add(flow_of(flawed()))
    assert path.read_bytes() == before
    with suppress(KeyboardInterrupt), FlowFileWriter(path) as file:
        file.add(flow_of(flawed()))
        file.keep()
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out.flow"]


def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "real.flow", tmp_path / "link.flow"
    path.write_bytes(b"")
    path.chmod(0o640)
    link.symlink_to(path)
    with FlowFileWriter(link) as file:
        file.add(flow_of(clean()))
        file.keep()
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_size


def test_what_is_no_place_for_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "no" / "such", tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OSError, match=r"."), FlowFileWriter(path):
            pass
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
