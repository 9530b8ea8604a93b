"""Keys from the bootstrapping of GBA: from CK and IK to MUK and MRK (3GPP TS 33.220 Annex B, TS 33.246 Annex F).

2G GBA gives a Ks_NAF that is used like the one of GBA_ME. How its Ks comes from a SIM is not built: that text was not
at hand.
"""

import hmac
import unicodedata

UA_MBMS = bytes.fromhex("0100000001")
"""The Ua security protocol identifier of MBMS, which BCAST shares (33.220 Annex H)."""
NAF_KEY_OCTETS = 32


def kdf(key: bytes, *parameters: bytes, fc: int = 1) -> bytes:
    """Return the 32 octets of the key derivation function (33.220 B.2); ValueError for a parameter over 65,535."""
    text = bytes((fc,))
    for number, parameter in enumerate(parameters):
        if len(parameter) > 0xFFFF:
            raise ValueError(f"P{number}: expected at most 65535 octets, got {len(parameter)}")
        text += parameter + len(parameter).to_bytes(2)
    return hmac.digest(key, text, "sha256")


def naf_id(fqdn: str, ua: bytes = UA_MBMS) -> bytes:
    """Return the NAF_ID: the FQDN of the BM-SC and the Ua security protocol identifier of 5 octets."""
    if not fqdn:
        raise ValueError("naf: expected the FQDN of the BSM, got nothing")
    return _utf8("naf", fqdn) + _sized("ua", ua, 5)


def ks(ck: bytes, ik: bytes) -> bytes:
    """Return Ks: CK and IK, of 16 octets each, one after the other (33.220 4.5.2)."""
    return _sized("ck", ck, 16) + _sized("ik", ik, 16)


def ks_naf(ks: bytes, rand: bytes, impi: str, naf: bytes) -> bytes:
    """Return Ks_NAF (GBA_ME) or Ks_ext_NAF (GBA_U), which are derived alike (33.220 B.3)."""
    return _naf_key(b"gba-me", ks, rand, impi, naf)


ks_ext_naf = ks_naf


def ks_int_naf(ks: bytes, rand: bytes, impi: str, naf: bytes) -> bytes:
    """Return Ks_int_NAF, which stays in the card (33.220 B.3)."""
    return _naf_key(b"gba-u", ks, rand, impi, naf)


def mrk(naf_key: bytes) -> bytes:
    """Return the MRK of a Ks_NAF, or of a Ks_ext_NAF where the card does no MBMS (33.246 Annex F)."""
    return kdf(naf_key, b"mbms-mrk")


def gba_me(ks_naf: bytes) -> tuple[bytes, bytes]:
    """Return MUK and MRK of a run of GBA_ME or 2G GBA; and of GBA_U with a card that does no MBMS, by Ks_ext_NAF."""
    _sized("ks_naf", ks_naf, NAF_KEY_OCTETS)
    return ks_naf, mrk(ks_naf)


def gba_u(ks_int_naf: bytes, ks_ext_naf: bytes) -> tuple[bytes, bytes]:
    """Return MUK and MRK of a run of GBA_U with a card that does MBMS."""
    return _sized("ks_int_naf", ks_int_naf, NAF_KEY_OCTETS), _sized("ks_ext_naf", ks_ext_naf, NAF_KEY_OCTETS)


def _naf_key(run: bytes, ks: bytes, rand: bytes, impi: str, naf: bytes) -> bytes:
    if not impi:
        raise ValueError("impi: expected an IMPI, got nothing")
    identity = _utf8("impi", unicodedata.normalize("NFKC", impi))
    return kdf(_sized("ks", ks, 32), run, _sized("rand", rand, 16), identity, naf)


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # its own text would show the value
        raise ValueError(f"{name}: the text cannot be encoded in UTF-8") from None


def _sized(name: str, value: bytes, octets: int) -> bytes:
    if len(value) != octets:
        raise ValueError(f"{name}: expected {octets} octets, got {len(value)}")
    return value
