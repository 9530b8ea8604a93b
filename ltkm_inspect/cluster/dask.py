"""Dask distributed as the cluster of a check: a scheduler by its address, or worker processes on this machine."""

import asyncio
import logging
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from typing import Any, NamedTuple

import dask
from distributed import Client, Future, LocalCluster, Security, WorkerPlugin, get_worker
from distributed.comm.core import connect

from ltkm_inspect import __version__
from ltkm_inspect.checking.results import WorkerError
from ltkm_inspect.cluster.job import Job
from ltkm_inspect.wire import count, crash_of, forking, printable
from ltkm_inspect.wire.garbage import collect_rarely

CONNECT = 10
"""How many seconds a scheduler has to answer."""
NO_WORKERS = 30
"""After so many seconds without a worker a run ends."""
IN_MEMORY = 64 << 20
"""How many octets of results a worker on this machine keeps in memory; it writes more of them to a disk."""
_LOOK = 2.0
"""Seconds between two looks whether there are workers."""
_CONFIG = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.transfer.message-bytes-limit": "4MiB",
}
"""How Dask is configured for workers on this machine: nobody looks at what it measures and shows."""
_LOGS = ("distributed", "tornado", "asyncio", "bokeh")


class ClusterError(Exception):
    """A cluster cannot be used; the text is one line, safe to print."""


class _Failure(NamedTuple):
    """What stands for the result of a call that failed."""

    text: str


class _JobPlugin(WorkerPlugin):
    """Gives every worker the job, also those that come later. It is never printed."""

    def __init__(self, job: Job) -> None:
        """Take the job."""
        self.job = job
        self.versions = versions()

    def setup(self, worker: Any) -> None:
        """Prepare a worker."""
        self.job = self.job._replace(worker=worker.address)
        collect_rarely()


class DaskCluster:
    """The workers of a Dask scheduler, with the job of one run."""

    def __init__(self, client: Client, workers: int) -> None:
        """Take the connection to the scheduler."""
        self.workers = workers
        self.client = client
        self._run = os.urandom(8).hex()
        self._number = 0

    @contextmanager
    def working_at(self, job: Job) -> Iterator["DaskCluster"]:
        """Give every worker the job, and take it away in the end."""
        name = self._name
        try:
            self.client.register_plugin(_JobPlugin(job), name)
        except Exception as error:
            raise ClusterError(f"a worker does not take the job: {crash_of(error)}") from None
        try:
            yield self
        finally:
            with suppress(Exception):  # the scheduler may be gone
                self.client.unregister_worker_plugin(name)  # type: ignore[no-untyped-call]

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, worker: str = "") -> Future[Any]:
        """Have a function called with the job, on that worker if possible; return what stands for its result."""
        self._number += 1
        key = f"ltkm-{stage}-{self._run}-{self._number}"
        where = [worker] if worker else None
        return self.client.submit(
            _call, self._name, function, *arguments, key=key, workers=where, allow_other_workers=bool(worker)
        )

    def result(self, submitted: Future[Any]) -> Any:
        """Wait for a result. Raises WorkerError if there is none, or if nobody is there to compute it."""
        waited = 0.0
        while True:
            try:
                found = submitted.result(timeout=_LOOK)
            except TimeoutError:
                waited = 0.0 if self.client.scheduler_info()["workers"] else waited + _LOOK
                if waited >= NO_WORKERS:
                    raise WorkerError(f"the cluster has had no workers for {count(NO_WORKERS, 'second')}") from None
            except CancelledError as error:
                why = getattr(error, "reason", "unknown").replace("-", " ")
                raise WorkerError(f"the cluster canceled the run: {printable(why)}") from None
            except Exception as error:
                raise WorkerError(f"the cluster failed: {_first_line(error)}") from None
            else:
                if isinstance(found, _Failure):
                    raise WorkerError(f"a worker failed: {found.text}")
                return found

    @property
    def _name(self) -> str:
        return f"ltkm-inspect-{self._run}"


