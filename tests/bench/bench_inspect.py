"""How long the inspection of one exchange takes: the two-LTKM reference, then 1 to 10,000 items; decoding included.

`python -m tests.bench.bench_inspect`; it measures and judges nothing.
"""

import gc
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Any

from ltkm_inspect import reference
from ltkm_inspect.cli import COLLECT_AFTER
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect, inspection
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.rule import RULES

ROUNDS = 9
AT_MOST = 250
"""How many microseconds a clean exchange with two LTKMs may take."""
ITEMS = (1, 10, 100, 1000, 10_000)
"""How many items are in one response, each with an LTKM whose key was never seen before."""
LINEAR = 1.25
"""At most so many times the cost of an item among 100 may an item among 10,000 cost."""
DIFFERENT = 200
"""How many exchanges take turns, each with messages and credentials of its own, so that nothing of them is known."""


def microseconds(exchanges: list[Exchange], context: Context, rounds: int = ROUNDS, *, anew: bool = False) -> float:
    """Return how long one inspection takes: the median of the exchanges, each at its best of a few rounds.

    The copies are made before the clock runs. A machine that is shared takes time away at random, so what counts is the
    time of the processor, and the best of an exchange. With `anew` no message is like one that was inspected before.
    """
    best = [float("inf")] * len(exchanges)
    for _ in range(rounds):
        copies = [fresh(exchange) for exchange in exchanges]
        gc.collect()
        while copies:  # each is gone once it was inspected
            copy = copies.pop()
            if anew:
                inspection._plain.cache_clear()
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


def measure() -> dict[str, Any]:
    """Return the microseconds of an exchange with two LTKMs, and of one item by the number of items."""
    context = Context()
    pairs = microseconds([pair(turn) for turn in range(DIFFERENT)], context)
    by_item = {}
    for items in ITEMS:
        exchanges = [many(items, turn) for turn in range(max(2, DIFFERENT // items) if items < 10_000 else 1)]
        by_item[items] = microseconds(exchanges, context, ROUNDS if items < 10_000 else 5, anew=True) / items
    ratio = by_item[10_000] / by_item[100]
    return {
        "rules": len(RULES),
        "two_ltkms_us": pairs,
        "two_ltkms_at_most_us": AT_MOST,
        "item_us": by_item,
        "item_of_10000_to_item_of_100": ratio,
        "at_most": LINEAR,
    }


def main() -> None:
    """Print the table."""
    gc.set_threshold(COLLECT_AFTER)  # as the command line does
    found = measure()
    print(f"{found['rules']} rules")
    print(f"two LTKMs: {found['two_ltkms_us']:.0f} µs (at most {AT_MOST})")
    for items, taken in found["item_us"].items():
        print(f"{items:6,} items: {taken * items:11,.0f} µs, {taken:6.1f} µs an item")
    ratio = found["item_of_10000_to_item_of_100"]
    print(f"an item among 10,000 costs {ratio:.2f} times one among 100 (linear: at most {LINEAR})")


if __name__ == "__main__":
    main()
