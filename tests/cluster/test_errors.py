"""A cluster that cannot be used is one line; one that fails later leaves a partial report; no key gets out."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.client import FutureCancelledError

from ltkm_inspect import cluster
from ltkm_inspect.checking.results import WorkerError
from ltkm_inspect.cluster import Job, dask
from ltkm_inspect.options.cluster_address import ClusterAddress
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.reference import TERMINAL
from tests.checking.test_parallel import checker
from tests.cluster.inline import InlineCluster
from tests.command import run_text
from tests.proxy.parts import TRIAL

RING = TRIAL.with_suffix(".keys.toml")


@pytest.mark.parametrize(
    ("text", "scheduler", "workers", "is_safe"),
    [
        ("local", "", None, True),
        ("local:3", "", 3, True),
        ("tls://10.0.0.1:8786", "tls://10.0.0.1:8786", None, True),
        ("tcp://10.0.0.1:8786", "tcp://10.0.0.1:8786", None, False),
        ("scheduler:8786", "tcp://scheduler:8786", None, False),
        ("tcp://127.0.0.1:8786", "tcp://127.0.0.1:8786", None, True),
        ("tcp://[::1]:8786", "tcp://[::1]:8786", None, True),
        ("localhost:8786", "tcp://localhost:8786", None, True),
    ],
)
def test_an_address_means_workers_here_or_a_scheduler(
    text: str, scheduler: str, workers: int | None, is_safe: bool
) -> None:
    address = ClusterAddress.parse(text)
    assert (address.scheduler, address.workers, address.is_safe) == (scheduler, workers, is_safe)


@pytest.mark.parametrize(
    "text", ["", "local:0", "local:", "locale", "tcp://host", "tcp://:1", "host:x", "tls://u:secret@h:1"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(OptionError, match="expected local, local:N or the address of a scheduler") as error:
        ClusterAddress.parse(text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "2"], "--cluster: not with --jobs"),
        (["--follow"], "--cluster: not with --follow"),
        (["--keys", str(RING)], "--keys: not sent unencrypted to tcp://10.0.0.1:8786; use tls://… or --insecure"),
    ],
)
def test_options_that_exclude_each_other_are_wrong_usage(words: list[str], said: str) -> None:
    done = run_text("check", "--cluster", "10.0.0.1:8786", *words, TRIAL)
    assert done.stderr.splitlines()[-1] == f"Error: {said}"
    assert done.returncode == 2


def test_without_dask_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cluster, "dask", raising=False)
    monkeypatch.delitem(sys.modules, "ltkm_inspect.cluster.dask")
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run_text("check", "--cluster", "local", TRIAL)
    need = "--cluster needs Dask (distributed is missing): pip install 'ltkm-inspect[cluster]'"
    assert (done.stdout, done.stderr, done.returncode) == ("", f"ltkm-inspect: {need}\n", 1)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1:9", "Timed out trying to connect to tcp://127.0.0.1:9 after "),
        ("tls://127.0.0.1:9", "TLS expects a `ssl_context` argument"),
        ("gopher://127.0.0.1:9", "unknown address scheme 'gopher'"),
    ],
)
def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, why: str) -> None:
    monkeypatch.setattr(dask, "CONNECT", 0.05)
    report = tmp_path / "run.jsonl"
    done = run_text("check", "--cluster", address, "--report", report, TRIAL)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ltkm-inspect: --cluster: {address}: cannot connect: {why}")
    assert (done.stdout, done.returncode, report.exists()) == ("", 1, False)


class Failing(InlineCluster):
    """A cluster that does something when the second piece is to be checked."""

    def __init__(self, job: Job, action: Callable[[], None]) -> None:
        """Take what it does."""
        super().__init__(job.checker)
        self._action = action

    @contextmanager
    def working_at(self, job: Job) -> Iterator["Failing"]:
        """Take the job."""
        yield Failing(job, self._action)

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, worker: str = "") -> Any:
        """Call the function, or fail."""
        if stage == "judge" and stage in self.calls:
            self._action()
        return super().submit(stage, function, *arguments, worker=worker)


def lose() -> None:
    raise WorkerError("the cluster failed: nobody is left")


@pytest.mark.parametrize(
    ("action", "said", "code"),
    [
        pytest.param(lose, "the cluster failed: nobody is left", 130, id="lost"),
        pytest.param(
            lambda: os.kill(os.getpid(), signal.SIGINT), "interrupted, so the report is partial", 130, id="SIGINT"
        ),
        pytest.param(
            lambda: os.kill(os.getpid(), signal.SIGTERM),
            "ended by SIGTERM, so the report is partial",
            143,
            id="SIGTERM",
        ),
    ],
)
def test_what_was_checked_before_a_run_ended_early_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, action: Callable[[], None], said: str, code: int
) -> None:
    @contextmanager
    def connected(address: str) -> Iterator[Failing]:
        yield Failing(Job(checker()), action)

    monkeypatch.setattr(dask, "connected", connected)
    monkeypatch.setattr("ltkm_inspect.cluster.pieces.STRETCH", 20_000)
    monkeypatch.setattr("ltkm_inspect.cluster.driver.AHEAD", 0.5)
    done = run_text("check", "--cluster", "localhost:1", "--report", tmp_path / "run.jsonl", TRIAL)
    assert done.stderr == f"ltkm-inspect: {said}\n"
    assert done.returncode == code
    assert done.stdout.splitlines()[-1].startswith("summary: ")
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) > 1


def test_what_workers_get_is_never_printed() -> None:
    plugin = dask._JobPlugin(Job(checker()))
    for text in (repr(plugin), str(plugin), repr(plugin.job)):
        assert TERMINAL.muk.hex() not in text
        assert repr(TERMINAL.muk)[2:-1] not in text


def test_a_worker_of_another_version_that_comes_later_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = dask._JobPlugin(Job(checker()))
    monkeypatch.setattr(dask, "get_worker", lambda: SimpleNamespace(plugins={"name": plugin}))
    assert dask._call("name", lambda job: job is plugin.job) is True
    plugin.versions = "0.0.9", "3.13"
    failed = dask._call("name", pytest.fail)
    assert failed.text.startswith("expected ltkm-inspect 0.0.9 with Python 3.13, got ltkm-inspect ")


@pytest.mark.parametrize("name", ["distributed", "distributed.client", "tornado.application", "asyncio"])
def test_dask_prints_nothing_even_where_its_configuration_sets_a_level(name: str) -> None:
    logging.getLogger(name).setLevel(logging.WARNING)
    dask._quiet()
    assert not logging.getLogger(name).isEnabledFor(logging.CRITICAL)


def test_a_scheduler_without_this_program_has_no_versions() -> None:
    def fail(_: object) -> None:
        raise ModuleNotFoundError("ltkm_inspect")

    assert dask._scheduler_versions(SimpleNamespace(run_on_scheduler=fail)) is None  # type: ignore[arg-type]


def test_a_scheduler_that_is_lost_is_one_line() -> None:
    class Lost:
        def result(self, timeout: float) -> None:
            raise FutureCancelledError("ltkm-map-1", "scheduler-connection-lost")

    with pytest.raises(WorkerError, match="the cluster canceled the run: scheduler connection lost"):
        dask.DaskCluster(Any, 1).result(Lost())  # type: ignore[arg-type]
