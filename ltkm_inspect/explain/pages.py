"""The page of a rule, of a fault, and of a finding that the engine itself makes."""

from collections.abc import Iterable, Iterator

from ltkm_inspect import catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.engine import OWN_FINDINGS, inspect
from ltkm_inspect.engine.injection import inject
from ltkm_inspect.engine.own_findings import NOT_CHECKED_IN_FULL
from ltkm_inspect.explain.markdown import bullets, code, join, section, wrap
from ltkm_inspect.fault import FAULTS, Application, Fault
from ltkm_inspect.finding import EVENT_CRASHED, RULE_CRASHED, Finding, Level
from ltkm_inspect.parameter import Parameter
from ltkm_inspect.reference import KEYS, events
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.session import Session
from ltkm_inspect.spec import Clause, Sure

OWN_PAGES = {
    RULE_CRASHED: (
        "This is a bug in ltkm-inspect, not in the exchange. The other rules ran. The result of this one "
        "is unknown, so the exchange cannot be called clean.",
        "Report the bug and attach the flow. Until it is fixed, skip the rule with `--ignore`.",
    ),
    EVENT_CRASHED: (
        "This is a bug in ltkm-inspect, not in the exchange. Not all rule results are known, so the "
        "exchange cannot be called clean. All other exchanges were checked as usual, but later ones may "
        "not have been compared with this one. The exit code is 5.",
        "Report the bug and attach the flow. The finding names the error and the line that raised it.",
    ),
    NOT_CHECKED_IN_FULL: (
        "The time to check one live response is limited: by default to 1 MiB of body and 200 LTKMs. The "
        "rest was forwarded unchanged and was not checked, so the exchange cannot be called clean.",
        "Raise the part of the limit that the finding names, with `--limit` or, in mitmproxy, `ltkm_limit`.",
    ),
}
"""Why a finding of the engine itself matters, and what to do about it."""

WITHIN = "item=N (only in that item) or all=true (everywhere)"
"""What faults take that damage one of several things in a document."""

_NOTE = "shown, but not a finding"


def names() -> list[str]:
    """Return every id that can be explained: rules, faults, and the findings of the engine itself."""
    catalogue.load()
    return [*RULES, *FAULTS, *OWN_FINDINGS]


def page(name: str) -> str | None:
    """Return the page of a rule, a fault or a finding of the engine; None for a name that is none of them."""
    catalogue.load()
    if name in RULES:
        return rule_page(RULES[name])
    if name in FAULTS:
        return fault_page(FAULTS[name])
    return own_page(name) if name in OWN_FINDINGS else None


def rule_page(rule: Rule, *, with_example: bool = True) -> str:
    """Return the page of a rule: what it looks at, what the clauses say, why, what to do, and an example if wanted.

    An example takes several ms: the fault is put into its reference, which is then inspected.
    """
    title, *rest = rule.paragraphs
    why, remedy = rest[:-1], rest[-1:]
    return join(
        [
            f"# {rule.id}",
            wrap(title),
            bullets(_facts(rule)),
            *section("## What the clauses say", [bullets(map(clause_text, rule.clauses))] if rule.clauses else []),
            *section("## Why it matters", map(wrap, why)),
            *section("## What to do", map(wrap, remedy)),
            *section("## Options", [bullets(_parameters(rule.parameters))] if rule.parameters else []),
            *section("## Example", _rule_example(rule) if with_example else ()),
        ]
    )


def fault_page(fault: Fault) -> str:
    """Return the page of a fault: what it damages, its parameters, the rules it breaks, and the findings it gives."""
    title, *rest = fault.paragraphs
    return join(
        [
            f"# {fault.id}",
            wrap(title),
            *map(wrap, rest),
            bullets(_fault_facts(fault)),
            *section("## Parameters", [bullets(_parameters(fault.parameters))] if fault.parameters else []),
            *section("## Example", _fault_example(fault)),
        ]
    )


def own_page(name: str) -> str:
    """Return the page of a finding that the engine itself makes; KeyError for another name."""
    why, remedy = OWN_PAGES[name]
    facts = ["level: warning", "reported by the engine itself, whichever rules are selected"]
    parts = [f"# {name}", OWN_FINDINGS[name], bullets(facts), "## Why it matters", wrap(why), "## What to do"]
    return join([*parts, wrap(remedy)])


def clause_text(clause: Clause) -> str:
    """Return a clause with what it says: a quotation in quotation marks, our own words without."""
    parts = [f'"{clause.quote}"'] if clause.quote else []
    parts += [clause.says] if clause.says else []
    sure = {Sure.FOUND: "", Sure.DERIVED: " (derived)"}.get(clause.sure, f" (from memory: {clause.sure.value})")
    return f"{clause}, {clause.publication.title}{': ' if parts else ''}{'; '.join(parts)}{sure}"


def level_reason(rule: Rule) -> str:
    """Return why the level of a rule is not the one that its clauses ask for; empty where it is."""
    asked = "no clause" if rule.verb is None else rule.verb.value
    return f"{asked}, but a {rule.level.word}, because {rule.level_reason}" if rule.level_reason else ""


def example(rule: Rule) -> tuple[Fault, Finding] | None:
    """Return the first fault that breaks a rule and the finding it gives; None where no fault does."""
    for fault in FAULTS.values():
        if rule.id in fault.trips:
            for finding in findings_of(fault):
                if finding.rule == rule.id:
                    return fault, finding
    return None


def findings_of(fault: Fault) -> tuple[Finding, ...]:
    """Return what the rules find when a fault, with the values it has by itself, is put into its reference."""
    context = Context(keys=KEYS, session=Session())
    *before, last = events(fault.reference)
    for event in before:
        inspect(event, context)
    return inspect(inject(last, [Application(fault)], context), context).findings


def _facts(rule: Rule) -> Iterator[str]:
    if rule.level is Level.NOTE:
        yield f"level: {rule.level.word} ({_NOTE})"
    elif rule.highest < Level.VIOLATION:
        yield f"level: {rule.level.word} (cannot be raised above {rule.highest.word}: the source is cited from memory)"
    else:
        yield f"level: {rule.level.word}"
    reason = level_reason(rule)
    if reason:
        yield f"why this level: {reason}"
    yield f"looks at: {rule.subject}"
    for need in rule.needs:
        yield f"applies if {need.says}"
    if rule.covers:
        yield f"covers: {', '.join(rule.covers)}"


def _fault_facts(fault: Fault) -> Iterator[str]:
    yield f"damages: {fault.subject}"
    yield f"breaks: {', '.join(f'`{rule}`' for rule in sorted(fault.trips)) or 'no rule'}"
    yield f"clean reference: {fault.reference}"
    if fault.is_within:
        yield f"also takes {WITHIN}"
    if fault.leaves:
        yield f"not recomputed: {', '.join(sorted(fault.leaves))}"


def _parameters(parameters: Iterable[Parameter]) -> Iterator[str]:
    for parameter in parameters:
        shown = parameter.shown
        by_itself = f"default `{shown}`" if shown else "empty by default"
        yield f"`{parameter.name}`: {parameter.kind}, {by_itself}"


def _rule_example(rule: Rule) -> Iterator[str]:
    found = example(rule)
    if found is not None:
        fault, finding = found
        yield wrap(f"The fault `{fault.id}` in the clean reference {fault.reference} gives:")
        yield code([finding.line])


def _fault_example(fault: Fault) -> Iterator[str]:
    lines = [finding.line for finding in findings_of(fault)]
    if lines:
        yield wrap(f"`{Application(fault)}` in the clean reference {fault.reference} gives:")
        yield code(lines)
