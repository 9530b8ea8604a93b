"""The lists of rules and of faults, as text and as JSON."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ltkm_inspect.explain import by_subject, faults_by_subject, level_reason
from ltkm_inspect.explain.pages import WITHIN
from ltkm_inspect.fault import Fault
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.parameter import FileName, Parameter
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.spec import Clause

_TYPES = {bool: "boolean", int: "integer", bytes: "octets", str: "text"}


type Listed[E: (Rule, Fault)] = list[tuple[str, list[E]]]
"""Rules or faults by the name of their subject."""


def rules_with(words: Iterable[str]) -> Listed[Rule]:
    """Return the rules whose lines in the list, or words that select them, contain all of these words, in any case."""
    return _with(words, by_subject(), _rule_name, _rule_facts, lambda rule: rule.names())


def faults_with(words: Iterable[str]) -> Listed[Fault]:
    """Return the faults whose lines in the list, or documents of broken rules, contain all of these words."""
    return _with(words, faults_by_subject(), _fault_name, _fault_facts, _fault_documents)


def rule_lines(listed: Listed[Rule]) -> Iterator[str]:
    """Yield two lines per rule: level, id and title; clauses, needs, requirements and options."""
    return _lines(listed, _rule_name, _rule_facts)


def fault_lines(listed: Listed[Fault]) -> Iterator[str]:
    """Yield two lines per fault: id and title; parameters, broken rules, what is not recomputed, and the reference."""
    yield from _lines(listed, _fault_name, _fault_facts)
    if any(fault.is_within for _, faults in listed for fault in faults):
        yield f"faults on an item, an LTKM or a part of an LTKM also take {WITHIN}"


def rules_json(listed: Listed[Rule]) -> str:
    """Return these rules as one JSON array of objects."""
    return to_json([_plain_rule(rule) for _, rules in listed for rule in rules])


def faults_json(listed: Listed[Fault]) -> str:
    """Return these faults as one JSON array of objects."""
    return to_json([_plain_fault(fault) for _, faults in listed for fault in faults])


def _with[E: (Rule, Fault)](
    words: Iterable[str],
    subjects: Listed[E],
    name: Callable[[E], str],
    facts: Callable[[E], dict[str, str]],
    hidden: Callable[[E], Iterable[str]],
) -> Listed[E]:
    wanted = [word.lower() for word in words]

    def fits(subject: str, entry: E) -> bool:
        text = "\n".join([*_lines([(subject, [entry])], name, facts), *hidden(entry)]).lower()
        return all(word in text for word in wanted)

    found = [(subject, [each for each in entries if fits(subject, each)]) for subject, entries in subjects]
    return [(subject, entries) for subject, entries in found if entries]


def _lines[E: (Rule, Fault)](
    subjects: Iterable[tuple[str, list[E]]], name: Callable[[E], str], facts: Callable[[E], dict[str, str]]
) -> Iterator[str]:
    for subject, entries in subjects:
        yield f"{subject}:"
        for entry in entries:
            yield f"  {name(entry)}: {entry.title}"
            yield "    " + " · ".join(f"{word} {fact}" for word, fact in facts(entry).items() if fact)


def _rule_name(rule: Rule) -> str:
    return f"{rule.level.word} {rule.id}"


def _fault_name(fault: Fault) -> str:
    return fault.id


def _rule_facts(rule: Rule) -> dict[str, str]:
    return {
        "source": "; ".join(dict.fromkeys(map(str, rule.clauses))),
        "needs": ", ".join(need.name for need in rule.needs),
        "covers": ", ".join(rule.covers),
        "takes": ", ".join(f"{option.name}={option.shown}" for option in rule.parameters),
    }


def _fault_facts(fault: Fault) -> dict[str, str]:
    return {
        "takes": ",".join(f"{parameter.name}={parameter.shown}" for parameter in fault.parameters),
        "breaks": ", ".join(sorted(fault.trips)),
        "not recomputed": ", ".join(sorted(fault.leaves)),
        "reference": fault.reference,
    }


def _fault_documents(fault: Fault) -> Iterator[str]:
    """Yield the names of the documents that the rules are based on that a fault breaks."""
    for publication in {clause.publication for id in fault.trips for clause in RULES[id].clauses}:
        yield from (publication.key, publication.name)


def _plain_rule(rule: Rule) -> dict[str, Any]:
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
        "options": [_plain_parameter(option) for option in rule.parameters],
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


def _plain_fault(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "subject": fault.subject,
        "title": fault.title,
        "parameters": [_plain_parameter(parameter) for parameter in fault.parameters],
        "reference": fault.reference,
        "within": fault.is_within,
        "trips": sorted(fault.trips),
        "leaves": sorted(fault.leaves),
    }


def _plain_parameter(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter of a fault, or an option of a rule, as an object. Octets are in hex."""
    default = parameter.default
    plain = {
        "name": parameter.name,
        "type": _type(parameter),
        "default": default if default is None or isinstance(default, bool | int | str) else parameter.shown,
    }
    return {**plain, "words": list(parameter.words)} if parameter.words else plain


def _type(parameter: Parameter) -> str:
    if parameter.words:
        return "choice"
    if isinstance(parameter.type, type) and issubclass(parameter.type, FileName):
        return "file"
    return _TYPES.get(parameter.type, "text")
