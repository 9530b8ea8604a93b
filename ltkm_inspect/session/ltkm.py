"""An LTKM as far as later ones are compared with it, and the order of counters."""

import marshal
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from ltkm_inspect.keys import OpenedMessage, Verdict
from ltkm_inspect.keys.opening import key_check_value
from ltkm_inspect.mikey import Identity, Kemac, Rand, SecurityPolicy, Timestamp
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.mikey.keydata import Validity
from ltkm_inspect.traffic import Ltkm

HALF = 1 << 31
"""The distance of two counters at which neither is the newer one (RFC 1982 §3.2, 32 bits)."""
GROUP_OCTETS = 2
"""The Key Group part of an MSK ID."""
_LONG_NAME = 256

type Muk = tuple[bytes, bytes]
"""What names a MUK: IDi, the BM-SC, and IDr, the terminal (3GPP TS 33.246 6.1)."""
type Pair = tuple[bytes, bytes]
"""Key Domain ID and MSK ID."""
type Msk = tuple[bytes, bytes, bytes]
"""What names an MSK for all terminals: IDi, Key Domain ID and MSK ID."""


def distance(new: int, old: int) -> int:
    """Return how far a counter is ahead of another one, from 0 to 2^32 - 1 (RFC 1982 with 32 bits)."""
    return (new - old) % (1 << 32)


def is_newer(new: int, old: int) -> bool:
    """Tell whether a counter is newer than another one; equal ones, and those half the range apart, are not."""
    return 0 < distance(new, old) < HALF


def keyed_hash(key: bytes, *parts: bytes | str | None) -> bytes:
    """Return a hash of some parts, 16 octets, that is the same wherever the key is."""
    # version 2 of the format, because later ones tell equal parts apart by whether they are one object
    return blake2b(marshal.dumps(parts, 2), key=key, digest_size=16).digest()


@dataclass(slots=True)
class DeliveredKey:
    """The MSK in an LTKM that the keys at hand open, without the key itself."""

    hash: bytes
    """A keyed hash of it; empty where the message carries a validity alone."""
    check_value: str
    """Its key check value, which may be shown; empty where it has none."""
    validity: Validity

    @classmethod
    def of(cls, opened: OpenedMessage | None, hash_key: bytes) -> "DeliveredKey | None":
        """Return the key in a message; None where it was not opened, or holds not exactly one."""
        chain = opened.key_data if opened is not None else None
        if chain is None or chain.problem is not None or len(chain.entries) != 1:
            return None
        (entry,) = chain.entries
        hashed = keyed_hash(hash_key, entry.key) if entry.key else b""
        return cls(hashed, key_check_value(entry.key), entry.validity)


@dataclass(slots=True)
class LtkmRecord:
    """An LTKM that a terminal would take, as far as later ones are compared with it."""

    muk: Muk
    octets: bytes
    counter: int
    csb_id: int
    rand: bytes
    encr_data: bytes
    msk: Msk | None
    """None where the message has not exactly one Key Domain ID and one MSK ID."""
    key_group: Msk | None
    """IDi, Key Domain ID and Key Group part; None without an MSK ID."""
    policies: tuple[SecurityPolicy, ...]
    key: DeliveredKey | None
    """None where no key at hand opens it."""
    is_delivered: bool
    """The terminal took it, as far as is known."""
    event: str
    """The id of the event that it came in; empty for one without."""
    connection: str
    """What tells the connection that it came over from others."""
    at: float | None
    """When its delivery ended, in seconds since 1970 UTC."""

    def is_of_same_event(self, other: "LtkmRecord") -> bool:
        """Tell whether two LTKMs came in one event, which is looked at again after the session forgot it."""
        return bool(self.event) and (self.event, self.at) == (other.event, other.at)

    @property
    def pair(self) -> Pair | None:
        """Key Domain ID and MSK ID."""
        return None if self.msk is None else self.msk[1:]


def record(ltkm: Ltkm, opened: OpenedMessage | None, hash_key: bytes) -> LtkmRecord | None:
    """Return what is remembered of an LTKM that a terminal would take; None for any other."""
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
    idi, pair = identities[0].value, message.pair
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
        event.was_delivered and (opened is None or opened.verdict is not Verdict.INVALID),
        event.id,
        event.connection or event.client,
        event.ended,
    )


@lru_cache(maxsize=1024)
def _keep(name: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return name


def _shared[Name: tuple[bytes, ...]](name: Name) -> Name:
    """Return a name that many LTKMs have in common as one object for all of them, unless it is a long one."""
    return _keep(name) if sum(map(len, name)) < _LONG_NAME else name  # type: ignore[return-value]
