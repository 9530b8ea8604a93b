"""The rules on the page: how often each was broken, its clauses, why it matters, and what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect.explain import clause_text, level_reason
from ltkm_inspect.explain.pages import OWN_PAGES
from ltkm_inspect.report.page.value import value_text
from ltkm_inspect.report.summary import noted_rules
from ltkm_inspect.rule import RULES

LEVELS = {"violation": 3, "warning": 2, "note": 1}
"""How bad each level is; an unknown level is less bad than a note."""


@dataclass(slots=True)
class RuleCount:
    """The findings, or notes, of one rule, counted."""

    rule: str
    title: str
    clauses: list[str]
    level: str
    number: int = 0
    exchanges: int = 0
    terminals: set[int] = field(default_factory=set)

    @property
    def says(self) -> list[str]:
        """Its clauses with what they say, and the reason for its level; for an unknown rule only their names."""
        rule = RULES.get(self.rule)
        if rule is None:
            return self.clauses
        reason = level_reason(rule)
        return [*(clause_text(clause) for clause in rule.clauses), *([reason] if reason else [])]

    @property
    def why(self) -> list[str]:
        """Why it matters, in paragraphs."""
        return self._paragraphs[:-1]

    @property
    def remedy(self) -> list[str]:
        """What to do about it."""
        return self._paragraphs[-1:]

    @property
    def _paragraphs(self) -> list[str]:
        rule = RULES.get(self.rule)
        return list(OWN_PAGES.get(self.rule, ())) if rule is None else rule.paragraphs[1:]


class Tally:
    """Findings, or notes, counted by rule."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rules: dict[str, RuleCount] = {}

    def add(self, record: Mapping[str, Any], terminal: int, kind: str = "findings") -> None:
        """Count the findings, or the `notes`, of one exchange, including those that its record left out."""
        findings = record[kind]
        for finding in findings:
            rule_count = self._rules.get(finding["rule"])
            if rule_count is None:
                rule_count = RuleCount(
                    value_text(finding["rule"]),
                    value_text(finding["title"]),
                    list(map(value_text, finding["clauses"])),
                    finding["level"],
                )
                self._rules[finding["rule"]] = rule_count
            rule_count.number += 1
            rule_count.level = max(rule_count.level, finding["level"], key=rank)
        for more in record.get("more", {}).get("findings", ()):
            if more["rule"] in self._rules and (more["level"] == "note") is (kind == "notes"):
                self._rules[more["rule"]].number += more["number"]
        for rule in {finding["rule"] for finding in findings}:
            self._rules[rule].exchanges += 1
            self._rules[rule].terminals.add(terminal)

    def __iter__(self) -> Iterator[RuleCount]:
        """Yield the rules, the worst level first, then the most frequent."""
        return iter(sorted(self._rules.values(), key=lambda each: (-rank(each.level), -each.exchanges, each.rule)))

    def __len__(self) -> int:
        return len(self._rules)

    @property
    def total(self) -> int:
        """The number of findings, or notes."""
        return sum(each.number for each in self._rules.values())


class AnswerCounts:
    """The answers of every rule, counted over all exchanges."""

    def __init__(self) -> None:
        """Begin with none."""
        self._answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, record: Mapping[str, Any]) -> None:
        """Count the answers for one exchange; the answer of a rule that only made notes is `noted`."""
        noted = noted_rules(record)
        for rule, outcome in record.get("outcomes", {}).items():
            self._answers[rule]["noted" if rule in noted else outcome["answer"]] += 1
            if outcome["reason"]:
                self._reasons[rule][outcome["reason"]] += 1

    def __iter__(self) -> Iterator[tuple[str, str, Counter[str], str]]:
        """Yield each rule with its title, its answers, and the most frequent reason why it was not applicable."""
        for rule, answers in self._answers.items():
            title = RULES[rule].title if rule in RULES else ""
            reasons = self._reasons.get(rule)
            yield value_text(rule), title, answers, value_text(reasons.most_common(1)[0][0]) if reasons else ""

    def __len__(self) -> int:
        return len(self._answers)


def rank(level: str) -> int:
    """Return how bad a level is."""
    return LEVELS.get(level, 0)
