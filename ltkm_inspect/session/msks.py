"""The register of MSKs: what each was delivered with, to any terminal."""

from dataclasses import dataclass, replace
from operator import attrgetter

from ltkm_inspect.mikey import SecurityPolicy
from ltkm_inspect.session.ltkm import DeliveredKey, LtkmRecord, is_newer
from ltkm_inspect.session.register import SessionSettings, ltkm_register
from ltkm_inspect.wire import plain

KEYS_OF_MSK = 16
"""How many keys with the same MSK ID the register remembers."""


@plain
@dataclass(slots=True)
class Reference[T]:
    """A value that all deliveries of an MSK should share, as the first of them had it.

    It is kept until no delivery has confirmed it for `msk_hours`. So if one delivery is bad, the good one after it
    is not reported.
    """

    value: T
    csb_id: int
    """The CSB ID of the first delivery."""
    at: float | None
    """When the value was last delivered, in seconds since 1970 UTC."""


@plain
@dataclass(slots=True)
class MskHistory:
    """What one MSK was delivered with so far."""

    rand: Reference[bytes] | None = None
    policies: Reference[tuple[SecurityPolicy, ...]] | None = None
    keys: tuple[DeliveredKey, ...] = ()
    """The keys in the order in which they came into use; the last one is in use."""
    latest: LtkmRecord | None = None
    """The latest opened LTKM."""

    @property
    def key(self) -> DeliveredKey | None:
        """The key in use."""
        return self.keys[-1] if self.keys else None

    def is_overtaken(self, ltkm: LtkmRecord) -> bool:
        """Tell whether an LTKM is older than the latest one: by its time, or by its counter if the MUK is the same.

        If so, the capture is not in the order of delivery, or the terminal discards the LTKM.
        """
        latest = self.latest
        if latest is None:
            return False
        if latest.muk == ltkm.muk and not is_newer(ltkm.counter, latest.counter):
            return True
        return latest.at is not None and ltkm.at is not None and ltkm.at < latest.at

    def recent(self, at: float | None, settings: SessionSettings) -> "MskHistory":
        """Return the history without what is more than `msk_hours` away from that time."""
        known = self
        if known.rand is not None and not settings.is_recent(known.rand.at, at):
            known = replace(known, rand=None)
        if known.policies is not None and not settings.is_recent(known.policies.at, at):
            known = replace(known, policies=None)
        if known.latest is not None and not settings.is_recent(known.latest.at, at):
            known = replace(known, keys=(), latest=None)
        return known


def _add(history: MskHistory | None, ltkm: LtkmRecord, settings: SessionSettings) -> MskHistory:
    known = (history or MskHistory()).recent(ltkm.at, settings)
    rand = _confirmed(known.rand, ltkm.rand, ltkm)
    policies = _confirmed(known.policies, ltkm.policies, ltkm) if ltkm.policies else known.policies
    if ltkm.key is None:
        return MskHistory(rand, policies, known.keys, known.latest)
    is_late = known.is_overtaken(ltkm)
    return MskHistory(rand, policies, _keys(known, ltkm.key, is_late=is_late), known.latest if is_late else ltkm)


def _confirmed[T](reference: Reference[T] | None, value: T, ltkm: LtkmRecord) -> Reference[T]:
    if reference is None:
        return Reference(value, ltkm.csb_id, ltkm.at)
    if reference.value != value or ltkm.at is None or (reference.at is not None and ltkm.at <= reference.at):
        return reference
    return Reference(value, reference.csb_id, ltkm.at)


def _keys(known: MskHistory, key: DeliveredKey, *, is_late: bool) -> tuple[DeliveredKey, ...]:
    if not key.hash or (known.key is not None and known.key.hash == key.hash):
        return known.keys
    others = tuple([each for each in known.keys if each.hash != key.hash])
    return (key, *others)[:KEYS_OF_MSK] if is_late else (*others[1 - KEYS_OF_MSK :], key)


MSKS = ltkm_register("msks", attrgetter("msk"), _add)
"""What an MSK was delivered with, by IDi, Key Domain ID and MSK ID."""
