"""The pages of the catalogue: an index, and for each of its modules the rules, the faults, and what they cover."""

import re
from collections.abc import Callable, Iterable
from importlib import import_module

from ltkm_inspect import catalogue
from ltkm_inspect.catalogue.requirements import requirements, uncovered
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.explain.markdown import escape, join, table, wrap
from ltkm_inspect.explain.pages import fault_page, own_page, rule_page
from ltkm_inspect.fault import FAULTS, Fault
from ltkm_inspect.rule import RULES, Rule

_FIRST_SUBJECTS = ("exchange", "document", "item", "ltkm", "message")
_GENERATED = "This page is generated from the code. `ltkm-inspect explain` prints any part of it."


def catalogue_pages() -> dict[str, str]:
    """Return the pages of the catalogue by the names of their files; none tells how much there is of anything."""
    catalogue.load()
    modules = sorted(
        {_module(each.check) for each in RULES.values()} | {_module(each.apply) for each in FAULTS.values()}
    )
    own = ["# engine", "Findings of the engine itself.", *(_below(own_page(name)) for name in OWN_FINDINGS)]
    pages = {_file(module): _module_page(module) for module in modules}
    return {"index.md": _index(modules), **pages, "engine.md": join(own)}


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


def _module(function: Callable[..., object]) -> str:
    """Return the name of the module of the catalogue that has the function of a rule or a fault."""
    return function.__module__.removeprefix(f"{catalogue.__name__}.")


def _file(module: str) -> str:
    return f"{module}.md"


def _about(module: str) -> str:
    return (import_module(f"{catalogue.__name__}.{module}").__doc__ or "").partition("\n")[0]


def _index(modules: Iterable[str]) -> str:
    """Return the index page, which also says which requirements no rule covers."""
    rows = [*([f"[{module}]({_file(module)})", _about(module)] for module in modules)]
    rows.append(["[engine](engine.md)", "Findings of the engine itself."])
    covered = {row for rule in RULES.values() for row in rule.covers}
    missing = ([row, asks, uncovered().get(row, "")] for row, asks in requirements().items() if row not in covered)
    return join(
        [
            "# The catalogue",
            wrap("All rules and all faults, one page per subject."),
            wrap(_GENERATED),
            table(["page", "content"], rows),
            "## Requirements without a rule",
            table(["id", "requirement", "why no rule covers it"], missing),
        ]
    )


def _module_page(module: str) -> str:
    rules = [each for each in RULES.values() if _module(each.check) == module]
    faults = [each for each in FAULTS.values() if _module(each.apply) == module]
    parts = [f"# {module}", wrap(_about(module)), wrap(_GENERATED)]
    if rules:
        parts += ["## Rules", _rule_table(rules), *(_below(rule_page(rule)) for rule in rules)]
    if faults:
        parts += ["## Faults", _fault_table(faults), *(_below(fault_page(fault)) for fault in faults)]
    if rules:
        parts += ["## Requirements", _coverage_table(rules)]
    return join(parts)


def _rule_table(rules: Iterable[Rule]) -> str:
    rows = (
        [
            f"[{rule.id}](#{rule.id})",
            rule.subject,
            rule.level.word,
            rule.title,
            "; ".join(dict.fromkeys(map(str, rule.clauses))),
        ]
        for rule in rules
    )
    return table(["rule", "looks at", "level", "what is wrong", "source"], rows)


def _fault_table(faults: Iterable[Fault]) -> str:
    rows = (
        [
            f"[{fault.id}](#{fault.id})",
            fault.subject,
            fault.title,
            ", ".join(f"[{id}]({_file(_module(RULES[id].check))}#{id})" for id in sorted(fault.trips)),
        ]
        for fault in faults
    )
    return table(["fault", "damages", "what it does", "breaks"], rows)


def _coverage_table(rules: Iterable[Rule]) -> str:
    """Return each requirement that one of these rules covers, what it asks for, and which of them do."""
    rows: dict[str, list[str]] = {}
    for rule in rules:
        for row in rule.covers:
            rows.setdefault(row, []).append(f"[{rule.id}](#{rule.id})")
    ordered = sorted(rows.items(), key=lambda entry: _natural(entry[0]))
    cells = ([row, requirements()[row], ", ".join(links)] for row, links in ordered)
    return table(["id", "requirement", "rules"], cells)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|\D+", text)]


def _below(text: str) -> str:
    """Return a page as a section of another: headings two levels down, and no text that reads as HTML."""
    return "\n\n".join(_section_part(part) for part in text.rstrip("\n").split("\n\n"))


def _section_part(part: str) -> str:
    if part.startswith("# "):
        return f"##{part}"
    if part.startswith("## "):
        return f"**{part[3:]}**"
    return part if part.startswith("    ") else escape(part)
