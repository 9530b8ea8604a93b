"""Folds the registers of a session in parts, so that no process has to know all of it.

The events of a run are summarized in pieces. Each register is then folded in order, the keys shared among any number
of parts, and the states before each event come back to the piece of that event. This takes five rounds, as some need
what others say of an event:

- `EVENTS`: whether it repeats an earlier event;
- `COPIES`: whether it is the same as one with the same octets, or a replay; it needs `EVENTS`;
- `CHALLENGES`: which 401 it answers; it needs both;
- `HISTORY`: everything that rules know of the past; it needs the first two;
- `SIGHTINGS`: how often each terminal was seen, which is told at the end of a run; it needs the first three.

`split` sorts what a piece has into parts, for all rounds but the last, for which `split_sightings` does it. `fold`
takes one part of all pieces in their order. `prior_states` makes what all parts say of a piece the prior states of its
events. What passes from one to the other is pickled: octets that any process can keep, send, or write to a disk.
"""

import pickle
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, NamedTuple

from ltkm_inspect.session.challenges import CHALLENGES
from ltkm_inspect.session.copies import COPIES
from ltkm_inspect.session.ltkm import keyed_hash
from ltkm_inspect.session.muks import MUKS
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.register import LtkmRegister, SessionSettings
from ltkm_inspect.session.session import (
    ATTRIBUTED,
    CHALLENGED,
    EVENTS,
    REGISTERS,
    TOLD,
    Session,
    discarded,
    event_key,
)
from ltkm_inspect.session.sightings import SIGHTINGS, attributed
from ltkm_inspect.session.summary import EventSummary
from ltkm_inspect.session.tables import StateTables, Touch, touches_of

type Place = tuple[int, int]
"""The number of a piece, and that of an event in it."""

_NEW = (None, None)


class Round(IntEnum):
    """The rounds, in an order in which each comes after those that it needs."""

    EVENTS = 0
    COPIES = 1
    CHALLENGES = 2
    HISTORY = 3
    SIGHTINGS = 4

    @property
    def needs(self) -> "tuple[Round, ...]":
        """The rounds whose answers `fold` needs."""
        return (Round.EVENTS, Round.COPIES)[:self]


class Followed(NamedTuple):
    """An event that the session follows."""

    event: EventSummary
    is_remembered: bool
    """False for one with an injected fault: it only looks at what was before it."""


class _Touch(NamedTuple):
    """What one part takes of an event."""

    number: int
    """The number of the event in its piece."""
    is_remembered: bool
    keys: Any
    """Its key in `EVENTS`; what it adds by its key in `COPIES`; else numbers of registers, keys, and what it adds."""


@dataclass(slots=True)
class _Answer:
    """What the parts of rounds say of the events of one piece, by their number."""

    repeats: dict[int, Place] = field(default_factory=dict)
    """The event that each repeats."""
    repeated: dict[int, list[Place]] = field(default_factory=dict)
    """The events that repeat each; what is known before it is known before them."""
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


class Folded(NamedTuple):
    """What one part of a round says."""

    answers: dict[int, bytes]
    """Of each piece, by its number."""
    ending: Ending


def pack(events: Sequence[Followed]) -> bytes:
    """Return the events of a piece as `split` takes them; empty if there are none."""
    return _packed(events)


def split(
    events: bytes, parts: int, history_parts: int, settings: SessionSettings
) -> tuple[list[tuple[bytes, ...]], list[bytes]]:
    """Return what each part needs of a piece: for each of the first three rounds, and for `HISTORY`."""
    early: list[tuple[list[_Touch], ...]] = [([], [], []) for _ in range(parts)]
    history: list[list[_Touch]] = [[] for _ in range(history_parts)]
    for number, (event, is_remembered) in enumerate(_unpacked(events)):
        key = event_key(event)
        if key is not None:
            # the id alone says where it belongs: equal times are not always written the same
            part = _part(settings, EVENTS, key[0], parts)
            early[part][Round.EVENTS].append(_Touch(number, is_remembered, key))
        for fingerprint, origin in COPIES.keys(event).items():
            part = _part(settings, COPIES.name, fingerprint, parts)
            early[part][Round.COPIES].append(_Touch(number, is_remembered, {fingerprint: origin}))
        for part, touch in _shared(number, is_remembered, touches_of(event, CHALLENGED), parts, settings):
            early[part][Round.CHALLENGES].append(touch)
        for part, touch in _shared(number, is_remembered, touches_of(event, _HISTORY), history_parts, settings):
            history[part].append(touch)
    return [tuple(map(_packed, each)) for each in early], [*map(_packed, history)]


def split_sightings(events: bytes, answers: Iterable[bytes], parts: int, settings: SessionSettings) -> list[bytes]:
    """Return what each part needs of a piece for `SIGHTINGS`, by what all parts of `CHALLENGES` say of it."""
    found: list[list[_Touch]] = [[] for _ in range(parts)]
    known = _joined(answers)
    for number, (event, is_remembered) in enumerate(_unpacked(events)):
        event = attributed(event, known.states.get(number, {}).get((CHALLENGES.name, event.nonce)))
        for part, touch in _shared(number, is_remembered, touches_of(event, (SIGHTINGS,)), parts, settings):
            found[part].append(touch)
    return [*map(_packed, found)]


