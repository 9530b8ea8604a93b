"""Selects keys by Key Domain ID, Key Group and Key Number, terminals by B-TID or address, and flows by number."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from ltkm_inspect.session import UNKNOWN_TERMINAL, TerminalIdentity
from ltkm_inspect.traffic import Document, Event, Item, Ltkm, LtkmElement, address_and_port
from ltkm_inspect.wire import printable

FORM = "KEYDOMAIN[/GROUP[/NUMBER]] with 6, 4 and 4 hex digits"
"""How a selector is written."""
_DIGITS = (6, 4, 4)


class SelectionError(ValueError):
    """A selector that means nothing as written; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One key, all keys of a Key Group, or all of a Key Domain."""

    key_domain_id: bytes
    msk_id: bytes = b""
    """The first octets of the MSK ID: none, the Key Group part, or both parts."""

    def __str__(self) -> str:
        parts = (self.key_domain_id, self.msk_id[:2], self.msk_id[2:])
        return "/".join(part.hex() for part in parts if part)

    def takes(self, pair: tuple[bytes, bytes] | None) -> bool:
        """Tell whether a Key Domain ID and an MSK ID are meant."""
        return pair is not None and pair[0] == self.key_domain_id and pair[1].startswith(self.msk_id)


@dataclass(frozen=True, slots=True)
class Selection:
    """Selectors, of which one has to fit; none at all mean every key."""

    selectors: tuple[Selector, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.selectors)) or "every key"

    def takes_pair(self, pair: tuple[bytes, bytes] | None) -> bool:
        """Tell whether a Key Domain ID and an MSK ID are meant."""
        return not self.selectors or any(selector.takes(pair) for selector in self.selectors)

    def takes_ltkm(self, ltkm: Ltkm | LtkmElement) -> bool:
        """Tell whether an LTKM is meant: by the MSK of its item, or by the one that it names itself."""
        if ltkm.item is not None and self.takes_pair(ltkm.item.pair):
            return True
        return self.takes_pair(None if ltkm.message is None else ltkm.message.pair)

    def takes_item(self, item: Item) -> bool:
        """Tell whether an item is meant: by its MSK, or by the one that an LTKM in it names."""
        return self.takes_pair(item.pair) or any(map(self.takes_ltkm, item.ltkm_elements))

    def takes(self, event: Event) -> bool:
        """Tell whether an event is about a key that is meant: in its items and LTKMs, else in its request."""
        items = event.document.items if event.document is not None else ()
        if not self.selectors:
            return True
        if items or event.ltkms:
            return any(map(self.takes_item, items)) or any(map(self.takes_ltkm, event.ltkms))
        return any(map(self.takes_pair, event.requested_pairs))

    def of(self, document: Document) -> Document:
        """Return a document as if it had no other items and LTKMs than those that are meant."""
        if not self.selectors:
            return document
        seen = Document(document.exchange, document.xml)
        seen.items = tuple(filter(self.takes_item, document.items))
        seen.elements_outside_items = tuple(filter(self.takes_ltkm, document.elements_outside_items))
        seen.ltkm_elements = tuple(filter(self.takes_ltkm, document.ltkm_elements))
        return seen


EVERY = Selection()
"""The selection of every key."""


def parse_selection(texts: Iterable[str]) -> Selection:
    """Parse selectors, each `KEYDOMAIN[/GROUP[/NUMBER]]` in hex; SelectionError says in one line what is wrong."""
    return Selection(tuple(dict.fromkeys(map(_parse, texts))))


def _parse(text: str) -> Selector:
    parts = text.strip().lower().split("/")
    try:
        octets = [bytes.fromhex(part) for part in parts]
    except ValueError:
        octets = []
    lengths = [2 * len(part) for part in octets]
    if not octets or lengths != [*_DIGITS[: len(lengths)]] or [len(part) for part in parts] != lengths:
        coded = "; write it in hex, not base64" if re.search(r"[G-Zg-z+=]", text) else ""
        raise SelectionError(f"expected {FORM}, got {printable(text) or 'nothing'}{coded}")
    return Selector(octets[0], b"".join(octets[1:]))


LONGEST_NAME = 20
"""A longer name of a terminal is shortened in lines."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """One B-TID, or one address, with or without a port."""

    text: str
    """As typed."""
    address: str = ""
    """Empty for a B-TID."""
    port: str = ""

    def __str__(self) -> str:
        return self.text

    def takes(self, event: Event, identity: TerminalIdentity = UNKNOWN_TERMINAL) -> bool:
        """Tell whether an event is of this terminal: by its key in the run, its name, its B-TID, or its address."""
        if not self.address:
            return self.text in (event.b_tid, short_name(event.b_tid), identity.name, identity.key)
        address, port = address_and_port(event.client)
        return address == self.address and self.port in ("", port)


def short_name(b_tid: str) -> str:
    """Return the part of a B-TID before its domain, shortened in the middle if it is long."""
    name = b_tid.partition("@")[0].rstrip("=") if "@" in b_tid else b_tid
    return name if len(name) <= LONGEST_NAME else f"{name[:8]}..{name[-4:]}"


def parse_terminal(text: str) -> Terminal:
    """Parse an IPv4 or IPv6 address, with a port or without; everything else is a B-TID."""
    text = text.strip()
    address, port = address_and_port(text)
    return Terminal(text, address, port) if address else Terminal(text)


def parse_terminals(texts: Iterable[str]) -> tuple[Terminal, ...]:
    """Parse terminals, without duplicates."""
    return tuple(dict.fromkeys(map(parse_terminal, texts)))


@dataclass(frozen=True, slots=True)
class FlowNumbers:
    """The number of one flow, or a range of numbers, as lines show them behind `#`."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def takes(self, number: int | None) -> bool:
        """Tell whether a flow with that number is meant."""
        return number is not None and self.first <= number <= self.last


