"""The MAC of a verification message, in every reading of RFC 3830 §5.2."""

import hmac
from collections.abc import Callable, Iterator
from dataclasses import replace

from ltkm_inspect.keys.protection import MAC_HASHES, authentication_key, mac_of, time_of
from ltkm_inspect.mikey import Identity, Message, Timestamp, Verification

NATURAL = "the identities and T as they are in the message"
"""The reading that this program uses when it computes the MAC."""
_IDENTITIES: dict[str, Callable[[Identity], bytes]] = {
    "the identities": lambda identity: identity.value,
    "the ID payloads": lambda identity: b"\0" + identity.push(),
    "no identities": lambda _: b"",
}
"""What may be appended of IDi and IDr; the Next payload of a whole payload is 0."""
_TIMES: dict[str, Callable[[Timestamp], bytes]] = {
    "T as they are in the message": lambda timestamp: timestamp.value,
    "T in 64 bits": time_of,
    "T with its type": lambda timestamp: timestamp.push(),
    "the whole T payload": lambda timestamp: b"\0" + timestamp.push(),
}


def sign(answer: Message, request: Message, muk: bytes) -> Message:
    """Return a verification message with its MAC recomputed in the natural reading.

    `request` is the message that it answers. ValueError if the message does not end with a V payload that has a MAC,
    or if there is no T or no RAND.
    """
    last = _verification(answer)
    name, size = MAC_HASHES[last.auth_alg]
    blank = replace(answer, payloads=(*answer.payloads[:-1], replace(last, ver_data=bytes(size))))
    covered = blank.encode()[:-size] + next(_appended(answer, request))[1]
    data = mac_of(authentication_key(request, muk, size), covered, name)
    return replace(answer, payloads=(*answer.payloads[:-1], replace(last, ver_data=data)))


def reading_of(answer: Message, octets: bytes, request: Message, muk: bytes) -> str | None:
    """Return the reading in which the MAC of a verification message verifies, in words; None if it does in none.

    RFC 3830 §5.2 appends IDi, IDr and T to what the MAC covers, and does not say whether it means their values or
    their payloads. `octets` are those of the verification message. ValueError as for `sign`.
    """
    name, size = MAC_HASHES[_verification(answer).auth_alg]
    key = authentication_key(request, muk, size)
    for reading, appended in _appended(answer, request):
        if hmac.compare_digest(mac_of(key, octets[:-size] + appended, name), octets[-size:]):
            return reading
    return None


def _appended(answer: Message, request: Message) -> Iterator[tuple[str, bytes]]:
    """Yield each reading with the octets that it appends, the natural one first."""
    timestamps = answer.of(Timestamp)
    if not timestamps:
        raise ValueError("expected a message with T")
    for what, of_identity in _IDENTITIES.items():
        identities = b"".join(map(of_identity, request.of(Identity)[:2]))
        for when, of_time in _TIMES.items():
            yield f"{what} and {when}", identities + of_time(timestamps[0])


def _verification(message: Message) -> Verification:
    last = message.payloads[-1] if message.payloads else None
    if not isinstance(last, Verification) or message.trailing or last.auth_alg not in MAC_HASHES:
        raise ValueError("expected a message that ends with V of Auth alg 1 or 2")
    return last
