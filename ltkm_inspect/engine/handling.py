"""What is done with one event, in steps: beside an event loop where it may take long, at once where it does not."""

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import Any

type Steps[T] = Generator[Callable[[], Any], Any, T]
"""Yields work that may take long, as a function that touches nothing but what it is given; is sent its result."""


class Handling[T]:
    """The handling of one event: steps, which are short and belong to the event loop, and work between them.

    The work may be done by another thread while the loop goes on, so that nobody but this event waits for it.
    """

    def __init__(self, steps: Steps[T]) -> None:
        """Take the first step."""
        self.is_over = False
        self._steps = steps
        self._future: Future[Any] | None = None
        self._result: T
        self._go_on(partial(steps.send, None))

    def finish(self) -> T:
        """Do here and now what is not done yet; return what the steps come to."""
        while not self.is_over:
            self._done(self._work if self._future is None else self._rest)
        return self._result

    async def run(self, executor: Executor) -> T:
        """Let the executor do the work; return what the steps come to. Once canceled, it can still be finished."""
        while not self.is_over:
            self._future = executor.submit(self._work)
            wrapped = asyncio.wrap_future(self._future)
            wrapped.add_done_callback(_take_error)
            await asyncio.wait([wrapped])
            if not self.is_over:  # nobody has finished it meanwhile
                self._done(self._future.result)
        return self._result

    def _rest(self) -> Any:
        """Return the result of work that was given away, or do it here where nobody has begun it."""
        assert self._future is not None
        self._future.cancel()
        try:
            return self._future.result()
        except CancelledError:
            return self._work()

    def _done(self, result: Callable[[], Any]) -> None:
        try:
            value = result()
        except Exception as error:
            self._go_on(partial(self._steps.throw, error))
        else:
            self._go_on(partial(self._steps.send, value))

    def _go_on(self, step: Callable[[], Callable[[], Any]]) -> None:
        self._future = None
        over, self.is_over = self.is_over, True
        try:
            self._work = step()
        except StopIteration as end:
            self._result = end.value
        else:
            self.is_over = over


def _take_error(wrapped: asyncio.Future[Any]) -> None:
    """Tell the event loop that somebody takes care of the error in a future, so that it logs none."""
    if not wrapped.cancelled():
        wrapped.exception()
