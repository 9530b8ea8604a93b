"""What rules and faults can be told besides what they look at: typed parameters, read off a function's signature."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ltkm_inspect.wire import printable

KINDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", bytes: "octets in hex", str: "text"}
"""What may be typed for a parameter, by its type."""


class ParameterError(ValueError):
    """A value that a parameter cannot take; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword-only parameter of a rule or a fault."""

    name: str
    type: type
    default: Any
    least: int | None = None
    """The smallest number that may be typed; None for any."""

    @property
    def kind(self) -> str:
        """What may be typed for it."""
        bound = "" if self.least is None or self.type is not int else f" from {self.least}"
        return KINDS.get(self.type, "text") + bound

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
            value = self.type(text)
            if self.type is int and self.least is not None and value < self.least:
                raise ValueError(text)
            return value
        except (ValueError, KeyError):
            raise ParameterError(f"parameter {self.name}: expected {self.kind}, got {printable(text)}") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word that comes closest, or nothing where none does."""
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def parameters_of(function: Callable[..., Any], least: int | None = None) -> tuple[Parameter, ...]:
    """Return the keyword-only parameters of a function, in their order; `least` bounds those that are numbers."""
    signature = inspect.signature(function, eval_str=True)
    return tuple(
        Parameter(parameter.name, parameter.annotation, parameter.default, least)
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def parse_values(what: str, parameters: Iterable[Parameter], text: str) -> dict[str, Any]:
    """Parse `name=value,…` for what has these parameters (`fault shorten-rand`); ParameterError in one line."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for pair in text.split(","):
        key, equals, value = pair.partition("=")
        if key not in known or not equals:
            wanted = ", ".join(f"{name}=…" for name in known) or "no parameters"
            raise ParameterError(f"{what}: expected {wanted}, got {printable(pair)}")
        if key in values:
            raise ParameterError(f"{what}: parameter {key} is given twice")
        try:
            values[key] = known[key].parse(value)
        except ParameterError as error:
            raise ParameterError(f"{what}: {error}") from None
    return values


def written(value: Any) -> str:
    """Return a value as it would be typed."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value).lower() if isinstance(value, bool) else str(value)
