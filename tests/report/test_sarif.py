"""SARIF: it follows the official schema, every rule explains itself, and nobody is blamed for faults put in."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ltkm_inspect import explain
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.report import sarif
from ltkm_inspect.report.summary import NOT_ENDED, NOTHING_SEEN
from ltkm_inspect.rule import RULES
from tests.report.runs import FAULTED, TRIAL, checked

VALIDATOR = Draft202012Validator(json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text("utf-8")))
LEVELS = {"violation": "error", "warning": "warning", "note": "note"}


def log_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the log of these records; it follows the schema."""
    file = io.StringIO()
    sarif.write(records, file)
    log = json.loads(file.getvalue())
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(log)] == []
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return checked(TRIAL, *FAULTED)


@pytest.fixture(scope="module")
def run(records: list[dict[str, Any]]) -> dict[str, Any]:
    return log_of(records)


def test_the_schema_would_find_a_mistake(run: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [run | {"tool": {}}]})


def test_every_finding_and_note_is_a_result_at_its_level(records: list[dict[str, Any]], run: dict[str, Any]) -> None:
    told = [each for record in records if "outcomes" in record for each in (*record["findings"], *record["notes"])]
    wanted = Counter((each["rule"], LEVELS[each["level"]]) for each in told)
    assert Counter((result["ruleId"], result["level"]) for result in run["results"]) == wanted
    assert len(wanted) > 50


def test_every_rule_is_described_by_its_page(run: dict[str, Any]) -> None:
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*RULES, *OWN_FINDINGS]
    for rule in rules:
        page, _, _ = (explain.page(rule["id"]) or "").partition("\n\n## Example")
        assert rule["help"]["markdown"].rstrip() == page.rstrip()
        assert rule["shortDescription"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    missing = next(rule for rule in rules if rule["id"] == "ltkm-missing")
    assert missing["defaultConfiguration"] == {"level": "error"}
    assert missing["properties"]["tags"] == ["item", "CR"]
    assert any(
        "SHALL contain exactly one <LTKM> child element" in clause for clause in missing["properties"]["clauses"]
    )


def test_a_result_says_file_item_ltkm_path_and_octets(run: dict[str, Any]) -> None:
    result = next(result for result in run["results"] if result["ruleId"] == "counter-backward")
    (location,) = result["locations"]
    (logical,) = location["logicalLocations"]
    physical = location["physicalLocation"]["artifactLocation"]
    assert physical["uri"] == TRIAL.as_uri()
    assert run["artifacts"][physical["index"]]["location"]["uri"] == TRIAL.as_uri()
    assert logical["fullyQualifiedName"].split("/")[1:] == ["item 1", "LTKM 1", "T.value"]
    assert location["properties"] == {"octets": [33, 37], "octetsOf": "message"}
    assert "expected a counter above 39, got 1" in result["message"]["text"]
    assert result["webResponse"] == {"statusCode": 200}


def test_what_a_fault_broke_is_suppressed_and_nothing_else_is(
    records: list[dict[str, Any]], run: dict[str, Any]
) -> None:
    faulted = {record["id"]: record["faults"] for record in records if "outcomes" in record}
    for result in run["results"]:
        faults = faulted[result["properties"]["exchange"]]
        assert bool(result.get("suppressions")) is bool(faults)
        for suppression in result.get("suppressions", ()):
            assert faults[0] in suppression["justification"]


def test_a_fingerprint_is_the_same_in_the_next_run_and_differs_by_rule_and_key(run: dict[str, Any]) -> None:
    later = checked(TRIAL)
    for record in later:
        if "outcomes" in record:
            record |= {"started": "2010-01-01T00:00:00.000Z", "id": "another", "file": "later.flow"}
    mine, theirs = ({fingerprint(each) for each in found["results"]} for found in (run, log_of(later)))
    assert theirs <= mine
    by_rule = {(each["ruleId"], fingerprint(each)) for each in run["results"]}
    assert len({found for _, found in by_rule}) == len(by_rule)


def fingerprint(result: dict[str, Any]) -> str:
    return str(result["partialFingerprints"][sarif.FINGERPRINT])


def test_live_traffic_has_no_file(records: list[dict[str, Any]]) -> None:
    live = [record | {"file": None} if "outcomes" in record else record for record in records]
    live[0] = live[0] | {"sources": None}
    found = log_of(live)
    assert found["artifacts"] == []
    assert all("physicalLocation" not in place for result in found["results"] for place in result["locations"])


def test_a_run_without_an_end_or_without_an_exchange_says_so(records: list[dict[str, Any]]) -> None:
    first, *_, session, summary = records
    for some, said in (
        ([first, session, summary], [NOTHING_SEEN]),
        (records[:-1], [NOT_ENDED]),
        ([first], [NOT_ENDED, NOTHING_SEEN]),
        (records, []),
    ):
        (invocation,) = log_of(some)["invocations"]
        notes = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
        assert notes == said
        assert invocation["executionSuccessful"] is not bool(said)


def test_text_from_the_wire_is_no_link(records: list[dict[str, Any]]) -> None:
    record = next(record for record in records if record.get("findings"))
    finding = record["findings"][0] | {"got": "[press](http://evil.example)"}
    (result, *_) = log_of([records[0], record | {"findings": [finding], "notes": []}])["results"]
    assert "[press]\\(http://evil.example)" in result["message"]["text"]


def test_a_rule_that_is_not_known_here_is_told_all_the_same(records: list[dict[str, Any]]) -> None:
    record = next(record for record in records if record.get("findings"))
    finding = record["findings"][0] | {"rule": "of-another-version"}
    (result, *_) = log_of([records[0], record | {"findings": [finding]}])["results"]
    assert result["ruleId"] == "of-another-version"
    assert "ruleIndex" not in result
