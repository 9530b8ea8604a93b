"""A reader that takes notes of where every field is."""

from itertools import count
from typing import Literal

from ltkm_inspect.wire.reader import DecodeError, Pull, Reader, Span, length_name


class Tracer(Reader):
    """A reader that also records the absolute span of every field it reads, by field path."""

    __slots__ = ("prefix", "spans")

    def __init__(self, octets: bytes, start: int = 0, end: int | None = None) -> None:
        super().__init__(octets, start, end)
        self.prefix = ""
        self.spans: dict[str, Span] = {}

    def record(self, name: str, start: int, end: int) -> None:
        """Record the span of a field, or of several that share it."""
        span = Span(start, end)
        if "|" in name:
            for part in name.split("|"):
                self.spans[self.prefix + part] = span
        else:
            self.spans[self.prefix + name] = span

    def take(self, name: str, length: int) -> bytes:
        at = self.offset
        value = super().take(name, length)
        self.record(name, at, self.offset)
        return value

    def inside[T](self, name: str, pull: Pull[T]) -> T:
        return super().inside(name, lambda reader: self.structure(name, pull))

    def each[T](self, name: str, pull: Pull[T]) -> tuple[tuple[T, ...], bytes]:
        number = count(1)
        return super().each(name, lambda reader: self.structure(f"{name}[{next(number)}]", pull))

    def attempt[T](self, pull: Pull[T], *, fills: bool = False) -> T | DecodeError:
        known = len(self.spans)
        value = super().attempt(pull, fills=fills)
        if isinstance(value, DecodeError):
            self.forget(known)
        return value

    def declared(self, name: str, length_octets: Literal[1, 2]) -> int:
        at = self.offset
        end = super().declared(name, length_octets)
        self.record(length_name(name), at, self.offset)
        self.record(name, self.offset, end)
        return end

    def structure[T](self, name: str, pull: Pull[T]) -> T:
        """Pull a structure with its name before the names of its fields, and record its span."""
        outer, known, at = self.prefix, len(self.spans), self.offset
        self.prefix = f"{outer}{name}."
        try:
            value = pull(self)
        except DecodeError:
            self.forget(known)
            raise
        finally:
            self.prefix = outer
        self.record(name, at, self.offset)
        return value

    def forget(self, known: int) -> None:
        """Drop the spans after the first `known`: what was read before an error is not a field of the message."""
        while len(self.spans) > known:
            self.spans.popitem()
