"""The clean references acted out on the loopback: how the BSM answers, and what the terminal asks for."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Report
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import FIRST, SECOND, ReferenceTerminal
from ltkm_inspect.session import Session
from tests.loopback.bsm import Bsm, Habits, Served
from tests.loopback.terminal import Handset, Taken

PLAIN = Habits()


@dataclass(frozen=True, slots=True)
class Scene:
    """One reference: a challenge, then so many deliveries, of which the last is the one that a fault damages."""

    habits: Habits = PLAIN
    msk_ids: tuple[bytes, ...] = (FIRST.msk_id,)
    deliveries: int = 1
    """With none, the challenge itself is damaged."""

    def act(self, bsm: Bsm, handset: Handset, before_the_last: Callable[[], object] = lambda: None) -> Taken:
        """Play it, with something done in front of the last exchange; return that exchange as the terminal saw it."""
        bsm.subscribe(handset.terminal, self.habits)
        if not self.deliveries:
            before_the_last()
            return handset.connect(self.msk_ids)
        handset.connect(self.msk_ids)
        for _ in range(self.deliveries - 1):
            handset.ask(self.msk_ids)
        before_the_last()
        return handset.ask(self.msk_ids)


SCENES: dict[str, Scene] = {
    "download": Scene(),
    "streaming": Scene(Habits(streaming=True)),
    "several-keys": Scene(msk_ids=(FIRST.msk_id, SECOND.msk_id)),
    "plain-message": Scene(Habits(bcast=False)),
    "plain-mbms": Scene(Habits(delivers=False)),
    "refused": Scene(Habits(code="403 Forbidden")),
    "challenge": Scene(),
    "challenged": Scene(deliveries=0),
    "renewal": Scene(deliveries=2),
    "streaming-renewal": Scene(Habits(streaming=True), deliveries=2),
    "next-nonce": Scene(Habits(next_nonce=True), deliveries=2),
}
"""What is played for each reference of one terminal with one connection."""


def person(name: str) -> ReferenceTerminal:
    """Return a terminal with a B-TID and keys of its own."""

    def derived(what: str, length: int) -> bytes:
        return sha256(f"loopback {what} {name}".encode()).digest()[:length]

    b_tid = f"{base64.b64encode(derived('RAND', 16)).decode()}@bsf.home1.net"
    return ReferenceTerminal(b_tid, derived("MUK", 32), derived("MRK", 32), f"192.0.2.10:{name}")


def reports(handset: Handset, keys: KeyRing | None = None) -> list[Report]:
    """Inspect what a terminal took, as one session."""
    keys = KeyRing((handset.terminal.subscriber,)) if keys is None else keys
    context = Context(Settings(debug=True), keys, Session())
    return [inspect(taken.exchange, context) for taken in handset.taken]


def served_for(bsm: Bsm, handset: Handset) -> list[Served]:
    """Return what the BSM served to a terminal that was alone with it while it lasted."""
    return bsm.served[-len(handset.taken) :]
