"""Folds the registers of a session in parts, so that no process has to know all of it.

The events of a run are summarized in pieces. Each register is then folded in order, the keys shared among any number
of parts, and the states before each event come back to the piece of that event. There are four rounds, as each needs
what the ones before it say of an event:

1. events by id and time: whether one repeats an earlier event;
2. copies: whether it is the same as one with the same octets, or a replay;
3. challenges: which 401 it answers;
4. all other registers.

For each round, `split` sorts what a piece has into parts, `fold` takes one part of all pieces in their order, and
`prior_states` makes what all parts say of a piece the prior states of its events. What passes from one to the other is
pickled: octets that any process can keep, send, or write to a disk.
"""

import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from ltkm_inspect.session.challenges import CHALLENGES
from ltkm_inspect.session.copies import COPIES
from ltkm_inspect.session.ltkm import keyed_hash
from ltkm_inspect.session.muks import MUKS
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.register import SessionSettings
from ltkm_inspect.session.session import (
    ATTRIBUTED,
    CHALLENGED,
    EVENTS,
    REGISTERS,
    TOLD,
    Session,
    counted,
    event_key,
)
from ltkm_inspect.session.sightings import SIGHTINGS, attributed
from ltkm_inspect.session.summary import EventSummary
from ltkm_inspect.session.tables import Registers, StateTables

type Place = tuple[int, int]
"""The number of a piece, and that of an event in it."""


_NEW = (None, None)


class Followed(NamedTuple):
    """An event that the session follows."""

    event: EventSummary
    is_remembered: bool
    """False for one with an injected fault: it only looks at what was before it."""


class _Touch(NamedTuple):
    """An event as one part takes it."""

    number: int
    """The number of the event in its piece."""
    event: Any
    """Its key in the first round, else its summary."""
    is_remembered: bool
    repeated: tuple[Place, ...] = ()
    """The events that repeat it; what is known before it is known before them."""


@dataclass(slots=True)
class _Answer:
    """What the parts of the rounds say of the events of one piece, by their number."""

    repeats: dict[int, Place] = field(default_factory=dict)
    """The event that each repeats."""
    repeated: dict[int, list[Place]] = field(default_factory=dict)
    """The events that repeat each."""
    identities: dict[int, tuple[str | None, str | None]] = field(default_factory=dict)
    """The event that each is the same as, and the one that it replays."""
    states: dict[int, dict[tuple[str, Hashable], Any]] = field(default_factory=dict)
    """The known states under keys of each."""


@dataclass(slots=True)
class Ending:
    """What one part says at the end of a run: what it forgot, and what the end is told from."""

    forgotten: Counter[str]
    tables: dict[str, dict[Any, tuple[tuple[int, ...], Any]]]
    """The states of the registers that tell the end, each with the place where it changed last."""


def pack(events: Sequence[Followed]) -> bytes:
    """Return the events of a piece as `split` and `prior_states` take them; empty if there are none."""
    return pickle.dumps(events, pickle.HIGHEST_PROTOCOL) if events else b""


def split(stage: int, events: bytes, answers: Iterable[bytes], parts: int, settings: SessionSettings) -> list[bytes]:
    """Return what each part needs of a piece in one of the rounds 0 to 3.

    `answers` are those that all parts of the earlier rounds gave for the piece.
    """
    followed, known = _unpacked(events), _joined(answers)
    found: list[list[_Touch]] = [[] for _ in range(parts)]
    for index, (event, is_remembered) in enumerate(followed):
        repeated = tuple(known.repeated.get(index, ()))
        if stage == 0:
            key = event_key(event)
            if key is not None:
                # the id alone says where it belongs: equal times are not always written the same
                found[_part(settings, EVENTS, key[0], parts)].append(_Touch(index, key, is_remembered))
            continue
        if index in known.repeats:
            continue
        if stage == 1:
            touched = {_part(settings, COPIES.name, key, parts) for key in COPIES.keys(event)}
        else:
            identity = PriorState(*known.identities.get(index, _NEW))
            event, is_remembered = counted(event, identity), is_remembered and identity.twin is None
            if stage == 3:
                event = attributed(event, known.states.get(index, {}).get((CHALLENGES.name, event.nonce)))
            registers = CHALLENGED if stage == 2 else ATTRIBUTED
            touched = {
                _part(settings, register.name, key, parts) for register in registers for key in register.keys(event)
            }
        for part in touched:
            found[part].append(_Touch(index, event, is_remembered, repeated))
    return [pickle.dumps(each, pickle.HIGHEST_PROTOCOL) if each else b"" for each in found]


def fold(
    stage: int, pieces: Iterable[tuple[int, bytes]], part: int, parts: int, settings: SessionSettings
) -> tuple[dict[int, bytes], Ending]:
    """Fold one part of one of the rounds 0 to 3: take what `split` gave for it of all pieces, in their order.

    Return what it says of each piece, by the number of the piece, and of the end of the run.
    """
    tables = _PartTables(settings, part, parts)
    answers: defaultdict[int, _Answer] = defaultdict(_Answer)
    take = _TAKES[stage]
    for number, touches in pieces:
        for touch in pickle.loads(touches) if touches else ():
            tables.at = number, touch.number
            take(tables, touch, answers)
    packed = {number: pickle.dumps(answer, pickle.HIGHEST_PROTOCOL) for number, answer in answers.items()}
    return packed, tables.ending()


