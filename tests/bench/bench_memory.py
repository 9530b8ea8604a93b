"""How much memory `check` takes at most for 100 MB and for 1 GB of capture: `python -m tests.bench.bench_memory`.

Both captures are 2 % MSK exchanges. It needs Linux and 1.2 GB of disk, and judges nothing.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench._captures import write
from tests.bench._runs import CHECK, need_room, peak

SIZES = {"100 MB": 100_000_000, "1 GB": 1_000_000_000}
FLOWS_A_GB = 253_500
"""So many flows of the captures are 1 GB."""
MSK = 0.02
AT_MOST = 200.0
"""MB, for the larger one."""
MORE = 20.0
"""MB that the larger one takes at most beyond the smaller one."""


def figures(share: float = 1.0) -> dict[str, float]:
    """Return MB at the peak, of all processes together and of the largest; `share` makes the captures smaller."""
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder, "capture.flow")
        for name, size in SIZES.items():
            need_room(Path(folder), int(1.1 * size * share))
            flows = int(FLOWS_A_GB * size / 1e9 * share)
            found[f"{name}: size, MB"] = write(path, flows, int(flows * MSK)) / 1e6
            for jobs in ((), ("--jobs", "1")):
                said = " ".join(("check", *jobs))
                together, largest = peak([*CHECK, *jobs, str(path)])
                found |= {f"{name}: {said}, all processes, MB": together, f"{name}: {said}, largest, MB": largest}
            path.unlink()
    return found


def main() -> None:
    """Print one line a figure."""
    found = figures()
    for name, figure in found.items():
        print(f"{name:>40} {figure:>8,.1f}")
    for which in ("check, all processes", "check, largest", "check --jobs 1, largest"):
        less, more = (found[f"{name}: {which}, MB"] for name in SIZES)
        print(f"{which}: {more:.0f} MB for 1 GB (at most {AT_MOST:g}), {more - less:+.0f} MB (at most {MORE:g})")


if __name__ == "__main__":
    main()
