"""Pushes and what follows them: answers, requests, and the same keys in responses."""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from ltkm_inspect import reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inspect, waiting_at_end
from ltkm_inspect.finding import Answer, Finding, Report
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.keys.derivation import AUTHENTICATION, message_key
from ltkm_inspect.keys.verification import NATURAL
from ltkm_inspect.mikey import Identity, Message, Timestamp, Verification, decode
from ltkm_inspect.reference import AGAIN, FIRST, KEYS, OTHER_TERMINAL, SECOND, TERMINAL, Grant, ReferenceTerminal
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Datagram, Direction, Event, Exchange

GO = Settings(debug=True)
CURRENT = FIRST.msk_id[:2] + b"\0\0"
"""What a request for the current key of the Key Group asks for."""


def response(grant: Grant, at: float, *, nc: int = 1, terminal: ReferenceTerminal = TERMINAL) -> Exchange:
    """Build an exchange that delivers a key in its response."""
    item = (grant, "200 OK", reference.ltkm(grant, terminal))
    return reference.exchange([grant.msk_id], [item], terminal=terminal, nc=nc, at=at, id=f"response at {at}")


def request(msk_id: bytes, at: float, *, nc: int = 1, terminal: ReferenceTerminal = TERMINAL) -> Exchange:
    """Build an exchange in which a terminal asks for a key that will be pushed."""
    items = [(replace(FIRST, msk_id=msk_id), "200 OK", None)]
    return reference.exchange([msk_id], items, terminal=terminal, nc=nc, at=at, id=f"request at {at}")


def sent(message: Message, at: float, terminal: ReferenceTerminal = TERMINAL, **fields: Any) -> Datagram:
    """Build a datagram."""
    return reference.datagram(message, at, terminal, id=f"datagram at {at}", **fields)


def push(grant: Grant, at: float, *, v: bool = False, terminal: ReferenceTerminal = TERMINAL) -> Datagram:
    """Build a push."""
    return sent(reference.push(grant, terminal, v=v), at, terminal)


def answer(grant: Grant, at: float, terminal: ReferenceTerminal = TERMINAL) -> Datagram:
    """Build the verification message that answers a push with V."""
    return sent(reference.verification(reference.push(grant, terminal, v=True), terminal), at, terminal)


def pull(at: float, counter: int = FIRST.counter) -> Datagram:
    """Build a solicited pull."""
    return sent(reference.pull(replace(FIRST, counter=counter, csb_id=counter)), at)


def reports(events: Iterable[Event], keys: KeyRing = KEYS, **options: Any) -> list[Report]:
    """Inspect events as one session."""
    settings = Settings(debug=True, options={id.replace("_", "-"): value for id, value in options.items()})
    context = Context(settings, keys, Session())
    return [inspect(event, context) for event in events]


def found(rule: str, *events: Event, **options: Any) -> list[Finding | None]:
    """Return what a rule finds in each event."""
    assert rule in RULES
    return [
        next((each for each in (*report.findings, *report.notes) if each.rule == rule), None)
        for report in reports(events, **options)
    ]


def where(rule: str, *events: Event, **options: Any) -> list[bool]:
    """Tell in which of the events a rule finds something."""
    return [each is not None for each in found(rule, *events, **options)]


OF_DATAGRAMS = {
    id
    for id, rule in RULES.items()
    if rule.check.__module__.rpartition(".")[2] in ("datagram", "pushes", "verification") or id == "request-after-push"
}


@pytest.mark.parametrize("name", reference.REFERENCES)
def test_no_rule_on_datagrams_is_broken_by_http_alone(name: str) -> None:
    assert len(OF_DATAGRAMS) > 15
    for report in reports(reference.reference(name)):
        assert OF_DATAGRAMS.isdisjoint(id for id, each in report.outcomes.items() if each.answer is Answer.BROKEN)


# A push and a response


