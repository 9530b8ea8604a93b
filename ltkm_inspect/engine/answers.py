"""The answers of the rules for one event: each is run on its subjects, and what it finds is kept in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.engine.own_findings import larger, not_in_full, rule_crash
from ltkm_inspect.engine.rule_plan import PASSED, Groups, NeedGroup, not_applicable, ranks, unanswered
from ltkm_inspect.finding import Answer, Finding, Level, NotApplicable, Outcome, Problem
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.subject import Kind, Site
from ltkm_inspect.traffic import Event, Gap

NOT_APPLICABLE = Answer.NOT_APPLICABLE
BROKEN = Outcome(Answer.BROKEN)


class Answers:
    """What the rules answer and find, kind by kind in any order."""

    def __init__(self, context: Context, most: int | None) -> None:
        """Start without answers; at most so many findings of a rule and level are kept."""
        self.context = context
        self.outcomes = dict(unanswered(context.settings))
        self.total = 0
        """How many findings there were, those that were not kept included."""
        self._found: list[tuple[tuple[int, ...], int, Finding]] = []
        self._most = most
        self._numbers: dict[tuple[str, Level], int] = {}

    @property
    def findings(self) -> list[Finding]:
        """What was found, in the order of the event and of the catalogue."""
        if len(self._found) > 1:
            self._found.sort(key=lambda each: each[:2])
        return [finding for _, _, finding in self._found]

    @property
    def left_out(self) -> Mapping[tuple[str, Level], int]:
        """How many findings of each rule and level were not kept."""
        most = self._most
        if most is None:
            return {}
        return {key: number - most for key, number in self._numbers.items() if number > most}

    def run(self, subjects: Sequence[Any], group: NeedGroup, site: Callable[[Any], Site]) -> None:
        """Run rules that were not run before on all subjects of their kind: keep what they find, and their answers.

        There is at least one subject; `site` returns the site of one of them.
        """
        self.outcomes.update(group.passed)
        self._run(subjects, group, site, None)

    def _run(
        self, subjects: Sequence[Any], group: NeedGroup, site: Callable[[Any], Site], last: NotApplicable | None
    ) -> None:
        """Run rules on the subjects that meet their need; `last` is why the last one of their kind does not, if so."""
        context, outcomes, number = self.context, self.outcomes, len(subjects)
        for fast_pass, rules in group.alike:
            try:
                left = subjects if fast_pass is None else [each for each in subjects if not fast_pass(each)]
            except Exception:  # what it stumbled over the rules will meet themselves
                left = subjects
            for rule, check, takes_context in rules if left else ():
                skipped = 0
                for subject in left:
                    try:
                        for found in check(subject, context) if takes_context else check(subject):
                            if type(found) is NotApplicable:
                                skipped += 1
                                if skipped == number and outcomes[rule.id] is PASSED:
                                    outcomes[rule.id] = last or found
                            else:
                                outcomes[rule.id] = BROKEN
                                self._say(rule, found, site(subject))  # type: ignore[arg-type]
                    except Exception as error:  # law 1: no input makes a hook raise
                        self._crash(rule, site(subject), error)
                        skipped += 1
                        if skipped == number and outcomes[rule.id] is PASSED:
                            outcomes[rule.id] = last or unanswered(context.settings)[rule.id]
        for further in group.further:
            asked, reason = self._asked(further, subjects, site, last)
            if asked:
                self._run(asked, further, site, reason)
            elif reason is not None:
                outcomes.update(dict.fromkeys(further.passed, reason))

    def _asked(
        self, group: NeedGroup, subjects: Iterable[Any], site: Callable[[Any], Site], last: NotApplicable | None
    ) -> tuple[Sequence[Any], NotApplicable | None]:
        """Return the subjects that meet the need of a group, and why the last one of their kind does not, if so."""
        assert group.need is not None
        missing, context, asked, reason = group.need.missing, self.context, [], None
        for subject in subjects:
            try:
                reason = missing(subject, context)
            except Exception as error:
                self._crash(RULES[next(iter(group.passed))], site(subject), error)
                reason = "whether the rule applies could not be determined"
            if reason is None:
                asked.append(subject)
        return asked, last if last is not None or reason is None else not_applicable(reason)

    def _crash(self, rule: Rule, site: Site, error: Exception) -> None:
        self.keep(rule_crash(rule, site, self.context, error), site.order)

    def run_apart(
        self, sites: Iterable[Site], chosen: Groups, outcomes: dict[str, Outcome]
    ) -> tuple[Mapping[str, Outcome], bool]:
        """Run rules on subjects; return their answers for these alone, and whether they found nothing."""
        kept, total = self.outcomes, self.total
        self.outcomes = outcomes
        by_kind: dict[Kind, dict[int, Site]] = {}
        for each in sites:
            by_kind.setdefault(each.kind, {})[id(each.subject)] = each
        for kind, found in by_kind.items():
            subjects = [each.subject for each in found.values()]
            if kind.on in chosen:
                self.run(subjects, chosen[kind.on], partial(_site_in, found))
        self.outcomes = kept
        return outcomes, self.total == total

    def run_again(self, sites: Sequence[Site], chosen: Groups) -> None:
        """Run rules on more subjects than those on which they may have been run before."""
        groups = [chosen[site.kind.on] for site in sites if site.kind.on in chosen]
        found, _ = self.run_apart(sites, chosen, {id: self.outcomes[id] for group in groups for id in group.passed})
        self.merge(found, first=False)

    def merge(self, found: Mapping[str, Outcome], *, first: bool) -> None:
        """Add answers that were found apart; the first of their rules are taken as they are."""
        outcomes = self.outcomes
        if first:
            outcomes.update(found)
            return
        for id, answer in found.items():
            if outcomes[id].answer is NOT_APPLICABLE or answer is BROKEN:
                outcomes[id] = answer

    def add(self, finding: Finding, order: tuple[int, ...]) -> None:
        """Add a finding of the engine itself, for which there is always room."""
        self._found.append((order, ranks().get(finding.rule, -1), finding))

    def keep(self, finding: Finding, order: tuple[int, ...]) -> None:
        """Add a finding, unless there were as many before; then it is counted."""
        if self._has_room(finding.rule, finding.level):
            self.add(finding, order)

    def say_what_is_left_out(self) -> None:
        """Add a finding, if some were only counted."""
        worse = [(number, rule) for (rule, level), number in self.left_out.items() if level > Level.NOTE]
        if worse:
            got = ", ".join(f"{number:,} more of {rule}" for number, rule in sorted(worse, reverse=True))
            hint = f"they are counted, not listed; {larger('findings')}"
            self.add(not_in_full(f"at most {self._most} findings per rule", got, hint), _LAST)

    def withhold(self, event: Event) -> None:
        """Withdraw findings about parts that the capture lacks or damaged; their rules are not applicable."""
        hidden = {
            id: NotApplicable(_unknown(gap))
            for id, rule in RULES.items()
            if id in self.outcomes and (gap := next(filter(None, map(event.unknown, rule.looks_at)), None))
        }
        kept = []
        for each in self._found:
            finding = each[2]
            gap = event.unknown(finding.place.path)
            if finding.rule in RULES and gap is not None:
                hidden[finding.rule] = NotApplicable(_unknown(gap))
            elif finding.rule not in hidden:
                kept.append(each)
        self._found = kept
        self.outcomes.update(hidden)

    def _say(self, rule: Rule, problem: Problem, site: Site) -> None:
        level = rule.effective(problem, self.context.settings)
        if not self._has_room(rule.id, level):
            return
        doubts = [need.doubt(site.subject, self.context) for need in rule.needs if need.doubt is not None]
        finding = Finding(
            rule.id,
            level,
            rule.title,
            site.place(problem.path, problem.element),
            problem.expected,
            problem.got,
            "; ".join(filter(None, (problem.hint, *doubts))),
            rule.clauses,
            partial(site.locate, problem),
        )
        self.add(finding, site.order)

    def _has_room(self, id: str, level: Level) -> bool:
        self.total += 1
        number = self._numbers.get((id, level), 0) + 1
        self._numbers[id, level] = number
        return self._most is None or number <= self._most


_LAST = (9,)


def _site_in(sites: Mapping[int, Site], subject: Any) -> Site:
    return sites[id(subject)]


def _unknown(gap: Gap) -> str:
    return f"{'damaged by' if gap.is_damage else 'missing from'} the capture ({gap})"
