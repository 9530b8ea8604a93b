"""Lists of items and LTKMs as edited: what changed in an entry, what is new, and what is gone."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ltkm_inspect.document import Splice, Xml, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.lines import EditError, LineTree, at


def edited(
    xml: Xml,
    elements: Sequence[Any],
    old: Sequence[LineTree],
    new: Sequence[LineTree],
    changed: Callable[[int, LineTree], Iterator[Splice]],
    written: Callable[[LineTree], str],
    first: Callable[[str], Splice],
) -> Iterator[Splice]:
    """Yield what makes the elements of a list, shown by the lines `old`, what the lines `new` say.

    Entries are known by their numbers. What comes a second time, or before one that stood before it, is a copy; what
    does not come is gone. `changed` tells the edits of an entry that stays, by its index, `written` the text of another
    one, and `first` puts that into a list without elements.
    """
    places = {(entry.key, entry.value): index for index, entry in enumerate(old)}
    kept: list[int] = []
    for entry in new:
        index = places.get((entry.key, entry.value))
        with at(entry):
            if index is not None and (not kept or index > kept[-1]):
                yield from changed(index, entry)
                kept.append(index)
            else:
                text = written(entry)
                yield markup.placed(xml, elements, kept[-1] if kept else None, text) or first(text)
    stayed = set(kept)
    for index, (entry, element) in enumerate(zip(old, elements, strict=False)):
        if index not in stayed:
            try:
                yield edit.replaced(xml, element, "")
            except ValueError as error:
                raise EditError(None, f"{entry.key} {entry.value} cannot be removed: {error}") from None


def place_of(old: Sequence[LineTree], new: LineTree) -> int | None:
    """Return which of these entries has the name and the number of another one; None where none has."""
    return next((at for at, entry in enumerate(old) if (entry.key, entry.value) == (new.key, new.value)), None)


def listed(entry: LineTree, key: str) -> list[LineTree]:
    """Return the entries of a list; none where there is no such line."""
    found = entry.one(key)
    if found is None:
        return []
    if found.children and not found.children[0].is_item:
        raise EditError(found.children[0].line, f"expected a list under {key}, each entry after a dash")
    if found.value not in ("", "[]"):
        raise EditError(found.line, f"{key}: expected a list under it, got {found.value}")
    return found.children
