"""What is said where saved traffic stops being readable."""

from dataclasses import dataclass

from ltkm_inspect.wire.key_text import IS_KEY_RING, is_key_ring

NOT_A_CAPTURE = "expected a flow file or a HAR, got something else"
ENDS_WITHIN = "the file ends within a flow"
SHORTER = "the file became shorter while it was read"
NOT_A_FLOW = "what follows is not a flow"


def not_a_capture(begins: bytes) -> str:
    """Return what is said of a file that is no saved traffic, by its first octets: a key ring is named."""
    return IS_KEY_RING if is_key_ring(begins) else NOT_A_CAPTURE


class PackedError(ValueError):
    """The compressed octets of a file are damaged; the text is one line, safe to print."""


@dataclass(frozen=True, slots=True)
class DamagedEvent:
    """One event that cannot be read; what stands before and behind it can."""

    reason: str
    """Which event it is, and why it cannot be read, in one line that is safe to print."""
    end: int = 0
    """Where what follows it begins, in a flow file."""

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a file stops being readable, and why; nothing behind it was read."""

    offset: int
    """Octets before the record that could not be read; in a compressed file those of what was compressed."""
    reason: str
    """One line, safe to print."""
    flows: int
    """How many flows were read before it."""

    def __str__(self) -> str:
        return f"{self.reason} (after {self.flows} flows, at octet {self.offset})"
