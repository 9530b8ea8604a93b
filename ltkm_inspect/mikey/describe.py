"""A message as a tree of named fields: the one source of the text tree, the content view and the JSON form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ltkm_inspect.mikey.codes import NEXT_PAYLOADS
from ltkm_inspect.mikey.core import Kemac
from ltkm_inspect.mikey.extension import Extension, OmaBcast
from ltkm_inspect.mikey.header import Header
from ltkm_inspect.mikey.keydata import KeyDataChain
from ltkm_inspect.mikey.management import LTKM_SUBTYPE, read_management_data
from ltkm_inspect.mikey.message import HEADER_LABEL, TRAILING, Message, decode, part_spans, traced
from ltkm_inspect.mikey.record import FieldNotes, hidden, notes, record
from ltkm_inspect.wire import Span, range_text

UNVERIFIED = "unverified"
LONGEST_SHOWN = 64
"""How many octets of a value a line of text shows."""
LONGEST_MEANING = 160
"""How many characters of a meaning a line of text shows."""


@record
class Node:
    """One field, structure or payload."""

    name: str
    """As within its parent: `type`, `key_ids[2]`, `EXT[1]`."""
    path: str
    """Field path from the message: `EXT[1].key_ids[2].type`."""
    value: str = ""
    """The value: a number in decimal, or in hex where that reads better; octets in hex; empty for a structure."""
    meaning: str = ""
    """What the value means; safe to print."""
    span: Span | None = None
    """Where the octets are, for a decoded message."""
    children: tuple["Node", ...] = ()
    unverified: bool = False
    """True where the layout rests on memory; what is printed of it says so."""
    octets: int | None = None
    """How many octets the value has, where it is octets."""

    @property
    def text(self) -> str:
        """The value with its meaning on one line: `5 (OMA BCAST)`."""
        value = self.value
        if self.octets is not None and self.octets > LONGEST_SHOWN and len(value) == 2 * self.octets:
            value = f"{value[: 2 * LONGEST_SHOWN]}… ({self.octets} octets)"
        meaning = self.meaning if len(self.meaning) <= LONGEST_MEANING else f"{self.meaning[:LONGEST_MEANING]}…"
        meaning = f"({meaning})" if value and meaning else meaning
        return " ".join(part for part in (value, meaning, f"({UNVERIFIED})" if self.unverified else "") if part)

    def walk(self) -> Iterator["Node"]:
        """Yield this node and everything below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree(message: Message, *, show_keys: bool = False) -> tuple[Node, ...]:
    """Return the nodes of a message: header, payloads, trailing octets, problems.

    Keys that are not encrypted are hidden unless asked for. A message made by hand is shown as what it encodes to.
    """
    octets = message.encode()
    if message.is_cut:
        parts = traced(octets[: len(octets) - len(message.trailing)])[1]
    else:
        message, parts = traced(octets)
    nodes = []
    records: list[tuple[int, Any]] = [*enumerate(message.payloads)]
    if message.header is not None:
        records.insert(0, (-1, message.header))
    paths = (*message.paths, HEADER_LABEL)  # that of the header is at -1, as its Next payload is
    for (index, each), spans in zip(records, parts, strict=True):
        path = paths[index]
        nodes.append(_Part(path, spans, show_keys).structure(path, "", each, message.next_payload(index)))
    if message.trailing:
        part = _Part("", {TRAILING: message.trailing_span}, show_keys)
        note = next(note for note in notes(Message) if note.name == TRAILING)
        nodes.append(part.value(note, TRAILING, message, message.trailing))
    problems = [message.problem, *message.inner_problems]
    return (*nodes, *(Node("problem", each.path, meaning=str(each)) for each in problems if each is not None))


def render(nodes: Iterable[Node], indent: int = 0) -> Iterator[str]:
    """Yield the lines of a text tree, two spaces a level: name, first and last octet, value."""
    for node in nodes:
        text = node.text
        place = f" [{range_text(node.span.start, node.span.end)}]" if node.span else ""
        yield f"{'  ' * indent}{node.name}{place}{': ' + text if text else ''}"
        yield from render(node.children, indent + 1)


