"""JUnit XML: a suite a file, a case a rule; what fails, what is skipped, and what is told beside."""

import io
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from lxml import etree

from ltkm_inspect.report import junit
from ltkm_inspect.report.summary import NOT_ENDED, NOTHING_SEEN
from tests.report.runs import FAULTED, TRIAL, checked


def suites_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the suites of these records by name; the numbers in each and in the whole are right."""
    file = io.StringIO()
    junit.write(records, file)
    root = etree.fromstring(file.getvalue().encode())
    assert root.tag == "testsuites"
    for name, path in (
        ("tests", "testcase"),
        ("failures", "*/failure"),
        ("errors", "*/error"),
        ("skipped", "*/skipped"),
    ):
        found = [len(suite.findall(path)) for suite in root]
        assert [int(suite.get(name, "")) for suite in root] == found
        assert int(root.get(name, "")) == sum(found)
    suites = {suite.get("name", ""): suite for suite in root}
    assert len(suites) == len(root)
    return suites


def cases(suite: Any) -> dict[str, Element]:
    found = {case.get("name"): case for case in suite.findall("testcase")}
    assert len(found) == len(suite.findall("testcase"))
    return found


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return checked(TRIAL)


def test_every_rule_is_a_case_and_every_violation_a_failure(records: list[dict[str, Any]]) -> None:
    suite = suites_of(records)[str(TRIAL)]
    exchanges = [record for record in records if "outcomes" in record]
    found = cases(suite)
    assert set(found) == {rule for exchange in exchanges for rule in exchange["outcomes"]}
    violations = [each for exchange in exchanges for each in exchange["findings"] if each["level"] == "violation"]
    assert {name for name, case in found.items() if case.find("failure") is not None} == {
        each["rule"] for each in violations
    }
    missing = found["ltkm-missing"]
    assert missing.get("classname") == "ltkm-inspect.item"
    failure = missing.find("failure")
    assert failure is not None
    assert failure.get("type") == "violation"
    assert "item 2, LTKM: expected exactly one LTKM, got none" in (failure.text or "")


def test_a_warning_fails_only_where_the_run_fails_from_it(records: list[dict[str, Any]]) -> None:
    for fail_on, fails in (("never", False), ("violation", False), ("warning", True)):
        first = records[0] | {"options": records[0]["options"] | {"fail_on": fail_on}}
        case = cases(suites_of([first, *records[1:]])[str(TRIAL)])["response-code-near-miss"]
        failure, output = case.find("failure"), case.find("system-out")
        assert (failure is not None) is fails
        assert (output is not None) is not fails
        shown = failure if failure is not None else output
        assert shown is not None
        assert "warning response-code-near-miss: " in (shown.text or "")


def test_a_rule_that_applied_nowhere_is_skipped_with_its_reason(records: list[dict[str, Any]]) -> None:
    exchanges = [record for record in records if "outcomes" in record]
    for name, case in cases(suites_of(records)[str(TRIAL)]).items():
        skipped = case.find("skipped")
        answers = {exchange["outcomes"][name]["answer"] for exchange in exchanges}
        assert (skipped is not None) is (answers == {"not applicable"})
        if skipped is not None:
            reasons = {exchange["outcomes"][name]["reason"] for exchange in exchanges}
            assert skipped.get("message") in reasons
    assert cases(suites_of(records)[str(TRIAL)])["mac-invalid"].find("skipped") is not None


def test_exchanges_with_faults_put_in_stand_apart_and_never_fail() -> None:
    suites = suites_of(checked(*FAULTED))
    later = (
        "counters",
        "datagram",
        "msks",
        "pushes",
        "rands",
        "terminals",
    )  # after other files their clean exchanges are not clean
    for path in FAULTED:
        apart = suites[f"{path}, with faults put in"]
        assert apart.get("failures") == "0"
        assert path.stem in later or str(path) not in suites or suites[str(path)].get("failures") == "0"
    shown = [each.text for suite in suites.values() for each in suite.findall("testcase/system-out")]
    assert sum("violation " in text for text in shown) > 10


def test_a_run_without_an_end_or_without_an_exchange_is_an_error(records: list[dict[str, Any]]) -> None:
    first, *_, session, summary = records
    for some, said in (
        (records, []),
        (records[:-1], [NOT_ENDED]),
        ([first, session, summary], [NOTHING_SEEN]),
        ([], [NOT_ENDED, NOTHING_SEEN]),
    ):
        suites = suites_of(some)
        assert [error.get("message") for error in suites["run"].findall("testcase/error")] == said
    skipped = suites_of([first, session, summary])[str(TRIAL)].find("testcase/skipped")
    assert skipped.get("message") == NOTHING_SEEN


def test_of_many_findings_the_first_are_written_out_and_all_are_counted(records: list[dict[str, Any]]) -> None:
    broken = next(record for record in records if record.get("findings"))
    rule = broken["findings"][0]["rule"]
    times = junit.MOST_LINES + 7
    case = cases(suites_of([records[0], *[broken] * times])[str(TRIAL)])[rule]
    failure = case.find("failure")
    assert failure is not None
    text = (failure.text or "").splitlines()
    assert len([line for line in text if line.startswith(f"  violation {rule}: ")]) == junit.MOST_LINES
    assert text[-1] == "and 7 more"
    assert failure.get("message") == f"{times} findings in {times} exchanges"
