"""Which exchanges are counted for one terminal: by its B-TID, by what it answers, or by what the run is told."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.keys import KeyRing, load
from ltkm_inspect.output.redaction import Redaction
from ltkm_inspect.output.wording import Wording
from ltkm_inspect.reference import FIRST, KEYS, OTHER_TERMINAL, SECOND, TERMINAL, ReferenceTerminal
from ltkm_inspect.report import jsonl
from ltkm_inspect.session import Session, SessionSettings
from ltkm_inspect.traffic import AUTO, Exchange, TerminalBy
from tests.report.pages import page_of

NAMES = {TERMINAL.b_tid: "first", OTHER_TERMINAL.b_tid: "second"}


def challenged(id: str, connection: str = "a:1", at: float = 0) -> Exchange:
    """Build a request without credentials, and the 401 to it."""
    return replace(reference.challenge([FIRST.msk_id], at=at, id=id), connection=connection, client=connection)


def answered(id: str, terminal: ReferenceTerminal = TERMINAL, connection: str = "a:1", at: float = 1) -> Exchange:
    """Build a request with the credentials of a terminal for the nonce of every challenge here."""
    grant = FIRST if terminal is TERMINAL else SECOND
    item = (grant, "200 OK", reference.ltkm(grant, terminal))
    made = reference.exchange([grant.msk_id], [item], terminal=terminal, at=at, id=id)
    return replace(made, connection=connection, client=connection)


def expired(id: str, connection: str = "a:1", at: float = 2) -> Exchange:
    """Build a request with the credentials of the first terminal that gets another 401."""
    asked, refused = answered(id, at=at), challenged(id)
    return replace(asked, response=refused.response, connection=connection, client=connection)


def records(exchanges: Iterable[Exchange], by: TerminalBy = AUTO, keys: KeyRing | None = None) -> list[dict[str, Any]]:
    """Return the records of a run over these exchanges, that of the session last."""
    settings = Settings(session=SessionSettings(terminal=by), debug=True)
    context = Context(settings, keys or KeyRing(), Session(settings.session))
    found = [dict(jsonl.exchange_record(inspect(each, context), "a.flow")) for each in exchanges]
    assert context.session is not None
    return [*found, dict(jsonl.session_record(context.session))]


def told(session: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the terminals of the record of a session, with their exchanges."""
    return [(NAMES.get(each["terminal"], each["terminal"]), each["exchanges"]) for each in session["terminals"]]


def lines_of(found: list[dict[str, Any]]) -> list[str]:
    """Return the terminals of the page's timeline that have a line."""
    page = page_of(found)
    return [name for name in [*NAMES, "a:1", "b:2", "c:3", "c:4"] if f'aria-label="{name}"' in page]


@pytest.mark.parametrize("connection", ["a:1", "b:2"], ids=["same connection", "another connection"])
def test_a_401_is_counted_for_the_terminal_whose_request_answers_it(connection: str) -> None:
    found = records([challenged("1"), answered("2", connection=connection)])
    assert [each["answers"] for each in found[:2]] == [None, "1"]
    assert found[1]["replaces"] is None
    assert told(found[-1]) == [("first", 2)]
    assert [found[-1]["terminals"][0][name] for name in ("first", "last")] == [each["started"] for each in found[:2]]
    assert lines_of(found) == [TERMINAL.b_tid]


def test_a_401_that_nobody_answers_stays_with_its_connection() -> None:
    found = records([challenged("1"), challenged("2", "b:2", 0.5), answered("3", connection="b:2")])
    assert found[2]["answers"] == "2"
    assert told(found[-1]) == [("a:1", 1), ("first", 2)]
    assert lines_of(found) == [TERMINAL.b_tid, "a:1"]


def test_where_several_wait_with_one_nonce_the_connection_decides_or_nobody_does() -> None:
    exchanges = [challenged("1"), challenged("2", "b:2"), answered("3", connection="c:3")]
    found = records(exchanges)
    assert found[2]["answers"] is None
    assert told(found[-1]) == [("a:1", 1), ("b:2", 1), ("first", 1)]
    found = records([*exchanges, answered("4", OTHER_TERMINAL, "a:1", at=5)])
    assert found[3]["answers"] == "1"
    assert told(found[-1]) == [("second", 2), ("b:2", 1), ("first", 1)]


def test_a_terminal_that_answers_its_challenge_with_another_b_tid_has_bootstrapped_again() -> None:
    found = records([answered("1", at=0), expired("2"), answered("3", OTHER_TERMINAL, at=3)])
    assert (found[2]["answers"], found[2]["replaces"]) == ("2", TERMINAL.b_tid)
    (terminal,) = found[-1]["terminals"]
    assert (terminal["terminal"], terminal["former"]) == (OTHER_TERMINAL.b_tid, [TERMINAL.b_tid])
    assert terminal["exchanges"] == 3
    assert lines_of(found) == [OTHER_TERMINAL.b_tid]