@contextmanager
def connected(address: str) -> Iterator[DaskCluster]:
    """Use the scheduler of that address; ClusterError if there is none, or if a worker runs another version."""
    place = printable(address)
    _quiet()
    try:
        asyncio.run(_try(address))  # a client that fails to connect prints more than that
        client = Client(address, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except TimeoutError:
        raise ClusterError(f"{place}: no Dask scheduler answers: check the port") from None
    except Exception as error:
        raise ClusterError(f"{place}: cannot connect: {_first_line(error)}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=NO_WORKERS)
            found = client.run(versions, on_error="return") | {"": _scheduler_versions(client)}
        except TimeoutError:
            waited = count(NO_WORKERS, "second")
            raise ClusterError(f"{place}: the scheduler has had no worker for {waited}") from None
        except OSError as error:
            raise ClusterError(f"{place}: the connection was lost: {_first_line(error)}") from None
        for worker, other in found.items():
            if other != versions() and not isinstance(other, OSError):  # such a worker is gone
                got = _shown(other) if isinstance(other, tuple) else "none that has --cluster"
                who = f"worker {printable(worker)}" if worker else f"scheduler {place}"
                raise ClusterError(f"{who}: expected {_shown(versions())}, got {got}")
        yield DaskCluster(client, len(found) - 1)


@contextmanager
def local(workers: int) -> Iterator[DaskCluster]:
    """Start so many workers on this machine, each a process; they end with this."""
    with ExitStack() as stack:
        _quiet()
        forking.prepare()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ltkm-inspect-", ignore_cleanup_errors=True))
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // workers
        stack.enter_context(dask.config.set({**_CONFIG, "distributed.worker.memory.target": IN_MEMORY / limit}))
        try:
            with forking.interrupts_blocked():
                cluster = LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    silence_logs=logging.CRITICAL,
                    memory_limit=limit,
                    local_directory=folder,
                    env=dict(os.environ),  # the process that they are forked from may be older than that
                )
            stack.enter_context(cluster)
            client = Client(cluster, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
            stack.enter_context(client)
        except Exception as error:
            raise ClusterError(f"no workers could be started: {_first_line(error)}") from None
        yield DaskCluster(client, workers)


def versions() -> tuple[str, str]:
    """Return the versions of this program and of Python that run here."""
    return __version__, ".".join(platform.python_version_tuple()[:2])


def _scheduler_versions(client: Client) -> Any:
    """Return the versions of a scheduler, which opens what is handed out to workers; None without this program."""
    try:
        return client.run_on_scheduler(versions)  # type: ignore[no-untyped-call]
    except OSError:
        raise
    except Exception:
        return None


def _call(plugin: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function with the job of a run, on a worker."""
    for each in chain.from_iterable(each if isinstance(each, list) else (each,) for each in arguments):
        if isinstance(each, _Failure):
            return each
    try:
        given = get_worker().plugins[plugin]
        assert isinstance(given, _JobPlugin)
        if given.versions != versions():  # a worker that came later
            return _Failure(f"expected {_shown(given.versions)}, got {_shown(versions())}")
        return function(given.job, *arguments)
    except Exception as error:
        # Dask would log it with the arguments, in which are the URLs of files with their passwords
        return _Failure(f"{crash_of(error)}; please report this bug")


def _shown(found: tuple[str, str]) -> str:
    program, python = found
    return f"ltkm-inspect {program} with Python {python}"


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0]) or type(error).__name__


async def _try(address: str) -> None:
    """Connect to a scheduler, and leave again."""
    security = Security()  # type: ignore[no-untyped-call]
    options = security.get_connection_args("client")  # type: ignore[no-untyped-call]
    async with asyncio.timeout(CONNECT + 1):  # `connect` waits without end for what is no scheduler and says nothing
        comm = await connect(address, timeout=CONNECT, **options)  # type: ignore[no-untyped-call]
    await comm.close()


def _quiet() -> None:
    """Let Dask print nothing, also once the run is over: a connection that was lost is given up later."""
    for name in [*_LOGS, *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in _LOGS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
