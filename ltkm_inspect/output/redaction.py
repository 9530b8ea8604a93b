"""Names in place of identities and addresses: the same name within a run, and of no use outside it."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from typing import Any

from ltkm_inspect.finding import Finding
from ltkm_inspect.mikey import Identity, Message, decode, shown_octets
from ltkm_inspect.names import NO_EVENT_NAMES, EventNames
from ltkm_inspect.output import identities
from ltkm_inspect.output.exchange_identities import (
    LONGEST_TEXT,
    addresses_of,
    identities_of,
    message_identities,
    split_port,
)
from ltkm_inspect.output.identities import IdentityMatch
from ltkm_inspect.output.known_words import Words, known_in, learn
from ltkm_inspect.traffic import AUTO, Event, TerminalBy
from ltkm_inspect.wire import count, printable_octets

REMEMBERED = 100_000
"""How many identities without a form of their own a run remembers."""
LEAST_REMEMBERED = 4
"""How many characters such an identity must have to be remembered. A shorter one is only hidden in its own exchange."""
DIGITS = 10
"""How many hex digits of the keyed hash a name has."""
EXEMPT = frozenset(
    {
        *("schema", "file", "sources", "report", "keys", "started", "ended", "verdict", "rule", "level", "title"),
        *("clauses", "answer", "octets", "octets_of", "sha256", "type_name", "valid_from", "valid_to", "check_value"),
        *("kind", "version", "key_group", "key_number", "terminal_name", "names"),
    }
)
"""The fields of JSON objects that hold our own words, numbers, or names of files, and no text from the wire."""
KEPT_TEXTS = 10_000
"""How many texts are kept with their redacted form: the reasons of rules recur in each exchange."""

_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+\.?")
_HEX = re.compile(r"[0-9a-f]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS = re.compile(
    rf"((?<![\w-]){_UUID.pattern}(?![\w-])|"
    r"(?:\bTS [0-9]{2}\.[0-9]{3} |\bCR |§)[0-9]{1,2}(?:\.[0-9]{1,2}){1,6}(?![0-9.][0-9]))"
)
"""Our own text that looks like an identity: ids of exchanges and connections, and clauses."""
_CHUNK = re.compile(r"([\s\"]+)")
_PIECE = re.compile(r"([/?&=;,()\[\]{}|#!*'`:<>]+)")
_ASCII = re.compile(rb"[\x20-\x7e]{7,}|(?:[\x20-\x7e]\0){7,}|(?:\0[\x20-\x7e]){7,}")

_APART = re.compile(rb"[^\x20-\x7e\0]|\0\0")
"""No text continues after its first octet."""
BLOCK = 1 << 14
"""How many octets of a message are searched at once. No other thread runs meanwhile."""


class Redactor:
    """Replaces identities and addresses in all text about one exchange; `NO_REDACTOR` replaces nothing.

    It also knows the names of what the exchange has. Records have these in a field of their own; text for people gets
    them from `shown` and `finding`.
    """

    names = NO_EVENT_NAMES

    def __init__(self, redaction: "Redaction", own: Words, values: frozenset[bytes], kept: frozenset[bytes]) -> None:
        """Take the words of its identities, its addresses as octets, and the names that stay."""
        self._redaction = redaction
        self._tries = (own, redaction.words)
        self._values = values
        self._kept = kept

    def text(self, text: str) -> str:
        """Return text with names in it, in time in proportion to its length; a very long one is only counted."""
        if len(text) > LONGEST_TEXT:
            return f"({len(text)} characters)"
        if not text:
            return text
        return self._from_memory(self._known_hidden(text), self._patterns_hidden)

    def with_names(self, names: EventNames) -> "Redactor":
        """Return the same redactor with these names, without those that it has to hide."""
        found = copy(self)
        found.names = names if self.redacts_nothing else names.redacted(self.text)
        return found

    @property
    def redacts_nothing(self) -> bool:
        """Text stays as it is."""
        return False

    def shown(self, text: str) -> str:
        """Return text for people: as `text` returns it, with the names of IDs behind them."""
        return self.names.text(self.text(text))

    def terminal(self, text: str, shown: str | None = None) -> str:
        """Return the name of a terminal; `shown` is how it is named where nothing is hidden, by default as it is."""
        return self._redaction.terminal(text)

    def octets(self, octets: bytes) -> bytes:
        """Return octets with an asterisk in place of each octet of a text that may be an identity."""
        return b"".join(_ASCII.sub(self._starred, block) for block in _blocks(octets))

    def message(self, message: Message, octets: bytes | None = None, *, show_keys: bool = False) -> bytes:
        """Return the octets of a message as they are shown, with as many asterisks for what is to be hidden in them.

        `octets` are those that it was decoded from, if they are known.
        """
        message = message if message.length else decode(message.encode())  # one made by hand does not know its places
        shown = bytearray(shown_octets(message, octets, show_keys=show_keys))
        for payload, offset in zip(message.payloads, message.offsets, strict=True):
            if isinstance(payload, Identity) and not self._is_kept(payload.value):
                shown[offset + 4 : offset + 4 + len(payload.value)] = b"*" * len(payload.value)
        undecoded = len(message.trailing)  # may hold an identity that nobody knows
        return self.octets(bytes(shown[: len(shown) - undecoded])) + b"*" * undecoded

    def finding(self, finding: Finding) -> Finding:
        """Return a finding for people; what it says of the wire is redacted, rule, title and clauses are our own."""
        place = replace(finding.place, path=self.text(finding.place.path))
        expected, got, hint, accepted = map(self.text, (finding.expected, finding.got, finding.hint, finding.accepted))
        shown = replace(finding, place=place, expected=expected, got=got, hint=hint, accepted=accepted)
        return self.names.finding(shown)

    def plain(self, value: Any) -> Any:
        """Return an object for JSON with names in its texts, but for the fields that hold none from the wire."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            if value.get("name") == Identity.label and isinstance(value.get("fields"), dict):
                value = {**value, "fields": self._identity(value["fields"])}
            return {self.text(name): self._field(name, inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(inner) for inner in value]
        return value

    def _field(self, name: str, value: Any) -> Any:
        if name == "trailing" and value and isinstance(value, str):  # may hold an identity that nobody knows
            return f"({count(len(value) // 2, 'octet')})"
        if name == "id" and isinstance(value, str) and _UUID.fullmatch(value):
            return "(not shown)" if identities.hides_in(bytes.fromhex(value.replace("-", ""))) else value
        if name == "key" and isinstance(value, str) and _HEX.fullmatch(value):  # a delivered key that is to be shown
            return value
        return value if name in EXEMPT else self.plain(value)

    def _identity(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of an identity payload with a name in place of its value, unless that may be shown."""
        octets = bytes.fromhex(fields["value"])
        if not octets or self._is_kept(octets):
            return fields
        name = self._redaction.identity(octets.decode("utf-8", "surrogateescape"))
        return {**fields, "value": name, **({"value_text": name} if "value_text" in fields else {})}

    def _is_kept(self, octets: bytes) -> bool:
        return octets in self._kept or (not self._kept and self._redaction.is_domain(octets))

    def _starred(self, match: re.Match[bytes]) -> bytes:
        if len(match[0]) > LONGEST_TEXT:
            return b"*" * len(match[0])
        text = match[0].replace(b"\0", b"").decode("ascii")
        return b"*" * len(match[0]) if self._find(text) is not None else match[0]

    def _from_memory(self, text: str, make: Callable[[str], str]) -> str:
        """Return what `make` makes of a text, which is the same for every exchange unless this knows more of it."""
        if any(self._tries) or (self._values and identities.may_be_number(text)):
            return make(text)
        return self._redaction.kept(text, make)

    def _find(self, text: str) -> IdentityMatch | None:
        return identities.find(text, self._values, self._known)

    def _known(self, text: str) -> str | None:
        """Return the first identity of those that are known by their words in a text."""
        return next((name for _, _, name in known_in(text, self._tries)), None)

    def _known_hidden(self, text: str) -> str:
        parts, at = [], 0
        for start, end, identity in known_in(text, self._tries):
            parts += [text[at:start], self._redaction.identity(identity)]
            at = end
        return "".join([*parts, text[at:]]) if parts else text

    def _patterns_hidden(self, text: str) -> str:
        if not identities.may_hide(text):
            return text
        parts = _OURS.split(text)
        parts[::2] = [self._wire_hidden(part) for part in parts[::2]]
        parts[1::2] = [self._field("id", part) if _UUID.fullmatch(part) else part for part in parts[1::2]]
        return "".join(parts)

    def _wire_hidden(self, text: str) -> str:
        if not text:
            return text
        text = identities.spaced(identities.dumps(text, self._dump_hidden), self._name)
        chunks = _CHUNK.split(text)
        chunks[::2] = [self._from_memory(chunk, self._chunk_hidden) if chunk else chunk for chunk in chunks[::2]]
        return "".join(chunks)

    def _dump_hidden(self, dump: str) -> str:
        octets = identities.in_dump(dump)
        return dump if all(self._find(each) is None for each in octets) else f"({count(len(octets[0]), 'octet')})"

    def _chunk_hidden(self, chunk: str) -> str:
        """Return a text without white space with names in it: as precisely as possible, as widely as needed."""
        if not identities.may_hide(chunk) and "…" not in chunk:
            return chunk
        hit = self._find(chunk)
        if hit is not None:
            if identities.plain(chunk) == chunk:  # else a part of what is found is written in another way
                chunk = identities.spans(chunk, self._name, self._values)
            if self._find(chunk) is not None:
                pieces = _PIECE.split(chunk)
                pieces[::2] = [self._piece_hidden(piece) if piece else piece for piece in pieces[::2]]
                chunk = "".join(pieces)
                if self._find(chunk) is not None:
                    return self._name(hit)
        return _cut_hidden(chunk) if "…" in chunk else chunk

    def _piece_hidden(self, piece: str) -> str:
        hit = self._find(piece)
        return piece if hit is None else self._name(hit)

    def _name(self, hit: IdentityMatch) -> str:
        match hit.kind:
            case "address":
                return self._redaction.address(hit.value)
            case "identity":
                return self._redaction.identity(hit.value)
        return f"({len(hit.value)} characters)"


class _NoRedactor(Redactor):
    """Hides nothing, at no cost."""

    def __init__(self) -> None:
        pass

    @property
    def redacts_nothing(self) -> bool:
        return True

    def text(self, text: str) -> str:
        return text

    def terminal(self, text: str, shown: str | None = None) -> str:
        return text if shown is None else shown

    def octets(self, octets: bytes) -> bytes:
        return octets

    def message(self, message: Message, octets: bytes | None = None, *, show_keys: bool = False) -> bytes:
        return shown_octets(message, octets, show_keys=show_keys)

    def finding(self, finding: Finding) -> Finding:
        return self.names.finding(finding)

    def plain(self, value: Any) -> Any:
        return value


NO_REDACTOR: Redactor = _NoRedactor()


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
        return text if _UUID.fullmatch(text) else self.identity(text)

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


def _blocks(octets: bytes) -> Iterator[bytes]:
    """Yield octets in blocks, between which no text is torn apart."""
    at = 0
    while (apart := _APART.search(octets, at + BLOCK)) is not None:
        yield octets[at : apart.start() + 1]
        at = apart.start() + 1
    yield octets[at:]


def _cut_hidden(chunk: str) -> str:
    """Return a text without the last piece before the mark of a cut, where that may be half an identity."""
    before, mark, after = chunk.rpartition("…")
    pieces = _PIECE.split(before)
    if identities.cut_hides(pieces[-1]):
        pieces[-1] = ""
    return "".join(pieces) + mark + after
