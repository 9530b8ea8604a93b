"""Messages opened a second on one core: `python -m tests.bench keys`; it judges nothing."""

import base64
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ltkm_inspect.keys import Subscriber
from ltkm_inspect.keys.opening import open_with
from ltkm_inspect.keys.protection import decrypt, mac_verifies
from ltkm_inspect.mikey import decode

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ltkm.jsonl"
ROUNDS = 60
SECONDS = 0.02
"""How long one round of one work takes, about: short, so that each work meets a quiet moment of a busy machine."""


def rates(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return how often a second each work is done, in its best round; the works take turns."""
    counts = {name: max(1, int(1000 * SECONDS / _time(work, 1000))) for name, work in works.items()}
    best = dict.fromkeys(works, 0.0)
    for _ in range(ROUNDS):
        for name, work in works.items():
            best[name] = max(best[name], counts[name] / _time(work, counts[name]))
    return best


def _time(work: Callable[[], object], count: int) -> float:
    begin = perf_counter()
    for _ in range(count):
        work()
    return perf_counter() - begin


def figures() -> dict[str, float]:
    """Return how often a second each work is done, and how that compares with the calls of the crypto alone."""
    with VECTORS.open(encoding="utf-8") as lines:
        vector = json.loads(lines.readline())
    octets, muk = base64.b64decode(vector["base64"]), bytes.fromhex(vector["psk"]["hex"])
    message, subscriber = decode(octets), Subscriber("*", muks=(muk,))
    label, data = bytes(25), bytes(42)

    def floor() -> None:
        """Make the calls of `hmac` and `cryptography` that the RFC's formulas name, one by one."""
        for _ in range(3):
            hmac.digest(muk, hmac.digest(muk, label, "sha1") + label, "sha1")
        hmac.digest(muk, octets[:-20], "sha1")
        Cipher(algorithms.AES(muk[:16]), modes.CTR(muk[:16])).encryptor().update(data)

    works: dict[str, Callable[[], object]] = {
        "crypto calls alone": floor,
        "decode": lambda: decode(octets),
        "verify": lambda: mac_verifies(message, octets, muk),
        "decrypt": lambda: decrypt(message, muk),
        "open": lambda: open_with(subscriber, message, octets),
        "decode and open": lambda: open_with(subscriber, decode(octets), octets),
    }
    best = rates(works)
    found = {f"{name}, messages a second": rate for name, rate in best.items()}
    return found | {f"{name} / crypto calls alone": rate / best["crypto calls alone"] for name, rate in best.items()}
