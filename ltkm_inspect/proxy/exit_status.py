"""The exit status of mitmdump: what was found, unless mitmdump has an error of its own to tell."""

import sys
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx


class ExitStatus:
    """An addon for the end of the chain: whatever another addon still has to save at the end is saved before it."""

    name = "ltkm_exit_status"

    def __init__(self, status: Callable[[], int]) -> None:
        """Take what tells the status of the run, 0 where there is nothing to tell."""
        self._status = status

    def done(self) -> None:
        """End mitmdump with that status; its own errors keep their 1."""
        chain: Any = ctx.master.addons  # mitmproxy gives it no types
        errors = chain.get("errorcheck")
        if errors is not None and errors.logger.has_errored:
            return
        if status := self._status():
            sys.exit(status)
