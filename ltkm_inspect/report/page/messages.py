"""An LTKM on the page: its octets, and the tree of its fields with the octets of each.

If keys or identities were removed from the octets, the values come from the decoded message in the record. If the
record has no octets, the decoded message still has the offsets of header and payloads.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ltkm_inspect.finding import count
from ltkm_inspect.mikey import Node, decode, spans, tree
from ltkm_inspect.mikey.codes import NEXT_PAYLOADS
from ltkm_inspect.mikey.describe import UNVERIFIED
from ltkm_inspect.mikey.message import HEADER_LABEL, TRAILING
from ltkm_inspect.mikey.record import hidden
from ltkm_inspect.names import NO_EVENT_NAMES, EventNames
from ltkm_inspect.report.page.value import facts, value_text
from ltkm_inspect.wire import Span

MOST_NODES = 2000
"""How many fields of one LTKM the page shows."""
MOST_OCTETS = 16_384
"""How many octets of one LTKM the page shows."""
NEXT_IN_HEADER = 2
"""The offset of Next payload in a header."""
VEILED = b"**"
"""Replaces the octets of redacted identities."""
MASK = "--"
"""Replaces an octet of a key that is not shown."""

type Row = tuple[int, str, str, str, int, int]
"""A field: depth, name, path, value with its meaning, first octet, and the one after the last; -1 if unknown."""


def ltkm_view(ltkm: Mapping[str, Any], names: EventNames = NO_EVENT_NAMES) -> dict[str, Any]:
    """Return what the page shows of the record of an LTKM. The keys are short, since there may be thousands."""
    message = ltkm.get("message")
    octets = _octets(ltkm.get("octets"))
    rows = iter(()) if message is None else _plain_rows(message)
    pairs = ""
    if octets is not None:
        is_complete = message is None or not (_holds_hidden(message) or VEILED in octets)
        nodes = tree(decode(octets, MOST_NODES), show_keys=message is not None and is_complete)
        pairs = _masked(octets[:MOST_OCTETS], nodes)
        places = spans(octets, MOST_NODES)
        rows = _with_lengths(_decoded_rows(nodes) if is_complete else _placed(rows, places), octets, places)
    shown = [(*row[:3], names.text(row[3]), *row[4:]) if names else row for row in islice(rows, MOST_NODES)]
    return {
        "n": ltkm.get("ltkm"),
        "t": _title(ltkm),
        "f": facts(
            ("Element", ltkm.get("element")),
            ("Not base64", ltkm.get("problem")),
        ),
        "k": key_facts(ltkm.get("key")),
        "o": pairs,
        "l": len(octets) if octets is not None else 0,
        "r": shown,
        "m": len(shown) == MOST_NODES and next(rows, None) is not None,
    }


def key_facts(key: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what the key ring says about an LTKM: its MAC, and each key that it delivers."""
    if key is None:
        return []
    shown = facts(
        ("MAC", key["verdict"]),
        ("Reason", key.get("reason")),
        ("Key ring entry", key.get("b_tid")),
        ("MUK", key.get("muk")),
        ("MUKs tried", key.get("tried")),
        *_key_pairs(key),
    )
    for further in key.get("further", ()):
        shown += facts(*_key_pairs(further))
    return shown


