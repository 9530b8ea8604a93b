"""What a check writes on a flow, and what it leaves alone."""

import io
from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter

from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Finding, Level, Place, Report
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.mitm.marking import (
    FINDINGS,
    LATE_MARK,
    MARKS,
    METADATA,
    RULES,
    VERDICT,
    mark,
    mark_datagram,
    mark_late,
)
from ltkm_inspect.report.marks import Marks
from tests.datagrams import push, udp_flow
from tests.proxy.parts import clean, edited, flawed


def marks_of(flow: HTTPFlow, *levels: Level) -> Marks:
    """Return what is written about a report with a finding of each of these levels."""
    findings = tuple(Finding(f"rule-{n}", level, "Title.", Place(1)) for n, level in enumerate(levels, 1))
    return Marks.of(Report(exchange_of(flow), findings))


@pytest.fixture
def flow() -> HTTPFlow:
    """Some MSK flow."""
    return flow_of(clean())


def test_violation_and_warning_have_markers_of_their_own(flow: HTTPFlow) -> None:
    mark(flow, marks_of(flow, Level.WARNING))
    assert flow.marked == MARKS[Level.WARNING] == ":yellow_circle:"
    mark(flow, marks_of(flow, Level.WARNING, Level.VIOLATION))
    assert flow.marked == MARKS[Level.VIOLATION] == ":red_circle:"


def test_the_comment_names_verdict_and_rules(flow: HTTPFlow) -> None:
    mark(flow, marks_of(flow, Level.WARNING, Level.VIOLATION))
    assert flow.comment == "[rule-1, rule-2; ltkm: violation]"


def test_marker_and_comment_of_the_user_stay(flow: HTTPFlow) -> None:
    flow.marked, flow.comment = ":grapes:", "look [here]"
    mark(flow, marks_of(flow, Level.VIOLATION))
    assert (flow.marked, flow.comment) == (":grapes:", "look [here] [rule-1; ltkm: violation]")
    mark(flow, marks_of(flow))
    assert (flow.marked, flow.comment) == (":grapes:", "look [here]")


def test_a_new_check_replaces_what_was_ours(flow: HTTPFlow) -> None:
    flow.comment = "mine"
    mark(flow, marks_of(flow, Level.VIOLATION, Level.WARNING))
    flow.comment += " and more"
    mark(flow, marks_of(flow, Level.WARNING))
    assert flow.comment == "mine and more [rule-1; ltkm: warning]"
    assert flow.marked == MARKS[Level.WARNING]
    assert flow.metadata[VERDICT] == "warning"


def test_a_marker_that_the_user_chose_since_stays(flow: HTTPFlow) -> None:
    mark(flow, marks_of(flow, Level.VIOLATION))
    flow.marked = ":grapes:"
    mark(flow, marks_of(flow))
    assert flow.marked == ":grapes:"


def test_a_clean_flow_carries_the_verdict_alone(flow: HTTPFlow) -> None:
    mark(flow, marks_of(flow, Level.VIOLATION))
    mark(flow, marks_of(flow))
    assert (flow.marked, flow.comment, flow.metadata) == ("", "", {VERDICT: "clean"})


def test_the_metadata_can_be_saved(flow: HTTPFlow) -> None:
    mark(flow, Marks.of(inspect(exchange_of(flow_of(edited(flawed(), "200 OK", "200 \x85k"))))))
    assert set(flow.metadata) == set(METADATA)
    file = io.BytesIO()
    writer: Any = FlowWriter(file)  # type: ignore[no-untyped-call]
    writer.add(flow)
    file.seek(0)
    (read,) = FlowReader(file).stream()
    assert read.metadata == flow.metadata
    assert all(isinstance(line, str) for line in (*read.metadata[RULES], *read.metadata[FINDINGS]))


def test_a_thousand_findings_do_not_swell_a_flow(flow: HTTPFlow) -> None:
    mark(flow, marks_of(flow, *[Level.WARNING] * 1000))
    assert flow.metadata[FINDINGS][-1] == "and 950 more"


def test_a_late_flow_is_marked_until_it_is_inspected(flow: HTTPFlow) -> None:
    flow.comment = "mine"
    mark_late(flow)
    assert (flow.marked, flow.comment) == (LATE_MARK, "mine [not inspected in time; ltkm: late]")
    assert flow.metadata[VERDICT] == "late"
    mark(flow, marks_of(flow))
    assert (flow.marked, flow.comment, flow.metadata) == ("", "mine", {VERDICT: "clean"})


def test_a_late_datagram_takes_nothing_away_from_those_before_it(flow: HTTPFlow) -> None:
    datagrams, found, none = udp_flow((True, push(), 0)), marks_of(flow, Level.WARNING), marks_of(flow)
    mark_late(datagrams)
    assert (datagrams.marked, datagrams.metadata[VERDICT]) == (LATE_MARK, "late")
    mark_datagram(datagrams, found, 1, adds=False)
    assert (datagrams.marked, datagrams.comment) == (MARKS[Level.WARNING], "[rule-1; ltkm: warning]")
    mark_late(datagrams)
    mark_late(datagrams)
    late = "[rule-1; ltkm: warning] [not inspected in time; ltkm: late]"
    assert (datagrams.comment, datagrams.metadata[VERDICT]) == (late, "warning")
    mark_datagram(datagrams, none, 2, adds=True)
    assert (datagrams.comment, datagrams.metadata[RULES]) == ("[rule-1; ltkm: warning]", ["rule-1"])
    datagrams = udp_flow((True, push(), 0))
    mark_late(datagrams)
    mark_datagram(datagrams, none, 2, adds=True)
    assert datagrams.metadata == {VERDICT: "clean"}
