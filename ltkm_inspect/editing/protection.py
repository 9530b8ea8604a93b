"""What the keys at hand make anew in a message that was changed: encrypted key data, and the MAC over all of it."""

from collections.abc import Mapping

from ltkm_inspect.context import Context
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.keys import Subscriber
from ltkm_inspect.keys.opening import parties
from ltkm_inspect.keys.protection import MAC_HASHES, authenticate, authentication_key, mac_of, reencrypt
from ltkm_inspect.mikey import Kemac, Message, decode
from ltkm_inspect.mikey.change import encoded


def protected(
    message: Message,
    former: bytes,
    exchange: Exchange,
    context: Context,
    following: Mapping[int, int],
    *,
    keep_mac: bool,
) -> tuple[bytes, bool]:
    """Return the octets of a changed message, and whether its MAC is what it has to be or was not to be touched.

    `former` are the octets that it was made from, `following` the Next payload values that it is to have. Key data is
    encrypted anew and the MAC is made anew where the MUK is known, the MAC only where `keep_mac` does not hold.
    """
    original = decode(former)
    opened = context.keys.open(original, former)
    subscriber = _subscriber(message, exchange, context)
    muk = subscriber.muks[0] if subscriber is not None and subscriber.muks else None
    if opened.muk is not None and subscriber is opened.subscriber:
        muk = opened.muk  # of several that one which this terminal was just served with
    if muk is not None:
        message = reencrypt(message, original, muk, opened.muk)
        try:
            if not keep_mac:
                message = authenticate(message, muk)
        except ValueError:
            muk = None  # no KEMAC at its end, no RAND: there is nothing to make it of
    octets = encoded(message, following)
    has_mac = any(kemac.mac for kemac in message.of(Kemac))
    if following and muk is not None and not keep_mac:
        octets = _authenticated(octets, message, muk)
    return octets, keep_mac or muk is not None or not has_mac


def _authenticated(octets: bytes, message: Message, muk: bytes) -> bytes:
    """Return octets whose Next payload values are not those of the message with the MAC over what they now are."""
    kemac = message.payloads[-1]
    if not isinstance(kemac, Kemac) or kemac.mac_alg not in MAC_HASHES:
        return octets
    name, size = MAC_HASHES[kemac.mac_alg]
    return octets[:-size] + mac_of(authentication_key(message, muk, size), octets[:-size], name)


def _subscriber(message: Message, exchange: Exchange, context: Context) -> Subscriber | None:
    """Return the subscriber whose keys protect a message: by its identities, else by the credentials of the request."""
    b_tid, naf = parties(message)
    credentials = exchange.request.credentials
    if b_tid is None and credentials is not None:
        b_tid, naf = credentials.get("username"), (credentials.get("realm") or "").partition("@")[2] or None
    return context.keys.find(b_tid, naf)
