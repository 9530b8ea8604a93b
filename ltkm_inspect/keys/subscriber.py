"""The keys of one terminal at one BM-SC."""

import base64
from dataclasses import dataclass, field

WILD_CARD = "*"
"""The B-TID of the wildcard subscriber, which means every terminal."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The keys of one terminal at one BM-SC; the keys never appear in its `repr`."""

    b_tid: str
    """The B-TID, with AKMA the A-KID, or `*` for the wild card of a lab with one test card."""
    naf: str = ""
    """FQDN of the BM-SC, or empty where the keys hold for any."""
    muks: tuple[bytes, ...] = field(default=(), repr=False)
    """MBMS User Keys (BCAST: SMK), the newest first."""
    mrk: bytes | None = field(default=None, repr=False)
    """MBMS Request Key (BCAST: SRK)."""
    source: str = field(default="given", compare=False)
    """Where the keys come from, in a few words: `given`, `derived from Ks_NAF`, `derived from CK and IK` …"""

    name: str = field(default="", compare=False)
    """What lines call the terminal; empty where the ring gives it no name."""
    identity: str = field(default="", compare=False)
    """What stays the same when it bootstraps again: its IMPI or SUPI, else its name; empty if the ring gives none."""

    @property
    def password(self) -> bytes | None:
        """The password of the HTTP digest: the base64 text of the MRK (3GPP TS 33.246 H.2.1, TS 24.109 5.2.2.1)."""
        return base64.b64encode(self.mrk) if self.mrk is not None else None
