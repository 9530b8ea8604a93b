"""Key derivation of MIKEY: the PRF of RFC 3830 §4.1 and the keys that protect a message with a pre-shared key."""

from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

BLOCK_OCTETS = 32
"""The input key is cut into blocks of 256 bits, whatever the hash (RFC 3830 §4.1.2, RFC 6043 §6.1)."""
HASHES = {0: ("sha1", 20), 1: ("sha256", 32)}
"""Hash name and its octets by PRF func: MIKEY-1 (RFC 3830 §6.1) and PRF-HMAC-SHA-256 (RFC 6043 §6.1)."""
ENCRYPTION, AUTHENTICATION, SALT = 0x150533E1, 0x2D22AC75, 0x29B88916
"""The constants of RFC 3830 §4.1.4, by purpose."""
KEYED = 1024
"""For how many blocks of input keys the keyed HMAC is kept: one message needs it six times."""
_ALGORITHMS: dict[str, hashes.HashAlgorithm] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}


def prf(key: bytes, label: bytes, octets: int, prf_func: int = 0) -> bytes:
    """Return that many octets of the PRF over a key of any length but 0 (RFC 3830 §4.1.2).

    Raises ValueError for an empty key or a PRF func that is not defined.
    """
    if not key:
        raise ValueError("expected a key of at least 1 octet, got 0")
    if prf_func not in HASHES:
        raise ValueError(f"expected PRF func 0 or 1, got {prf_func}")
    name, size = HASHES[prf_func]
    if octets <= size and len(key) <= BLOCK_OCTETS:  # the common case: one block in, one out
        keyed = _keyed(key, name)
        return _digest(keyed, _digest(keyed, label) + label)[:octets]
    output = 0
    for start in range(0, len(key), BLOCK_OCTETS):
        keyed = _keyed(key[start : start + BLOCK_OCTETS], name)
        chain, stream = label, b""
        for _ in range(-(-octets // size)):
            chain = _digest(keyed, chain)
            stream += _digest(keyed, chain + label)
        output ^= int.from_bytes(stream[:octets])
    return output.to_bytes(octets)


@lru_cache(KEYED)
def _keyed(block: bytes, name: str) -> HMAC:
    """Return an HMAC that has taken in its key, to be copied: that is most of the work on a short text."""
    return HMAC(block, _ALGORITHMS[name])


def _digest(keyed: HMAC, octets: bytes) -> bytes:
    copy = keyed.copy()
    copy.update(octets)
    return copy.finalize()


def message_key(key: bytes, purpose: int, csb_id: int, rand: bytes, octets: int, prf_func: int = 0) -> bytes:
    """Derive one key of a message from its pre-shared key; the purpose is ENCRYPTION, AUTHENTICATION or SALT."""
    return prf(key, purpose.to_bytes(4) + b"\xff" + csb_id.to_bytes(4) + rand, octets, prf_func)
