"""MSK documents as lines of YAML, findings and notes as comments at the place that they concern."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ltkm_inspect import document as msk
from ltkm_inspect import mikey
from ltkm_inspect.finding import Finding, Report, with_reason
from ltkm_inspect.mikey import Node
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.report import text
from ltkm_inspect.report.keys import NO_KEYS, Keys
from ltkm_inspect.traffic import Document, Item, Ltkm, LtkmElement
from ltkm_inspect.wire import count, printable, printable_octets

MOST_LINES = 5000
"""How many lines are shown of one body."""
MOST_OCTETS = 16384
"""How many octets are shown of a body that is no document."""
_WIDTH = 100
_OCTETS = 64
NO_DOCUMENT = "# no document"
"""Begins the line above a body that is not a document."""
CUT = "# only "
"""How a line begins that says that not all of the body is shown."""

type Where = tuple[int | None, int | None]
"""Item and LTKM by their ordinals; None outside."""


def response_lines(
    report: Report, data: bytes, keys: Keys = NO_KEYS, redactor: Redactor = NO_REDACTOR
) -> Iterator[str]:
    """Yield the lines for a response: heading, items with their LTKMs, totals; without a document the body as text.

    A response whose request is not known (it has no host) gets no heading.
    """
    exchange = report.exchange
    placed = _by_place(map(redactor.finding, (*report.findings, *report.accepted, *report.notes)))
    if exchange.request.host:
        yield f"# {text.heading(report, redactor)}"
    yield from _comments(placed.pop((None, None), ()))
    document = exchange.document
    if document is None:
        yield from text_lines(data, redactor)
        return
    yield from map(redactor.text, _recovered(document.xml))
    shown = frozenset(document.ltkm_elements[: exchange.limits.ltkms])
    yield from map(redactor.shown, bounded(_Outline(shown, placed, keys).lines(document)))
    if len(document.ltkm_elements) > len(shown):
        yield f"{CUT}{len(shown)} of {len(document.ltkm_elements)} LTKMs are shown, because of ltkm_limit"
    counts = {
        "items": len(document.items),
        "ltkms": len(document.ltkm_elements),
        "findings": len(report.findings),
        "notes": len(report.notes),
    }
    yield "totals:"
    yield from (f"  {name}: {number}" for name, number in counts.items())


def request_lines(report: Report, redactor: Redactor = NO_REDACTOR) -> Iterator[str]:
    """Yield the lines for a request: the MSKs that it asks for, and the findings that concern the request."""
    exchange = report.exchange
    if exchange.request.host:
        yield f"# {text.request_line(exchange, redactor)}"
    findings = map(redactor.finding, (*report.findings, *report.accepted, *report.notes))
    yield from _comments(finding for finding in findings if finding.place.path.startswith("request"))
    xml = exchange.request_document
    if xml is None or xml.root is None:
        body = exchange.request.decoded(exchange.limits.octets).octets or exchange.request.body or b""
        yield from text_lines(body, redactor)
        return
    yield from map(redactor.text, _recovered(xml))
    pairs = msk.msk_pairs(xml.root)
    yield from map(redactor.shown, bounded(_requested(pairs)))
    yield "totals:"
    yield f"  msks: {len(pairs)}"


def text_lines(data: bytes, redactor: Redactor = NO_REDACTOR) -> Iterator[str]:
    """Yield the beginning of a body that is no document, made safe to print."""
    yield f"{NO_DOCUMENT}; the body has {count(len(data), 'octet')}"
    for line in data[:MOST_OCTETS].splitlines():
        yield f"  {redactor.text(printable_octets(line))}"
    if len(data) > MOST_OCTETS:
        yield f"{CUT}the first {MOST_OCTETS} octets are shown"


def bounded(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines up to the most that are shown, then one that says so if there are more."""
    for number, line in enumerate(lines):
        if number == MOST_LINES:
            yield f"{CUT}the first {MOST_LINES} lines are shown"
            return
        yield line


def _recovered(xml: msk.Xml) -> Iterator[str]:
    if not xml.well_formed and xml.error is not None:
        yield f"# the XML is not well-formed: {printable(xml.error.reason)}; what follows was recovered from it"


