"""A session that is full stays as large as it is: the figures in docs/checks.md are measured on one like this."""

from itertools import chain

from ltkm_inspect.session.connections import CONNECTIONS
from ltkm_inspect.session.muks import LTKMS_OF_MUK, MUKS
from ltkm_inspect.session.nonces import NONCES, USES_OF_NONCE
from ltkm_inspect.session.pushes import PUSHES, PUSHES_OF_TERMINAL
from ltkm_inspect.session.session import EVENTS
from ltkm_inspect.session.terminals import REQUESTS_OF_TERMINAL, TERMINALS
from tests.bench.bench_session import TURNS, filled

LIMIT = 3


def test_each_register_has_as_many_keys_as_the_limit_and_each_key_its_longest_history() -> None:
    session = filled(LIMIT, LIMIT, TURNS)
    tables = session.tables
    assert {name: len(table) for name, table in tables.items()} == dict.fromkeys(tables, LIMIT)
    assert {len(each.ltkms) for each in tables[MUKS.name].values()} == {LTKMS_OF_MUK}
    assert {len(each.latest) for each in tables[NONCES.name].values()} == {USES_OF_NONCE}
    assert {len(each.requests) for each in tables[TERMINALS.name].values()} == {REQUESTS_OF_TERMINAL}
    assert {len(each.pushes) for each in tables[PUSHES.name].values()} == {PUSHES_OF_TERMINAL}
    assert not session.forgotten[CONNECTIONS.name]
    assert session.forgotten[EVENTS] == LIMIT * (1 + 2 * TURNS) - LIMIT


def test_what_is_kept_before_an_event_is_no_longer_than_the_histories() -> None:
    session = filled(LIMIT, 1, TURNS)
    assert {name: len(table) <= LIMIT for name, table in session.tables.items()} == dict.fromkeys(session.tables, True)
    states = chain.from_iterable(each for each in session.tables[EVENTS].values())
    longest = max(len(getattr(state, "ltkms", ())) for state in states)
    assert longest == LTKMS_OF_MUK
