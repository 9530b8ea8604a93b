"""Lists of items and LTKMs as edited: which entry is which, and what is gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ltkm_inspect.document import Splice, Xml, edit
from ltkm_inspect.editing.lines import EditError, LineTree


@dataclass(frozen=True, slots=True)
class Match:
    """One entry of an edited list, with the one that it is, or a place for it where it is new."""

    new: LineTree
    own: int | None
    """The index of what it was, where it is one that was shown and stands in its order."""
    behind: int | None
    """The index of the last one before it that was shown; None where none stands before."""


def matched(old: Sequence[LineTree], new: Sequence[LineTree]) -> list[Match]:
    """Find the entries of a list in the edited one by their numbers.

    What comes a second time, or before one that stood before it, is a copy; what does not come is gone.
    """
    places = {(entry.key, entry.value): index for index, entry in enumerate(old)}
    found: list[Match] = []
    last: int | None = None
    for entry in new:
        index = places.get((entry.key, entry.value))
        own = index if index is not None and (last is None or index > last) else None
        found.append(Match(entry, own, last))
        last = own if own is not None else last
    return found


def gone(xml: Xml, matches: Sequence[Match], old: Sequence[LineTree], elements: Sequence[Any]) -> Iterator[Splice]:
    """Yield what takes away the elements whose lines are no longer there."""
    kept = {match.own for match in matches}
    for index, (entry, element) in enumerate(zip(old, elements, strict=False)):
        if index not in kept:
            try:
                yield edit.replaced(xml, element, "")
            except ValueError as error:
                raise EditError(None, f"{entry.key} {entry.value} cannot be taken away: {error}") from None


def place_of(old: Sequence[LineTree], new: LineTree) -> int | None:
    """Return which of these entries has the name and the number of another one; None where none has."""
    return next((at for at, entry in enumerate(old) if (entry.key, entry.value) == (new.key, new.value)), None)


def listed(entry: LineTree, key: str) -> list[LineTree]:
    """Return the entries of a list; none where there is no such line."""
    found = entry.one(key)
    if found is None:
        return []
    if found.children and not found.children[0].is_item:
        raise EditError(found.children[0].line, f"expected a list below {key}, each entry behind a dash")
    if found.value not in ("", "[]"):
        raise EditError(found.line, f"{key}: expected a list below it, got {found.value}")
    return found.children
