"""What one report adds to the counts of a run: plain values, by the names of the fields of `Summary`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ltkm_inspect.engine.own_findings import passed_unchecked
from ltkm_inspect.finding import CRASHES, Answer, Finding, Level, Report
from ltkm_inspect.traffic import Datagram

_ANSWERS = (*Answer,)


def counts_of(report: Report) -> dict[str, Any]:
    """Return what one MSK exchange or datagram adds, without what is zero."""
    event, findings, unchecked = report.event, report.findings, passed_unchecked(report)
    counts: dict[str, Any] = {
        "datagrams": {event.kind.key: 1} if isinstance(event, Datagram) else None,
        "exchanges": int(not isinstance(event, Datagram)),
        "items": report.items,
        "ltkms": report.ltkms,
        "crashed": int(any(each.rule in CRASHES for each in findings)),
        "damaged": int(bool(event.damage)),
        "unchecked": {unchecked: 1} if unchecked is not None else None,
    }
    if event.faults:
        counts |= faulted_counts_of(report)
    else:
        broken = {each.rule for each in (*findings, *report.accepted)}
        answers = [outcome.answer for outcome in report.outcomes.values()]
        counts |= {
            "notes": report.count(Level.NOTE),
            "verdicts": {report.verdict: 1},
            "findings": _numbers(findings, report.left_out),
            "accepted": _numbers(report.accepted, report.accepted_left_out),
            "matched": Counter(report.matched) if report.matched else None,
            "noted": len({note.rule for note in report.notes} - broken),
            # ten times as fast as counting them one by one
            "answers": {answer: number for answer in _ANSWERS if (number := answers.count(answer))},
        }
    return {name: number for name, number in counts.items() if number}


def faulted_counts_of(report: Report) -> dict[str, Any]:
    """Return what an exchange adds with faults put in, beside what it added before."""
    levels = (Level.VIOLATION, Level.WARNING)
    return {"faulted": 1, "faulted_findings": {level: number for level in levels if (number := report.count(level))}}


def _numbers(findings: Iterable[Finding], left_out: Mapping[tuple[str, Level], int]) -> dict[tuple[Level, str], int]:
    """Return the numbers of findings, those left out included, by level and rule id."""
    found: dict[tuple[Level, str], int] = {}
    for finding in findings:
        key = finding.level, finding.rule
        found[key] = found.get(key, 0) + 1
    for (rule, level), number in left_out.items():
        if level is not Level.NOTE:
            found[level, rule] = found.get((level, rule), 0) + number
    return found
