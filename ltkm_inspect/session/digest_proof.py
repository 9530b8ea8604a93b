"""Verifies the digests of an exchange with the MRK of its terminal (RFC 7616 §3.4.1, §3.5)."""

from typing import NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.keys import KeyRing, Subscriber
from ltkm_inspect.traffic import Exchange


class DigestProof(NamedTuple):
    """Whether a key verifies a digest."""

    holds: bool | None
    """None if that is unknown."""
    reason: str
    """Why it is unknown; empty if it is known."""


def request_proof(exchange: Exchange, subscriber: Subscriber | None, keys: KeyRing) -> DigestProof:
    """Verify the digest in the request with the MRK of a subscriber in that key ring (RFC 7616 §3.4.1)."""
    request = exchange.request
    credentials = request.credentials
    if credentials is None:
        return DigestProof(None, "the request has no digest credentials")
    if credentials.hides_username:
        return DigestProof(None, "the user name is hashed or encoded, so the terminal's MRK cannot be chosen")
    if subscriber is None or subscriber.password is None:
        missing = keys.lacks_of_credentials("MRK", credentials)
        return DigestProof(None, f"no MRK for the user name of the request: {missing}")
    if not exchange.raw:
        return DigestProof(None, "a HAR does not have the octets as sent")
    if request.body is None:
        return DigestProof(None, "the request body was not captured")
    sent = credentials.get("response")
    if not sent or len(sent) != credentials.digits:
        return DigestProof(None, "the response of the credentials is missing or has the wrong length")
    try:
        right = digest.response(credentials, subscriber.password, request.method, request.body)
    except ValueError as error:
        return DigestProof(None, f"the digest cannot be computed: {error}")
    return DigestProof(right == sent.lower(), "")


def response_proof(exchange: Exchange, subscriber: Subscriber | None, of_request: DigestProof) -> DigestProof:
    """Verify rspauth in the response with the MRK (RFC 7616 §3.5); unknown if the MRK does not verify the request."""
    response, credentials = exchange.response, exchange.request.credentials
    if of_request.holds is not True:
        return DigestProof(None, of_request.reason or "the same key does not verify the digest of the request")
    information = exchange.authentication_info
    sent = information.get("rspauth") if information is not None else None
    if response is None or not sent or credentials is None or len(sent) != credentials.digits:
        return DigestProof(None, "rspauth is missing or has the wrong length")
    if response.body is None or exchange.error is not None:
        return DigestProof(None, "the response body was not captured, or not completely")
    assert subscriber is not None
    assert subscriber.password is not None
    try:
        right = digest.rspauth(credentials, subscriber.password, response.body)
    except ValueError as error:
        return DigestProof(None, f"the digest cannot be computed: {error}")
    return DigestProof(right == sent.lower(), "")
