"""UDP flows in flow files: what is ours in them, read without mitmproxy as with it."""

import io
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import flow, udp
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from ltkm_inspect import reference
from ltkm_inspect.capture import (
    DATAGRAM_FAULTS,
    FAULT,
    CandidateRecord,
    DamagedEvent,
    SkippedFlows,
    events_of,
    opened,
    scan,
)
from ltkm_inspect.checking.reading import CaptureReader
from ltkm_inspect.mitm import reading, udp_flows
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import OFFLINE, Datagram, DatagramKind, Direction, Event
from tests.datagrams import BSM, ERROR, PULL, PUSH, STKM, TERMINAL, VERIFICATION, udp_flow

NAT = "203.0.113.7:40123"
PUSHED = udp_flow((True, PUSH, 1), (False, VERIFICATION, 1.5), (True, PULL, 9))
ASKED = udp_flow((True, b"keep-alive", 0), (False, PUSH, 1), (True, VERIFICATION, 2), client=NAT, server=BSM)


def copy(flow: udp.UDPFlow) -> udp.UDPFlow:
    made: udp.UDPFlow = flow.copy()  # type: ignore[no-untyped-call]
    made.id = flow.id
    return made


def saved(*flows: flow.Flow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)  # type: ignore[no-untyped-call]
    for each in flows:
        writer.add(each)
    return file.getvalue()


def read(octets: bytes) -> list[Event | SkippedFlows]:
    """Read a flow file by the records alone."""
    found: list[Event | SkippedFlows] = []
    for each in scan(io.BytesIO(octets).read):
        if isinstance(each, CandidateRecord):
            assert each.current
            found += events_of(each)
        else:
            assert isinstance(each, SkippedFlows)
            found.append(each)
    return found


def datagrams(octets: bytes) -> list[Datagram]:
    return [each for each in read(octets) if isinstance(each, Datagram)]


def plain(events: Iterable[Any]) -> list[dict[str, Any]]:
    return [{field.name: getattr(each, field.name) for field in fields(each)} for each in events]


def by_mitmproxy(octets: bytes, path: Path) -> list[Event]:
    path.write_bytes(octets)
    return [each for each in reading.events(path) if isinstance(each, Event)]


@pytest.mark.parametrize("flow", [PUSHED, ASKED], ids=["the BSM began", "the terminal began"])
def test_a_message_is_a_datagram_between_bsm_and_terminal_whoever_began(flow: udp.UDPFlow, tmp_path: Path) -> None:
    found = datagrams(saved(flow))
    assert plain(found) == plain(by_mitmproxy(saved(flow), tmp_path / "a.flow"))
    terminal = TERMINAL if flow is PUSHED else NAT
    for each in found:
        assert (each.client, each.server) == (terminal, BSM)
        assert each.capture == ""
        assert each.limits == OFFLINE
    assert [each.id for each in found] == [f"{flow.id}.{number}" for number in (1, 2, 3)]
    assert [each.place for each in found] == [1, 2, 3]
    assert [each.is_followed for each in found] == [True, True, False]
    assert [each.started for each in found] == [message.timestamp for message in flow.messages]


def test_each_datagram_has_its_kind_and_direction() -> None:
    found = [(each.kind, each.direction) for each in datagrams(saved(PUSHED))]
    assert found == [
        (DatagramKind.PUSH, Direction.TO_TERMINAL),
        (DatagramKind.VERIFICATION, Direction.FROM_TERMINAL),
        (DatagramKind.PULL, Direction.TO_TERMINAL),
    ]
    (first, *_) = datagrams(saved(ASKED))
    assert (first.kind, first.direction) == (DatagramKind.OTHER, Direction.FROM_TERMINAL)


def test_what_does_not_say_its_way_goes_the_way_of_what_came_before() -> None:
    answers = udp_flow((True, PUSH, 0), (False, ERROR, 1), (True, b"\2\0what", 2))
    assert [each.direction for each in datagrams(saved(answers))] == [
        Direction.TO_TERMINAL,
        Direction.FROM_TERMINAL,
        Direction.TO_TERMINAL,
    ]
    alone = udp_flow((True, ERROR, 1), client=TERMINAL, server=BSM)
    assert datagrams(saved(alone))[0].direction is Direction.FROM_TERMINAL


