"""Keys from AKMA: from K_AUSF to MUK and MRK of 5G broadcast (3GPP TS 33.535 Annex A, TS 33.501 W.4.1.3)."""

import re

from ltkm_inspect.keys.gba import NAF_KEY_OCTETS, gba_me, kdf, naf_id

KEY_OCTETS = NAF_KEY_OCTETS
"""How long K_AUSF, K_AKMA and K_AF are, and the A-TID as well."""
FC_K_AKMA, FC_A_TID, FC_K_AF = 0x80, 0x81, 0x82

_IMSI = re.compile(r"(?:imsi-)?([0-9]{6,15})", re.I)
_NAI = re.compile(r"(?:n[as]i-)?([^\s@]+@[^\s@]+)", re.I)

af_id = naf_id
"""The AF_ID is formed like a NAF_ID: FQDN of the server and Ua* security protocol identifier (TS 33.535 A.4)."""
muk_and_mrk = gba_me
"""K_AF takes the place of the Ks_NAF of a run of GBA_ME (TS 33.501 W.4.1.3)."""


def supi_octets(supi: str) -> bytes:
    """Return a SUPI as the derivations use it: the digits of an IMSI, without a prefix `imsi-`.

    A SUPI that is a NAI is used as it is written (TS 33.501 A.7.0). Raises ValueError for other text.
    """
    found = _IMSI.fullmatch(supi) or _NAI.fullmatch(supi)
    if found is None:
        raise ValueError("supi: expected an IMSI of 6 to 15 digits or a NAI, got other text")
    return found[1].encode()


def k_akma(k_ausf: bytes, supi: str) -> bytes:
    """Return K_AKMA (TS 33.535 A.2)."""
    return kdf(k_ausf, b"AKMA", supi_octets(supi), fc=FC_K_AKMA)


def a_tid(k_ausf: bytes, supi: str) -> bytes:
    """Return the A-TID, which is part of the A-KID (TS 33.535 A.3)."""
    return kdf(k_ausf, b"A-TID", supi_octets(supi), fc=FC_A_TID)


def k_af(k_akma: bytes, af_id: bytes) -> bytes:
    """Return K_AF, the key for one server (TS 33.535 A.4)."""
    return kdf(k_akma, af_id, fc=FC_K_AF)
