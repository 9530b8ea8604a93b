"""One LTKM to be exported, with the facts that all formats share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect.finding import Finding, Level, Place, Report
from ltkm_inspect.mikey import Kemac, Message
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.traffic import Event, Ltkm


@dataclass(frozen=True, slots=True)
class Manner:
    """The keys of an export, and how its text is worded."""

    keys: Keys = NO_KEYS
    wording: Wording = PLAIN


@dataclass(frozen=True, slots=True)
class ExportEntry:
    """One LTKM with the report of its event, and the file that this was read from."""

    report: Report = field(repr=False)
    ltkm: Ltkm = field(repr=False)
    findings: tuple[Finding, ...] = ()
    """The findings that concern it: at itself, at its item, or at its exchange as a whole."""
    file: str = ""
    redactor: Redactor = NO_REDACTOR
    """The redactor for all text about the LTKM."""

    @property
    def event(self) -> Event:
        """The event that it is in."""
        return self.report.event

    @property
    def place(self) -> Place:
        """Where in the event it is."""
        item = self.ltkm.item
        return Place(item.number if item is not None else None, self.ltkm.number)

    @property
    def verdict(self) -> str:
        """`violation`, `warning` or `clean`, by the findings that concern it."""
        worst = max((finding.level for finding in self.findings), default=Level.OFF)
        return "clean" if worst is Level.OFF else worst.word

    @property
    def rules(self) -> list[str]:
        """The ids of the rules that are broken, each once."""
        return list(dict.fromkeys(finding.rule for finding in self.findings))

    @property
    def pair(self) -> tuple[bytes | None, bytes | None]:
        """Key Domain ID and MSK ID of its item."""
        item = self.ltkm.item
        domain = item.key_domain_id if item is not None else None
        msk_id = item.msk_id if item is not None else None
        return domain.octets if domain is not None else None, msk_id.octets if msk_id is not None else None

    @property
    def own_pair(self) -> tuple[bytes | None, bytes | None]:
        """Key Domain ID and MSK ID in the message itself."""
        message = self.ltkm.message
        return (None, None) if message is None else (message.key_id(0), message.key_id(1))


def entries(report: Report, file: str = "", redactor: Redactor = NO_REDACTOR) -> Iterator[ExportEntry]:
    """Yield the LTKMs of an event in their order; beside live traffic as many as were looked at."""
    if not report.event.ltkms:
        return
    by_place: dict[tuple[int | None, int | None], list[Finding]] = {}
    for finding in report.findings:
        by_place.setdefault((finding.place.item, finding.place.ltkm), []).append(finding)
    for ltkm in report.event.checked_ltkms:
        item = ltkm.item.number if ltkm.item is not None else None
        places = dict.fromkeys(((None, None), (item, None), (item, ltkm.number)))
        found = [finding for place in places for finding in by_place.get(place, ())]
        yield ExportEntry(report, ltkm, tuple(found), file, redactor)


def hindrance(entry: ExportEntry) -> str:
    """Return why there are no octets to hand on; empty where there are."""
    if entry.ltkm.octets is None:
        return "the text is not base64"
    return "" if entry.ltkm.octets else "the LTKM is empty"


def moment(event: Event) -> float | None:
    """Return when the LTKMs of an event were delivered: its end, else its beginning."""
    return event.started if event.ended is None else event.ended


def shows_key(message: Message | None) -> bool:
    """Tell whether the octets of a message hold a key that is not encrypted."""
    if message is None:
        return False
    clear = any(kemac.encr_alg == 0 and kemac.encr_data for kemac in message.of(Kemac))
    return clear or message.trailing_may_hold_key


def key_of(entry: ExportEntry, keys: Keys) -> dict[str, Any]:
    """Return the fields of the key that an LTKM delivers; empty without a key ring."""
    facts = keys.of(entry.ltkm.message, entry.ltkm.octets)
    return {} if facts is None else facts.plain
