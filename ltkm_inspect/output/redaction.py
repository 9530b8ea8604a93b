"""Names in place of identities and addresses: the same name within a run, and of no use outside it."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import chain
from typing import Any

from ltkm_inspect.mikey import Message
from ltkm_inspect.output import identities
from ltkm_inspect.output.exchange_identities import (
    LONGEST_TEXT,
    addresses_of,
    identities_of,
    message_identities,
    split_port,
)
from ltkm_inspect.output.known_words import Words, learn
from ltkm_inspect.output.redactor import UUID, Redactor
from ltkm_inspect.traffic import AUTO, Event, TerminalBy
from ltkm_inspect.wire import printable_octets

REMEMBERED = 100_000
"""How many identities without a form of their own a run remembers."""
LEAST_REMEMBERED = 4
"""How many characters such an identity must have to be remembered. A shorter one is only hidden in its own exchange."""
DIGITS = 10
"""How many hex digits of the keyed hash a name has."""
KEPT_TEXTS = 10_000
"""How many texts are kept with their redacted form: the reasons of rules recur in each exchange."""

_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+\.?")


class Redaction:
    """The names that replace identities in one run. One without a recognizable form is replaced once it was seen."""

    def __init__(self, key: bytes | None = None, terminal: TerminalBy = AUTO) -> None:
        """Take the key of the names, which is stored nowhere. Processes with the same key use the same names.

        If a header distinguishes the terminals, its value is hidden like an identity.
        """
        self._terminal = terminal
        self._key = os.urandom(16) if key is None else key
        self.words: Words = {}
        """What the run remembers."""
        self._number = 0
        self._texts: dict[str, str] = {}
        self._general = Redactor(self, {}, frozenset(), frozenset())

    def text(self, text: str) -> str:
        """Return a text that belongs to no exchange with names in it."""
        return self._general.text(text)

    def identity(self, text: str) -> str:
        """Return the name of a B-TID or IMPI."""
        local, at, domain = text.rpartition("@")
        return f"identity-{self._hash(f'{local}@{domain.lower().rstrip(".")}' if at else text)}"

    def address(self, text: str) -> str:
        """Return the name of an address without its port."""
        return f"address-{self._hash(identities.canonical_address(text) or text)}"

    def terminal(self, text: str) -> str:
        """Return the name of a terminal: of a B-TID, or of an address, whose port stays; a connection keeps its id."""
        host, port = split_port(text)
        if identities.packed_address(host) is not None:
            return self.address(host) + port
        return text if UUID.fullmatch(text) else self.identity(text)

    def named(self, octets: bytes) -> tuple[bytes | None, str]:
        """Return an identity of a message as octets and text: a name, and no octets, but for that of a BM-SC."""
        if self.is_domain(octets):
            return octets, printable_octets(octets)
        return None, self.identity(octets.decode("utf-8", "surrogateescape"))

    def is_domain(self, octets: bytes) -> bool:
        """Tell whether octets are the name of a host, as that of a BM-SC is, and no more."""
        text = octets.decode("latin-1")
        return _DOMAIN.fullmatch(text) is not None and identities.find(text) is None

    def options(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a run as typed, without the terminals and addresses that are in some."""
        hidden: dict[str, Any] = self._general.plain(typed)
        hidden["fault_terminal"] = [self.terminal(word) for word in typed.get("fault_terminal") or ()]
        hidden["fault_filter"] = "(not shown)" if typed.get("fault_filter") else typed.get("fault_filter")
        return hidden

    def redactor(self, event: Event) -> Redactor:
        """Return the redactor for all text about an event."""
        return self._redactor(self._names(event), addresses_of(event))

    def seen_in(self, event: Event) -> list[bytes]:
        """Return the identities of an event that are only found elsewhere once it was seen. `learn` takes each.

        This redaction does not remember them.
        """
        found = dict.fromkeys(value for value, is_terminal in self._names(event) if is_terminal)
        return [value for value in found if len(_formless(value)) >= LEAST_REMEMBERED]

    def learn(self, octets: bytes) -> None:
        """Remember an identity of an event for which there was no redactor here."""
        self._learn(octets, {})

    def another(self) -> "Redaction":
        """Return one with the same key that remembers nothing."""
        return Redaction(self._key, self._terminal)

    def redactor_of(self, message: Message | None) -> Redactor:
        """Return the redactor for all text about a message outside any exchange."""
        return self._redactor(message_identities(message, self.is_domain), ())

    def kept(self, text: str, make: Callable[[str], str]) -> str:
        """Return what `make` makes of a text, from memory where it was asked before."""
        found = self._texts.get(text)
        if found is None:
            found = make(text)
            if len(text) < 500 and len(self._texts) < KEPT_TEXTS:
                self._texts[text] = found
        return found

    def _names(self, event: Event) -> Iterable[tuple[bytes, bool]]:
        """Return the identities of an event, each with whether it names a terminal."""
        found = identities_of(event, self.is_domain)
        if self._terminal.way == "header":
            return chain(found, [(self._terminal.key(event).encode("utf-8", "surrogateescape"), True)])
        return found

    def _redactor(self, names: Iterable[tuple[bytes, bool]], addresses: Iterable[str]) -> Redactor:
        names = [*names]
        found = dict.fromkeys(value for value, is_terminal in names if is_terminal)
        own: Words = {}
        for each in found:
            self._learn(each, own)
        values = frozenset(filter(None, map(identities.packed_address, addresses)))
        return Redactor(self, own, values, frozenset(value for value, _ in names if value not in found))

    def _learn(self, octets: bytes, own: Words) -> None:
        """Take an identity in that is not found by its form; its beginning is enough, as no longer text is shown."""
        identity = _formless(octets)
        if not identity:
            return
        tries = [own]
        if len(identity) >= LEAST_REMEMBERED:
            if self._number >= REMEMBERED:
                self.words.clear()
                self._number = 0
            self._number += 1
            tries.append(self.words)
        learn(octets[:LONGEST_TEXT], identity, tries)

    def _hash(self, text: str) -> str:
        # BLAKE2 hashes a short text without releasing the GIL. A thread that releases it thousands of times takes it
        # back before another one wakes up, so that the event loop waits for all of them.
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGITS // 2, key=self._key).hexdigest()


def _formless(octets: bytes) -> str:
    """Return the text of an identity that is not found by its form; empty for any other."""
    identity = octets[:LONGEST_TEXT].decode("utf-8", "surrogateescape")
    hit = identities.find(identity)
    return "" if hit is not None and hit.value == identity else identity
