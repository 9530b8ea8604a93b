"""The keys at hand: which MUK and MRK belong to which terminal."""

from dataclasses import dataclass, field, replace

from ltkm_inspect.digest import Directives
from ltkm_inspect.keys.opening import OpenedMessage, Verdict, open_with, parties
from ltkm_inspect.keys.subscriber import WILD_CARD, Subscriber
from ltkm_inspect.mikey import Message, decode

__all__ = ["WILD_CARD", "KeyRing", "Subscriber"]

CACHED = 1024
"""How many opened messages a ring remembers."""
CACHED_OCTETS = 4096
"""A longer message is opened anew each time, so that hostile ones cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All subscribers whose keys are known."""

    subscribers: tuple[Subscriber, ...] = ()
    _by_b_tid: dict[str, list[Subscriber]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _opened: dict[bytes, OpenedMessage] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for subscriber in self.subscribers:
            self._by_b_tid.setdefault(subscriber.b_tid, []).append(subscriber)

    def __bool__(self) -> bool:
        return bool(self.subscribers)

    def find(self, b_tid: str | None, naf: str | None = None) -> Subscriber | None:
        """Return the subscriber of that B-TID and BM-SC; by B-TID alone only where the ring has exactly one.

        The wild card comes last; its BM-SC must fit where it names one.
        """
        # Three steps, each a fall-back of the one before. A B-TID that has entries, but none for this BM-SC, goes on to
        # the wild card like one that has none: its entries are for other BM-SCs, and as MUK and MRK are derived from
        # the NAF-ID they cannot be the keys here, whereas the wild card is the lab's test card under whatever B-TID. It
        # is not silent: `Opened.subscriber` and the reason name the wild card, and a MAC that does not verify with
        # a key that has verified nothing yet counts as an unproven key.
        wanted = None if naf is None else naf.lower()
        known = self._by_b_tid.get(b_tid, []) if b_tid is not None and b_tid != WILD_CARD else []
        found = _of_naf(known, wanted)
        if found is None and len(known) == 1:
            found = known[0]
        return found or _of_naf(self._by_b_tid.get(WILD_CARD, []), wanted)

    def find_by_credentials(self, credentials: Directives | None) -> Subscriber | None:
        """Return the subscriber that digest credentials name; None without credentials."""
        return None if credentials is None else self.find(*_named(credentials))

    def lacks(self, key: str, b_tid: str | None, naf: str | None = None) -> str:
        """Return why it has no such key, MUK or MRK, of a terminal at a BM-SC, and what to add to the file."""
        subscriber = self.find(b_tid, naf)
        if subscriber is not None:
            whose = "the wildcard entry" if subscriber.b_tid == WILD_CARD else "the entry for this terminal"
            return f"{whose} in the key ring has no {key}; add it"
        if b_tid in self._by_b_tid:
            return f"the key ring has this terminal only at other BSMs; add an entry for this one with the {key}"
        return f"the key ring has no entry for this terminal; add one with its {key}"

    def lacks_of_credentials(self, key: str, credentials: Directives) -> str:
        """Return the same of the terminal that digest credentials name."""
        return self.lacks(key, *_named(credentials))

    def open(self, message: Message, octets: bytes) -> OpenedMessage:
        """Verify the MAC of a message with the MUKs of its B-TID and, where one fits, decrypt its key data.

        `message` is what `octets` decode to. Never raises; what was opened before comes from memory.
        """
        if type(octets) is not bytes:  # a memoryview has no text methods, and neither have the fields cut out of it
            octets = bytes(octets)
            message = decode(octets)
        opened = self._opened.get(octets)
        if opened is None:
            b_tid, naf = parties(message)
            opened = open_with(self.find(b_tid, naf), message, octets)
            if opened.verdict is Verdict.NO_KEY and b_tid is not None:
                opened = replace(opened, reason=f"{opened.reason}: {self.lacks('MUK', b_tid, naf)}")
            if len(octets) <= CACHED_OCTETS:
                if len(self._opened) >= CACHED:
                    self._opened.clear()  # in one step, because several threads may share the ring
                self._opened[octets] = opened
        return opened


def _named(credentials: Directives) -> tuple[str | None, str | None]:
    """Return B-TID and FQDN of the BM-SC in digest credentials."""
    realm = credentials.realm
    return credentials.get("username"), realm.fqdn if realm is not None else None


def _of_naf(known: list[Subscriber], naf: str | None) -> Subscriber | None:
    """Return the subscriber of that BM-SC, else the one that holds for any."""
    anywhere = None
    for subscriber in known:
        if naf is not None and subscriber.naf.lower() == naf:
            return subscriber
        if not subscriber.naf:
            anywhere = subscriber
    return anywhere
