"""How long the inspection of one exchange takes: the two-LTKM reference, then 1 to 1,000 items; decoding included."""

import time
from collections.abc import Callable
from dataclasses import replace

from ltkm_inspect import reference
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.exchange import Exchange

REPEATS = 7


def microseconds(work: Callable[[], object], runs: int) -> float:
    """Return the median over a few rounds of the time that one run takes."""
    rounds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(runs):
            work()
        rounds.append((time.perf_counter() - begin) / runs * 1e6)
    return sorted(rounds)[REPEATS // 2]


def fresh(exchange: Exchange) -> Exchange:
    """Return a copy in which nothing has been parsed yet."""
    return replace(exchange, request=replace(exchange.request), response=replace(exchange.response))  # type: ignore[type-var]


def many(items: int) -> Exchange:
    """Return an exchange with that many items, each with an LTKM of its own."""
    grants = [
        replace(reference.FIRST, msk_id=b"\x24\xcb" + (n + 1).to_bytes(2), counter=n + 1, csb_id=n)
        for n in range(items)
    ]
    answered = [(grant, "200 OK", reference.ltkm(grant)) for grant in grants]
    return reference.exchange([grant.msk_id for grant in grants], answered)


def main() -> None:
    """Print the table."""
    context = Context()
    pair = reference.reference("several-keys")[-1]
    print(f"two LTKMs: {microseconds(lambda: inspect(fresh(pair), context), 500):.0f} µs")
    for items in (1, 10, 100, 1000):
        exchange = many(items)
        taken = microseconds(lambda exchange=exchange: inspect(fresh(exchange), context), max(1, 500 // items))  # type: ignore[misc]
        print(f"{items:5} items: {taken:9.0f} µs, {taken / items:6.1f} µs an item")


if __name__ == "__main__":
    main()
