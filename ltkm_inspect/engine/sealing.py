"""Makes anew what a change left behind, where the keys are known: digests; and tells what still does not fit."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ltkm_inspect import digest
from ltkm_inspect.context import Context
from ltkm_inspect.keys import KeyRing, Subscriber, Verdict
from ltkm_inspect.keys.opening import parties
from ltkm_inspect.keys.protection import MAC_HASHES, authenticate, authentication_key, mac_of, reencrypt
from ltkm_inspect.mikey import Identity, Kemac, Message
from ltkm_inspect.mikey.change import encoded
from ltkm_inspect.traffic import Event, Exchange, Ltkm

NO_RING = "no key ring"
_FAILED = "the computation failed"


@dataclass(frozen=True, slots=True)
class UnsealedPart:
    """Something that no longer fits what it protects, because it takes a key to make it anew."""

    part: str
    """`MAC` or `digest`."""
    reason: str
    """Why it was not made anew, in words for the user, and the same for all terminals."""
    rejects: str = "the terminal"

    def __str__(self) -> str:
        return f"{self.part} not recomputed ({self.reason}); {self.rejects} will reject it"


def seal[E: Event](damaged: E, original: E, context: Context, leave: frozenset[str] = frozenset()) -> E:
    """Sign what was changed in an exchange anew, where the MRK is known, proved right, and `digest` is not left.

    Only the `response` of the request and the `rspauth` of the response change; every other directive stays as it was
    written. The MACs of changed messages are made anew as the messages are written back, and lengths as they are
    encoded.
    """
    if "digest" in leave or not isinstance(damaged, Exchange) or not isinstance(original, Exchange):
        return damaged
    password = _proved_password(original, context)
    if password is None:
        return damaged
    signed: Exchange = damaged
    asks_otherwise = damaged.request is not original.request
    if asks_otherwise:
        signed = _signed_request(signed, password)
    if asks_otherwise or (signed.response and original.response and signed.response.body != original.response.body):
        signed = _signed_response(signed, password)
    return signed  # type: ignore[return-value]  # E is Exchange here


def protected(
    message: Message,
    ltkm: Ltkm,
    context: Context,
    leave: Container[str] = (),
    following: Mapping[int, int] = MappingProxyType({}),
) -> bytes:
    """Return the octets of what an LTKM was changed to, with these Next payload values (by payload, the header's -1).

    Key data is encrypted and the MAC is made anew, unless `encryption` or `mac` are left. That takes a MUK which is
    known to be right: one that verifies the message as it was. So a MAC that was wrong stays as it is.
    """
    assert ltkm.message is not None
    assert ltkm.octets is not None
    old = context.keys.open(ltkm.message, ltkm.octets)
    subscriber = subscriber_of(ltkm.event, context, message) if old.muk is not None else None
    muk = old.muk  # of several that one which this terminal was just served with
    if subscriber is not old.subscriber:
        muk = subscriber.muks[0] if subscriber is not None and subscriber.muks else None
    if muk is None:
        return encoded(message, following)
    if "encryption" not in leave:
        message = reencrypt(message, ltkm.message, muk, old.muk)
    if "mac" not in leave:
        try:
            message = authenticate(message, muk)
        except ValueError:  # no KEMAC at its end, no RAND: there is nothing to make it of
            return encoded(message, following)
        if following:
            return _authenticated(encoded(message, following), message, muk)
    return encoded(message, following)


def _authenticated(octets: bytes, message: Message, muk: bytes) -> bytes:
    """Return octets whose Next payload values are not those of the message with the MAC over what they now are."""
    kemac = message.payloads[-1]
    if not isinstance(kemac, Kemac) or kemac.mac_alg not in MAC_HASHES:
        return octets
    name, size = MAC_HASHES[kemac.mac_alg]
    return octets[:-size] + mac_of(authentication_key(message, muk, size), octets[:-size], name)


def unsealed(
    damaged: Event, original: Event, context: Context, leave: frozenset[str] = frozenset()
) -> Iterator[UnsealedPart]:
    """Yield what a changed event keeps although it no longer fits, but for what is left on purpose."""
    kept = None if "mac" in leave else _with_kept_mac(original, damaged)
    if kept is not None:
        yield UnsealedPart("MAC", _why_no_mac(*kept, context.keys))
    if not isinstance(damaged, Exchange) or not isinstance(original, Exchange):
        return
    if "digest" not in leave and _keeps_digest(original, damaged):
        yield UnsealedPart("digest", why_no_digest(original, context))


def why_no_digest(original: Exchange, context: Context) -> str:
    """Return why the digest of an exchange cannot be recomputed."""
    credentials, subscriber = original.request.credentials, subscriber_of(original, context)
    if not context.keys:
        return NO_RING
    if credentials is None:
        return "the request has no digest credentials"
    if subscriber is None or subscriber.password is None:
        return context.keys.lacks_of_credentials("MRK", credentials)
    if _proved_password(original, context) is None:
        return "the MRK in the key ring does not verify the digest of the request"
    return _FAILED


def _why_no_mac(old: Message, new: Message, keys: KeyRing) -> str:
    """Return why the MAC of a message that was changed into another one was not recomputed."""
    if not keys:
        return NO_RING
    opened = keys.open(old, old.encode())
    if opened.verdict is Verdict.INVALID:
        return "no MUK in the key ring verifies the MAC as it was"
    changed = new if opened.verdict is Verdict.VALID else old
    subscriber = keys.find(*parties(changed))
    return keys.lacks("MUK", *parties(changed)) if subscriber is None or not subscriber.muks else _FAILED


def _with_kept_mac(before: Event, after: Event) -> tuple[Message, Message] | None:
    """Return a message and what it was changed to where that still has its MAC; None where there is none."""
    old, new = _macs(before), _macs(after)
    messages = {mac: message for message, mac in old.values()}
    kept = ((messages[mac], message) for octets, (message, mac) in new.items() if octets not in old and mac in messages)
    return next(kept, None)


def _macs(event: Event) -> dict[bytes, tuple[Message, bytes]]:
    """Return every message that decodes and has a MAC, with that, by the octets of the message."""
    found: dict[bytes, tuple[Message, bytes]] = {}
    for ltkm in event.ltkms:
        if ltkm.octets and ltkm.message is not None and ltkm.message.problem is None:
            found.update((ltkm.octets, (ltkm.message, kemac.mac)) for kemac in ltkm.message.of(Kemac) if kemac.mac)
    return found


def _keeps_digest(before: Exchange, after: Exchange) -> bool:
    """Tell whether a response whose body was changed still has the digest over its former body.

    With qop `auth`, or none, the digest does not cover the body (RFC 7616 §3.4.3), and nothing has to be made anew.
    """
    if before.response is None or after.response is None or before.response.body == after.response.body:
        return False
    old, new = before.response.authentication_info, after.response.authentication_info
    if old is None or new is None or not new.get("rspauth") or new.get("rspauth") != old.get("rspauth"):
        return False
    credentials = after.request.credentials
    qop = new.get("qop") or (credentials.get("qop") if credentials is not None else None)
    return (qop or "").lower() == "auth-int"


def _proved_password(original: Exchange, context: Context) -> bytes | None:
    """Return the password of the digest, if the request as it was sent proves that it is the right one."""
    credentials, subscriber = original.request.credentials, subscriber_of(original, context)
    if credentials is None or subscriber is None or subscriber.password is None:
        return None
    request = original.request
    try:
        proved = digest.response(credentials, subscriber.password, request.method, request.body or b"")
    except ValueError:
        return None
    return subscriber.password if proved == (credentials.get("response") or "").lower() else None


def _signed_request(exchange: Exchange, password: bytes) -> Exchange:
    request = exchange.request
    if request.credentials is None:
        return exchange
    try:
        signature = digest.response(request.credentials, password, request.method, request.body or b"")
    except ValueError:
        return exchange
    signed = request.credentials.refilled({"response": signature})
    return replace(exchange, request=request.with_credentials(signed))


def _signed_response(exchange: Exchange, password: bytes) -> Exchange:
    response, credentials = exchange.response, exchange.request.credentials
    if response is None or credentials is None:
        return exchange
    try:
        signature = digest.rspauth(credentials, password, response.body or b"")
    except ValueError:
        return exchange
    information = digest.parse_directives(response.authentication_info_text or "")
    if not information.get("rspauth"):
        return exchange
    return replace(exchange, response=response.with_info(information.refilled({"rspauth": signature})))


def subscriber_of(event: Event, context: Context, message: Message | None = None) -> Subscriber | None:
    """Return the subscriber whose keys protect a message, or the event: by IDr and IDi, or by the credentials."""
    identities = message.of(Identity) if message is not None else ()
    if len(identities) == 2:
        idi, idr = (identity.value.decode("utf-8", "replace") for identity in identities)
        return context.keys.find(idr, idi)
    return event.subscriber_in(context.keys)
