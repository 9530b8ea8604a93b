"""The three keys of a message, to be compared with vectors and worked values."""

from typing import NamedTuple

from ltkm_inspect.keys.derivation import AUTHENTICATION, ENCRYPTION, SALT, message_key
from ltkm_inspect.keys.protection import AES_CM_KEY_OCTETS, KEY_WRAP, MAC_HASHES
from ltkm_inspect.mikey import Kemac, Message, Rand


class Derived(NamedTuple):
    """The keys that protect one message (RFC 3830 §4.1.4)."""

    encryption: bytes
    authentication: bytes
    salt: bytes


def derived(message: Message, muk: bytes, rand: bytes | None = None) -> Derived:
    """Derive the keys of a message, whose RAND may have come in another one."""
    assert message.header is not None
    value = message.of(Rand)[0].value if rand is None else rand
    kemacs = message.of(Kemac)
    encr_alg, mac_alg = (kemacs[-1].encr_alg, kemacs[-1].mac_alg) if kemacs else (1, 1)
    sizes = {
        ENCRYPTION: AES_CM_KEY_OCTETS.get(encr_alg, 16),
        AUTHENTICATION: MAC_HASHES.get(mac_alg, ("", 20))[1],
        SALT: 8 if encr_alg == KEY_WRAP else 14,
    }
    header = message.header
    return Derived(
        *(message_key(muk, each, header.csb_id, value, size, header.prf_func) for each, size in sizes.items())
    )
