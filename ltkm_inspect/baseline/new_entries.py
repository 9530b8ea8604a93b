"""Writes a baseline: an entry for each kind of finding of a run, each with a reason to be filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ltkm_inspect.baseline.baseline import Baseline, BaselineEntry, FindingKey, keys_of, terminal_of
from ltkm_inspect.finding import CRASHES, Report, count

HEAD = """\
# Known findings, for ltkm-inspect check --baseline and ltkm_baseline.
#
# An entry accepts each finding of its rule that has this terminal, MSK and field. Leave one of these three out for any.
# Fill in each reason: a file with an entry without one is refused. Delete entries that nobody should accept.
# An entry may have a last day, without quotation marks:  expires = 2026-12-31
"""


@dataclass(slots=True)
class NewEntries:
    """The kinds of findings that no entry accepts yet, with the number of each and the first one as a line."""

    numbers: dict[FindingKey, int] = field(default_factory=dict)
    lines: dict[FindingKey, str] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        """Take the findings of a report, but for those in an exchange with faults and those of a crash."""
        if report.event.faults:
            return
        terminal = frozenset(filter(None, [terminal_of(report)]))
        for finding, found in zip(report.findings, keys_of(report), strict=True):
            if finding.rule not in CRASHES:
                key = found._replace(terminals=terminal)
                self.numbers[key] = self.numbers.get(key, 0) + 1
                self.lines.setdefault(key, f"#{report.number or '-'} {finding.line}")

    def merge(self, other: "NewEntries") -> None:
        """Take those of later exchanges."""
        for key, number in other.numbers.items():
            self.numbers[key] = self.numbers.get(key, 0) + number
            self.lines.setdefault(key, other.lines[key])

    def toml(self, known: Baseline, matched: Mapping[tuple[str, ...], int]) -> str:
        """Return a baseline with the entries of a known one, as they are, and with those that are new."""
        parts = [HEAD]
        for entry in known.entries:
            remark = "" if matched.get(entry.identity) else "# matched nothing in this run\n"
            parts.append(remark + "\n".join(_lines(entry)) + "\n")
        for key, number in self.numbers.items():
            entry = BaselineEntry(key.rule, "", next(iter(key.terminals), ""), key.msk, key.field)
            parts.append(f"# {count(number, 'finding')}: {self.lines[key]}\n" + "\n".join(_lines(entry)) + "\n")
        return "\n".join(parts)


def _lines(entry: BaselineEntry) -> Iterator[str]:
    yield "[[accepted]]"
    for name in ("rule", "terminal", "msk", "field"):
        if value := getattr(entry, name):
            yield f"{name} = {_quoted(value)}"
    if entry.expires is not None:
        yield f"expires = {entry.expires.isoformat()}"
    yield f"reason = {_quoted(entry.reason)}"


def _quoted(text: str) -> str:
    """Return a text as a basic string of TOML, which cannot have half a character: one with that in it fits nothing."""
    text = text.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in text) + '"'
