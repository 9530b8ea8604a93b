"""What every MIKEY payload is: a frozen record with `pull` and `push`, registered by its number."""

from collections.abc import Callable
from typing import ClassVar, dataclass_transform

from ltkm_inspect.mikey.codes import NEXT_PAYLOADS
from ltkm_inspect.mikey.record import Structure, record

PAYLOADS: dict[int, type["Payload"]] = {}
"""Every payload that a message may have, by its Next payload value."""


class Payload(Structure):
    """A payload of a MIKEY message, without its Next payload octet: the order of the payloads says what comes next."""

    __slots__ = ()

    payload_type: ClassVar[int]
    """The Next payload value that announces this payload."""
    label: ClassVar[str]
    """Short name in field paths and listings: `RAND`."""
    chained: ClassVar[bool] = True
    """Whether the payload begins with a Next payload octet: all but SIGN do (RFC 3830 §6.5)."""
    unverified: ClassVar[bool] = False
    """True where the layout rests on memory and not on the text of its document: what is printed of it says so."""


@dataclass_transform(frozen_default=True)
def payload[P: Payload](number: int) -> Callable[[type[P]], type[P]]:
    """Make a record of a payload class, and register it under its Next payload value."""

    def register(cls: type[P]) -> type[P]:
        cls = record(cls)
        cls.payload_type = number
        cls.label = NEXT_PAYLOADS.names[number]
        PAYLOADS[number] = cls
        return cls

    return register