@pytest.mark.parametrize(
    ("events", "hint"),
    [
        ([push(FIRST, 0), response(FIRST, 60)], "a push came first (datagram at 0) with counter 42"),
        ([response(FIRST, 0), push(FIRST, 60)], "a response came first (response at 0) with counter 42"),
    ],
    ids=["push first", "response first"],
)
def test_one_ltkm_on_both_paths_is_a_replay_and_the_finding_says_which_came_first(
    events: list[Event], hint: str
) -> None:
    first, second = found("ltkm-replayed", *events)
    assert first is None
    assert second is not None
    discarded = "this response" if isinstance(events[1], Exchange) else "this push"
    assert second.hint == f"{hint}; the terminal discards {discarded}"


OTHER = replace(SECOND, counter=FIRST.counter)


@pytest.mark.parametrize("turned", [False, True], ids=["push first", "response first"])
def test_a_counter_that_the_other_path_has_used_is_a_violation(turned: bool) -> None:
    events = [response(FIRST, 0), push(OTHER, 60)] if turned else [push(FIRST, 0), response(OTHER, 60)]
    _, repeated = found("counter-repeated", *events)
    assert repeated is not None
    assert repeated.hint.startswith("a response came first" if turned else "a push came first")
    last = [push(AGAIN, 30)] if turned else [response(AGAIN, 30)]
    *_, backward = found("counter-backward", events[0], *last, events[1])
    assert backward is not None
    assert ("came first" in backward.hint) is True


def test_one_path_alone_gets_no_word_about_the_other() -> None:
    for events in ([push(FIRST, 0), push(FIRST, 60)], [response(FIRST, 0), response(FIRST, 60, nc=2)]):
        _, finding = found("ltkm-replayed", *events)
        assert finding is not None
        assert finding.hint == ""


def test_a_push_between_two_responses_leaves_no_gap() -> None:
    first, last = response(FIRST, 0), response(replace(AGAIN, counter=FIRST.counter + 2), 120, nc=2)
    assert where("counter-gap", first, last) == [False, True]
    assert where("counter-gap", first, push(SECOND, 60), last) == [False, False, False]
    assert where("counter-gap", first, pull(60, FIRST.counter + 1), last) == [False, False, False]


def test_a_key_in_a_response_after_its_push_was_acknowledged_is_noted() -> None:
    rule, later = "msk-delivered-both-ways", response(AGAIN, 60)
    assert where(rule, push(FIRST, 0, v=True), answer(FIRST, 1), later) == [False, False, True]
    assert where(rule, push(FIRST, 0, v=True), later) == [False, False]
    assert where(rule, push(SECOND, 0, v=True), answer(SECOND, 1), response(replace(AGAIN, counter=99), 60)) == [
        False,
        False,
        False,
    ]


def test_a_push_of_a_key_that_a_response_delivered_is_noted() -> None:
    assert where("msk-delivered-both-ways", response(FIRST, 0), push(AGAIN, 60)) == [False, True]
    assert where("msk-delivered-both-ways", response(FIRST, 0), push(SECOND, 60)) == [False, False]
    assert where("msk-delivered-both-ways", push(FIRST, 0), push(AGAIN, 60)) == [False, False]


@pytest.mark.parametrize("msk_id", [FIRST.msk_id, CURRENT], ids=["by its number", "as the current key"])
@pytest.mark.parametrize("v", [False, True], ids=["without V", "with V"])
def test_a_request_for_a_key_whose_push_was_not_acknowledged_is_noted_once(msk_id: bytes, v: bool) -> None:
    asked = [request(msk_id, 60), request(msk_id, 120, nc=2)]
    first, second = found("request-after-push", push(FIRST, 0, v=v), *asked)[1:]
    assert first is not None
    assert "datagram at 0" in first.got
    assert ("it asked for an answer" in first.hint) is v
    assert second is None


def test_other_requests_after_a_push_are_not_noted() -> None:
    rule, pushed = "request-after-push", push(FIRST, 0, v=True)
    assert where(rule, pushed, answer(FIRST, 1), request(FIRST.msk_id, 60)) == [False, False, False]
    assert where(rule, pushed, request(SECOND.msk_id, 60)) == [False, False]
    assert where(rule, pushed, request(FIRST.msk_id, 60, terminal=OTHER_TERMINAL)) == [False, False]
    assert where(rule, pushed, request(FIRST.msk_id, 3601)) == [False, False]
    assert where(rule, pull(0), request(FIRST.msk_id, 60)) == [False, False]


