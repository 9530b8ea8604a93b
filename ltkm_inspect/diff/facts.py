"""An exchange as facts that can be compared: a value, or only its kind where the value differs every time."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ltkm_inspect.digest import Directives
from ltkm_inspect.export.entry import shows_key
from ltkm_inspect.finding import shorten
from ltkm_inspect.mikey import GeneralExtension, Message, Node, message_shape, tree
from ltkm_inspect.mikey.shape import UNSHARED
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.traffic import Datagram, Event, Exchange, Item, Ltkm, LtkmElement
from ltkm_inspect.wire import count


class Spot(NamedTuple):
    """The subject of a fact in an exchange; the two captures may have it at different places."""

    msk: str = ""
    """Key Domain, Key Group and Key Number in hex; empty for the exchange itself."""
    number: int = 1
    """Which of several items with this MSK, from 1."""
    ltkm: int | None = None
    """Which of the LTKMs of the item, from 1; None for the item itself."""

    def __str__(self) -> str:
        parts = [f"MSK {self.msk}"] if self.msk else []
        parts += [f"item {self.number} of it"] if self.number > 1 else []
        parts += [f"LTKM {self.ltkm}"] if self.ltkm is not None else []
        return ", ".join(parts)


class Fact(NamedTuple):
    """One value, as text that is safe to print."""

    value: str
    kind: str | None = None
    """What is compared in place of a value that differs every time; None where the value is compared."""


type Facts = dict[tuple[Spot, str], Fact]
"""Facts by their subject and the path of the field."""

EXCHANGE = Spot()
FRESH_DIRECTIVES = frozenset({"nonce", "cnonce", "nextnonce", "response", "rspauth", "nc", "username", "opaque"})
"""Directives of HTTP Digest that differ every time."""
FRESH_FIELDS = frozenset(f"{kind.label}.{name}" for kind, fields in UNSHARED.items() for name, _ in fields)
"""Fields of a message that differ every time: their length is compared."""


_KNOWN_AT_MOST = 1024
_known: dict[tuple[bytes, str], tuple[tuple[str, Fact], ...]] = {}
"""The facts about messages, by all of their octets that are compared, and the B-TID of the exchange."""


def facts(event: Event, keys: Keys, *, everything: bool = False) -> Facts:
    """Return what can be compared of an exchange or a datagram, in the order of the subjects.

    Values that differ every time are replaced with what they have in common, unless `everything` is set.
    """
    if isinstance(event, Datagram):
        return dict(_of_datagram(event, keys, everything))
    assert isinstance(event, Exchange)
    found: Facts = {(EXCHANGE, path): fact for path, fact in _of_exchange(event)}
    document = event.document
    if document is None:
        return found
    own_name = event.b_tid
    for item, spot in spots(event).items():
        found[spot, "response_code"] = Fact(_text(item.code))
        found[spot, "LTKMs"] = Fact(str(len(item.ltkm_elements)))
        for ltkm in item.ltkm_elements:
            below = spot._replace(ltkm=ltkm.number)
            found.update(((below, path), fact) for path, fact in _of_ltkm(ltkm, own_name, keys, everything))
    for ltkm in document.elements_outside_items:
        below = Spot("outside every item", 1, ltkm.number)
        found.update(((below, path), fact) for path, fact in _of_ltkm(ltkm, own_name, keys, everything))
    return found


def spots(event: Event) -> dict[Item, Spot]:
    """Return the items of an exchange by the key that a comparison uses; a datagram has none."""
    seen: Counter[str] = Counter()
    found = {}
    for item in event.document.items if event.document is not None else ():
        name = msk_name(item.pair)
        seen[name] += 1
        found[item] = Spot(name, seen[name])
    return found


def msk_name(pair: tuple[bytes, bytes] | None) -> str:
    """Return Key Domain ID and MSK ID as a user types them."""
    if pair is None:
        return "without its identifiers"
    domain, msk_id = pair
    return "/".join(part.hex() for part in (domain, msk_id[:2], msk_id[2:]))


def _of_exchange(exchange: Exchange) -> Iterator[tuple[str, Fact]]:
    request, response = exchange.request, exchange.response
    yield "request.method", Fact(_text(request.method))
    yield "request.target", Fact(_text(request.target))
    yield "request.Content-Type", Fact(_text(request.headers.get("Content-Type")))
    yield from _of_directives("request.Authorization", request.credentials)
    yield "error", Fact(_text(exchange.error))
    if response is None:
        yield "status", Fact("no response")
        return
    yield "status", Fact(str(response.status))
    yield "Content-Type", Fact(_text(response.headers.get("Content-Type")))
    yield "Content-Encoding", Fact(_text(response.headers.get("Content-Encoding")))
    yield from _of_directives("Authentication-Info", response.authentication_info)
    for number, challenge in enumerate(response.challenges, 1):
        yield from _of_directives(f"WWW-Authenticate[{number}]", challenge)
    document = exchange.document
    yield "document", Fact("none" if document is None else _root(document.root))
    if document is not None:
        yield "document.well_formed", Fact("yes" if document.xml.well_formed else "no")
        yield "document.strays", Fact(str(len(document.elements_outside_items)))
        yield "document.items", Fact(" ".join(msk_name(pair) for pair in document.pairs) or "none")


def _of_directives(header: str, directives: Directives | None) -> Iterator[tuple[str, Fact]]:
    """Yield which directives a header has, and their values; of those that differ every time the lengths."""
    if directives is None:
        yield header, Fact("none")
        return
    yield header, Fact(" ".join(sorted(shorten(name) for name in directives.first)) or "empty")
    for name, value in directives.first.items():
        kind = None
        if name in FRESH_DIRECTIVES:
            kind = "" if name == "username" else f"{count(len(value), 'character')}"
        yield f"{header}.{shorten(name)}", Fact(_text(value), kind)


def _of_datagram(datagram: Datagram, keys: Keys, everything: bool) -> Iterator[tuple[tuple[Spot, str], Fact]]:
    """Yield what can be compared of a datagram: its direction, and the fields of its message."""
    yield (EXCHANGE, "direction"), Fact(datagram.direction.value)
    for path, fact in _of_content(datagram.ltkm, datagram.idr, keys, everything):
        yield (EXCHANGE._replace(ltkm=datagram.number), path), fact


def _of_ltkm(ltkm: LtkmElement, own_name: str, keys: Keys, everything: bool) -> Iterator[tuple[str, Fact]]:
    yield "element", Fact(_text(str(ltkm.element.tag)))
    yield "version", Fact(_text(ltkm.element.get("version")))
    yield "placed", Fact("at the wildcard" if ltkm.is_placed else "elsewhere")
    yield "base64", Fact(_text(ltkm.problem) if ltkm.problem else "yes")
    yield from _of_content(ltkm.ltkm, own_name, keys, everything)


def _of_content(ltkm: Ltkm, own_name: str, keys: Keys, everything: bool) -> Iterator[tuple[str, Fact]]:
    """Yield the fields of a message, and what the keys say of it."""
    if ltkm.message is None or ltkm.octets is None:
        return
    if everything or ltkm.message.problem is not None or shows_key(ltkm.message):
        yield from _of_message(ltkm.message, own_name)
    else:
        known = (message_shape(ltkm.message, ltkm.octets), own_name)
        if known not in _known:
            if len(_known) >= _KNOWN_AT_MOST:
                _known.clear()
            _known[known] = tuple(_of_message(ltkm.message, own_name))
        yield from _known[known]
    key_facts = keys.of(ltkm.message, ltkm.octets)
    if key_facts is not None:
        plain = key_facts.plain
        for name in ("verdict", "type_name", "length", "seq_l", "seq_u"):
            yield f"key.{name}", Fact(_text(None if plain[name] is None else str(plain[name])))
        yield "key.check_value", Fact(_text(plain["check_value"]), "")


def _of_message(message: Message, own_name: str) -> Iterator[tuple[str, Fact]]:
    names = _names(message)
    yield "payloads", Fact(" ".join(names) or "none")
    parts = [*(["HDR"] if message.header is not None else []), *names]
    for name, node in zip(parts, tree(message), strict=False):  # problems and trailing octets follow
        yield from _of_part(name, node, own_name)
    for problem in (message.problem, *message.inner_problems):
        if problem is not None:
            yield f"problem {problem.kind}", Fact(shorten(str(problem)))


def _names(message: Message) -> list[str]:
    """Return a name for every payload: an extension by its type, so that a further one does not rename the others."""
    labels = [
        f"{payload.label}({payload.type})" if isinstance(payload, GeneralExtension) else payload.label
        for payload in message.payloads
    ]
    total, seen = Counter(labels), Counter[str]()
    names = []
    for label in labels:
        seen[label] += 1
        names.append(f"{label}[{seen[label]}]" if total[label] > 1 else label)
    return names


def _of_part(name: str, part: Node, own_name: str) -> Iterator[tuple[str, Fact]]:
    plain_name = name.partition("[")[0]
    for node in part.walk():
        below = node.path[len(part.path) + 1 :]
        if node.children or not below or below == "next_payload" or not node.value:  # `payloads` has what follows
            continue
        path, kind = f"{name}.{below}", None
        if f"{plain_name}.{below}" in FRESH_FIELDS:
            kind = f"{count(node.octets or 0, 'octet')}"
        elif path == "HDR.csb_id":
            kind = "0" if int(node.value, 0) == 0 else "not 0"
        elif plain_name == "ID" and own_name and node.value == own_name.encode("utf-8", "surrogateescape").hex():
            kind = "the B-TID of the terminal"
        yield path, Fact(shorten(node.text), kind)


def _root(root: object) -> str:
    return "nothing" if root is None else shorten(str(getattr(root, "tag", "")))


def _text(text: str | None) -> str:
    return "none" if text is None else shorten(text) or "empty"