@dataclass(frozen=True, slots=True)
class _Outline:
    """The lines of a document, with what is wrong in it."""

    shown: frozenset[LtkmElement]
    """The LTKMs that are looked at."""
    placed: dict[Where, list[Finding]]
    """The findings that are still to be shown."""
    keys: Keys

    def lines(self, document: Document) -> Iterator[str]:
        if document.elements_outside_items:
            yield "outside_every_item:"
            yield from self._ltkms(document.elements_outside_items, None, "  ")
        yield "items:" if document.items else "items: []"
        for item in document.items:
            yield from self._item(item)
        # What is left concerns something that is not shown.
        for leftover in self.placed.values():
            yield from _comments(leftover, with_place=True)

    def _item(self, item: Item) -> Iterator[str]:
        yield f"  - item: {item.number}"
        yield from _identifiers(item.parts.key_domain_ids, item.parts.msk_ids, "    ")
        yield f"    response_code: {_quoted(item.code) if item.code is not None else 'none'}"
        yield from _comments(self.placed.pop((item.number, None), ()), "    ")
        yield "    ltkms:" if item.ltkm_elements else "    ltkms: []"
        yield from self._ltkms(item.ltkm_elements, item.number, "      ")

    def _ltkms(self, ltkms: Iterable[LtkmElement], item: int | None, indent: str) -> Iterator[str]:
        for ltkm in ltkms:
            if ltkm not in self.shown:
                return
            octets = ltkm.octets
            size = f" # {text.count(len(octets), 'octet')}" if octets is not None else ""
            yield f"{indent}- ltkm: {ltkm.number}{size}"
            findings = self.placed.pop((item, ltkm.number), [])
            below = f"{indent}  "
            if not ltkm.is_named:
                yield f"{below}element: {_quoted(str(ltkm.element.tag))}"
            version = ltkm.element.get("version")
            if version is not None:
                yield f"{below}version: {_quoted(version)}"
            if octets is None:
                yield from _comments(findings, below)
                yield f"{below}text: {_quoted(ltkm.parts.text)}"
                continue
            yield from message_lines(ltkm.ltkm, findings, self.keys, below)


def message_lines(ltkm: Ltkm, findings: Iterable[Finding], keys: Keys, indent: str) -> Iterator[str]:
    """Yield the fields of a message with the findings at them, and what the keys say of it."""
    nodes = mikey.tree(ltkm.message, show_keys=keys.show) if ltkm.message is not None else ()
    at = _at_nodes(findings, nodes)
    yield from _comments(at.pop("", ()), indent)
    for node in nodes:
        yield from _node(node, at, indent)
    facts = keys.of(ltkm.message, ltkm.octets)
    if facts is not None:
        yield from (f"{indent}# key: {line}" for line in facts.lines)


def _requested(pairs: Sequence[msk.MskPair]) -> Iterator[str]:
    yield "requested:" if pairs else "requested: []"
    for number, pair in enumerate(pairs, 1):
        yield f"  - msk: {number}"
        yield from _identifiers(pair.key_domain_ids, pair.msk_ids, "    ")


def _identifiers(key_domain_ids: Iterable[Any], msk_ids: Iterable[Any], indent: str) -> Iterator[str]:
    """Yield Key Domain ID and MSK ID, the latter split into Key Group and Key Number (3GPP TS 33.246 6.3.2.1)."""
    for element in key_domain_ids:
        yield f"{indent}key_domain_id: {_base64(element)[0]}"
    for element in msk_ids:
        text, octets = _base64(element)
        yield f"{indent}msk_id: {text}"
        if octets is not None and len(octets) == 4:
            group, number = octets[:2], octets[2:]
            yield f"{indent}key_group: {group.hex()} ({int.from_bytes(group)})"
            yield f"{indent}key_number: {number.hex()} ({int.from_bytes(number)})"


def _base64(element: Any) -> tuple[str, bytes | None]:
    written = msk.content_text(element)
    value = msk.base64_octets(written)
    if value.octets is None:
        return f"{_quoted(written)} # {printable(value.problem or 'not base64')}", None
    size = len(value.octets)
    shown = value.octets[:_OCTETS].hex() or "empty"
    return shown if size <= _OCTETS else f"{shown}… ({size} octets)", value.octets


def _node(node: Node, at: dict[str, list[Finding]], indent: str) -> Iterator[str]:
    if node.name == "problem":
        yield f"{indent}# {node.text}"
        return
    yield f"{indent}{node.name}: {node.text}" if node.text else f"{indent}{node.name}:"
    below = f"{indent}  "
    yield from _comments(at.pop(node.path, ()), below if node.children else indent, known=node.path)
    for child in node.children:
        yield from _node(child, at, below)


def _at_nodes(findings: Iterable[Finding], nodes: Iterable[Node]) -> dict[str, list[Finding]]:
    """Return findings by the path of their node: the one that they name, else the one that encloses it."""
    paths = {node.path for top in nodes for node in top.walk() if node.name != "problem"}
    at: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        path = finding.place.path
        while path and path not in paths:
            path = path.rpartition(".")[0]
        at[path].append(finding)
    return at


def _by_place(findings: Iterable[Finding]) -> dict[Where, list[Finding]]:
    placed: dict[Where, list[Finding]] = defaultdict(list)
    for finding in findings:
        placed[finding.place.item, finding.place.ltkm].append(finding)
    return placed


def _comments(
    findings: Iterable[Finding], indent: str = "", *, known: str = "", with_place: bool = False
) -> Iterator[str]:
    """Yield findings as comments; the field path that is known from the line before is left out."""
    for finding in findings:
        path = finding.place.path
        place = str(finding.place) if with_place else printable(path) if path != known else ""
        at = f"{place}: " if place else ""
        line = f"{finding.level.word} {finding.rule}: {at}{finding.text}{finding.ending}"
        yield f"{indent}# {with_reason(line, finding.accepted)}"


def _quoted(written: str) -> str:
    """Return text from the wire as a quoted value on one line."""
    shown = printable(written[:_WIDTH]).replace('"', '\\"')
    return f'"{shown}"' if len(written) <= _WIDTH else f'"{shown}…" # {len(written)} characters'
