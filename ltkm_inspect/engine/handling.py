"""What is done with one event, in steps: beside an event loop where it may take long, at once where it does not."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import Any


class Question(ABC):
    """Work that another process does: to call it is to wait for its result."""

    @abstractmethod
    def __call__(self) -> Any:
        """Return the result."""

    @abstractmethod
    def then(self, go_on: Callable[[], None]) -> None:
        """Call this when the result is there, or is known not to come; at once if it is."""


type Work = Callable[[], Any] | Question
type Steps[T] = Generator[Work, Any, T]
"""Yields work that may take long, as a function that touches nothing but what it is given; is sent its result."""


class Handling[T]:
    """The handling of one event: steps, which are short and belong to the event loop, and work between them.

    The work may be done by another thread or process while the loop goes on, so that nobody but this event waits for
    it.
    """

    def __init__(self, steps: Steps[T]) -> None:
        """Take the first step."""
        self.is_over = False
        self._steps = steps
        self._future: Future[Any] | None = None
        self._work: Work
        self._result: T
        self._failure: Exception | None = None
        self._go_on(partial(steps.send, None))

    @property
    def asks(self) -> bool:
        """It waits for another process."""
        return not self.is_over and isinstance(self._work, Question)

    @property
    def result(self) -> T:
        """What the steps came to, once they are over; raises what they raised."""
        if self._failure is not None:
            raise self._failure
        return self._result

    def finish(self) -> T:
        """Do here and now what is not done yet; return what the steps come to."""
        while not self.is_over:
            self._done(self._work, self._work if self._future is None else self._rest)
        return self.result

    def follow(self, pause: Callable[[], None]) -> None:
        """Take the steps that need nothing but answers of other processes, as these come; then call `pause`.

        By then all is done, or there is work for a thread.
        """
        work = None if self.is_over else self._work
        if isinstance(work, Question):
            work.then(partial(self._answered, work, pause))
        else:
            pause()

    async def run(self, executor: Executor) -> T:
        """Let the executor do the work; return what the steps come to. Once canceled, it can still be finished."""
        while not self.is_over:
            work = self._work
            if isinstance(work, Question):
                paused = asyncio.get_running_loop().create_future()
                self.follow(partial(_resolve, paused))
                await paused
                continue
            self._future = executor.submit(work)
            wrapped = asyncio.wrap_future(self._future)
            wrapped.add_done_callback(_take_error)
            await asyncio.wait([wrapped])
            self._done(work, self._future.result if self._future is not None else work)
        return self.result

    def _answered(self, work: Question, pause: Callable[[], None]) -> None:
        self._done(work, work)
        self.follow(pause)

    def _rest(self) -> Any:
        """Return the result of work that was given away, or do it here where nobody has begun it."""
        assert self._future is not None
        self._future.cancel()
        try:
            return self._future.result()
        except CancelledError:
            assert not isinstance(self._work, Question)
            return self._work()

    def _done(self, work: Work, result: Callable[[], Any]) -> None:
        """Go on with the result of the work, unless somebody else has meanwhile."""
        if self.is_over or self._work is not work:
            return
        try:
            value = result()
        except Exception as error:
            step: Callable[[], Work] = partial(self._steps.throw, error)
        else:
            step = partial(self._steps.send, value)
        if not self.is_over and self._work is work:  # to wait for a result is to let others go on
            self._go_on(step)

    def _go_on(self, step: Callable[[], Work]) -> None:
        self._future = None
        over, self.is_over = self.is_over, True
        try:
            self._work = step()
        except StopIteration as end:
            self._result = end.value
        except Exception as error:
            self._failure = error
        else:
            self.is_over = over


def _resolve(paused: asyncio.Future[None]) -> None:
    if not paused.done():
        paused.set_result(None)


def _take_error(wrapped: asyncio.Future[Any]) -> None:
    """Tell the event loop that somebody takes care of the error in a future, so that it logs none."""
    if not wrapped.cancelled():
        wrapped.exception()
