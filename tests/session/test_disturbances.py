"""Disturbances of a trial: clocks that jump, a laptop that sleeps, a BSM that is down, terminals that hang up."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Report
from ltkm_inspect.reference import FIRST, KEYS, Grant
from ltkm_inspect.report.text import exchange_text
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Datagram, Direction, Event, Exchange, Headers, Response
from tests.datagrams import datagram

HOUR = 3600.0


def grant(number: int) -> Grant:
    return replace(FIRST, counter=50 + number, csb_id=1000 + number)


def delivery(number: int, at: float) -> Exchange:
    """Return a delivery of the same key with the next counter and nonce count."""
    items = [(grant(number), "200 OK", reference.ltkm(grant(number)))]
    return reference.exchange([FIRST.msk_id], items, nc=number, at=at, id=f"exchange {number}")


def answered_push(number: int, at: float, answered: float) -> Iterator[Datagram]:
    message = reference.push(grant(number), v=True)
    yield datagram(message.encode(), at, id=f"push {number}")
    answer = reference.verification(message).encode()
    yield datagram(answer, answered, id=f"answer {number}", direction=Direction.FROM_TERMINAL)


def refused(number: int, at: float) -> Exchange:
    headers = Headers(((b"Server", b"bsm/1.0"), (b"Content-Length", b"0"), (b"Retry-After", b"20")))
    return replace(delivery(number, at), response=Response(503, "Service Unavailable", headers=headers, body=b""))


def hung_up(number: int, at: float) -> Exchange:
    return replace(delivery(number, at), response=None, error="Client disconnected.")


def reports(events: Sequence[Event]) -> list[Report]:
    context = Context(Settings(), KEYS, Session())
    return [inspect(event, context) for event in events]


@pytest.mark.parametrize(
    "times",
    [
        pytest.param((0, 10, 10 - HOUR, 20 - HOUR), id="an hour back"),
        pytest.param((0, 10, 10 - 87600 * HOUR, 20), id="to 1999, and right again"),
        pytest.param((0, 10, 87600 * HOUR, 10 + 87600 * HOUR), id="ten years forward"),
        pytest.param((0, 10, 8 * HOUR, 40 * HOUR), id="a laptop that slept, longer than MSKs are compared"),
    ],
)
def test_a_clock_that_jumps_is_nobody_s_fault(times: Sequence[float]) -> None:
    exchanges = [delivery(number, at) for number, at in enumerate(times, 1)]
    pushes = [each for number, at in enumerate(times, 5) for each in answered_push(number, at, at + 0.2)]
    assert [report.verdict for report in reports(exchanges)] == ["clean"] * len(times)
    assert [report.verdict for report in reports(pushes)] == ["clean"] * 2 * len(times)


def test_a_clock_that_is_set_back_between_a_push_and_its_answer_is_nobody_s_fault() -> None:
    events = [*answered_push(1, 0, -HOUR), *answered_push(2, 10 - HOUR, 11 - HOUR)]
    assert [report.verdict for report in reports(events)] == ["clean"] * 4


def test_an_hour_of_503_leaves_a_line_for_each_and_no_finding() -> None:
    events = [delivery(1, 0), *(refused(number, 20 * number) for number in range(2, 182)), delivery(182, 2 * HOUR)]
    found = reports(events)
    assert not [finding for report in found for finding in report.findings]
    lines = [exchange_text(report).lines for report in found]
    assert {len(each) for each in lines} == {1}
    assert "-> 503: 0 items, 0 LTKMs" in lines[1][0]


def test_a_terminal_that_hangs_up_each_time_is_told_in_two_lines_each_time() -> None:
    found = reports([hung_up(number, 20 * number) for number in range(1, 60)])
    assert [finding.rule for report in found for finding in report.findings] == ["not-checked-in-full"] * 59
    assert all(len(exchange_text(report).lines) == 2 for report in found)
    assert "no response (Client disconnected.)" in exchange_text(found[-1]).lines[0]
