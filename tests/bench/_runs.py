"""Programs as they are started by a user, timed and weighed."""

import subprocess
import sys
import time
from pathlib import Path
from shutil import disk_usage

ROOT = Path(__file__).resolve().parents[2]
CHECK = [sys.executable, "-m", "ltkm_inspect.cli", "check", "--fail-on", "never"]
SAMPLES = 0.02
"""Seconds between two looks at the memory of a program."""


def mitmdump(confdir: Path, *arguments: str | Path) -> list[str]:
    """Return the command line of mitmdump, with a configuration folder of its own."""
    return [str(Path(sys.executable).with_name("mitmdump")), "--set", f"confdir={confdir}", *map(str, arguments)]


def seconds(command: list[str], rounds: int = 1) -> float:
    """Return how long a command takes from its start to its end, the best of some rounds; what it prints is dropped."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - began)
    return min(taken)


def peak(command: list[str], *, apart: bool = False) -> tuple[float, float]:
    """Return MB of memory at most: of all its processes together, what they share counted once, and of the largest.

    `apart` is for that of the process itself, and of the largest that it started. Needs /proc as Linux has it.
    """
    together = largest = own = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            all = [process.pid, *_children(process.pid)]
            if apart:
                own = max(own, _kb(process.pid, "status", "VmHWM:"))
                all.remove(process.pid)
            else:
                together = max(together, sum(_kb(pid, "smaps_rollup", "Pss:") for pid in all))
            largest = max([largest, *(_kb(pid, "status", "VmHWM:") for pid in all)])
            time.sleep(SAMPLES)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return (own if apart else together) / 1000, largest / 1000


def need_room(folder: Path, octets: int) -> None:
    """Raise OSError where a folder has no room for so many octets."""
    free = disk_usage(folder).free
    if free < octets:
        raise OSError(f"expected {octets / 1e9:.1f} GB free in {folder}, got {free / 1e9:.1f} GB")


def _children(pid: int) -> list[int]:
    """Return the processes that one has started, in any of its threads, and those that these have started."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_children(child)]
    except OSError:  # it ended meanwhile
        pass
    return found


def _kb(pid: int, file: str, field: str) -> int:
    try:
        with open(f"/proc/{pid}/{file}") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
    except OSError:  # it ended meanwhile
        return 0
