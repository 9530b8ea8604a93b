"""Counts the exchanges and findings of a run, and what was not checked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ltkm_inspect.capture.unread import unread_text
from ltkm_inspect.engine.own_findings import PASSED_UNCHECKED
from ltkm_inspect.finding import CRASHES, UNCHECKED, Answer, Level, Report, count
from ltkm_inspect.output import console
from ltkm_inspect.output.json_line import is_event, kind_of
from ltkm_inspect.report.baseline_text import entries_since, entry_key, idle_text
from ltkm_inspect.report.blind_spots import BlindSpots, unchecked_text
from ltkm_inspect.report.counts import counts_of
from ltkm_inspect.traffic import DatagramKind, events_text
from ltkm_inspect.wire import inert

NOTHING_SEEN = "no MSK exchange was seen, so nothing was checked"
RECENT = 100
"""How many records may come between the two records of a live exchange that faults were put into."""
NOTHING_SELECTED = "no MSK exchange matches the selection"
NOT_ENDED = "the records have no end: the run was killed or is still running"
MOST_GAPS = 5
"""How many gaps in the records are listed."""


@dataclass(slots=True)
class Summary:
    """The counts of a run. It keeps no event, so a long run does not make it larger."""

    exchanges: int = 0
    """MSK exchanges over HTTP."""
    datagrams: Counter[str] = field(default_factory=Counter)
    """Datagrams by kind. Every count of exchanges below includes them."""
    others: int = 0
    """Flows with neither MSK exchange nor datagram."""
    items: int = 0
    ltkms: int = 0
    notes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    """Exchanges by verdict, one of `VERDICTS`."""
    findings: Counter[tuple[Level, str]] = field(default_factory=Counter)
    """Findings by level and rule id."""
    answers: Counter[Answer] = field(default_factory=Counter)
    """Answers over all rules and exchanges."""
    noted: int = 0
    """How many of the answers `broken` only made notes."""
    faulted: int = 0
    """Exchanges with faults put in; their verdicts, findings, notes and answers are not counted above."""
    faulted_findings: Counter[Level] = field(default_factory=Counter)
    """The findings in exchanges with faults put in, by level."""
    forgotten: Counter[str] = field(default_factory=Counter)
    """How many keys each register of the session forgot, because it had reached `session_limit`."""
    accepted: Counter[tuple[Level, str]] = field(default_factory=Counter)
    """Findings that the baseline accepts, by level and rule id; they are not among `findings`."""
    matched: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How many findings each entry of the baseline is about, by what distinguishes it."""
    baseline: list[dict[str, Any]] = field(default_factory=list)
    """The entries of the baseline at the end of the run, as records have them."""
    unselected: int = 0
    """Exchanges that were not selected; they are in no other count."""
    crashed: int = 0
    """Exchanges that were not checked in full because the program failed on them."""
    unread: Counter[str] = field(default_factory=Counter)
    """What packet captures have that was not read, by kind."""
    damaged: int = 0
    """Exchanges that the capture damaged."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Pushes whose terminal was not seen again in time, by the rule that its next event would break."""
    missing: Counter[str] = field(default_factory=Counter)
    """How many records could not be written, by a text that says when and why."""
    unchecked: Counter[str] = field(default_factory=Counter)
    """Events that were not checked in full, by the main reason, a key of `PASSED_UNCHECKED`."""
    late: int = 0
    """Events that went on before they were inspected."""
    blind_spots: BlindSpots = field(default_factory=BlindSpots)
    """What a proxy could not look into, and what it saw besides MSK traffic."""
    _live_ids: list[str] = field(default_factory=list)
    """The ids of the latest live exchanges without faults: a record with faults put in may follow."""

    def add(self, report: Report) -> None:
        """Count one MSK exchange or datagram."""
        self.add_counts(counts_of(report))

    def goes_on(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a record is the second one of a live exchange: with faults put in, after the one without."""
        return bool(record["faults"]) and record["file"] is None and record["id"] in self._live_ids

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Count a record of JSON Lines: an exchange, a session or the summary; other kinds are ignored."""
        kind = kind_of(record)
        if kind == "summary":
            self.others += record["others"]
            self.unselected += record.get("unselected", 0)
            self.unread.update(record.get("unread", {}))
            self.waiting.update(record.get("waiting", {}))
            self.unchecked.update(record.get("unchecked", {}))
            self.late += record.get("late", 0)
            self._add_baseline(record.get("baseline") or [])
        if kind == "heartbeat":
            self.blind_spots.add_record(record)
        if kind == "session":
            self.forgotten.update(record["forgotten"])
        if kind == "missing":
            self.missing[_missing_text(record)] += record["records"]
        if not is_event(record):
            return
        counts = record["counts"]
        levels = Counter((Level.of(finding["level"]), finding["rule"]) for finding in record["findings"])
        for more in record.get("more", {}).get("findings", ()):
            if more["level"] != Level.NOTE.word:
                levels[Level.of(more["level"]), more["rule"]] += more["number"]
        goes_on = self.goes_on(record)
        self._live_ids = [id for id in self._live_ids if id != record["id"]]
        if record["file"] is None and not record["faults"]:
            self._live_ids = [*self._live_ids, record["id"]][-RECENT:]
        self.crashed += any(rule in CRASHES for _, rule in levels)
        if not goes_on:
            if kind == "datagram":
                self.datagrams[record["kind"]] += 1
            else:
                self.exchanges += 1
            self.items += counts.get("items", 0)
            self.ltkms += counts["ltkms"]
            self.damaged += bool(record.get("damage"))
        if record["faults"]:
            self.faulted += 1
            for (level, _), number in levels.items():
                self.faulted_findings[level] += number
            return
        self.notes += counts["notes"]
        self.noted += len(noted_rules(record))
        self.verdicts[record["verdict"]] += 1
        self.findings.update(levels)
        for finding in record.get("accepted", ()):
            self.accepted[Level.of(finding["level"]), finding["rule"]] += 1
        for more in record.get("more", {}).get("accepted", ()):
            self.accepted[Level.of(more["level"]), more["rule"]] += more["number"]
        self.answers.update({answer: counts[answer.key] for answer in Answer})

    def _add_baseline(self, entries: list[dict[str, Any]]) -> None:
        """Add the entries at the end of one file of a run; each file counts its own findings."""
        known = {entry_key(entry): entry for entry in self.baseline}
        for entry in entries:
            if entry_key(entry) in known:
                known[entry_key(entry)]["findings"] += entry["findings"]
            else:
                self.baseline.append(dict(entry))

    def other(self) -> None:
        """Count one flow that is not an MSK exchange."""
        self.others += 1

    def merge(self, other: "Summary") -> None:
        """Add the counts of another summary."""
        self.add_counts(other.counts())

    def counts(self) -> dict[str, Any]:
        """Return the counts that are not zero, by the names of their fields."""
        return {name: number for name in _COUNTS if (number := getattr(self, name))}

    def add_counts(self, counts: Mapping[str, Any]) -> None:
        """Add such counts."""
        for name, more in counts.items():
            mine = getattr(self, name)
            if isinstance(mine, BlindSpots):
                mine.merge(more)
            elif isinstance(mine, Counter):
                for key, number in more.items():  # a fifth of what `update` takes for a few
                    mine[key] += number
            else:
                setattr(self, name, mine + more)

    def since(self, earlier: "Summary") -> "Summary":
        """Return what was counted after an earlier state of this summary."""
        later = Summary()
        for name in _COUNTS:
            now, then = getattr(self, name), getattr(earlier, name)
            if isinstance(now, int | Counter):
                setattr(later, name, now - then)
        later.baseline = entries_since(self.baseline, earlier.baseline)
        return later

    @property
    def worst(self) -> Level:
        """The worst level of all findings; OFF if there is none."""
        return max((level for level, _ in self.findings), default=Level.OFF)

    def exit_code(self, fail_on: Level | None) -> int:
        """Return 3 if there are findings of that level or worse, 4 if nothing was checked, else 0."""
        if fail_on is not None and self.worst >= fail_on:
            return console.FINDINGS
        return console.OK if self.seen else console.NOTHING_SEEN

    @property
    def events(self) -> int:
        """The number of MSK exchanges and datagrams."""
        return self.exchanges + self.datagrams.total()

    @property
    def seen(self) -> int:
        """The number of those that were checked."""
        return self.events - self.verdicts[UNCHECKED]

    @property
    def kinds(self) -> list[str]:
        """The number of datagrams of each kind, in words."""
        return [each.plural(number) for each in DatagramKind if (number := self.datagrams[each.key])]

    @property
    def nothing(self) -> str:
        """Why no exchange was reported."""
        return NOTHING_SELECTED if self.unselected else NOTHING_SEEN

    def total(self, level: Level) -> int:
        """Return the number of findings with that level."""
        return sum(number for (each, _), number in self.findings.items() if each is level)

    def by_rule(self) -> list[tuple[Level, str, int]]:
        """Return level, rule id and number of findings, the worst level first, then by id."""
        return by_rule(self.findings)

    @property
    def baseline_lines(self) -> list[str]:
        """A line for each entry of the baseline that accepts nothing: it has expired, or no finding fits it."""
        return [text for entry in self.baseline if (text := idle_text(entry))]

    @property
    def missing_lines(self) -> list[str]:
        """A line for each gap in the records, and one that counts the gaps that are not listed."""
        lines = [_missing_line(text, number) for text, number in self.missing.items()]
        more = lines[MOST_GAPS:]
        return [*lines[:MOST_GAPS], *([f"{count(len(more), 'more gap')} in the records"] if more else [])]

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        others = f"{count(self.others, 'other flow')} ignored"
        if self.unselected:
            others = f"{count(self.unselected, 'MSK exchange')} not selected; {others}"
        unread = [f"summary: not read: {text}"] if (text := unread_text(self.unread)) else []
        missing = [f"summary: {line}" for line in self.missing_lines]
        unseen = [f"summary: {line}" for line in self.blind_spots.handshake_lines()]
        if not self.events:
            seen = [f"summary: seen instead: {text}"] if (text := self.blind_spots.other_line()) else []
            return [f"summary: {self.nothing}; {others}", *unread, *missing, *seen, *unseen]
        verdicts = ", ".join(
            f"{self.verdicts[verdict]} {word}"
            for verdict, word in (("clean", "clean"), ("warning", "with warnings"), ("violation", "with violations"))
        )
        if unchecked := self.verdicts[UNCHECKED]:
            verdicts += f", {unchecked} {UNCHECKED}"
        only_faulted = self.events - self.verdicts.total()
        if only_faulted:
            verdicts += f", {only_faulted} with faults put in"
        datagrams = self.datagrams.total()
        events = events_text(self.exchanges, datagrams)
        items = f"{count(self.items, 'item')}, " if self.exchanges else ""
        answers = ", ".join(f"{number} {word}" for word, number in results(self.answers, self.noted).items())
        return [
            f"summary: {events} ({verdicts}), {items}{count(self.ltkms, 'LTKM')}; {others}",
            *([f"summary: datagrams: {', '.join(self.kinds)}"] if datagrams else []),
            f"summary: {count(self.total(Level.VIOLATION), 'violation')}, "
            f"{count(self.total(Level.WARNING), 'warning')}, {count(self.notes, 'note')}{self._accepted_text()}; "
            f"rule results: {answers}",
            *(f"summary: {level.word} {rule}: {number}" for level, rule, number in self.by_rule()),
            *(f"summary: accepted {level.word} {rule}: {number}" for level, rule, number in by_rule(self.accepted)),
            *(f"summary: baseline: {line}" for line in self.baseline_lines),
            *([f"summary: {self._waiting_text()}"] if self.waiting else []),
            *([f"summary: {damaged(self.damaged)}"] if self.damaged else []),
            *([f"summary: not checked in full: {text}"] if (text := self.unchecked_text) else []),
            *([f"summary: {late_text(self.late)}"] if self.late else []),
            *unread,
            *missing,
            *unseen,
            *([f"summary: {self._faulted_text()}"] if self.faulted else []),
            *([f"summary: the session forgot {lost}"] if (lost := forgotten(self.forgotten)) else []),
        ]

    @property
    def unchecked_text(self) -> str:
        """How many events were not checked in full, by reason; empty if all were."""
        return unchecked_text(self.unchecked, PASSED_UNCHECKED)

    def _accepted_text(self) -> str:
        number = self.accepted.total()
        return f", {count(number, 'accepted finding')}" if number else ""

    def _waiting_text(self) -> str:
        rules = ", ".join(f"{rule}: {number}" for rule, number in sorted(self.waiting.items()))
        return f"at the end, not counted as findings: {rules} (the terminal was not seen again)"

    def _faulted_text(self) -> str:
        violations, warnings = (self.faulted_findings[level] for level in (Level.VIOLATION, Level.WARNING))
        findings = f"({count(violations, 'violation')}, {count(warnings, 'warning')})"
        exchanges = f"{count(self.faulted, 'exchange')} with faults put in"
        return f"{exchanges}; findings after the change {findings} do not count"


def late_text(number: int) -> str:
    """Return how many responses and datagrams went on before they were inspected."""
    return f"inspected too late: {count(number, 'event')}, which went on unchanged after the deadline (ltkm_deadline)"


def by_rule(findings: Counter[tuple[Level, str]]) -> list[tuple[Level, str, int]]:
    """Return level, rule id and number of findings, the worst level first, then by id."""
    ordered = sorted(findings.items(), key=lambda entry: (-entry[0][0], entry[0][1]))
    return [(level, rule, number) for (level, rule), number in ordered]


def results(answers: Mapping[Answer, int], noted: int) -> dict[str, int]:
    """Return the number of rule results by word; a rule that only made notes is `noted`, not `broken`."""
    passed, broken, not_applicable = (answers[answer] for answer in Answer)
    notes = {"noted": noted} if noted else {}
    return {"passed": passed, "broken": broken - noted, **notes, Answer.NOT_APPLICABLE.value: not_applicable}


def noted_rules(record: Mapping[str, Any]) -> set[str]:
    """Return the rules that only made notes, from the record of an exchange."""
    broken = {finding["rule"] for finding in (*record["findings"], *record.get("accepted", ()))}
    return {note["rule"] for note in record["notes"]} - broken


def damaged(exchanges: int) -> str:
    """Return the line that says how many exchanges the capture damaged."""
    return f"{count(exchanges, 'exchange')} damaged by the capture; the damaged parts were not checked"


def missing_line(record: Mapping[str, Any]) -> str:
    """Return the line about records that could not be written, safe to print."""
    return _missing_line(_missing_text(record), record["records"])


def _missing_text(record: Mapping[str, Any]) -> str:
    return inert(f"from {record['first']} to {record['last']}: {record['reason']}")


def _missing_line(text: str, number: int) -> str:
    return f"{count(number, 'record')} missing {text}"


def forgotten(numbers: Mapping[str, int]) -> str:
    """Return how much the session forgot, by register, as text; empty if it was nothing."""
    names = {"muks": "MUK", "msks": "MSK", "rands": "RAND", "copies": "fingerprint", "sightings": "terminal count"}
    names |= {"pushes": "push record", "csb_ids": "CSB ID"}
    words = {name: names.get(name, name.removesuffix("s").replace("_", " ")) for name in numbers}
    counts = ", ".join(count(number, words[name]) for name, number in numbers.items() if number)
    return counts and f"{counts}; later exchanges were not compared with them (session_limit)"


_COUNTS = tuple(each.name for each in fields(Summary))
