"""The pages of rules and faults."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from ltkm_inspect import catalogue
from ltkm_inspect.catalogue.requirements import check_rows, requirements, uncovered
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.explain import catalogue_pages, clause_text, fault_page, names, own_page, page, rule_page
from ltkm_inspect.explain.markdown import WIDTH, escape, table
from ltkm_inspect.explain.pages import OWN_PAGES
from ltkm_inspect.fault import FAULTS, Fault
from ltkm_inspect.finding import Level
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.spec import CR, RFC3711, Sure

catalogue.load()
catalogue_texts = cache(catalogue_pages)
REQUIREMENTS = Path(__file__).parents[2] / "shared" / "rules.md"


def flat(text: str) -> str:
    """The text without its line ends and indents."""
    return " ".join(text.split())


def section(text: str, heading: str) -> str:
    """What stands below a heading."""
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("rule", [pytest.param(rule, id=id) for id, rule in RULES.items()])
def test_the_page_of_a_rule_says_what_it_rests_on_why_it_matters_and_what_to_do(rule: Rule) -> None:
    text = rule_page(rule)
    title, *why, remedy = rule.paragraphs
    assert text.startswith(f"# {rule.id}\n\n")
    assert title in flat(text)
    assert f"- level: {rule.level.word}" in text
    for paragraph in why:
        assert paragraph in flat(section(text, "Why it matters"))
    assert remedy in flat(section(text, "What to do"))
    clauses = flat(section(text, "What the clauses say"))
    for clause in rule.clauses:
        assert str(clause) in clauses
        assert clause.says in clauses
    for option in rule.parameters:
        assert f"- `{option.name}`: {option.kind}, " in section(text, "Options")


@pytest.mark.parametrize("rule", [pytest.param(rule, id=id) for id, rule in RULES.items()])
def test_only_what_a_clause_quotes_stands_in_quotation_marks(rule: Rule) -> None:
    clauses = flat(section(rule_page(rule), "What the clauses say"))
    for clause in rule.clauses:
        if clause.quote:
            assert f'"{flat(clause.quote)}"' in clauses
            clauses = clauses.replace(f'"{flat(clause.quote)}"', "")
    assert '"' not in clauses


@pytest.mark.parametrize("fault", [pytest.param(fault, id=id) for id, fault in FAULTS.items()])
def test_the_example_of_a_fault_shows_the_rules_that_it_breaks(fault: Fault) -> None:
    text = fault_page(fault)
    broken = set(re.findall(r"^    (?:warning|violation) ([a-z0-9-]+): ", section(text, "Example"), re.M))
    assert broken == fault.trips
    for parameter in fault.parameters:
        assert f"- `{parameter.name}`: " in text


@pytest.mark.parametrize("rule", [pytest.param(rule, id=id) for id, rule in RULES.items() if rule.level > Level.NOTE])
def test_the_example_of_a_rule_is_a_finding_of_it(rule: Rule) -> None:
    if any(rule.id in fault.trips for fault in FAULTS.values()):
        assert re.search(rf"^    (warning|violation) {rule.id}: ", section(rule_page(rule), "Example"), re.M)


def test_the_findings_of_the_engine_itself_have_pages() -> None:
    assert set(OWN_PAGES) == set(OWN_FINDINGS)
    for name, title in OWN_FINDINGS.items():
        assert title in own_page(name)
        assert own_page(name) == page(name)


def test_what_is_no_rule_and_no_fault_has_no_page() -> None:
    assert page("no-such-rule") is None
    assert page("") is None


@pytest.mark.parametrize("name", names())
def test_running_text_fits_a_terminal(name: str) -> None:
    for line in (page(name) or "").splitlines():
        assert line.startswith("    ") or len(line) <= WIDTH


def test_a_clause_from_memory_says_so() -> None:
    clause = RFC3711["4.3"](says="a key is derived", sure=Sure.RECALL_HIGH)
    assert clause_text(clause).endswith(": a key is derived (from memory: recall H)")
    assert clause_text(CR["2"](quote="A SHALL B.")).endswith(': "A SHALL B."')


def test_the_pages_of_the_catalogue_have_every_rule_and_every_fault_once() -> None:
    headings = [heading for text in catalogue_texts().values() for heading in re.findall(r"^### (\S+)$", text, re.M)]
    assert sorted(headings) == sorted([*RULES, *FAULTS, *OWN_FINDINGS])


def test_the_page_of_a_module_says_which_requirements_its_rules_cover() -> None:
    for rule in RULES.values():
        text = next(text for text in catalogue_texts().values() if f"\n### {rule.id}\n" in text)
        rows = dict(re.findall(r"^\| ([A-Z]+-\w+) \| (.*) \|$", text, re.M))
        for row in rule.covers:
            asks, _, links = rows[row].partition(" | ")
            assert asks == requirements()[row]
            assert f"[{rule.id}](#{rule.id})" in links


def test_the_index_says_of_each_requirement_without_a_rule_why() -> None:
    rows = dict(re.findall(r"^\| ([A-Z]+-\w+) \| (.*) \|$", catalogue_texts()["index.md"], re.M))
    assert set(rows) == set(requirements()) - {row for rule in RULES.values() for row in rule.covers}
    for row, reason in uncovered().items():
        assert rows[row] == f"{requirements()[row]} | {reason}"


def test_the_index_tells_no_totals() -> None:
    assert not re.search(r"\d+ (rules|faults)", catalogue_texts()["index.md"])


@pytest.mark.needs("shared")
def test_every_requirement_is_decided_by_a_rule_or_says_why_by_none() -> None:
    text = REQUIREMENTS.read_text("utf-8")
    # one requirement stands among the readings alone
    rows = set(re.findall(r"^(?:\||\d+\.) ([A-Z]+-\d+[a-z]?)(?: \||: )", text, re.MULTILINE))
    assert len(rows) > 150
    new = set(re.findall(r"^\| ([A-Z]+-\d+[a-z]?) \(new\)", text, re.MULTILINE))
    of_datagrams = {row for row in requirements() if row.startswith("UDP-")}  # they come from no table of rules
    assert set(requirements()) == rows | new | of_datagrams
    rows |= of_datagrams
    covered = {row for rule in RULES.values() for row in rule.covers}
    assert sorted(rows - covered - set(uncovered())) == []  # nothing missing; some of the new ones are for later
    assert sorted(covered & set(uncovered())) == []  # nothing twice


def test_a_rule_that_covers_an_unknown_requirement_is_told_where_to_add_it() -> None:
    unlisted = replace(RULES["ltkm-missing"], covers=("CR-2a", "CR-77"))
    with pytest.raises(ValueError, match=r"^rule ltkm-missing covers CR-77: add this row to \[CR\] in catalogue/req"):
        check_rows([unlisted])
    check_rows(RULES.values())


def anchors(text: str) -> list[str]:
    """The anchors of the headings of a page."""
    return [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)]


def test_links_of_the_pages_of_the_catalogue_lead_to_headings() -> None:
    for name, text in catalogue_texts().items():
        assert len(anchors(text)) == len(set(anchors(text)))
        for page_name, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
            target = catalogue_texts()[page_name or name]
            assert not anchor or anchor in anchors(target)


def test_the_pages_of_the_catalogue_have_no_html() -> None:
    for line in (line for text in catalogue_texts().values() for line in text.splitlines()):
        if not line.startswith("    "):
            assert not re.search(r"(?<!\\)<", re.sub(r"`[^`]*`", "", line)), line


def test_text_is_escaped_for_a_table_but_not_within_code() -> None:
    assert escape("a <b> `<c>` <d>") == "a &lt;b> `<c>` &lt;d>"
    assert table(["x"], [["a|b"]]).splitlines()[-1] == "| a\\|b |"
