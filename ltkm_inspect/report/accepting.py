"""Applies a baseline to records: for runs that were recorded without it, or with another one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ltkm_inspect.baseline import Baseline, FindingKey
from ltkm_inspect.finding import Level
from ltkm_inspect.names import recorded_keys, same_b_tid
from ltkm_inspect.output.json_line import is_event, kind_of
from ltkm_inspect.report.jsonl import Record, summary_record
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.selection import short_name
from ltkm_inspect.traffic import address_and_port


@dataclass(frozen=True, slots=True)
class AcceptingRecords:
    """Records with the findings apart that a baseline accepts. Each iteration reads the records again."""

    records: Iterable[Record]
    baseline: Baseline
    path: str
    """The file of the baseline, as typed."""

    def __iter__(self) -> Iterator[Record]:
        """Yield the records; the summary at the end of a file counts what was accepted in it."""
        if not self.baseline:
            yield from self.records
            return
        total = Summary()
        for record in self.records:
            if kind_of(record) == "run":
                record = {**record, "options": {**(record["options"] or {}), "baseline": self.path}}
            if is_event(record) and not record["faults"]:
                record, matched = self._applied(record)
                total.matched.update(matched)
            total.add_record(record)
            if kind_of(record) == "summary":
                total.baseline = self.baseline.records(total.matched, str, str)
                record, total = summary_record(total), Summary()
            yield record

    def _applied(self, record: Record) -> tuple[Record, list[tuple[str, ...]]]:
        """Return the record of an event, and the entries that its findings fit."""
        matched: list[tuple[str, ...]] = []
        address = address_and_port(str(record["client"]))[0]
        terminal, name = str(record["terminal"]), str(record.get("terminal_name") or "")
        names = (same_b_tid(terminal), "" if name == short_name(terminal) else name, address)
        terminals, keys = frozenset(filter(None, names)), recorded_keys(record)
        findings: list[Mapping[str, Any]] = []
        accepted: list[Mapping[str, Any]] = [*record.get("accepted", ())]
        for finding in record["findings"]:
            place = finding["place"]
            key = FindingKey(finding["rule"], terminals, keys.get(place["item"], ""), place["path"])
            reason = self.baseline.reason(key, matched)
            (accepted if reason else findings).append({**finding, "reason": reason} if reason else finding)
        more = dict(record.get("more", {}))
        lists: dict[str, list[Mapping[str, Any]]] = {"findings": [], "accepted": [*more.get("accepted", ())]}
        for each in more.get("findings", ()):
            key = FindingKey(each["rule"], terminals, "", "")
            is_note = each["level"] == Level.NOTE.word
            reason = "" if is_note else self.baseline.reason(key, matched, each["number"])
            lists["accepted" if reason else "findings"].append(each)
        left = [(Level.of(each["level"]), each.get("number", 1)) for each in (*findings, *lists["findings"])]
        worst = max((level for level, _ in left if level > Level.NOTE), default=None)
        was_flawed = record["verdict"] in (Level.WARNING.word, Level.VIOLATION.word)
        verdict = worst.word if worst is not None else "clean" if was_flawed else record["verdict"]
        numbers = {
            f"{level.word}s": sum(number for each, number in left if each is level)
            for level in (Level.VIOLATION, Level.WARNING)
        }
        changed = {"findings": findings, "accepted": accepted, "verdict": verdict, "more": {**more, **lists}}
        return {**record, **changed, "counts": {**record["counts"], **numbers}}, matched