def test_a_push_without_a_request_is_noted() -> None:
    rule = "push-unrequested"
    assert where(rule, push(FIRST, 0)) == [True]
    assert where(rule, request(FIRST.msk_id, 0), push(FIRST, 1)) == [False, False]
    assert where(rule, request(FIRST.msk_id, 0, terminal=OTHER_TERMINAL), push(FIRST, 1)) == [False, True]
    assert where(rule, pull(0)) == [False]


def test_a_push_that_nobody_asked_for_needs_no_policy() -> None:
    streaming = replace(reference.STREAMING, csb_id=7)
    bare = reference.push(streaming)
    bare = replace(bare, payloads=tuple(each for each in bare.payloads if each.label != "SP"))
    assert where("policy-missing", sent(bare, 60)) == [False]
    assert where("policy-missing", request(streaming.msk_id, 0), sent(bare, 60)) == [False, True]
    assert where("policy-missing", request(SECOND.msk_id, 0), sent(bare, 60)) == [False, False]


# What was not answered


def test_a_push_without_an_answer_is_found_at_the_next_event_of_the_terminal_once() -> None:
    rule, pushed = "push-unanswered", push(FIRST, 0, v=True)
    later = [request(SECOND.msk_id, at, nc=nc) for nc, at in enumerate((5, 11, 30), 1)]
    _, early, late, again = found(rule, pushed, *later)
    assert late is not None
    assert (early, again) == (None, None)
    assert "datagram at 0" in late.hint
    assert (late.expected, late.got) == ("a verification message within 10 s", "none in 11 s")
    assert where(rule, pushed, later[1], push_unanswered={"seconds": 20}) == [False, False]
    assert where(rule, pushed, push(SECOND, 60)) == [False, True]
    assert where(rule, pushed, answer(FIRST, 60)) == [False, True]


def test_an_answer_in_time_or_no_question_leaves_nothing_to_find() -> None:
    rule, later = "push-unanswered", request(SECOND.msk_id, 60)
    assert not any(where(rule, push(FIRST, 0, v=True), answer(FIRST, 9), later))
    assert not any(where(rule, push(FIRST, 0), later))
    assert not any(where(rule, push(FIRST, 0, v=True), replace(later, started=None)))
    assert not any(where(rule, push(FIRST, 0, v=True), request(SECOND.msk_id, 60, terminal=OTHER_TERMINAL)))
    damaged = replace(push(FIRST, 0, v=True), octets=push(FIRST, 0, v=True).octets[:-1] + b"\0")
    assert not any(where(rule, damaged, later))  # the terminal discards it


def test_each_push_waits_for_its_own_answer() -> None:
    pushes = [push(FIRST, 0, v=True), push(replace(AGAIN, csb_id=1), 1, v=True)]
    last = reports([*pushes, answer(replace(AGAIN, csb_id=1), 2), request(SECOND.msk_id, 60)])[-1]
    hints = [each.hint for each in last.findings if each.rule == "push-unanswered"]
    assert len(hints) == 1
    assert "datagram at 0" in hints[0]


def waiting(*events: Event, until: float | None = None, settings: Settings = GO) -> dict[str, int]:
    """Return what waits for a terminal after these events, by the rule that the next one would break.

    The captures go on until so many seconds after the first event.
    """
    context = Context(settings, KEYS, Session())
    for event in events:
        inspect(event, context)
    assert context.session is not None
    if until is not None:
        context.session.until = (events[0].started or 0) + until
    return dict(waiting_at_end(context))


def test_a_push_to_a_terminal_that_is_not_seen_again_waits_once_its_time_has_passed() -> None:
    pushed, elsewhere = push(FIRST, 0, v=True), request(SECOND.msk_id, 60, terminal=OTHER_TERMINAL)
    assert waiting(pushed) == {}
    assert waiting(pushed, until=9) == {}
    assert waiting(pushed, until=3600) == waiting(pushed, elsewhere) == {"push-unanswered": 1}
    assert waiting(pull(0), until=3600) == {"pull-unfollowed": 1}
    assert waiting(pushed, request(SECOND.msk_id, 5), until=3600) == {"push-unanswered": 1}
    assert waiting(pushed, request(SECOND.msk_id, 60), until=3600) == {}  # a finding on the request
    assert waiting(pushed, answer(FIRST, 1), until=3600) == {}
    assert waiting(push(FIRST, 0), until=3600) == {}
    slow = replace(GO, options={"push-unanswered": {"seconds": 100}})
    assert waiting(pushed, until=90, settings=slow) == {}
    assert waiting(pushed, until=90, settings=replace(GO, ignore=frozenset({"push-unanswered"}))) == {}


