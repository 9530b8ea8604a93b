"""A report as SARIF 2.1.0, for code scanning services and editors."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import chain
from pathlib import PurePath
from typing import Any, TextIO
from urllib.parse import quote

from ltkm_inspect import __version__, catalogue, explain
from ltkm_inspect.engine import OWN_FINDINGS
from ltkm_inspect.finding import Level, Place, shorten
from ltkm_inspect.names import EventNames
from ltkm_inspect.output.console import PROGRAM
from ltkm_inspect.output.json_line import is_event, kind_of, to_json
from ltkm_inspect.report.baseline_text import idle_text
from ltkm_inspect.report.jsonl import Record, summary_record
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.report.summary import NOT_ENDED, NOTHING_SEEN, Summary, damaged
from ltkm_inspect.report.text import finding_of, terminal_label
from ltkm_inspect.rule import RULES, Rule
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.urls import is_url

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "ltkmInspect/v1"
"""The name of our partial fingerprint: rule, terminal, key, ordinal of the LTKM and path, but no time."""

LONGEST_REASON = 1000
"""How many characters of a reason a suppression has."""

_LEVELS = {Level.NOTE: "note", Level.WARNING: "warning", Level.VIOLATION: "error"}
_UNKNOWN: Record = {"version": __version__, "started": None, "sources": None, "options": {}}
"""Replaces the record of a run if the records do not begin with one."""


def write(records: Iterable[Record], file: TextIO) -> None:
    """Write every finding and note of a run as a result.

    The results of an exchange with faults put in are suppressed, and the justification names the faults. Octets are
    properties of the location, because they are counted in a message or a body, not in the capture file.
    """
    catalogue.load()
    rules = [*map(_rule, RULES.values()), *map(_own_rule, OWN_FINDINGS)]
    indexes = {rule["id"]: index for index, rule in enumerate(rules)}
    following = iter(records)
    first = next(following, None)
    run = first if first is not None and kind_of(first) == "run" else _UNKNOWN
    artifacts = {source: index for index, source in enumerate(dict.fromkeys(run["sources"] or ()))}
    driver = {"name": PROGRAM, "version": run["version"], "semanticVersion": run["version"], "rules": rules}
    file.write(f'{{"$schema":"{SCHEMA}","version":"2.1.0","runs":[{{"tool":{to_json({"driver": driver})},"results":[')
    has_baseline = bool((run["options"] or {}).get("baseline"))
    run_files, total, separator = RunFiles(), Summary(), ""
    summary: Record | None = None
    for record in chain([] if first is None else [first], following):
        run_files.add(record)
        total.add_record(record)
        if kind_of(record) == "summary":
            summary = record if summary is None else summary_record(total)  # that of several files
        if is_event(record):
            items = {item["item"]: item for item in record.get("items", ())}
            names = EventNames.of_record(record)
            for finding in (*record["findings"], *record.get("accepted", ()), *record["notes"]):
                text = finding_of(finding, names)
                result = _result(finding, f"{text.place}: {text.text}", record, items, indexes, artifacts)
                result["properties"]["terminalName"] = printable(terminal_label(record, names))
                if has_baseline:
                    result["baselineState"] = "unchanged" if "reason" in finding else "new"
                file.write(f"{separator}\n{to_json(result)}")
                separator = ","
    for entry in total.baseline:
        if not entry["findings"]:
            file.write(f"{separator}\n{to_json(_absent(entry, indexes))}")
            separator = ","
    end = {
        "artifacts": [{"location": {"uri": _uri(source)}, "roles": ["analysisTarget"]} for source in artifacts],
        "invocations": [_invocation(run, total, ended=run_files.ended)],
        "properties": {"options": run["options"], "summary": summary if run_files.ended else None},
    }
    file.write(f"\n],{to_json(end)[1:]}]}}\n")


def _rule(rule: Rule) -> dict[str, Any]:
    properties = {
        "tags": [rule.subject, *dict.fromkeys(clause.publication.key for clause in rule.clauses)],
        "clauses": [explain.clause_text(clause) for clause in rule.clauses],
    }
    return _described(rule.id, rule.paragraphs, rule.level, explain.rule_page(rule, with_example=False), properties)


def _own_rule(name: str) -> dict[str, Any]:
    return _described(name, [OWN_FINDINGS[name]], Level.WARNING, explain.own_page(name), {"tags": ["engine"]})


def _described(id: str, paragraphs: list[str], level: Level, page: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "shortDescription": {"text": paragraphs[0]},
        "fullDescription": {"text": "\n\n".join(paragraphs)},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": _LEVELS[level]},
        "properties": properties,
    }


def _result(
    finding: Record,
    text: str,
    exchange: Record,
    items: Mapping[int | None, Record],
    indexes: Mapping[str, int],
    artifacts: dict[str, int],
) -> dict[str, Any]:
    place = Place(**finding["place"])
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "kind": "fail",
        "level": _LEVELS[Level.of(finding["level"])],
        "message": {"text": _without_links(text)},
        "locations": [_location(finding, place, exchange, artifacts)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding, place, exchange, items)},
        **_web_request(exchange),
        "properties": {
            "exchange": exchange["id"],
            "terminal": exchange["terminal"],
            "started": exchange["started"],
            "clauses": finding["clauses"],
        },
    }
    if finding["rule"] in indexes:  # unknown if another version wrote the records
        result["ruleIndex"] = indexes[finding["rule"]]
    if exchange.get("status") is not None:
        result["webResponse"] = {"statusCode": exchange["status"]}
    if "reason" in finding:
        result["suppressions"] = [_suppression(finding["reason"])]
    if exchange["faults"]:
        faults = ", ".join(map(shorten, exchange["faults"]))
        why = f"put into this exchange to test the terminal, not caused by the server: {faults}"
        result["suppressions"] = [_suppression(why)]
    return result


def _suppression(why: str) -> dict[str, str]:
    return {"kind": "external", "status": "accepted", "justification": shorten(why, LONGEST_REASON)}


def _absent(entry: Record, indexes: Mapping[str, int]) -> dict[str, Any]:
    """Return the result of an entry of the baseline that no finding fits."""
    result = {
        "ruleId": entry["rule"],
        "kind": "informational",
        "level": "none",
        "message": {"text": _without_links(idle_text(entry))},
        "baselineState": "absent",
    }
    return {**result, "ruleIndex": indexes[entry["rule"]]} if entry["rule"] in indexes else result


def _web_request(exchange: Record) -> dict[str, Any]:
    """Return the request of an exchange; nothing for a datagram."""
    if kind_of(exchange) == "datagram":
        return {}
    return {"webRequest": {"method": printable(exchange["method"]), "target": printable(exchange["url"])}}


def _location(finding: Record, place: Place, exchange: Record, artifacts: dict[str, int]) -> dict[str, Any]:
    around = (Place(place.item), Place(None, place.ltkm), Place(path=place.path))
    parts = [printable(exchange["id"]) or "exchange", *(str(each) for each in around if each != Place())]
    logical = {"name": parts[-1], "fullyQualifiedName": "/".join(parts), "kind": "value" if place.path else "element"}
    location: dict[str, Any] = {"logicalLocations": [logical]}
    source = exchange["file"]
    if source is not None:
        index = artifacts.setdefault(source, len(artifacts))
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(source), "index": index}}
    if finding["octets"]:
        location["properties"] = {"octets": finding["octets"], "octetsOf": finding["octets_of"]}
    return location


def _fingerprint(finding: Record, place: Place, exchange: Record, items: Mapping[int | None, Record]) -> str:
    item: Record = items.get(place.item, {})
    key = (item.get("key_domain_id"), item.get("msk_id"), place.ltkm)
    return sha256(repr((finding["rule"], exchange["terminal"], key, place.path)).encode()).hexdigest()[:32]


def _invocation(run: Record, total: Summary, *, ended: bool) -> dict[str, Any]:
    problems = ([] if ended else [NOT_ENDED]) + ([] if total.seen or total.faulted else [NOTHING_SEEN])
    problems += ([damaged(total.damaged)] if total.damaged else []) + total.missing_lines
    told = [("error", problem) for problem in problems]
    told += [("warning", _without_links(line)) for line in total.blind_spots.handshake_lines()]
    invocation: dict[str, Any] = {
        "executionSuccessful": not problems,
        "toolExecutionNotifications": [{"level": level, "message": {"text": text}} for level, text in told],
    }
    if run["started"] is not None:
        invocation["startTimeUtc"] = run["started"]
    return invocation


def _uri(source: str) -> str:
    """Return a path or URL as a URI; a relative path is relative to the working directory of the run."""
    if is_url(source):
        return quote(source, safe="/:?#[]@!$&'()*+,;=%", errors="backslashreplace")
    path = PurePath(source)
    return ("file://" if path.is_absolute() else "") + quote(path.as_posix(), errors="backslashreplace")


def _without_links(text: str) -> str:
    """Return text without links: SARIF would read `[text](address)` from the wire as one."""
    return text.replace("](", "]\\(")
