"""The MAC and the encryption of a MIKEY message that is protected with a pre-shared key (RFC 3830 §4.2, §5.2)."""

import hmac
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ltkm_inspect.keys.derivation import MessageKeys, message_keys
from ltkm_inspect.mikey import Kemac, Message, Rand, Timestamp

MAC_HASHES = {1: ("sha1", 20), 2: ("sha256", 32)}
"""Hash name and octets of the MAC by MAC alg; its key has the same length (RFC 3830 §6.2, RFC 6043 §6.2)."""
COUNTER = 2
"""The TS type of a 32-bit counter."""
AES_CM_KEY_OCTETS = {1: 16, 3: 32}
"""Octets of the encryption key by Encr alg, for the AES counter modes."""


def keys_of(message: Message, muk: bytes) -> MessageKeys:
    """Derive the keys of a message from its MUK; ValueError where the message has no header, RAND or usable PRF."""
    rands = message.of(Rand)
    if message.header is None or not rands:
        raise ValueError("expected a message with header and RAND")
    kemac = next(iter(message.of(Kemac)), None)
    encr_alg = kemac.encr_alg if kemac else 1
    mac_alg = kemac.mac_alg if kemac else 1
    return message_keys(
        muk,
        message.header.csb_id,
        rands[0].value,
        prf_func=message.header.prf_func,
        encryption_octets=AES_CM_KEY_OCTETS.get(encr_alg, 16),
        authentication_octets=MAC_HASHES.get(mac_alg, ("", 20))[1],
    )


def counter_mode(keys: MessageKeys, csb_id: int, timestamp: bytes, octets: bytes) -> bytes:
    """Encrypt or decrypt with AES-CM (RFC 3830 §4.2.3); the timestamp has the 8 octets that `time_of` gives it."""
    mask = int.from_bytes(csb_id.to_bytes(4) + timestamp)
    iv = (int.from_bytes(keys.salt) ^ mask).to_bytes(14) + b"\0\0"
    cipher = Cipher(algorithms.AES(keys.encryption), modes.CTR(iv)).encryptor()
    return cipher.update(octets) + cipher.finalize()


def time_of(timestamp: Timestamp) -> bytes:
    """Return a timestamp in 64 bits: a counter padded on the left (RFC 3830 §6.6), others on the right (RFC 6043)."""
    return timestamp.value.rjust(8, b"\0") if timestamp.type == COUNTER else timestamp.value.ljust(8, b"\0")


def encrypt(message: Message, muk: bytes, plaintext: bytes) -> Message:
    """Return the message with this key data in its KEMAC, encrypted as its Encr alg says, and the MAC made anew.

    Raises ValueError for a message without KEMAC or timestamp, or an Encr alg that is no AES counter mode.
    """
    kemac = _kemac(message)
    if kemac.encr_alg not in AES_CM_KEY_OCTETS:
        raise ValueError(f"expected Encr alg 1 or 3, got {kemac.encr_alg}")
    timestamps = message.of(Timestamp)
    if not timestamps or message.header is None:
        raise ValueError("expected a message with header and T")
    data = counter_mode(keys_of(message, muk), message.header.csb_id, time_of(timestamps[0]), plaintext)
    return authenticate(_with_kemac(message, replace(kemac, encr_data=data)), muk)


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
    return _with_kemac(blank, replace(kemac, mac=hmac.digest(keys_of(message, muk).authentication, covered, name)))


def _kemac(message: Message) -> Kemac:
    if not message.payloads or not isinstance(message.payloads[-1], Kemac) or message.trailing:
        raise ValueError("expected a message that ends with KEMAC")
    return message.payloads[-1]


def _with_kemac(message: Message, kemac: Kemac) -> Message:
    return replace(message, payloads=(*message.payloads[:-1], kemac))
