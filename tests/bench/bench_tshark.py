"""`decode --format jsonl` of 10,000 LTKMs against `tshark -T json -J mikey`: `python -m tests.bench.bench_tshark`.

Both get the same messages and start anew for each round: ours from the base64 and from the capture that `export`
writes, tshark from that capture. The LTKMs are those of 200 terminals and 40 keys, for download and streaming, each
with values of its own. A machine that is shared takes time away at random, so the best of the rounds counts.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from ltkm_inspect import reference
from ltkm_inspect.finding import Report
from ltkm_inspect.report.export import Export

LTKMS = 10_000
TERMINALS = 200
KEYS = 40
ROUNDS = 5
AT_LEAST = 1.5
"""How many times the messages a second of tshark are wanted."""


def messages(number: int = LTKMS) -> list[tuple[reference.Terminal, reference.Grant]]:
    """Return who gets which key, each with a counter, CSB ID and RAND of its own."""
    names = [b64encode(number.to_bytes(16)).decode() for number in range(TERMINALS)]
    terminals = [replace(reference.TERMINAL, b_tid=f"{name}@bsf.home1.net") for name in names]
    grants = [
        replace(
            reference.STREAMING if index % 3 == 0 else reference.FIRST,
            msk_id=b"\x24\xcb" + (1 + index % KEYS).to_bytes(2),
            counter=1 + index,
            csb_id=0x10000000 + index,
            rand=(index * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)).to_bytes(16),
        )
        for index in range(number)
    ]
    return [(terminals[index % TERMINALS], grant) for index, grant in enumerate(grants)]


def write(folder: Path, number: int = LTKMS) -> tuple[Path, Path]:
    """Write that many LTKMs as base64 and as a capture; return the paths."""
    paths = folder / "ltkms.b64", folder / "ltkms.pcap"
    with Export("base64", paths[0]) as text, Export("pcap", paths[1]) as capture:
        for terminal, grant in messages(number):
            answered = [(grant, "200 OK", reference.ltkm(grant, terminal))]
            report = Report(reference.exchange([grant.msk_id], answered, terminal=terminal))
            text.add(report)
            capture.add(report)
        text.finish()
        capture.finish()
    return paths


def seconds(command: Sequence[str | Path], out: Path) -> tuple[float, float]:
    """Run a command with its output in a file; return how long it took, and how much of a processor."""
    before = os.times()
    begin = perf_counter()
    with out.open("wb") as file:
        subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)
    taken, after = perf_counter() - begin, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return taken, used


def measure(number: int = LTKMS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return messages a second, start-up included, and the ratios to tshark; without tshark only our own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, capture = write(folder, number)
        ours = [sys.executable, "-m", "ltkm_inspect.cli", "decode", "--format", "jsonl"]
        commands: dict[str, list[str | Path]] = {"base64": [*ours, text], "pcap": [*ours, capture]}
        if shutil.which("tshark"):
            commands["tshark"] = ["tshark", "-r", capture, "-T", "json", "-J", "mikey"]
        wall = dict.fromkeys(commands, float("inf"))
        cpu = dict.fromkeys(commands, float("inf"))
        for _ in range(rounds):
            for who, command in commands.items():
                taken, used = seconds(command, folder / "out")
                wall[who], cpu[who] = min(wall[who], taken), min(cpu[who], used)
    found: dict[str, Any] = {
        "ltkms": number,
        "seconds": wall,
        "processor_seconds": cpu,
        "messages_a_second": {who: number / taken for who, taken in wall.items()},
    }
    if "tshark" in wall:
        found["ratio"] = {who: wall["tshark"] / wall[who] for who in ("base64", "pcap")}
        found["processor_ratio"] = {who: cpu["tshark"] / cpu[who] for who in ("base64", "pcap")}
        found["at_least"] = AT_LEAST
    return found


def main() -> None:
    """Print the table."""
    found = measure()
    print(f"{found['ltkms']:,} LTKMs to JSON, start-up included, the best of {ROUNDS} rounds:")
    for who, rate in found["messages_a_second"].items():
        name = who if who == "tshark" else f"decode, {who}"
        used = found["processor_seconds"][who]
        print(
            f"{name:>15} {rate:>9,.0f} messages a second, {found['seconds'][who]:.2f} s ({used:.2f} s of a processor)"
        )
    if "ratio" not in found:
        print("tshark is not installed, so there is nothing to compare with")
        return
    for who, ratio in found["ratio"].items():
        used = found["processor_ratio"][who]
        print(
            f"decode of {who}: {ratio:.2f} times tshark (at least {AT_LEAST}), by time of a processor {used:.2f} times"
        )


if __name__ == "__main__":
    main()
