"""The check of files one after the other, in this process; each result is there as soon as it can be."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from ltkm_inspect.capture import CaptureSource, following, opened
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.checker import Checker
from ltkm_inspect.checking.merging import FileProblem, MergedCaptures, MergedItem
from ltkm_inspect.checking.reading import CaptureReader, Held, numbered, read
from ltkm_inspect.checking.results import StretchResult
from ltkm_inspect.output.console import failure

type Open = Callable[[str], AbstractContextManager[CaptureSource]]
"""Opens a file of saved traffic by its path or URL, as `opened` does."""


def check(files: Sequence[Input], checker: Checker, open: Open = opened) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in their order."""
    reader, session = CaptureReader(checker.context.limits), checker.context.session
    if session is not None:
        checker.counts.forgotten = session.forgotten
    for file in files:
        if file.problem:
            yield StretchResult(file.name, problem=file.problem, unread=True)
        else:
            yield from _to_the_end(file.name, _file(file, reader, checker, open))
    for name, at, held in reader.rest():
        yield _checked(held, name, checker, at)
    if session is not None:
        session.until = reader.until


def check_by_time(files: Sequence[Input], checker: Checker) -> Generator[StretchResult]:
    """Yield what the exchanges of these files give, as one session, in the order of time."""
    captures, session = MergedCaptures(files, checker.context.limits), checker.context.session
    if session is not None:
        checker.counts.forgotten = session.forgotten
    yield from check_items(captures.items(), checker)
    if session is not None:
        session.until = captures.until


def check_items(items: Iterable[MergedItem], checker: Checker) -> Generator[StretchResult]:
    """Yield what each of these items gives, in their order."""
    for each in items:
        result = StretchResult(each.name, octets=each.octets)
        if isinstance(each.held, FileProblem):
            result.problem, result.unread = each.held
        else:
            try:
                checker.take(each.held, result, each.number)
            except Exception as error:  # an event that the program fails on takes no other one with it
                result.problem = failure(error)
        yield result


def follow(file: Input, checker: Checker) -> Generator[StretchResult]:
    """Yield what the exchanges of a capture give that somebody is still writing, as they come."""
    limits, session = checker.context.limits, checker.context.session
    if session is not None:
        checker.counts.forgotten = session.forgotten
    every = numbered(read(following.follow(file.name, limits), file.name, limits), file.name, Counter())
    return _to_the_end(file.name, (_checked(held, name, checker, at) for name, at, held in every))


def _to_the_end(name: str, results: Iterable[StretchResult]) -> Generator[StretchResult]:
    """Yield the results of a file, and at last why what follows cannot be read, if there is anything."""
    begun = False
    try:
        for each in results:
            begun = True
            yield each
    except Exception as error:  # a file that the program fails on takes no other one with it
        yield StretchResult(name, problem=failure(error), unread=not begun)


def _file(file: Input, reader: CaptureReader, checker: Checker, open: Open) -> Iterator[StretchResult]:
    with open(file.location) as source:
        done = 0
        for capture, at, held in reader.events(source, file.name):
            checked = _checked(held, capture, checker, at)
            if source.size is not None:
                at = source.raw.tell()
                checked.octets, done = at - done, at
            yield checked


def _checked(held: Held, name: str, checker: Checker, number: int) -> StretchResult:
    result = StretchResult(name)
    checker.take(held, result, number)
    return result
