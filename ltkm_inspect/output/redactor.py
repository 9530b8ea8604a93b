"""Texts, octets and findings of one event with names in place of identities and addresses."""

import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ltkm_inspect.finding import Finding
from ltkm_inspect.mikey import Identity, Message, decode, shown_octets
from ltkm_inspect.names import NO_EVENT_NAMES, EventNames
from ltkm_inspect.output import identities
from ltkm_inspect.output.exchange_identities import (
    LONGEST_TEXT,
)
from ltkm_inspect.output.identities import IdentityMatch
from ltkm_inspect.output.known_words import Words, known_in
from ltkm_inspect.wire import count

if TYPE_CHECKING:
    from ltkm_inspect.output.redaction import Redaction

EXEMPT = frozenset(
    {
        *("schema", "file", "sources", "report", "keys", "started", "ended", "verdict", "rule", "level", "title"),
        *("clauses", "answer", "octets", "octets_of", "sha256", "type_name", "valid_from", "valid_to", "check_value"),
        *("kind", "version", "key_group", "key_number", "terminal_name", "names"),
    }
)
"""The fields of JSON objects that hold our own words, numbers, or names of files, and no text from the wire."""
_HEX = re.compile(r"[0-9a-f]+")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The ids of exchanges and connections."""
_OURS = re.compile(
    rf"((?<![\w-]){UUID.pattern}(?![\w-])|"
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
        if name == "id" and isinstance(value, str) and UUID.fullmatch(value):
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
        parts[1::2] = [self._field("id", part) if UUID.fullmatch(part) else part for part in parts[1::2]]
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
