"""How much memory `check` takes at most for 100 MB and for 1 GB of capture: `python -m tests.bench memory`.

Both captures are 2 % MSK exchanges. What processes share counts once. It needs Linux and 1.2 GB of disk.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench._captures import write
from tests.bench._runs import CHECK, need_room, peak

SIZES = {"100 MB": 100_000_000, "1 GB": 1_000_000_000}
FLOWS_A_GB = 253_500
"""So many flows of the captures are 1 GB."""
MSK = 0.02
AT_MOST = {
    "1 GB: check, all processes, MB": 200.0,
    "1 GB beyond 100 MB: check, largest process, MB": 20.0,
    "1 GB beyond 100 MB: check --jobs 1, MB": 20.0,
}


def figures(share: float = 1.0) -> dict[str, float]:
    """Return MB at the peak, of all processes together and of the largest; `share` makes the captures smaller."""
    found: dict[str, float] = {}
    largest: dict[tuple[str, str], float] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder, "capture.flow")
        for name, size in SIZES.items():
            need_room(Path(folder), int(1.1 * size * share))
            flows = int(FLOWS_A_GB * size / 1e9 * share)
            found[f"{name}: size, MB"] = write(path, flows, int(flows * MSK)) / 1e6
            together, largest[name, "check, largest process"] = peak([*CHECK, str(path)])
            found[f"{name}: check, all processes, MB"] = together
            largest[name, "check --jobs 1"] = peak([*CHECK, "--jobs", "1", str(path)])[1]
            path.unlink()
    small, large = SIZES
    for (name, what), figure in largest.items():
        found[f"{name}: {what}, MB"] = figure
        if name == large:
            found[f"{large} beyond {small}: {what}, MB"] = figure - largest[small, what]
    return found
