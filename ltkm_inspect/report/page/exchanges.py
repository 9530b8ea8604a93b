"""One exchange on the page: its row, its findings, and the details that opening the row shows."""

from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ltkm_inspect.finding import Answer, Place, count
from ltkm_inspect.mikey.extension import MSK_ID
from ltkm_inspect.names import EventNames
from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.report.page.http import Marks, http_views
from ltkm_inspect.report.page.messages import ltkm_view
from ltkm_inspect.report.page.rules import rank
from ltkm_inspect.report.page.value import facts, value_text
from ltkm_inspect.report.summary import noted_rules, results
from ltkm_inspect.report.text import path_of, recorded_terminal, terminal_label
from ltkm_inspect.selection import short_name
from ltkm_inspect.traffic import DatagramKind
from ltkm_inspect.wire import octets_text

LONGEST_PATH = 120
"""How many characters of the path of a URL a row shows."""
OUTSIDE = 0
"""The item number of LTKMs that are outside every item."""


def exchange_view(
    record: Mapping[str, Any], number: int, terminal: int, kind: str, came: int | None = None
) -> dict[str, Any]:
    """Return what the template shows of an exchange; `number` and `terminal` are their numbers on the page.

    `came` is the number of the same exchange without faults, if this one has faults put in.
    """
    is_datagram = kind_of(record) == "datagram"
    messages, marks = http_views(record)
    names = EventNames.of_record(record)
    finding_view = partial(_finding, sides={message["s"] for message in messages}, marks=marks, names=names)
    faults = [value_text(fault) for fault in record.get("faults", ())]
    started = value_text(record["started"])
    findings = list(map(finding_view, record["findings"]))
    return {
        "number": number,
        "came": came,
        "kind": kind,
        "verdict": record["verdict"],
        "faults": faults,
        "damage": [value_text(each) for each in _gaps(record.get("damage", ()))],
        "terminal": value_text(_terminal(record, names)),
        "terminal_name": value_text(terminal_label(record, names)),
        "terminal_number": terminal,
        "day": started[:10],
        "time": started[11:].removesuffix("Z"),
        **(_of_datagram(record, names) if is_datagram else _of_exchange(record, names)),
        "rules": list(dict.fromkeys(finding["rule"] for finding in findings)),
        "worst": max(findings, key=lambda finding: rank(finding["level"]), default=None),
        "findings": findings,
        "accepted": list(map(finding_view, record.get("accepted", ()))),
        "data": {
            "f": facts(
                *(_datagram_facts(record, names) if is_datagram else _exchange_facts(record, names)),
                ("Terminal", _terminal(record, names)),
                ("Faults put in", record.get("faults")),
                ("Not kept by the capture", _gaps(record.get("lacks", ()))),
                ("Rules", _answers(record)),
                ("Not listed", _not_listed(record.get("more", {}))),
                ("File", record.get("file")),
                ("Flow", record["id"]),
            ),
            "n": list(map(finding_view, record["notes"])),
            "h": messages,
            "i": _datagram_items(record, names) if is_datagram else list(_items(record, names)),
            "u": int(is_datagram),
        },
    }


def _of_exchange(record: Mapping[str, Any], names: EventNames) -> dict[str, Any]:
    counts = record["counts"]
    return {
        "path": "http",
        "flow": value_text(record.get("number")),
        "request": f"{value_text(record['method'])} {_path(record['url'])}",
        "answer": value_text(_answer(record)),
        "holds": f"{count(counts['items'], 'item')}, {count(counts['ltkms'], 'LTKM')}",
        "msk_ids": list(dict.fromkeys(_msk(item["msk_id"], names) for item in record["items"] if item["msk_id"])),
    }


def _of_datagram(record: Mapping[str, Any], names: EventNames) -> dict[str, Any]:
    number, place = value_text(record.get("number")), record.get("place")
    return {
        "path": "udp",
        "flow": f"{number}.{place}" if number and place else number,
        "request": value_text(names.text(f"{_kind(record)} {record['source']} to {record['target']}")),
        "answer": f"UDP {_kind(record)}",
        "holds": count(1, "LTKM") if record["counts"]["ltkms"] else "no LTKM",
        "msk_ids": [_msk(each, names) for each in _msk_ids(record["message"])],
    }


def _exchange_facts(record: Mapping[str, Any], names: EventNames) -> list[tuple[str, Any]]:
    return [
        ("Request", f"{record['method']} {record['url']}"),
        ("Answer", _answer(record)),
        ("Started", record["started"]),
        ("Ended", record["ended"]),
        ("Client", names.text(str(record["client"]))),
        ("Server", names.text(str(record["server"]))),
    ]


def _datagram_facts(record: Mapping[str, Any], names: EventNames) -> list[tuple[str, Any]]:
    return [
        ("Datagram", f"{_kind(record)}, {str(record['direction']).replace('_', ' the ')}"),
        ("From", names.text(str(record["source"]))),
        ("To", names.text(str(record["target"]))),
        ("Sent", record["started"]),
        ("Asks for a verification message", "yes" if record["v"] and record["counts"]["ltkms"] else None),
    ]


