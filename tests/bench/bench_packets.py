"""How fast packet captures are read and checked, beside tshark: `python -m tests.bench packets`.

A capture of 100,000 packets with 2,000 MSK exchanges and 2,000 pushes between downloads of others, some segments out of
order. All run on one core, but for `--jobs 2`. The memory is compared with that of a capture with as many exchanges and
five times as many packets. It needs 500 MB of disk.
"""

import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from tests.bench._packets import write
from tests.bench._runs import CHECK, ROOT, need_room, peak

PACKETS, MSK = 100_000, 2_000
LONGER = 5
ROUNDS = 3
TSHARK = ["-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "http.response or mikey", "-T", "json"]
READ = """
import sys
from time import process_time
from ltkm_inspect.capture.packets import events
from ltkm_inspect.traffic import Event
began = process_time()
with open(sys.argv[1], "rb", buffering=0) as file:
    found = sum(isinstance(each, Event) for each in events(file.read))
print(process_time() - began, found)
"""
"""Reads a capture and prints how long that took, and how many events there are."""
AT_MOST = {"read and reassembled, s of a core": 2.0, "5 times as long: check --jobs 1, MB more": 20.0}
AT_LEAST = {"check --jobs 1: times as fast as tshark": 2.0, "check --jobs 2: times as fast as tshark": 3.0}


def figures(share: float = 1.0) -> dict[str, float]:
    """Return seconds, ratios and MB, NaN where tshark is not installed; `share` makes the captures smaller."""
    packets, msk = int(PACKETS * share), int(MSK * share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        need_room(folder, int(5e8 * share))
        path = folder / "capture.pcapng"
        size = write(path, packets, msk)
        read = min(_read(path, 2 * msk) for _ in range(ROUNDS))
        commands: dict[str, tuple[Sequence[str | Path], int]] = {
            "check --jobs 1": ([*CHECK, "--jobs", "1", path], 1),
            "check --jobs 2": ([*CHECK, "--jobs", "2", path], 2),
        }
        if shutil.which("tshark"):
            commands["tshark"] = (["tshark", "-r", path, *TSHARK], 1)
        wall = dict.fromkeys((*commands, "tshark"), math.nan)
        used = dict(wall)
        for _ in range(ROUNDS):
            for who, (command, cores) in commands.items():
                taken, processor = _seconds(command, folder / "out", cores)
                wall[who] = min(taken, wall[who])  # NaN, as the second, is never the lesser
                used[who] = min(processor, used[who])
        memory = peak([*CHECK, "--jobs", "1", str(path)])[1]
        write(path, LONGER * packets, msk)
        longer = peak([*CHECK, "--jobs", "1", str(path)])[1]
    return {
        "size, MB": size / 1e6,
        "read and reassembled, s of a core": read,
        **{f"{who}, s": taken for who, taken in wall.items()},
        **{f"{who}: times as fast as tshark": wall["tshark"] / wall[who] for who in commands if who != "tshark"},
        "check --jobs 1, seconds of a processor": used["check --jobs 1"],
        "tshark, seconds of a processor": used["tshark"],
        "check --jobs 1, MB": memory,
        f"{LONGER} times as long: check --jobs 1, MB more": longer - memory,
    }


def _read(path: Path, events: int) -> float:
    done = subprocess.run([sys.executable, "-c", READ, path], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    taken, found = done.stdout.split()
    if int(found) != events:
        raise ValueError(f"expected {events} events, got {found}")
    return float(taken)


def _seconds(command: Sequence[str | Path], out: Path, cores: int) -> tuple[float, float]:
    """Return how long a command takes on so many cores, start-up included, and how much of a processor."""
    every = sorted(os.sched_getaffinity(0))
    times, before = os.times(), perf_counter()
    with out.open("wb") as file:
        subprocess.run(
            command,
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.DEVNULL,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, every[:cores]),
        )
    taken, after = perf_counter() - before, os.times()
    return taken, after.children_user + after.children_system - times.children_user - times.children_system
