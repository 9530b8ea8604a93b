"""A report as JUnit XML: a suite for each file, a case for each rule, for the test pages of CI servers.

A rule whose finding has the level of `fail_on` or a worse one is a failure (if `fail_on` is `never`: a violation).
Lesser findings are in the output of their case. A rule that was not applicable anywhere in a file is skipped, with the
most frequent reason. Exchanges with faults put in have their own suite, in which nothing fails. Damage by the capture
is an error of its file. The suite `run` says whether the run ended, and whether there was anything to check.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ltkm_inspect import catalogue
from ltkm_inspect.finding import UNCHECKED, Answer, Level, count, shorten
from ltkm_inspect.options.settings import parse_fail_on
from ltkm_inspect.output.console import PROGRAM
from ltkm_inspect.output.json_line import is_event, kind_of
from ltkm_inspect.report.jsonl import Record
from ltkm_inspect.report.lines import LIVE
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.report.summary import NOT_ENDED, NOTHING_SEEN, Summary, damaged
from ltkm_inspect.report.text import INDENT, record_text
from ltkm_inspect.rule import RULES
from ltkm_inspect.wire import inert, printable

MOST_LINES = 100
"""How many findings of one rule in one file are listed."""
MOST_REASONS = 20
"""How many different reasons why one rule did not apply to a file are counted."""


@dataclass(slots=True)
class _FindingLines:
    """Findings as lines: all are counted, and the first ones are kept."""

    number: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    """The heading of the exchange, and the line of the finding."""

    def add(self, heading: str, line: str) -> None:
        self.number += 1
        if len(self.kept) < MOST_LINES:
            self.kept.append((heading, line))

    @property
    def text(self) -> str:
        lines: list[str] = []
        for heading, found in groupby(self.kept, key=itemgetter(0)):
            lines += [heading, *(f"{INDENT}{line}" for _, line in found)]
        more = self.number - len(self.kept)
        return "\n".join([*lines, *([f"and {more} more"] if more else [])])


@dataclass(slots=True)
class _Case:
    """The results of one rule for one file."""

    applied: bool = False
    worst: Level = Level.OFF
    """The worst level among the failing findings."""
    failing: _FindingLines = field(default_factory=_FindingLines)
    others: _FindingLines = field(default_factory=_FindingLines)
    reasons: Counter[str] = field(default_factory=Counter)
    """The reasons why it was not applicable."""

    def answer(self, answer: str, reason: str) -> None:
        if answer != Answer.NOT_APPLICABLE.value:
            self.applied = True
        elif reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] += 1

    def find(self, level: Level, *, fails: bool) -> _FindingLines:
        """Return the lines that a finding of that level belongs to."""
        self.applied = True
        if fails:
            self.worst = max(self.worst, level)
        return self.failing if fails else self.others


@dataclass(slots=True)
class _Suite:
    """The results of all rules for one file."""

    exchanges: int = 0
    """Exchanges and datagrams that were checked."""
    noun: str = "exchange"
    """What these are: `exchange`, or `event` once a datagram is among them."""
    started: str = ""
    cases: dict[str, _Case] = field(default_factory=dict)
    damage: _FindingLines = field(default_factory=_FindingLines)
    damaged: int = 0
    """The number of exchanges that the capture damaged."""

    def add(self, exchange: Record, fails_from: Level) -> None:
        self.exchanges += exchange["verdict"] != UNCHECKED
        self.noun = "event" if kind_of(exchange) == "datagram" else self.noun
        self.started = self.started or exchange["started"] or ""
        for rule, outcome in exchange["outcomes"].items():
            self._case(rule).answer(outcome["answer"], outcome["reason"])
        text = record_text(exchange, notes=True)
        self.damaged += bool(text.damage)
        for each in text.damage:
            self.damage.add(text.heading, each)
        for finding in text.findings:
            self._lines(finding.rule, finding.level, exchange, fails_from).add(text.heading, finding.line)
        for finding in text.accepted:
            self._case(finding.rule).find(Level.of(finding.level), fails=False).add(text.heading, finding.line)
        for more in exchange.get("more", {}).get("accepted", ()):
            self._case(more["rule"]).find(Level.of(more["level"]), fails=False).number += more["number"]
        for more in exchange.get("more", {}).get("findings", ()):
            self._lines(more["rule"], more["level"], exchange, fails_from).number += more["number"]

    def _lines(self, rule: str, word: str, exchange: Record, fails_from: Level) -> _FindingLines:
        level = Level.of(word)
        return self._case(rule).find(level, fails=level >= fails_from and not exchange["faults"])

    def _case(self, rule: str) -> _Case:
        return self.cases.setdefault(rule, _Case())


def write(records: Iterable[Record], file: TextIO) -> None:
    """Write a suite for each file and one for the run. Only the first findings are kept in memory."""
    catalogue.load()
    suites: dict[str, _Suite] = {}
    faulted: dict[str, _Suite] = {}
    fails_from = Level.VIOLATION
    run_files, gaps = RunFiles(), Summary()
    for record in records:
        kind = kind_of(record)
        run_files.add(record)
        if kind == "run":
            fails_from = parse_fail_on(record["options"].get("fail_on") or "never") or Level.VIOLATION
            for source in record["sources"] or ():
                suites.setdefault(source, _Suite())
        elif kind in ("missing", "heartbeat"):
            gaps.add_record(record)
        elif is_event(record):
            suites_of_kind = faulted if record["faults"] else suites
            name = LIVE if record["file"] is None else record["file"]
            suites_of_kind.setdefault(name, _Suite()).add(record, fails_from)
    root = Element("testsuites", name=PROGRAM)
    has_exchanges = any(suite.exchanges for suite in (*suites.values(), *faulted.values()))
    _run(
        root,
        {
            "run-ended": "" if run_files.ended else NOT_ENDED,
            "msk-exchange-seen": "" if has_exchanges else NOTHING_SEEN,
            **({"records-complete": "; ".join(gaps.missing_lines)} if gaps.missing else {}),
        },
        [*gaps.blind_spots.handshake_lines()],
    )
    for name, suite in suites.items():
        if suite.exchanges or name not in faulted:
            _suite(root, printable(name), suite)
    for name, suite in faulted.items():
        _suite(root, f"{printable(name)}, with faults put in", suite)
    _count(root)
    for element in root.iter():
        element.text = None if element.text is None else inert(element.text, "\n")
        for name, value in element.items():
            element.set(name, inert(str(value)))
    indent(root)
    file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n')


def _run(root: Element, problems: dict[str, str], lines: list[str]) -> None:
    suite = SubElement(root, "testsuite", name="run")
    for name, problem in problems.items():
        case = SubElement(suite, "testcase", classname=f"{PROGRAM}.run", name=name)
        if problem:
            SubElement(case, "error", type=name, message=problem)
    if lines:
        SubElement(suite, "system-out").text = "\n".join(lines)
    _count(suite)


def _suite(root: Element, name: str, suite: _Suite) -> None:
    element = SubElement(root, "testsuite", name=name)
    if suite.started:
        element.set("timestamp", suite.started)
    properties = SubElement(element, "properties")
    SubElement(properties, "property", name="exchanges", value=str(suite.exchanges))
    if not suite.exchanges:
        case = SubElement(element, "testcase", classname=f"{PROGRAM}.run", name="msk-exchange-seen")
        SubElement(case, "skipped", message=NOTHING_SEEN)
    if suite.damaged:
        case = SubElement(element, "testcase", classname=f"{PROGRAM}.run", name="capture-intact")
        error = SubElement(case, "error", type="capture-damaged", message=damaged(suite.damaged))
        error.text = suite.damage.text
    for rule, answers in suite.cases.items():
        subject = RULES[rule].subject if rule in RULES else "engine"
        case = SubElement(element, "testcase", classname=f"{PROGRAM}.{subject}", name=rule)
        if answers.failing.number:
            message = f"{count(answers.failing.number, 'finding')} in {count(suite.exchanges, suite.noun)}"
            failure = SubElement(case, "failure", type=answers.worst.word, message=message)
            failure.text = answers.failing.text
        elif not answers.applied:
            ((reason, _),) = answers.reasons.most_common(1) or [("the rule was not selected", 0)]
            SubElement(case, "skipped", message=shorten(reason))
        if answers.others.number:
            SubElement(case, "system-out").text = answers.others.text
    _count(element)


def _count(suite: Element) -> None:
    """Set the numbers of cases, failures, errors and skipped cases of a suite, or of the whole report."""
    cases = [*suite.iter("testcase")]
    suite.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(child) is not None for case in cases)))
