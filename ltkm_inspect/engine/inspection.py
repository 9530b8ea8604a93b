"""Runs the rules over everything in an exchange and makes their problems into findings that point."""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.finding import (
    EVENT_CRASHED,
    RULE_CRASHED,
    Answer,
    Finding,
    Level,
    NotApplicable,
    Outcome,
    Place,
    Problem,
    Report,
)
from ltkm_inspect.mikey import PAYLOADS, Message, message_shape
from ltkm_inspect.rule import RULES, Check, FastPass, Need, Rule
from ltkm_inspect.session import DeliveredLtkm, Session, SessionEvent
from ltkm_inspect.traffic import Document, Exchange, Gap, Ltkm, LtkmElement, Request
from ltkm_inspect.wire import Span, crash_of

NOT_CHECKED_IN_FULL = "not-checked-in-full"
OWN_FINDINGS = {
    RULE_CRASHED: "A rule could not be run on this exchange.",
    EVENT_CRASHED: "The exchange could not be checked, because the program failed on it.",
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


class _Alike(NamedTuple):
    """Rules that share a fast check, which is then made once for all of them."""

    fast_pass: FastPass | None
    rules: list[tuple[str, Rule, Check, bool]]
    """Id, rule, its function with the options of the settings, and whether that takes the context."""
    passed: dict[str, Outcome]
    """The answers of all of them where the fast check is true."""


class _Group(NamedTuple):
    """Rules on one subject with the same needs, so that these are looked at once for all of them."""

    needs: tuple[Need, ...]
    ids: list[str]
    alike: list[_Alike]


@lru_cache(maxsize=48)
def _groups(settings: Settings, shape_only: bool | None = None) -> Mapping[type, list[_Group]]:
    """Return the selected rules by subject; with `shape_only` only those on messages that declare it, or do not."""
    made: dict[type, list[_Group]] = {}
    plans = plan(settings).items() if shape_only is None else _plan_of_messages(settings, shape_only).items()
    for on, rules in plans:
        groups: dict[tuple[Need, ...], dict[FastPass | None, _Alike]] = {}
        for rule in rules:
            options = settings.options.get(rule.id)
            check = partial(rule.check, **options) if options else rule.check
            group = groups.setdefault(rule.needs, {})
            alike = group.setdefault(rule.fast_pass, _Alike(rule.fast_pass, [], {}))
            alike.rules.append((rule.id, rule, check, rule.takes_context))
            alike.passed[rule.id] = _PASSED
        made[on] = [
            _Group(needs, [id for alike in group.values() for id in alike.passed], list(group.values()))
            for needs, group in groups.items()
        ]
    return made


@dataclass(slots=True)
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
        return self.ltkm.message.paths[self.payload]

    def below(self, path: str) -> str:
        """Return a field path below the subject as one of the whole message."""
        if self.payload is None:
            return path
        return ".".join(part for part in (self.path, path) if part)

    def place(self, path: str, element: Any = None) -> Place:
        joined = self.below(path)
        if not isinstance(self.subject, Document):
            return Place(self.item, self.ltkm.number if self.ltkm else None, joined)
        item = None if element is None else self.subject.item_of(element)
        return Place(None, None, joined or "document") if item is None else Place(item.number, None, joined)


def inspect(exchange: Exchange, context: Context | None = None, *, remember: bool = True) -> Report:
    """Return what the selected rules say of an exchange; what crashes becomes a finding.

    The session of the context remembers the exchange, unless it is only looked at (`remember=False`), or a fault was
    put into it: what the server sends next is not to be measured by what it did not send.
    """
    context = context or Context()
    return inspect_step(SessionEvent(exchange, None, context.keys), context, remember=remember)


def inspect_step(step: SessionEvent, context: Context, *, remember: bool = True) -> Report:
    """Return the same of an exchange that was made a step, with the keys of the context, before its turn came."""
    return place(step, context, remember=remember) or judge(step, context)


def prepare(step: SessionEvent) -> None:
    """Work out what the session keeps of a step: its exchange is read, decoded and opened with the keys.

    That takes no session, so it may be done before the turn of the step comes. What fails will fail again in its place.
    """
    with suppress(Exception):
        _ = step.seen


def place(step: SessionEvent, context: Context, *, remember: bool = True) -> Report | None:
    """Give a step its place in the session; return the report of one that the program fails on, None for any other."""
    session = context.session or Session()
    try:
        session.place(step, remember=remember and not step.exchange.faults)
    except Exception as error:
        return _report_of_failure(step, context, error)
    return None


def judge(step: SessionEvent, context: Context) -> Report:
    """Return what the selected rules say of a step that has its place in the session."""
    try:
        return _judged(step, context)
    except Exception as error:  # law 1: no input makes a hook raise
        return _report_of_failure(step, context, error)


def _report_of_failure(step: SessionEvent, context: Context, error: Exception) -> Report:
    if context.settings.debug:
        raise error
    return crashed(_bare(step.exchange), error, context)


def crashed(exchange: Exchange, error: Exception, context: Context) -> Report:
    """Return the report of an exchange that the program failed on, of which nothing else is looked at here."""
    unchecked = _not_applicable("the exchange could not be checked")
    return _report_of_crash(exchange, error, dict.fromkeys(_unanswered(context.settings), unchecked))


def presented[T](report: Report, present: Callable[[Report], T]) -> tuple[Report, T]:
    """Return what presents a report, and the report that it presents: one that says so where this crashes.

    A report that cannot be presented keeps its findings, unless it is them that cannot be.
    """
    try:
        return report, present(report)
    except Exception as error:
        bare, blank = _bare(report.exchange), _blank(report.exchange)
        least = _report_of_crash(bare, error, report.outcomes)
        findings, notes = (tuple(each.without_octets() for each in found) for found in (report.findings, report.notes))
        whole = replace(report, exchange=bare, findings=(*findings, *least.findings), notes=notes)
        for each in (whole, least, replace(least, exchange=blank)):
            with suppress(Exception):
                return each, present(each)
        raise


def _bare(exchange: Exchange) -> Exchange:
    """Return an exchange without its bodies, in which there is least to stumble over."""
    response = exchange.response
    return replace(
        exchange,
        request=replace(exchange.request, body=b""),
        response=None if response is None else replace(response, body=b""),
    )


def _blank(exchange: Exchange) -> Exchange:
    """Return an exchange of which no more is known than which one it is."""
    return Exchange(Request("", "", "", 0, ""), id=str(exchange.id), faults=exchange.faults)


def _report_of_crash(exchange: Exchange, error: Exception, outcomes: Mapping[str, Outcome]) -> Report:
    """Return the report of an exchange that could not be checked; the text of the error may hold what must not show."""
    finding = Finding(
        EVENT_CRASHED,
        Level.WARNING,
        OWN_FINDINGS[EVENT_CRASHED],
        Place(),
        expected="an exchange that can be checked",
        got=crash_of(error),
        hint=_PLEASE,
    )
    return Report(exchange, (finding,), outcomes=outcomes)


def _judged(step: SessionEvent, context: Context) -> Report:
    exchange = step.exchange
    inspection = _Inspection(context, exchange.limits.findings)
    inspection.look_at(step)
    if exchange.gaps:
        inspection.withhold(exchange)
    said = inspection.said
    document = exchange.document
    return Report(
        exchange,
        findings=tuple([finding for finding in said if finding.level >= Level.WARNING]),
        notes=tuple([finding for finding in said if finding.level is Level.NOTE]),
        outcomes=inspection.outcomes,
        items=len(document.items) if document else 0,
        ltkms=len(document.ltkms) if document else 0,
        left_out=inspection.left_out,
    )


class _Inspection:
    """One pass over an exchange, from the outside in."""

    def __init__(self, context: Context, most: int | None) -> None:
        self.context = context
        self.outcomes = dict(_unanswered(context.settings))
        self.said: list[Finding] = []
        self._most = most
        self._numbers: dict[tuple[str, Level], int] = {}
        self._total = 0
        self._broken: set[str] = set()
        self._groups = _groups(context.settings)
        self._shaped = _groups(context.settings, True)
        self._unshaped = _groups(context.settings, False)
        self._shapes = shape_cache(context.settings)
        self._merged: Mapping[str, Outcome] | None = None

    def look_at(self, step: SessionEvent) -> None:
        """Look at a step of the session, its exchange, the document, and each item with its LTKMs."""
        self._look_at(step)
        worse = [(number, rule) for (rule, level), number in self.left_out.items() if level > Level.NOTE]
        if worse:
            got = ", ".join(f"{number:,} more of {rule}" for number, rule in sorted(worse, reverse=True))
            hint = f"they are counted; {_larger('findings')}"
            self.said.append(_not_in_full(f"at most {self._most} findings of a rule", f"and {got}", hint))

    @property
    def left_out(self) -> Mapping[tuple[str, Level], int]:
        """How many findings of each rule and level were not kept."""
        most = self._most
        if most is None:
            return {}
        return {key: number - most for key, number in self._numbers.items() if number > most}

    def _look_at(self, step: SessionEvent) -> None:
        exchange = step.exchange
        self._look(_Site(step))
        self._look(_Site(exchange))
        self.said += _unseen(exchange)
        document = exchange.document
        if document is None:
            return
        self._look(_Site(document, element=document.root))
        if not document.xml.well_formed:
            return
        ltkms, most = document.ltkms, exchange.limits.ltkms
        checked: Container[Ltkm] = ltkms
        if most is not None and len(ltkms) > most:
            self.said.append(_not_in_full(f"at most {most} LTKMs", str(len(ltkms)), _larger("ltkms")))
            checked = frozenset(ltkms[:most])
        everything = checked is ltkms
        deliveries = {delivery.ltkm: delivery for delivery in step.deliveries}
        for element in document.elements_outside_items:
            if everything or element.ltkm in checked:
                self._ltkm(element, None, None)
        for item in document.items:
            self._look(_Site(item, item.number, element=item.element))
            for element in item.ltkm_elements:
                if everything or element.ltkm in checked:
                    self._ltkm(element, item.number, deliveries.get(element.ltkm))
        for opening in step.openings if step.keys else ():
            inside = opening.ltkm.item
            self._look(_Site(opening, inside.number if inside is not None else None, opening.ltkm))

    def withhold(self, exchange: Exchange) -> None:
        """Take back what was said of parts of the exchange that its capture lacks or damaged: nobody knows it."""
        hidden = {
            id: NotApplicable(_unknown(gap))
            for id, rule in RULES.items()
            if id in self.outcomes and (gap := next(filter(None, map(exchange.unknown, rule.looks_at)), None))
        }
        kept = []
        for finding in self.said:
            gap = exchange.unknown(finding.place.path)
            if finding.rule in RULES and gap is not None:
                hidden[finding.rule] = NotApplicable(_unknown(gap))
            elif finding.rule not in hidden:
                kept.append(finding)
        self.said = kept
        self.outcomes.update(hidden)

    def _ltkm(self, element: LtkmElement, item: int | None, delivery: DeliveredLtkm | None) -> None:
        ltkm = element.ltkm
        self._look(_Site(ltkm, item, ltkm, element=element.element))
        self._look(_Site(element, item, ltkm, element=element.element))
        message = ltkm.message
        if message is None:
            return
        if message.is_cut:
            self._cut(ltkm, message, item)
            return
        if message.problem is not None:
            # What was read before the damage may only look wrong because of it: one cause, one finding.
            self._look(_Site(message, item, ltkm))
            self._merged = {}
            return
        self._message(ltkm, message, item)
        if delivery is not None:
            self._look(_Site(delivery, item, ltkm))

    def _cut(self, ltkm: Ltkm, message: Message, item: int | None) -> None:
        """Say of a message that it has more payloads than were decoded: no rule is asked what it cannot know."""
        place = Place(item, ltkm.number)
        got = f"more, in {len(message.trailing)} octets that were not decoded"
        most = ltkm.event.limits.payloads
        self._keep(_not_in_full(f"at most {most} payloads of a message", got, _larger("payloads"), place))
        for id in _unanswered_in_messages(self.context.settings):
            if self.outcomes[id].answer is _NOT_APPLICABLE:
                self.outcomes[id] = _not_applicable("the message has more payloads than are decoded")
        self._merged = {}

    def _message(self, ltkm: Ltkm, message: Message, item: int | None) -> None:
        """Look at a message and its payloads; the rules that look at the shape alone are asked once for each shape."""
        assert ltkm.octets is not None
        shape = message_shape(message, ltkm.octets)
        known = self._shapes.answers.get(shape)
        if known is None:
            known = self._first_of_shape(ltkm, message, item, shape)
        elif self._unshaped:
            for site in _sites_in(ltkm, message, item):
                self._run(site, self._unshaped)
        if known is not self._merged:
            first, self._merged = self._merged is None, known
            outcomes = self.outcomes
            if first:  # no rule has answered for a message yet
                outcomes.update(known)
                return
            for id, answer in known.items():
                kept = outcomes[id]
                if kept.answer is _NOT_APPLICABLE or answer is _BROKEN:
                    outcomes[id] = answer

    def _first_of_shape(self, ltkm: Ltkm, message: Message, item: int | None, shape: bytes) -> Mapping[str, Outcome]:
        """Run all rules on a message and its payloads.

        Return what the rules answer that look at the shape alone. It is kept for the shape unless they found something.
        """
        outcomes, shaped = self.outcomes, dict(_unanswered_by_shape(self.context.settings))
        found = 0
        for site in _sites_in(ltkm, message, item):
            start, total = len(self.said), self._total
            self.outcomes = shaped
            self._run(site, self._shaped)
            found += self._total - total
            self.outcomes = outcomes
            self._run(site, self._unshaped)
            self._sort(start)
        answers: Mapping[str, Outcome] = shaped
        if not found:
            shapes = self._shapes
            if self._merged is not None and self._merged == answers:
                answers = self._merged  # the same mapping for similar shapes: then nothing needs to be merged
            elif shapes.latest == answers:
                answers = shapes.latest  # nor is there more than one kept
            if len(shapes.answers) >= MOST_SHAPES:
                shapes.answers.clear()
            if len(shape) <= LONGEST_SHAPE:
                shapes.answers[shape] = shapes.latest = answers
        return answers

    def _look(self, site: _Site) -> None:
        """Run all rules on one subject."""
        start = len(self.said)
        self._run(site, self._groups)
        self._sort(start)

    def _sort(self, start: int) -> None:
        """Put the findings from that one on, which are at one place, in order."""
        if len(self.said) > start + 1:
            self.said[start:] = sorted(self.said[start:], key=_rank)

    def _run(self, site: _Site, chosen: Mapping[type, list[_Group]]) -> None:
        """Run rules on one subject: add what they find to what is said, and keep their answers."""
        groups = chosen.get(type(site.subject))
        if groups is None:
            return
        subject, context, outcomes = site.subject, self.context, self.outcomes
        broken = self._broken
        for needs, ids, alikes in groups:
            if needs:
                missing = self._missing(needs, ids, site)
                if missing is not None:
                    for id in ids:
                        if outcomes[id].answer is _NOT_APPLICABLE:
                            outcomes[id] = missing
                    continue
            for fast_pass, rules, passed in alikes:
                try:
                    is_valid = fast_pass is not None and fast_pass(subject)
                except Exception:  # what it stumbled over the rules will meet themselves
                    is_valid = False
                if is_valid:
                    if passed.keys().isdisjoint(broken):
                        outcomes.update(passed)
                    else:
                        for id in passed.keys() - broken:
                            outcomes[id] = _PASSED
                    continue
                for id, rule, check, takes_context in rules:
                    silent = True
                    try:
                        for found in check(subject, context) if takes_context else check(subject):
                            silent = False
                            if type(found) is NotApplicable:
                                if outcomes[id].answer is _NOT_APPLICABLE:
                                    outcomes[id] = found
                            else:
                                self._say(rule, found, site)  # type: ignore[arg-type]
                                outcomes[id] = _BROKEN
                                broken.add(id)
                        if silent and outcomes[id] is not _BROKEN:
                            outcomes[id] = _PASSED
                    except Exception as error:  # law 1: no input makes a hook raise
                        self._keep(_crashed(rule, site, context, error))

    def _say(self, rule: Rule, problem: Problem, site: _Site) -> None:
        """Keep what a rule found, unless it found as much before; then it is counted."""
        level = rule.effective(problem, self.context.settings)
        if self._has_room(rule.id, level):
            self.said.append(_finding(rule, level, problem, site, self.context))

    def _keep(self, finding: Finding) -> None:
        """Keep a finding of the engine itself in the same way."""
        if self._has_room(finding.rule, finding.level):
            self.said.append(finding)

    def _has_room(self, id: str, level: Level) -> bool:
        self._total += 1
        number = self._numbers.get((id, level), 0) + 1
        self._numbers[id, level] = number
        return self._most is None or number <= self._most

    def _missing(self, needs: tuple[Need, ...], ids: list[str], site: _Site) -> NotApplicable | None:
        """Return why the rules with these needs do not apply to a subject; None where they do."""
        try:
            for need in needs:
                reason = need.missing(site.subject, self.context)
                if reason is not None:
                    return _not_applicable(reason)
        except Exception as error:
            self._keep(_crashed(RULES[ids[0]], site, self.context, error))
            return NotApplicable("whether it applies could not be found out")
        return None


MOST_SHAPES = 1024
"""How many shapes of messages without a finding are remembered."""
LONGEST_SHAPE = 4096
"""How many octets a shape has at most that is remembered."""
MESSAGE_KINDS = frozenset({Message, *PAYLOADS.values()})


@dataclass(slots=True)
class ShapeCache:
    """What the rules that look at the shape alone answer for the shapes of messages in which they found nothing.

    Several threads may share this: no step here needs another one to be undisturbed.
    """

    answers: dict[bytes, Mapping[str, Outcome]] = field(default_factory=dict)
    latest: Mapping[str, Outcome] = field(default_factory=dict)


@lru_cache(maxsize=16)
def shape_cache(settings: Settings) -> ShapeCache:
    """Return what is remembered under these settings."""
    return ShapeCache()


def _sites_in(ltkm: Ltkm, message: Message, item: int | None) -> Iterator[_Site]:
    yield _Site(message, item, ltkm)
    for index, payload in enumerate(message.payloads):
        yield _Site(payload, item, ltkm, index)


def _plan_of_messages(settings: Settings, shape_only: bool) -> Mapping[type, tuple[Rule, ...]]:
    """Return the selected rules on messages and payloads that look at the shape alone, or the others."""
    found = {
        on: tuple(rule for rule in rules if rule.shape_only is shape_only)
        for on, rules in plan(settings).items()
        if on in MESSAGE_KINDS
    }
    return {on: rules for on, rules in found.items() if rules}


@lru_cache(maxsize=16)
def _unanswered_by_shape(settings: Settings) -> Mapping[str, Outcome]:
    unanswered = _unanswered(settings)
    return {rule.id: unanswered[rule.id] for rules in _plan_of_messages(settings, True).values() for rule in rules}


@lru_cache(maxsize=16)
def _unanswered_in_messages(settings: Settings) -> Mapping[str, Outcome]:
    unanswered = _unanswered(settings)
    chosen = ((on, rules) for on, rules in plan(settings).items() if on in MESSAGE_KINDS)
    return {rule.id: unanswered[rule.id] for on, rules in chosen for rule in rules}


def _rank(finding: Finding) -> int:
    """Return the place of a finding's rule in the catalogue, which is the order of the findings at one place."""
    return _ranks().get(finding.rule, -1)


@cache
def _ranks() -> Mapping[str, int]:
    return {id: rank for rank, id in enumerate(RULES)}


def _unknown(gap: Gap) -> str:
    return f"the capture {'damaged' if gap.is_damage else 'does not keep'} it ({gap})"


def _unseen(exchange: Exchange) -> Iterator[Finding]:
    """Yield a finding for everything around the document that could not be looked at."""
    if exchange.response is None:
        yield _not_in_full("a response", exchange.error or "none", "nothing came that could be checked")
    elif exchange.response.body is None and exchange.may_have_body:
        gap = exchange.unknown("response.body")
        hint = "streamed past, or the connection ended: nothing of the document was checked"
        if gap is not None:
            hint = f"{gap.field}: {gap.reason}: nothing of the document was checked"
        yield _not_in_full("the body of the response", exchange.error or "none", hint)
    for side, body in (("request", exchange.request_content), ("response", exchange.content)):
        if body is not None and body.truncated:
            yield _not_in_full(f"at most {exchange.limits.octets} octets of {side} body", "more", _larger("body"))
        elif body is not None and (tags := exchange.limits.tags_beyond(body.octets)):
            expected = f"at most {exchange.limits.tags} tags and attributes in the {side} body"
            yield _not_in_full(expected, str(tags), _larger("tags"))
    for name, number in exchange.long_headers():
        expected = f"at most {exchange.limits.directives} directives in {name}"
        yield _not_in_full(expected, str(number), _larger("directives"))


def _crashed(rule: Rule, site: _Site, context: Context, error: Exception) -> Finding:
    """Return the finding that a rule crashed; the text of the error may hold what must not be shown."""
    if context.settings.debug:
        raise error
    return Finding(
        RULE_CRASHED,
        Level.WARNING,
        OWN_FINDINGS[RULE_CRASHED],
        site.place(""),
        expected=f"an answer of {rule.id}",
        got=crash_of(error),
        hint=_PLEASE,
    )


_PLEASE = "please report this with the flow"


@lru_cache(maxsize=256)
def _not_applicable(reason: str) -> NotApplicable:
    """Return the answer for a reason; the same reasons are given again and again, and nobody changes an answer."""
    return NotApplicable(reason)


_NOT_APPLICABLE = Answer.NOT_APPLICABLE
_PASSED = Outcome(Answer.PASSED)
_BROKEN = Outcome(Answer.BROKEN)


@lru_cache(maxsize=16)
def _unanswered(settings: Settings) -> Mapping[str, Outcome]:
    """Return what each rule answers for an exchange in which it finds no subject."""
    chosen = {rule.id for rules in plan(settings).values() for rule in rules}
    by_subject: dict[type, list[Rule]] = {}
    for rule in RULES.values():
        # an LTKM and the element that carries it are one subject in the eyes of a user
        by_subject.setdefault(Ltkm if rule.on is LtkmElement else rule.on, []).append(rule)
    listed = (rule for rules in by_subject.values() for rule in rules if rule.id in chosen)
    return {rule.id: NotApplicable(f"the exchange has no {rule.subject}") for rule in listed}


def _finding(rule: Rule, level: Level, problem: Problem, site: _Site, context: Context) -> Finding:
    doubts = [need.doubt(site.subject, context) for need in rule.needs if need.doubt is not None]
    return Finding(
        rule.id,
        level,
        rule.title,
        site.place(problem.path, problem.element),
        problem.expected,
        problem.got,
        "; ".join(filter(None, (problem.hint, *doubts))),
        rule.clauses,
        partial(_locate, problem, site),
    )


def _locate(problem: Problem, site: _Site) -> tuple[Span | None, str]:
    """Return the octets that a problem is at: of the message for what is inside one, of the body for an element."""
    if site.ltkm is not None:
        inside = site.element is None
        path = site.below(problem.path)
        span = problem.span if inside else None
        span = span or (site.ltkm.span(path) if path else None)
        if inside or span is not None:
            return _within(span, site.ltkm.octets), "message" if span else ""
    if site.element is None and problem.element is None and problem.span is None:
        return None, ""
    document = site.subject if isinstance(site.subject, Document) else site.subject.event.document
    if problem.span is not None:
        return _within(problem.span, document.xml.octets), "body"
    element = site.element if problem.element is None else problem.element
    place = document.xml.place(element)
    return (Span(place.octets.start, place.octets.end), "body") if place is not None else (None, "")


def _within(span: Span | None, octets: bytes | None) -> Span | None:
    """Return a span in these octets; where something is missing behind the last of them, that one is its place."""
    if not span or not octets:
        return None
    start = min(span.start, len(octets) - 1)
    return Span(start, max(min(span.end, len(octets)), start + 1))


def _larger(part: str) -> str:
    """Return how to have more looked at."""
    return f"raise {part} in ltkm_limit, on the command line in --limit"


def _not_in_full(expected: str, got: str, hint: str, place: Place | None = None) -> Finding:
    title = OWN_FINDINGS[NOT_CHECKED_IN_FULL]
    return Finding(NOT_CHECKED_IN_FULL, Level.WARNING, title, place or Place(), expected, got, hint)
