"""The same on real workers: everything `check` writes is equal, also if a worker is killed; and what goes wrong."""

import gzip
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from ltkm_inspect.checking import serial
from ltkm_inspect.checking.results import WorkerError
from ltkm_inspect.cluster import Job, dask, driver, pieces, rounds
from ltkm_inspect.cluster.dask import DaskCluster
from ltkm_inspect.options.table import REPORT_SUFFIXES
from ltkm_inspect.report import jsonl
from tests.bench._captures import write_archive
from tests.checking.test_parallel import FAULTS, checker, named, told
from tests.command import run_text
from tests.elsewhere import object_storage
from tests.proxy.parts import TRIAL


@pytest.fixture(scope="module")
def workers() -> Iterator[DaskCluster]:
    """Two workers on this machine, for all tests here, and an object storage that they know of."""
    with object_storage(), dask.local(2) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut a few pieces of what little there is, at the same time in each run."""
    monkeypatch.setattr(jsonl, "time", SimpleNamespace(time=lambda: 1.8e9))
    monkeypatch.setattr(pieces, "STRETCH", 1 << 20)
    monkeypatch.setattr(driver, "LEAST_EVENTS", 1)


@pytest.fixture
def archive(workers: DaskCluster, tmp_path: Path) -> str:
    """Return the folder of 20 files with 20,000 flows in object storage; 500 terminals go on from file to file."""
    paths = [tmp_path / f"{number}.flow" for number in range(20)]
    write_archive(paths, 20_000, 1000, each=2, page=64)
    paths[7].write_bytes(paths[7].read_bytes()[:-100])
    storage = fsspec.filesystem("s3")
    storage.pipe({f"trial/archive/{path.name}": path.read_bytes() for path in paths if path != paths[3]})
    storage.pipe("trial/archive/3.flow.gz", gzip.compress(paths[3].read_bytes(), 1))
    return "s3://trial/archive/"


def outputs(workers: DaskCluster, *words: str | Path, reports: Sequence[Path]) -> list[tuple[Any, ...]]:
    """Return all that `check` writes on one machine, and on the workers."""
    words = "check", "--session-limit", "100000", *words
    for each in reports:
        words = *words, "--report", each
    found = []
    for options in ((), ("--cluster", workers.client.scheduler_info()["address"])):
        done = run_text(*words, *options)
        found.append((done.stdout, done.stderr, done.returncode, [path.read_bytes() for path in reports]))
    return found


def test_every_format_is_that_of_one_machine(workers: DaskCluster, tmp_path: Path) -> None:
    reports = [tmp_path / f"run{suffix[0]}" for suffix in REPORT_SUFFIXES.values()]
    one, many = outputs(workers, "flows", "--keys", TRIAL.with_suffix(".keys.toml"), reports=reports)
    assert many == one
    assert one[2] == 3


def test_an_archive_with_sessions_across_files_is_checked_as_on_one_machine(workers: DaskCluster, archive: str) -> None:
    one, many = outputs(workers, archive, "--format", "jsonl", reports=[])
    assert many == one
    assert one[2] == 5
    assert f"{archive}7.flow: " in one[1]
    summary = json.loads(one[0].splitlines()[-1])
    assert (summary["exchanges"] + summary["others"]) >= 19_000


class Deadly:
    """A cluster of which a worker is killed when the first piece is to be checked: half of what was folded is lost."""

    def __init__(self, cluster: DaskCluster) -> None:
        """Take the cluster."""
        self.workers, self._cluster, self.killed = cluster.workers, cluster, 0

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, worker: str = "") -> Any:
        """Kill a worker in time."""
        if stage == "judge" and not self.killed:
            self.killed = max(self._cluster.client.run(os.getpid).values())
            os.kill(self.killed, signal.SIGKILL)
        return self._cluster.submit(stage, function, *arguments, worker=worker)

    def result(self, submitted: Any) -> Any:
        """Wait for a result."""
        return self._cluster.result(submitted)


def test_a_killed_worker_costs_its_pieces_and_nothing_else(
    workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "STRETCH", 100_000)
    files = named(TRIAL, *FAULTS)
    alone, together = checker(100_000), checker(100_000)
    expected = told(serial.check(files, alone))
    with workers.working_at(Job(together)) as cluster:
        deadly = Deadly(cluster)
        assert told(driver.check(files, together, deadly)) == expected
    assert deadly.killed
    assert alone.counts.summary == together.counts.summary


def test_a_call_that_fails_is_one_line_and_so_is_everything_that_needs_it(workers: DaskCluster) -> None:
    with workers.working_at(Job(checker())) as cluster:
        failed = cluster.submit("pick", rounds.pick, [], 5)
        needs_it = cluster.submit("pick", rounds.pick, [failed], 0)
        for each in (failed, needs_it):
            with pytest.raises(
                WorkerError, match=r"a worker failed: IndexError at rounds.py:[0-9]+; please report this bug"
            ):
                cluster.result(each)


def test_workers_of_another_version_are_refused(workers: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "__version__", "99.0")
    done = run_text("check", "--cluster", workers.client.scheduler_info()["address"], TRIAL)
    (line,) = done.stderr.splitlines()
    assert line.startswith("ltkm-inspect: --cluster: worker tcp://127.0.0.1:")
    assert ": expected ltkm-inspect 99.0 with Python " in line
    assert done.returncode == 1
