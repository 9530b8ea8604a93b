"""The inspector process: what it answers, and what becomes of events on which it crashes, hangs, or is not there."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.inspecting import BOTH, EventInspection, Opening, Presentation, Terms, present
from ltkm_inspect.inspecting.__main__ import LARGE
from ltkm_inspect.proxy import inspector_process
from ltkm_inspect.proxy.inspector_process import InspectorProcess
from ltkm_inspect.proxy.remote_inspection import (
    CHUNK,
    Incoming,
    InspectorMissingError,
    NotInspectedError,
    RemoteInspection,
)
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.session import EventSummary, Session
from ltkm_inspect.traffic import Event, Exchange
from tests.proxy import unruly_inspector
from tests.proxy.parts import TRIAL
from tests.proxy.unruly_inspector import CRASHES_FIRST, CRASHES_THEN, HANGS, RAISES
from tests.recorded import exchanges

CLEAN = reference.reference("download")[0]
TERMS = Terms()


@asynccontextmanager
async def unruly(longest: float = 60.0) -> AsyncIterator[InspectorProcess]:
    """Start one that crashes and hangs on certain events."""
    process = InspectorProcess()
    process.module, process.longest = unruly_inspector.__name__, longest
    process.start()
    try:
        yield process
    finally:
        process.stop()


def begun(process: InspectorProcess, event: Event, number: int) -> RemoteInspection:
    return process.open(Opening(event, number), TERMS, lambda: frozenset({event.id}), is_large=False)


async def told(inspection: RemoteInspection) -> Presentation | None:
    """Return what is told of an event, as the proxy asks for it."""
    answered = asyncio.get_running_loop().create_future()
    inspection.then(lambda: answered.set_result(None))
    await answered
    return inspection()[1]


async def all_told(process: InspectorProcess, events: Sequence[Event]) -> list[Presentation | BaseException | None]:
    """Return what is told of events that end at the same time, or why nothing is."""
    inspections = [begun(process, event, number) for number, event in enumerate(events, 1)]
    return await asyncio.gather(*map(told, inspections), return_exceptions=True)


def here(events: Sequence[Event], terms: Terms = TERMS) -> list[Presentation]:
    """Return what is told of these events if they are inspected in this process."""
    session, found = Session(), []
    for number, event in enumerate(events, 1):
        opening = Opening(event, number)
        inspection = EventInspection(opening, terms)
        summary = inspection.read()
        assert isinstance(summary, EventSummary)
        found.append(present(inspection.judge(session.follow(summary)), opening, terms))
    return found


def named(*ids: str) -> list[Event]:
    return [replace(CLEAN, id=id) for id in ids]


def test_it_tells_what_this_process_tells() -> None:
    events = [found for found in exchanges(TRIAL) if isinstance(found, Exchange) and found.is_ours]

    async def run() -> list[Presentation | BaseException | None]:
        async with unruly() as process:
            return await all_told(process, events)

    assert asyncio.run(run()) == here(events)


@pytest.mark.parametrize("cut", [1000, CHUNK - 1, CHUNK, 3 * CHUNK])
def test_messages_of_any_size_come_whole_however_they_are_cut(cut: int) -> None:
    sizes = 1, 0, CHUNK - 4, CHUNK, CHUNK + 1, 3, 0, 5 * CHUNK + 7, 2 * CHUNK, 2
    messages = [bytes([number]) * size for number, size in enumerate(sizes)]
    sent = b"".join(struct.pack("!i", len(each)) + each for each in messages)
    sent = sent[:-6] + struct.pack("!iQ", -1, 2) + sent[-2:]  # the length as it is written of a very large one
    ours, theirs = socket.socketpair()
    incoming, found = Incoming(), list[bytearray]()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        while True:
            if sent:
                with suppress(BlockingIOError):
                    sent = sent[theirs.send(sent[:cut]) :]
            else:
                theirs.close()
            received = incoming.receive(ours)
            if received is None:
                break
            found += received
    assert found == messages


def test_a_large_record_is_that_of_this_process() -> None:
    many = reference.exchange(
        [reference.FIRST.msk_id], [(reference.FIRST, "200 OK", None)] * 500, terminal=reference.TERMINAL
    )
    terms = Terms(has_records=True)

    async def asked() -> Presentation | None:
        async with unruly() as process:
            return await told(process.open(Opening(many, 1), terms, lambda: frozenset({""}), is_large=True))

    (expected,) = here([many], terms)
    assert len(expected.record) > LARGE
    assert asyncio.run(asked()) == expected


@pytest.mark.parametrize("killer", [CRASHES_FIRST, CRASHES_THEN])
def test_an_event_that_kills_it_twice_is_named_and_all_others_are_inspected(
    killer: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> list[Presentation | BaseException | None]:
        async with unruly() as process:
            found = await all_told(process, named("first", killer, "third", killer, "last"))
            assert process.waiting == 0
            return found

    found = asyncio.run(run())
    assert [isinstance(each, Presentation) for each in found] == [True, False, True, False, True]
    assert isinstance(found[1], NotInspectedError)
    assert found[1].reason == "crashed"
    assert sum("while it inspected #2 and is replaced; #2 is tried once more" in line for line in caplog.messages) == 1
    assert sum("while it inspected #4 and is replaced; #4 is not checked" in line for line in caplog.messages) == 1
    assert len(caplog.messages) == 4


def test_one_that_hangs_is_killed_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[Presentation | BaseException | None]:
        async with unruly(longest=0.2) as process:
            return await all_told(process, named("first", HANGS, "last"))

    first, hangs, last = asyncio.run(run())
    assert isinstance(first, Presentation)
    assert isinstance(last, Presentation)
    assert str(hangs) == "the inspector process did not answer for 0.2 s"
    assert sum("while it inspected #2" in line for line in caplog.messages) == 2


def test_a_mistake_of_ours_in_it_costs_one_event(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[Presentation | BaseException | None]:
        async with unruly() as process:
            return await all_told(process, named(RAISES, "last"))

    raises, last = asyncio.run(run())
    assert str(raises).startswith("ValueError at ")
    assert isinstance(last, Presentation)
    assert not caplog.messages


def test_what_cannot_be_started_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[Presentation | BaseException | None]:
        process = InspectorProcess()
        process.module = "ltkm_inspect.no_such_room"
        process.start()
        found = await all_told(process, named("first", "last"))
        assert process.is_missing
        found += await all_told(process, named("later"))
        process.stop()
        return found

    assert all(isinstance(each, InspectorMissingError) for each in asyncio.run(run()))
    assert caplog.messages[-1].endswith("3 times in a row; from now on, the proxy itself inspects")


def test_the_queue_is_bounded_by_number_and_by_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with unruly() as process:
            monkeypatch.setattr(inspector_process, "MOST_EVENTS", 2)
            waiting = [begun(process, CLEAN, number) for number in range(2)]
            with pytest.raises(NotInspectedError, match=r"^2 events") as full:
                begun(process, CLEAN, 3)
            assert full.value.reason == "queue"
            monkeypatch.setattr(inspector_process, "MOST_EVENTS", 100)
            monkeypatch.setattr(inspector_process, "MOST_OCTETS", 3 * len(waiting[0].octets) - 1)
            with pytest.raises(NotInspectedError):
                begun(process, CLEAN, 3)
            for each in waiting:
                await told(each)
            begun(process, CLEAN, 3)
            assert process.waiting == 1

    asyncio.run(run())


def test_the_end_waits_for_answers_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspector_process, "PATIENCE", 0.5)

    async def run() -> None:
        async with unruly() as process:
            hangs, other = (begun(process, event, 1) for event in named(HANGS, "other"))
            process.hurry()
            for each in (hangs, other):
                with pytest.raises(NotInspectedError) as late:
                    each()
                assert late.value.reason == "end"

    asyncio.run(run())


def test_one_that_takes_the_place_of_another_remembers_the_latest_events() -> None:
    events = [found for found in exchanges(TRIAL) if isinstance(found, Exchange) and found.is_ours]

    async def run() -> list[Presentation | BaseException | None]:
        async with unruly() as process:
            found = await all_told(process, events[:10])
            for event in events[10:20]:  # inspected by the proxy itself
                summary = EventInspection(Opening(event, 0), TERMS).read()
                assert isinstance(summary, EventSummary)
                process.follow(summary, BOTH)
            await all_told(process, named(CRASHES_FIRST))
            return [*found, *await all_told(process, events[20:])]

    def told_of(found: Sequence[Presentation | BaseException | None]) -> list[Marks | None]:
        return [each.marks if isinstance(each, Presentation) else None for each in found]

    expected = told_of(here(events))
    assert told_of(asyncio.run(run())) == [*expected[:10], *expected[20:]]
    assert any(each.rules for each in expected[20:] if each), "rules that compare with earlier events"
