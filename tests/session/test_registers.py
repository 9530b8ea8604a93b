"""What registers say of an event is the same however their keys are shared among processes."""

import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import batched
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect, judge
from ltkm_inspect.finding import Report
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import AGAIN, FIRST, KEYS, OTHER_TERMINAL, SECOND, STREAMING, TERMINAL, Grant
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.jsonl import session_record
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import PriorState, Session, SessionSettings
from ltkm_inspect.session.folding import (
    Folded,
    Followed,
    Round,
    end,
    fold,
    pack,
    prior_states,
    split,
    split_sightings,
)
from ltkm_inspect.session.sightings import SIGHTINGS
from ltkm_inspect.traffic import Datagram, Event, Exchange

SETTINGS = SessionSettings(hash_key=bytes(range(16)))
OTHER_KEY = bytes(range(0x50, 0x60))
GRANTS = [
    FIRST,
    AGAIN,
    SECOND,
    STREAMING,
    replace(FIRST, rand=bytes(16)),
    replace(FIRST, msk=OTHER_KEY),
    replace(FIRST, seq_u=b"\x1f\xff"),
    replace(SECOND, rand=FIRST.rand),
    replace(STREAMING, msk_id=b"\x24\xcb\x44\x01", streaming=True),
]


@cache
def pushed(grant: int, who: int, step: int, at: float) -> Datagram:
    """Build a push or a solicited pull, or the answer to one, with a counter that its terminal may have seen."""
    terminal = (TERMINAL, OTHER_TERMINAL)[who]
    sent: Grant = replace(GRANTS[grant], counter=step % 7 + 40, csb_id=GRANTS[grant].csb_id + step % 3)
    message = reference.pull(sent, terminal) if step % 4 == 3 else reference.push(sent, terminal, v=step % 2 == 0)
    id, when = f"u{grant}{who}{step}{at}", at + step
    return reference.datagram(reference.verification(message, terminal) if step > 9 else message, when, terminal, id=id)


@cache
def delivered(grant: int, who: int, nc: int, at: float) -> Exchange:
    """Build an exchange that delivers one of the keys, with a counter that its terminal may have seen."""
    terminal = (TERMINAL, OTHER_TERMINAL)[who]
    sent: Grant = replace(GRANTS[grant], counter=nc % 7 + 40, csb_id=GRANTS[grant].csb_id + nc % 3)
    items = [(sent, "200 OK", reference.ltkm(sent, terminal))]
    return reference.exchange([sent.msk_id], items, terminal=terminal, nc=nc, at=at, id=f"{grant}{who}{nc}{at}")


EXCHANGES = st.builds(
    delivered,
    st.integers(0, len(GRANTS) - 1),
    st.integers(0, 1),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.5, 600.0, 7200.0, 90_000.0]),
)
DATAGRAMS = st.builds(
    pushed,
    st.integers(0, len(GRANTS) - 1),
    st.integers(0, 1),
    st.integers(1, 18),
    st.sampled_from([0.0, 600.0, 7200.0]),
)
SAMPLES = [
    event for name in (*reference.REFERENCES, *reference.DATAGRAM_REFERENCES) for event in reference.events(name)
]
CHANGES = (
    lambda exchange: exchange,
    lambda exchange: replace(exchange, id=f"copy of {exchange.id}", connection="b", client="b"),
    lambda exchange: replace(exchange, id="", connection="c", client="c", started=1.3e9, ended=1.3e9 + 1),
    lambda exchange: replace(exchange, id=f"lost {exchange.id}", error="the client closed the connection"),
    lambda exchange: replace(exchange, id=f"elsewhere {exchange.id}", capture="b", connection="9", client=""),
)
STREAMS = st.lists(
    st.tuples(st.one_of(EXCHANGES, DATAGRAMS, st.sampled_from(SAMPLES)), st.sampled_from(CHANGES)).map(
        lambda pair: pair[1](pair[0])
    ),
    max_size=14,
)


def copied[T](value: T) -> T:
    """Return what another process gets of a value."""
    result: T = pickle.loads(pickle.dumps(value))
    return result


