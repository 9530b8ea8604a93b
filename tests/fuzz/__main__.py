"""Fuzzes the library: `python -m tests.fuzz [--seconds N] [--seed TEXT] [TARGET …]`, every target if none is named.

Inputs are samples with changes; each can be made again from seed, target and number. An input for which an exception
gets out, a law does not hold, or which takes too long goes into a file, and `--input FILE TARGET` repeats it. Prints
for each target its inputs, crashes, and the growth of its cost, and ends with a verdict; 1 where something went wrong.
"""

import argparse
import json
import math
import resource
import sys
import time
from pathlib import Path

from tests.fuzz import _exchanges, _files, _messages, _redaction
from tests.fuzz._loop import Crash, Tally, failure, run
from tests.fuzz._target import Target, root

RESULT = root() / "build" / "fuzz.json"
FOLDER = root() / "build" / "fuzz"
TARGETS: dict[str, Target] = {
    target.name: target for module in (_messages, _exchanges, _files, _redaction) for target in module.TARGETS
}


def main() -> int:
    """Fuzz what is named; 1 where something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes the library.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, for all targets together [%(default)s]")
    parser.add_argument("--rounds", type=int, default=0, help="so many inputs instead, which no machine changes")
    parser.add_argument("--seed", default="1", help="whatever makes these inputs others [%(default)s]")
    parser.add_argument("--input", type=Path, metavar="FILE", help="repeat one input, which a run has kept")
    parser.add_argument("--json", type=Path, default=RESULT, metavar="FILE", help="where the figures go")
    parser.add_argument("--crashes", type=Path, default=FOLDER, metavar="FOLDER", help="where inputs are kept")
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(TARGETS)
    if unknown:
        parser.error(f"expected one of {', '.join(TARGETS)}, got {', '.join(sorted(unknown))}")
    targets = [TARGETS[name] for name in asked.targets or TARGETS]
    if asked.input is not None:
        return _repeat(targets, asked.input)

    def told(crash: Crash) -> None:
        asked.crashes.mkdir(parents=True, exist_ok=True)
        path = asked.crashes / crash.name
        path.write_bytes(crash.octets)
        path.with_suffix(".txt").write_text(f"{crash.error}\n\n{crash.details}\n", "utf-8", "backslashreplace")
        print(f"{crash.target}: {ascii(crash.error)[1:-1]}; the input is in {path}", flush=True)

    began = time.perf_counter()
    tallies = run(targets, asked.seed, seconds=asked.seconds, rounds=asked.rounds, told=told)
    wall = time.perf_counter() - began
    print(f"{'inputs':>9} {'seconds':>8} {'slowest ms':>10} {'probes':>7} {'exponent':>8} {'crashes':>7}  target")
    for name, tally in tallies.items():
        print(_line(name, tally))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    crashes = sum(len(tally.crashes) for tally in tallies.values())
    inputs = sum(tally.inputs for tally in tallies.values())
    print(f"seed {asked.seed}: {inputs} inputs in {wall:.0f} s, {peak} MB of memory at most")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    whole = {"schema": "ltkm-inspect/fuzz/1", "seed": asked.seed, "seconds": wall, "peak": peak}
    figures = {"targets": {name: _plain(tally) for name, tally in tallies.items()}}
    asked.json.write_text(json.dumps(whole | figures, indent=2, allow_nan=False) + "\n", "utf-8")
    print(f"verdict: {crashes} crashes" if crashes else "verdict: no crash, no hang, no broken law")
    return int(bool(crashes))


def _repeat(targets: list[Target], path: Path) -> int:
    octets = path.read_bytes()
    crashes = [crash for target in targets if (crash := failure(target, octets))]
    for crash in crashes:
        print(f"{crash.target}: {ascii(crash.error)[1:-1]}\n{crash.details}")
    print(f"verdict: {len(crashes)} of {len(targets)} targets fail")
    return int(bool(crashes))


def _line(name: str, tally: Tally) -> str:
    exponent = "-" if math.isnan(tally.exponent) else f"{tally.exponent:.2f}"
    figures = f"{tally.inputs:>9} {tally.seconds:>8.1f} {tally.slowest * 1000:>10.0f} {tally.probes:>7} {exponent:>8}"
    return f"{figures} {len(tally.crashes):>7}  {name}"


def _plain(tally: Tally) -> dict[str, object]:
    return {
        "inputs": tally.inputs,
        "seconds": tally.seconds,
        "slowest": tally.slowest,
        "probes": tally.probes,
        "exponent": None if math.isnan(tally.exponent) else tally.exponent,
        "crashes": [
            {"error": ascii(each.error)[1:-1], "input": each.name, "again": each.again}
            for each in tally.crashes.values()
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