def prior_states(events: int, answers: Iterable[bytes]) -> Iterator[PriorState]:
    """Yield what happened before each of so many events of a piece, by what all parts of all rounds say of it."""
    known = _joined(answers)
    for index in range(events):
        yield PriorState(*known.identities.get(index, _NEW), known.states.get(index, {}))


def end(endings: Iterable[Ending], settings: SessionSettings) -> Session:
    """Return the session that the end of a run is told from, by what all parts of all rounds say of it."""
    session = Session(settings)
    tables: dict[str, dict[Any, tuple[tuple[int, ...], Any]]] = {name: {} for name in TOLD}
    for each in endings:
        session.forgotten.update(each.forgotten)
        for name, table in each.tables.items():
            tables[name].update(table)
    session.tell({name: (entry[::2] for entry in _by_place(table)) for name, table in tables.items()})
    return session


class FoldedSession(Session):
    """A session that was folded in parts: it gives the events of a piece their prior states, in their order."""

    def __init__(self, settings: SessionSettings, states: Iterable[PriorState]) -> None:
        """Take what happened before each event that will be followed."""
        super().__init__(settings)
        self._states = [*states]
        self.position = 0
        """The number of the event that is followed next."""

    def follow(self, event: EventSummary, *, remember: bool = True) -> PriorState:
        """Return what happened before the next event."""
        before = self._states[self.position]
        self.position += 1
        return before


class _PartTables(StateTables):
    """The tables of one part, with the place where each state that is told at the end changed last."""

    def __init__(self, settings: SessionSettings, part: int, parts: int) -> None:
        super().__init__(settings, REGISTERS)
        self._part, self._parts = part, parts
        self.at: Place = (0, 0)
        """The place of the event that is taken."""
        self._changed: dict[tuple[str, Any], tuple[int, ...]] = {}
        self._order: Sequence[Any] = ()

    def own(self, register: str, keys: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Return the keys that this part has."""
        if register == SIGHTINGS.name:
            self._order = [*keys]  # of keys that one event changes, the last one changes last
        part, parts, settings = self._part, self._parts, self.settings
        return {key: keys[key] for key in keys if _part(settings, register, key, parts) == part}

    def put(self, register: str, key: Any, state: Any) -> None:
        super().put(register, key, state)
        if register in TOLD:
            order = self._order.index(key) if register == SIGHTINGS.name else 0
            self._changed[register, key] = (*self.at, order)

    def ending(self) -> Ending:
        """Return what this part says of the end of the run."""
        told = {
            name: {key: (self._changed[name, key], _told(name, state)) for key, state in self.tables[name].items()}
            for name in TOLD
        }
        return Ending(+self.forgotten, told)


type _Take = Callable[[_PartTables, _Touch, defaultdict[int, _Answer]], None]


def _take_events(tables: _PartTables, touch: _Touch, answers: defaultdict[int, _Answer]) -> None:
    number, index = tables.at
    first: Place | None = tables.tables[EVENTS].get(touch.event)
    if first is not None:
        answers[number].repeats[index] = first
        answers[first[0]].repeated.setdefault(first[1], []).append(tables.at)
    elif touch.is_remembered:
        tables.put(EVENTS, touch.event, tables.at)


def _take_copies(tables: _PartTables, touch: _Touch, answers: defaultdict[int, _Answer]) -> None:
    before = tables.identify(touch.event, remember=touch.is_remembered)
    if before.twin is not None or before.replayed is not None:
        for number, index in (tables.at, *touch.repeated):
            answers[number].identities[index] = before.twin, before.replayed


def _take_registers(
    registers: Registers, tables: _PartTables, touch: _Touch, answers: defaultdict[int, _Answer]
) -> None:
    states = tables.take(touch.event, registers, remember=touch.is_remembered, only=tables.own)
    if states:
        for number, index in (tables.at, *touch.repeated):
            answers[number].states[index] = states


_TAKES: tuple[_Take, ...] = (
    _take_events,
    _take_copies,
    partial(_take_registers, CHALLENGED),
    partial(_take_registers, ATTRIBUTED),
)
"""What a part does with an event, by round."""
STAGES = range(len(_TAKES))
"""The rounds."""


def _part(settings: SessionSettings, register: str, key: Any, parts: int) -> int:
    return int.from_bytes(keyed_hash(settings.hash_key, register, key)[:8]) % parts


def _told(register: str, state: Any) -> Any:
    """Return what the end of a run is told from of a state: of a MUK no LTKM."""
    return replace(state, ltkms=()) if register == MUKS.name else state


def _by_place(table: Mapping[Any, tuple[tuple[int, ...], Any]]) -> list[tuple[Any, tuple[int, ...], Any]]:
    return sorted(((key, place, state) for key, (place, state) in table.items()), key=lambda entry: entry[1])


def _unpacked(events: bytes) -> Sequence[Followed]:
    found: Sequence[Followed] = pickle.loads(events) if events else ()
    return found


def _joined(answers: Iterable[bytes]) -> _Answer:
    joined = _Answer()
    for octets in answers:
        if octets:
            each: _Answer = pickle.loads(octets)
            joined.repeats.update(each.repeats)
            joined.repeated.update(each.repeated)
            joined.identities.update(each.identities)
            for index, states in each.states.items():
                joined.states.setdefault(index, {}).update(states)
    return joined