def test_foreign_traffic_is_passed_by() -> None:
    dns = udp_flow((True, b"\x01\x00\x01\x00\x00\x01\0\0\0\0\0\0", 0), client=NAT, server="192.0.2.53:53")
    quic = udp_flow((True, b"\xc0\0\0\0\1" + bytes(1200), 0), client=NAT, server="192.0.2.80:443")
    octets = saved(dns, quic, tflow.ttcpflow(), tflow.tdnsflow())
    assert datagrams(octets) == []
    assert sum(each.flows for each in read(octets) if isinstance(each, SkippedFlows)) >= 3  # the other one is looked at


def test_a_push_at_another_port_is_found() -> None:
    other = udp_flow((True, PUSH, 0), (True, b"foreign", 1), (True, STKM, 2), client="192.0.2.1:5000", server=NAT)
    assert [(each.place, each.kind) for each in datagrams(saved(other))] == [
        (1, DatagramKind.PUSH),
        (3, DatagramKind.STKM),
    ]


def test_flows_are_numbered_and_their_messages_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "a.flow"
    foreign = udp_flow((True, b"foreign", 0), client=NAT, server="192.0.2.53:53")
    http = flow_of(reference.reference("download")[0])
    path.write_bytes(saved(foreign, PUSHED, http, ASKED))
    with opened(str(path)) as source:
        every = CaptureReader(OFFLINE).events(source, str(path))
        found = [(at, held) for _, at, held in every if isinstance(held, Event)]
    assert [(at, getattr(held, "place", None)) for at, held in found] == [
        (2, 1),
        (2, 2),
        (2, 3),
        (3, None),
        (4, 1),
        (4, 2),
        (4, 3),
    ]
    assert {held.capture for _, held in found} == {str(path)}


def test_faults_belong_to_the_messages_that_they_were_put_into() -> None:
    some, every = copy(PUSHED), copy(PUSHED)
    some.metadata = {FAULT: ["a", "b"], DATAGRAM_FAULTS: {"1": ["a"], "3": ["b"], "x": ["c"], "9" * 5000: ["d"]}}
    every.metadata = {FAULT: ["a"]}
    assert [each.faults for each in datagrams(saved(some))] == [("a",), (), ("b",)]
    assert [each.faults for each in datagrams(saved(every))] == [("a",)] * 3
    assert plain(datagrams(saved(some))) == plain(udp_flows.events_of(some, OFFLINE))


@pytest.mark.parametrize(
    "message",
    [("client", PUSH, 0.0), (True, "text", 0.0), (True, PUSH, "then"), (True, PUSH, float("inf")), (True, PUSH, True)],
    ids=str,
)
def test_a_flow_that_mitmproxy_does_not_write_is_damage(message: tuple[Any, ...], tmp_path: Path) -> None:
    odd = copy(PUSHED)
    make: Any = udp.UDPMessage
    odd.messages = [make(*message)]
    path = tmp_path / "a.flow"
    path.write_bytes(saved(odd, PUSHED))
    with opened(str(path)) as source:
        every = CaptureReader(OFFLINE).events(source, "")
        damaged, *others = [held for _, _, held in every if not isinstance(held, SkippedFlows)]
    assert isinstance(damaged, DamagedEvent)
    assert len(others) == 3


@given(st.data())
def test_a_damaged_record_is_read_as_mitmproxy_reads_it_or_left_to_it(data: st.DataObject) -> None:
    octets = bytearray(saved(data.draw(st.sampled_from([PUSHED, ASKED]))))
    for at in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=3)):
        octets[at] = data.draw(st.integers(0, 255))
    theirs = reading.record(CandidateRecord(0, bytes(octets), current=True), 0)
    if not isinstance(theirs, tuple):
        return
    try:
        (candidate,) = [each for each in scan(io.BytesIO(octets).read) if isinstance(each, CandidateRecord)]
        ours = events_of(candidate) if candidate.is_udp else None
    except (ValueError, LookupError):
        return
    if ours is not None:
        assert plain(ours) == plain(theirs[1])
