"""The inspector process beside real mitmdump: it hangs and is killed, and nothing is lost or held up for it."""

import json
import os
import random
import re
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

import pytest

from ltkm_inspect.reference import ReferenceTerminal
from tests.loopback.bsm import Bsm, ring_text
from tests.loopback.proxy import Steered
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset
from tests.proxy.parts import Mitmdump

MANY = [person(f"inspected {number}") for number in range(20)]
PEOPLE = MANY[:4]
READY = re.compile(r"ltkm: the inspector process (\d+) is ready")


class Inspected(Steered):
    """A mitmdump that inspects in a process of its own."""

    def pids(self) -> list[int]:
        """Return the inspector processes so far, in their order."""
        return [int(found[1]) for line in self.proxy.log if (found := READY.fullmatch(line)) is not None]

    def next_pid(self, after: int) -> int:
        """Return the one that is there when that many were; wait for it."""
        self.wait_for(lambda _: len(self.pids()) > after)
        return self.pids()[after]


def msk_id(number: int) -> bytes:
    return bytes.fromhex("24cc") + (number + 1).to_bytes(2)


@contextmanager
def inspected(
    mitmdump: Mitmdump, bsm: Bsm, folder: Path, *options: str, people: Sequence[ReferenceTerminal] = ()
) -> Iterator[Inspected]:
    """Run a mitmdump whose inspector process is ready: the first exchange has started it."""
    ring = folder / "ring.toml"
    ring.touch(0o600)
    people = people or PEOPLE
    ring.write_text(ring_text(people))
    for terminal in people:
        bsm.subscribe(terminal)
    set_ = ("ltkm_inspector=process", f"ltkm_keys={ring}", f"ltkm_report={folder}/run.jsonl")
    with Inspected(mitmdump, bsm.port, *set_, "termlog_verbosity=debug", "flow_detail=0", *options) as proxy:
        with Handset(people[0], proxy.port) as handset:
            handset.connect([msk_id(0)])
        proxy.next_pid(0)
        yield proxy


def records(folder: Path) -> list[dict[str, Any]]:
    read = map(json.loads, (folder / "run.jsonl").read_text().splitlines())
    return [record for record in read if record["schema"].startswith("ltkm-inspect/exchange/")]


def ask(terminal: ReferenceTerminal, port: int, numbers: range) -> list[tuple[bytes, bytes]]:
    """Let a terminal ask for keys; return what it got."""
    with Handset(terminal, port) as handset:
        handset.connect([msk_id(0)])
        for number in numbers:
            handset.ask([msk_id(number)])
        return [(taken.exchange.request.body or b"", taken.raw) for taken in handset.taken[1:]]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_reports_are_those_of_an_inspection_in_the_proxy(mitmdump: Mitmdump, tmp_path: Path) -> None:
    found = []
    for where in ("process", "inline"):
        folder = tmp_path / where
        folder.mkdir()
        with Bsm() as bsm, inspected(mitmdump, bsm, folder) as proxy:
            proxy.set(ltkm_inspector=where)
            for terminal in PEOPLE:
                ask(terminal, proxy.port, range(5))
            proxy.stop()
        found.append([(each["verdict"], each["counts"], each["findings"], each["notes"]) for each in records(folder)])
    assert found[0] == found[1]
    assert len(found[0]) == 1 + 6 * len(PEOPLE)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(1, 21))])
def test_whatever_becomes_of_the_process_nothing_is_lost(mitmdump: Mitmdump, tmp_path: Path, seed: int) -> None:
    choose, people, numbers = random.Random(seed), MANY if seed else PEOPLE, range(100 if seed else 40)
    with (
        Bsm() as bsm,
        inspected(mitmdump, bsm, tmp_path, "ltkm_deadline=250ms", people=people) as proxy,
        ThreadPoolExecutor(len(people)) as pool,
    ):
        lives = [pool.submit(ask, terminal, proxy.port, numbers) for terminal in people]
        for turn in range(4):
            pid, before = proxy.next_pid(turn), len(proxy.proxy.log)
            more = choose.randrange(len(people) * len(numbers) // 5)
            proxy.wait_for(lambda log, more=more: len(log) > more or all(map(Future.done, lives)), since=before)  # type: ignore[misc]
            os.kill(
                pid, choose.choice((signal.SIGKILL, signal.SIGSEGV) if turn < 3 else (signal.SIGKILL, signal.SIGSTOP))
            )
        got = dict(zip(people, (life.result() for life in lives), strict=True))
        pids = proxy.pids()
        run = proxy.stop()
        served = {each: [one.raw for one in bsm.served if one.b_tid == each.b_tid] for each in people}
    assert {each: [raw for _, raw in got[each]] for each in people} == served, "the octets are those that the BSM sent"
    found = records(tmp_path)
    assert sorted(record["number"] for record in found) == list(range(1, 2 + (1 + len(numbers)) * len(people)))
    named = {int(number) for line in run.log for number in re.findall(r"#(\d+) is not checked", line)}
    assert {each["number"] for each in found if "event-crashed" in str(each["findings"])} == named
    assert all(map(is_gone, pids))


def test_what_is_not_inspected_in_time_goes_on_and_is_reported_later(
    mitmdump: Mitmdump, bsm: Bsm, tmp_path: Path
) -> None:
    with inspected(mitmdump, bsm, tmp_path, "ltkm_deadline=1ms") as proxy:
        pid = proxy.next_pid(0)
        os.kill(pid, signal.SIGSTOP)
        ask(PEOPLE[1], proxy.port, range(2))
        assert any("was not inspected within 0.001 s" in line for line in proxy.proxy.log)
        os.kill(pid, signal.SIGCONT)
        run = proxy.stop()
    late = [each["number"] for each in records(tmp_path) if each.get("late")]
    assert late == [2, 3, 4]
    assert any(line.startswith("summary: inspected too late: 3 events") for line in run.log)
    assert is_gone(pid)


def test_the_end_waits_for_what_is_not_inspected_yet(mitmdump: Mitmdump, bsm: Bsm, tmp_path: Path) -> None:
    with inspected(mitmdump, bsm, tmp_path, "ltkm_deadline=1ms") as proxy:
        pid = proxy.next_pid(0)
        os.kill(pid, signal.SIGSTOP)
        ask(PEOPLE[1], proxy.port, range(3))
        proxy.proxy.process.send_signal(signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        proxy.stop()
    assert [each["number"] for each in records(tmp_path)] == [1, 2, 3, 4, 5]
    assert is_gone(pid)


def test_a_proxy_that_is_killed_leaves_no_process_behind(mitmdump: Mitmdump, bsm: Bsm, tmp_path: Path) -> None:
    with inspected(mitmdump, bsm, tmp_path) as proxy:
        pid = proxy.next_pid(0)
        descriptor = os.pidfd_open(pid)
        proxy.proxy.end(kill=True)
        assert select([descriptor], [], [], 60)[0], "it ends when nobody is at the other end"
        os.close(descriptor)
