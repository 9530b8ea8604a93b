"""The committed reports of the trial are what is written, and say of it what was meant to be wrong with it."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from ltkm_inspect.engine import messages, rule_plan
from ltkm_inspect.finding import Level, Problem
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.rule import RULES, rule
from ltkm_inspect.spec import CR
from ltkm_inspect.traffic import Exchange
from tests.samples import expected, generate, reports, trial

FILE = f"flows/{trial.FILE}"
FOLDER = reports.FOLDER
SAMPLES = generate.samples()[trial.FILE]
RECORDING = (generate.FOLDER / trial.FILE).read_bytes()
MEANT = Counter(rule for sample in SAMPLES for rule in sample.breaks)
"""How many exchanges were made to break each rule."""
LEVELS = {rule: RULES[rule].level for rule in MEANT} | {"policy-missing": Level.WARNING}
"""Of these rules; where the same MSK was delivered before, a policy that is missing is a warning."""


@pytest.fixture(scope="module")
def made() -> dict[Path, bytes]:
    """The reports as they are written now."""
    return reports.expected(FILE, RECORDING)


@pytest.mark.parametrize("name", ["trial.txt", "trial.jsonl.json", "trial.sarif.json", "trial.junit.xml"])
def test_it_is_what_is_written(name: str, made: dict[Path, bytes]) -> None:
    assert (FOLDER / name).read_text("utf-8") == made[FOLDER / name].decode()


def test_text_is_what_the_addon_logs_for_the_trial() -> None:
    logged = expected.without_comments((generate.FOLDER / "trial.txt").read_text("utf-8"))
    assert (FOLDER / "trial.txt").read_text("utf-8").splitlines() == logged


def test_sarif_has_a_result_for_each_rule_that_was_to_be_broken_at_its_level() -> None:
    (run,) = json.loads((FOLDER / "trial.sarif.json").read_text("utf-8"))["runs"]
    found = Counter({(result["ruleId"], result["properties"]["exchange"]) for result in run["results"]})
    assert Counter(rule for rule, _ in found) == MEANT
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels == {rule: "error" if level is Level.VIOLATION else "warning" for rule, level in LEVELS.items()}
    assert not any("suppressions" in result for result in run["results"])


def test_junit_fails_for_the_violations_that_were_meant_and_for_nothing_else() -> None:
    root = etree.parse(FOLDER / "trial.junit.xml").getroot()
    failed = {case.get("name") for case in root.iter("testcase") if case.find("failure") is not None}
    assert failed == {rule for rule, level in LEVELS.items() if level is Level.VIOLATION}
    assert len(root.findall("testsuite")) == 2


def test_junit_skips_the_rules_that_take_keys() -> None:
    records = [json.loads(to_json(record)) for record in reports.records(FILE, RECORDING)]
    cases = etree.fromstring(reports.written("junit", records).encode()).iter("testcase")
    skipped = {case.get("name") for case in cases if case.find("skipped") is not None}
    assert {rule.id for rule in RULES.values() if rule.is_keyed} <= skipped


def test_a_rule_that_finds_nothing_changes_no_report_and_no_text_beside_a_recording() -> None:
    def finds_nothing(_: Exchange) -> Iterator[Problem]:
        """There is nothing that this rule finds.

        It tells what another rule costs.

        Nothing has to be done.
        """
        yield from ()

    before, added = dict(RULES), "finds-nothing"
    rule(CR["1"](says="nothing"), on=Exchange, covers=["CR-1a"])(finds_nothing)
    new = RULES[added]
    RULES.clear()
    RULES.update({added: new, **before})  # in front, where it moves all others
    forget_plans()
    try:
        exchange = next(json.loads(to_json(each)) for each in reports.records(FILE, RECORDING) if "outcomes" in each)
        assert exchange["outcomes"][added]["answer"] == "passed"
        assert {
            path: made for path, made in reports.expected(FILE, RECORDING).items() if made != path.read_bytes()
        } == {}
        titles = [(sample.exchange, sample.title) for sample in SAMPLES]
        assert expected.text(trial.FILE, RECORDING, titles) == (generate.FOLDER / "trial.txt").read_text("utf-8")
    finally:
        del RULES[added]
        forget_plans()


def forget_plans() -> None:
    """Let the engine look anew at which rules there are."""
    for function in (*vars(rule_plan).values(), *vars(messages).values()):
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def test_json_lines_tell_what_was_meant() -> None:
    run, exchange, session, summary = json.loads((FOLDER / "trial.jsonl.json").read_text("utf-8"))
    sample = next(sample for sample in SAMPLES if sample.breaks)
    assert run["sources"] == [FILE]
    assert exchange["id"] == sample.exchange.id
    assert {finding["rule"] for finding in exchange["findings"]} == sample.breaks
    assert set(exchange["outcomes"]) >= sample.breaks
    assert summary["exchanges"] + summary["others"] == len(SAMPLES)
    assert sum(found["number"] for found in summary["findings"]) >= sum(MEANT.values())
    assert {found["rule"] for found in summary["findings"]} == set(MEANT)
    # by B-TID: the three terminals of the trial
    named = [each for each in session["terminals"] if "@" in each["terminal"]]
    assert {each["terminal"] for each in named} >= {muk["idr_text"] for muk in session["muks"]}
