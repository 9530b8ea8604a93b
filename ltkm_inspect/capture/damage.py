"""Messages about saved traffic that cannot be read."""

from dataclasses import dataclass
from errno import EINVAL

from ltkm_inspect.input.kind import CAPTURE, EMPTY, FLOWS, HAR, JSON, OCTETS, RING, TEXT, kind_of
from ltkm_inspect.wire import count
from ltkm_inspect.wire.key_text import IS_KEY_RING

RECORD = "record the traffic with mitmdump -w FILE or tcpdump -w FILE, or export a HAR from a browser or proxy"
"""What to do if a file has no traffic."""
ENDS_WITHIN = "the file ends within a flow"
ENDS_WITHIN_HAR = "the file ends within the HAR"
REPLACED = "the file was replaced while it was read"
SHORTER = "the file shrank while it was being read"
NOT_A_FLOW = "what follows is not a flow"
WANTED = "a flow file, a HAR or a packet capture"
_COPY = "copy the file again when it is complete"
_ADVICE = {ENDS_WITHIN: _COPY, ENDS_WITHIN_HAR: _COPY, NOT_A_FLOW: "the rest was not read"}
_MAY_BE_TRAFFIC = (FLOWS, HAR, CAPTURE, JSON, TEXT, OCTETS, EMPTY)
"""The kinds that only a reader can tell from saved traffic that is damaged or of an unusual form."""


class NotACaptureError(OSError):
    """A file that holds something else than saved traffic; its text says what, in one line that is safe to print."""

    def __init__(self, begins: bytes) -> None:
        """Take its first octets."""
        self.begins = begins
        kind = kind_of(begins)
        looks = "a damaged file" if kind in (FLOWS, HAR) else kind
        looks = f"expected {WANTED}, got {looks}"
        advice = "" if kind.advice else f": {RECORD}"
        super().__init__(EINVAL, IS_KEY_RING if kind is RING else looks + advice)


def refuse_other(begins: bytes) -> None:
    """Raise NotACaptureError for what is certainly something else than saved traffic, by its first octets."""
    if kind_of(begins) not in _MAY_BE_TRAFFIC:
        raise NotACaptureError(begins)


class PackedError(ValueError):
    """The compressed octets of a file are damaged; the text is one line, safe to print."""


@dataclass(frozen=True, slots=True)
class DamagedEvent:
    """One event that cannot be read; those before and after it can."""

    reason: str
    """Which event it is, and why it cannot be read, in one line that is safe to print."""
    end: int = 0
    """Where what follows it begins, in a flow file."""
    capture: str = ""
    """The packet capture that it is in, if that may be one before the file that is being read."""

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
    unit: str = "flow"
    """What they are: flows, or packets."""

    def __str__(self) -> str:
        advice = f"; {_ADVICE[self.reason]}" if self.reason in _ADVICE else ""
        return f"{self.reason} (after {count(self.flows, self.unit)}, at octet {self.offset}){advice}"
