"""The MAC and the encryption of a MIKEY message that is protected with a pre-shared key (RFC 3830 §4.2, §5.2)."""

import hmac
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ltkm_inspect.keys.derivation import AUTHENTICATION, ENCRYPTION, SALT, MessageKeys, message_key, message_keys
from ltkm_inspect.mikey import Identity, Kemac, Message, Rand, Timestamp, Verification

MAC_HASHES = {1: ("sha1", 20), 2: ("sha256", 32)}
"""Hash name and octets of the MAC by MAC alg; its key has the same length (RFC 3830 §6.2, RFC 6043 §6.2)."""
COUNTER = 2
"""The TS type of a 32-bit counter."""
NULL, KEY_WRAP = 0, 2
"""The Encr algs NULL and AES-KW-128."""
AES_CM_KEY_OCTETS = {1: 16, 3: 32}
"""Octets of the encryption key by Encr alg, for the AES counter modes."""
COUNTER_MODES = frozenset(AES_CM_KEY_OCTETS)
SALT_OCTETS = {KEY_WRAP: 8}
"""Octets of the salt by Encr alg, where it is not the 14 of AES-CM (RFC 3830 §4.1.4, §4.2.3)."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the MAC of a V payload covers after the message itself; RFC 3830 §5.2 can be read in several ways."""

    identities: bool = True
    """Whether the data of IDi and IDr follows."""
    timestamp_octets: int = 0
    """8 where a counter of 4 octets is padded on the left; 0 for the timestamp as it stands in T."""


COVERAGES = tuple(Coverage(identities, octets) for identities in (True, False) for octets in (0, 8))
"""The readings that are tried, the natural one first; the last is minisip's."""


def keys_of(message: Message, muk: bytes, rand: bytes | None = None) -> MessageKeys:
    """Derive the keys of a message from its MUK; ValueError where the message has no header, RAND or usable PRF.

    `rand` is for a message whose RAND came in another one.
    """
    csb_id, prf_func, value = _derivation(message, rand)
    kemac = next(iter(message.of(Kemac)), None)
    encr_alg = kemac.encr_alg if kemac else 1
    mac_alg = kemac.mac_alg if kemac else 1
    return message_keys(
        muk,
        csb_id,
        value,
        prf_func=prf_func,
        encryption_octets=AES_CM_KEY_OCTETS.get(encr_alg, 16),
        authentication_octets=MAC_HASHES.get(mac_alg, ("", 20))[1],
        salt_octets=SALT_OCTETS.get(encr_alg, 14),
    )


def mac_verifies(message: Message, octets: bytes, muk: bytes, rand: bytes | None = None) -> bool:
    """Say whether the MAC at the end of a message, over the octets as received, is what this MUK gives.

    ValueError where the message does not end with a KEMAC that has a MAC, or no key can be derived.
    """
    kemac = _kemac(message)
    if kemac.mac_alg not in MAC_HASHES:
        raise ValueError(f"expected MAC alg 1 or 2, got {kemac.mac_alg}")
    name, size = MAC_HASHES[kemac.mac_alg]
    csb_id, prf_func, value = _derivation(message, rand)
    key = message_key(muk, AUTHENTICATION, csb_id, value, size, prf_func)
    return hmac.compare_digest(hmac.digest(key, octets[:-size], name), octets[-size:])


def decrypt(message: Message, muk: bytes, rand: bytes | None = None) -> bytes:
    """Return the key data of the message's KEMAC in the clear; verify the MAC before you trust it.

    ValueError where it cannot be decrypted: an unknown Encr alg, no RAND or T, a key wrap that does not verify.
    """
    kemac = _kemac(message)
    return _crypt(message, muk, kemac.encr_data, rand, wrap=False)


def _crypt(message: Message, muk: bytes, octets: bytes, rand: bytes | None = None, *, wrap: bool) -> bytes:
    encr_alg = _kemac(message).encr_alg
    if encr_alg == NULL or not octets:  # no octets: an update without key
        return octets
    csb_id, prf_func, value = _derivation(message, rand)
    if encr_alg == KEY_WRAP:
        key = message_key(muk, ENCRYPTION, csb_id, value, 16, prf_func)
        salt = message_key(muk, SALT, csb_id, value, 8, prf_func)
        return key_wrap(key, salt, octets) if wrap else key_unwrap(key, salt, octets)
    if encr_alg not in AES_CM_KEY_OCTETS:
        raise ValueError(f"expected Encr alg 0 to 3, got {encr_alg}")
    timestamps = message.of(Timestamp)
    if not timestamps:
        raise ValueError("expected a message with T")
    key = message_key(muk, ENCRYPTION, csb_id, value, AES_CM_KEY_OCTETS[encr_alg], prf_func)
    salt = message_key(muk, SALT, csb_id, value, 14, prf_func)
    return counter_mode(MessageKeys(key, b"", salt), csb_id, time_of(timestamps[0]), octets)


def _derivation(message: Message, rand: bytes | None = None) -> tuple[int, int, bytes]:
    """Return CSB ID, PRF func and RAND value of a message."""
    if message.header is None:
        raise ValueError("expected a message with header and RAND")
    if rand is None:
        rands = message.of(Rand)
        if not rands:
            raise ValueError("expected a message with header and RAND")
        rand = rands[0].value
    return message.header.csb_id, message.header.prf_func, rand


def initial_vector(salt: bytes, csb_id: int, timestamp: bytes) -> bytes:
    """Return the IV of AES-CM for a salt of 14 octets and a timestamp of 8 (RFC 3830 §4.2.3)."""
    mask = int.from_bytes(csb_id.to_bytes(4) + timestamp)
    return (int.from_bytes(salt) ^ mask).to_bytes(14) + b"\0\0"


