"""What registers say of an event is the same however their keys are shared among processes."""

import json
import pickle
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
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
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.session import HISTORY, EventSummary, PriorState, Session, SessionSettings
from ltkm_inspect.session.challenges import CHALLENGES
from ltkm_inspect.session.copies import COPIES, compare
from ltkm_inspect.session.session import counted as counted_event
from ltkm_inspect.session.session import event_key
from ltkm_inspect.session.sightings import attributed
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


def folded(events: Sequence[EventSummary], parts: int) -> Iterator[PriorState]:
    """Yield what went before each event: every register is folded key by key, the keys shared among so many parts."""
    firsts: dict[Hashable, int] = {}
    first = [firsts.setdefault(event_key(event) or index, index) for index, event in enumerate(events)]
    counted = [index for index in range(len(events)) if first[index] == index]
    identities: dict[int, PriorState] = dict.fromkeys(counted, PriorState())
    for (index, _, _), copies, origin in states([COPIES], events, counted, parts):
        identities[index] = PriorState(*compare(copies or (), origin, SETTINGS.clock_skew))
    known: dict[int, dict[tuple[str, Hashable], Any]] = defaultdict(dict)
    twins = {index for index in counted if identities[index].twin is not None}
    taken = [counted_event(event, identities.get(index, PriorState())) for index, event in enumerate(events)]
    challenges: dict[int, dict[Hashable, Any]] = defaultdict(dict)
    for (index, _, key), state, _ in states([CHALLENGES], taken, counted, parts, only_looked_at=twins):
        challenges[index][key] = state
    taken = [attributed(event, challenges[index].get(event.nonce)) for index, event in enumerate(taken)]
    for (index, name, key), state, _ in states(HISTORY, taken, counted, parts, only_looked_at=twins):
        if state is not None:
            known[index][name, key] = state
    for index in first:
        yield copied(replace(identities[index], states=known[index]))


def states(
    registers: Iterable[Any],
    events: Sequence[EventSummary],
    counted: Iterable[int],
    parts: int,
    only_looked_at: Iterable[int] = (),
) -> Iterator[tuple[tuple[int, str, Hashable], Any, Any]]:
    """Yield the state before each event under each key that it touches, and what the event adds to it."""
    groups: list[dict[tuple[Any, Hashable], list[tuple[int, Any]]]] = [defaultdict(list) for _ in range(parts)]
    for index in counted:
        for register in registers:
            for key, added in register.keys(events[index]).items():
                groups[hash((register.name, key)) % parts][register, key].append((index, added))
    for part in reversed(groups):
        for (register, key), touches in part.items():
            state = None
            for index, added in touches:
                yield (index, register.name, key), state, added
                if index not in only_looked_at:
                    state = copied(register.after(state, copied(added), SETTINGS))


def told(report: Report) -> dict[str, Any]:
    """Return all that a report says."""
    record: dict[str, Any] = json.loads(event_line(report, None, Keys(KEYS)))
    return record


@pytest.mark.parametrize("keys", [KEYS, KeyRing()], ids=["with keys", "without keys"])
@given(STREAMS, st.integers(1, 5))
@settings(max_examples=40)
def test_registers_folded_key_by_key_give_the_reports_of_the_session(
    keys: KeyRing, stream: list[Event], parts: int
) -> None:
    context = Context(Settings(debug=True), keys, Session(SETTINGS))
    expected = [told(inspect(exchange, context)) for exchange in stream]
    events = [context.event(exchange) for exchange in stream]
    for event, before in zip(events, folded([copied(event.summary) for event in events], parts), strict=True):
        event.before = before
    assert [told(judge(event, context)) for event in events] == expected
    session = Session(SETTINGS)
    followed = [session.follow(copied(event.summary)) for event in events]
    assert [asdict(each) for each in followed] == [asdict(event.before) for event in events]


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
