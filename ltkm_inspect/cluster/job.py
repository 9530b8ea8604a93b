"""What every worker of a run has, from the beginning to the end."""

import os
from contextlib import AbstractContextManager
from typing import NamedTuple

from ltkm_inspect.capture import CaptureSource, opened
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.session import SessionSettings
from ltkm_inspect.wire.urls import is_url


class Job(NamedTuple):
    """What every worker of a run has."""

    checker: Checker
    """Checks nothing itself, as each piece is checked by a copy."""
    folder: str = ""
    """The folder that relative names of files start from; empty for that of the worker."""
    worker: str = ""
    """What the cluster calls the worker that has this."""

    @property
    def settings(self) -> SessionSettings:
        """The settings of the session of the run."""
        assert self.checker.context.session is not None
        return self.checker.context.session.settings

    def opened(self, location: str) -> AbstractContextManager[CaptureSource]:
        """Open a file, as `capture.opened` does."""
        return opened(location if is_url(location) else os.path.join(self.folder, location))
