"""Measures what a response costs inside the hooks of the addon: a foreign one, and an MSK response with two LTKMs.

Run it by hand: `python tests/bench/bench_hook.py`; it prints microseconds and fails where a foreign response costs more
than 5 of them.
"""

import asyncio
import logging
import sys
import time
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mitmproxy import http
from mitmproxy.test import taddons, tflow, tutils

from ltkm_inspect.fault import parse_application
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.flows import flow_of
from ltkm_inspect.proxy.rewriting import Rewriting
from ltkm_inspect.reference import reference

MOST_FOREIGN = 5.0
"""Microseconds that a response that is not ours may cost."""
ROUNDS = 5
UPDATES = 4
"""How often mitmproxy says of one exchange that its flow has changed."""


def foreign_flow() -> http.HTTPFlow:
    """Build an ordinary page with a dozen header fields and a query."""
    headers = [(f"X-Field-{number}".encode(), b"value") for number in range(10)]
    fields = http.Headers([*headers, (b"Content-Type", b"text/html; charset=utf-8"), (b"Content-Length", b"2048")])
    request = tutils.treq(path=b"/search?q=a%20b&lang=en", headers=http.Headers([*headers, (b"Host", b"example.com")]))
    flow = tflow.tflow(req=request, resp=tutils.tresp(headers=fields, content=b"x" * 2048))
    return flow


def cost(addon: LtkmInspect, flow: http.HTTPFlow, times: int) -> float:
    """Return microseconds of processor time for all hooks of one exchange: the best of several rounds."""

    def hooks() -> None:
        addon.response(flow)
        for _ in range(UPDATES):
            addon.update([flow])

    return min(timeit.repeat(hooks, number=times, repeat=ROUNDS, timer=time.process_time)) / times * 1e6


async def main() -> int:
    """Print both costs; 1 where the foreign one is too high."""
    logging.disable(logging.CRITICAL)  # what the terminal costs is not ours
    addon = LtkmInspect()
    with taddons.context(addon):  # type: ignore[no-untyped-call]
        foreign = cost(addon, foreign_flow(), 20_000)
        matching = cost(addon, flow_of(reference("several-keys")[-1]), 200)
        addon.faulting.use(Rewriting.of(parse_application("strip-ltkm")))
        foreign_beside = cost(addon, foreign_flow(), 20_000)
    print(f"foreign response:              {foreign:8.2f} µs (at most {MOST_FOREIGN:g})")
    print(f"  with a fault asked for:      {foreign_beside:8.2f} µs")
    print(f"MSK response with two LTKMs:   {matching:8.0f} µs")
    return int(max(foreign, foreign_beside) > MOST_FOREIGN)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
