"""What goes together in a run: order, delivery, copies, memory, and terminals that share an address."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Answer, Report
from ltkm_inspect.reference import AGAIN, FIRST, OTHER_TERMINAL, SECOND, TERMINAL, Grant, ReferenceTerminal
from ltkm_inspect.session import Session, SessionSettings, distance, is_newer
from ltkm_inspect.traffic import Exchange, Gap

GO = Settings(debug=True)


def delivered(
    counter: int, nc: int = 1, *, terminal: ReferenceTerminal = TERMINAL, grant: Grant = FIRST, at: float = 0
) -> Exchange:
    """Build an exchange that delivers an LTKM with that counter."""
    sent = replace(grant, counter=counter, csb_id=0x10000000 + counter % 1000)
    item = (sent, "200 OK", reference.ltkm(sent, terminal))
    id = f"{terminal.b_tid[:4]}{nc:04}"
    return reference.exchange([sent.msk_id], [item], terminal=terminal, nc=nc, at=at or nc * 600, id=id)


def reports(exchanges: Iterable[Exchange], session: Session | None = None) -> list[Report]:
    """Inspect exchanges as one session."""
    context = Context(GO, session=session or Session())
    return [inspect(exchange, context) for exchange in exchanges]


def broken(*exchanges: Exchange) -> list[list[str]]:
    """Return the ids of the rules that each exchange breaks."""
    return [list(report.rules) for report in reports(exchanges)]


def noted(*exchanges: Exchange) -> list[set[str]]:
    """Return the ids of the notes of each exchange."""
    return [{note.rule for note in report.notes} for report in reports(exchanges)]


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        (5, 6, []),
        (5, 500_000, []),
        (0xFFFFFFFF, 0, []),
        (0xFFFFFFF0, 0x7FFFFFEF, []),
        (0xFFFFFFF0, 0x7FFFFFF0, ["counter-backward"]),
        (5, 5 + 2**31, ["counter-backward"]),
        (5, 4 + 2**31, []),
        (5, 4, ["counter-backward"]),
        (5, 5, ["counter-repeated"]),
        (0, 0xFFFFFFFF, ["counter-backward"]),
    ],
)
def test_counters_are_compared_as_serial_numbers(old: int, new: int, rules: list[str]) -> None:
    last = delivered(new, 2, grant=replace(FIRST, msk_id=b"\x24\xcb\0\1", rand=bytes(range(16))))
    assert broken(delivered(old), last) == [[], rules]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_of_two_counters_one_is_newer_unless_they_are_equal_or_half_the_range_apart(one: int, other: int) -> None:
    assert (is_newer(one, other) + is_newer(other, one)) == (distance(one, other) not in (0, 2**31))


def test_the_very_octets_again_are_a_replay() -> None:
    again = replace(delivered(5), id="x", request=delivered(5, 2).request)
    assert "ltkm-replayed" in broken(delivered(5), again)[1]


def test_without_its_request_an_exchange_may_be_one_that_was_captured_twice() -> None:
    first = delivered(5)
    lost = replace(delivered(5, nc=2), gaps=(Gap("packet 9", "lost", ("request",), is_damage=True),))
    report = reports([first, lost])[1]
    assert "ltkm-replayed" not in report.rules
    assert report.outcomes["ltkm-replayed"].answer is Answer.NOT_APPLICABLE
    assert broken(first, replace(lost, gaps=()))[1] == ["ltkm-replayed"]


def test_a_message_with_a_counter_behind_does_not_set_the_counter_back() -> None:
    assert broken(*(delivered(counter, nc) for nc, counter in enumerate([10, 3, 11, 4], 1))) == [
        [],
        ["counter-backward"],
        [],
        ["counter-backward"],
    ]


@pytest.mark.parametrize(
    "lost",
    [
        lambda exchange: replace(exchange, error="the client closed the connection"),
        lambda exchange: replace(exchange, response=replace(exchange.response, status=503)),
        lambda exchange: replace(exchange, response=None),
    ],
    ids=["error", "status", "no response"],
)
def test_a_response_that_was_not_delivered_does_not_advance_the_counter(lost: Callable[[Exchange], Exchange]) -> None:
    again = replace(delivered(5, 2), response=delivered(5).response)
    _, last = reports([lost(delivered(5)), again])
    assert "ltkm-replayed" not in last.outcomes or last.outcomes["ltkm-replayed"].answer is not Answer.BROKEN
    assert not [id for id in last.rules if id.startswith(("ltkm-replayed", "counter"))]


def test_the_same_exchange_captured_twice_is_a_note_and_no_replay() -> None:
    first, second = reports([delivered(5), replace(delivered(5), id="of the other capture")])
    assert [finding.line for finding in second.findings] == []
    assert {note.rule for note in second.notes} >= {"exchange-captured-twice"}
    assert "exchange-captured-twice" not in {note.rule for note in first.notes}


def copied(at: float = 0.0, *, ended_at: float | None = None, **changes: Any) -> Exchange:
    """Build the exchange that the copies below repeat, some seconds later or earlier, over another connection."""
    first = delivered(5)
    began, end = first.started, first.ended
    assert began is not None
    assert end is not None
    over: dict[str, Any] = {"id": "copy", "client": "192.0.2.10:50009", "connection": "another"}
    times: dict[str, Any] = {"started": began + at, "ended": end + (at if ended_at is None else ended_at)}
    return replace(first, **{**over, **times, **changes})


SAME: dict[str, Any] = {"client": delivered(5).client, "connection": delivered(5).connection}
HAR: dict[str, Any] = {"client": "", "connection": "443"}
REPLAY = {"nonce-count-reused", "ltkm-replayed"}
COPIES = {
    "at once": (copied(), True),
    "a second later": (copied(1), True),
    "a second earlier": (copied(-1), True),
    "just over a second later": (copied(1.001), False),
    "just over a second earlier": (copied(-1.001), False),
    "begun at once and ended later": (copied(0, ended_at=1.5), False),
    "an hour later": (copied(3600), False),
    "an hour later over the same connection": (copied(3600, **SAME), True),
    "an hour later from the same port, over a new connection": (copied(3600, **{**SAME, "connection": "b"}), False),
    "an hour later from another port, said to be one connection": (copied(3600, **{**SAME, "client": "b"}), False),
    "a minute later in another capture": (copied(60, capture="b"), True),
    "a minute earlier in another capture": (copied(-60, capture="b"), True),
    "over a minute later in another capture": (copied(60.001, capture="b"), False),
    "over a minute earlier in another capture": (copied(-60.001, capture="b"), False),
    "an hour later over the same connection in another capture": (copied(3600, capture="b", **SAME), True),
    "begun at a time that was not captured": (copied(started=None), True),
    "ended an hour later, begun at a time that was not captured": (copied(3600, started=None), False),
    "at times that were not captured": (copied(started=None, ended=None), True),
    "an hour later, replayed by mitmproxy": (copied(3600, is_replayed=True), True),
}


@pytest.mark.parametrize("first_comes_last", [False, True], ids=["in order", "the other way round"])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_told_from_a_replay(name: str, first_comes_last: bool) -> None:
    copy, is_copy = COPIES[name]
    pair = (copy, delivered(5)) if first_comes_last else (delivered(5), copy)
    first, second = reports(pair)
    assert [finding.line for finding in first.findings] == []
    assert set(second.rules) == (set() if is_copy else REPLAY)
    assert ("exchange-captured-twice" in {note.rule for note in second.notes}) is is_copy
    assert "request-retried" not in {note.rule for note in second.notes}


def bare(exchange: Exchange) -> Exchange:
    """Return the exchange without the credentials of its request, as browsers export it."""
    headers = exchange.request.headers.without("Authorization")
    return replace(exchange, raw=False, request=replace(exchange.request, headers=headers))


@pytest.mark.parametrize(
    ("copy", "is_copy"),
    [
        pytest.param(copied(), True, id="at once"),
        pytest.param(copied(30, capture="b"), True, id="in another capture"),
        pytest.param(copied(60, **SAME), False, id="a minute later over the same connection"),
        pytest.param(copied(60), False, id="a minute later"),
    ],
)
def test_a_copy_without_credentials_is_told_from_a_replay_by_its_time(copy: Exchange, is_copy: bool) -> None:
    _, second = reports([bare(delivered(5)), bare(copy)])
    assert set(second.rules) == (set() if is_copy else {"ltkm-replayed"})
    assert ("exchange-captured-twice" in {note.rule for note in second.notes}) is is_copy


def test_a_number_of_a_connection_means_nothing_in_another_har() -> None:
    first, later = copied(**HAR), copied(3600, **HAR)
    assert broken(first, replace(later, id="b"))[1] == []
    assert set(broken(first, replace(later, id="b", capture="b"))[1]) == REPLAY


def test_the_number_of_an_exchange_means_nothing_in_another_har() -> None:
    first = replace(delivered(5), id="entry-1", capture="a", **HAR)
    other = replace(delivered(4), id="entry-1", capture="b", **HAR)
    said = reports([first, other, replace(first, capture="c"), first])
    assert [set(report.rules) for report in said] == [set(), {"counter-backward"}, set(), set()]
    twice = ["exchange-captured-twice" in {note.rule for note in report.notes} for report in said]
    assert twice == [False, False, True, False]


def test_replays_in_two_captures_are_each_told_from_their_copies() -> None:
    first, replay = delivered(5), copied(3600, id="replay")
    elsewhere = [copied(20, id="c", capture="b", connection="c"), copied(3620, id="d", capture="b", connection="d")]
    assert list(map(set, broken(first, replay, *elsewhere))) == [set(), REPLAY, set(), set()]
    assert list(map(set, broken(*elsewhere, first, replay))) == [set(), REPLAY, set(), set()]


@pytest.mark.parametrize(("clock_skew", "rules"), [(60, REPLAY), (90, set()), (0, REPLAY)])
def test_how_far_clocks_may_differ_is_an_option(clock_skew: float, rules: set[str]) -> None:
    _, second = reports([delivered(5), copied(90, capture="b")], Session(SessionSettings(clock_skew=clock_skew)))
    assert set(second.rules) == rules


def test_a_real_replay_after_one_by_mitmproxy_is_a_replay() -> None:
    replayed = copied(60, id="by mitmproxy", is_replayed=True)
    assert list(map(set, broken(delivered(5), replayed, copied(3600, connection="a third")))) == [set(), set(), REPLAY]


@pytest.mark.parametrize(
    "change",
    [
        lambda exchange: replace(exchange, error="the client closed the connection"),
        lambda exchange: replace(exchange, response=None),
        lambda exchange: replace(exchange, response=replace(exchange.response, status=401)),
        lambda exchange: replace(exchange, response=replace(exchange.response, status=503)),
    ],
    ids=["broken off", "unanswered", "refused", "not now"],
)
def test_what_had_no_answer_is_retried_and_not_replayed(change: Callable[[Exchange], Exchange]) -> None:
    for second in (copied(3600), change(copied(3600))):
        _, report = reports([change(delivered(5)), second])
        assert {note.rule for note in report.notes} >= {"request-retried"}
        assert not REPLAY.intersection(report.rules)


def test_the_title_of_a_nonce_count_used_again_fits_a_replay() -> None:
    _, report = reports([delivered(5), copied(3600)])
    (finding,) = [finding for finding in report.findings if finding.rule == "nonce-count-reused"]
    assert "different" not in finding.title
    assert finding.hint == f"flow {delivered(5).id}"


def test_a_flow_checked_again_gives_the_same_and_counts_once() -> None:
    exchanges = [delivered(5), delivered(6, 2), delivered(6, 3)]
    session = Session()
    first, again = reports(exchanges, session), reports(exchanges, session)
    assert [[finding.line for finding in report.findings] for report in first] == [
        [finding.line for finding in report.findings] for report in again
    ]
    assert [set(report.rules) for report in again] == [set(), set(), {"ltkm-replayed"}]


def test_to_look_changes_nothing() -> None:
    context = Context(GO, session=Session())
    inspect(delivered(5), context, remember=False)
    report = inspect(replace(delivered(5, 2), response=delivered(5).response), context)
    assert "ltkm-replayed" not in set(report.rules)


def test_a_new_b_tid_has_a_counter_of_its_own() -> None:
    other = replace(OTHER_TERMINAL, address=TERMINAL.address)
    assert broken(delivered(500), delivered(1, 2, terminal=other)) == [[], []]


def test_terminals_behind_one_address_do_not_meet() -> None:
    turns = [
        delivered(5),
        delivered(5, terminal=OTHER_TERMINAL),
        delivered(6, 2),
        delivered(6, 2, terminal=OTHER_TERMINAL),
    ]
    assert broken(*turns) == [[], [], [], []]


def test_a_capture_that_is_not_in_the_order_of_delivery_gives_no_replay() -> None:
    assert broken(delivered(6, 2, at=2000), delivered(5, 1, at=1000)) == [[], []]


def test_what_a_terminal_does_not_take_does_not_advance_the_counter() -> None:
    first = delivered(5)
    assert first.response is not None
    misnamed = (first.response.body or b"").replace(b"bcast:LTKM", b"bcast:ltkm")
    first = replace(first, response=first.response.with_content(misnamed))
    assert "ltkm-replayed" not in broken(first, replace(delivered(5, 2), response=delivered(5).response))[1]


def test_after_a_response_that_was_not_captured_nobody_knows_which_nonce_comes_next() -> None:
    given, kept = reference.reference("next-nonce")[0], delivered(0x30, nc=3)
    assert broken(given, kept)[1] == ["nextnonce-ignored"]
    lost = replace(delivered(0x2F, nc=2), response=None, gaps=(Gap("packet 9", "lost", ("response",), is_damage=True),))
    assert "nextnonce-ignored" in broken(given, replace(lost, gaps=(), error="no answer"), kept)[2]
    assert broken(given, lost, kept)[2] == []


def test_an_answered_challenge_is_told_from_one_that_was_not_seen() -> None:
    challenge, answer = reference.reference("challenge")
    _, seen = reports([challenge, answer])
    (unseen,) = reports([answer])
    assert seen.outcomes["credentials-unlike-challenge"].answer is Answer.PASSED
    assert unseen.outcomes["credentials-unlike-challenge"].answer is Answer.NOT_APPLICABLE


def test_a_challenge_with_two_algorithms_may_be_answered_with_either() -> None:
    challenge, answer = reference.reference("challenge")
    assert challenge.response is not None
    asked = challenge.response.headers.get("WWW-Authenticate") or ""
    both = challenge.response.headers.put("WWW-Authenticate", f"{asked.replace('MD5', 'SHA-256')}, {asked}")
    challenge = replace(challenge, response=replace(challenge.response, headers=both))
    _, report = reports([challenge, answer])
    assert report.outcomes["credentials-unlike-challenge"].answer is Answer.PASSED


def test_requests_without_an_answer_and_keys_asked_for_again_are_noted() -> None:
    lost = replace(delivered(5), response=None, error="connection closed")
    assert "request-repeated" in noted(lost, delivered(5, 2, at=605))[1]
    assert "request-repeated" not in noted(delivered(5), delivered(6, 2, at=605))[1]
    assert "key-requested-again" in noted(delivered(5), delivered(6, 2, at=605))[1]
    assert "key-requested-again" not in noted(delivered(5), delivered(6, 2, at=6000))[1]
    other = delivered(6, 2, at=605, grant=SECOND)
    assert "key-requested-again" not in noted(delivered(5), other)[1]


def test_a_gap_a_second_delivery_and_a_third_key_of_a_group_are_noted() -> None:
    third = [
        replace(FIRST, msk_id=b"\x24\xcb\0" + bytes((number,)), rand=bytes(15) + bytes((number,)))
        for number in (1, 2, 3)
    ]
    said = noted(*(delivered(number, number, grant=grant) for number, grant in enumerate(third, 1)))
    assert ["msk-beyond-two" in each for each in said] == [False, False, True]
    assert "counter-gap" in noted(delivered(5), delivered(7, 2))[1]
    assert "counter-gap" not in noted(delivered(5), delivered(6, 2))[1]
    assert "msk-delivered-again" in noted(delivered(5), delivered(6, 2))[1]


def test_an_option_of_a_rule_changes_what_it_notes() -> None:
    settings = Settings(debug=True, options={"counter-gap": {"more_than": 2}})
    context = Context(settings, session=Session())
    inspect(delivered(5), context)
    assert "counter-gap" not in {note.rule for note in inspect(delivered(7, 2), context).notes}
    assert "counter-gap" in {note.rule for note in inspect(delivered(10, 3), context).notes}


def test_a_retried_request_is_a_note_and_a_count_for_another_request_is_not() -> None:
    first, retried = delivered(5), replace(delivered(6), id="second")
    assert "request-retried" in noted(first, retried)[1]
    assert "nonce-count-reused" not in broken(first, retried)[1]


def test_memory_is_bounded_and_each_register_forgets_on_its_own() -> None:
    session = Session(SessionSettings(limit=10))
    exchanges = [delivered(counter, counter) for counter in range(1, 31)]
    reports(exchanges, session)
    assert +session.forgotten == {"exchanges": 20, "copies": 20}
    assert max(map(len, session.tables.values())) == 10
    terminals = [replace(TERMINAL, b_tid=f"{number:04}@bsf.home1.net", address=f"{number}") for number in range(12)]
    reports([delivered(1, terminal=terminal) for terminal in terminals], session)
    assert session.forgotten["terminals"] == session.forgotten["muks"] == 3
    assert session.forgotten["msks"] == session.forgotten["rands"] == 0


def test_an_exchange_that_was_forgotten_is_no_replay_of_itself() -> None:
    session = Session(SessionSettings(limit=2))
    exchanges = [delivered(counter, counter) for counter in range(1, 6)]
    reports(exchanges, session)
    for again in (exchanges[0], exchanges[-1]):
        (report,) = reports([again], session)
        assert [finding.line for finding in report.findings] == []


def test_the_second_delivery_has_what_the_first_left() -> None:
    session = Session()
    session.take(delivered(5))
    (delivery,) = session.look(delivered(6, 2, grant=AGAIN)).deliveries
    assert delivery.before.counter == 5
    assert len(delivery.before.ltkms) == 1
    assert delivery.muk == (reference.BSM.encode(), TERMINAL.b_tid.encode())
