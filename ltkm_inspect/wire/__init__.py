"""Reads and writes octets within bounds, with name and place of each field, and makes wire text printable."""

from ltkm_inspect.wire.plain import plain
from ltkm_inspect.wire.reader import DecodeError, DecodeProblem, Kind, Pull, Reader, Span, opaque
from ltkm_inspect.wire.text import (
    abbreviate,
    count,
    crash_of,
    cut,
    inert,
    octets_text,
    printable,
    printable_octets,
    range_text,
    time_text,
    unescaped,
    unescaped_octets,
)
from ltkm_inspect.wire.tracer import Tracer
