"""Key Domain ID and MSK ID as edited: by the whole MSK ID, or by its Key Group and Key Number."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from ltkm_inspect.document import Splice, Xml, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.fields import changed
from ltkm_inspect.editing.lines import EditError, LineTree, at
from ltkm_inspect.mikey.change import octets_of

KEYS = ("key_domain_id", "msk_id", "key_group", "key_number")
_PARTS = {"key_group": slice(0, 2), "key_number": slice(2, 4)}


def identifier_splices(
    xml: Xml, domains: Sequence[Any], ids: Sequence[Any], old: LineTree, new: LineTree
) -> Iterator[Splice]:
    """Yield what gives the elements of an item's identifiers the values of the edited lines."""
    for key, elements in (("key_domain_id", domains), ("msk_id", ids)):
        before, after = _groups(old, key), _groups(new, key)
        if len(before) != len(after):
            line = after[len(before)][0].line if len(after) > len(before) else new.line
            raise EditError(line, f"expected {key} {_times(before)} in this item, got it {_times(after)}")
        for element, former, group in zip(elements, before, after, strict=True):
            text = _text(former, group)
            if text is not None:
                with at(group[0]):
                    yield edit.filled(xml, element, text)


def _times(groups: Sequence[Any]) -> str:
    return "once" if len(groups) == 1 else f"{len(groups)} times"


def new_msk(root: Any, entry: LineTree) -> str:
    """Return the MSK element of a new item as text; EditError where one of its identifiers is not given."""
    elements = ""
    for key, name in (("key_domain_id", "keyDomainID"), ("msk_id", "MSKID")):
        groups = _groups(entry, key)
        if len(groups) != 1:
            raise EditError(entry.line, f"expected one {key} in a new item, got {len(groups)}")
        first, *parts = groups[0]
        for part in parts:
            if _octets(part) != _octets(first)[_PARTS[part.key]]:
                raise EditError(part.line, f"{part.key}: expected the value in msk_id, got {part.value}")
        elements += markup.own_element(root, name, _as_text(first))
    return markup.own_element(root, "MSK", elements)


def _groups(entry: LineTree, key: str) -> list[list[LineTree]]:
    """Return the lines of that name, each with those of Key Group and Key Number behind it."""
    groups: list[list[LineTree]] = []
    for child in entry.children:
        if child.key == key:
            groups.append([child])
        elif child.key in _PARTS and key == "msk_id":
            if not groups:
                raise EditError(child.line, f"{child.key}: expected after msk_id")
            if any(each.key == child.key for each in groups[-1]):
                raise EditError(child.line, f"{child.key} appears twice")
            groups[-1].append(child)
    return groups


def _text(old: list[LineTree], new: list[LineTree]) -> str | None:
    """Return the new text of an element; None where it stays as it is."""
    whole = changed(old[0], new[0])
    former = {part.key: part for part in old[1:]}
    parts = []
    for part in new[1:]:
        if part.key not in former:
            raise EditError(part.line, f"{part.key}: only an MSK ID of 4 octets has this part")
        if changed(former[part.key], part):
            parts.append(part)
    if not whole and not parts:
        return None
    if not parts:
        return _as_text(new[0])
    octets = bytearray(_octets(new[0]))
    for part in parts:
        place = _PARTS[part.key]
        value = _octets(part)
        if len(value) != 2:
            raise EditError(part.line, f"{part.key}: expected 2 octets in hex, got {len(value)}")
        if whole and octets[place] != value:
            raise EditError(part.line, f"{part.key}: expected {octets[place].hex()} as in msk_id, got {value.hex()}")
        octets[place] = value
    return b64encode(octets).decode()


def _as_text(entry: LineTree) -> str:
    if entry.value.startswith('"'):
        return markup.escaped(markup.quoted_text(entry))  # shown like this if it is not base64: exactly the text
    return b64encode(_octets(entry)).decode()


def _octets(entry: LineTree) -> bytes:
    try:
        return octets_of(entry.value)
    except ValueError as error:
        raise EditError(entry.line, f"{entry.key}: {error}") from None
