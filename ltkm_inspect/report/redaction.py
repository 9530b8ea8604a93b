"""Names in place of B-TIDs, IMPIs and addresses: the same name within a run, and of no use outside it."""

import hmac
import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ltkm_inspect.exchange import Exchange
from ltkm_inspect.mikey import Identity, Message, shown_octets
from ltkm_inspect.wire import printable, printable_octets

CONNECTIONS = 10_000
"""How many connections are remembered with the identities that were seen on them."""
IDENTITIES = 8
"""How many identities of one connection are remembered."""
MOST = 64
"""How many identities of one exchange are known by their octets, so that hostile ones cannot slow down what is said."""
DIGITS = 10
"""How many hex digits of the keyed hash stand in a name."""
SHOWN = 24
"""How many characters of a long identity are enough to know it by: what prints it may have cut it off."""
LEAST_INSIDE = 8
"""An identity of so many octets is also found within longer hex; a shorter one only where it stands alone."""
LONG_CODE = 60
"""So many characters of base64 in a row may hold an identity, and are not shown."""
EXEMPT = frozenset(
    {
        *("schema", "file", "id", "started", "ended", "verdict", "rule", "level", "title", "clauses", "answer"),
        *("octets", "octets_of", "sha256", "type_name", "valid_from", "valid_to", "check_value", "kind", "path"),
    }
)
"""The fields of JSON objects that hold our own words, ids or numbers, and no text from the wire."""

# A network access identifier, as B-TIDs and IMPIs are, but for the realms of GBA, which are the same for everybody. The
# patterns begin where a word does, and give nothing back: hostile text costs no more than its length.
_WORD = r"[^\s\"'<>(),;:?&\[\]{}=\\@%]"
_NAI_OF_TEXT = rf"(?<!{_WORD})(?!3GPP-bootstrapping){_WORD}++=*+(?:@|%40)[\w.-]++"
_CODE = rf"(?<![\w+/-])[\w+/-]{{{LONG_CODE},}}+=*+"
_TRAILING = r"(?<=trailing: )[0-9a-f]++(?=\s|$)"
_NAI_OF_OCTETS = re.compile(rb"(?<![!-?A-~])[!-?A-~]++@[A-Za-z0-9._-]++")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+\.?")
_HEX = re.compile(r"[0-9A-Fa-f]+")


