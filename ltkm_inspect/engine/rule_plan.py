"""Which rules are run under which settings, and in which groups."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple

from ltkm_inspect import catalogue
from ltkm_inspect.context import Settings
from ltkm_inspect.finding import Answer, Level, NotApplicable, Outcome
from ltkm_inspect.mikey import PAYLOADS, Message
from ltkm_inspect.rule import RULES, Check, FastPass, Need, Rule
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.subject import KINDS
from ltkm_inspect.traffic import Exchange, LtkmElement

PASSED = Outcome(Answer.PASSED)
MESSAGE_KINDS = frozenset({Message, *PAYLOADS.values()})
"""The subjects in a message, itself included."""

catalogue.load()


@lru_cache(maxsize=16)
def plan(settings: Settings) -> Mapping[type, tuple[Rule, ...]]:
    """Return the rules that these settings select, by the subject that they look at."""
    chosen: dict[type, list[Rule]] = {}
    for rule in RULES.values():
        names = rule.names()
        wanted = not settings.select or names & settings.select
        if wanted and not names & settings.ignore and settings.severity.get(rule.id) is not Level.OFF:
            chosen.setdefault(rule.on, []).append(rule)
    return {on: tuple(rules) for on, rules in chosen.items()}


class SimilarRules(NamedTuple):
    """Rules that share a fast check, which is then made once for all of them."""

    fast_pass: FastPass | None
    rules: list[tuple[Rule, Check, bool]]
    """Rule, its function with the options of the settings, and whether that takes the context."""


class NeedGroup(NamedTuple):
    """Rules on one subject that share a need, so that this is looked at once for all of them."""

    need: Need | None
    """None for all rules on a subject."""
    passed: dict[str, Outcome]
    """The answers of all of them where nothing is wrong."""
    alike: list[SimilarRules]
    """The rules that have no need besides."""
    further: "list[NeedGroup]"
    """The other ones, by their next need."""


type Groups = Mapping[type, NeedGroup]


@lru_cache(maxsize=48)
def groups(settings: Settings, shape_only: bool | None = None) -> Groups:
    """Return the selected rules by subject; with `shape_only` only those on messages that declare it, or do not."""
    plans = plan(settings) if shape_only is None else _plan_of_messages(settings, shape_only)
    return {on: _group(None, [(rule.needs, rule) for rule in rules], settings) for on, rules in plans.items()}


def _group(need: Need | None, rules: Sequence[tuple[tuple[Need, ...], Rule]], settings: Settings) -> NeedGroup:
    """Return the rules that share a need, each given with the needs that are not yet looked at, as a group."""
    by_need: dict[Need, list[tuple[tuple[Need, ...], Rule]]] = {}
    for needs, rule in rules:
        if needs:
            by_need.setdefault(needs[0], []).append((needs[1:], rule))
    alike = _similar([rule for needs, rule in rules if not needs], settings)
    further = [_group(each, mine, settings) for each, mine in by_need.items()]
    return NeedGroup(need, {rule.id: PASSED for _, rule in rules}, alike, further)


def _similar(rules: Iterable[Rule], settings: Settings) -> list[SimilarRules]:
    found: dict[FastPass | None, SimilarRules] = {}
    for rule in rules:
        options = settings.options.get(rule.id)
        check = partial(rule.check, **options) if options else rule.check
        alike = found.setdefault(rule.fast_pass, SimilarRules(rule.fast_pass, []))
        alike.rules.append((rule, check, rule.takes_context))
    return [*found.values()]


def _plan_of_messages(settings: Settings, shape_only: bool) -> Mapping[type, tuple[Rule, ...]]:
    """Return the selected rules on messages and payloads that look at the shape alone, or the others."""
    found = {
        on: tuple(rule for rule in rules if rule.shape_only is shape_only)
        for on, rules in plan(settings).items()
        if on in MESSAGE_KINDS
    }
    return {on: rules for on, rules in found.items() if rules}


@lru_cache(maxsize=256)
def not_applicable(reason: str) -> NotApplicable:
    """Return the answer for a reason; the same reasons are given again and again, and nobody changes an answer."""
    return NotApplicable(reason)


@lru_cache(maxsize=16)
def unanswered(settings: Settings) -> Mapping[str, Outcome]:
    """Return what each rule answers for an event in which it finds no subject."""
    chosen = {rule.id for rules in plan(settings).values() for rule in rules}
    by_subject: dict[type, list[Rule]] = {}
    for rule in RULES.values():
        by_subject.setdefault(KINDS[rule.on].listed_with, []).append(rule)
    listed = (rule for rules in by_subject.values() for rule in rules if rule.id in chosen)
    return {rule.id: NotApplicable(f"the exchange has no {rule.subject}") for rule in listed}


def of_datagram(outcomes: Mapping[str, Outcome], settings: Settings) -> Mapping[str, Outcome]:
    """Return the answers for a datagram: where a rule found no subject, the reason says that it is in a datagram."""
    general, specific = unanswered(settings), _unanswered_in_datagram(settings)
    return {id: specific[id] if outcome is general[id] else outcome for id, outcome in outcomes.items()}


@lru_cache(maxsize=16)
def _unanswered_in_datagram(settings: Settings) -> Mapping[str, Outcome]:
    return {id: NotApplicable(_reason_in_datagram(RULES[id])) for id in unanswered(settings)}


def _reason_in_datagram(rule: Rule) -> str:
    if rule.on in (Exchange, SessionEvent):
        return "a datagram is not an HTTP exchange"
    if rule.on is LtkmElement:
        return "an LTKM in a datagram is not in an element"
    return f"the datagram has no {rule.subject}"


@lru_cache(maxsize=16)
def unanswered_in_messages(settings: Settings) -> Mapping[str, Outcome]:
    """Return the same for the rules on messages and payloads."""
    return _of(settings, (rules for on, rules in plan(settings).items() if on in MESSAGE_KINDS))


@lru_cache(maxsize=16)
def unanswered_by_shape(settings: Settings) -> Mapping[str, Outcome]:
    """Return the same for those of them that look at the shape alone."""
    return _of(settings, _plan_of_messages(settings, True).values())


def _of(settings: Settings, chosen: Iterable[tuple[Rule, ...]]) -> Mapping[str, Outcome]:
    return {rule.id: unanswered(settings)[rule.id] for rules in chosen for rule in rules}


@cache
def ranks() -> Mapping[str, int]:
    """Return the place of each rule in the catalogue, which is the order of the findings at one place."""
    return {id: rank for rank, id in enumerate(RULES)}