def _key_pairs(key: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if key.get("type") is None:
        return []
    lower, upper = key.get("seq_l"), key.get("seq_u")
    times = f"{key['valid_from']} to {key['valid_to']} (unverified)" if key.get("valid_from") else None
    return [
        ("Key", f"{key.get('type_name')} of {count(key.get('length', 0), 'octet')}"),
        ("SEQ", f"{lower} to {upper}" if lower is not None or upper is not None else None),
        ("Valid", times),
        ("SPI", key.get("spi")),
        ("Check value", key.get("check_value")),
        ("Key octets", key.get("key")),
    ]


def _holds_hidden(plain: Any) -> bool:
    """Tell whether the object of a message has a hidden value: a key in the clear."""
    if isinstance(plain, dict):
        return plain.get("hidden") is True or any(map(_holds_hidden, plain.values()))
    return isinstance(plain, list) and any(map(_holds_hidden, plain))


def _title(ltkm: Mapping[str, Any]) -> str:
    length, digest = ltkm.get("length"), ltkm.get("sha256")
    parts = [f"LTKM {ltkm.get('ltkm')}"]
    parts += [] if length is None else [count(length, "octet")]
    parts += [f"SHA-256 {digest}…"] if digest else []
    return value_text(" · ".join(parts))


def _octets(text: Any) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:  # masked
        return None


def _decoded_rows(nodes: Iterable[Node], depth: int = 0) -> Iterator[Row]:
    for node in nodes:
        start, end = (node.span.start, node.span.end) if node.span is not None else (-1, -1)
        yield depth, value_text(node.name), value_text(node.path), node.text, start, end
        yield from _decoded_rows(node.children, depth + 1)


def _placed(rows: Iterable[Row], places: Mapping[str, Span]) -> Iterator[Row]:
    """Yield the fields of a message from a record with their places in the octets, where these are known."""
    for depth, name, path, value, start, end in rows:
        place = places.get(path)
        yield (depth, name, path, value, place.start, place.end) if place else (depth, name, path, value, start, end)


def _with_lengths(rows: Iterable[Row], octets: bytes, places: Mapping[str, Span]) -> Iterator[Row]:
    """Yield the fields, and before each the length field in front of it: the tree of a message has no length fields."""
    lengths = deque(
        (
            path.count("."),
            path.rpartition(".")[2],
            path,
            str(int.from_bytes(octets[span.start : span.end])),
            span.start,
            span.end,
        )
        for path, span in places.items()
        if path.endswith("length")
    )
    for row in rows:
        while lengths and row[4] >= lengths[0][5]:
            yield lengths.popleft()
        yield row
    yield from lengths


def _masked(octets: bytes, nodes: tuple[Node, ...]) -> str:
    """Return the octets in hex, with `MASK` for each that the tree hides."""
    pairs = [f"{octet:02x}" for octet in octets]
    for top in nodes:
        for node in top.walk():
            span = node.span
            if span is not None and node.octets and node.value == hidden(bytes(node.octets)):
                covered = range(span.start, min(span.end, len(pairs)))
                pairs[covered.start : covered.stop] = [MASK] * len(covered)
    return "".join(pairs)


def _plain_rows(message: Mapping[str, Any]) -> Iterator[Row]:
    header = message.get("header")
    tops = [(HEADER_LABEL, header)] if header is not None else []
    for path, top in [*tops, *((value_text(payload["path"]), payload) for payload in message.get("payloads", ()))]:
        start = top["offset"]
        yield 0, path, path, "", start, start + top["length"]
        following = top.get("next_payload")
        if following is not None:
            at = start if path != HEADER_LABEL else NEXT_IN_HEADER
            name = NEXT_PAYLOADS.name_of(following)
            yield 1, "next_payload", f"{path}.next_payload", f"{following} ({name})", at, at + 1
        yield from _plain_fields(top["fields"], f"{path}.", 1)
    if message.get("trailing"):
        yield 0, TRAILING, TRAILING, _plain_value(message["trailing"]), -1, -1
    for error in [message.get("error"), *message.get("inner_errors", ())]:
        if error is not None:
            yield (
                0,
                "problem",
                value_text(error["path"]),
                f"{value_text(error['reason'])} (octet {error['offset']})",
                -1,
                -1,
            )


def _plain_fields(fields: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Row]:
    for name, value in fields.items():
        base, _, kind = name.rpartition("_")
        if (kind in ("name", "text") and base in fields) or (name == TRAILING and not value):
            continue
        path = prefix + name
        if name == UNVERIFIED:
            for part, each in value.items() if isinstance(value, dict) else ():
                yield depth, part, f"{prefix}data.{part}", f"{_plain_value(each)} ({UNVERIFIED})", -1, -1
            continue
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                yield depth, f"{name}[{number}]", f"{path}[{number}]", "", -1, -1
                yield from _plain_fields(each, f"{path}[{number}].", depth + 1)
        elif isinstance(value, dict) and value.get("hidden") is not True:
            # The fields of an extension have their paths directly below the payload.
            if name != "value":
                yield depth, name, path, "", -1, -1
            yield from _plain_fields(value, prefix if name == "value" else f"{path}.", depth + (name != "value"))
        else:
            meaning = value_text(fields.get(f"{name}_name") or fields.get(f"{name}_text"))
            text = _plain_value(value)
            yield depth, name, path, text if meaning in ("", text) else f"{text} ({meaning})", -1, -1


def _plain_value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{count(value.get('length', 0), 'octet')}, hidden"
    return str(int(value)) if isinstance(value, bool) else value_text(value)
