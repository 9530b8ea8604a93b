"""Gives mitmdump an exit status that tells whether there were findings."""

import sys
from typing import Any, Protocol

from mitmproxy import ctx

from ltkm_inspect.finding import Level
from ltkm_inspect.report.summary import Summary

FINDINGS = 3
NOTHING_SEEN = 4
INCOMPLETE = 5


class Run(Protocol):
    """What an exit status is made of."""

    summary: Summary

    @property
    def fail_on(self) -> Level | None:
        """The level from which findings fail the run; None for never."""


class ExitStatus:
    """An addon for the end of the chain: whatever another addon still has to save at the end is saved before it."""

    name = "ltkm_exit_status"

    def __init__(self, run: Run) -> None:
        self._run = run

    def done(self) -> None:
        """End mitmdump with 5, 3 or 4, as `exit_status` says; its own errors keep their 1."""
        chain: Any = ctx.master.addons  # mitmproxy gives it no types
        errors = chain.get("errorcheck")
        if errors is not None and errors.logger.has_errored:
            return
        status = exit_status(self._run.summary, self._run.fail_on)
        if status:
            sys.exit(status)


def exit_status(summary: Summary, fail_on: Level | None) -> int:
    """Return 0, 5 (something could not be checked), 3 (findings of that level or worse) or 4 (no MSK exchange seen)."""
    if fail_on is None:
        return 0
    if summary.crashed:
        return INCOMPLETE
    if not summary.exchanges:
        return NOTHING_SEEN
    return FINDINGS if summary.worst >= fail_on else 0
