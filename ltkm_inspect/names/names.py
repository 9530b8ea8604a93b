"""What people call Key Domains, Key Groups, MSKs, B-TIDs and addresses."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ltkm_inspect.finding import Report, shorten
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mikey import Identity, Message
from ltkm_inspect.names.event_names import NO_EVENT_NAMES, EventNames, key_text
from ltkm_inspect.traffic import Datagram, Event, address_and_port

type KeyPair = tuple[bytes, bytes]
"""Key Domain ID, and MSK ID or its Key Group part, or nothing. Without a Key Domain ID it is in any."""
_OTHER_MSK = re.compile("MSK ID ([0-9a-f]{8})(?: of Key Domain ([0-9a-f]{6}))?")
"""How findings name an MSK of another event."""
_KEY = re.compile("[0-9a-f]{6}(?:/[0-9a-f]{4}){0,2}")


@dataclass(frozen=True, slots=True)
class Names:
    """All names of a run."""

    keys: Mapping[KeyPair, str] = field(default_factory=dict)
    b_tids: Mapping[str, str] = field(default_factory=dict)
    """By B-TID, as `same_b_tid` writes it."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """By address, as `address_and_port` writes it."""

    def __len__(self) -> int:
        return len(self.keys) + len(self.b_tids) + len(self.addresses)

    def of(self, event: Event, report: Report | None = None) -> EventNames:
        """Return the names of what an event has, and its findings name."""
        if not self:
            return NO_EVENT_NAMES
        pairs = dict.fromkeys(event.pairs)
        b_tids = [event.b_tid, *(each for message in _messages(event) for each in _identities(message))]
        if report is not None:
            pairs |= dict.fromkeys(_others(report, pairs))
            b_tids += [report.terminal.key, report.terminal.replaces]
        return self._found(pairs, b_tids, (event.client, event.server), item_keys(event))

    def of_message(self, message: Message) -> EventNames:
        """Return the names of what a message outside any event has."""
        pair = message.pair
        return self._found([] if pair is None else [pair], _identities(message))

    def of_b_tids(self, b_tids: Iterable[str]) -> EventNames:
        """Return the names of some B-TIDs, or of addresses in their place."""
        known = [*b_tids]
        return self._found([], known, known)

    def of_selector(self, text: str) -> str:
        """Return the name of a key as it is selected, of a B-TID or of an address; empty if it has none."""
        key = _KEY.fullmatch(text)
        if key is None:
            return self.b_tids.get(same_b_tid(text)) or self.addresses.get(address_and_port(text)[0], "")
        domain, *rest = text.split("/")
        return self._found([(bytes.fromhex(domain), bytes.fromhex("".join(rest)))]).of_key(domain, *rest)

    def _found(
        self,
        pairs: Iterable[KeyPair],
        b_tids: Iterable[str] = (),
        addresses: Iterable[str] = (),
        items: Mapping[int | None, str] | None = None,
    ) -> EventNames:
        domains, groups, msks = dict[str, str](), dict[str, str](), dict[str, str]()
        for domain, msk_id in pairs:
            for found, part in ((domains, b""), (groups, msk_id[:2]), (msks, msk_id)):
                name = self.keys.get((domain, part)) or (self.keys.get((b"", part)) if part else None)
                if name:
                    found[key_text(domain, part)] = name
        named = {text: name for text in b_tids if (name := self.b_tids.get(same_b_tid(text)))}
        hosts = (address_and_port(text)[0] for text in addresses)
        at = {host: self.addresses[host] for host in hosts if host in self.addresses}
        return EventNames(domains, groups, msks, named, at, items or {})

    def conflicts(self, ring: KeyRing) -> Iterator[str]:
        """Yield a line for each B-TID that the key ring gives another name."""
        for subscriber in ring.subscribers:
            name = self.b_tids.get(same_b_tid(subscriber.b_tid), "")
            if name and subscriber.name and name != subscriber.name:
                named = f"{shorten(name)}, but in the key ring {shorten(subscriber.name)}"
                yield f"b_tids: {shorten(subscriber.b_tid)} is named {named}; give it one name"


NO_NAMES = Names()


def same_b_tid(text: str) -> str:
    """Return a B-TID in the form that all its spellings share: the domain is not case-sensitive."""
    local, at, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}" if at else text


def item_keys(event: Event) -> dict[int | None, str]:
    """Return the key of each item of an event by its number, as it is selected; None for the key of a datagram."""
    items = event.document.items if event.document is not None else ()
    keys: dict[int | None, KeyPair | None] = {item.number: item.pair for item in items}
    if isinstance(event, Datagram) and event.message is not None:
        keys[None] = event.message.pair
    return {number: key_text(*pair) for number, pair in keys.items() if pair and tuple(map(len, pair)) == (3, 4)}


def _messages(event: Event) -> Iterator[Message]:
    return (ltkm.message for ltkm in event.checked_ltkms if ltkm.message is not None)


def _identities(message: Message) -> list[str]:
    return [each.value.decode("utf-8", "surrogateescape") for each in message.of(Identity)]


def _others(report: Report, known: Iterable[KeyPair]) -> Iterator[KeyPair]:
    """Yield the MSKs of other events that the findings name: in the Key Domain that they name, else in those known."""
    domains = dict.fromkeys(domain for domain, _ in known)
    for finding in (*report.findings, *report.accepted, *report.notes):
        for msk_id, domain in _OTHER_MSK.findall(f"{finding.got} {finding.hint}"):
            for each in [bytes.fromhex(domain)] if domain else domains:
                yield each, bytes.fromhex(msk_id)
