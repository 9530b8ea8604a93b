"""How long the inspection of one exchange takes: the two-LTKM reference, then 1 to 10,000 items; decoding included.

`python -m tests.bench inspect`.
"""

import gc
from dataclasses import replace
from statistics import median
from time import process_time

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect, messages
from ltkm_inspect.traffic import Exchange
from ltkm_inspect.wire.garbage import collect_rarely

ROUNDS = 9
AT_MOST = {"two LTKMs, µs": 250.0, "10,000 items / 100 items, µs an item": 1.5}
"""A clean exchange with two LTKMs is quick, and what an item costs does not grow with their number."""
DIFFERENT = 200
"""How many exchanges take turns, each with messages and credentials of its own, so that nothing of them is known."""


def microseconds(exchanges: list[Exchange], context: Context, rounds: int = ROUNDS, *, anew: bool = False) -> float:
    """Return how long one inspection takes: the median of the exchanges, each at its best of a few rounds.

    The copies are made before the clock runs. A machine that is shared takes time away at random, so what counts is the
    time of the processor, and the best of an exchange. With `anew` no message is like one that was inspected before:
    else a response with more keys than are remembered would be compared with one whose keys all are.
    """
    best = [float("inf")] * len(exchanges)
    for _ in range(rounds):
        copies = [fresh(exchange) for exchange in exchanges]
        gc.collect()
        while copies:  # each is gone once it was inspected
            copy = copies.pop()
            if anew:
                messages.shape_cache.cache_clear()
            begin = process_time()
            inspect(copy, context)
            taken = process_time() - begin
            best[len(copies)] = min(best[len(copies)], taken)
    return median(best) * 1e6


def fresh(exchange: Exchange) -> Exchange:
    """Return a copy in which nothing has been parsed yet."""
    assert exchange.response is not None
    request = replace(exchange.request, headers=replace(exchange.request.headers))
    response = replace(exchange.response, headers=replace(exchange.response.headers))
    return replace(exchange, request=request, response=response)


def pair(turn: int) -> Exchange:
    """Return the two-LTKM reference with counters, CSB IDs, RANDs and a nonce count of its own; the MACs follow."""
    grants = [
        replace(grant, counter=grant.counter + 2 * turn, csb_id=grant.csb_id + 2 * turn, rand=_rand(2 * turn + index))
        for index, grant in enumerate((reference.FIRST, reference.SECOND))
    ]
    answered = [(grant, "200 OK", reference.ltkm(grant)) for grant in grants]
    return reference.exchange([grant.msk_id for grant in grants], answered, nc=turn + 1)


def many(items: int, turn: int) -> Exchange:
    """Return an exchange with that many items, each with an LTKM of its own."""
    first = items * turn
    grants = [
        replace(reference.FIRST, msk_id=b"\x24\xcb" + (n + 1).to_bytes(2), counter=first + n + 1, csb_id=first + n + 1)
        for n in range(items)
    ]
    answered = [(grant, "200 OK", reference.ltkm(grant)) for grant in grants]
    return reference.exchange([grant.msk_id for grant in grants], answered, nc=turn + 1)


def _rand(number: int) -> bytes:
    return (reference.FIRST.rand[:12] + number.to_bytes(4))[-16:]


def figures() -> dict[str, float]:
    """Return microseconds."""
    collect_rarely()  # as the command line does
    context = Context()
    found = {"two LTKMs, µs": microseconds([pair(turn) for turn in range(DIFFERENT)], context)}
    for items in (1, 10, 100, 1000, 10_000):
        rounds = ROUNDS if items < 10_000 else 3
        exchanges = [many(items, turn) for turn in range(max(2, DIFFERENT // items))]
        found[f"{items:,} items, µs an item"] = microseconds(exchanges, context, rounds, anew=True) / items
    few, lots = (found[f"{items} items, µs an item"] for items in ("100", "10,000"))
    return found | {"10,000 items / 100 items, µs an item": lots / few}
