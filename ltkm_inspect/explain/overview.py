"""The page of the whole catalogue: every rule and fault, and the requirement that each rule decides."""

import re
from collections.abc import Iterable

from ltkm_inspect import catalogue
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.explain.markdown import escape, join, table, wrap
from ltkm_inspect.explain.pages import fault_page, own_page, rule_page
from ltkm_inspect.explain.uncovered import UNCOVERED
from ltkm_inspect.fault import FAULTS, Fault
from ltkm_inspect.rule import RULES, Rule

_FIRST_SUBJECTS = ("exchange", "document", "item", "ltkm", "message")


def catalogue_page() -> str:
    """Return the page of the whole catalogue: rules by subject, faults, and which rules decide each requirement."""
    catalogue.load()
    parts = [
        "# The catalogue",
        wrap(
            "Every rule that an exchange is checked against, by what it looks at, and every fault that the proxy can "
            "put into one. This page is generated from the code beside it. `ltkm-inspect explain` prints any part of "
            "it."
        ),
        _list_of_contents(),
        "## Rules",
    ]
    for subject, rules in by_subject():
        parts += [f"### Rules on {subject}", _rule_table(rules), *(_below(rule_page(rule)) for rule in rules)]
    parts += ["## Faults", _fault_table(), *(_below(fault_page(fault)) for fault in FAULTS.values())]
    parts += ["## Findings of the engine itself", *(_below(own_page(name)) for name in OWN_FINDINGS)]
    parts += ["## Requirements covered", _coverage_table()]
    return join(parts)


def by_subject() -> list[tuple[str, list[Rule]]]:
    """Return the rules by the name of their subject, the outermost subject first."""
    catalogue.load()
    return _by_subject(RULES.values())


def faults_by_subject() -> list[tuple[str, list[Fault]]]:
    """Return the faults by the name of what they damage, the outermost subject first."""
    catalogue.load()
    return _by_subject(FAULTS.values())


def _by_subject[Entry: (Rule, Fault)](entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    subjects: dict[str, list[Entry]] = {}
    for each in entries:
        subjects.setdefault(each.subject, []).append(each)
    rank = {subject: number for number, subject in enumerate(_FIRST_SUBJECTS)}
    return sorted(subjects.items(), key=lambda entry: (rank.get(entry[0], len(rank)), entry[0]))


def _list_of_contents() -> str:
    count = f"{len(RULES)} rules, {len(FAULTS)} faults"
    return f"{count}: [rules](#rules), [faults](#faults), [requirements covered](#requirements-covered)."


def _rule_table(rules: Iterable[Rule]) -> str:
    rows = (
        [_link(rule.id), rule.level.word, rule.title, "; ".join(dict.fromkeys(map(str, rule.clauses)))]
        for rule in rules
    )
    return table(["rule", "level", "what is wrong", "rests on"], rows)


def _fault_table() -> str:
    rows = (
        [_link(fault.id), fault.subject, fault.title, ", ".join(map(_link, sorted(fault.trips)))]
        for fault in FAULTS.values()
    )
    return table(["fault", "damages", "what it does", "breaks"], rows)


def _coverage_table() -> str:
    """Return every requirement with the rules that decide it, or with the reason why none does."""
    rows: dict[str, list[str]] = {}
    for rule in RULES.values():
        for row in rule.covers:
            rows.setdefault(row, []).append(_link(rule.id))
    for row, reason in UNCOVERED.items():
        rows.setdefault(row, [f"none: {reason}"])
    ordered = sorted(rows.items(), key=lambda entry: _natural(entry[0]))
    return table(["requirement", "rules"], ([row, ", ".join(cells)] for row, cells in ordered))


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|\D+", text)]


def _link(id: str) -> str:
    return f"[{id}](#{id})"


def _below(text: str) -> str:
    """Return a page as a section of the catalogue: headings three levels down, and no text that reads as HTML."""
    return "\n\n".join(_section_part(part) for part in text.rstrip("\n").split("\n\n"))


def _section_part(part: str) -> str:
    if part.startswith("# "):
        return f"###{part}"
    if part.startswith("## "):
        return f"**{part[3:]}**"
    return part if part.startswith("    ") else escape(part)
