"""What a key says of a message: whether its MAC verifies, what key it delivers and for how long."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Annotated

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from ltkm_inspect.digest import identity_kind
from ltkm_inspect.keys.derivation import HASHES
from ltkm_inspect.keys.protection import COUNTER_MODES, ECB, KEY_WRAP, MAC_HASHES, NULL, decrypt, first, mac_verifies
from ltkm_inspect.keys.subscriber import WILD_CARD, Subscriber
from ltkm_inspect.mikey import Identity, Interval, Kemac, KeyData, KeyDataChain, Message, Rand, Timestamp
from ltkm_inspect.mikey import decode_key_data as read_key_data
from ltkm_inspect.mikey.core import ntp_moment
from ltkm_inspect.mikey.record import Secret, record
from ltkm_inspect.wire import printable

LONGEST_NAME = 128
"""A B-TID is cut to that many characters in a reason; the wire allows 65,535."""


class Verdict(Enum):
    """What is known of the MAC of a message; the value is the word for users."""

    VALID = "valid"
    INVALID = "invalid"
    NO_KEY = "no key"
    NULL_MAC = "not authenticated"
    NOT_CHECKABLE = "not checkable"


@record
class OpenedMessage:
    """What the keys at hand say of one message; no key appears in its `repr`."""

    verdict: Verdict
    reason: str = ""
    """Why the verdict is not VALID, in one line."""
    subscriber: Subscriber | None = None
    muk: Annotated[bytes | None, Secret(lambda opened: opened.muk is not None)] = None
    """The MUK that verified the MAC."""
    muk_number: int = 0
    """Which of the subscriber's MUKs that was, or decrypted what is unproven, from 1."""
    tried: int = 0
    """How many MUKs were tried."""
    plaintext: Annotated[bytes | None, Secret(lambda opened: opened.plaintext is not None)] = None
    """The key data as octets; only where the MAC is valid."""
    key_data: KeyDataChain | None = None
    """The decoded key data; only where the MAC is valid."""
    problem: str = ""
    """Why an authentic message could not be decrypted, or its key data not decoded."""
    unproven: KeyDataChain | None = None
    """The key data of a message with a NULL MAC that a MUK decrypts to something that decodes: nothing proves it."""


@dataclass(frozen=True, slots=True)
class KeyInterval:
    """How long a key is valid: SEQl and SEQu of an Interval (RFC 3830 §6.14, 3GPP TS 33.246 6.3.2.1)."""

    seq_l: int
    seq_u: int
    octets: tuple[int, int]
    """How many octets each limit has: 2 for MTK IDs, 4 for the timestamps of BCAST."""

    @property
    def as_time(self) -> tuple[datetime, datetime] | None:
        """Both limits as time where both have 4 octets: the seconds part of NTP, before 2036 or after.

        Unverified: the text of OMA BCAST was not at hand.
        """
        if self.octets != (4, 4):
            return None
        return ntp_moment(self.seq_l), ntp_moment(self.seq_u)

    @property
    def is_reversed(self) -> bool:
        """The lower limit is above the upper one; times are compared as such, but for 0, which may mean no time."""
        times = self.as_time
        if times is None or not (self.seq_l and self.seq_u):
            return self.seq_l > self.seq_u
        return times[0] > times[1]


def interval_of(entry: KeyData) -> KeyInterval | None:
    """Return how long a key is valid; None where its validity is no interval."""
    limits = entry.validity
    if not isinstance(limits, Interval):
        return None
    octets = len(limits.valid_from), len(limits.valid_to)
    return KeyInterval(int.from_bytes(limits.valid_from), int.from_bytes(limits.valid_to), octets)


def key_check_value(key: bytes) -> str:
    """Return the first 3 octets of AES(key, 16 zero octets) in hex; empty where AES has no key of that length."""
    if len(key) not in (16, 24, 32):
        return ""
    return Cipher(algorithms.AES(key), ECB).encryptor().update(bytes(16))[:3].hex()


def parties(message: Message) -> tuple[str | None, str | None]:
    """Return B-TID or A-KID (IDr) and FQDN of the BM-SC (IDi); a single identity is taken for the B-TID."""
    names = [identity.value.decode("utf-8", "surrogateescape") for identity in message.of(Identity)[:2]]
    if not names:
        return None, None
    return names[-1], names[0] if len(names) > 1 else None


