"""Captures cut into pieces for a cluster: stretches of large flow files, and batches of whole files."""

import pickle
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from os import fstat
from typing import NamedTuple

from ltkm_inspect.capture import CaptureSource, opened
from ltkm_inspect.capture.inputs import Input
from ltkm_inspect.capture.sources import STDIN, LocalFile
from ltkm_inspect.checking.merging import MergedCaptures, MergedItem
from ltkm_inspect.checking.pieces import File, Settled
from ltkm_inspect.checking.work import Stretch
from ltkm_inspect.traffic import Event

STRETCH, LONGEST = 16 << 20, 64 << 20
"""How many octets of a flow file make a piece, at least and at most; files together do with as many."""
PIECES = 16
"""So many pieces for each worker are enough to keep all of them busy until the end; each costs a few tasks."""
EVENTS = 500
"""How many MSK exchanges and datagrams do, where captures are merged by time."""
LEAST = 4
"""A flow file of this part of a piece is one by itself: of stretches, only MSK exchanges are read again."""
_DENSE = 8
"""How much more there is to do for an octet that was compressed."""
NOT_A_FILE = "expected a file, which is read twice, got {}; leave --cluster out"


class Batch(NamedTuple):
    """Files that are checked one after the other. All packet captures that may go on in each other are in one batch."""

    files: tuple[Input, ...]
    are_packets: bool


class Merged(NamedTuple):
    """What comes next in captures that are merged by time."""

    items: bytes
    """Pickled."""


_BEGIN = Settled()


@dataclass(slots=True)
class ClusterPiece:
    """A piece of work for a cluster."""

    task: Stretch | Batch | Merged
    octets: int
    """How many octets of files are in it, as they are stored."""
    file: File | None = None
    """The file of a stretch."""
    settled: Settled = _BEGIN
    """Its place in that file."""

    @property
    def name(self) -> str:
        """The first file in it, if it is one by itself."""
        return self.task.name if isinstance(self.task, Stretch) else ""


class _Look(NamedTuple):
    """What is seen of a file when it is opened."""

    input: Input
    octets: int = 0
    cost: int = 0
    """How many octets of a plain file take as much time."""
    is_packets: bool | None = None
    """None for a file that cannot be read."""
    stretches: tuple[Stretch, ...] = ()
    """Those of a large flow file."""


def cut(files: Sequence[Input], workers: int) -> Iterator[ClusterPiece]:
    """Yield the pieces of these files, in their order, for that many workers."""
    total = sum(each.octets or 0 for each in files if not each.problem)
    most = max(STRETCH, min(total // (PIECES * workers), LONGEST))
    batch: list[_Look] = []
    cost, are_packets = 0, None

    def whole() -> Iterator[ClusterPiece]:
        if batch:
            together = Batch(tuple([each.input for each in batch]), bool(are_packets))
            yield ClusterPiece(together, sum(each.octets for each in batch))
            batch.clear()

    for given in files:
        look = _look(given, most)
        if look.is_packets is not None:
            is_other = are_packets is not None and look.is_packets != are_packets
            if is_other or look.stretches or (not look.is_packets and cost + look.cost > most):
                yield from whole()
                cost, are_packets = 0, None
        if look.stretches:
            file = File(given.name, given.location)
            for each in look.stretches:
                until = each.size if each.until is None else each.until
                yield ClusterPiece(each, until - each.start, file)
            continue
        batch.append(look)
        cost += look.cost
        are_packets = look.is_packets if are_packets is None else are_packets
    yield from whole()


def cut_by_time(captures: MergedCaptures) -> Iterator[ClusterPiece]:
    """Yield the pieces of captures that are merged by time, in that order."""
    items: list[MergedItem] = []
    events = octets = 0

    def piece() -> ClusterPiece:
        return ClusterPiece(Merged(pickle.dumps(items, pickle.HIGHEST_PROTOCOL)), octets)

    for item in captures.items():
        items.append(item)
        events, octets = events + isinstance(item.held, Event), octets + item.octets
        if events >= EVENTS or octets >= STRETCH:
            yield piece()
            events, octets, items = 0, 0, []
    if items:
        yield piece()


def identity_of(source: CaptureSource) -> Hashable:
    """Return what is not the same any more once an open file was changed, and is the same on every machine."""
    if isinstance(source.raw, LocalFile):
        status = fstat(source.raw.fileno())
        return status.st_size, status.st_mtime_ns
    return source.raw.identity()


def _look(given: Input, most: int) -> _Look:
    if given.problem:
        return _Look(given)
    if given.name == STDIN:
        return _Look(Input(given.name, NOT_A_FILE.format("standard input")))
    try:
        with opened(given.location) as source:
            if source.size is None:
                return _Look(Input(given.name, NOT_A_FILE.format("a pipe or a device")))
            is_flows = source.is_plain and not (source.is_har or source.is_packets)
            stretches = Stretch.cut(given.name, given.location, identity_of(source), source.size, most)
            cost = source.size * (1 if source.is_plain else _DENSE)
            is_large = is_flows and source.size > most // LEAST
            return _Look(given, source.size, cost, source.is_packets, tuple(stretches) if is_large else ())
    except OSError:  # whoever reads it says why
        return _Look(given)
