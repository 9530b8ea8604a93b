"""The MAC and the encryption of a MIKEY message that is protected with a pre-shared key (RFC 3830 §4.2, §5.2)."""

import hmac
from dataclasses import replace
from hashlib import sha1, sha256

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ltkm_inspect.keys.derivation import AUTHENTICATION, ENCRYPTION, SALT, message_key
from ltkm_inspect.mikey import Kemac, Message, Payload, Rand, Timestamp
from ltkm_inspect.mikey.core import COUNTER

MAC_HASHES = {1: ("sha1", 20), 2: ("sha256", 32)}
"""Hash name and octets of the MAC by MAC alg; its key has the same length (RFC 3830 §6.2, RFC 6043 §6.2)."""
NULL, KEY_WRAP = 0, 2
"""The Encr algs NULL and AES-KW-128."""
AES_CM_KEY_OCTETS = {1: 16, 3: 32}
"""Octets of the encryption key by Encr alg, for the AES counter modes."""
COUNTER_MODES = frozenset(AES_CM_KEY_OCTETS)
SHORT = 128
"""Up to so many octets of key data are encrypted block by block."""
COUNTERS = tuple(number.to_bytes(2) for number in range(SHORT // 16))
ECB = modes.ECB()
_INNER, _OUTER = (bytes(octet ^ pad for octet in range(256)) for pad in (0x36, 0x5C))


def mac_verifies(message: Message, octets: bytes, muk: bytes) -> bool:
    """Say whether the MAC at the end of a message, over the octets as received, is what this MUK gives.

    ValueError where the message does not end with a KEMAC that has a MAC, or no key can be derived.
    """
    kemac = _kemac(message)
    if kemac.mac_alg not in MAC_HASHES:
        raise ValueError(f"expected MAC alg 1 or 2, got {kemac.mac_alg}")
    name, size = MAC_HASHES[kemac.mac_alg]
    key = authentication_key(message, muk, size)
    return hmac.compare_digest(mac_of(key, octets[:-size], name), octets[-size:])


def mac_of(key: bytes, octets: bytes, name: str) -> bytes:
    """Return the HMAC with a key no longer than a block of its hash, 64 octets.

    The key serves one message only. To hash twice here takes two thirds of the time of `hmac.digest`, which looks its
    algorithm up again in each call.
    """
    make = sha1 if name == "sha1" else sha256
    padded = key.ljust(64, b"\0")
    return make(padded.translate(_OUTER) + make(padded.translate(_INNER) + octets).digest()).digest()


def decrypt(message: Message, muk: bytes) -> bytes:
    """Return the key data of the message's KEMAC in the clear; verify the MAC before you trust it.

    ValueError where it cannot be decrypted: an unknown Encr alg, no RAND or T, a key wrap that does not verify.
    """
    return _crypt(message, muk, _kemac(message).encr_data, wrap=False)


def _crypt(message: Message, muk: bytes, octets: bytes, *, wrap: bool) -> bytes:
    encr_alg = _kemac(message).encr_alg
    if encr_alg == NULL or not octets:  # no octets: an update without key
        return octets
    csb_id, prf_func, rand = _derivation(message)
    if encr_alg == KEY_WRAP:
        key = message_key(muk, ENCRYPTION, csb_id, rand, 16, prf_func)
        salt = message_key(muk, SALT, csb_id, rand, 8, prf_func)
        return key_wrap(key, salt, octets) if wrap else key_unwrap(key, salt, octets)
    if encr_alg not in AES_CM_KEY_OCTETS:
        raise ValueError(f"expected Encr alg 0 to 3, got {encr_alg}")
    timestamp = first(message, Timestamp)
    if timestamp is None:
        raise ValueError("expected a message with T")
    key = message_key(muk, ENCRYPTION, csb_id, rand, AES_CM_KEY_OCTETS[encr_alg], prf_func)
    salt = message_key(muk, SALT, csb_id, rand, 14, prf_func)
    return counter_mode(key, initial_vector(salt, csb_id, time_of(timestamp)), octets)


def first[P: Payload](message: Message, kind: type[P]) -> P | None:
    """Return the first payload of that class, without the index that `Message.of` makes once it is asked."""
    for payload in message.payloads:
        if type(payload) is kind:
            return payload
    return None


def _derivation(message: Message) -> tuple[int, int, bytes]:
    """Return CSB ID, PRF func and RAND value of a message."""
    rand = first(message, Rand)
    if message.header is None or rand is None:
        raise ValueError("expected a message with header and RAND")
    return message.header.csb_id, message.header.prf_func, rand.value


def initial_vector(salt: bytes, csb_id: int, timestamp: bytes) -> bytes:
    """Return the IV of AES-CM for a salt of 14 octets and a timestamp of 8 (RFC 3830 §4.2.3)."""
    mask = int.from_bytes(csb_id.to_bytes(4) + timestamp)
    return (int.from_bytes(salt) ^ mask).to_bytes(14) + b"\0\0"


def key_wrap(key: bytes, initial: bytes, octets: bytes) -> bytes:
    """Wrap octets with AES as RFC 3394 §2.2.1 does, with this initial value (MIKEY: the salt; RFC 3830 §4.2.3).

    ValueError unless there are at least 16 octets, a multiple of 8.
    """
    if len(octets) < 16 or len(octets) % 8:
        raise ValueError(f"expected 16 or more octets to wrap, a multiple of 8, got {len(octets)}")
    block = Cipher(algorithms.AES(key), ECB).encryptor()  # the mode of the library's own wrap has a fixed IV
    parts = [octets[at : at + 8] for at in range(0, len(octets), 8)]
    register = initial
    for step in range(6 * len(parts)):
        index = step % len(parts)
        out = block.update(register + parts[index])
        register = (int.from_bytes(out[:8]) ^ (step + 1)).to_bytes(8)
        parts[index] = out[8:]
    return register + b"".join(parts)


def key_unwrap(key: bytes, initial: bytes, octets: bytes) -> bytes:
    """Undo `key_wrap`; ValueError where the length cannot be or the initial value does not come out."""
    if len(octets) < 24 or len(octets) % 8:
        raise ValueError(f"expected 24 or more octets to unwrap, a multiple of 8, got {len(octets)}")
    block = Cipher(algorithms.AES(key), ECB).decryptor()
    register = octets[:8]
    parts = [octets[at : at + 8] for at in range(8, len(octets), 8)]
    for step in reversed(range(6 * len(parts))):
        index = step % len(parts)
        out = block.update((int.from_bytes(register) ^ (step + 1)).to_bytes(8) + parts[index])
        register, parts[index] = out[:8], out[8:]
    if not hmac.compare_digest(register, initial):
        raise ValueError("expected the initial value after unwrapping, got another value")
    return b"".join(parts)


def counter_mode(key: bytes, iv: bytes, octets: bytes) -> bytes:
    """Encrypt or decrypt with AES-CM (RFC 3830 §4.2.3)."""
    count = len(octets)
    if count > SHORT:
        return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(octets)
    # The last 16 bits of the IV are 0, so that few blocks cannot carry: a mode without IV is quicker to set up.
    prefix = iv[:14]
    counters = b"".join([prefix + number for number in COUNTERS[: count + 15 >> 4]])
    stream = Cipher(algorithms.AES(key), ECB).encryptor().update(counters)
    return (int.from_bytes(stream[:count]) ^ int.from_bytes(octets)).to_bytes(count)


def time_of(timestamp: Timestamp) -> bytes:
    """Return a timestamp in 64 bits: a counter padded on the left (RFC 3830 §6.6), others on the right (RFC 6043)."""
    return timestamp.value.rjust(8, b"\0") if timestamp.type == COUNTER else timestamp.value.ljust(8, b"\0")


def encrypt(message: Message, muk: bytes, plaintext: bytes) -> Message:
    """Return the message with this key data in its KEMAC, encrypted as its Encr alg says, and the MAC made anew.

    Raises ValueError for a message without KEMAC, RAND or timestamp, an Encr alg that is not known, and key data of a
    length that AES-KW cannot wrap.
    """
    kemac = _kemac(message)
    data = _crypt(message, muk, plaintext, wrap=True)
    return authenticate(_with_kemac(message, replace(kemac, encr_data=data)), muk)


def reencrypt(message: Message, original: Message, muk: bytes, original_muk: bytes | None = None) -> Message:
    """Return a changed message with the key data of the original encrypted anew, where the change needs that.

    `original_muk` is the MUK of the original, where that is another one. A message whose key data differs, and one that
    cannot be decrypted or encrypted with AES-CM, comes back as it is.
    """
    kemacs = message.of(Kemac), original.of(Kemac)
    if not all(kemacs) or kemacs[0][0].encr_data != kemacs[1][0].encr_data:
        return message
    if any(each[0].encr_alg not in AES_CM_KEY_OCTETS for each in kemacs):
        return message
    try:
        plaintext = decrypt(replace(original, trailing=b""), muk if original_muk is None else original_muk)
        octets = _crypt(message, muk, plaintext, wrap=True)
    except (ValueError, OverflowError):  # no RAND, no usable PRF, a payload behind KEMAC: nothing to encrypt with
        return message
    return _with_kemac(message, replace(_kemac(message), encr_data=octets))


def authenticate(message: Message, muk: bytes) -> Message:
    """Return the message with the MAC of its KEMAC made anew (RFC 3830 §5.2).

    A message whose MAC alg is NULL or unknown comes back as it is; ValueError where it has no KEMAC or no RAND.
    """
    kemac = _kemac(message)
    if kemac.mac_alg not in MAC_HASHES:
        return message
    name, size = MAC_HASHES[kemac.mac_alg]
    blank = _with_kemac(message, replace(kemac, mac=bytes(size)))
    covered = blank.encode()[:-size]
    return _with_kemac(blank, replace(kemac, mac=mac_of(authentication_key(message, muk, size), covered, name)))


def authentication_key(message: Message, muk: bytes, size: int) -> bytes:
    """Derive the key of a MAC from CSB ID, PRF func and RAND of a message."""
    csb_id, prf_func, rand = _derivation(message)
    return message_key(muk, AUTHENTICATION, csb_id, rand, size, prf_func)


def _kemac(message: Message) -> Kemac:
    if not message.payloads or not isinstance(message.payloads[-1], Kemac) or message.trailing:
        raise ValueError("expected a message that ends with KEMAC")
    return message.payloads[-1]


def _with_kemac(message: Message, kemac: Kemac) -> Message:
    return replace(message, payloads=(*message.payloads[:-1], kemac))
