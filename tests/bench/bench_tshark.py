"""`decode` of 10,000 LTKMs to JSON against `tshark -T json -J mikey` on the same messages, start-up of both included.

`python -m tests.bench tshark`. Both start anew for each round: ours reads the base64 and the capture that `export`
writes, tshark that capture. The LTKMs are those of 200 terminals and 40 keys, for download and streaming, each with
values of its own. A machine that is shared takes time away at random, so the best of the rounds counts.
"""

import math
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

from ltkm_inspect import reference
from ltkm_inspect.export.run import Export
from ltkm_inspect.finding import Report

LTKMS = 10_000
TERMINALS = 200
KEYS = 40
ROUNDS = 5
AT_LEAST = {"decode of base64 / tshark, messages a second": 2.0, "decode of pcap / tshark, messages a second": 1.5}


def messages() -> list[tuple[reference.ReferenceTerminal, reference.Grant]]:
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
        for index in range(LTKMS)
    ]
    return [(terminals[index % TERMINALS], grant) for index, grant in enumerate(grants)]


def write(folder: Path) -> tuple[Path, Path]:
    """Write the LTKMs as base64 and as a capture; return the paths."""
    paths = folder / "ltkms.b64", folder / "ltkms.pcap"
    with Export("base64", paths[0]) as text, Export("pcap", paths[1]) as capture:
        for terminal, grant in messages():
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


def figures() -> dict[str, float]:
    """Return messages a second and seconds of a processor, and how they compare; NaN where tshark is not installed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, capture = write(folder)
        ours = [sys.executable, "-m", "ltkm_inspect.cli", "decode", "--format", "jsonl"]
        commands: dict[str, list[str | Path]] = {"decode of base64": [*ours, text], "decode of pcap": [*ours, capture]}
        if shutil.which("tshark"):
            commands["tshark"] = ["tshark", "-r", capture, "-T", "json", "-J", "mikey"]
        wall = dict.fromkeys((*commands, "tshark"), math.nan)
        cpu = dict(wall)
        for _ in range(ROUNDS):
            for who, command in commands.items():
                taken, used = seconds(command, folder / "out")
                wall[who] = min(taken, wall[who])  # NaN, as the second, is never the lesser
                cpu[who] = min(used, cpu[who])
    found = {f"{who}, messages a second": LTKMS / taken for who, taken in wall.items()}
    found |= {f"{who}, seconds of a processor": used for who, used in cpu.items()}
    for who in ("decode of base64", "decode of pcap"):
        found[f"{who} / tshark, messages a second"] = wall["tshark"] / wall[who]
        found[f"{who} / tshark, by time of a processor"] = cpu["tshark"] / cpu[who]
    return found
