"""Forms of MIKEY messages, generated from the codec: a payload, extension, parameter or key that it learns is in here.

Octets of zeros are a payload of every type, because lengths are then zero and codes the first of their table. From
such a payload its variants are made by what its fields say of themselves: every code of a field `type`, every record
that a field may hold, lists with many entries, long octets. What the codec does not read back unharmed is left out.
"""

from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from itertools import product
from types import UnionType
from typing import Any, TypeAliasType, get_args, get_origin, get_type_hints

from ltkm_inspect.mikey import (
    PAYLOADS,
    GeneralExtension,
    Header,
    Kemac,
    KeyData,
    KeyDataChain,
    Message,
    Payload,
    decode,
    decode_key_data,
)
from ltkm_inspect.mikey.codes import EXTENSION_TYPES, MAP_TYPES
from ltkm_inspect.mikey.extension import EXTENSIONS, Extension
from ltkm_inspect.mikey.record import notes
from ltkm_inspect.wire import DecodeError, Reader, Tracer
from tests.hostile._form import MESSAGE, Form, message_with, sized, with_messages, with_payloads

ENTRIES = 200
"""How many entries a list in one payload has."""
LONG = (40_000, 200)
"""How many octets a long field has: the first that fits."""
LARGEST_UNIT = 100_000
"""Octets of one repetition: what is larger can be repeated too seldom to tell how it grows."""
SPACE = 1024
"""Octets of zeros that every payload fits into."""
SESSIONS = 255
"""How many sessions a header has at most."""


def forms() -> Iterator[Form]:
    """Yield the forms of messages."""
    return (form for form in _forms() if form.unit < LARGEST_UNIT)


def _forms() -> Iterator[Form]:
    for number, kind in sorted(PAYLOADS.items()):
        for name, payload in payload_variants(kind):
            yield sized(f"payload {number} {kind.label}{name}", with_payloads(payload))
    for name, chain in key_data_chains():
        yield sized(f"key data{name}", with_payloads(Kemac(0, chain, 0, b"")))
    for name, header in headers():
        octets = replace(MESSAGE, header=header).encode()
        yield sized(f"header map{name}", lambda count, octets: with_messages([octets] * count), octets)
    octets = MESSAGE.encode()
    unknown = min(set(range(1, 256)) - set(PAYLOADS))
    rest = replace(MESSAGE, tail_type=unknown)
    yield sized("message: octets behind the last payload", lambda count: with_messages([octets + bytes(count)]))
    yield sized(
        "message: a payload of unknown layout",
        lambda count: with_messages([replace(rest, trailing=bytes(count)).encode()]),
    )
    yield sized("message: clean, many", lambda count: with_messages([octets] * count))
    yield sized("message: cut, many", lambda count: with_messages([octets[:-1]] * count))
    yield sized("message: no header, many", lambda count: with_messages([b"\1\0"] * count))
    yield sized("message: none, many", lambda count: with_messages([b""] * count))


def payload_variants(kind: type[Payload]) -> Iterator[tuple[str, Payload]]:
    """Yield what a payload of that class can look like, each with a name that tells it from the others."""
    yield from _settled(_plain(kind), _reads_back)


