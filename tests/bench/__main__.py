"""Runs the benchmarks: `python -m tests.bench [--json FILE] [NAME …]`, every one if none is named.

A benchmark is a module `bench_NAME` here with a function `figures()`, which measures and returns numbers by name: NaN
for what could not be measured. It may have `AT_LEAST` and `AT_MOST`, by the same names: what the figures should be.
Each runs in a process of its own, so that none finds caches warm, or memory full, because of another. The JSON file
holds everything, for comparison between runs.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench._figures import lines, missed

FOLDER = Path(__file__).resolve().parent
RESULT = FOLDER.parents[1] / "build" / "bench.json"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def run(name: str) -> dict[str, Any]:
    """Run one benchmark here, print its figures, and return them with what they should be."""
    module = import_module(f"tests.bench.bench_{name}")
    at_least, at_most = getattr(module, "AT_LEAST", {}), getattr(module, "AT_MOST", {})
    print(f"{name}: {(module.__doc__ or '').partition('\n')[0]}", flush=True)
    began = time.perf_counter()
    figures = module.figures()
    strange = {*at_least, *at_most} - set(figures)
    if strange:
        raise ValueError(f"expected goals for figures of {name}, got {', '.join(sorted(strange))}")
    for line in lines(figures, at_least, at_most):
        print(line, flush=True)
    return {
        "figures": {name: None if math.isnan(value) else value for name, value in figures.items()},
        "at_least": at_least,
        "at_most": at_most,
        "missed": missed(figures, at_least, at_most),
        "seconds": round(time.perf_counter() - began, 1),
    }


def run_apart(name: str, folder: Path) -> dict[str, Any]:
    """Run one benchmark in a process of its own; what went wrong stands in place of its figures."""
    path = folder / f"{name}.json"
    done = subprocess.run([sys.executable, "-m", "tests.bench", "--json", str(path), name], check=False)
    if done.returncode or not path.is_file():
        return {"error": f"ended with status {done.returncode}"}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))["benchmarks"][name]
    return found


def main() -> int:
    """Run what is named and write the file; 1 where a benchmark failed, which a missed figure is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Runs the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}")
    parser.add_argument("--json", type=Path, default=RESULT, metavar="FILE", help="where the figures go")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(names())
    if unknown:
        parser.error(f"expected one of {', '.join(names())}, got {', '.join(sorted(unknown))}")
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with tempfile.TemporaryDirectory() as folder:
        if len(asked.names) == 1:
            found = {asked.names[0]: run(asked.names[0])}
        else:
            found = {name: run_apart(name, Path(folder)) for name in asked.names or names()}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    whole = {"schema": "ltkm-inspect/bench/1", "started": started, "machine": machine, "benchmarks": found}
    asked.json.write_text(json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    failed = [name for name, each in found.items() if "error" in each]
    if len(asked.names) != 1:
        short = [f"{name}: {figure}" for name, each in found.items() for figure in each.get("missed", ())]
        print(f"missed: {'; '.join(short) or 'nothing'}")
        print(f"failed: {', '.join(failed) or 'nothing'}")
        print(f"written: {asked.json}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
