"""What the session remembers of an LTKM, to compare later ones with it; and the order of counters."""

import marshal
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from ltkm_inspect.keys import OpenedMessage, Verdict
from ltkm_inspect.keys.opening import key_check_value
from ltkm_inspect.mikey import Identity, Kemac, Rand, SecurityPolicy, Timestamp
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.mikey.keydata import Validity
from ltkm_inspect.traffic import Datagram, DatagramKind, Ltkm
from ltkm_inspect.wire import plain

HALF = 1 << 31
"""The distance at which neither of two counters is the newer one (RFC 1982 §3.2, 32 bits)."""
GROUP_OCTETS = 2
"""The length of the Key Group part of an MSK ID."""
_LONG_NAME = 256

type Muk = tuple[bytes, bytes]
"""The name of a MUK: IDi, the BM-SC, and IDr, the terminal (3GPP TS 33.246 6.1)."""
type Pair = tuple[bytes, bytes]
"""Key Domain ID and MSK ID."""
type Msk = tuple[bytes, bytes, bytes]
"""The name of an MSK, the same for all terminals: IDi, Key Domain ID and MSK ID."""


def distance(new: int, old: int) -> int:
    """Return how far a counter is ahead of another one, from 0 to 2^32 - 1 (RFC 1982 with 32 bits)."""
    return (new - old) % (1 << 32)


def is_newer(new: int, old: int) -> bool:
    """Tell whether a counter is newer than another one; false if they are equal or half the range apart."""
    return 0 < distance(new, old) < HALF


def names_key(requested: Pair, pair: Pair | None) -> bool:
    """Tell whether a request for a key names this one; Key Number 0 names every key of its Key Group."""
    if pair is None or requested == pair:
        return pair is not None
    (domain, wanted), (other_domain, msk_id) = requested, pair
    is_of_group = domain == other_domain and wanted[:GROUP_OCTETS] == msk_id[:GROUP_OCTETS]
    return is_of_group and b"\0\0" in (wanted[GROUP_OCTETS:], msk_id[GROUP_OCTETS:])


def keyed_hash(key: bytes, *parts: bytes | str | None) -> bytes:
    """Return a hash of 16 octets. It depends on the key and the parts only, so it is equal in every process."""
    # version 2 of the format: in later ones the octets depend on whether equal parts are the same object
    return blake2b(marshal.dumps(parts, 2), key=key, digest_size=16).digest()


@plain
@dataclass(slots=True)
class DeliveredKey:
    """What is known of the MSK in an opened LTKM, without the key itself."""

    hash: bytes
    """A keyed hash of the key; empty if the message only has a validity."""
    check_value: str
    """Its key check value, which may be shown; empty if it has none."""
    validity: Validity

    @classmethod
    def of(cls, opened: OpenedMessage | None, hash_key: bytes) -> "DeliveredKey | None":
        """Return the key in a message; None if the message was not opened or does not have exactly one key."""
        chain = opened.key_data if opened is not None else None
        if chain is None or chain.problem is not None or len(chain.entries) != 1:
            return None
        (entry,) = chain.entries
        hashed = keyed_hash(hash_key, entry.key) if entry.key else b""
        return cls(hashed, key_check_value(entry.key), entry.validity)


@plain
@dataclass(slots=True)
class LtkmRecord:
    """What the session remembers of an LTKM that a terminal would take."""

    muk: Muk
    octets: bytes
    counter: int
    csb_id: int
    rand: bytes
    encr_data: bytes
    msk: Msk | None
    """None unless the message has exactly one Key Domain ID and one MSK ID."""
    key_group: Msk | None
    """IDi, Key Domain ID and Key Group part; None without an MSK ID."""
    policies: tuple[SecurityPolicy, ...]
    key: DeliveredKey | None
    """None if no key of the ring opens it."""
    is_push: bool
    """It came in a datagram."""
    is_delivered: bool
    """The terminal took it, as far as is known."""
    event: str
    """The id of its event; empty if the event has none."""
    connection: str
    """The id of its connection, or the address of the client; empty for a push, which belongs to no connection."""
    at: float | None
    """When its delivery ended, in seconds since 1970 UTC."""

    def is_of_same_event(self, other: "LtkmRecord") -> bool:
        """Tell whether two LTKMs are in one event: an event is checked again after the session forgot it."""
        return bool(self.event) and (self.event, self.at) == (other.event, other.at)

    @property
    def pair(self) -> Pair | None:
        """Key Domain ID and MSK ID."""
        return None if self.msk is None else self.msk[1:]


def record(ltkm: Ltkm, opened: OpenedMessage | None, hash_key: bytes) -> LtkmRecord | None:
    """Return what the session remembers of an LTKM; None if no terminal would take it."""
    message, octets = ltkm.message, ltkm.octets
    if octets is None or message is None or message.problem is not None or not ltkm.carrier.is_delivery:
        return None
    header, identities = message.header, message.of(Identity)
    times, rands, kemacs = message.of(Timestamp), message.of(Rand), message.of(Kemac)
    if header is None or header.data_type or len(identities) != 2 or not (times and rands and kemacs):
        return None
    if times[0].type != COUNTER:
        return None
    event = ltkm.event
    idi = identities[0].value
    pair = None if isinstance(event, Datagram) and event.kind is DatagramKind.PULL else message.pair
    return LtkmRecord(
        _shared((idi, identities[1].value)),
        octets,
        int.from_bytes(times[0].value),
        header.csb_id,
        rands[0].value,
        kemacs[0].encr_data,
        None if pair is None else _shared((idi, *pair)),
        None if pair is None else _shared((idi, pair[0], pair[1][:GROUP_OCTETS])),
        message.of(SecurityPolicy),
        DeliveredKey.of(opened, hash_key),
        isinstance(event, Datagram),
        event.was_delivered and (opened is None or opened.verdict is not Verdict.INVALID),
        event.id,
        "" if isinstance(event, Datagram) else event.connection or event.client,
        event.ended,
    )


@lru_cache(maxsize=1024)
def _keep(name: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return name


def _shared[Name: tuple[bytes, ...]](name: Name) -> Name:
    """Return the one object that all LTKMs with this name share; a long name is returned as it is."""
    return _keep(name) if sum(map(len, name)) < _LONG_NAME else name  # type: ignore[return-value]