def key_data_chains() -> Iterator[tuple[str, bytes]]:
    """Yield key data in the clear with many keys of one kind."""
    for name, entry in _settled(_plain(KeyData), _key_reads_back):
        count = min(ENTRIES, 60_000 // (1 + len(entry.push())))
        yield name, KeyDataChain((entry,) * count).encode()


def headers() -> Iterator[tuple[str, Header]]:
    """Yield headers with as many sessions as there can be, of each kind."""
    assert MESSAGE.header is not None
    for kind in _records(get_type_hints(Header)["cs_id_map"]):
        for name, session in _variants(_plain(kind)):
            for map_type in MAP_TYPES.names:
                header = replace(
                    MESSAGE.header, cs_count=SESSIONS, cs_id_map_type=map_type, cs_id_map=(session,) * SESSIONS
                )
                if _decodes(replace(MESSAGE, header=header)):
                    yield f" {kind.__name__}{name}", header


def _settled(value: Any, right: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variants that are read back, where need be with another code in one of their fields."""
    seen = set()
    for name, variant in _variants(value):
        found = next((each for each in _codes_tried(variant) if each not in seen and right(each)), None)
        if found is not None:
            seen.add(found)
            yield name, found


def _codes_tried(value: Any) -> Iterator[Any]:
    yield value
    for note in notes(type(value)):
        if note.codes is not None and note.name != "type":
            for number in note.codes.names:
                yield replace(value, **{note.name: number})


def _variants(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a record, and the record with one field of another kind."""
    yield "", value
    yield from _coded(type(value))
    hints = get_type_hints(type(value))
    for note in notes(type(value)):
        hint = hints[note.name]
        if get_origin(hint) is tuple:
            for kind in _records(hint):
                for name, entry in _variants(_plain(kind)):
                    yield f", {note.name} {kind.__name__}{name}", replace(value, **{note.name: (entry,) * ENTRIES})
        else:
            for kind in _records(hint):
                for name, inner in _variants(_plain(kind)):
                    wanted = {note.name: inner}
                    if isinstance(value, GeneralExtension):
                        wanted["type"] = next(number for number, each in EXTENSIONS.items() if each is kind)
                    yield f", {kind.__name__}{name}", replace(value, **wanted)
        if _may_be_octets(hint):
            for length in LONG:
                yield f", {note.name} of {length} octets", replace(value, **{note.name: b"a" * length})


def _coded(kind: Any) -> Iterator[tuple[str, Any]]:
    """Yield the record with every code of its type, and with codes that decide how long it is."""
    tracer = Tracer(bytes(SPACE))
    usual = len(kind.pull(tracer).push())
    for note in notes(kind):
        span = tracer.spans.get(note.name)
        if note.codes is None or span is None or len(span) != 1:
            continue
        unknown = max(set(range(1 << note.bits)) - set(note.codes.names), default=0)
        for number, shift in product((*note.codes.names, unknown), {0, 8 - note.bits}):
            octets = bytearray(SPACE)
            octets[span.start] = number << shift & 0xFF
            try:
                value = kind.pull(Reader(bytes(octets)))
            except DecodeError:
                continue
            if getattr(value, note.name) == number and (note.name == "type" or len(value.push()) != usual):
                yield f", {note.name} {number}", value


def _plain(kind: Any) -> Any:
    """Return the record of that class that is read from octets of zeros."""
    return kind.pull(Reader(bytes(SPACE)))


def _records(hint: Any) -> list[Any]:
    """Return the record classes that a field of that type can hold, by itself or in a tuple."""
    if isinstance(hint, TypeAliasType):
        return _records(hint.__value__)
    if get_origin(hint) is tuple or isinstance(hint, UnionType) or get_args(hint):
        return [kind for each in get_args(hint) for kind in _records(each)]
    if hint is Extension:
        return [*EXTENSIONS.values()]
    return [hint] if is_dataclass(hint) and hasattr(hint, "pull") else []


def _may_be_octets(hint: Any) -> bool:
    if isinstance(hint, TypeAliasType):
        return _may_be_octets(hint.__value__)
    return hint is bytes or bytes in get_args(hint)


def _reads_back(payload: Payload) -> bool:
    try:
        made = message_with(payload, 2)
        read = decode(made.encode())
    except (ValueError, OverflowError):
        return False
    if not payload.chained:  # what follows it is left over
        return payload in read.payloads
    return read.payloads == made.payloads and read.problem is None and not read.inner_problems


def _key_reads_back(entry: KeyData) -> bool:
    chain = KeyDataChain((entry,) * 2)
    try:
        return decode_key_data(chain.encode()) == chain
    except (ValueError, OverflowError, DecodeError):
        return False


def _decodes(message: Message) -> bool:
    try:
        read = decode(message.encode())
    except (ValueError, OverflowError):
        return False
    return read == message and read.problem is None


def extensions_covered() -> set[int]:
    """Return the types of the extensions that have a form."""
    return {payload.type for _, payload in payload_variants(GeneralExtension) if isinstance(payload, GeneralExtension)}


KNOWN_EXTENSIONS = frozenset(EXTENSION_TYPES.names)
