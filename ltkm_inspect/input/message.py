"""What was handed over as one message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputMessage:
    """One message as it was given: its octets, or why there are none."""

    source: str
    """Where it stood: `argument 1`, `standard input, line 3`."""
    octets: bytes | None
    problem: str = ""
