"""Faults composed at random crash no rule; terminals that take turns give the findings that each gives alone."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import FIRST, OTHER_TERMINAL, TERMINAL, ReferenceTerminal
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange

load()
STRICT = Settings(debug=True, strict=True, expect="always")
THIRD_TERMINAL = ReferenceTerminal(
    "UVJTVFVWV1hZWjAxMjM0NQ==@bsf.home1.net", bytes(range(0x90, 0xB0)), bytes(32), "192.0.2.10:40003"
)
TERMINALS = (TERMINAL, OTHER_TERMINAL, THIRD_TERMINAL)


@given(
    name=st.sampled_from(sorted((*reference.REFERENCES, *reference.DATAGRAM_REFERENCES))),
    ids=st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=3, unique=True),
    keys=st.sampled_from([reference.KEYS, KeyRing()]),
    settings=st.sampled_from([Settings(debug=True), STRICT]),
)
@settings(max_examples=4 * settings().max_examples)
def test_faults_composed_at_random_never_crash_a_rule(
    name: str, ids: list[str], keys: KeyRing, settings: Settings
) -> None:
    *before, last = reference.events(name)
    context = Context(settings, keys, Session())
    for exchange in before:
        inspect(exchange, context)
    for id in ids:
        # What one fault took away another cannot damage, which it says in one line; any other error is a mistake.
        with suppress(FaultError):
            last = inject(last, [Application(FAULTS[id])], context)
    inspect(last, context)
    again = inspect(last, replace(context, session=None))
    assert "rule-crashed" not in set(again.rules)


@given(
    ids=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=2, unique=True),
    name=st.sampled_from(["download", "streaming", "several-keys", "plain-message"]),
)
@settings(max_examples=2 * settings().max_examples)
def test_what_is_remembered_of_messages_changes_no_report(ids: list[str], name: str) -> None:
    """Messages like one that was right are not looked at again: that must not hide anything."""
    context = Context(Settings(debug=True))
    damaged = reference.reference(name)[-1]
    for id in ids:
        with suppress(FaultError):
            damaged = inject(damaged, [Application(FAULTS[id])], context)
    first = inspect(damaged, Context(Settings(debug=True)))  # settings of its own: nothing is remembered
    inspect(reference.reference(name)[-1], context)
    second = inspect(damaged, context)
    third = inspect(damaged, context)
    for report in (second, third):
        assert [each.line for each in report.findings] == [each.line for each in first.findings]
        assert [each.line for each in report.notes] == [each.line for each in first.notes]
        assert report.outcomes == first.outcomes


@cache
def without_fast_passes() -> Settings:
    """Return settings under which every rule is asked, whatever fast check it shares with others."""
    settings = Settings(debug=True)
    passes = {id: rule for id, rule in RULES.items() if rule.fast_pass is not None}
    RULES.update((id, replace(rule, fast_pass=None)) for id, rule in passes.items())
    try:
        inspect(reference.reference("download")[0], Context(settings))  # which is when the rules are gathered
    finally:
        RULES.update(passes)
    return settings


WITH_FAST_PASSES = Settings(debug=True)


@given(
    name=st.sampled_from(sorted(reference.REFERENCES)),
    ids=st.lists(st.sampled_from(sorted(FAULTS)), min_size=0, max_size=3, unique=True),
)
@example("download", ["zero-requested-key-group", "reserve-key-group"])
@settings(max_examples=6 * settings().max_examples)
def test_a_fast_check_that_rules_share_changes_no_report(name: str, ids: list[str]) -> None:
    """Where a fast check is true, the rules that share it have nothing to say: no finding, no note."""
    *before, last = reference.reference(name)
    context = Context(WITH_FAST_PASSES, session=Session())
    for exchange in before:
        inspect(exchange, context)
    for id in ids:
        with suppress(FaultError):
            last = inject(last, [Application(FAULTS[id])], context)
    looked = inspect(last, context, remember=False)
    asked = inspect(last, Context(without_fast_passes(), session=context.session), remember=False)
    assert [each.line for each in looked.findings] == [each.line for each in asked.findings]
    assert [each.line for each in looked.notes] == [each.line for each in asked.notes]
    assert looked.outcomes == asked.outcomes


@pytest.mark.parametrize("id", FAULTS)
def test_no_look_hides_a_fault(id: str) -> None:
    *before, last = reference.events(FAULTS[id].reference)
    context = Context(WITH_FAST_PASSES, reference.KEYS, Session())
    for exchange in before:
        inspect(exchange, context)
    damaged = inject(last, [Application(FAULTS[id])], context)
    looked = inspect(damaged, context, remember=False)
    asked = inspect(damaged, replace(context, settings=without_fast_passes()), remember=False)
    assert looked.outcomes == asked.outcomes


@given(
    at=st.integers(0, 2000),
    octets=st.one_of(
        st.binary(max_size=3), st.sampled_from([b"&#32;", b"<x/>", b" ", b"<!---->", b' a="1"', b"0", b"Z"])
    ),
    cut=st.integers(0, 3),
    header=st.sampled_from(["", "Authorization", "Content-Type", "User-Agent", "Authentication-Info", "Host"]),
)
@example(527, b"<x/>", 0, "")
@settings(max_examples=4 * settings().max_examples)
def test_a_look_hides_nothing_in_damaged_text(at: int, octets: bytes, cut: int, header: str) -> None:
    exchange = reference.reference("several-keys")[-1]
    assert exchange.response is not None

    def damaged(text: bytes) -> bytes:
        place = at % (len(text) + 1)
        return text[:place] + octets + text[place + cut :]

    if not header:
        exchange = replace(exchange, response=exchange.response.with_content(damaged(exchange.response.body or b"")))
    for name in ("request", "response"):
        message = getattr(exchange, name)
        value = message.headers.get(header)
        if value is not None:
            text = damaged(value.encode()).decode("utf-8", "surrogateescape")
            message = replace(message, headers=message.headers.put(header, text))
            exchange = replace(exchange, **{name: message})
    assert (
        inspect(exchange, Context(WITH_FAST_PASSES)).outcomes
        == inspect(exchange, Context(without_fast_passes())).outcomes
    )


@cache
def told(terminal: int, story: tuple[str, ...]) -> tuple[Exchange, ...]:
    """Return a session of one terminal: a delivery for each word of the story, what the word says wrong with it."""
    who = TERMINALS[terminal]
    session = Session()
    exchanges: list[Exchange] = []
    for nc, word in enumerate(story, 1):
        msk_id = bytes((1, terminal, 0, 1))  # an MSK that another terminal gets as well is compared with that
        grant = replace(FIRST, counter=100 + nc, csb_id=nc, msk_id=msk_id, rand=bytes(range(terminal, terminal + 16)))
        item = (grant, "200 OK", reference.ltkm(grant, who))
        at = nc * 100 + terminal
        built = reference.exchange([grant.msk_id], [item], terminal=who, nc=nc, at=at, id=f"{terminal}-{nc}")
        if word != "clean":
            with suppress(FaultError):  # the first exchange has nothing before it to repeat
                built = inject(built, [Application(FAULTS[word])], Context(keys=KeyRing(), session=session))
        session.take(built)
        exchanges.append(built)
    return tuple(exchanges)


WORDS = ["clean", "clean", "replay-ltkm", "repeat-counter", "rewind-counter", "replace-rand", "repeat-nonce-count"]
WORDS += ["lower-nonce-count", "strip-ltkm", "shorten-rand", "flip-bit"]
STORY = st.lists(st.sampled_from([word for word in WORDS if word == "clean" or word in FAULTS]), min_size=2, max_size=5)


def said(exchanges: Sequence[Exchange]) -> dict[str, list[str]]:
    """Return the findings and notes of each exchange by its id, when they are inspected as one session.

    What is said of one RAND for the MSKs of several terminals depends on their turns: it is left out.
    """
    context = Context(Settings(debug=True), session=Session())
    found = {}
    for exchange in exchanges:
        report = inspect(exchange, context)
        both = (*report.findings, *report.notes)
        found[exchange.id] = [finding.line for finding in both if finding.rule != "rand-shared"]
    return found


@given(stories=st.tuples(STORY, STORY, STORY), turns=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_findings_do_not_depend_on_how_terminals_take_turns(stories: tuple[list[str], ...], turns: object) -> None:
    sessions = [told(number, tuple(story)) for number, story in enumerate(stories)]
    alone: dict[str, list[str]] = {}
    for session in sessions:
        alone |= said(session)
    waiting = [list(session) for session in sessions]
    mixed = []
    while any(waiting):
        chosen = turns.choice([each for each in waiting if each])  # type: ignore[attr-defined]
        mixed.append(chosen.pop(0))
    assert said(mixed) == alone
