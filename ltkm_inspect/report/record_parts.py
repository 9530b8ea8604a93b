"""The parts that records of events have: items, LTKMs, findings, and what the capture lacks."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ltkm_inspect import mikey
from ltkm_inspect.finding import Finding, Level, Report
from ltkm_inspect.mikey import Room
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.traffic import Gap, Item, Ltkm
from ltkm_inspect.wire import cut

FINGERPRINT = 16
"""How many hex digits of the SHA-256 of a message a record has."""


def findings_left_out(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Return how many findings and notes of each rule and level the report left out, and how many accepted ones."""
    return {"findings": _numbers(report.left_out), "accepted": _numbers(report.accepted_left_out)}


def _numbers(numbers: Mapping[tuple[str, Level], int]) -> list[dict[str, Any]]:
    return [{"rule": rule, "level": level.word, "number": number} for (rule, level), number in numbers.items()]


def item_record(item: Item) -> dict[str, Any]:
    """Return the fields of an item in a record, without its LTKMs."""
    msk_id = item.msk_id.octets if item.msk_id else None
    halves = (msk_id[:2].hex(), msk_id[2:].hex()) if msk_id and len(msk_id) == 4 else (None, None)
    return {
        "item": item.number,
        "key_domain_id": hex_or_none(item.key_domain_id.octets if item.key_domain_id else None),
        "msk_id": hex_or_none(msk_id),
        "key_group": halves[0],
        "key_number": halves[1],
        "response_code": item.code,
    }


def ltkm_record(ltkm: Ltkm, keys: Keys, redactor: Redactor = NO_REDACTOR, room: Room | None = None) -> dict[str, Any]:
    """Return the fields of an LTKM in a record: its message, as far as there is room, and its key."""
    message, octets, name = ltkm.message, ltkm.octets, ltkm.carrier.element_name
    facts = keys.of(message, octets)
    return {
        "ltkm": ltkm.number,
        "element": None if name is None else cut(name),
        "problem": ltkm.carrier.problem,
        "length": None if octets is None else len(octets),
        "sha256": None if octets is None else sha256(octets).hexdigest()[:FINGERPRINT],
        "octets": hex_or_none(octets if message is None else redactor.message(message, octets, show_keys=keys.show)),
        "message": None if message is None else mikey.to_plain(message, show_keys=keys.show, room=room),
        "key": None if facts is None else facts.plain,
    }


def finding_record(finding: Finding) -> dict[str, Any]:
    """Return the fields of a finding or note in a record."""
    return {
        "rule": finding.rule,
        "level": finding.level.word,
        "title": finding.title,
        "place": {"item": finding.place.item, "ltkm": finding.place.ltkm, "path": finding.place.path},
        "expected": cut(finding.expected),
        "got": cut(finding.got),
        "hint": cut(finding.hint),
        "octets": [finding.span.start, finding.span.end] if finding.span else None,
        "octets_of": finding.span_of or None,
        "clauses": finding.citations,
    }


def gap_record(gap: Gap) -> dict[str, str]:
    """Return the fields of what the capture lacks or damaged."""
    return {"field": gap.field, "reason": gap.reason}


def hex_or_none(octets: bytes | None) -> str | None:
    """Return octets in hex; None without any."""
    return None if octets is None else octets.hex()
