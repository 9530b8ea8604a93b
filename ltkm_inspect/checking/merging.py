"""Captures of several probes, merged by time: the next event is always the earliest of those that come next.

The order within a file stays as it is. An event counts at the time it ended, else at that of its begin, else at that of
the event before it in its file; of several at one time, that of the file that was given first comes first. A file is
opened when its time has come, so that there may be any number of files; to know that, it is read up to its first event.
"""

import math
from collections.abc import Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from ltkm_inspect.capture import opened
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.checking.reading import CaptureReader, Held
from ltkm_inspect.output.console import failure
from ltkm_inspect.packets import OVERLAP, packets
from ltkm_inspect.traffic import Event, Limits

_FIRST = -math.inf
"""In front of everything that has a time."""


class FileProblem(NamedTuple):
    """Why a file cannot be read, or not to its end."""

    text: str
    """One line, safe to print."""
    unread: bool
    """Nothing of it was read."""


class MergedItem(NamedTuple):
    """What comes next in a file."""

    time: float
    """In seconds since 1970 UTC; that of the event before it for what is no event."""
    name: str
    """The capture."""
    number: int
    """That of the flow in its capture."""
    held: Held | FileProblem
    octets: int = 0
    """How many octets were read for it."""


class Stream(NamedTuple):
    """Files that are read one after the other: packet captures that follow each other in time, or a single file."""

    files: list[Input]
    begins: float
    """No event of it is earlier, in seconds since 1970 UTC; -inf if that is not known."""


class _Beginning(NamedTuple):
    """What the beginning of a file tells."""

    is_packets: bool = False
    first: float | None = None
    """When its first packet was captured."""
    begins: float = _FIRST


class MergedCaptures:
    """The captures of a run, read by time."""

    def __init__(self, files: Sequence[Input], limits: Limits) -> None:
        """Take the files in their order, and what the events get."""
        self._files, self._limits = files, limits
        self.until: float | None = None
        """Until when the packet captures go that were read, in seconds since 1970 UTC; None if that is not known."""

    def items(self) -> Iterator[MergedItem]:
        """Yield everything that is in the files."""
        found = [self._items(stream) for stream in streams(self._files, self._limits)]
        return (each for each in merge(*found, key=lambda each: each.time) if each.name)

    def _items(self, stream: Stream) -> Iterator[MergedItem]:
        yield MergedItem(stream.begins, "", 0, FileProblem("", False))  # nothing is opened before its turn
        reader, time = CaptureReader(self._limits), _FIRST
        for file in stream.files:
            if file.problem:
                yield MergedItem(time, file.name, 0, FileProblem(file.problem, True))
                continue
            begun = False
            try:
                with opened(file.location) as source:
                    done = 0
                    for name, number, held in reader.events(source, file.name):
                        begun, time = True, time_of(held, time)
                        at = done if source.size is None else source.raw.tell()
                        yield MergedItem(time, name, number, held, at - done)
                        done = at
            except Exception as error:  # a file that the program fails on takes no other one with it
                yield MergedItem(time, file.name, 0, FileProblem(failure(error), not begun))
        for name, number, held in reader.rest():
            time = time_of(held, time)
            yield MergedItem(time, name, number, held)
        self.until = max((at for at in (self.until, reader.until) if at is not None), default=None)


def time_of(held: object, before: float) -> float:
    """Return the time by which an event is ordered; that `before` it for one without a time, and what is no event."""
    times = (held.ended, held.started) if isinstance(held, Event) else ()
    return next((at for at in times if at is not None and math.isfinite(at)), before)


def streams(files: Sequence[Input], limits: Limits) -> list[Stream]:
    """Return the files as streams, in their order.

    A packet capture goes on with the one given before it if it begins where that ends, or later. To know that, each of
    several packet captures in a row is read once more.
    """
    found: list[Stream] = []
    before, look = None, _Beginning()
    for file in files:
        last, look = look, _look(file, limits)
        if before is not None and look.is_packets and (look.first is None or _follows(look.first, last, before)):
            found[-1].files.append(file)
            if look.first is None:  # no packet in it
                look = last
                continue
        else:
            found.append(Stream([file], look.begins))
        before = file if look.first is not None else None
    return found


def _follows(first: float, look: _Beginning, before: Input) -> bool:
    """Tell whether a packet capture whose first packet has that time follows another one."""
    if look.first is None or first < look.first - OVERLAP:
        return False
    last = None
    try:
        with opened(before.location) as source:
            for packet in packets(source.read):
                last = packet.time
    except Exception:  # nothing goes on behind damage
        return False
    return last is not None and first >= last - OVERLAP


def _look(file: Input, limits: Limits) -> _Beginning:
    if file.problem or file.octets is None:  # what comes through a pipe can be read only once
        return _Beginning()
    try:
        with opened(file.location) as source:
            if source.is_packets:
                first = next((packet.time for packet in packets(source.read)), None)
                return _Beginning(True, first, _FIRST if first is None else first - OVERLAP)
            for _, _, held in CaptureReader(limits).events(source, file.name):
                if isinstance(held, Event):
                    return _Beginning(begins=time_of(held, _FIRST))
    except Exception:  # said when it is read
        pass
    return _Beginning()