@pytest.mark.parametrize("address", ["203.0.113.9:40000", ""])
def test_a_terminal_is_its_b_tid_and_never_its_address(address: str) -> None:
    rule, pushed, answered = "push-unanswered", push(FIRST, 0, v=True), answer(FIRST, 1)
    later = replace(request(SECOND.msk_id, 60), client="198.51.100.77:1234", connection="77")
    assert not any(where(rule, pushed, replace(answered, client=address), later))
    other = answer(FIRST, 1, OTHER_TERMINAL)
    assert where(rule, pushed, replace(other, client=pushed.client), later) == [False, False, True]


def test_a_pull_is_followed_by_a_request_for_its_key_group() -> None:
    rule = "pull-unfollowed"
    assert not any(where(rule, pull(0), request(CURRENT, 30), request(SECOND.msk_id, 90, nc=2)))
    assert not any(where(rule, pull(0), request(FIRST.msk_id, 30), request(SECOND.msk_id, 90, nc=2)))
    assert where(rule, pull(0), request(SECOND.msk_id, 30), request(CURRENT, 61, nc=2)) == [False, False, True]
    assert where(rule, pull(0), push(SECOND, 61), push(SECOND, 90)) == [False, True, False]


def test_a_pull_does_not_wait_for_an_answer_nor_does_it_deliver_a_key() -> None:
    report = reports([pull(0)])[0]
    assert report.findings == ()
    assert not any(where("rand-changed", pull(0), response(replace(AGAIN, rand=bytes(range(16))), 60)))


# Verification messages


def test_an_answer_to_an_ltkm_in_a_response_answers_something() -> None:
    message = reference.push(FIRST, v=True)
    asked = reference.exchange([FIRST.msk_id], [(FIRST, "200 OK", message)])
    assert "verification-requested" in reports([asked])[0].rules
    assert where("verification-unmatched", asked, answer(FIRST, 1)) == [False, False]
    assert where("verification-unmatched", answer(FIRST, 1)) == [True]


def test_the_same_answer_captured_twice_is_a_note() -> None:
    pushed, answered = push(FIRST, 0, v=True), answer(FIRST, 1)
    first, second = reports([pushed, answered, replace(answered, id="copy")])[1:]
    assert "datagram-captured-twice" in {note.rule for note in second.notes}
    assert "datagram-captured-twice" not in {note.rule for note in first.notes}
    assert (first.findings, second.findings) == ((), ())


def test_of_several_pushes_with_one_csb_id_the_likeliest_is_answered() -> None:
    mine, others = replace(FIRST, csb_id=0), [replace(FIRST, csb_id=0), replace(SECOND, csb_id=0)]
    events = [push(mine, 0, v=True), *(push(each, at, terminal=OTHER_TERMINAL) for at, each in enumerate(others, 1))]
    assert reports([*events, answer(mine, 3)])[-1].findings == ()


def signed(appended: Callable[[Message, Message], bytes]) -> Datagram:
    """Build an answer whose MAC covers these octets after the message."""
    pushed = reference.push(FIRST, v=True)
    message = reference.verification(pushed)
    covered = message.encode()[:-20] + appended(pushed, message)
    key = message_key(TERMINAL.muk, AUTHENTICATION, FIRST.csb_id, FIRST.rand, 20, 0)
    return sent(
        replace(message, payloads=(*message.payloads[:-1], Verification(1, hmac.digest(key, covered, "sha1")))), 1
    )


def names(message: Message) -> bytes:
    return b"".join(each.value for each in message.of(Identity))


def payloads(message: Message) -> bytes:
    return b"".join(b"\0" + each.push() for each in message.of(Identity))


