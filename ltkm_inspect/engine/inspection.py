"""Runs the rules over everything in an exchange and makes their problems into findings that point."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ltkm_inspect import catalogue, mikey
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.exchange import Document, Exchange, Ltkm
from ltkm_inspect.finding import Answer, Finding, Level, NotApplicable, Outcome, Place, Problem, Report
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.wire import Span

RULE_CRASHED = "rule-crashed"
NOT_CHECKED_IN_FULL = "not-checked-in-full"
OWN_FINDINGS = {
    RULE_CRASHED: "A rule could not be run on this exchange.",
    NOT_CHECKED_IN_FULL: "Not all of the exchange was checked: it is larger than the limit, or was not captured.",
}
"""Warnings that the engine itself makes, outside the catalogue, with their titles."""

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


@dataclass(frozen=True, slots=True)
class _Site:
    """A subject of an exchange, and what leads to it."""

    subject: Any
    item: int | None = None
    ltkm: Ltkm | None = None
    payload: int | None = None
    """Index of the payload that the subject is."""
    element: Any = None

    @property
    def path(self) -> str:
        """The field path of the payload that the subject is, worked out when something is wrong with it."""
        if self.payload is None or self.ltkm is None or self.ltkm.message is None:
            return ""
        return mikey.path_of(self.ltkm.message, self.payload)

    def below(self, path: str) -> str:
        """Return a field path below the subject as one of the whole message."""
        return ".".join(part for part in (self.path, path) if part)

    def place(self, path: str, element: Any = None) -> Place:
        joined = self.below(path)
        if not isinstance(self.subject, Document):
            return Place(self.item, self.ltkm.number if self.ltkm else None, joined)
        item = None if element is None else self.subject.item_of(element)
        return Place(None, None, joined or "document") if item is None else Place(item.number, None, joined)


def inspect(exchange: Exchange, context: Context | None = None) -> Report:
    """Return what the selected rules say of an exchange; a rule that crashes becomes a finding."""
    context = context or Context()
    rules = plan(context.settings)
    outcomes = dict(_unanswered(context.settings))
    said: list[Finding] = []
    for site in _sites(exchange, rules):
        if isinstance(site, Finding):
            said.append(site)
            continue
        for rule in rules.get(type(site.subject), ()):
            _run(rule, site, context, outcomes, said)
    document = exchange.document
    return Report(
        exchange,
        findings=tuple(finding for finding in said if finding.level >= Level.WARNING),
        notes=tuple(finding for finding in said if finding.level is Level.NOTE),
        outcomes=outcomes,
        items=len(document.items) if document else 0,
        ltkms=len(document.ltkms) if document else 0,
    )


def _sites(exchange: Exchange, rules: Mapping[type, tuple[Rule, ...]]) -> Iterator[_Site | Finding]:
    """Walk an exchange from the outside in: exchange, document, then each item with its LTKMs."""
    yield _Site(exchange)
    limits = exchange.limits
    if exchange.response is None:
        yield _not_in_full("a response", exchange.error or "none", "nothing came that could be checked")
    elif exchange.response.body is None and exchange.may_have_body:
        hint = "streamed past, or the connection ended: nothing of the document was checked"
        yield _not_in_full("the body of the response", exchange.error or "none", hint)
    for side, body in (("request", exchange.asked), ("response", exchange.content)):
        if body is not None and body.truncated:
            yield _not_in_full(f"at most {limits.octets} octets of {side} body", "more")
    document = exchange.document
    if document is None:
        return
    yield _Site(document, element=document.root)
    if not document.xml.well_formed:
        return
    ltkms = document.ltkms
    if limits.ltkms is not None and len(ltkms) > limits.ltkms:
        yield _not_in_full(f"at most {limits.ltkms} LTKMs", str(len(ltkms)))
    checked = frozenset(ltkms[: limits.ltkms])
    for ltkm in document.strays:
        if ltkm in checked:
            yield from _ltkm_sites(ltkm, None, rules)
    for item in document.items:
        yield _Site(item, item.number, element=item.element)
        for ltkm in item.ltkms:
            if ltkm in checked:
                yield from _ltkm_sites(ltkm, item.number, rules)


def _ltkm_sites(ltkm: Ltkm, item: int | None, rules: Mapping[type, tuple[Rule, ...]]) -> Iterator[_Site]:
    yield _Site(ltkm, item, ltkm, element=ltkm.element)
    message = ltkm.message
    if message is None:
        return
    yield _Site(message, item, ltkm)
    if message.problem is not None:
        return  # what was read before the damage may only look wrong because of it: one cause, one finding
    for index, payload in enumerate(message.payloads):
        if type(payload) in rules:
            yield _Site(payload, item, ltkm, index)


def _run(rule: Rule, site: _Site, context: Context, outcomes: dict[str, Outcome], said: list[Finding]) -> None:
    """Run one rule on one subject: add its findings to what is said, and keep its answer."""
    answer = _PASSED
    try:
        for need in rule.needs:
            reason = need.missing(site.subject, context)
            if reason is not None:
                _answer(outcomes, rule, Outcome(Answer.NOT_APPLICABLE, reason))
                return
        for found in rule.check(site.subject, context):
            if isinstance(found, NotApplicable):
                answer = Outcome(Answer.NOT_APPLICABLE, found.reason)
            else:
                answer = _BROKEN
                said.append(_finding(rule, found, site, context))
        _answer(outcomes, rule, answer)
    except Exception as error:  # law 1: no input makes a hook raise
        if context.settings.debug:
            raise
        said.append(_crashed(rule, site, error))


def _crashed(rule: Rule, site: _Site, error: Exception) -> Finding:
    """Return the finding that a rule crashed; the text of the error may hold what must not be shown."""
    return Finding(
        RULE_CRASHED,
        Level.WARNING,
        OWN_FINDINGS[RULE_CRASHED],
        site.place(""),
        expected=f"an answer of {rule.id}",
        got=type(error).__name__,
        hint="please report this with the flow",
    )


_PASSED = Outcome(Answer.PASSED)
_BROKEN = Outcome(Answer.BROKEN)


def _answer(outcomes: dict[str, Outcome], rule: Rule, answer: Outcome) -> None:
    """Keep the strongest answer of a rule over all its subjects: broken, then passed, then not applicable."""
    kept = outcomes[rule.id]
    if kept is not answer and kept is not _BROKEN and (answer is _BROKEN or kept is not _PASSED):
        outcomes[rule.id] = answer


@lru_cache(maxsize=16)
def _unanswered(settings: Settings) -> Mapping[str, Outcome]:
    """Return what each rule answers for an exchange in which it finds no subject."""
    chosen = (rule for rules in plan(settings).values() for rule in rules)
    return {rule.id: Outcome(Answer.NOT_APPLICABLE, f"the exchange has no {rule.subject}") for rule in chosen}


def _finding(rule: Rule, problem: Problem, site: _Site, context: Context) -> Finding:
    span, span_of = _locate(problem, site)
    return Finding(
        rule.id,
        rule.effective(problem, context.settings),
        rule.title,
        site.place(problem.path, problem.element),
        problem.expected,
        problem.got,
        problem.hint,
        rule.clauses,
        span,
        span_of,
    )


def _locate(problem: Problem, site: _Site) -> tuple[Span | None, str]:
    """Return the octets that a problem is at: of the message for what is inside one, of the body for an element."""
    if site.ltkm is not None:
        inside = site.element is None
        path = site.below(problem.path)
        span = problem.span if inside else None
        span = span or (site.ltkm.spans.get(path) if path else None)
        if inside or span is not None:
            return span, "message" if span else ""
    if site.element is None and problem.element is None and problem.span is None:
        return None, ""
    if problem.span is not None:
        return problem.span, "body"
    document = site.subject if isinstance(site.subject, Document) else site.subject.document
    element = site.element if problem.element is None else problem.element
    place = document.xml.place(element)
    return (Span(place.octets.start, place.octets.end), "body") if place is not None else (None, "")


LARGER = "raise ltkm_limit, or check the saved flow from the command line, which has no limit"


def _not_in_full(expected: str, got: str, hint: str = LARGER) -> Finding:
    title = OWN_FINDINGS[NOT_CHECKED_IN_FULL]
    return Finding(NOT_CHECKED_IN_FULL, Level.WARNING, title, Place(), expected, got, hint)
