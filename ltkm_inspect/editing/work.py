"""What is known while an edited text is turned into splices."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, Xml, edit
from ltkm_inspect.editing.lines import EditError, Entry
from ltkm_inspect.exchange import Exchange


@dataclass
class Work:
    """The exchange that is edited, with what was found on the way."""

    exchange: Exchange
    context: Context
    unsealed: int = 0
    """How many messages were changed whose MAC could not be made anew."""

    @contextmanager
    def at(self, entry: Entry) -> Iterator[None]:
        """Name the line in the reason for which something inside cannot be done."""
        try:
            yield
        except EditError:
            raise
        except ValueError as error:
            raise EditError(entry.line, str(error)) from None


@dataclass(frozen=True, slots=True)
class Match:
    """One entry of an edited list, with the one that it is, or a place for it where it is new."""

    new: Entry
    own: int | None
    """The index of what it was, where it is one that was shown and stands in its order."""
    behind: int | None
    """The index of the last one before it that was shown; None where none stands before."""


def matched(old: Sequence[Entry], new: Sequence[Entry]) -> list[Match]:
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


def gone(xml: Xml, matches: Sequence[Match], old: Sequence[Entry], elements: Sequence[Any]) -> Iterator[Splice]:
    """Yield what takes away the elements whose lines are no longer there."""
    kept = {match.own for match in matches}
    for index, (entry, element) in enumerate(zip(old, elements, strict=False)):
        if index not in kept:
            try:
                yield edit.replaced(xml, element, "")
            except ValueError as error:
                raise EditError(None, f"{entry.key} {entry.value} cannot be taken away: {error}") from None
