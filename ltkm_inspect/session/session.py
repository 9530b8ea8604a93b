"""The session of one process: a bounded table per register, and what they hold before each event."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ltkm_inspect.keys import KeyRing
from ltkm_inspect.session.challenges import CHALLENGES
from ltkm_inspect.session.connections import CONNECTIONS
from ltkm_inspect.session.copies import COPIES
from ltkm_inspect.session.csb_ids import CSB_IDS
from ltkm_inspect.session.event import SessionEvent
from ltkm_inspect.session.key_groups import KEY_GROUPS
from ltkm_inspect.session.ltkm import LtkmRecord, Muk
from ltkm_inspect.session.msks import MSKS
from ltkm_inspect.session.muks import MUKS, MukHistory
from ltkm_inspect.session.nonces import NONCES
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.proofs import PROOFS
from ltkm_inspect.session.pushes import PUSHES, PushHistory
from ltkm_inspect.session.rands import RANDS
from ltkm_inspect.session.register import Register, SessionSettings
from ltkm_inspect.session.senders import SENDERS
from ltkm_inspect.session.sightings import SIGHTINGS, Sighting, attributed, terminals
from ltkm_inspect.session.summary import EventSummary
from ltkm_inspect.session.tables import StateTables, touches_of
from ltkm_inspect.session.terminals import TERMINALS
from ltkm_inspect.traffic import Event

EVENTS = "exchanges"
"""The register of events by id and time. Its state is what happened before the event; only the first look sets it."""
HISTORY: tuple[Register[Any, Any, Any], ...] = (
    CHALLENGES,
    NONCES,
    TERMINALS,
    SIGHTINGS,
    MUKS,
    SENDERS,
    CONNECTIONS,
    MSKS,
    KEY_GROUPS,
    RANDS,
    PROOFS,
    PUSHES,
    CSB_IDS,
)
"""The registers of events that count. `CHALLENGES` is first: it knows which 401 an event answers."""
CHALLENGED, ATTRIBUTED = HISTORY[:1], HISTORY[1:]
"""The register that tells which 401 an event answers, and those that take events once that is known."""
REGISTERS = (EVENTS, COPIES.name, *(each.name for each in HISTORY))
"""The names of all registers."""
TOLD = frozenset({SIGHTINGS.name, MUKS.name, PUSHES.name})
"""The registers that the end of a run is told from; the others hold many times as much."""
_NO_KEYS = KeyRing()


def event_key(event: EventSummary) -> tuple[str, float | None, str] | None:
    """Return the key that an event has each time it is checked: its id and time; None if it has no id.

    A HAR only numbers its exchanges and has no addresses of clients. Two exchanges of two HARs may have the same number
    and time, so the capture is part of their key.
    """
    origin = event.origin
    return (origin.id, origin.started, "" if origin.client else origin.capture) if origin.id else None


def counted(event: EventSummary, before: PriorState) -> EventSummary:
    """Return an event as the registers of `HISTORY` take it: a terminal discards the LTKMs of a replay."""
    if before.replayed is None:
        return event
    return replace(event, ltkms=tuple(discarded(event.ltkms)))


def discarded(ltkms: Iterable[LtkmRecord]) -> list[LtkmRecord]:
    """Return LTKMs as those of a replay, which a terminal discards."""
    return [replace(ltkm, is_delivered=False) for ltkm in ltkms]


class Session:
    """What a run has seen so far, as far as rules need it; the registers are bounded as in `StateTables`."""

    def __init__(self, settings: SessionSettings | None = None) -> None:
        """Start with nothing seen."""
        self.settings = settings or SessionSettings()
        self._known = StateTables(self.settings, REGISTERS)
        self.until: float | None = None
        """Until when the captures of the run go, in seconds since 1970 UTC, if that is known."""

    @property
    def forgotten(self) -> Counter[str]:
        """How many keys each register forgot, by its name."""
        return self._known.forgotten

    @property
    def tables(self) -> Mapping[str, Mapping[Any, Any]]:
        """The state under each remembered key, by the name of the register."""
        return self._known.tables

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process that tells of the run, and inspects nothing more: see `TOLD`."""
        known = StateTables(self.settings, ())
        known.forgotten = self.forgotten
        known.tables = {name: table if name in TOLD else {} for name, table in self._known.tables.items()}
        return {**self.__dict__, "_known": known}

    def become(self, other: "Session") -> None:
        """Take over what another session tells at the end of a run; nothing can be inspected with it."""
        self.__dict__.update(other.__dict__)

    def tell(self, tables: Mapping[str, Iterable[tuple[Any, Any]]]) -> None:
        """Take over these states by register and key, the latest last; nothing can be inspected with it."""
        for name, states in tables.items():
            for key, state in states:
                self._known.put(name, key, state)

    def copy(self) -> "Session":
        """Return an independent session that has seen the same."""
        other = Session(self.settings)
        other._known = self._known.copy()
        return other

    def look(self, event: Event, keys: KeyRing = _NO_KEYS) -> SessionEvent:
        """Return an event with what happened before it; the session does not change."""
        return self.take(event, keys, remember=False)

    def take(self, event: Event, keys: KeyRing = _NO_KEYS, *, remember: bool = True) -> SessionEvent:
        """Return an event with what happened before it, and remember it. Taking it again changes nothing.

        If the MUK of an LTKM is known, the LTKM only counts as delivered if its MAC is valid.
        """
        step = SessionEvent(event, keys, self.settings)
        step.before = self.follow(step.summary, remember=remember)
        return step

    def follow(self, event: EventSummary, *, remember: bool = True) -> PriorState:
        """Return what happened before an event, and remember it. Following it again changes nothing."""
        known, key = self._known, event_key(event)
        before = known.tables[EVENTS].get(key)
        if before is not None:
            return PriorState.unpacked(before)
        identity = known.identify(COPIES.keys(event), remember=remember)
        remembers_history = remember and identity.twin is None
        event = counted(event, identity)
        states = known.take(touches_of(event, CHALLENGED), remember=remembers_history)
        event = attributed(event, states.get((CHALLENGES.name, event.nonce)))
        states.update(known.take(touches_of(event, ATTRIBUTED), remember=remembers_history))
        prior = PriorState(identity.twin, identity.replayed, states)
        if remember and key is not None:
            known.put(EVENTS, key, prior.packed())
        return prior

    @property
    def terminals(self) -> list[Sighting]:
        """The counts of each remembered terminal, ordered by its first exchange."""
        return terminals(self.tables[SIGHTINGS.name])

    @property
    def latest(self) -> float | None:
        """When the latest event that is remembered began, or until when the captures go if that is later."""
        times = [each.last for each in self.tables[SIGHTINGS.name].values()]
        return max((at for at in (self.until, *times) if at is not None), default=None)

    @property
    def pushes(self) -> Iterable[PushHistory]:
        """What was pushed to each remembered terminal."""
        return self.tables[PUSHES.name].values()

    @property
    def muks(self) -> Mapping[Muk, MukHistory]:
        """What each remembered MUK protected."""
        return self.tables[MUKS.name]

    def protected(self, idr: bytes) -> tuple[Muk, MukHistory] | None:
        """Return the MUK of the latest LTKM for a terminal (IDr), and what it protected so far; None without one."""
        idi: bytes | None = self.tables[SENDERS.name].get(idr)
        known = self.muks.get((idi, idr)) if idi is not None else None
        return None if idi is None or known is None else ((idi, idr), known)
