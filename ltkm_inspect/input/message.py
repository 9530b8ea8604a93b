"""One message that somebody supplied, and the forms in which it may be written."""

from dataclasses import dataclass
from typing import Literal

type Form = Literal["auto", "base64", "hex", "binary", "pcap", "xml", "json"]

FORMS: tuple[Form, ...] = ("auto", "base64", "hex", "binary", "pcap", "xml", "json")
"""How a message may be written; `auto` finds out which of the others it is."""


@dataclass(frozen=True, slots=True)
class InputMessage:
    """One message as it was supplied: its octets, or why there are none."""

    source: str
    """Where it stood: `argument 1`, `standard input, line 3`."""
    octets: bytes | None
    problem: str = ""
    is_other: bool = False
    """The input as a whole is certainly something else: a flow file, a key ring, a report, an archive."""
