"""Bounded reading and writing of octets, with the name and the place of every field; wire text made safe to print."""

from ltkm_inspect.wire.reader import DecodeError, DecodeProblem, Kind, Pull, Reader, Span, opaque
from ltkm_inspect.wire.text import printable, printable_octets, unescaped, unescaped_octets
from ltkm_inspect.wire.tracer import Tracer

__all__ = [
    "DecodeError",
    "DecodeProblem",
    "Kind",
    "Pull",
    "Reader",
    "Span",
    "Tracer",
    "opaque",
    "printable",
    "printable_octets",
    "unescaped",
    "unescaped_octets",
]