class Room:
    """How many parts of messages there is room for: payloads, and what these have several of. None is without end."""

    def __init__(self, parts: int | None = None) -> None:
        self._parts = parts
        self.left_out = 0
        """How many parts there was no room for."""

    def take[T](self, parts: Sequence[T]) -> Sequence[T]:
        """Return the first of these parts, as many as there is room for, which they then take up."""
        if self._parts is None:
            return parts
        taken = parts[: self._parts]
        self._parts -= len(taken)
        self.left_out += len(parts) - len(taken)
        return taken


def to_plain(message: Message, *, show_keys: bool = False, room: Room | None = None) -> dict[str, Any]:
    """Return a message as data for JSON; octets in hex, keys that are not encrypted hidden unless asked for.

    A message made by hand is given as what it encodes to. The field `more` says how many parts there is no room for.
    """
    room = room or Room()
    before = room.left_out
    message = _decoded(message)
    header, offsets = message.header, message.offsets
    ends = (*offsets[1:], message.length - len(message.trailing))
    return {
        "length": message.length,
        "header": None if header is None else _plain_header(header, message, show_keys, room),
        "payloads": [
            {
                "type": payload.payload_type,
                "name": payload.label,
                "path": message.paths[index],
                "offset": offsets[index],
                "length": ends[index] - offsets[index],
                "next_payload": message.next_payload(index),
                "fields": _plain(payload, show_keys, room),
            }
            for index, payload in enumerate(room.take(message.payloads))
        ],
        "error": asdict(message.problem) if message.problem is not None else None,
        "inner_errors": [asdict(problem) for problem in room.take(message.inner_problems)],
        "trailing": _plain_octets(message.trailing, message.trailing_may_hold_key and not show_keys),
        "more": room.left_out - before,
    }


def shown_octets(message: Message, octets: bytes | None = None, *, show_keys: bool = False) -> bytes:
    """Return the octets of a message; zeros replace keys in the clear, unless they are to be shown.

    `octets` are those that it was decoded from, if they are known.
    """
    if octets is None:
        octets = message.encode()
    if show_keys:
        return octets
    message = _decoded(message)
    hidden = [*_hidden(message, octets)]
    if message.trailing_may_hold_key:
        hidden.append(Span(len(octets) - len(message.trailing), len(octets)))
    if not hidden:
        return octets
    redacted = bytearray(octets)
    for span in hidden:
        redacted[span.start : span.end] = bytes(len(span))
    return bytes(redacted)


def _decoded(message: Message) -> Message:
    """Return a message that knows its places, which one made by hand does not."""
    return message if message.length else decode(message.encode())


def _hidden(message: Message, octets: bytes) -> Iterator[Span]:
    """Yield the places of keys in the clear; the complete payload if the place of the field is not known."""
    for index, (payload, path) in enumerate(zip(message.payloads, message.paths, strict=True)):
        secrets = [note.name for note in notes(type(payload)) if note.secret is not None and note.is_secret(payload)]
        places = part_spans(message, octets, path) if secrets else {}
        for name in secrets:
            yield places.get(f"{path}.{name}") or message.payload_span(index)