def parse_flow_numbers(texts: Iterable[str]) -> tuple[FlowNumbers, ...]:
    """Parse numbers from 1 (`26`, `#26`) and ranges (`26-30`); SelectionError says in one line what is wrong."""
    return tuple(dict.fromkeys(map(_parse_flow_numbers, texts)))


def _parse_flow_numbers(text: str) -> FlowNumbers:
    found = re.fullmatch(r"#?(\d{1,18})(?:-#?(\d{1,18}))?", text.strip(), re.ASCII)
    numbers = FlowNumbers(int(found[1]), int(found[2] or found[1])) if found else FlowNumbers(0, 0)
    if not 0 < numbers.first <= numbers.last:
        raise SelectionError(
            f"expected the number of a flow, or a range like 26-30, got {printable(text) or 'nothing'}"
        )
    return numbers


@dataclass(frozen=True, slots=True)
class EventSelection:
    """Which events are selected: by keys, terminals, when they began, and flow numbers; by default all are."""

    keys: Selection = EVERY
    terminals: tuple[Terminal, ...] = ()
    """The terminals whose events are selected; empty selects every terminal."""
    since: float | None = None
    """Seconds since 1970 UTC."""
    until: float | None = None
    flows: tuple[FlowNumbers, ...] = ()
    """The flows whose events are selected; empty selects every flow."""

    @property
    def takes_all(self) -> bool:
        """Every event is selected."""
        return not (self.keys.selectors or self.terminals or self.flows) and self.since is self.until is None

    def takes(self, event: Event, identity: TerminalIdentity, number: int | None) -> bool:
        """Tell whether an event is selected, whose flow has that number."""
        return self.keys.takes(event) and self.takes_around(event, identity, number)

    def takes_around(self, event: Event, identity: TerminalIdentity, number: int | None) -> bool:
        """Tell whether the terminal, the time and the flow of an event are selected, whatever its keys."""
        known = not self.terminals or any(terminal.takes(event, identity) for terminal in self.terminals)
        counted = not self.flows or any(each.takes(number) for each in self.flows)
        return known and counted and self._takes_time(event)

    def _takes_time(self, event: Event) -> bool:
        if self.since is self.until is None:
            return True
        began = event.started
        return began is not None and (self.since or 0) <= began and (self.until is None or began <= self.until)

    def selectors(
        self, identity: TerminalIdentity = UNKNOWN_TERMINAL, number: int | None = None
    ) -> Iterator[tuple[str, str, Callable[[Event], bool]]]:
        """Yield each selector: option, text (empty for the time), and its test of an event."""
        for key in self.keys.selectors:
            yield "msk", str(key), Selection((key,)).takes
        for terminal in self.terminals:
            yield "terminal", str(terminal), partial(terminal.takes, identity=identity)
        if not self.since is self.until is None:
            yield "until" if self.since is None else "since", "", self._takes_time
        for numbers in self.flows:
            yield "flow", str(numbers), partial(_takes_flow, numbers, number)


def _takes_flow(numbers: FlowNumbers, number: int | None, _: Event) -> bool:
    return numbers.takes(number)


EVERY_EVENT = EventSelection()
"""The selection of every event."""


MOST_NAMED = 5
"""How many terminals, addresses or keys are named if a selector matches none of them."""


@dataclass(slots=True)
class SelectionMatches:
    """How many events each selector matched, by option and text, and which terminals, keys and times there were."""

    matched: Counter[tuple[str, str]] = field(default_factory=Counter)
    present: dict[str, dict[str, str]] = field(default_factory=dict)
    """By kind, the first terminals, addresses and keys with the text that shows each; one more than is named."""
    times: tuple[float, ...] = ()
    """When the first and the last event began, in seconds since 1970 UTC; empty if no time is known."""
    numbers: tuple[int, ...] = ()
    """The lowest and the highest number of a flow with an event."""

    def add(
        self, selection: EventSelection, event: Event, identity: TerminalIdentity, number: int | None = None
    ) -> bool:
        """Count an event, whose flow has that number, and tell whether it is selected."""
        options: dict[str, bool] = {}
        for option, text, takes in selection.selectors(identity, number):
            options[option] = (matches := takes(event)) or options.get(option, False)
            self.matched[option, text] += matches
        key = event.b_tid if identity.key in ("", event.connection, event.client) else identity.key
        self._name("terminals", {key: identity.name or (short_name(key) if key == event.b_tid else key)} if key else {})
        self._name("addresses", {address: ""} if (address := address_and_port(event.client)[0]) else {})
        self._name("MSKs", {str(Selector(*pair)): "" for pair in event.pairs})
        self.times = _ends(*self.times, *(() if event.started is None else (event.started,)))
        self.numbers = _ends(*self.numbers, *(() if number is None else (number,)))
        return all(options.values())

    def merge(self, other: "SelectionMatches") -> None:
        """Count in what another one counted of later events."""
        self.matched.update(other.matched)
        for kind, names in other.present.items():
            self._name(kind, names)
        self.times = _ends(*self.times, *other.times)
        self.numbers = _ends(*self.numbers, *other.numbers)

    def unmatched(self, selection: EventSelection) -> list[tuple[str, str]]:
        """Return option and text of each selector that matched no event."""
        return [(option, text) for option, text, _ in selection.selectors() if not self.matched[option, text]]

    def _name(self, kind: str, names: Mapping[str, str]) -> None:
        known = self.present.setdefault(kind, {})
        for each, shown in names.items():
            if len(known) > MOST_NAMED:
                break
            known.setdefault(each, shown or each)


def _ends[N: (int, float)](*values: N) -> tuple[N, ...]:
    return (min(values), max(values)) if values else ()