def key_wrap(key: bytes, initial: bytes, octets: bytes) -> bytes:
    """Wrap octets with AES as RFC 3394 §2.2.1 does, with this initial value (MIKEY: the salt; RFC 3830 §4.2.3).

    ValueError unless there are at least 16 octets, a multiple of 8.
    """
    if len(octets) < 16 or len(octets) % 8:
        raise ValueError(f"expected a multiple of 8 octets to wrap, 16 or more, got {len(octets)}")
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # the mode of the library's own wrap has a fixed IV
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
        raise ValueError(f"expected a multiple of 8 octets to unwrap, 24 or more, got {len(octets)}")
    block = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    register = octets[:8]
    parts = [octets[at : at + 8] for at in range(8, len(octets), 8)]
    for step in reversed(range(6 * len(parts))):
        index = step % len(parts)
        out = block.update((int.from_bytes(register) ^ (step + 1)).to_bytes(8) + parts[index])
        register, parts[index] = out[:8], out[8:]
    if not hmac.compare_digest(register, initial):
        raise ValueError("expected the initial value after unwrapping, got another")
    return b"".join(parts)


def sign_verification(message: Message, request: Message, muk: bytes, coverage: Coverage = COVERAGES[0]) -> Message:
    """Return a V message (PSK ver msg) with its Ver data made anew; the RAND and the identities are the request's.

    ValueError unless it ends with V of a known Auth alg, and where no key can be derived.
    """
    last = _verification(message)
    size = MAC_HASHES[last.auth_alg][1]
    blank = replace(message, payloads=(*message.payloads[:-1], replace(last, ver_data=bytes(size))))
    data = _verification_mac(blank.encode()[:-size], message, request, muk, coverage)
    return replace(message, payloads=(*message.payloads[:-1], replace(last, ver_data=data)))


def verify_verification(message: Message, octets: bytes, request: Message, muk: bytes) -> Coverage | None:
    """Return which reading of RFC 3830 §5.2 the Ver data of a V message follows; None where it verifies with none."""
    size = MAC_HASHES[_verification(message).auth_alg][1]
    for coverage in COVERAGES:
        expected = _verification_mac(octets[:-size], message, request, muk, coverage)
        if hmac.compare_digest(expected, octets[-size:]):
            return coverage
    return None


def _verification(message: Message) -> Verification:
    last = message.payloads[-1] if message.payloads else None
    if not isinstance(last, Verification) or message.trailing or last.auth_alg not in MAC_HASHES:
        raise ValueError("expected a message that ends with V of Auth alg 1 or 2")
    return last


def _verification_mac(covered: bytes, message: Message, request: Message, muk: bytes, coverage: Coverage) -> bytes:
    name, size = MAC_HASHES[_verification(message).auth_alg]
    timestamps = message.of(Timestamp)
    if not timestamps:
        raise ValueError("expected a message with T")
    csb_id, prf_func, rand = _derivation(request)
    identities = b"".join(identity.value for identity in request.of(Identity)) if coverage.identities else b""
    time = timestamps[0].value.rjust(coverage.timestamp_octets, b"\0")
    key = message_key(muk, AUTHENTICATION, csb_id, rand, size, prf_func)
    return hmac.digest(key, covered + identities + time, name)


def counter_mode(keys: MessageKeys, csb_id: int, timestamp: bytes, octets: bytes) -> bytes:
    """Encrypt or decrypt with AES-CM (RFC 3830 §4.2.3); the timestamp has the 8 octets that `time_of` gives it."""
    iv = initial_vector(keys.salt, csb_id, timestamp)
    return Cipher(algorithms.AES(keys.encryption), modes.CTR(iv)).encryptor().update(octets)


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


def reencrypt(message: Message, original: Message, muk: bytes) -> Message:
    """Return a changed message with the key data of the original encrypted anew, where the change needs that.

    A message whose key data differs, and one that cannot be decrypted or encrypted with AES-CM, comes back as it is.
    """
    kemacs = message.of(Kemac), original.of(Kemac)
    if not all(kemacs) or kemacs[0][0].encr_data != kemacs[1][0].encr_data:
        return message
    if any(each[0].encr_alg not in AES_CM_KEY_OCTETS for each in kemacs) or not kemacs[0][0].encr_data:
        return message
    times = message.of(Timestamp), original.of(Timestamp)
    if not all(times) or message.header is None or original.header is None:
        return message
    try:
        keys = keys_of(message, muk), keys_of(original, muk)
        if (keys[0], message.header.csb_id, times[0][0]) == (keys[1], original.header.csb_id, times[1][0]):
            return message
        octets = counter_mode(keys[1], original.header.csb_id, time_of(times[1][0]), kemacs[1][0].encr_data)
        octets = counter_mode(keys[0], message.header.csb_id, time_of(times[0][0]), octets)
        return _with_kemac(message, replace(_kemac(message), encr_data=octets))
    except (ValueError, OverflowError):  # no RAND, no usable PRF, a payload behind KEMAC: nothing to encrypt with
        return message


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
    return _with_kemac(blank, replace(kemac, mac=hmac.digest(_authentication_key(message, muk, size), covered, name)))


def _authentication_key(message: Message, muk: bytes, size: int) -> bytes:
    csb_id, prf_func, rand = _derivation(message)
    return message_key(muk, AUTHENTICATION, csb_id, rand, size, prf_func)


def _kemac(message: Message) -> Kemac:
    if not message.payloads or not isinstance(message.payloads[-1], Kemac) or message.trailing:
        raise ValueError("expected a message that ends with KEMAC")
    return message.payloads[-1]


def _with_kemac(message: Message, kemac: Kemac) -> Message:
    return replace(message, payloads=(*message.payloads[:-1], kemac))
