"""A cluster in this process, that hands everything on pickled, as a real one does between its workers."""

import pickle
from collections.abc import Callable
from typing import Any

from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.cluster.job import Job


class InlineCluster:
    """Calls functions at once, each with a checker of its own."""

    def __init__(self, checker: Checker, workers: int = 2, *, apart: bool = True) -> None:
        """Take the checker of the run; unless they are `apart`, all work is done by one worker that forgets nothing."""
        self.workers = workers
        self._apart = apart
        self._job = pickle.dumps(Job(checker))
        self.calls: list[str] = []
        """The stages of what was called."""

    def submit(self, stage: str, function: Callable[..., Any], *arguments: Any, worker: str = "") -> Any:
        self.calls.append(stage)
        job: Job = pickle.loads(self._job)
        if not self._apart:
            return function(job, *arguments)
        return pickle.loads(pickle.dumps(function(job, *pickle.loads(pickle.dumps(arguments)))))

    def result(self, submitted: Any) -> Any:
        return submitted
