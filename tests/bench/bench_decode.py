"""Messages decoded a second on one core: `python tests/bench/bench_decode.py`; it measures and judges nothing."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ltkm_inspect.mikey import decode, spans, to_plain, tree  # noqa: E402

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


def main() -> None:
    """Print one line a measurement."""
    with (ROOT / "tests" / "vectors" / "ltkm.jsonl").open(encoding="utf-8") as lines:
        octets = base64.b64decode(json.loads(lines.readline())["base64"])
    message = decode(octets)
    works: dict[str, Callable[[bytes], object]] = {
        "decode": decode,
        "encode": lambda octets: message.encode(),
        "spans": spans,
        "tree": lambda octets: tree(message),
        "to_plain": lambda octets: to_plain(message),
    }
    print(f"a message of {len(octets)} octets and {len(message.payloads)} payloads, one core:")
    for name, work in works.items():
        print(f"{name:>10} {rate(work, octets):>10,.0f} a second")


if __name__ == "__main__":
    main()
