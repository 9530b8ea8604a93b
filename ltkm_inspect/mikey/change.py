"""A message with other values in its fields, written as `tree` shows them, and with its parts in another order."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ltkm_inspect.mikey.core import Kemac
from ltkm_inspect.mikey.extension import Extension, GeneralExtension, OmaBcast
from ltkm_inspect.mikey.management import read_management_data, write_management_data
from ltkm_inspect.mikey.message import HEADER_LABEL, TRAILING, Message
from ltkm_inspect.mikey.record import FieldNotes, notes
from ltkm_inspect.wire import unescaped_octets

NEXT_PAYLOAD = "next_payload"
"""The field that is no value of its payload: it follows from the order of the payloads."""

_HEX = re.compile(r"(?:[0-9a-fA-F]{2} *)+", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", re.ASCII)
_PLACE = re.compile(r"(.+)\[(\d+)\]")


def put(message: Message, path: str, text: str) -> Message:
    """Return the message with another value in the field of that path: a number, or octets in hex or as quoted text.

    Lengths follow as it is encoded; other fields stay, also those that a type decides on. ValueError where there is no
    such field, or the text does not fit it. Next payload is none of these fields: see `encoded`.
    """
    changed = _within(message, path, lambda record, name: _put(record, name, text))
    changed.encode()  # some lengths are only checked as they are written
    return changed


def arrange(message: Message, path: str, order: Sequence[int]) -> Message:
    """Return the message with the entries of a list (`EXT[1].key_ids`) in that order, numbered from 1.

    What the order leaves out is gone. The path of the payloads themselves is empty.
    """
    if not path:
        return replace(message, payloads=tuple(message.payloads[number - 1] for number in order))

    def ordered(record: Any, name: str) -> Any:
        if isinstance(record, Kemac) and name == "key_data":
            chain = record.key_data
            assert chain is not None
            entries = tuple(chain.entries[number - 1] for number in order)
            return replace(record, encr_data=replace(chain, entries=entries).encode())
        values = getattr(record, name)
        return replace(record, **{name: tuple(values[number - 1] for number in order)})

    return _within(message, path, ordered)


def encoded(message: Message, following: Mapping[int, int]) -> bytes:
    """Return the octets of a message with other Next payload values: by the index of the payload, the header's at -1.

    ValueError for a payload that has none, or a value beyond one octet.
    """
    octets = bytearray(message.encode())
    at = 0 if message.header is None else len(message.header.push(0))
    offsets = {-1: 2} if message.header is not None else {}
    for index, payload in enumerate(message.payloads):
        if payload.chained:
            offsets[index] = at
        at += payload.chained + len(payload.push())
    for index, value in following.items():
        if index not in offsets:
            raise ValueError("expected a payload with a Next payload field, got one without")
        octets[offsets[index]] = value
    return bytes(octets)


def octets_of(text: str) -> bytes:
    """Return octets written in hex, as text within quotation marks, or as `empty`; ValueError for anything else."""
    if text.startswith('"'):
        return unescaped_octets(text[1:-1])
    if text == "empty":
        return b""
    digits = text.replace(":", " ")
    if not _HEX.fullmatch(digits):
        raise ValueError(f'expected octets in hex, "text" or empty, got {text or "nothing"}')
    return bytes.fromhex(digits)


def number_of(text: str, bits: int) -> int:
    """Return a number written in decimal, or in hex after 0x; ValueError where it does not fit so many bits."""
    most = (1 << bits) - 1
    number = int(text, 0 if text[:2] in ("0x", "0X") else 10) if _NUMBER.fullmatch(text) else -1
    if not 0 <= number <= most:
        raise ValueError(f"expected a number from 0 to {most}, got {text or 'nothing'}")
    return number


def _within(message: Message, path: str, change: Callable[[Any, str], Any]) -> Message:
    """Return the message with the record changed that has a field, or a list, of that path."""
    head, _, rest = path.partition(".")
    if path == TRAILING:
        return change(message, TRAILING)  # type: ignore[no-any-return]
    if head == HEADER_LABEL and message.header is not None:
        return replace(message, header=_inside(message.header, rest, change))
    try:
        index = message.paths.index(head)
    except ValueError:
        raise ValueError(f"expected a payload of the message, got {head}") from None
    payload = _inside(message.payloads[index], rest, change)
    return replace(message, payloads=(*message.payloads[:index], payload, *message.payloads[index + 1 :]))


def _inside(record: Any, path: str, change: Callable[[Any, str], Any]) -> Any:
    if isinstance(record, GeneralExtension) and isinstance(record.value, Extension) and path != "type":
        return replace(record, value=_inside(record.value, path, change))
    name, dot, rest = path.partition(".")
    if not dot or isinstance(record, OmaBcast):  # the fields of management data have names with dots
        return change(record, path)
    place = _PLACE.fullmatch(name)
    owner = record
    field = place[1] if place else name
    if isinstance(record, Kemac) and field == "key_data":
        record, field = record.key_data, "entries"
    value = getattr(record, field, None)
    if place and isinstance(value, tuple) and 0 < int(place[2]) <= len(value):
        at = int(place[2])
        new: Any = (*value[: at - 1], _inside(value[at - 1], rest, change), *value[at:])
    elif not place and hasattr(value, "push"):
        new = _inside(value, rest, change)
    else:
        raise ValueError(f"expected a field of {type(owner).__name__}, got {name}")
    changed = replace(record, **{field: new})
    return changed if owner is record else replace(owner, encr_data=changed.encode())


def _put(record: Any, name: str, text: str) -> Any:
    note = next((note for note in notes(type(record)) if note.name == name), None)
    if note is not None:
        return replace(record, **{name: _value(note, getattr(record, name), text)})
    if isinstance(record, OmaBcast):
        part = next((part for part in read_management_data(record.data) if part.name == name), None)
        if part is not None:
            value = octets_of(text) if isinstance(part.value, bytes) else number_of(text, part.bits)
            return replace(record, data=write_management_data(record.data, name, value))
    raise ValueError(f"expected a field of {type(record).__name__}, got {name}")


def _value(note: FieldNotes, former: Any, text: str) -> Any:
    if isinstance(former, bool):
        return bool(number_of(text, 1))
    if isinstance(former, bytes):
        return octets_of(text)
    if isinstance(former, int):
        return number_of(text, note.bits)
    raise ValueError(f"expected a field that can be changed, got {note.name}")
