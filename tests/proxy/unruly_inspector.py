"""An inspector process that crashes or hangs on some events: `python -m tests.proxy.unruly_inspector DESCRIPTOR`."""

import os
import signal
import sys
from typing import Any

from ltkm_inspect.finding import Report
from ltkm_inspect.inspecting import EventInspection, __main__
from ltkm_inspect.session import PriorState

CRASHES_FIRST, CRASHES_THEN, HANGS, RAISES = "crashes when read", "crashes when judged", "hangs", "raises"
"""The ids of these events."""


class Unruly(EventInspection):
    """An inspection that does what the id of its event says."""

    def read(self) -> Any:
        """Crash, hang, or read the event."""
        id = self._opening.event.id
        if id == CRASHES_FIRST:
            os.abort()
        if id == HANGS:
            signal.pause()
        if id == RAISES:
            raise ValueError("no")
        return super().read()

    def judge(self, before: PriorState) -> Report:
        """Crash, or judge the event."""
        if self._opening.event.id == CRASHES_THEN:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().judge(before)


if __name__ == "__main__":
    __main__.EventInspection = Unruly  # type: ignore[attr-defined]
    __main__.main(int(sys.argv[1]), __main__.Desk())
