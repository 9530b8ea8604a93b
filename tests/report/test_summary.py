"""The summary of a run."""

from collections import Counter
from dataclasses import replace

from ltkm_inspect.finding import Answer, Finding, Level, Outcome, Place, Report
from ltkm_inspect.reference import reference
from ltkm_inspect.report.summary import Summary


def report(*findings: Finding, **outcomes: Outcome) -> Report:
    (exchange,) = reference("download")
    return Report(exchange, findings, outcomes=outcomes, items=2, ltkms=1)


def finding(rule: str, level: Level) -> Finding:
    return Finding(rule, level, rule, Place(1))


def test_a_run_without_an_msk_exchange_says_so() -> None:
    summary = Summary()
    assert summary.lines() == ["summary: no MSK exchange was seen, so nothing was checked; 0 other flows ignored"]
    summary.other()
    assert summary.lines() == ["summary: no MSK exchange was seen, so nothing was checked; 1 other flow ignored"]
    assert summary.worst is Level.OFF


def test_findings_are_counted_by_rule_the_worst_level_first_then_by_id() -> None:
    summary = Summary()
    summary.add(report(finding("zeta", Level.VIOLATION), finding("alpha", Level.WARNING)))
    summary.add(report(finding("beta", Level.VIOLATION), finding("zeta", Level.VIOLATION)))
    summary.add(report())
    summary.other()
    summary.other()
    assert summary.lines() == [
        "summary: 3 MSK exchanges (1 clean, 0 with warnings, 2 with violations), 6 items, 3 LTKMs; "
        "2 other flows ignored",
        "summary: 3 violations, 1 warning, 0 notes; rule results: 0 passed, 0 broken, 0 not applicable",
        "summary: violation beta: 1",
        "summary: violation zeta: 2",
        "summary: warning alpha: 1",
    ]
    assert summary.worst is Level.VIOLATION


def test_one_rule_may_have_findings_at_two_levels() -> None:
    summary = Summary()
    summary.add(report(finding("alpha", Level.VIOLATION), finding("alpha", Level.WARNING)))
    assert summary.by_rule() == [(Level.VIOLATION, "alpha", 1), (Level.WARNING, "alpha", 1)]


def test_all_three_answers_are_counted() -> None:
    summary = Summary()
    for _ in range(2):
        summary.add(
            report(
                one=Outcome(Answer.PASSED),
                two=Outcome(Answer.BROKEN),
                three=Outcome(Answer.NOT_APPLICABLE, "no key"),
                four=Outcome(Answer.NOT_APPLICABLE, "no request"),
            )
        )
    assert "2 passed, 2 broken, 4 not applicable" in summary.lines()[1]


def test_what_was_put_in_counts_for_nothing_and_is_said() -> None:
    summary = Summary()
    summary.add(report(finding("alpha", Level.WARNING), one=Outcome(Answer.PASSED)))
    found = report(finding("zeta", Level.VIOLATION), finding("alpha", Level.WARNING), one=Outcome(Answer.BROKEN))
    for _ in range(2):
        summary.add(replace(found, event=replace(found.exchange, faults=("shorten-rand",))))
    assert summary.worst is Level.WARNING
    assert summary.lines() == [
        "summary: 3 MSK exchanges (0 clean, 1 with warnings, 0 with violations, 2 with faults put in), "
        "6 items, 3 LTKMs; 0 other flows ignored",
        "summary: 0 violations, 1 warning, 0 notes; rule results: 1 passed, 0 broken, 0 not applicable",
        "summary: warning alpha: 1",
        "summary: 2 exchanges with faults put in; findings after the change (2 violations, 2 warnings) do not count",
    ]


def test_a_run_with_nothing_but_faulted_exchanges_saw_exchanges() -> None:
    summary = Summary()
    found = report(finding("zeta", Level.VIOLATION))
    summary.add(replace(found, event=replace(found.exchange, faults=("shorten-rand",))))
    assert summary.worst is Level.OFF
    assert summary.exchanges == 1
    assert summary.lines()[-1] == (
        "summary: 1 exchange with faults put in; findings after the change (1 violation, 0 warnings) do not count"
    )


def test_what_the_session_forgot_is_said() -> None:
    summary = Summary(exchanges=1, forgotten=Counter({"exchanges": 3, "muks": 0, "msks": 1}))
    assert summary.lines()[-1] == (
        "summary: the session forgot 3 exchanges, 1 MSK; later exchanges were not compared with them (session_limit)"
    )
    assert "forgotten" not in Summary(exchanges=1).lines()[-1]
