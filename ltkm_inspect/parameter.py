"""Typed parameters of rules and faults, taken from the signature of their function."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Protocol, Self, TypeAliasType, get_args, get_origin, runtime_checkable

from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import is_key_text

KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", bytes: "octets in hex", str: "text"}
"""What may be typed for a parameter, by its type."""

MOST_NAMES = 10_000
"""How many names of a folder are compared with that of a missing file."""
LONGEST_SHOWN = 80
"""How many characters of a value an error shows."""


class ParameterError(ValueError):
    """A value that a parameter cannot take; the message is one line for the user."""


@runtime_checkable
class ParameterType(Protocol):
    """A type of value that says itself what may be typed for it, and reads it."""

    KIND: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the value of a text; ValueError where it is none."""
        ...


@dataclass(frozen=True, slots=True)
class FileName:
    """The name of a file, and what was read from it once that was done; each kind of content is a class of its own."""

    KIND: ClassVar[str] = "the path of a file"

    text: str
    content: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the file of that name, not yet read."""
        if not text.strip() or "\0" in text:
            raise ValueError(text)
        return cls(text)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword-only parameter of a rule or a fault."""

    name: str
    type: Any
    """bool, int, bytes, str, a `Literal` of words, or a `ParameterType` class, which then may be None by itself."""
    default: Any
    least: int | None = None
    """The smallest number that may be typed; None for any."""

    @property
    def kind(self) -> str:
        """What may be typed for it."""
        if self.words:
            return f"one of {', '.join(self.words)}"
        if isinstance(self.type, ParameterType):
            return self.type.KIND
        bound = "" if self.least is None or self.type is not int else f" from {self.least}"
        return KINDS.get(self.type, "text") + bound

    @property
    def words(self) -> tuple[str, ...]:
        """The words that may be typed, where it is a choice of some."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def shown(self) -> str:
        """Its default, as it would be typed."""
        return written(self.default)

    def parse(self, text: str) -> Any:
        """Return the value written as text; ParameterError says what was expected."""
        try:
            if self.type is bool:
                return {"true": True, "false": False}[text.lower()]
            if self.type is bytes:
                return bytes.fromhex(text)
            if self.words:
                return {word: word for word in self.words}[text]
            if isinstance(self.type, ParameterType):
                return self.type.parse(text)
            value = self.type(text)
            if self.type is int and self.least is not None and value < self.least:
                raise ValueError(text)
            return value
        except (ValueError, KeyError):
            got = printable(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…") or "nothing"
            got = "what may be a key" if is_key_text(text) else got
            close = did_you_mean(text, self.words)
            raise ParameterError(f"parameter {self.name}: expected {self.kind}, got {got}{close}") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word that comes closest, or nothing where none does."""
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def similar_file(path: str, fits: Callable[[str], bool] = os.path.exists) -> str:
    """Return `; did you mean X?` for a file like one that is missing, in its folder or one below, or nothing.

    `fits` tells of a path whether its file is of a kind that is wanted.
    """
    folder, name = os.path.split(path)
    here = _names(folder)
    inner = [each for each in here if each[0] != "." and os.path.isdir(os.path.join(folder, each))]
    below = [os.path.join(each, found) for each in inner for found in _names(os.path.join(folder, each))][:MOST_NAMES]
    for paths in ([each for each in below if os.path.basename(each) == name], here, below):
        for each in _similar(name, paths):
            whole = os.path.join(folder, each)
            if (os.path.isfile(whole) or os.path.isdir(whole)) and fits(whole):  # to open a pipe could wait for ever
                return f"; did you mean {printable(whole)}?"
    return ""


def similar_toml(path: str) -> str:
    """Return the same for a file whose name ends in .toml."""
    return similar_file(path, lambda each: each.endswith(".toml"))


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return [entry.name for entry in islice(entries, MOST_NAMES)]
    except (OSError, ValueError):
        return []


def _similar(name: str, paths: Iterable[str]) -> list[str]:
    """Return the paths whose files have nearly that name, the closest first."""
    names = {each: os.path.basename(each) for each in paths}
    stem = os.path.splitext(name)[0].lower()
    same = sorted(each for each, found in names.items() if os.path.splitext(found)[0].lower() == stem)
    close = get_close_matches(name, list(names.values()), 3, cutoff=0.8)
    return [*same, *(each for found in close for each in names if names[each] == found)]


def parameters_of(function: Callable[..., Any], least: int | None = None) -> tuple[Parameter, ...]:
    """Return the keyword-only parameters of a function, in their order; `least` bounds those that are numbers."""
    signature = inspect.signature(function, eval_str=True)
    return tuple(
        Parameter(parameter.name, _without_none(parameter.annotation), parameter.default, least)
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def _without_none(annotation: Any) -> Any:
    """Return X of an annotation `X | None`: None says that nothing was typed, and cannot be. A name of a type is it."""
    if isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if isinstance(annotation, UnionType):
        (annotation,) = (each for each in get_args(annotation) if each is not NoneType)
    return annotation


def parse_values(what: str, parameters: Iterable[Parameter], text: str) -> dict[str, Any]:
    """Parse `name=value,…` for what has these parameters (`fault shorten-rand`); ParameterError in one line."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if key not in known or not equals:
            wanted = ", ".join(f"{name}=…" for name in known) or "no parameters"
            close = did_you_mean(key, known) if key not in known else ""
            raise ParameterError(f"{what}: expected {wanted}, got {printable(pair) or 'nothing'}{close}")
        if key in values:
            raise ParameterError(f"{what}: parameter {key} appears twice")
        try:
            values[key] = known[key].parse(value)
        except ParameterError as error:
            raise ParameterError(f"{what}: {error}") from None
    return values


def written(value: Any) -> str:
    """Return a value as it would be typed."""
    if isinstance(value, bytes):
        return value.hex()
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
