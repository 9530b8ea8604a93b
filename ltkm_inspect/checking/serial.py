"""The check of files one after the other, in this process; each result is there as soon as it can be."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence

from ltkm_inspect.capture import Damage, DamagedEvent, SkippedFlows, UnreadTraffic, following, opened
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.reading import CaptureReader, Held, numbered, read
from ltkm_inspect.checking.results import Presenter, StretchResult
from ltkm_inspect.context import Context
from ltkm_inspect.output.console import failure


def check(files: Sequence[Input], context: Context, presenter: Presenter) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in their order."""
    reader = CaptureReader(context.limits)
    for file in files:
        if file.problem:
            yield StretchResult(file.name, problem=file.problem, unread=True)
        else:
            yield from _to_the_end(file.name, _file(file.name, reader, context, presenter))
    for name, at, held in reader.rest():
        yield _checked(held, name, context, presenter, at)
    if context.session is not None:
        context.session.until = reader.until


def follow(file: Input, context: Context, presenter: Presenter) -> Generator[StretchResult]:
    """Yield what the exchanges of a capture give that somebody is still writing, as they come."""
    found = read(following.follow(file.name, context.limits), file.name, context.limits)
    every = numbered(found, file.name, Counter())
    return _to_the_end(file.name, (_checked(held, name, context, presenter, at) for name, at, held in every))


def _to_the_end(name: str, results: Iterable[StretchResult]) -> Generator[StretchResult]:
    """Yield the results of a file, and at last why what follows cannot be read, if there is anything."""
    begun = False
    try:
        for each in results:
            begun = True
            yield each
    except Exception as error:  # a file that the program fails on takes no other one with it
        yield StretchResult(name, problem=failure(error), unread=not begun)


def _file(name: str, reader: CaptureReader, context: Context, presenter: Presenter) -> Iterator[StretchResult]:
    with opened(name) as source:
        done = 0
        for capture, at, held in reader.events(source, name):
            checked = _checked(held, capture, context, presenter, at)
            if source.size is not None:
                at = source.raw.tell()
                checked.octets, done = at - done, at
            yield checked


def _checked(held: Held, name: str, context: Context, presenter: Presenter, number: int) -> StretchResult:
    checked = StretchResult(name)
    if isinstance(held, Damage):
        checked.problem = str(held)
    elif isinstance(held, DamagedEvent):
        checked.damaged.append(str(held))
    elif isinstance(held, SkippedFlows):
        checked.summary.others = held.flows
    elif isinstance(held, UnreadTraffic):
        checked.summary.unread = held.counts
    else:
        presenter.add(context.event(held), context, checked, number)
    if context.session is not None:
        checked.forgotten = context.session.forgotten.copy()
    return checked
