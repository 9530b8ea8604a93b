"""Frozen records that are quick to make and keep keys out of their repr, with what a field says about itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, Literal, Self, dataclass_transform, get_args

from ltkm_inspect.mikey.codes import Codes
from ltkm_inspect.wire import Reader, count, opaque


class Structure:
    """A record that is octets: `record` makes `pull` and `push` of the annotations, unless the class has its own.

    A number takes the octet that most numbers have, or as many as `Bits` or `Hex` say. Octets go to the end of their
    block unless `Opaque` or `Sized` says how many they are.
    """

    __slots__ = ()

    @classmethod
    def pull(cls, reader: Reader) -> Self:
        """Read the octets; DecodeError where they cannot be read."""
        raise NotImplementedError

    def push(self) -> bytes:
        """Return the octets; ValueError or OverflowError where a value does not fit its field."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Hex:
    """Marks a number that is best read in hex."""

    octets: int


@dataclass(frozen=True, slots=True)
class Bits:
    """Marks a number that has not the eight bits of most numbers."""

    count: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """Marks octets that follow their length, which has one octet or two."""

    length_octets: Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Sized:
    """Marks octets whose number follows from the field right before them."""

    by: str
    lengths: Mapping[int, int]
    what: str
    """What the numbers of that field are: `a MAC algorithm`."""

    def pull(self, reader: Reader, name: str, number: int) -> bytes:
        """Read the octets behind that number."""
        length = self.lengths.get(number)
        if length is None:
            raise reader.unknown(self.by, f"{self.what} of known length (0 to {max(self.lengths)})", number)
        return reader.take(name, length)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Marks a field whose meaning the record tells; an empty meaning is not shown."""

    tell: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Secret:
    """Marks a field that holds key material, always or when the record says so."""

    when: Callable[[Any], bool] = lambda record: True


@dataclass(frozen=True, slots=True)
class FieldNotes:
    """What the annotation of a field says beyond its type: `Annotated[int, KEY_TYPES]`."""

    name: str
    codes: Codes | None = None
    hex_octets: int = 0
    bits: int = 8
    """How many bits the field has, where it is a number."""
    is_number: bool = False
    length: Opaque | Sized | None = None
    meaning: Callable[[Any], str] | None = None
    secret: Callable[[Any], bool] | None = None

    def is_secret(self, owner: Any) -> bool:
        """Return whether the field holds key material in this record."""
        return self.secret is not None and self.secret(owner)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record[C](cls: type[C]) -> type[C]:
    """Make a frozen dataclass, with slots if it is none yet: an `__init__` in half the time, and a repr without keys.

    The `__init__` of a frozen dataclass looks up `object.__setattr__` for every field. Here the slots, or without slots
    the dict, are set directly: a message of 230 octets is made of some forty fields, and this is a quarter of the time
    it takes to decode it.
    """
    if not is_dataclass(cls):
        cls = dataclass(init=False, repr=False, frozen=True, slots=True)(cls)
    names: dict[str, Any] = {}
    parameters, body = [], []
    for each in fields(cls):  # type: ignore[arg-type]
        slot = cls.__dict__.get(each.name)
        names[f"_set_{each.name}"] = getattr(slot, "__set__", None)
        if each.default is MISSING:
            parameters.append(each.name)
        else:
            names[f"_default_{each.name}"] = each.default
            parameters.append(f"{each.name}=_default_{each.name}")
        if names[f"_set_{each.name}"] is None:
            body.append(f"self.__dict__[{each.name!r}] = {each.name}")
        else:
            body.append(f"_set_{each.name}(self, {each.name})")
    exec(f"def __init__(self, {', '.join(parameters)}):\n " + "\n ".join(body), names)
    names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    type.__setattr__(cls, "__init__", names["__init__"])
    type.__setattr__(cls, "__repr__", _repr)
    if issubclass(cls, Structure) and cls.pull.__func__ is Structure.pull.__func__:  # type: ignore[attr-defined]
        _add_codec(cls)
    return cls


def _add_codec(cls: type[Structure]) -> None:
    # Made as code, as `__init__` is: to go through the annotations for each payload takes twice the time.
    codes = {note.name: _code(note) for note in notes(cls)}
    names: dict[str, Any] = {"opaque": opaque} | {f"_{note.name}": note.length for note in notes(cls)}
    reads = "".join(f" {name} = {read}\n" for name, (read, _) in codes.items())
    exec(f"def pull(cls, reader):\n{reads} return cls({', '.join(codes)})", names)
    exec(f"def push(self):\n return {' + '.join(write for _, write in codes.values())}", names)
    type.__setattr__(cls, "pull", classmethod(names["pull"]))
    type.__setattr__(cls, "push", names["push"])


def _code(note: FieldNotes) -> tuple[str, str]:
    """Return the code that reads a field, and the one that writes it."""
    name, value = note.name, f"self.{note.name}"
    match note.length:
        case Opaque(octets):
            return f"reader.opaque({name!r}, {octets})", f"opaque({value}, {octets})"
        case Sized(by):
            return f"_{name}.pull(reader, {name!r}, {by})", value
    if not note.is_number:
        return f"reader.rest({name!r})", value
    write = f"bytes(({value},))" if note.bits == 8 else f"{value}.to_bytes({note.bits // 8})"
    return f"reader.uint{note.bits}({name!r})", write


_notes: dict[type, tuple[FieldNotes, ...]] = {}


def notes(cls: type) -> tuple[FieldNotes, ...]:
    """Return what the fields of a record class say about themselves, in order."""
    if cls not in _notes:
        _notes[cls] = tuple(_field_notes(each) for each in fields(cls) if each.compare)
    return _notes[cls]


def _field_notes(each: "Field[Any]") -> FieldNotes:
    values: dict[str, Any] = {"is_number": int in (each.type, *get_args(each.type)[:1])}
    for extra in get_args(each.type)[1:] if hasattr(each.type, "__metadata__") else ():
        match extra:
            case Codes():
                values["codes"] = extra
            case Hex(octets):
                values |= {"hex_octets": octets, "bits": 8 * octets}
            case Bits(count):
                values["bits"] = count
            case Opaque() | Sized():
                values["length"] = extra
            case Meaning(tell):
                values["meaning"] = tell
            case Secret(when):
                values["secret"] = when
    return FieldNotes(each.name, **values)


def hidden(value: Any) -> str:
    """Return what is shown in place of key material."""
    if isinstance(value, bytes):
        return f"{count(len(value), 'octet')}, hidden"
    return "hidden"


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(_shown(self))})"


def _shown(self: Any) -> Iterator[str]:
    for note in notes(type(self)):
        value = getattr(self, note.name)
        yield f"{note.name}=<{hidden(value)}>" if note.is_secret(self) else f"{note.name}={value!r}"