READINGS: dict[str, Callable[[Message, Message], bytes]] = {
    "names, counter": lambda pushed, answer: names(pushed) + answer.of(Timestamp)[0].value,
    "names, 64 bits": lambda pushed, answer: names(pushed) + bytes(4) + answer.of(Timestamp)[0].value,
    "names, type and counter": lambda pushed, answer: names(pushed) + b"\2" + answer.of(Timestamp)[0].value,
    "payloads": lambda pushed, answer: payloads(pushed) + b"\0\2" + answer.of(Timestamp)[0].value,
    "nothing but 64 bits": lambda _, answer: bytes(4) + answer.of(Timestamp)[0].value,
}


@pytest.mark.parametrize("reading", READINGS)
def test_the_mac_of_an_answer_verifies_in_every_reading(reading: str) -> None:
    report = reports([push(FIRST, 0, v=True), signed(READINGS[reading])])[-1]
    assert report.findings == ()
    noted = {note.rule: note for note in report.notes}
    assert ("verification-mac-unusual" in noted) is (reading != "names, counter")
    if "verification-mac-unusual" in noted:
        assert NATURAL in noted["verification-mac-unusual"].hint


def test_a_mac_over_something_else_is_found_if_the_muk_is_known() -> None:
    events = [push(FIRST, 0, v=True), signed(lambda pushed, answer: b"x")]
    assert "verification-mac-invalid" in reports(events)[-1].rules
    for keys in (KeyRing(), KeyRing((OTHER_TERMINAL.subscriber,))):
        outcome = reports(events, keys)[-1].outcomes["verification-mac-invalid"]
        assert outcome.answer is Answer.NOT_APPLICABLE


def test_one_cause_has_one_finding() -> None:
    pushed, answered = push(FIRST, 0, v=True), answer(FIRST, 1)
    cut = replace(answered, octets=answered.octets[:-5])
    assert [*reports([pushed, cut])[-1].rules] == ["verification-malformed"]
    alone = replace(answered, octets=answered.octets[:12])
    assert [*reports([pushed, alone])[-1].rules] == ["verification-malformed"]
    two = replace(answered, octets=answered.octets * 2)
    (finding,) = reports([pushed, two])[-1].findings
    assert (finding.rule, finding.hint) == ("datagram-crowded", "they begin like another MIKEY message")
    length = len(answered.octets)
    assert finding.span is not None
    assert (finding.span.start, finding.span.end) == (length, 2 * length)


def test_two_messages_in_a_push_are_said_to_be_so() -> None:
    pushed = push(FIRST, 0)
    (finding,) = reports([request(FIRST.msk_id, 0), replace(pushed, octets=pushed.octets * 2)])[-1].findings
    assert (finding.rule, finding.hint) == ("octets-left-over", "they begin like another MIKEY message")


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({}, 0),
        ({"client": "[2001:db8::1]:2269", "server": "[2001:db8::2]:2269"}, 0),
        ({"client": "192.0.2.1:40000"}, 1),
        ({"client": "192.0.2.1:40000", "server": "[2001:db8::2]:5"}, 2),
        ({"client": "", "server": ""}, 0),
    ],
)
def test_a_push_from_or_to_another_port_is_found(fields: dict[str, Any], broken: int) -> None:
    (report,) = reports([replace(push(FIRST, 0), **fields)])
    assert [each.rule for each in report.findings] == ["push-port-unusual"] * broken


def test_what_a_terminal_sends_from_another_port_is_not_a_push() -> None:
    events = [push(FIRST, 0, v=True), replace(answer(FIRST, 1), client="192.0.2.1:40000")]
    assert reports(events)[-1].findings == ()


@pytest.mark.parametrize("octets", [b"", b"\1", b"\1\1", bytes(30), b"\1\1" + bytes(8), b"\1\1\5\0" + bytes(60)])
@pytest.mark.parametrize("direction", [Direction.TO_TERMINAL, Direction.FROM_TERMINAL])
def test_no_datagram_crashes_a_rule(octets: bytes, direction: Direction) -> None:
    stray = Datagram(octets, id="stray", direction=direction)
    reports([push(FIRST, 0, v=True), stray, answer(FIRST, 1)])
    assert decode(octets).encode() == octets