class _Part:
    """A header or payload, or another record, whose nodes are made; `below` is a field path below it, or empty."""

    __slots__ = ("path", "prefix", "show_keys", "spans")

    def __init__(self, path: str, spans: Mapping[str, Span], show_keys: bool) -> None:
        self.path = path
        self.prefix = f"{path}." if path else ""
        self.spans = spans
        self.show_keys = show_keys

    def structure(self, name: str, below: str, record: Any, next_payload: int | None = None) -> Node:
        """Return the node of a record, with those of its fields."""
        children = self._children(below, record)
        if next_payload is not None:
            meaning = NEXT_PAYLOADS.name_of(next_payload)
            span = self.spans.get("next_payload")
            children.insert(0, Node("next_payload", f"{self.prefix}next_payload", str(next_payload), meaning, span))
        path = self.prefix + below if below else self.path
        unverified = getattr(record, "unverified", False)
        return Node(name, path, "", "", self.spans.get(below), tuple(children), unverified)

    def _children(self, below: str, record: Any) -> list[Node]:
        inner = f"{below}." if below else ""
        nodes: list[Node] = []
        for note in notes(type(record)):
            name = note.name
            value = getattr(record, name)
            if isinstance(value, int) or (isinstance(value, bytes) and (value or name != TRAILING)):
                nodes.append(self.value(note, inner + name, record, value))
            elif isinstance(value, tuple):
                names = [f"{name}[{number}]" for number in range(1, len(value) + 1)]
                nodes += [self.structure(each, inner + each, item) for each, item in zip(names, value, strict=True)]
            elif name == "value" and isinstance(value, Extension):
                # The data of an extension: its fields have their paths directly below the payload.
                nodes += self._children(below, value)
            elif hasattr(value, "push"):
                nodes.append(self.structure(name, inner + name, value))
        if isinstance(record, Kemac) and record.key_data is not None:
            nodes += self._key_data(inner, record.key_data)
        if isinstance(record, OmaBcast) and record.subtype == LTKM_SUBTYPE:
            nodes += self._management_data(inner, record.data)
        return nodes

    def _management_data(self, inner: str, data: bytes) -> Iterator[Node]:
        for part in read_management_data(data):
            shown = part.value.hex() if isinstance(part.value, bytes) else str(part.value)
            octets = len(part.value) if isinstance(part.value, bytes) else None
            where = f"{self.prefix}{inner}data.{part.name}"
            yield Node(part.name, where, shown, part.meaning, unverified=True, octets=octets)

    def _key_data(self, inner: str, chain: KeyDataChain) -> Iterator[Node]:
        for number, entry in enumerate(chain.entries, 1):
            name = f"key_data[{number}]"
            yield self.structure(name, inner + name, entry)
        if chain.problem is not None:
            yield Node("problem", f"{self.prefix}{inner}{chain.problem.path}", meaning=chain.problem.reason)

    def value(self, note: FieldNotes, below: str, record: Any, value: Any) -> Node:
        """Return the node of a field that is no record."""
        octets = len(value) if isinstance(value, bytes) else None
        meaning = ""
        if note.secret is not None and not self.show_keys and note.secret(record):
            shown = hidden(value)
        else:
            if octets is not None:
                shown = value.hex() or "empty"
            else:
                shown = f"0x{value:0{2 * note.hex_octets}x}" if note.hex_octets else str(int(value))
            if note.codes is not None:
                meaning = note.codes.get(value) or "unknown"
            elif note.meaning is not None:
                meaning = note.meaning(record)
        return Node(note.name, self.prefix + below, shown, meaning, self.spans.get(below), (), False, octets)


def _plain_header(header: Header, message: Message, show_keys: bool, room: Room) -> dict[str, Any]:
    end = message.offsets[0] if message.offsets else message.length - len(message.trailing)
    fields = _plain(header, show_keys, room)
    return {"offset": 0, "length": end, "next_payload": message.next_payload(-1), "fields": fields}


def _plain(record: Any, show_keys: bool, room: Room) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for note in notes(type(record)):
        name = note.name
        value = getattr(record, name)
        if isinstance(value, int):
            result[name] = value
            if note.codes is not None:
                result[f"{name}_name"] = note.codes.get(value)
        elif isinstance(value, bytes):
            is_secret = note.is_secret(record) if note.secret is not None else False
            result[name] = _plain_octets(value, is_secret and not show_keys)
            if note.meaning is not None and not is_secret and (meaning := note.meaning(record)):
                result[f"{name}_text"] = meaning
        elif isinstance(value, tuple):
            result[name] = [_plain(item, show_keys, room) for item in room.take(value)]
        else:
            result[name] = _plain(value, show_keys, room) if hasattr(value, "push") else value
    key_data = record.key_data if isinstance(record, Kemac) else None
    if key_data is not None:
        result["key_data"] = [_plain(entry, show_keys, room) for entry in room.take(key_data.entries)]
    if isinstance(record, OmaBcast) and record.subtype == LTKM_SUBTYPE:
        parts = read_management_data(record.data)
        values = {part.name: part.value.hex() if isinstance(part.value, bytes) else part.value for part in parts}
        result[UNVERIFIED] = values
    if getattr(record, "unverified", False):
        result[UNVERIFIED] = True
    return result


def _plain_octets(value: bytes, hide: bool) -> str | dict[str, Any]:
    return {"hidden": True, "length": len(value)} if hide else value.hex()