class Veil:
    """What is to be hidden in what is said of one exchange; `NO_VEIL` hides nothing."""

    def __init__(self, names: Mapping[str, str], octets: Iterable[bytes] = (), *, other: "Redaction") -> None:
        """Take the names by the text that they replace, and the octets to be masked."""
        self._names = names
        self._octets = sorted(octets, key=len, reverse=True)
        self._other = other
        known = sorted(names, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(_pattern_of, known), _NAI_OF_TEXT, _CODE, _TRAILING]))

    def __bool__(self) -> bool:
        return True

    def text(self, text: str) -> str:
        """Return text with names in it."""
        return self._pattern.sub(self._replaced, text)

    def octets(self, octets: bytes) -> bytes:
        """Return octets with an asterisk in place of each octet of an identity, and as many of them."""
        for each in self._octets:
            octets = octets.replace(each, b"*" * len(each))
        return octets

    def message(self, message: Message, *, show_keys: bool = False) -> bytes:
        """Return the octets of a message as they are shown, with as many asterisks for what is to be hidden in them."""
        octets = self.octets(shown_octets(message, show_keys=show_keys))
        undecoded = len(message.trailing)  # may hold an identity that nobody knows
        return octets[: len(octets) - undecoded] + b"*" * undecoded

    def plain(self, value: Any) -> Any:
        """Return an object for JSON with names in its texts, but for the fields that hold none from the wire."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self._field(name, inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(inner) for inner in value]
        return value

    def _field(self, name: str, value: Any) -> Any:
        if name == "trailing" and value:  # what was not decoded may hold an identity that nobody knows
            return f"({len(value) // 2} octets)"
        return value if name in EXEMPT else self.plain(value)

    def _replaced(self, found: re.Match[str]) -> str:
        text = found[0]
        name = self._names.get(text)
        if name is not None:
            return name
        if "@" in text or "%40" in text:
            return self._other.identity(text.replace("%40", "@"))
        for known, name in self._names.items():
            if len(known) > SHOWN and text.startswith(known[:SHOWN]):
                return name
        if found.string[: found.start()].endswith("trailing: "):
            return f"({len(text) // 2} octets)"
        return text if _HEX.fullmatch(text) else f"({len(text)} characters)"


class _NoVeil(Veil):
    """Hides nothing, at no cost."""

    def __init__(self) -> None:
        pass

    def __bool__(self) -> bool:
        return False

    def text(self, text: str) -> str:
        return text

    def octets(self, octets: bytes) -> bytes:
        return octets

    def message(self, message: Message, *, show_keys: bool = False) -> bytes:
        return shown_octets(message, show_keys=show_keys)

    def plain(self, value: Any) -> Any:
        return value


NO_VEIL: Veil = _NoVeil()


class Redaction:
    """The names of one run. What an exchange says about an earlier one of its connection is hidden, too."""

    def __init__(self) -> None:
        """Draw the key of the names, which is kept nowhere."""
        self._key = os.urandom(16)
        self._seen: dict[str, tuple[bytes, ...]] = {}

    def identity(self, text: str) -> str:
        """Return the name of a B-TID or IMPI."""
        return f"identity-{self._hash(text)}"

    def address(self, text: str) -> str:
        """Return the name of an address without its port."""
        return f"address-{self._hash(text)}"

    def terminal(self, text: str) -> str:
        """Return the name of a terminal: of a B-TID, or of an address, whose port stays; a connection keeps its id."""
        host, port = _split(text)
        if _is_address(host):
            return self.address(host) + port
        return text if _UUID.fullmatch(text) else self.identity(text)

    def named(self, octets: bytes) -> tuple[bytes | None, str]:
        """Return an identity of a message as octets and text: a name, and no octets, but for that of a BM-SC."""
        if _DOMAIN.fullmatch(octets.decode("latin-1")):
            return octets, printable_octets(octets)
        return None, self.identity(octets.decode("utf-8", "surrogateescape"))

    def options(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a run as typed, without the terminals and addresses that are in some."""
        hidden: dict[str, Any] = self.veil_of(None, None).plain(typed)
        hidden["fault_terminal"] = [self.terminal(word) for word in typed.get("fault_terminal") or ()]
        hidden["fault_filter"] = "(not shown)" if typed.get("fault_filter") else typed.get("fault_filter")
        return hidden

    def veil(self, exchange: Exchange) -> Veil:
        """Return what is to be hidden in what is said of an exchange."""
        identities = [*islice(dict.fromkeys(_identities(exchange)), MOST)]
        connection = exchange.connection or exchange.client
        earlier = self._seen.pop(connection, ())
        if connection:
            self._seen[connection] = (*(each for each in earlier if each not in identities), *identities)[-IDENTITIES:]
            if len(self._seen) > CONNECTIONS:
                del self._seen[next(iter(self._seen))]
        return self._veil((*identities, *earlier), _addresses(exchange))

    def veil_of(self, message: Message | None, octets: bytes | None) -> Veil:
        """Return what is to be hidden in what is said of a message that came alone."""
        return self._veil(_of_message(message, octets or b""), ())

    def _veil(self, identities: Iterable[bytes], addresses: Iterable[str]) -> Veil:
        names: dict[str, str] = {}
        octets = [*islice(dict.fromkeys(each for each in identities if each), MOST)]
        for each in octets:
            name = self.identity(each.decode("utf-8", "surrogateescape"))
            names.update(dict.fromkeys(_spellings(each), name))
        names.update((address, self.address(address)) for address in addresses)
        return Veil(names, octets, other=self)

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _pattern_of(text: str) -> str:
    """Return the pattern of a known text, which may be cut off behind its beginning where it is long."""
    if _HEX.fullmatch(text) and len(text) >= 2 * LEAST_INSIDE:
        return rf"{re.escape(text)}|{re.escape(text[:SHOWN])}[0-9A-Fa-f]*+" if len(text) > SHOWN else re.escape(text)
    alone = rf"(?<!\w){re.escape(text)}(?!\w)"
    return rf"{alone}|{re.escape(text[:SHOWN])}[^\s\"]*+" if len(text) > SHOWN else alone


def _spellings(octets: bytes) -> Iterator[str]:
    """Yield an identity as reports write it: text as it came and made safe, and hex."""
    for text in (octets.decode("utf-8", "surrogateescape"), octets.decode("utf-8", "replace")):
        yield text
        yield printable(text)
    yield printable_octets(octets)
    yield octets.hex()
    yield octets.hex().upper()


def _identities(exchange: Exchange) -> Iterator[bytes]:
    credentials = exchange.request.credentials
    username = credentials.get("username") if credentials is not None else None
    if username:
        yield username.encode("utf-8", "surrogateescape")
    document = exchange.document
    for ltkm in document.ltkms[: exchange.limits.ltkms] if document is not None else ():
        yield from _of_message(ltkm.message, ltkm.octets or b"")


def _of_message(message: Message | None, octets: bytes) -> Iterator[bytes]:
    """Yield the identities in a message, and in what could not be decoded of it; the name of a BM-SC is none."""
    decoded = [identity.value for identity in message.of(Identity)] if message is not None else []
    known = [value for value in decoded if value and not _DOMAIN.fullmatch(value.decode("latin-1"))]
    yield from known
    for match in islice(_NAI_OF_OCTETS.finditer(octets), MOST):
        if not any(value in match[0] for value in known[:MOST]):
            yield match[0]


def _addresses(exchange: Exchange) -> Iterator[str]:
    host = exchange.request.headers.get("Host") or ""
    for text in (exchange.client, exchange.server, exchange.connection, exchange.request.host, host):
        address = _split(text)[0]
        if _is_address(address):
            yield address


def _split(text: str) -> tuple[str, str]:
    """Return the address in a text like `192.0.2.1:80` or `[2001:db8::1]:80`, and its port with the colon."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port
    host, colon, port = text.rpartition(":")
    return (host, colon + port) if colon and ":" not in host else (text, "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
