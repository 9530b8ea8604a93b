"""The V message that answers a message: its MAC, in every reading of RFC 3830 §5.2."""

import hmac
from dataclasses import dataclass, replace
from typing import Literal

from ltkm_inspect.keys.protection import MAC_HASHES, authentication_key, mac_of
from ltkm_inspect.mikey import Identity, Message, Timestamp, Verification

type Identities = Literal["data", "payloads", "none"]
type Time = Literal["value", "64 bits", "type and value", "payload"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the MAC of a V payload covers after the message itself; RFC 3830 §5.2 can be read in several ways."""

    identities: Identities = "data"
    """The data of IDi and IDr, their whole payloads with Next payload 0, or nothing."""
    timestamp: Time = "value"
    """The value as it stands in T, a counter padded on the left to 64 bits, with the TS type, or the whole payload."""


COVERAGES = tuple(
    Coverage(identities, timestamp)
    for identities in ("data", "payloads", "none")
    for timestamp in ("value", "64 bits", "type and value", "payload")
)
"""The readings that are tried, the natural one first; minisip's is `none` with `64 bits`."""


def sign_verification(message: Message, request: Message, muk: bytes, coverage: Coverage = COVERAGES[0]) -> Message:
    """Return a V message (PSK ver msg) with its Ver data made anew; the RAND and the identities are the request's.

    ValueError unless it ends with V of a known Auth alg, and where no key can be derived.
    """
    last = _verification(message)
    size = MAC_HASHES[last.auth_alg][1]
    blank = replace(message, payloads=(*message.payloads[:-1], replace(last, ver_data=bytes(size))))
    data = _mac(blank.encode()[:-size], message, request, muk, coverage)
    return replace(message, payloads=(*message.payloads[:-1], replace(last, ver_data=data)))


def verify_verification(message: Message, octets: bytes, request: Message, muk: bytes) -> Coverage | None:
    """Return which reading of RFC 3830 §5.2 the Ver data of a V message follows; None where it verifies with none.

    ValueError as for `sign_verification`.
    """
    size = MAC_HASHES[_verification(message).auth_alg][1]
    for coverage in COVERAGES:
        if hmac.compare_digest(_mac(octets[:-size], message, request, muk, coverage), octets[-size:]):
            return coverage
    return None


def _verification(message: Message) -> Verification:
    last = message.payloads[-1] if message.payloads else None
    if not isinstance(last, Verification) or message.trailing or last.auth_alg not in MAC_HASHES:
        raise ValueError("expected a message that ends with V of Auth alg 1 or 2")
    return last


def _mac(covered: bytes, message: Message, request: Message, muk: bytes, coverage: Coverage) -> bytes:
    name, size = MAC_HASHES[_verification(message).auth_alg]
    timestamps = message.of(Timestamp)
    if not timestamps:
        raise ValueError("expected a message with T")
    key = authentication_key(request, muk, size)
    named = b"".join(_identity(identity, coverage.identities) for identity in request.of(Identity)[:2])
    return mac_of(key, covered + named + _time(timestamps[0], coverage.timestamp), name)


def _identity(identity: Identity, form: Identities) -> bytes:
    if form == "none":
        return b""
    return identity.value if form == "data" else b"\0" + identity.push()


def _time(timestamp: Timestamp, form: Time) -> bytes:
    match form:
        case "value":
            return timestamp.value
        case "64 bits":
            return timestamp.value.rjust(8, b"\0")
        case "type and value":
            return timestamp.push()
        case "payload":
            return b"\0" + timestamp.push()
