"""Holds flows until they are handled, by other processes, by threads or here, but no longer than the deadline."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from mitmproxy import exceptions

from ltkm_inspect.engine.handling import Handling
from ltkm_inspect.wire import crash_of

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Wait:
    """The time for which a response, or a datagram, is held until it is handled."""

    is_over: bool = False
    """It has gone on as it came."""


class Holder:
    """Everything that is handled while the event loop goes on. What is not done when the run ends is done then."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        """What threads are at; a loop itself does not keep its tasks."""
        self._executor = new_executor()
        self._unfinished: dict[Handling[Any], None] = {}

    @property
    def is_busy(self) -> bool:
        """Something is looked at by a thread of this process."""
        return any(not handling.asks for handling in self._unfinished)

    async def hold(
        self, handling: Handling[Any], wait: Wait, seconds: float | None, passes: Callable[[], None]
    ) -> None:
        """Hold a flow until it is handled, and for as long as the steps say; after these seconds let it pass."""
        loop = asyncio.get_running_loop()
        held: asyncio.Future[float] = loop.create_future()

        def let_pass() -> None:
            if not held.done():
                wait.is_over = True
                passes()
                held.set_result(0.0)

        deadline = None if seconds is None else loop.call_later(seconds, let_pass)
        self._unfinished[handling] = None
        handling.follow(partial(self._go_on, handling, held))
        delay = await held
        if deadline is not None:
            deadline.cancel()
        if delay:
            await asyncio.sleep(delay)

    def run[T](self, handling: Handling[T], then: Callable[[T | None], None] = lambda _: None) -> None:
        """Take the steps with threads while the event loop goes on."""
        self._unfinished[handling] = None
        task = asyncio.get_running_loop().create_task(handling.run(self._executor))
        self.tasks.add(task)

        def end(ended: asyncio.Task[T]) -> None:
            self.tasks.discard(ended)
            is_ours = not ended.cancelled() and handling in self._unfinished  # else the end of the run does it
            if not ended.cancelled():
                ended.exception()  # `finish` tells it
            then(self.finish(handling) if is_ours else None)

        task.add_done_callback(end)

    def finish[T](self, handling: Handling[T]) -> T | None:
        """Do here what is left to do; return what the steps came to, None if they failed."""
        self._unfinished.pop(handling, None)
        try:
            return handling.finish()
        except exceptions.CommandError as error:
            logger.warning("ltkm: %s", error)
        except Exception as error:  # law 1: no input makes a hook raise
            logger.warning("ltkm: a flow could not be handled: %s", crash_of(error))
        return None

    def finish_all(self) -> None:
        """Do the same for everything."""
        for handling in [*self._unfinished]:
            self.finish(handling)
        self._executor.shutdown(wait=False)
        self._executor = new_executor()

    def _go_on(self, handling: Handling[Any], held: asyncio.Future[float]) -> None:
        """Let a thread do what there is left to do; let the flow go on when all is done."""
        if handling.is_over:
            _release(held, self.finish(handling))
        else:
            self.run(handling, partial(_release, held))


def _release(held: asyncio.Future[float], delay: float | None) -> None:
    """Let a flow go on after these seconds, if it has not."""
    if not held.done():
        held.set_result(delay or 0.0)


def new_executor() -> ThreadPoolExecutor:
    """Return what looks at large exchanges beside the event loop; more than one at once, so that none waits long."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="ltkm-inspect")
