"""The list of rules."""

import json

from ltkm_inspect.report.listing import rule_lines, rules_json, rules_with
from ltkm_inspect.rule import RULES


def test_every_rule_is_in_the_json_list_with_what_it_rests_on() -> None:
    listed = {each["id"]: each for each in json.loads(rules_json(rules_with(())))}
    assert set(listed) == set(RULES)
    for id, rule in RULES.items():
        each = listed[id]
        assert each["subject"] == rule.subject
        assert each["severity"] == rule.level.word
        assert each["title"] == rule.title
        assert each["severity_reason"].endswith(rule.level_reason)
        assert bool(each["severity_reason"]) == bool(rule.level_reason)
        assert set(each["documents"]) == {clause.publication.key for clause in rule.clauses}
        assert [clause["clause"] for clause in each["clauses"]] == [clause.number for clause in rule.clauses]
        assert each["covers"] == list(rule.covers)
        assert [need["name"] for need in each["needs"]] == [need.name for need in rule.needs]
        assert [option["name"] for option in each["options"]] == [option.name for option in rule.parameters]


def test_every_rule_is_in_the_text_list_below_its_subject() -> None:
    subject = ""
    listed = {}
    for line in rule_lines(rules_with(())):
        if not line.startswith(" "):
            subject = line.removesuffix(":")
        elif not line.startswith("   "):
            level, id = line.split()[:2]
            listed[id.removesuffix(":")] = (subject, level)
    assert listed == {id: (rule.subject, rule.level.word) for id, rule in RULES.items()}
