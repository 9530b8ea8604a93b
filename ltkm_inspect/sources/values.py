"""LTKMs that a user hands over: as base64, in a file, or in recorded traffic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from ltkm_inspect import mikey
from ltkm_inspect.input import from_file, from_text
from ltkm_inspect.parameter import FileName

LONGEST_FILE = 16 << 20
"""Octets of a file of LTKMs; a device without end must not be read to its end."""

type Pair = tuple[bytes, bytes]
"""Key Domain ID and MSK ID."""


@dataclass(frozen=True)
class Messages:
    """The octets of LTKMs to choose from, and what there is to remark on them."""

    octets: tuple[bytes, ...]
    remarks: tuple[str, ...] = ()

    @cached_property
    def _first(self) -> dict[tuple[Pair | None, bytes | None], bytes]:
        """The first LTKM for each MSK and terminal, for each MSK, and for each terminal."""
        found: dict[tuple[Pair | None, bytes | None], bytes] = {}
        for octets in self.octets:
            pair, idr = _names(octets)
            for key in ((pair, idr), (pair, None), (None, idr)):
                found.setdefault(key, octets)
        return found

    def best(self, pair: Pair | None, idr: bytes | None) -> tuple[bytes, str]:
        """Return the LTKM for an MSK and a terminal, else for the MSK, else for the terminal, else the first one.

        The second value says what it is not for; empty where it is for both.
        """
        if len(self.octets) == 1:
            return self.octets[0], ""  # the one that was asked for, whatever it is
        choices = (
            (pair and idr, (pair, idr), ""),
            (pair, (pair, None), "no LTKM for this terminal: used one of the same MSK"),
            (idr, (None, idr), "no LTKM of this MSK: used the first one for this terminal"),
        )
        for is_known, key, remark in choices:
            if is_known and key in self._first:
                return self._first[key], remark
        return self.octets[0], "no LTKM of this MSK or for this terminal: used the first one"


@dataclass(frozen=True, slots=True)
class Base64Ltkm:
    """An LTKM that is typed as base64."""

    KIND: ClassVar[str] = "base64"

    text: str
    octets: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the LTKM of a text; ValueError where that is not base64."""
        given = from_text(text.encode("utf-8", "surrogateescape"), "", "base64")
        if not given.octets:
            raise ValueError(given.problem)
        return cls(text, given.octets)

    def __str__(self) -> str:
        return self.text


class LtkmFile(FileName):
    """A file of LTKMs in base64, hex or binary."""

    KIND = "the path of a file with LTKMs in base64, hex or binary"


class FlowFile(FileName):
    """A flow file, HAR or packet capture with LTKMs in its MSK responses or pushes."""

    KIND = "the path of a flow file, HAR or packet capture"


def read_ltkms(path: Path) -> Messages:
    """Return the LTKMs of a file in base64, hex or binary; ValueError where it has none, or something else."""
    with path.open("rb") as file:
        octets = file.read(LONGEST_FILE + 1)
    if len(octets) > LONGEST_FILE:
        raise ValueError(f"expected at most {LONGEST_FILE} octets, got more")
    found: list[bytes] = []
    for given in from_file(octets, ""):
        if given.octets is None:
            raise ValueError(": ".join(filter(None, (given.source.lstrip(", "), given.problem))))
        found.append(given.octets)
    return messages(found)


def messages(found: Iterable[bytes]) -> Messages:
    """Return LTKMs to choose from, each once, with a remark on each that is no MIKEY message; ValueError for none."""
    octets = tuple(dict.fromkeys(filter(None, found)))
    if not octets:
        raise ValueError("expected an LTKM, got none")
    return Messages(octets, tuple(_remarks(octets)))


def _remarks(found: Sequence[bytes]) -> Iterable[str]:
    for number, octets in enumerate(found, 1):
        problem = mikey.decode(octets).problem
        if problem is not None:
            which = "it" if len(found) == 1 else f"LTKM {number}"
            yield f"{which} is not a MIKEY message, but is sent unchanged ({problem.path}: {problem.reason})"


def _names(octets: bytes) -> tuple[Pair | None, bytes | None]:
    """Return the MSK that an LTKM says it delivers, and the terminal that it says it is for."""
    message = mikey.decode(octets)
    identities = message.of(mikey.Identity)
    return message.pair, identities[-1].value if identities else None