def _kind(record: Mapping[str, Any]) -> str:
    return value_text(DatagramKind.title_of(record["kind"]))


def _datagram_items(record: Mapping[str, Any], names: EventNames) -> list[dict[str, Any]]:
    """Return the message of a datagram in the form of an item."""
    message = record["message"]
    if message is None:
        return []
    view = ltkm_view(message, names)
    if not record["counts"]["ltkms"]:
        view["t"] = view["t"].replace("LTKM 1", "Message", 1)
    return [{"n": OUTSIDE, "f": [], "l": [view]}]


def _msk_ids(message: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the MSK IDs in the record of a message."""
    for payload in ((message or {}).get("message") or {}).get("payloads", ()):
        extension = payload["fields"].get("value")
        for key_id in extension.get("key_ids", ()) if isinstance(extension, dict) else ():
            if key_id["type"] == MSK_ID:
                yield str(key_id["value"])


def _msk(msk_id: str, names: EventNames) -> str:
    return value_text(names.text(msk_id))


def _finding(finding: Mapping[str, Any], sides: Container[str], marks: Marks, names: EventNames) -> dict[str, Any]:
    place = finding["place"]
    item, ltkm = place["item"], place["ltkm"]
    octets, of = finding["octets"], finding["octets_of"]
    in_message = octets is not None and of == "message"
    mark = marks.get(tuple(octets)) if octets is not None and of == "body" else None
    side = str(place["path"]).partition(".")[0]
    return {
        "rule": value_text(finding["rule"]),
        "level": finding["level"],
        "title": value_text(finding["title"]),
        "place": str(names.place(Place(item, ltkm, str(place["path"])))),
        "expected": value_text(names.text(finding["expected"])),
        "got": value_text(names.text(finding["got"])),
        "hint": value_text(names.text(finding["hint"])),
        "reason": value_text(finding.get("reason")),
        "octets": octets_text(octets[0], octets[1], value_text(of)) if octets is not None else "",
        "clauses": [value_text(clause) for clause in finding["clauses"]],
        # where the page can lead to: octets of an LTKM, octets of the body, a header field, an LTKM, or an item
        "item": item if item is not None else OUTSIDE if ltkm is not None else None,
        "ltkm": ltkm,
        "path": value_text(place["path"]),
        "start": octets[0] if in_message else None,
        "end": octets[1] if in_message else None,
        "mark": mark,
        "has_place": item is not None or ltkm is not None or mark is not None or side in sides,
    }


def _items(record: Mapping[str, Any], names: EventNames) -> Iterator[dict[str, Any]]:
    for item in record["items"]:
        group = f"{item['key_group']} / {item['key_number']}" if item["key_group"] is not None else None
        yield {
            "n": item["item"],
            "f": facts(
                ("Response code", item["response_code"]),
                ("Key Domain ID", names.text(item["key_domain_id"] or "")),
                ("MSK ID", names.text(item["msk_id"] or "")),
                ("Key Group / Number", group),
            ),
            "l": _ltkms(item["ltkms"], names),
        }
    if record["ltkms_outside"]:
        yield {"n": OUTSIDE, "f": [], "l": _ltkms(record["ltkms_outside"], names)}


def _ltkms(ltkms: Iterable[Mapping[str, Any]], names: EventNames) -> list[dict[str, Any]]:
    return [ltkm_view(ltkm, names) for ltkm in ltkms]


def _terminal(record: Mapping[str, Any], names: EventNames) -> str:
    """Return the terminal with what people call it and its B-TID; a connection by its client."""
    terminal, shown, name = str(record["terminal"]), recorded_terminal(record), terminal_label(record, names)
    if not shown:
        return "unknown"
    if shown == record["client"]:
        return f"{names.text(shown)} (no B-TID)"
    return terminal if name in (terminal, short_name(terminal)) else f"{name}: {terminal}"


def _answer(record: Mapping[str, Any]) -> str:
    if record["status"] is not None:
        return str(record["status"])
    return f"no response ({record['error']})" if record["error"] else "no response"


def _gaps(gaps: Iterable[Mapping[str, Any]]) -> list[str]:
    return [f"{gap['field']}: {gap['reason']}" for gap in gaps]


def _not_listed(more: Mapping[str, Any]) -> str | None:
    parts = [count(more[name], word) for name, word in (("items", "item"), ("ltkms", "LTKM")) if more.get(name)]
    parts += [f"{each['number']} more of {each['rule']}" for each in more.get("findings", ())]
    return ", ".join(parts) or None


def _answers(record: Mapping[str, Any]) -> str:
    found = results({answer: record["counts"][answer.key] for answer in Answer}, len(noted_rules(record)))
    return ", ".join(f"{number} {word}" for word, number in found.items())


def _path(url: Any) -> str:
    return value_text(path_of(str(url)), LONGEST_PATH)
