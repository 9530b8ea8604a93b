"""A bounded reader whose errors name the field and its place, and the writer of length-prefixed octets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from ltkm_inspect.wire.text import count

type Kind = Literal[
    "truncated",  # the octets end inside a field of known size
    "overrun",  # a declared length is larger than the octets left in its block
    "unknown-payload",  # a Next payload value whose layout is not known
    "unknown-code",  # an algorithm or type that decides a length, and is not known
    "version",  # a MIKEY version whose layout is not known
    "misplaced",  # a payload that is known, but not allowed at this place
    "trailing",  # octets left over after the last payload
    "limit",  # more payloads than were to be decoded
]
"""Why decoding stopped: a closed set."""


@dataclass(frozen=True, slots=True, init=False)
class Span:
    """A half-open range of octets, counted from the start of the message."""

    start: int
    end: int

    def __init__(self, start: int, end: int) -> None:
        _set_start(self, start)  # half the time that a frozen dataclass takes: a message has some fifty spans
        _set_end(self, end)

    def __len__(self) -> int:
        return self.end - self.start

    def holds(self, other: "Span") -> bool:
        """Return whether the other span lies inside this one."""
        return self.start <= other.start and other.end <= self.end


_set_start, _set_end = Span.__dict__["start"].__set__, Span.__dict__["end"].__set__


@dataclass(frozen=True, slots=True)
class DecodeProblem:
    """What could not be read, where, and why."""

    reason: str
    """In the form `expected 20 octets of mac, got 7`."""
    offset: int
    """Absolute offset of the octet that the reason is about."""
    path: str
    """Field path: `KEMAC.mac`, `EXT[1].key_ids[2].length`, `trailing`."""
    kind: Kind

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} (octet {self.offset})"


class DecodeError(Exception):
    """A field that cannot be read: why, at which absolute octet offset, and at which field path."""

    def __init__(self, reason: str, offset: int, path: str, kind: Kind) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.path = path
        self.kind: Kind = kind

    def within(self, name: str) -> Self:
        """Put the name of the enclosing structure before the path."""
        self.path = f"{name}.{self.path}" if self.path else name
        return self

    def problem(self) -> DecodeProblem:
        """Return the error as plain data."""
        return DecodeProblem(self.reason, self.offset, self.path, self.kind)

    def __str__(self) -> str:
        return str(self.problem())


type Pull[T] = Callable[["Reader"], T]
"""Reads a structure of its own and leaves the reader behind it; DecodeError where it cannot be read."""


class Reader:
    """Reads fields from octets[start:end] and never beyond; offsets are absolute.

    Every read names its field. This reader uses the names for errors only; `Tracer` records the span of every field
    through the same calls. Fields that share an octet are named together, with `|` between them.
    """

    __slots__ = ("end", "octets", "offset", "problems")

    def __init__(self, octets: bytes, start: int = 0, end: int | None = None) -> None:
        self.octets = octets
        self.offset = start
        self.end = len(octets) if end is None else end
        self.problems: list[DecodeError] = []
        """What `block` and `each` could not read; they keep those octets as they came and go on."""

    def uint8(self, name: str) -> int:
        """Read one octet as an unsigned number."""
        return self.take(name, 1)[0]

    def uint16(self, name: str) -> int:
        """Read two octets as an unsigned number, most significant first."""
        return int.from_bytes(self.take(name, 2))

    def uint32(self, name: str) -> int:
        """Read four octets as an unsigned number, most significant first."""
        return int.from_bytes(self.take(name, 4))

    def take(self, name: str, length: int) -> bytes:
        """Read that many octets."""
        at = self.offset
        end = at + length
        if end > self.end:
            raise self.truncated(name, length)
        self.offset = end
        return self.octets[at:end]

    def rest(self, name: str) -> bytes:
        """Read what is left in this block."""
        return self.take(name, self.end - self.offset)

    def opaque(self, name: str, length_octets: Literal[1, 2] = 1) -> bytes:
        """Read a length of one or two octets, then that many octets."""
        end = self.declared(name, length_octets)
        start, self.offset = self.offset, end
        return self.octets[start:end]

    def inside[T](self, name: str, pull: Pull[T]) -> T:
        """Pull a structure whose fields have their paths below `name`."""
        try:
            return pull(self)
        except DecodeError as error:
            raise error.within(name) from None

    def times[T](self, name: str, count: int, pull: Pull[T]) -> tuple[T, ...]:
        """Pull that many structures `name[1]`, `name[2]` …"""
        return tuple([self.inside(f"{name}[{index}]", pull) for index in range(1, count + 1)])

    def each[T](self, name: str, pull: Pull[T]) -> tuple[tuple[T, ...], bytes]:
        """Pull structures `name[1]`, `name[2]` … until the block ends.

        Return them and the octets, named `trailing`, from the first that cannot be read; `problems` says why.
        """
        items: list[T] = []
        at = self.offset
        try:
            while self.offset < self.end:
                at = self.offset
                items.append(pull(self))
        except DecodeError as error:
            self.offset = at
            self.keep(error.within(f"{name}[{len(items) + 1}]"))
            return tuple(items), self.rest("trailing")
        return tuple(items), b""

    def attempt[T](self, pull: Pull[T], *, fills: bool = False) -> T | DecodeError:
        """Pull a structure; where that fails, go back to where it began and return the error.

        One that `fills` the block but leaves octets of it over has failed.
        """
        at = self.offset
        try:
            value = pull(self)
            if fills and self.offset < self.end:
                left = f"expected the end of the block, got {count(self.end - self.offset, 'more octet')}"
                raise DecodeError(left, self.offset, "trailing", "trailing")
            return value
        except DecodeError as error:
            self.offset = at
            return error

    def block[T](self, name: str, length_octets: Literal[1, 2], pull: Pull[T]) -> T | bytes:
        """Read a length of one or two octets, then a structure that fills exactly that many octets.

        Where the structure cannot be read, its octets are returned as they came and `problems` says why.
        """
        end = self.declared(name, length_octets)
        start, outer, self.end = self.offset, self.end, end
        value = self.attempt(pull, fills=True)
        self.offset, self.end = end, outer
        if isinstance(value, DecodeError):
            self.keep(value)
            return self.octets[start:end]
        return value

    def list_block[T](self, name: str, length_octets: Literal[1, 2], pull: Pull[T]) -> tuple[tuple[T, ...], bytes]:
        """Read a length of one or two octets, then structures as `each` does, to the end of that block."""
        end = self.declared(name, length_octets)
        outer, self.end = self.end, end
        items = self.each(name, pull)
        self.end = outer
        return items

    def keep(self, error: DecodeError) -> None:
        """Add to `problems`, without the frames of the call that failed, which hold far more memory than the octets."""
        self.problems.append(error.with_traceback(None))

    def declared(self, name: str, length_octets: Literal[1, 2]) -> int:
        """Read the length of a block and return the offset at which the block ends."""
        at = self.offset
        start = at + length_octets
        if start > self.end:
            raise self.truncated(length_name(name), length_octets)
        end = start + int.from_bytes(self.octets[at:start])
        if end > self.end:
            raise self.overrun(name, end - start, self.end - start)
        self.offset = start
        return end

    def truncated(self, name: str, length: int) -> DecodeError:
        """Return the error of a field of that many octets which the block cuts off."""
        name = name.partition("|")[0]
        unit = "octet" if length == 1 else "octets"
        return DecodeError(
            f"expected {length} {unit} of {name}, got {self.end - self.offset}", self.offset, name, "truncated"
        )

    def overrun(self, name: str, length: int, left: int) -> DecodeError:
        """Return the error of a length, at the present offset, that reaches beyond the block."""
        unit = "octet" if left == 1 else "octets"
        reason = f"expected a length of at most {left} {unit}, got {length}"
        return DecodeError(reason, self.offset, length_name(name), "overrun")

    def unknown(self, name: str, expected: str, got: int) -> DecodeError:
        """Return the error of the octet just read, whose value decides a length and is not known."""
        return DecodeError(f"expected {expected}, got {got}", self.offset - 1, name, "unknown-code")


def length_name(name: str) -> str:
    """Return how the length field of an opaque field is called."""
    return "length" if name in {"value", "params"} else f"{name}_length"


def opaque(value: bytes, length_octets: Literal[1, 2] = 1) -> bytes:
    """Write a length of one or two octets, then the octets; ValueError where they are too many for the length field."""
    if len(value) >> 8 * length_octets:
        raise ValueError(f"expected at most {(1 << 8 * length_octets) - 1} octets, got {len(value)}")
    return len(value).to_bytes(length_octets) + value
