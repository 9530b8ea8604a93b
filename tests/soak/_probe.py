"""What measures latency: the same requests through the proxy with the addon and through one without, in turn."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from time import monotonic, perf_counter

from ltkm_inspect.reference import ReferenceTerminal
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset
from tests.proxy.parts import PATIENCE
from tests.soak._traffic import Crowd, SoakBsm

EVERY = 0.4
"""Seconds between two probes."""
REQUESTS = 50
"""How many a terminal sends in one session."""
PROBED = bytes.fromhex("26000001")
ADDON, BARE = "addon", "bare"


class Probe:
    """Two terminals, one behind each proxy, whose requests are timed."""

    def __init__(self, bsm: SoakBsm, crowds: Sequence[Crowd]) -> None:
        """Take who else uses the two proxies."""
        self._crowds = {each.name: each for each in crowds}
        self.latencies: dict[str, list[tuple[float, float]]] = {name: [] for name in self._crowds}
        """When a probe ended, by the monotonic clock, and how many seconds it took."""
        self._people = {way: person(f"probe {way}") for way in self.latencies}
        for each in self._people.values():
            bsm.subscribe(each)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def terminals(self) -> list[ReferenceTerminal]:
        """Whose keys the proxy should know."""
        return [*self._people.values()]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ends.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._ends.is_set():
            with ExitStack() as stack:
                sets: dict[str, tuple[Handset, str]] = {}
                for way, crowd in self._crowds.items():
                    host = crowd.ledger.address()
                    sets[way] = stack.enter_context(Handset(self._people[way], crowd.port, source=host)), host
                self._session(sets)

    def _session(self, handsets: dict[str, tuple[Handset, str]]) -> None:
        for number in range(REQUESTS):
            for way, (handset, host) in handsets.items():
                crowd = self._crowds[way]
                crowd.ledger.begin(host, "session")
                begin = perf_counter()
                try:
                    taken = handset.ask([PROBED]) if number else handset.connect([PROBED])
                except OSError as error:
                    crowd.ledger.fail(f"{crowd.phase} (probe: {error})")
                    self._ends.wait(EVERY)
                    return
                seconds = perf_counter() - begin
                handset.taken.clear()
                crowd.ledger.end(host)
                if not number and not taken.received.start.startswith("HTTP/1.1 401"):
                    self._ends.wait(EVERY)
                    return  # without a nonce there is nothing to ask with
                if number:
                    self.latencies[way].append((monotonic(), seconds))
            if self._ends.wait(EVERY):
                return
