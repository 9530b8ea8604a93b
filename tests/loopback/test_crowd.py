"""Eight terminals at once through one proxy, with faults by chance: the same ones are hit, nobody gets another's."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from ltkm_inspect.reference import ReferenceTerminal
from tests.loopback.bsm import Bsm, Served, page, ring_text
from tests.loopback.proxy import reverse
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset, Taken
from tests.loopback.wire import Received
from tests.proxy.parts import PATIENCE, Mitmdump, Run
from tests.samples.lab import granted

PEOPLE = [person(f"crowd {number}") for number in range(8)]
EXCHANGES = 10
"""How often each of them asks for a key; after every tenth time it gets a page as well."""
FAULT = "shorten-rand"


@dataclass(frozen=True, slots=True)
class Day:
    """What became of all of them in one run."""

    taken: dict[str, list[Taken]]
    """What each terminal got, by B-TID, without its challenge."""
    pages: list[tuple[str, Received]]
    served: dict[str, list[Served]]
    run: Run

    def hits(self, b_tid: str) -> list[bool]:
        """Tell of every exchange of a terminal whether the proxy changed it."""
        pairs = zip(self.taken[b_tid], self.served[b_tid], strict=True)
        return [taken.raw != served.raw for taken, served in pairs]


def msk_id(number: int) -> bytes:
    """Return the key that the exchange of that number asks for."""
    return bytes.fromhex("24cb") + (number + 1).to_bytes(2)


def live(terminal: ReferenceTerminal, port: int) -> tuple[list[Taken], list[tuple[str, Received]]]:
    """Let one terminal ask for one key after another, and now and then for something else."""
    pages = []
    with Handset(terminal, port) as handset:
        handset.connect([msk_id(0)])
        for number in range(EXCHANGES):
            handset.ask([msk_id(number)])
            if number % 10 == 9:
                target = f"/page/{terminal.b_tid}/{number}"
                pages.append((target, handset.fetch(target)))
        return handset.taken[1:], pages


def a_day(mitmdump: Mitmdump, folder: Path) -> Day:
    """Let all of them live at once."""
    ring = folder / "ring.toml"
    ring.write_text(ring_text(PEOPLE))
    ring.chmod(0o600)
    words = [f"ltkm_keys={ring}", f"ltkm_fault={FAULT}", "ltkm_fault_when=probability=0.2,seed=7"]
    with Bsm() as bsm:
        for terminal in PEOPLE:
            bsm.subscribe(terminal)
        proxy = mitmdump.proxy(*reverse(bsm.port), *(part for word in words for part in ("--set", word)))
        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            lives = list(pool.map(lambda terminal: live(terminal, proxy.port), PEOPLE, timeout=2 * PATIENCE))
        run = proxy.stop()
        served = {each.b_tid: [one for one in bsm.served if one.b_tid == each.b_tid] for each in PEOPLE}
    taken = {terminal.b_tid: got for terminal, (got, _) in zip(PEOPLE, lives, strict=True)}
    return Day(taken, [page for _, pages in lives for page in pages], served, run)


@pytest.fixture(scope="module")
def days(mitmdump: Mitmdump, tmp_path_factory: pytest.TempPathFactory) -> tuple[Day, Day]:
    """Two runs side by side, with nothing in common but what is asked for."""
    folders = [tmp_path_factory.mktemp("crowd") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda folder: a_day(mitmdump, folder), folders)
    return first, second


def test_the_same_exchanges_are_hit_in_two_runs(days: tuple[Day, Day]) -> None:
    first, second = ({each.b_tid: day.hits(each.b_tid) for each in PEOPLE} for day in days)
    assert first == second
    hits = sum(map(sum, first.values()))
    assert 0.1 < hits / (len(PEOPLE) * EXCHANGES) < 0.3
    assert len(set(map(tuple, first.values()))) == len(PEOPLE), "each terminal has a chance of its own"


def test_nothing_is_lost_doubled_or_given_to_another_terminal(days: tuple[Day, Day]) -> None:
    for day in days:
        for terminal in PEOPLE:
            taken, served, hits = day.taken[terminal.b_tid], day.served[terminal.b_tid], day.hits(terminal.b_tid)
            assert len(taken) == len(served) == EXCHANGES
            handset = Handset(terminal, 0)
            for number, (got, sent, hit) in enumerate(zip(taken, served, hits, strict=True)):
                assert got.exchange.request.body == sent.exchange.request.body
                assert got.digest is True
                assert handset.opened(got) == [(granted(msk_id(number).hex()).msk, True)]
                assert hit is (len(got.raw) < len(sent.raw)), "half of its RAND is gone where it was hit, or nothing"


def test_other_traffic_is_untouched(days: tuple[Day, Day]) -> None:
    for day in days:
        assert len(day.pages) == len(PEOPLE) * EXCHANGES // 10
        for target, got in day.pages:
            assert got.whole
            assert hashlib.sha256(got.body).digest() == hashlib.sha256(page(target).body or b"").digest()


def test_the_log_counts_what_was_done(days: tuple[Day, Day]) -> None:
    for day in days:
        hits = sum(sum(day.hits(each.b_tid)) for each in PEOPLE)
        asked = len(PEOPLE) * (EXCHANGES + 1)
        rest = f"({asked - hits - len(PEOPLE)} not due, {len(PEOPLE)} unchanged)"
        assert f"faults: {FAULT} put into {hits} of {asked} selected MSK exchanges {rest}" in day.run.log
        summary = next(line for line in day.run.log if line.startswith("summary: "))
        assert summary.startswith(f"summary: {asked} MSK exchanges ({asked} clean, 0 with warnings, 0 with violations")
        assert summary.endswith(f"; {len(day.pages)} other flows ignored")
        told = [line for line in day.run.log if f" fault {FAULT}: item " in line]
        assert len(told) == hits
        assert "Traceback" not in day.run.output
