"""What measures latency: the same requests through the proxy with the addon and through one without, in turn."""

import threading
from contextlib import ExitStack
from time import monotonic, perf_counter

from ltkm_inspect.reference import ReferenceTerminal
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset
from tests.proxy.parts import PATIENCE
from tests.soak._ledger import Ledger
from tests.soak._traffic import Crowd, SoakBsm

EVERY = 0.4
"""Seconds between two probes."""
REQUESTS = 50
"""How many a terminal sends in one session."""
PROBED = bytes.fromhex("26000001")
ADDON, BARE = "addon", "bare"


class Probe:
    """Two terminals, one behind each proxy, whose requests are timed."""

    def __init__(self, bsm: SoakBsm, ledger: Ledger, crowd: Crowd, bare_port: int) -> None:
        """Take the port of the proxy without the addon."""
        self.latencies: dict[str, list[tuple[float, float]]] = {ADDON: [], BARE: []}
        """When a probe ended, by the monotonic clock, and how many seconds it took."""
        self._people = {way: person(f"probe {way}") for way in self.latencies}
        for each in self._people.values():
            bsm.subscribe(each)
        self._ledger, self._crowd, self._bare_port = ledger, crowd, bare_port
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
            host = self._ledger.address()
            ports = {ADDON: self._crowd.port, BARE: self._bare_port}
            with ExitStack() as stack:
                sets = {
                    way: stack.enter_context(Handset(self._people[way], port, source=host))
                    for way, port in ports.items()
                }
                self._session(sets, host)

    def _session(self, handsets: dict[str, Handset], host: str) -> None:
        for number in range(REQUESTS):
            for way, handset in handsets.items():
                if way == ADDON:
                    self._ledger.begin(host, "session")
                begin = perf_counter()
                try:
                    _ = handset.ask([PROBED]) if number else handset.connect([PROBED])
                except OSError as error:
                    self._ledger.fail(f"{self._crowd.phase} (probe through {way}: {error})")
                    self._ends.wait(EVERY)
                    return
                seconds = perf_counter() - begin
                handset.taken.clear()
                if way == ADDON:
                    self._ledger.end(host)
                if number:
                    self.latencies[way].append((monotonic(), seconds))
            if self._ends.wait(EVERY):
                return
