"""The names of what one event or record has, and how an ID is written for people: followed by its name in brackets.

Every output takes its names from here: lines, pages, trees and tables, from an event or from its record.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ltkm_inspect.finding import Finding, Place, shorten
from ltkm_inspect.traffic import address_and_port

LONGEST_NAME = 80
"""How many characters a name may have."""
KINDS = ("key_domains", "key_groups", "msks", "b_tids", "addresses")
"""The kinds of IDs that have names: the tables of the file, and the fields of `names` in a record."""
_PERSONAL = frozenset({"b_tids", "addresses"})
_HALF = "[0-9a-f]{4}"


def key_text(key_domain_id: bytes, msk_id: bytes = b"") -> str:
    """Return a Key Domain, Key Group or MSK as it is selected: `b8709d`, `b8709d/24cb` or `b8709d/24cb/0001`."""
    return "/".join(part.hex() for part in (key_domain_id, msk_id[:2], msk_id[2:]) if part)


@dataclass(frozen=True)
class EventNames:
    """The names of what one event has."""

    key_domains: Mapping[str, str] = field(default_factory=dict)
    """By Key Domain ID: `b8709d`."""
    key_groups: Mapping[str, str] = field(default_factory=dict)
    """By Key Domain ID and Key Group: `b8709d/24cb`."""
    msks: Mapping[str, str] = field(default_factory=dict)
    """By Key Domain ID and MSK ID: `b8709d/24cb/0001`."""
    b_tids: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By address without a port."""
    items: Mapping[int | None, str] = field(default_factory=dict)
    """The key of each item, by its number; None for the key of a datagram."""

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "EventNames":
        """Return the names in a record; none in one of an earlier version."""
        names = record.get("names")
        if not isinstance(names, dict) or not names:
            return NO_EVENT_NAMES
        kinds = {kind: {str(id): str(name) for id, name in names.get(kind, {}).items()} for kind in KINDS}
        return cls(**kinds, items=recorded_keys(record))

    def __bool__(self) -> bool:
        return any(getattr(self, kind) for kind in KINDS)

    @property
    def plain(self) -> dict[str, dict[str, str]] | None:
        """The names as data for JSON; None if there are none."""
        return {kind: dict(getattr(self, kind)) for kind in KINDS} if self else None

    def redacted(self, hide: Callable[[str], str]) -> "EventNames":
        """Return the names for redacted output: none of B-TIDs and addresses; `hide` redacts the text of the others."""
        shown = (kind for kind in KINDS if kind not in _PERSONAL)
        kinds = {kind: {id: hide(name) for id, name in getattr(self, kind).items()} for kind in shown}
        return EventNames(**kinds, items=self.items)

    def text(self, text: str) -> str:
        """Return a text with the name behind each ID that has one, in brackets and safe to print."""
        return text if self._pattern is None else self._pattern.sub(self._named, text)

    def finding(self, finding: Finding) -> Finding:
        """Return a finding with names in its texts, and with that of the key of its item in its place."""
        if not self:
            return finding
        expected, got, hint = map(self.text, (finding.expected, finding.got, finding.hint))
        return replace(finding, place=self.place(finding.place), expected=expected, got=got, hint=hint)

    def place(self, place: Place) -> Place:
        """Return a place that names the key of its item, or of its datagram."""
        name = self.of_key(*self.items.get(place.item, "").split("/"))
        return replace(place, name=name) if name else place

    def of_key(self, domain: str, group: str = "", number: str = "") -> str:
        """Return the names of a key in hex, from the Key Domain to the MSK: `Alpha, News`; empty if it has none."""
        return ", ".join(filter(None, (self.key_domains.get(domain), self._in_domain(domain, group, number))))

    def of_terminal(self, shown: str, key: str, client: str) -> str:
        """Return the name of a terminal: of its B-TID, or of the address by which it is shown; empty if it has none."""
        name = self.b_tids.get(key) or self.of_address(client if shown == client else key)
        return "" if name == shown or not shown else name  # the key ring gives it the same name, or nobody is shown

    def of_address(self, text: str) -> str:
        """Return the name of an address with or without a port; empty if it has none."""
        return self.addresses.get(address_and_port(text)[0], "") if self.addresses else ""

    def _in_domain(self, domain: str, group: str, number: str) -> str:
        names = (self.key_groups.get(f"{domain}/{group}"), self.msks.get(f"{domain}/{group}/{number}"))
        return ", ".join(filter(None, names))

    @cached_property
    def _domains(self) -> dict[str, set[str]]:
        """The Key Domains in which each Key Group is."""
        found: dict[str, set[str]] = {}
        for key in (*self.key_groups, *self.msks, *self.items.values()):
            domain, group, *_ = key.split("/")
            found.setdefault(group, set()).add(domain)
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self:
            return None
        domains = _alternatives([*self.key_domains, *(each for found in self._domains.values() for each in found)])
        groups = _alternatives(self._domains)
        return re.compile(
            r"(?<![\w.+/=@-])(?:"
            rf"(?P<domain>{domains})(?:/(?P<group>{_HALF})(?:/?(?P<number>{_HALF}))?)?"
            rf"|(?P<alone>{groups})(?P<rest>{_HALF})"
            # four digits may be anything unless the text calls them a Key Group
            rf"|(?:(?<=Key Group )|(?<=key_group: ))(?P<only>{groups})"
            rf"|(?P<b_tid>{_alternatives(self.b_tids)})"
            rf"|\[?(?P<address>{_alternatives(self.addresses)})\]?(?::\d{{1,5}})?"
            r")(?![\w+/=@-]|\.\w)"
        )

    def _named(self, match: re.Match[str]) -> str:
        part = match.groupdict("")
        if part["domain"]:
            name = self.of_key(part["domain"], part["group"], part["number"])
        elif group := part["alone"] or part["only"]:
            names = {self._in_domain(domain, group, part["rest"]) for domain in self._domains[group]}
            name = names.pop() if len(names) == 1 else ""  # an ID that has two names in two Key Domains
        else:
            name = self.b_tids.get(part["b_tid"]) or self.of_address(part["address"])
        behind = f" ({shorten(name, LONGEST_SHOWN)})"
        return match[0] if not name or match.string.startswith(behind, match.end()) else match[0] + behind


NO_EVENT_NAMES = EventNames()
LONGEST_SHOWN = 3 * LONGEST_NAME
"""How many characters of the names of Key Domain, Key Group and MSK are shown together."""


def _alternatives(words: Iterable[str]) -> str:
    """Return a pattern that matches one of these words; without any it matches nothing."""
    return "|".join(map(re.escape, sorted(set(words), key=len, reverse=True))) or "(?!)"


def recorded_keys(record: Mapping[str, Any]) -> dict[int | None, str]:
    """Return the key of each item in a record by its number, as it is selected; None for the key of a datagram."""
    keys = {item["item"]: (item["key_domain_id"], item["key_group"], item["key_number"]) for item in _items(record)}
    return {number: "/".join(key) for number, key in keys.items() if all(key)}


def _items(record: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the items of a record, and of a datagram the key that its message names, as an item without a number."""
    message = (record.get("message") or {}).get("message")
    if message is None:
        items: list[dict[str, Any]] = record.get("items", [])
        return items
    ids = {
        key_id["type"]: str(key_id["value"])
        for payload in message["payloads"]
        if isinstance(extension := payload["fields"].get("value"), dict)
        for key_id in extension.get("key_ids", ())
    }
    domain, msk_id = ids.get(0, ""), ids.get(1, "")
    return [{"item": None, "key_domain_id": domain, "key_group": msk_id[:4], "key_number": msk_id[4:]}]
