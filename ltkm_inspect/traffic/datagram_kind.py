"""What a datagram is for, and which way it goes: both are known from its message."""

from enum import Enum
from functools import lru_cache

from ltkm_inspect import mikey
from ltkm_inspect.mikey import Identity, Kemac, Message, OmaBcast, Verification
from ltkm_inspect.mikey.extension import MSK_ID, MTK_ID, OMA_BCAST
from ltkm_inspect.mikey.header import FIXED_LENGTH
from ltkm_inspect.traffic.event import Direction
from ltkm_inspect.wire import count

_INITIATOR, _VERIFICATION, _ERROR = 0, 1, 6
"""The data types of a pre-shared key message, of the answer to it, and of an error (RFC 3830 §6.1)."""
_STKM, _REPORTING = 2, 3
"""The subtypes of EXT BCAST of the messages that are no LTKM (RFC 5410 §3)."""
EARLIER = 16
"""How many earlier messages of its flow are asked for the way of one that does not say it itself."""
ENOUGH = 64
"""How many payloads of a message are decoded to see which way it goes: a message that has more is no lawful one."""
_NUMBER = slice(2, 4)
"""The Key Number part of an MSK ID."""


class DatagramKind(Enum):
    """What a datagram is for (3GPP TS 33.246 6.3.2, 6.4.5)."""

    PUSH = "push"
    """The BSM delivers a key: an LTKM."""
    PULL = "solicited pull"
    """The BSM asks the terminal to request the current key: an LTKM without a key, with the Key Number 0."""
    VERIFICATION = "verification message"
    """The terminal acknowledges a push."""
    REPORTING = "reporting message"
    """The terminal reports on an LTKM (OMA BCAST)."""
    ERROR = "error message"
    STKM = "STKM"
    """It delivers a traffic key (MTK), usually by multicast. It is counted and not checked."""
    OTHER = "other datagram"
    """Whatever else is sent to or from the port of MIKEY, a message that is damaged in front of its Key ID included."""

    @property
    def key(self) -> str:
        """The kind as records name it."""
        return self.name.lower()

    @classmethod
    def title_of(cls, key: str) -> str:
        """Return the name for people of a kind in a record; one that is not known keeps its own."""
        return next((kind.value for kind in cls if kind.key == key), key)

    @property
    def is_ltkm(self) -> bool:
        """It is an LTKM, be it without a key."""
        return self in (DatagramKind.PUSH, DatagramKind.PULL)

    def plural(self, number: int) -> str:
        """Return the number with the name of the kind, for people."""
        return f"{number} {self.value}" if number == 1 else f"{number} {_PLURALS.get(self, self.value + 's')}"


_PLURALS = {DatagramKind.PUSH: "pushes"}
_WAYS = {_INITIATOR: Direction.TO_TERMINAL, _VERIFICATION: Direction.FROM_TERMINAL}
"""Which way a message goes, by its data type."""


def kind_of(message: Message) -> DatagramKind:
    """Return what a message in a datagram is for. Only what was decoded counts, so a message may be cut after it."""
    header = message.header
    if header is None or header.version != 1:
        return DatagramKind.OTHER
    subtypes = {each.value.subtype for each in message.extensions(OMA_BCAST) if isinstance(each.value, OmaBcast)}
    if header.data_type == _VERIFICATION:
        return DatagramKind.REPORTING if _REPORTING in subtypes else DatagramKind.VERIFICATION
    if header.data_type == _ERROR:
        return DatagramKind.ERROR
    if header.data_type != _INITIATOR:
        return DatagramKind.OTHER
    ids = {each.type: each.value for each in reversed(message.key_ids())}
    is_for_one = MSK_ID in ids and len(message.of(Identity)) > 1  # an LTKM with the wrong subtype is still an LTKM
    if MTK_ID in ids or (_STKM in subtypes and not is_for_one):
        return DatagramKind.STKM
    if MSK_ID not in ids:
        return DatagramKind.OTHER
    return DatagramKind.PULL if ids[MSK_ID][_NUMBER] == b"\0\0" else DatagramKind.PUSH


@lru_cache(maxsize=4 * EARLIER)
def direction_of(octets: bytes) -> Direction | None:
    """Return which way a message goes; None if that cannot be known from the message.

    The addresses say nothing: either side may send first, from and to the same port, and through a NAT.
    """
    if len(octets) < FIXED_LENGTH:
        return None
    if octets[1] in _WAYS:
        return _WAYS[octets[1]]
    message = mikey.decode(octets, ENOUGH)
    if message.of(Verification):
        return Direction.FROM_TERMINAL
    return Direction.TO_TERMINAL if message.of(Kemac) else None


def may_be_message(octets: bytes) -> bool:
    """Tell from the first octets whether a datagram of any port may be a message of a known kind."""
    return len(octets) >= FIXED_LENGTH and octets[0] == 1 and octets[1] in (_INITIATOR, _VERIFICATION, _ERROR)


def events_text(exchanges: int, datagrams: int) -> str:
    """Return the numbers of exchanges and datagrams in words."""
    counted = ((exchanges, "MSK exchange"), (datagrams, "datagram"))
    return " and ".join(count(number, word) for number, word in counted if number) or count(0, "MSK exchange")
