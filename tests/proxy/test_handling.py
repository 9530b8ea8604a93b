"""A large exchange is looked at beside the event loop: others pass meanwhile, and what is said stays the same."""

import asyncio
import gc
import json
import logging
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import ctx, http
from mitmproxy.contentviews import Metadata
from mitmproxy.test import taddons

from ltkm_inspect import engine, reference
from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.finding import Report
from ltkm_inspect.inspecting import inspection
from ltkm_inspect.mitm.flows import FAULT, flow_of
from ltkm_inspect.mitm.marking import VERDICT
from ltkm_inspect.mitm.size import SHORT, takes_long
from ltkm_inspect.proxy import inspector, view
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.holder import Holder, Wait, new_executor
from ltkm_inspect.rewriting import rewriter
from ltkm_inspect.traffic import Exchange, Headers

SMALL = reference.reference("download")[0]
assert SMALL.response is not None
LARGE = replace(
    SMALL, id="large", response=replace(SMALL.response, body=(SMALL.response.body or b"") + b"\n" * 2 * SHORT)
)
OTHER = replace(SMALL, id="small")


class Run:
    """An addon in an event loop, and the records that it writes."""

    def __init__(self, folder: Path) -> None:
        self.report = folder / "run.jsonl"
        self.addon = LtkmInspect()

    def of(self, steps: Any, *handlers: logging.Handler) -> list[dict[str, Any]]:
        """Return the records of a run in a loop of its own; a master leaves its handlers of the log behind."""
        root = logging.getLogger()
        former = root.handlers
        root.handlers = [*handlers]
        try:
            asyncio.run(self._of(steps))
        finally:
            root.handlers = former
        return [json.loads(line) for line in self.report.read_text().splitlines()]

    async def _of(self, steps: Any) -> None:
        with taddons.context() as context:  # type: ignore[no-untyped-call]
            context.master.addons.add(self.addon)
            told_to = {"ltkm_report": [f"jsonl={self.report}"], "ltkm_inspector": "inline", "ltkm_deadline": "never"}
            context.configure(self.addon, **told_to)
            await steps(self)
            self.addon.done()

    async def play(self, passing: Exchange | http.HTTPFlow) -> None:
        wait = self.addon.response(flow_of(passing) if isinstance(passing, Exchange) else passing)
        if wait is not None:
            await wait


