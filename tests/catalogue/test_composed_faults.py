"""Faults composed at random crash no rule; terminals that take turns give the findings that each gives alone."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.exchange import Exchange
from ltkm_inspect.fault import FAULTS, Application, FaultError
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.reference import FIRST, OTHER_TERMINAL, TERMINAL, Terminal
from ltkm_inspect.session import Session

load()
STRICT = Settings(debug=True, strict=True, expect="always")
THIRD_TERMINAL = Terminal(
    "UVJTVFVWV1hZWjAxMjM0NQ==@bsf.home1.net", bytes(range(0x90, 0xB0)), bytes(32), "192.0.2.10:40003"
)
TERMINALS = (TERMINAL, OTHER_TERMINAL, THIRD_TERMINAL)


@given(
    name=st.sampled_from(sorted(reference.REFERENCES)),
    ids=st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=3, unique=True),
    keys=st.sampled_from([reference.KEYS, KeyRing()]),
    settings=st.sampled_from([Settings(debug=True), STRICT]),
)
@settings(max_examples=400)
def test_faults_composed_at_random_never_crash_a_rule(
    name: str, ids: list[str], keys: KeyRing, settings: Settings
) -> None:
    *before, last = reference.reference(name)
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
@settings(max_examples=200)
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
def told(terminal: int, story: tuple[str, ...]) -> tuple[Exchange, ...]:
    """Return a session of one terminal: a delivery for each word of the story, what the word says wrong with it."""
    who = TERMINALS[terminal]
    session = Session()
    exchanges: list[Exchange] = []
    for nc, word in enumerate(story, 1):
        grant = replace(FIRST, counter=100 + nc, csb_id=nc)
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
    """Return the findings and notes of each exchange by its id, when they are inspected as one session."""
    context = Context(Settings(debug=True), session=Session())
    found = {}
    for exchange in exchanges:
        report = inspect(exchange, context)
        found[exchange.id] = [finding.line for finding in (*report.findings, *report.notes)]
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
