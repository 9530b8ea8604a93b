"""The list of rules, as text and as JSON."""

from collections.abc import Iterator
from typing import Any

from ltkm_inspect.explain import by_subject, level_reason
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.report.faults import plain_parameter
from ltkm_inspect.rule import Rule
from ltkm_inspect.spec import Clause


def text_lines() -> Iterator[str]:
    """Yield every rule, by subject: severity, id, title, and on a second line what it rests on, needs and decides."""
    for subject, rules in by_subject():
        yield f"{subject}:"
        for rule in rules:
            yield f"  {rule.level.word} {rule.id}: {rule.title}"
            facts = [
                "; ".join(dict.fromkeys(map(str, rule.clauses))),
                ", ".join(need.name for need in rule.needs),
                ", ".join(rule.covers),
                ", ".join(f"{option.name}={option.shown}" for option in rule.parameters),
            ]
            words = ("rests on", "needs", "decides", "takes")
            yield "    " + " · ".join(f"{word} {fact}" for word, fact in zip(words, facts, strict=True) if fact)


def json_text() -> str:
    """Return every rule as one JSON array of objects."""
    return to_json([_plain(rule) for _, rules in by_subject() for rule in rules])


def _plain(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "subject": rule.subject,
        "severity": rule.level.word,
        "highest_severity": rule.highest.word,
        "severity_reason": level_reason(rule),
        "title": rule.title,
        "documents": list(dict.fromkeys(clause.publication.key for clause in rule.clauses)),
        "clauses": [_plain_clause(clause) for clause in rule.clauses],
        "needs": [{"name": need.name, "says": need.says} for need in rule.needs],
        "covers": list(rule.covers),
        "options": [plain_parameter(option) for option in rule.parameters],
    }


def _plain_clause(clause: Clause) -> dict[str, str]:
    return {
        "document": clause.publication.key,
        "clause": clause.number,
        "quote": clause.quote,
        "says": clause.says,
        "verb": clause.verb.value,
        "sure": clause.sure.value,
    }
