"""What a check on a cluster costs beside one machine: `python -m tests.bench cluster`.

An archive of 40 files with 2 % MSK exchanges, whose terminals go on from file to file, is checked by one worker, by
two, and by `--jobs 2`; and 10 files of it, for the memory of driver and workers. With `FULL=yes` it has 2,000,000 flows
of 5,000 terminals, and takes 8 GB of disk; else two fifths of both. It needs Linux and two cores that nobody else
uses.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench._captures import write_archive
from tests.bench._runs import CHECK, need_room, peak, seconds

FILES, FEW = 40, 10
FLOWS, TERMINALS = (2_000_000, 5000) if os.environ.get("FULL") == "yes" else (800_000, 2000)
EACH = 8
"""How many exchanges a terminal has."""
OCTETS = 4400
"""A flow of the archive has fewer than that."""
LIMIT = ["--session-limit", "1000000"]
AT_LEAST = {"two workers: times as fast as one": 1.6}
AT_MOST = {
    "two workers: times as long as --jobs 2": 1.5,
    "40 files: driver, MB more than 10 files": 50.0,
    "40 files: largest worker, MB more than 10 files": 100.0,
}


def figures(share: float = 1.0) -> dict[str, float]:
    """Return seconds, ratios, and MB at the peak; `share` makes the archive smaller."""
    flows, msk = int(FLOWS * share), int(TERMINALS * EACH * share)
    with TemporaryDirectory() as folder:
        need_room(Path(folder), OCTETS * flows)
        paths = [Path(folder, f"{number:02}.flow") for number in range(FILES)]
        size = write_archive(paths, flows, msk, each=EACH)
        files, few = [*map(str, paths)], [*map(str, paths[:FEW])]
        alone = seconds([*CHECK, *LIMIT, "--cluster", "local:1", *files])
        together = seconds([*CHECK, *LIMIT, "--cluster", "local:2", *files])
        jobs = seconds([*CHECK, *LIMIT, "--jobs", "2", *files])
        found = {
            "archive: size, MB": size / 1e6,
            "archive: MSK exchanges": float(msk),
            "--jobs 2, s": jobs,
            "one worker, s": alone,
            "two workers, s": together,
            "two workers: times as fast as one": alone / together,
            "two workers: times as long as --jobs 2": together / jobs,
        }
        weights = [peak([*CHECK, *LIMIT, "--cluster", "local:2", *each], apart=True) for each in (few, files)]
    for name, small, large in zip(("driver", "largest worker"), *weights, strict=True):
        found |= {
            f"{FEW} files: {name}, MB": small,
            f"{FILES} files: {name}, MB": large,
            f"{FILES} files: {name}, MB more than {FEW} files": large - small,
        }
    return found
