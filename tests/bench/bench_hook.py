"""What a response costs inside the hooks of the addon: a foreign one, and an MSK response with two LTKMs.

`python -m tests.bench hook`. Every MSK response is another one, as in real traffic.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice
from time import process_time

from mitmproxy import http
from mitmproxy.test import taddons, tflow, tutils

from ltkm_inspect.fault import parse_application
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.rewriting.orders import Orders
from tests.bench.bench_proxy import msk

AT_MOST = {"foreign response, µs": 5.0, "foreign response, with a fault asked for, µs": 5.0}
ROUNDS = 7
TERMINALS = 20
UPDATES = 4
"""How often mitmproxy says of one exchange that its flow has changed."""


def foreign_flow() -> http.HTTPFlow:
    """Build an ordinary page with a dozen header fields and a query."""
    headers = [(f"X-Field-{number}".encode(), b"value") for number in range(10)]
    fields = http.Headers([*headers, (b"Content-Type", b"text/html; charset=utf-8"), (b"Content-Length", b"2048")])
    request = tutils.treq(path=b"/search?q=a%20b&lang=en", headers=http.Headers([*headers, (b"Host", b"example.com")]))
    flow = tflow.tflow(req=request, resp=tutils.tresp(headers=fields, content=b"x" * 2048))
    return flow


def cost(addon: LtkmInspect, rounds: Sequence[Sequence[http.HTTPFlow]]) -> float:
    """Return microseconds of processor time for all hooks of one exchange: the best of the rounds."""
    best = float("inf")
    for flows in rounds:
        begin = process_time()
        for flow in flows:
            addon.response(flow)
            for _ in range(UPDATES):
                addon.update([flow])
        best = min(best, (process_time() - begin) / len(flows))
    return best * 1e6


async def measure() -> dict[str, float]:
    """Return the costs, without what it costs to print lines, which is not ours."""
    logging.disable(logging.CRITICAL)
    addon = LtkmInspect()
    made = (flow_of(msk(number, turn)) for turn in range(10 * ROUNDS) for number in range(TERMINALS))
    matching = [list(islice(made, 10 * TERMINALS)) for _ in range(ROUNDS)]
    try:
        with taddons.context(addon):  # type: ignore[no-untyped-call]
            foreign = [[foreign_flow()] * 20_000] * ROUNDS
            found = {
                "foreign response, µs": cost(addon, foreign),
                "MSK response with two LTKMs, µs": cost(addon, matching),
            }
            addon.faulting.use(FlowRewriter(Orders((parse_application("strip-ltkm"),))))
            return {**found, "foreign response, with a fault asked for, µs": cost(addon, foreign)}
    finally:
        logging.disable(logging.NOTSET)


def figures() -> dict[str, float]:
    """Return microseconds for one call of the hook."""
    return asyncio.run(measure())