def open_with(subscriber: Subscriber | None, message: Message, octets: bytes) -> OpenedMessage:
    """Verify a message with each MUK of a subscriber in turn and decrypt it with the one that fits; never raises."""
    if message.trailing and not message.tail_type:
        # The chain ended with Last payload, so the message ends there too: what follows is no part of what the MAC
        # covers (RFC 3830 §5.2, §6.2). That something follows is for the decoder to say.
        octets = octets[: -len(message.trailing)]
        message = replace(message, trailing=b"", problem=None)
    hindrance = _hindrance(message, octets)
    if hindrance is not None:
        opened = OpenedMessage(*hindrance, subscriber=subscriber)
        return _without_proof(opened, message) if opened.verdict is Verdict.NULL_MAC else opened
    if subscriber is None or not subscriber.muks:
        b_tid, naf = parties(message)
        if b_tid is None:
            return OpenedMessage(Verdict.NO_KEY, "no MUK: the message has no B-TID", subscriber)
        at = f" at {_name(naf)}" if naf else ""
        return OpenedMessage(Verdict.NO_KEY, f"no MUK for {identity_kind(b_tid)} {_name(b_tid)}{at}", subscriber)
    for number, muk in enumerate(subscriber.muks, 1):
        try:
            if mac_verifies(message, octets, muk):
                return _verified(subscriber, muk, number, message)
        except (ValueError, OverflowError):  # an empty MUK, or a message made by hand with values beyond their fields
            continue
    count = len(subscriber.muks)
    header = message.header
    if header is not None and header.data_type != 0:  # keyed in another way, for which no key is known
        reason = f"expected a pre-shared key message (data type 0), got data type {header.data_type}"
        return OpenedMessage(Verdict.NOT_CHECKABLE, reason, subscriber, tried=count)
    whose = "the wildcard subscriber" if subscriber.b_tid == WILD_CARD else _name(subscriber.b_tid)
    return OpenedMessage(Verdict.INVALID, mac_failure(count, whose), subscriber, tried=count)


def mac_failure(muks: int, whose: str) -> str:
    """Return that a MAC is valid with none of so many MUKs; `whose` names their subscriber, safe to print."""
    which = "the MUK" if muks == 1 else f"any of the {muks} MUKs"
    return f"MAC does not verify with {which} of {whose}"


def _hindrance(message: Message, octets: bytes) -> tuple[Verdict, str] | None:
    """Return verdict and reason where no key could help."""
    header = message.header
    if header is None:
        return Verdict.NOT_CHECKABLE, "the message has no header"
    if not message.payloads or not isinstance(message.payloads[-1], Kemac):
        return Verdict.NOT_CHECKABLE, "the message does not end with a complete KEMAC"
    if message.tail_type:  # trailing octets behind a whole chain were cut off before
        return Verdict.NOT_CHECKABLE, "unreadable octets follow KEMAC"
    kemac = message.payloads[-1]
    if kemac.mac_alg == 0:
        return Verdict.NULL_MAC, "the MAC alg is NULL"
    if kemac.mac_alg not in MAC_HASHES:
        return Verdict.NOT_CHECKABLE, f"MAC alg {kemac.mac_alg} is unknown"
    if len(kemac.mac) != MAC_HASHES[kemac.mac_alg][1] or not octets.endswith(kemac.mac):
        return Verdict.NOT_CHECKABLE, "the message does not end with the MAC"
    if header.prf_func not in HASHES:
        return Verdict.NOT_CHECKABLE, f"PRF func {header.prf_func} is unknown"
    if first(message, Rand) is None:
        return Verdict.NOT_CHECKABLE, "the message has no RAND"
    return None


def _without_proof(opened: OpenedMessage, message: Message) -> OpenedMessage:
    """Return what is known of a message with a NULL MAC, with its key data where a MUK makes sense of it."""
    for number, muk in enumerate(opened.subscriber.muks if opened.subscriber is not None else (), 1):
        with suppress(ValueError, OverflowError):
            chain = read_key_data(decrypt(message, muk))
            if chain.entries and chain.problem is None:
                return replace(opened, muk_number=number, tried=number, unproven=chain)
    return opened


def _verified(subscriber: Subscriber, muk: bytes, number: int, message: Message) -> OpenedMessage:
    plaintext: bytes | None = None
    chain: KeyDataChain | None = None
    problem = ""
    try:
        plaintext = decrypt(message, muk)
    except (ValueError, OverflowError):
        problem = _why_sealed(message)
    else:
        chain = read_key_data(plaintext)
        if chain.problem is not None:
            problem = f"key data: {chain.problem.path}: {chain.problem.reason}"
    return OpenedMessage(Verdict.VALID, "", subscriber, muk, number, number, plaintext, chain, problem)


def _why_sealed(message: Message) -> str:
    kemac = message.of(Kemac)[-1]
    if kemac.encr_alg not in (NULL, KEY_WRAP, *COUNTER_MODES):
        return f"Encr alg {kemac.encr_alg} is unknown"
    if kemac.encr_alg == KEY_WRAP:
        return "the key wrap of Encr data does not verify"
    if not message.of(Timestamp):
        return "the message has no T, which the IV needs"
    return "Encr data cannot be decrypted"


def _name(name: str) -> str:
    short = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
    return printable(short)