def test_a_terminal_that_bootstraps_again_is_known_by_its_impi() -> None:
    ring = KeyRing(tuple(replace(each, identity="user@ims.example") for each in KEYS.subscribers))
    found = records([answered("1", at=0), answered("2", OTHER_TERMINAL, "b:2")], keys=ring)
    assert [each["identity"] for each in found[:2]] == ["user@ims.example"] * 2
    (terminal,) = found[-1]["terminals"]
    assert (terminal["terminal"], terminal["former"]) == (OTHER_TERMINAL.b_tid, [TERMINAL.b_tid])
    assert lines_of(found) == [OTHER_TERMINAL.b_tid]


def test_two_entries_of_a_key_ring_with_one_name_are_one_terminal(tmp_path: Path) -> None:
    entries = [f'[[subscribers]]\nname = "Alder"\nb_tid = "{b_tid}"\nmuk = "{bytes(16).hex()}"\n' for b_tid in NAMES]
    path = tmp_path / "trial.keys.toml"
    path.write_text("".join(entries))
    found = records([answered("1", at=0), answered("2", OTHER_TERMINAL, "b:2")], keys=load(path)[0])
    assert [each["identity"] for each in found[:2]] == ["Alder"] * 2
    (terminal,) = found[-1]["terminals"]
    assert (terminal["terminal"], terminal["former"]) == (OTHER_TERMINAL.b_tid, [TERMINAL.b_tid])
    page = page_of(found)
    assert 'aria-label="Alder"' in page
    assert [f"Alder: {each}" in page for each in NAMES] == [True, True]


def test_the_page_names_a_terminal_without_b_tid_by_its_client_everywhere() -> None:
    found = records([replace(challenged("1"), connection="5f0c", client="192.0.2.7:1")])
    page = page_of(found)
    assert page.count("192.0.2.7:1 (no B-TID)") == 2
    assert "5f0c" not in page


def test_two_terminals_on_one_connection_stay_two() -> None:
    found = records([answered("1", at=0), answered("2", OTHER_TERMINAL)])
    assert told(found[-1]) == [("first", 1), ("second", 1)]
    assert lines_of(found) == [TERMINAL.b_tid, OTHER_TERMINAL.b_tid]


def test_a_long_chain_of_new_b_tids_is_one_terminal() -> None:
    chain = [replace(TERMINAL, b_tid=f"{number:08}@bsf.home1.net") for number in range(40)]
    exchanges = []
    for number, (former, terminal) in enumerate(pairwise(chain)):
        asked = replace(answered(f"{number} asked", former, at=3 * number), response=challenged("").response)
        exchanges += [asked, answered(f"{number} answered", terminal, at=3 * number + 1)]
    (terminal,) = records(exchanges)[-1]["terminals"]
    assert terminal["terminal"] == chain[-1].b_tid
    assert terminal["former"] == [each.b_tid for each in chain[-17:-1]]
    assert terminal["exchanges"] == len(exchanges)


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (TerminalBy("connection"), [("a:1", 2), ("192.0.2.7:1", 1), ("192.0.2.7:2", 1)]),
        (TerminalBy("address"), [("first", 2), ("192.0.2.7", 2)]),
        (TerminalBy("header", "X-Device"), [("handset 1", 4)]),
    ],
    ids=lambda value: value.way if isinstance(value, TerminalBy) else "",
)
def test_terminals_are_told_apart_by_what_is_asked_for_and_findings_stay(
    by: TerminalBy, wanted: list[tuple[str, int]]
) -> None:
    exchanges = [challenged("1"), answered("2"), challenged("3", "192.0.2.7:1", 2)]
    exchanges += [answered("4", OTHER_TERMINAL, "192.0.2.7:2", at=3)]
    for at, each in enumerate(exchanges):
        headers = each.request.headers.put("X-Device", "handset 1")
        exchanges[at] = replace(each, request=replace(each.request, headers=headers))
    found, auto = records(exchanges, by), records(exchanges)
    if by.way == "address":  # a:1 is no address, so the B-TID or else the connection counts
        wanted = [("a:1", 1), ("first", 1), ("192.0.2.7", 2)]
    assert told(found[-1]) == wanted
    assert [each["findings"] for each in found[:-1]] == [each["findings"] for each in auto[:-1]]


def test_what_terminals_are_told_apart_by_is_redacted() -> None:
    by = TerminalBy("header", "X-Device")
    exchange = answered("1")
    headers = exchange.request.headers.put("X-Device", "anna's handset")
    exchange = replace(exchange, request=replace(exchange.request, headers=headers))
    redaction, settings = Redaction(terminal=by), Settings(session=SessionSettings(terminal=by))
    context = Context(settings, session=Session(settings.session))
    report = inspect(exchange, context)
    line = jsonl.exchange_line(report, "a.flow", redactor=redaction.redactor(exchange), for_page=True)
    assert context.session is not None
    assert "anna" not in line + str(jsonl.session_record(context.session, Wording(redaction)))
    assert redaction.terminal("anna's handset") in line
