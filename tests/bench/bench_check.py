"""How fast `check` reads captures, beside `mitmdump -nr`: `python -m tests.bench check`.

On 50,000 flows of which 2 % are MSK exchanges and on 10,000 that all are, start-up included; and what the second core
adds on 200,000 flows, start-up taken out. It takes some minutes and 1.1 GB of disk.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench._captures import write
from tests.bench._runs import CHECK, ROOT, mitmdump, need_room, seconds

ROUNDS = 3
CAPTURES = {"2 %": (50_000, 1_000), "100 %": (10_000, 10_000)}
"""Flows, and MSK exchanges among them."""
LONG = (200_000, 4_000)
AT_LEAST = {
    "2 %: times as fast as mitmdump": 25.0,
    "100 %: times as fast as mitmdump": 3.0,
    "200,000 flows: part of the work of one core that the second adds": 0.7,
}


def figures(share: float = 1.0) -> dict[str, float]:
    """Return seconds, ratios and flows a second; `share` makes the captures smaller."""
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        need_room(Path(folder), int(1.3e9 * share))
        path, confdir = Path(folder, "capture.flow"), Path(folder, "mitmproxy")
        for name, (flows, msk) in CAPTURES.items():
            write(path, int(flows * share), int(msk * share))
            check = seconds([*CHECK, str(path)], ROUNDS)
            plain = seconds(mitmdump(confdir, "-nr", path))
            addon = seconds(mitmdump(confdir, "-nr", path, "-s", ROOT / "addons" / "ltkm.py"))
            found |= {
                f"{name}: check, s": check,
                f"{name}: check --jobs 1, s": seconds([*CHECK, "--jobs", "1", str(path)], ROUNDS),
                f"{name}: mitmdump -nr, s": plain,
                f"{name}: mitmdump -nr with the addon, s": addon,
                f"{name}: times as fast as mitmdump": plain / check,
                f"{name}: times as fast as mitmdump with the addon": addon / check,
                f"{name}: flows a second": flows * share / check,
            }
        write(path, 1, 1)
        start = seconds([*CHECK, str(path)], ROUNDS)
        write(path, int(LONG[0] * share), int(LONG[1] * share))
        alone, together = (seconds([*CHECK, "--jobs", jobs, str(path)], ROUNDS) - start for jobs in ("1", "2"))
    return found | {
        "start-up, s": start,
        "200,000 flows: check --jobs 1 without start-up, s": alone,
        "200,000 flows: check --jobs 2 without start-up, s": together,
        "200,000 flows: part of the work of one core that the second adds": alone / together - 1,
    }