def folded(pieces: Sequence[Sequence[Followed]], parts: int) -> tuple[list[PriorState], Session]:
    """Return what went before each event of these pieces, and what the end is told from: every register is folded.

    So many parts share the keys.
    """
    packed, numbers = [*map(pack, pieces)], range(len(pieces))
    cut = [split(events, parts, parts, SETTINGS) for events in packed]
    early = [[early[part] for early, _ in cut] for part in range(parts)]
    folded: dict[Round, list[Folded]] = {}
    for stage in Round:
        if stage is Round.HISTORY:
            touches = [[history[part] for _, history in cut] for part in range(parts)]
        elif stage is Round.SIGHTINGS:
            said = [[each.answers.get(number, b"") for each in folded[Round.CHALLENGES]] for number in numbers]
            last = [split_sightings(*each, parts, SETTINGS) for each in zip(packed, said, strict=True)]
            touches = [[each[part] for each in last] for part in range(parts)]
        else:
            touches = [[each[stage] for each in part] for part in early]
        needed = copied([each for round in stage.needs for each in folded[round]])
        folded[stage] = [fold(stage, enumerate(part), needed, SETTINGS) for part in touches]
    states: list[PriorState] = []
    for number, events in enumerate(pieces):
        answers = [part.answers.get(number, b"") for every in folded.values() for part in reversed(every)]
        states += prior_states(len(events), answers)
    return states, end((copied(part.ending) for every in folded.values() for part in reversed(every)), SETTINGS)


def used(before: PriorState) -> dict[str, Any]:
    """Return what rules may ask for of a prior state: sightings are only told at the end."""
    states = {key: state for key, state in before.states.items() if key[0] != SIGHTINGS.name}
    return asdict(replace(before, states=states))


def told(report: Report) -> dict[str, Any]:
    """Return all that a report says."""
    record: dict[str, Any] = json.loads(event_line(report, None, Keys(KEYS)))
    return record


@pytest.mark.parametrize("keys", [KEYS, KeyRing()], ids=["with keys", "without keys"])
@given(STREAMS, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=40)
def test_registers_folded_key_by_key_give_the_reports_of_the_session(
    keys: KeyRing, stream: list[Event], parts: int, each: int
) -> None:
    context = Context(Settings(debug=True), keys, Session(SETTINGS))
    expected = [told(inspect(exchange, context)) for exchange in stream]
    events = [context.event(exchange) for exchange in stream]
    states, ended = folded([*batched((Followed(event.summary, True) for event in events), each)], parts)
    for event, before in zip(events, states, strict=True):
        event.before = before
    assert [told(judge(event, context)) for event in events] == expected
    session = Session(SETTINGS)
    followed = [session.follow(copied(event.summary)) for event in events]
    assert [*map(used, followed)] == [used(event.before) for event in events]
    assert session_record(ended) == session_record(session)
    assert [*ended.pushes] == [*session.pushes]


@pytest.mark.parametrize("parts", [1, 3])
def test_events_with_faults_only_look_and_repeated_events_get_what_was_before_the_first(parts: int) -> None:
    context = Context(Settings(debug=True), KEYS, Session(SETTINGS))
    assert context.session is not None
    first, second = (context.event(each).summary for each in reference.reference("renewal")[:2])
    stream = [(first, False), (first, True), (second, True), (second, False), (first, True), (second, True)]
    expected = [context.session.follow(copied(event), remember=remember) for event, remember in stream]
    states, _ = folded([[Followed(*each)] for each in stream], parts)
    assert [*map(used, states)] == [*map(used, expected)]


def test_a_summary_is_the_same_on_every_machine_of_a_run_and_on_no_other() -> None:
    (exchange,) = reference.reference("download")
    first, second, other = (Session(each).look(exchange, KEYS).summary for each in (SETTINGS, SETTINGS, None))
    assert first == second
    assert first.fingerprint != other.fingerprint
    assert first.proofs.keys().isdisjoint(other.proofs)
    assert first.ltkms[0].key != other.ltkms[0].key


def test_neither_a_summary_nor_what_went_before_has_a_key_in_it() -> None:
    context = Context(Settings(debug=True), KEYS, Session(SETTINGS))
    for name in ("renewal", "two-terminals", "several-keys"):
        for exchange in reference.reference(name):
            event = context.event(exchange)
            inspect(exchange, context)
            event.before = context.session.look(exchange, KEYS).before if context.session is not None else event.before
            held = pickle.dumps((event.summary, event.before)) + repr((event.summary, event.before)).encode()
            for secret in (TERMINAL.muk, TERMINAL.mrk, OTHER_TERMINAL.muk, OTHER_TERMINAL.mrk, FIRST.msk, SECOND.msk):
                assert secret not in held
                assert secret.hex().encode() not in held
                assert repr(secret)[2:-1].encode() not in held
