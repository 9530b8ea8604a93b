"""The lines of one LTKM compared with those that were shown, and its message with what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ltkm_inspect.editing.lines import EditError, LineTree
from ltkm_inspect.mikey import Message
from ltkm_inspect.mikey.change import NEXT_PAYLOAD, arrange, number_of, put
from ltkm_inspect.mikey.message import HEADER_LABEL
from ltkm_inspect.parameter import did_you_mean

HEAD = ("element", "version", "text", "base64")
"""The lines of an LTKM that are about its element and not about its message."""


@dataclass
class Changes:
    """What the edited lines of a message say differently."""

    values: list[tuple[str, LineTree]] = field(default_factory=list)
    """Fields by their path, with the line that has the new value."""
    orders: list[tuple[str, list[int]]] = field(default_factory=list)
    """Lists by their path, innermost first, with the numbers of their entries in the new order."""
    payloads: list[str] | None = None
    """The paths of the payloads in their new order; None where that is the former one."""

    def __bool__(self) -> bool:
        return bool(self.values or self.orders or self.payloads is not None)

    @property
    def paths(self) -> set[str]:
        """The paths of the fields that have new values."""
        return {path for path, _ in self.values}


def compare(old: LineTree, new: LineTree) -> Changes:
    """Return what differs between the lines of a message as shown and as edited; EditError names the line."""
    changes = Changes()
    _compare(old, new, "", changes)
    before = [child.key for child in _lines(old, "") if child.children]
    after = [child.key for child in _lines(new, "") if child.children]
    if before != after:
        if before[:1] == [HEADER_LABEL] and after[:1] != before[:1]:
            raise EditError(new.line, f"expected {HEADER_LABEL} as the first part of the message")
        changes.payloads = [name for name in after if name != HEADER_LABEL]
    return changes


def apply(message: Message, changes: Changes) -> tuple[Message, dict[int, int]]:
    """Return the message with the changes but those of Next payload, and these by the index of their payload."""
    following: list[tuple[str, LineTree]] = []
    for path, entry in changes.values:
        try:
            if path.endswith(f".{NEXT_PAYLOAD}"):
                number_of(entry.value, 8)
                following.append((path.removesuffix(f".{NEXT_PAYLOAD}"), entry))
            else:
                message = put(message, path, entry.value)
        except ValueError as error:
            raise EditError(entry.line, f"{entry.key}: {error}") from None
    for path, order in changes.orders:
        message = arrange(message, path, order)
    names = list(message.paths)
    if changes.payloads is not None:
        message = arrange(message, "", [names.index(name) + 1 for name in changes.payloads])
        names = changes.payloads
    places = {name: index for index, name in enumerate(names)} | {HEADER_LABEL: -1}
    return message, {places[name]: number_of(entry.value, 8) for name, entry in following if name in places}


def likeness(old: LineTree, new: Mapping[str, str]) -> int:
    """Return how many of these values the lines of an LTKM give, too; -1 where there are other fields, or none."""
    shown = values_of(old)
    if not new or not shown.keys() >= new.keys():
        return -1
    return sum(shown[path] == value for path, value in new.items())


def values_of(entry: LineTree) -> dict[str, str]:
    """Return the values that the lines of an LTKM give its message, by the paths of the fields."""
    return dict(_values(entry, ""))


def _lines(entry: LineTree, path: str) -> list[LineTree]:
    """Return the lines below one that are about the message; those about its element are only at the top."""
    return [child for child in entry.children if path or child.key not in HEAD]


def _values(entry: LineTree, path: str) -> Iterator[tuple[str, str]]:
    for child in _lines(entry, path):
        if child.children:
            yield from _values(child, f"{path}{child.key}.")
        else:
            yield path + child.key, child.value


def _compare(old: LineTree, new: LineTree, path: str, changes: Changes) -> None:
    known = {child.key: child for child in _lines(old, path)}
    seen: dict[str, LineTree] = {}
    for child in _lines(new, path):
        if child.is_item:
            raise EditError(child.line, "remove the dash: the parts of a message have names")
        former = known.get(child.key)
        if former is None:
            hint = did_you_mean(child.key, known)
            raise EditError(child.line, f"expected a field that was shown here, got {child.key}{hint}")
        if child.key in seen:
            raise EditError(child.line, f"{child.key} is already in line {seen[child.key].line}")
        seen[child.key] = child
        if bool(former.children) != bool(child.children):
            what = "the fields that were shown under it" if former.children else "a value"
            raise EditError(child.line, f"{child.key}: expected {what}")
        if former.children:
            _compare(former, child, f"{path}{child.key}.", changes)
        elif changed(former, child):
            changes.values.append((path + child.key, child))
    for key, former in known.items():
        if key not in seen and (not former.children or not (_is_entry(key) or not path)):
            raise EditError(new.line, f"{new.key}: field {key} is missing")
    for name in dict.fromkeys(map(_list_name, filter(_is_entry, known))):
        before = [key for key in known if _list_name(key) == name]
        after = [key for key in seen if _list_name(key) == name]
        if path and before != after:
            changes.orders.append((path + name, [before.index(key) + 1 for key in after]))


def changed(old: LineTree, new: LineTree) -> bool:
    """Return whether a line has another value; EditError where only what follows from the value was changed."""
    if new.value != old.value:
        if all(entry.value.rstrip('"').endswith("…") for entry in (old, new)):
            raise EditError(new.line, f"{new.key}: expected the complete value, got a shortened one")
        return True
    if new.note and new.note != old.note:
        raise EditError(new.line, f"{new.key}: the text in brackets follows from the value; change the value instead")
    return False


def _is_entry(key: str) -> bool:
    return key.endswith("]")


def _list_name(key: str) -> str:
    return key.partition("[")[0]
