"""How workers fold the registers: what pieces have is sorted into parts, folded, and handed back piece by piece."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ltkm_inspect.cluster.job import Job
from ltkm_inspect.cluster.work import MappedPiece
from ltkm_inspect.session import folding
from ltkm_inspect.session.folding import Ending, Folded, Round

type Early = list[tuple[int, tuple[bytes, ...]]]
"""What one part needs of some pieces, by their numbers, for each of the first three rounds."""
type Late = list[tuple[int, bytes]]
"""What one part needs of some pieces, by their numbers, for another round."""


def split(
    job: Job, numbers: Sequence[int], pieces: Sequence[MappedPiece], parts: int, history_parts: int
) -> tuple[list[Early], list[Late]]:
    """Return what each part needs of these pieces, for the first three rounds and for `HISTORY`."""
    found: tuple[list[Early], list[Late]] = [[] for _ in range(parts)], [[] for _ in range(history_parts)]
    for number, piece in zip(numbers, pieces, strict=True):
        early, history = folding.split(piece.events, parts, history_parts, job.settings)
        for mine, touches in zip(found[0], early, strict=True):
            mine.append((number, touches))
        for of_history, octets in zip(found[1], history, strict=True):
            of_history.append((number, octets))
    return found


def split_sightings(
    job: Job, numbers: Sequence[int], pieces: Sequence[MappedPiece], answers: Sequence[dict[int, bytes]], parts: int
) -> list[Late]:
    """Return what each part needs of these pieces for `SIGHTINGS`, by what all parts of `CHALLENGES` say of them."""
    found: list[Late] = [[] for _ in range(parts)]
    for number, piece in zip(numbers, pieces, strict=True):
        said = [each.get(number, b"") for each in answers]
        for mine, octets in zip(found, folding.split_sightings(piece.events, said, parts, job.settings), strict=True):
            mine.append((number, octets))
    return found


def pick(job: Job, found: Any, *places: int) -> Any:
    """Return what one part needs of some pieces, by its place in what was split."""
    for place in places:
        found = found[place]
    return found


def fold(job: Job, stage: Round, pieces: Sequence[Early | Late], needed: Sequence[Folded]) -> Folded:
    """Fold one part of all pieces in that round."""
    touches = ((number, each if isinstance(each, bytes) else each[stage]) for some in pieces for number, each in some)
    return folding.fold(stage, touches, needed, job.settings)


def answer(job: Job, folded: Folded, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return what one part says of these pieces, by their numbers."""
    return {number: folded.answers[number] for number in numbers if number in folded.answers}


def gather(job: Job, answers: Sequence[dict[int, bytes]]) -> dict[int, list[bytes]]:
    """Return what all parts of all rounds say of some pieces, by their numbers."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    for each in answers:
        for number, octets in each.items():
            found[number].append(octets)
    return dict(found)


def own(job: Job, gathered: dict[int, list[bytes]], number: int) -> list[bytes]:
    """Return what all parts of all rounds say of one piece."""
    return gathered.get(number, [])


def ending(job: Job, folded: Folded) -> Ending:
    """Return what one part says of the end of the run."""
    return folded.ending