def fold(
    stage: Round, pieces: Iterable[tuple[int, bytes]], needed: Sequence[Folded], settings: SessionSettings
) -> Folded:
    """Fold one part of a round: take what was split off for it of all pieces, in their order.

    `needed` is what all parts of the rounds say that this one needs.
    """
    tables = _PartTables(settings)
    answers: defaultdict[int, _Answer] = defaultdict(_Answer)
    for piece, touches in pieces:
        if touches:
            known = _joined(each.answers.get(piece, b"") for each in needed)
            for touch in pickle.loads(touches):
                tables.at = piece, touch.number
                if stage is Round.EVENTS:
                    _take_event(tables, touch, answers)
                elif touch.number not in known.repeats:
                    _take(stage, tables, touch, known, answers)
    return Folded({piece: _packed(answer) for piece, answer in answers.items()}, tables.ending())


def prior_states(events: int, answers: Iterable[bytes]) -> Iterator[PriorState]:
    """Yield what happened before each of so many events of a piece, by what all parts say of it.

    The answers are those of `COPIES`, `CHALLENGES` and `HISTORY`.
    """
    known = _joined(answers)
    for number in range(events):
        yield PriorState(*known.identities.get(number, _NEW), known.states.get(number, {}))


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

    def __init__(self, settings: SessionSettings) -> None:
        super().__init__(settings, REGISTERS)
        self.at: tuple[int, ...] = ()
        """The place of what is taken."""
        self._changed: dict[tuple[str, Any], tuple[int, ...]] = {}

    def put(self, register: str, key: Any, state: Any) -> None:
        super().put(register, key, state)
        if register in TOLD:
            self._changed[register, key] = self.at

    def ending(self) -> Ending:
        """Return what this part says of the end of the run."""
        told = {
            name: {key: (self._changed[name, key], _told(name, state)) for key, state in self.tables[name].items()}
            for name in TOLD
        }
        return Ending(+self.forgotten, told)


def _take_event(tables: _PartTables, touch: _Touch, answers: defaultdict[int, _Answer]) -> None:
    piece, number = tables.at
    first: Place | None = tables.tables[EVENTS].get(touch.keys)
    if first is not None:
        answers[piece].repeats[number] = first
        answers[first[0]].repeated.setdefault(first[1], []).append((piece, number))
    elif touch.is_remembered:
        tables.put(EVENTS, touch.keys, tables.at)


def _take(stage: Round, tables: _PartTables, touch: _Touch, known: _Answer, answers: defaultdict[int, _Answer]) -> None:
    piece, number = tables.at
    places = ((piece, number), *known.repeated.get(number, ()))
    if stage is Round.COPIES:
        before = tables.identify(touch.keys, remember=touch.is_remembered)
        if before.twin is not None or before.replayed is not None:
            for piece, number in places:
                answers[piece].identities[number] = before.twin, before.replayed
        return
    twin, replayed = known.identities.get(number, _NEW)
    remember = touch.is_remembered and twin is None
    if stage is Round.SIGHTINGS:
        for order, key, added in touch.keys:  # of keys that one event changes, the last one changes last
            tables.at = piece, number, order
            tables.take([(SIGHTINGS, key, added)], remember=remember)
        return
    registers = CHALLENGED if stage is Round.CHALLENGES else _HISTORY
    touches = [(registers[index], key, added) for index, key, added in touch.keys]
    if replayed is not None:
        touches = [
            (register, key, discarded(added) if isinstance(register, LtkmRegister) else added)
            for register, key, added in touches
        ]
    states = tables.take(touches, remember=remember)
    if states:
        for piece, number in places:
            answers[piece].states[number] = states


def _shared(
    number: int, is_remembered: bool, touches: Sequence[Touch], parts: int, settings: SessionSettings
) -> Iterator[tuple[int, _Touch]]:
    """Yield each part that has some of these keys, with those."""
    keys: defaultdict[int, list[tuple[int, Any, Any]]] = defaultdict(list)
    for order, (register, key, added) in enumerate(touches):
        index = order if register is SIGHTINGS else _INDEX.get(register.name, 0)
        keys[_part(settings, register.name, key, parts)].append((index, key, added))
    for part, mine in keys.items():
        yield part, _Touch(number, is_remembered, mine)


_HISTORY = tuple([register for register in ATTRIBUTED if register is not SIGHTINGS])
_INDEX = {register.name: index for index, register in enumerate(_HISTORY)}


def _part(settings: SessionSettings, register: str, key: Any, parts: int) -> int:
    return int.from_bytes(keyed_hash(settings.hash_key, register, key)[:8]) % parts if parts > 1 else 0


def _told(register: str, state: Any) -> Any:
    """Return what the end of a run is told from of a state: of a MUK no LTKM."""
    return replace(state, ltkms=()) if register == MUKS.name else state


def _by_place(table: Mapping[Any, tuple[tuple[int, ...], Any]]) -> list[tuple[Any, tuple[int, ...], Any]]:
    return sorted(((key, place, state) for key, (place, state) in table.items()), key=lambda entry: entry[1])


def _packed(content: Any) -> bytes:
    return pickle.dumps(content, pickle.HIGHEST_PROTOCOL) if content else b""


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
            for number, states in each.states.items():
                joined.states.setdefault(number, {}).update(states)
    return joined
