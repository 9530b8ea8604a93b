"""BCAST management data in EXT, read by the layout of a data file; everything it tells is unverified."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from ltkm_inspect.wire import printable_octets

LTKM_SUBTYPE = 1
"""The only OMA BCAST subtype that the data file describes."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of the management data, as the unverified layout has it."""

    name: str
    value: int | bytes
    """A number, or octets."""
    meaning: str
    start: int
    """Offset of its first bit in the management data."""
    bits: int


@dataclass(slots=True)
class _Bits:
    octets: bytes
    at: int = 0
    known: dict[str, int] = field(default_factory=dict)
    stopped: bool = False
    """Set where the layout ends or the octets do: nothing after that has a known place."""

    def left(self) -> int:
        return 8 * len(self.octets) - self.at

    def number(self, bits: int) -> int:
        first, last = self.at // 8, -(-(self.at + bits) // 8)
        window = int.from_bytes(self.octets[first:last])
        self.at += bits
        return window >> 8 * last - self.at & (1 << bits) - 1


@cache
def layout() -> tuple[Mapping[str, Any], ...]:
    """Return the fields of the data file, in order."""
    text = (files(__package__) / "bcast_management_data.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["field"])


@lru_cache(maxsize=64)  # a BSM sends the same few octets again and again
def read_management_data(octets: bytes) -> tuple[Part, ...]:
    """Return the fields of LTKM management data (the octets after the subtype); never raises.

    What the layout does not reach, or what ends too early for it, is a last part named `undecoded`.
    """
    bits = _Bits(octets)
    parts = list(_read(bits, layout(), ""))
    if bits.left():
        parts.append(_octets(bits, "undecoded", bits.left() // 8))
    return tuple(parts)


def write_management_data(octets: bytes, name: str, value: int | bytes) -> bytes:
    """Return the management data with another value for one field of those that are read from it.

    ValueError where there is no such field, or the value does not fill its bits.
    """
    part = next((part for part in read_management_data(octets) if part.name == name), None)
    if part is None:
        raise ValueError(f"expected a field of the management data, got {name}")
    if isinstance(value, int):
        if value >> part.bits:
            raise ValueError(f"expected a number from 0 to {(1 << part.bits) - 1}, got {value}")
        behind = 8 * len(octets) - part.start - part.bits
        mask = (1 << part.bits) - 1 << behind
        return (int.from_bytes(octets) & ~mask | value << behind).to_bytes(len(octets))
    if 8 * len(value) != part.bits:
        raise ValueError(
            f"expected {part.bits // 8} octets, got {len(value)}; only the data as a whole can change its length"
        )
    first = -(-part.start // 8)
    return octets[:first] + value + octets[first + len(value) :]


def _read(bits: _Bits, fields: tuple[Mapping[str, Any], ...], prefix: str) -> Iterator[Part]:
    for each in fields:
        if bits.stopped:
            return
        name = prefix + each["name"]
        if "when" in each and not bits.known.get(each["when"]):
            continue
        if each.get("undecoded"):
            bits.stopped = True
        elif "repeat" in each:
            for number in range(1, bits.known[each["repeat"]] + 1):
                yield from _read(bits, tuple(each["of"]), f"{name}[{number}].")
        elif "octets_from" in each:
            count = bits.known[prefix + each["octets_from"]]
            bits.stopped = 8 * count > bits.left()
            if not bits.stopped:
                yield _octets(bits, name, count)
        elif each["bits"] > bits.left():
            bits.stopped = True
        else:
            start = bits.at
            value = bits.number(each["bits"])
            bits.known[name] = value
            yield Part(name, value, each.get("meanings", {}).get(str(value), ""), start, each["bits"])


def _octets(bits: _Bits, name: str, count: int) -> Part:
    start = bits.at
    first = -(-start // 8)
    value = bits.octets[first : first + count]
    bits.at = 8 * (first + count)
    return Part(name, value, printable_octets(value) if name.endswith("uri") else "", start, bits.at - start)
