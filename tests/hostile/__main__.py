"""Measures the hostile forms: `python -m tests.hostile [--way WAY] [WORD …]`, all of them where no word is given.

Each form is made larger in steps of four, up to 960 KiB, and looked at in three ways:

- `offline`: `check` with keys, redaction and a report in every format: growth of processor time, memory, and what is
  written;
- `live`: the hooks of the addon in an event loop, with keys, redaction and a report: growth, and the longest time for
  which the loop was held;
- `proxy`: an innocent request beside the hostile one in real mitmdump, with and without the addon: how long it waits.
Prints a line for each form, and ends with a verdict; 1 where a form is above a bound. The JSON file holds everything.
"""

import argparse
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.hostile import _growth
from tests.hostile._form import Form
from tests.hostile._growth import SIZES, Cost, Ways
from tests.hostile._neighbor import Neighbors
from tests.hostile._table import selected

RESULT = ROOT / "build" / "hostile.json"
WAYS = ("offline", "live", "proxy")


def main() -> int:
    """Measure what is named and write the file; 1 where something is above a bound."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description="Measures the hostile forms.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only forms whose name holds one of these")
    parser.add_argument("--way", action="append", choices=WAYS, help="how to look at them (several); all ways without")
    parser.add_argument("--octets", type=int, default=SIZES[-1], help="how large a form may get [%(default)s]")
    parser.add_argument("--list", action="store_true", help="print the names of the forms")
    parser.add_argument("--json", type=Path, default=RESULT, metavar="FILE", help="where the figures go")
    asked = parser.parse_args()
    forms = selected(asked.words)
    if not forms:
        parser.error(f"expected a word out of the name of a form, got {' '.join(asked.words)}")
    if asked.list:
        print("\n".join(form.name for form in forms))
        return 0
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ways = [way for way in WAYS if not asked.way or way in asked.way]
    found: dict[str, dict[str, Any]] = {}
    for way in ways:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            print(f"{way}: {len(forms)} forms", flush=True)
            print(HEADING, flush=True)
            look = _look(way, Path(folder), [size for size in SIZES if size <= asked.octets], stack)
            for form in forms:
                cost = look(form)
                found.setdefault(form.name, {})[way] = _plain(cost)
                print(_line(form, cost), flush=True)
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    whole = {"schema": "ltkm-inspect/hostile/1", "started": started, "machine": machine, "forms": found}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n", "utf-8")
    above = [
        f"{name} ({way}): {', '.join(each['wrong'])}"
        for name, by_way in found.items()
        for way, each in by_way.items()
        if each["wrong"]
    ]
    for line in above:
        print(f"above the bounds: {line}")
    print(f"written: {asked.json}")
    print(
        f"verdict: {len(above)} of {sum(map(len, found.values()))} above the bounds" if above else "verdict: all within"
    )
    return int(bool(above))


def _look(way: str, folder: Path, sizes: Sequence[int], stack: ExitStack) -> Callable[[Form], Cost]:
    ways = Ways(folder)
    if way == "proxy":
        neighbors = stack.enter_context(Neighbors(folder, ways.ring))
        return lambda form: neighbors.cost(form, sizes[-1])
    offline, live = _growth.warm_up(ways)
    if way == "offline":
        return lambda form: _growth.cost(partial(_growth.offline, ways), form, offline, sizes)
    return lambda form: _growth.cost(partial(_growth.live, ways), form, live, sizes)


HEADING = f"{'exponent':>10} {'seconds':>8} {'octets':>9} {'MB':>6} {'loop ms':>8} {'delay ms':>8} {'written':>8}  form"


def _line(form: Form, cost: Cost) -> str:
    exponent = "-" if math.isnan(cost.exponent) else f"{cost.exponent:.2f}"
    held = f"{cost.slice * 1000:.0f}" if cost.slice else "-"
    wrong = f": {', '.join(cost.wrong)}" if cost.wrong else ""
    grew = f"{exponent:>10} {cost.seconds:>8.2f} {cost.octets:>9} {cost.peak:>6.0f}"
    return f"{grew} {held:>8} {cost.delay * 1000:>8.0f} {cost.written:>8.1f}  {form.name}{wrong}"


def _plain(cost: Cost) -> dict[str, Any]:
    return {name: None if isinstance(each, float) and math.isnan(each) else each for name, each in asdict(cost).items()}


if __name__ == "__main__":
    sys.exit(main())
