"""What the keys at hand make anew in a message that was changed: encrypted key data, and the MAC over all of it."""

from collections.abc import Mapping

from ltkm_inspect.context import Context
from ltkm_inspect.engine.sealing import subscriber_of
from ltkm_inspect.keys.protection import MAC_HASHES, authenticate, authentication_key, mac_of, reencrypt
from ltkm_inspect.mikey import Kemac, Message
from ltkm_inspect.mikey.change import encoded
from ltkm_inspect.traffic import LtkmElement


def protected(
    message: Message, ltkm: LtkmElement, context: Context, following: Mapping[int, int], *, keep_mac: bool = False
) -> bytes:
    """Return the octets of a changed message of an LTKM, with these Next payload values.

    Key data is encrypted anew and, unless `keep_mac` holds, the MAC is made anew, with a MUK that is known to be right:
    one that verifies the message as it was. So a MAC that was wrong stays as it is.
    """
    assert ltkm.message is not None
    assert ltkm.octets is not None
    old = context.keys.open(ltkm.message, ltkm.octets)
    if old.muk is None:
        return encoded(message, following)
    subscriber = subscriber_of(ltkm.event, context, message)
    muk = old.muk  # of several that one which this terminal was just served with
    if subscriber is not old.subscriber:
        if subscriber is None or not subscriber.muks:
            return encoded(message, following)
        muk = subscriber.muks[0]
    message = reencrypt(message, ltkm.message, muk, old.muk)
    if keep_mac:
        return encoded(message, following)
    try:
        message = authenticate(message, muk)
    except ValueError:  # no KEMAC at its end, no RAND: there is nothing to make it of
        return encoded(message, following)
    octets = encoded(message, following)
    return _authenticated(octets, message, muk) if following else octets


def _authenticated(octets: bytes, message: Message, muk: bytes) -> bytes:
    """Return octets whose Next payload values are not those of the message with the MAC over what they now are."""
    kemac = message.payloads[-1]
    if not isinstance(kemac, Kemac) or kemac.mac_alg not in MAC_HASHES:
        return octets
    name, size = MAC_HASHES[kemac.mac_alg]
    return octets[:-size] + mac_of(authentication_key(message, muk, size), octets[:-size], name)