def told(records: list[dict[str, Any]]) -> list[str]:
    names = {flow_of(exchange).id: exchange.id for exchange in (LARGE, OTHER)}
    return [names[record["id"]] for record in records if "/exchange/" in record["schema"]]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold the rules on the large exchange until the event is set."""
    goes_on = threading.Event()

    def judge(step: Any, context: Any) -> Report:
        if step.exchange.id == flow_of(LARGE).id:
            assert goes_on.wait(60)
        return engine.judge(step, context)

    monkeypatch.setattr(inspection, "judge", judge)
    yield goes_on
    goes_on.set()


def test_a_small_exchange_is_told_while_a_large_one_is_looked_at(tmp_path: Path, held: threading.Event) -> None:
    async def steps(run: Run) -> None:
        large = asyncio.ensure_future(run.play(LARGE))
        await asyncio.sleep(0)
        await run.play(OTHER)
        assert not large.done()
        held.set()
        await large

    assert told(Run(tmp_path).of(steps)) == ["small", "large"]


def test_what_is_not_finished_when_the_run_ends_is_told_before_the_summary(
    tmp_path: Path, held: threading.Event
) -> None:
    async def steps(run: Run) -> None:
        large = asyncio.ensure_future(run.play(LARGE))
        await asyncio.sleep(0)
        large.cancel()
        held.set()
        with pytest.raises(asyncio.CancelledError):
            await large

    records = Run(tmp_path).of(steps)
    assert told(records) == ["large"]
    assert records[-1]["exchanges"] == 1


def test_beside_the_loop_the_records_are_those_of_a_run_without_one(tmp_path: Path) -> None:
    terminal = replace(LARGE, request=replace(LARGE.request, body=(LARGE.request.body or b"") + b" "))
    exchanges = [LARGE, OTHER, terminal]

    async def beside(run: Run) -> None:
        for exchange in exchanges:
            await run.play(exchange)

    async def at_once(run: Run) -> None:
        for exchange in exchanges:
            Handling(run.addon._steps(flow_of(exchange), Wait())).finish()

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Run(tmp_path / "a").of(beside), Run(tmp_path / "b").of(at_once)
    assert one[1:] == other[1:]


def test_a_fault_is_put_into_a_large_response_while_a_small_exchange_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def injected(exchange: Exchange, *arguments: Any) -> Any:
        if exchange.id == flow_of(LARGE).id:
            assert goes_on.wait(60)
        return engine.injected(exchange, *arguments)

    monkeypatch.setattr(rewriter, "injected", injected)
    large, small = flow_of(LARGE), flow_of(OTHER)
    assert large.response is not None
    large.live = small.live = True
    came = large.response.raw_content

    async def steps(run: Run) -> None:
        ctx.options.update(ltkm_fault=["strip-ltkm"], ltkm_fault_when="nth=2")  # type: ignore[no-untyped-call]
        wait = asyncio.ensure_future(run.play(large))
        await asyncio.sleep(0)
        await run.play(small)
        assert not wait.done()
        goes_on.set()
        await wait

    Run(tmp_path).of(steps)
    assert not small.metadata.get(FAULT)  # it had the first turn of its terminal, and the large one the second
    assert large.metadata[FAULT] == ["strip-ltkm"]
    assert large.response.raw_content != came


@pytest.mark.parametrize("late", ["judged", "damaged"])
def test_a_response_that_is_late_goes_on_as_it_came_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, late: str
) -> None:
    goes_on = threading.Event()

    def judge(step: Any, context: Any) -> Report:
        assert late == "damaged" or goes_on.wait(60)
        return engine.judge(step, context)

    def injected(*arguments: Any) -> Any:
        assert goes_on.wait(60)
        return engine.injected(*arguments)

    monkeypatch.setattr(inspection, "judge", judge)
    monkeypatch.setattr(rewriter, "injected", injected)
    large = flow_of(LARGE)
    assert large.response is not None
    large.live = True
    came = large.response.raw_content

    async def steps(run: Run) -> None:
        ctx.options.update(ltkm_fault=["strip-ltkm"], ltkm_deadline="1ms")  # type: ignore[no-untyped-call]
        await run.play(large)
        assert large.marked == ":hourglass:"
        goes_on.set()
        await asyncio.gather(*run.addon._holder.tasks)

    with caplog.at_level(logging.INFO):
        Run(tmp_path).of(steps, caplog.handler)
    assert not large.metadata.get(FAULT)
    assert large.response.raw_content == came
    assert "unchanged: it was not inspected in time, so it has gone on as it came" in caplog.text
    assert "faults: strip-ltkm put into 0 of 1 selected MSK exchange (1 unchanged)" in caplog.text


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(("ltkm.check",), id="check"),
        pytest.param(("ltkm.fault", "strip-ltkm"), id="fault"),
        pytest.param(("ltkm.strip",), id="strip"),
        pytest.param(("ltkm.inject", b64encode(reference.ltkm(reference.SECOND).encode()).decode()), id="inject"),
    ],
)
def test_the_command_looks_at_a_large_flow_while_a_small_exchange_is_told(
    tmp_path: Path, held: threading.Event, typed: tuple[str, ...]
) -> None:
    loaded = flow_of(LARGE)
    name, *words = typed

    async def steps(run: Run) -> None:
        ctx.master.commands.call(name, [loaded], *words)
        await asyncio.sleep(0)
        await run.play(OTHER)
        assert VERDICT not in loaded.metadata
        held.set()
        await asyncio.gather(*run.addon._holder.tasks)
        assert loaded.metadata[VERDICT]

    assert told(Run(tmp_path).of(steps)) == ["small"]


def test_what_is_shown_of_a_large_flow_was_made_beside_the_loop_and_fits_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspector, "is_wanted", lambda: True)
    passing = flow_of(LARGE)
    assert passing.response is not None
    messages = (passing.request, passing.response)
    looked_at: list[Exchange] = []

    def inspect(exchange: Exchange, *arguments: Any, **options: Any) -> Report:
        looked_at.append(exchange)
        return engine.inspect(exchange, *arguments, **options)

    monkeypatch.setattr(view, "inspect", inspect)

    def shown(through: view.LtkmView) -> list[str]:
        return [
            through.prettify(message.content or b"", Metadata(flow=passing, http_message=message))
            for message in messages
        ]

    async def steps(run: Run) -> None:
        await run.play(passing)
        ours = view.LtkmView(lambda: run.addon.configuration, run.addon.inspector.renderings)
        table = run.addon.findings([passing])
        made = shown(ours)
        assert not looked_at
        number = run.addon.inspector.number
        assert made == shown(view.LtkmView(lambda: run.addon.configuration, number=number))
        passing.request.headers["Authorization"] = "Digest"
        assert "authorization-" in shown(ours)[0]
        assert run.addon.findings([passing]) != table
        assert len(looked_at) == 4

    Run(tmp_path).of(steps)


def test_only_live_flows_have_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float | None] = []
    hold = Holder.hold

    async def noted(self: Holder, handling: Handling[Any], wait: Wait, seconds: float | None, passes: Any) -> None:
        deadlines.append(seconds)
        await hold(self, handling, wait, None, passes)

    monkeypatch.setattr(Holder, "hold", noted)
    loaded, live = flow_of(LARGE), flow_of(LARGE)
    live.live = True

    async def steps(run: Run) -> None:
        ctx.options.update(ltkm_deadline="7s")  # type: ignore[no-untyped-call]
        for passing in (loaded, live):
            await run.play(passing)

    Run(tmp_path).of(steps)
    assert deadlines == [None, 7.0]


def test_work_that_fails_is_told_to_the_steps() -> None:
    def fail() -> None:
        raise ValueError("no")

    def steps() -> Steps[str]:
        try:
            yield fail
        except ValueError as error:
            return f"{error} {(yield partial(str, 5))}"
        return "yes"

    logged: list[dict[str, Any]] = []

    async def run() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        with new_executor() as executor:
            result = await Handling(steps()).run(executor)
        gc.collect()
        return result

    assert Handling(steps()).finish() == asyncio.run(run()) == "no 5"
    assert not logged, "mitmproxy prints what the loop is told as an unhandled error, with its traceback"


def flow(exchange: Exchange) -> http.HTTPFlow:
    return flow_of(exchange)


def test_what_is_small_on_the_wire_takes_long_where_it_is_compressed() -> None:
    assert SMALL.response is not None
    fields = Headers((*SMALL.response.headers.fields, (b"Content-Encoding", b"gzip")))
    assert not takes_long(flow(SMALL))
    assert takes_long(flow(LARGE))
    assert takes_long(flow(replace(SMALL, response=replace(SMALL.response, headers=fields))))
