"""Where the time goes in the proxy while another process inspects: copy, pipe, session, marks, log, and the rest."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import process_time
from typing import Any
from unittest.mock import patch

from mitmproxy import http
from mitmproxy.test import taddons

from ltkm_inspect.inspecting import Sessions
from ltkm_inspect.proxy import inspector, remote_inspection
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.inspector_process import InspectorProcess

CLIENTS = 8
PARTS: Sequence[tuple[str, Any, str]] = (
    ("copy", inspector, "exchange_of"),
    ("pipe", remote_inspection, "dumped"),
    ("pipe", InspectorProcess, "_write"),
    ("pipe", InspectorProcess, "_receive"),
    ("session", Sessions, "_catch_up"),
    ("marks", inspector.Inspector, "_mark"),
    ("log", logging.Logger, "log"),
    ("rest", remote_inspection.RemoteInspection, "settle"),
)
"""What each part consists of; a part within another counts as itself."""


def microseconds(flows: Sequence[http.HTTPFlow]) -> dict[str, float]:
    """Return microseconds of the proxy for each response, by part; every line of the log goes to a file."""
    return asyncio.run(_measured(flows))


async def _measured(flows: Sequence[http.HTTPFlow]) -> dict[str, float]:
    addon, clock = LtkmInspect(), _Clock()
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        context.master.addons.add(addon)
        context.configure(addon, ltkm_inspector="process", ltkm_deadline="never")
        addon.inspector.is_running = True
        process = addon.inspector.process
        process.start()
        while not process.is_ready:
            await asyncio.sleep(0.01)
        with _counted(clock):
            began = process_time()
            await _play(addon, flows)
            whole = process_time() - began
        addon.done()
    clock.spent["rest"] = whole - sum(seconds for part, seconds in clock.spent.items() if part != "rest")
    return {part: seconds / len(flows) * 1e6 for part, seconds in clock.spent.items()}


async def _play(addon: LtkmInspect, flows: Sequence[http.HTTPFlow]) -> None:
    waiting = iter(flows)

    async def client() -> None:
        for flow in waiting:
            wait = addon.response(flow)
            if wait is not None:
                await wait

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


class _Clock:
    """Counts the seconds that are spent in functions, by part."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inside: list[str] = []
        self._since = 0.0

    def timed[**P, R](self, part: str, call: Callable[P, R]) -> Callable[P, R]:
        """Return the function such that its time counts as that part."""

        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            self._count()
            self._inside.append(part)
            try:
                return call(*args, **kwargs)
            finally:
                self._count()
                self._inside.pop()

        return timed

    def _count(self) -> None:
        now = process_time()
        if self._inside:
            part = self._inside[-1]
            self.spent[part] = self.spent.get(part, 0.0) + now - self._since
        self._since = now


@contextmanager
def _counted(clock: _Clock) -> Iterator[None]:
    patches = [patch.object(owner, name, clock.timed(part, getattr(owner, name))) for part, owner, name in PARTS]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
