"""The keys at hand: which MUK and MRK belong to which terminal."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The keys of one terminal at one BM-SC; the keys never appear in its `repr`."""

    b_tid: str
    naf: str = ""
    """FQDN of the BM-SC, or empty where the keys hold for any."""
    muks: tuple[bytes, ...] = field(default=(), repr=False)
    """MBMS User Keys (BCAST: SMK), the newest first."""
    mrk: bytes | None = field(default=None, repr=False)
    """MBMS Request Key (BCAST: SRK)."""

    @property
    def password(self) -> bytes | None:
        """The password of the HTTP digest: the base64 text of the MRK (3GPP TS 33.246 H.2.1, TS 24.109 5.2.2.1)."""
        return base64.b64encode(self.mrk) if self.mrk is not None else None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All subscribers whose keys are known."""

    subscribers: tuple[Subscriber, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.subscribers)

    def find(self, b_tid: str | None, naf: str | None = None) -> Subscriber | None:
        """Return the subscriber of that B-TID and BM-SC; by B-TID alone only where the ring has exactly one."""
        known = list(self._of(b_tid))
        for subscriber in known:
            if naf is not None and subscriber.naf.lower() == naf.lower():
                return subscriber
        return known[0] if len(known) == 1 else None

    def _of(self, b_tid: str | None) -> Iterator[Subscriber]:
        return (subscriber for subscriber in self.subscribers if b_tid is not None and subscriber.b_tid == b_tid)
