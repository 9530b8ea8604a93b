"""Which findings are accepted. A finding is recognized in any capture: by its rule, terminal, MSK and field."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from ltkm_inspect.finding import CRASHES, EVENT_CRASHED, Finding, Level, Report
from ltkm_inspect.names import item_keys, same_b_tid
from ltkm_inspect.traffic import address_and_port


def today() -> date:
    """Return the day by which entries expire (UTC)."""
    return datetime.now(UTC).date()


class FindingKey(NamedTuple):
    """What a finding has in common with the same one in another capture."""

    rule: str
    terminals: frozenset[str]
    """What its terminal may be called: its B-TID, its name in the key ring, its address."""
    msk: str
    """The MSK that it is about: `b8709d/24cb/0001`; empty if it is about none."""
    field: str
    """The path of the field; empty if it is about none."""


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One kind of finding that is accepted; what is empty means any."""

    rule: str
    reason: str
    terminal: str = ""
    """A B-TID, an address without a port, or a name in the key ring."""
    msk: str = ""
    """A Key Domain, a Key Group or an MSK: `b8709d`, `b8709d/24cb`, `b8709d/24cb/0001`."""
    field: str = ""
    expires: date | None = None
    """The last day (UTC) on which it accepts."""
    line: int | None = None
    """Where it begins in its file."""

    @property
    def identity(self) -> tuple[str, ...]:
        """What distinguishes it from other entries: the findings that it is about."""
        return self.rule, self.terminal, self.msk, self.field

    def is_about(self, key: FindingKey) -> bool:
        """Tell whether a finding is meant."""
        return (
            self.rule == key.rule
            and self.terminal in ("", *key.terminals)
            and (not self.msk or f"{key.msk}/".startswith(f"{self.msk}/"))
            and self.field in ("", key.field)
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a file."""

    entries: tuple[BaselineEntry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def applied(self, report: Report, day: Callable[[], date] = today) -> Report:
        """Return a report in which the accepted findings are apart from the others.

        What a fault caused is accepted already, and so is not looked for. Nothing is known of an event that crashed.
        """
        if not self.entries or report.event.faults or not report.findings or EVENT_CRASHED in report.rules:
            return report
        now, matched = day(), list[tuple[str, ...]]()
        found: list[Finding] = []
        accepted: list[Finding] = []
        for finding, key in zip(report.findings, keys_of(report), strict=True):
            reason = self.reason(key, matched, day=now)
            (accepted if reason else found).append(replace(finding, accepted=reason))
        left_out: dict[tuple[str, Level], int] = {}
        accepted_left_out: dict[tuple[str, Level], int] = {}
        for (rule, level), number in report.left_out.items():
            key = FindingKey(rule, terminals_of(report), "", "")
            reason = self.reason(key, matched, number, day=now) if level is not Level.NOTE else ""
            (accepted_left_out if reason else left_out)[rule, level] = number
        return replace(
            report,
            findings=tuple(found),
            left_out=left_out,
            accepted=tuple(accepted),
            accepted_left_out=accepted_left_out,
            matched=tuple(matched),
        )

    def reason(
        self, key: FindingKey, matched: list[tuple[str, ...]], number: int = 1, *, day: date | None = None
    ) -> str:
        """Return why findings are accepted, empty if they are not; add the entries that they fit, once for each."""
        now = today() if day is None else day
        if key.rule in CRASHES:
            return ""
        about = [entry for entry in self.entries if entry.is_about(key)]
        matched += [entry.identity for entry in about] * number
        return next((entry.reason for entry in about if entry.expires is None or now <= entry.expires), "")

    def records(
        self, matched: Mapping[tuple[str, ...], int], terminal: Callable[[str], str], text: Callable[[str], str]
    ) -> list[dict[str, Any]]:
        """Return the entries as data for JSON, with how many findings each was about.

        `terminal` and `text` say how a terminal and another text are shown.
        """
        return [
            {
                "line": entry.line,
                "rule": entry.rule,
                "terminal": terminal(entry.terminal) if entry.terminal else None,
                "msk": entry.msk or None,
                "field": entry.field or None,
                "reason": text(entry.reason),
                "expires": None if entry.expires is None else entry.expires.isoformat(),
                "expired": entry.expires is not None and today() > entry.expires,
                "findings": matched.get(entry.identity, 0),
            }
            for entry in self.entries
        ]


NO_BASELINE = Baseline()


def keys_of(report: Report) -> Iterator[FindingKey]:
    """Yield the key of each finding of a report."""
    terminals, keys = terminals_of(report), item_keys(report.event)
    for finding in report.findings:
        yield FindingKey(finding.rule, terminals, keys.get(finding.place.item, ""), finding.place.path)


def terminals_of(report: Report) -> frozenset[str]:
    """Return what the terminal of a report may be called."""
    event, identity = report.event, report.terminal
    address = address_and_port(event.client)[0]
    return frozenset(filter(None, (same_b_tid(event.b_tid), same_b_tid(identity.key), identity.name, address)))


def terminal_of(report: Report) -> str:
    """Return what its terminal is called in another capture as well: its B-TID, else its address."""
    event, key = report.event, report.terminal.key
    b_tid = event.b_tid or (key if "@" in key else "")
    return same_b_tid(b_tid) or address_and_port(event.client)[0]
