"""The catalogue as text: documentation, citations, quotations, levels."""

import re
from pathlib import Path

import pytest

from ltkm_inspect.catalogue import load
from ltkm_inspect.explain.pages import rule_page
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.finding import Level
from ltkm_inspect.parameter import ParameterType
from ltkm_inspect.rule import HIGHEST, RULES
from ltkm_inspect.spec import CR, PUBLICATIONS, RFC3830, Clause, Sure, Verb

load()
CHANGE_REQUEST = Path(__file__).parents[3] / "shared" / "change-request.txt"


@pytest.mark.parametrize("id", RULES)
def test_a_rule_says_what_it_is_why_one_cares_and_what_to_do(id: str) -> None:
    rule = RULES[id]
    assert len(rule.paragraphs) == 3
    assert all(paragraph.endswith(".") for paragraph in rule.paragraphs)
    assert rule.covers, "the requirements that it decides"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", id)


@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_says_what_it_does(id: str) -> None:
    assert FAULTS[id].title.endswith(".")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", id)
    for parameter in FAULTS[id].parameters:
        if parameter.words:
            assert parameter.default in parameter.words
        elif isinstance(parameter.type, ParameterType):
            assert parameter.default is None  # nothing of that kind is there by itself
        else:
            assert isinstance(parameter.default, parameter.type)


@pytest.mark.parametrize("id", RULES)
def test_a_rule_cites_clauses_that_say_something(id: str) -> None:
    for clause in RULES[id].clauses:
        assert bool(clause.quote) != bool(clause.says), str(clause)
        assert clause.publication.key in PUBLICATIONS


def _quoted() -> list[Clause]:
    clauses = {clause for rule in RULES.values() for clause in rule.clauses if clause.quote}
    return sorted(clauses, key=lambda clause: clause.quote)


@pytest.mark.needs("shared")
@pytest.mark.parametrize("clause", _quoted(), ids=str)
def test_a_quotation_stands_in_the_change_request_word_for_word(clause: Clause) -> None:
    assert clause.publication is CR
    assert " ".join(clause.quote.split()) in " ".join(CHANGE_REQUEST.read_text("utf-8").split())


def test_a_publication_that_was_not_read_cannot_be_quoted() -> None:
    with pytest.raises(ValueError, match="use says="):
        RFC3830["6.1"](quote="anything")


@pytest.mark.parametrize("id", RULES)
def test_a_rule_is_no_higher_than_its_sources_are_sure(id: str) -> None:
    rule = RULES[id]
    assert rule.level <= rule.highest
    if rule.clauses and all(clause.sure is not Sure.FOUND for clause in rule.clauses):
        assert rule.highest == max(HIGHEST.get(clause.sure, Level.VIOLATION) for clause in rule.clauses)


@pytest.mark.parametrize("id", RULES)
def test_a_rule_says_why_where_its_level_is_not_that_of_the_verb(id: str) -> None:
    rule = RULES[id]
    assert bool(rule.level_reason) == (rule.level is not rule.asked_level)
    asked = "no clause" if rule.verb is None else rule.verb.value
    assert (f"{asked}, but a {rule.level.word}, because" in " ".join(rule_page(rule).split())) == bool(
        rule.level_reason
    )
    assert not rule.level_reason.endswith(".")


@pytest.mark.parametrize(
    "id",
    [
        "http-version-wrong",
        "user-agent-lacks-gba",
        "username-not-b-tid",
        "msk-repeated",
        "requested-msk-unanswered",
        "answered-msk-unrequested",
        "root-extension-unknown",
        "msk-id-current",
        "counters-disordered",
        "uri-mismatch",
        "authentication-info-misquoted",
    ],
)
def test_a_settled_reading_lowers_a_shall_to_a_warning_and_says_so(id: str) -> None:
    assert RULES[id].verb is Verb.SHALL
    assert RULES[id].level is Level.WARNING
    assert RULES[id].level_reason


def test_a_rule_without_a_clause_is_for_the_safety_of_the_tool() -> None:
    assert [rule.id for rule in RULES.values() if not rule.clauses] == ["doctype-present"]
    page = rule_page(RULES["doctype-present"])
    assert "What the clauses say" not in page


@pytest.mark.parametrize(
    ("id", "cited"),
    [
        ("digest-upper-case", "RFC 7616 §3.2"),
        ("rspauth-malformed", "RFC 7616 §3.2"),
        ("key-invalidated", "3GPP TS 33.246 6.3.2.1B"),
        ("key-sequence-exhausted", "3GPP TS 33.246 6.4.5.1"),
    ],
)
def test_a_rule_cites_the_clause_that_says_so(id: str, cited: str) -> None:
    assert [str(clause) for clause in RULES[id].clauses] == [cited]


R1 = ["CR-1a", "CR-1b", "CR-1c", "CR-1d", "CR-2a", "CR-2b", "CR-3", "CR-4", "CR-5a", "CR-5b", "CR-6", "CR-7", "CR-8a"]
R1 += ["CR-8b", "CR-9", *(f"LTKM-{n:02}" for n in range(1, 11)), *(f"ID-{n:02}" for n in range(1, 9))]
R1 += [*(f"MK-{n:02}" for n in range(1, 10)), *(f"XML-{n:02}" for n in range(1, 11)), "XML-14"]


@pytest.mark.parametrize("row", R1)
def test_every_requirement_of_the_change_request_has_its_rule(row: str) -> None:
    assert [rule.id for rule in RULES.values() if row in rule.covers]
