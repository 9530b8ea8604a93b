"""Messages decoded a second on one core: `python -m tests.bench decode`; it judges nothing."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from ltkm_inspect.mikey import decode, spans, to_plain, tree

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ltkm.jsonl"
ROUNDS = 7
SECONDS = 0.4
"""How long one round takes, about."""


def rate(work: Callable[[bytes], object], octets: bytes) -> float:
    """Return how often a second the work is done, in the best of the rounds."""
    count, taken = 1, 0.0
    while taken < SECONDS / 4:
        count *= 2
        taken = _time(work, octets, count)
    count = max(1, int(count * SECONDS / taken))
    return count / min(_time(work, octets, count) for _ in range(ROUNDS))


def _time(work: Callable[[bytes], object], octets: bytes, count: int) -> float:
    begin = perf_counter()
    for _ in range(count):
        work(octets)
    return perf_counter() - begin


def figures() -> dict[str, float]:
    """Return how often a second each work is done to a message of the vectors."""
    with VECTORS.open(encoding="utf-8") as lines:
        octets = base64.b64decode(json.loads(lines.readline())["base64"])
    message = decode(octets)
    works: dict[str, Callable[[bytes], object]] = {
        "decode": decode,
        "encode": lambda octets: message.encode(),
        "spans": spans,
        "tree": lambda octets: tree(message),
        "to_plain": lambda octets: to_plain(message),
    }
    return {f"{name}, messages a second": rate(work, octets) for name, work in works.items()}
