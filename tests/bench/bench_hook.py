"""What a response costs inside the hook of the addon: a foreign one, and an MSK response with two LTKMs.

`python -m tests.bench hook`. Every MSK response is another one, as in real traffic.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice
from time import perf_counter

from mitmproxy import http
from mitmproxy.test import taddons, tflow, tutils

from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.flows import flow_of
from tests.bench.bench_proxy import msk

AT_MOST = {"foreign response, µs": 5.0}
ROUNDS = 7
TERMINALS = 20


def foreign_flow() -> http.HTTPFlow:
    """Build an ordinary page with a dozen header fields and a query."""
    headers = [(f"X-Field-{number}".encode(), b"value") for number in range(10)]
    fields = http.Headers([*headers, (b"Content-Type", b"text/html; charset=utf-8"), (b"Content-Length", b"2048")])
    request = tutils.treq(path=b"/search?q=a%20b&lang=en", headers=http.Headers([*headers, (b"Host", b"example.com")]))
    flow = tflow.tflow(req=request, resp=tutils.tresp(headers=fields, content=b"x" * 2048))
    return flow


def cost(addon: LtkmInspect, rounds: Sequence[Sequence[http.HTTPFlow]]) -> float:
    """Return microseconds for one call of the response hook: the best of the rounds."""
    best = float("inf")
    for flows in rounds:
        begin = perf_counter()
        for flow in flows:
            addon.response(flow)
        best = min(best, (perf_counter() - begin) / len(flows))
    return best * 1e6


async def measure() -> dict[str, float]:
    """Return both costs, without what it costs to print lines, which is not ours."""
    logging.disable(logging.CRITICAL)
    addon = LtkmInspect()
    made = (flow_of(msk(number, turn)) for turn in range(10 * ROUNDS) for number in range(TERMINALS))
    matching = [list(islice(made, 10 * TERMINALS)) for _ in range(ROUNDS)]
    try:
        with taddons.context(addon):  # type: ignore[no-untyped-call]
            return {
                "foreign response, µs": cost(addon, [[foreign_flow()] * 20_000] * ROUNDS),
                "MSK response with two LTKMs, µs": cost(addon, matching),
            }
    finally:
        logging.disable(logging.NOTSET)


def figures() -> dict[str, float]:
    """Return microseconds for one call of the hook."""
    return asyncio.run(measure())
