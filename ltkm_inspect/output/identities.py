"""Finds in any text what may tell who somebody is: addresses, B-TIDs, IMPIs, A-KIDs, IMSIs and the like.

It looks at a text in every reading: percent-encoded, with escapes and character references, in other scripts, in hex
and in base64. What it cannot tell from an identity is one: when in doubt, there is something to hide. Each reading
costs time in proportion to the text, and there are a few of them.
"""

import ipaddress
import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from html import unescape
from typing import NamedTuple

ROUNDS = 4
"""How many codings within each other are undone."""
DIGITS = 11
"""So many digits in a row may be a subscriber's number: an IMSI has 15 at most, an MSISDN not many fewer."""
CODE = 16
"""So many characters of base64 in a row may be a B-TID without its realm."""

type Knows = Callable[[str], str | None]
"""Returns the identity that is known besides and in this text; None where there is none."""


class IdentityMatch(NamedTuple):
    """What was found."""

    kind: str
    """`address`, `identity`, or `code` for characters that may be either."""
    value: str
    """The same for every spelling."""


NAME = re.compile(r"(?:address|identity)-[0-9a-f]{10}(?![0-9a-f])|\([0-9]+ (?:characters|octets)\)")
"""What replaces what was found."""

_NUMBER = r"(?:0x[0-9a-f]++|[0-9]++)"
_V4 = rf"(?<![0-9]){_NUMBER}(?:(?:\.|\[\.\]|\(\.\)){_NUMBER}){{3,}}+"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})(?![0-9])"
_DASHED = rf"(?<![0-9]){_OCTET}(?:[-_,]{_OCTET}){{3}}"
_COLONS = r"(?<![0-9a-f:])(?=[0-9a-f:]*?::|(?:[0-9a-f]*+:){6})[0-9a-f:]++(?:\.[0-9]++)*+(?:%(?:25)?[\w.~-]++)?"
_DASHES = r"(?<![0-9a-f_-])(?=[0-9a-f_-]*?(?:--|__)|(?:[0-9a-f]++[-_]){7})[0-9a-f_-]++(?:[.,][0-9]++)*+"
_LOCAL = r"[^\s\"'<>(),;:?&\[\]{}|/@]"
_REALM = r"3gpp-bootstrapping(?:-uicc|-digest|-akma)?@"
_NAI = rf"(?:[a-z0-9+/_-]{{22}}==|(?<!{_LOCAL})(?!{_REALM}){_LOCAL}++)@[\w.-]*+"
_NAMED = (
    r"(?<![a-z])(?:imsi|supi|suci|gpsi|msisdn|imeisv|imei|guti|tmsi|msin|impi|impu|atid|gli|gci)[-._:=#]{0,3}"
    r"(?=[a-z]*[0-9])[0-9a-z][0-9a-z._-]{4,}+"
)
_HOST = rf"(?<=//){_NUMBER}(?:\.{_NUMBER}){{0,2}}(?=[:/?#]|$)"
_LONG_HEX = r"(?<![0-9a-z])[0-9a-f]{32,}+(?![0-9a-z@:]|[._-][0-9a-f])"
_ARPA = r"(?<![0-9a-f.])[0-9a-f.]++(?:in-addr|ip6)\.arpa"
_SPLIT = rf"(?<![0-9])(?=(?:[-._]?[0-9]){{{DIGITS + 2}}})[0-9]++(?:[-._][0-9]++)++"
_SPANS = re.compile(
    rf"(?P<hex>{_LONG_HEX})|(?P<sure>{_NAMED}|{_NAI}|{_ARPA})|(?P<host>{_HOST})|{_COLONS}|{_V4}|{_DASHES}|{_DASHED}|"
    rf"{_SPLIT}|[0-9]{{{DIGITS},}}+",
    re.I,
)
"""Each kind matches only what it finds, so that it takes nothing away from the kinds behind it."""
_GAP = r"[\s/:,+]"
_SPACED = re.compile(
    rf"(?<![0-9])(?:[0-9]{{3}}{_GAP}[0-9]{{2,3}}{_GAP}[0-9]{{8,10}}|[0-9]{{3}}(?:{_GAP}[0-9]{{3}}){{4}}|"
    rf"[0-9]{{5,6}}{_GAP}[0-9]{{9,10}}|[0-9](?:\s[0-9]){{10,14}})(?![0-9])|"
    r"\+(?=(?:[\s/().-]{0,3}[0-9]){10})[0-9]{1,3}(?:[\s/().-]{1,3}[0-9]{2,12}){1,5}|"
    r"(?<![0-9.])[0-9]{1,3}(?:(?:\s?\.\s|\s\.)[0-9]{1,3}){3}(?![0-9.])|"
    r"(?<!\S)[^\s@]{1,200}(?<![,;:])\s@\s?[\w-]{1,200}\.[\w.-]{1,200}"
)
"""Numbers of subscribers in groups, addresses and names with space in them."""
_DOTTED_QUAD, _DASHED_QUAD = re.compile(_V4, re.I), re.compile(_DASHED)
_LONG_NUMBER, _LONGER_NUMBER = re.compile(rf"[0-9]{{{DIGITS},}}"), re.compile(r"[0-9]{14,}")

_ESCAPES = re.compile(
    r"%(?:25)*+u([0-9a-f]{4})|%([0-9a-f]{2})|=([0-9a-f]{2})(?![0-9a-z])|"
    r"(?<!\\)\\++(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|U([0-9a-f]{8}))",
    re.I,
)
_REFERENCE = re.compile(r"&#?\w")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{10,}")
_HEX = re.compile(r"[0-9a-f]{14,}", re.I)
_DUMP = re.compile(
    r"(?<![0-9a-f])(?:(?:0x)?[0-9a-f]{2}(?:[\s:,._-]{1,2}+(?:0x)?[0-9a-f]{2}(?![0-9a-f])){6,}+|"
    r"(?:0x)?(?:[0-9a-f]{4}){1,4}(?:[\s:,._-]{1,2}+(?:0x)?(?:[0-9a-f]{4}){1,4}(?![0-9a-f])){1,}+)",
    re.I,
)
_IN_DUMP = re.compile(r"(?<![0-9A-Fa-f])(?:0x)?((?:[0-9A-Fa-f]{2})+)(?![0-9A-Fa-f])")
_PRINTABLE = re.compile(r"[\x20-\x7e]{7,}")
_VALUES = re.compile(
    r"(?<![0-9a-z.])(?:0x[0-9a-f]{1,32}|[0-9a-f]{32}|[0-9a-f]{8}|[0-9]{8,12}|[0-9]{1,10}(?:\.[0-9]{1,10}){1,2})(?![0-9a-z.])",
    re.I,
)
_PADDING = re.compile(r"==(?![0-9A-Za-z=%])|=(?![0-9A-Za-z=%\"'])")
_LONG_HEX_ONLY = re.compile(r"[0-9a-f]{16,}", re.I)
_URL_SAFE = str.maketrans("-_", "+/")
_NUMERIC = re.compile(r"[0-9a-f]{8}|0x|[%\\&]|[0-9]\.[0-9]|[A-Za-z]*[0-9][A-Za-z0-9+/]{12}", re.I)
_MAYBE = re.compile(
    r"[@%\\&\x00]|::|[^\x00-\x7f]|[A-Za-z0-9+/_-]{10}|[0-9][0-9a-fx.:,_\[\]()-]{5}|[0-9a-f]:[0-9a-f]*:|[/@][0-9]|--|"
    r"[0-9a-f]{2}[\s:,-][0-9a-f]{2}[\s:,-]|[0-9]\s[0-9.]|[0-9]{3}[/:+][0-9]{3}",
    re.I,
)
_DROPPED = frozenset({"Cc", "Cf", "Cn", "Co", "Mn", "Me"})
_DOTS = {0x3002: ".", 0x2024: ".", 0x00B7: ".", 0x2010: "-", 0x2011: "-", 0x2013: "-", 0x2212: "-"}


def may_hide(text: str) -> bool:
    """Tell at little cost whether a text could hold anything that `find` finds without knowing it."""
    return _MAYBE.search(text) is not None


def may_be_number(text: str) -> bool:
    """Tell at little cost whether a text could hold an address as a number."""
    return _NUMERIC.search(text) is not None


def hides_in(octets: bytes) -> bool:
    """Tell whether octets, read as text, may tell who somebody is."""
    return any(find(text) is not None for text in _texts(octets))


def plain(text: str) -> str:
    """Return a text without the codings that hide what it says, at most four of them within each other."""
    for _ in range(ROUNDS):
        before = text
        if "%" in text or "\\" in text or "=" in text:
            text = _ESCAPES.sub(_character, text)
        if "&" in text and _REFERENCE.search(text):
            text = unescape(text)
        if text == before:
            break
    if text.isascii() and text.isprintable():
        return text
    return "".join(_letters(unicodedata.normalize("NFKC", text))).translate(_DOTS)


def find(
    text: str, values: frozenset[bytes] = frozenset(), knows: Knows | None = None, *, depth: int = 0
) -> IdentityMatch | None:
    """Return the first thing in a text that may tell who somebody is, in any spelling; None where there is none.

    `values` are addresses, packed, that are also found as numbers; `knows` finds what has no form of its own.
    """
    text = NAME.sub(" ", plain(text))
    for match in _VALUES.finditer(text) if values else ():
        packed = _packed(match[0], values)
        if packed is not None:
            return IdentityMatch("address", str(ipaddress.ip_address(packed)))
    for hit in (*map(_judged, _SPANS.finditer(text)), *map(_spaced, _SPACED.finditer(text))):
        if hit is not None:
            return hit
    known = knows(text) if knows is not None else None
    if known is not None:
        return IdentityMatch("identity", known)
    if depth < 2:
        for inner in _readings(text):
            hit = find(inner, values, knows, depth=depth + 1)
            if hit is not None:
                return hit
    return IdentityMatch("code", text) if any(map(_is_code, _BASE64.finditer(text))) else None


def spans(text: str, name: Callable[[IdentityMatch], str], values: frozenset[bytes] = frozenset()) -> str:
    """Return a text with names in place of what is found in it as it is written."""

    def named(match: re.Match[str]) -> str:
        packed = _packed(match[0], values) if values and _VALUES.fullmatch(match[0]) else None
        hit = _judged(match) if packed is None else IdentityMatch("address", str(ipaddress.ip_address(packed)))
        return match[0] if hit is None else name(hit)

    return _SPANS.sub(named, text)


def dumps(text: str, replaced: Callable[[str], str]) -> str:
    """Return a text with what `replaced` makes of each hex dump, whose octets stand apart."""
    return _DUMP.sub(lambda match: replaced(match[0]), text)


def in_dump(text: str) -> tuple[str, ...]:
    """Return the octets of a hex dump as text, and as they are where it shows words, the last octet of each first."""
    words = [bytes.fromhex(word) for word in _IN_DUMP.findall(text)]
    return b"".join(words).decode("latin-1"), b"".join(word[::-1] for word in words).decode("latin-1")


def spaced(text: str, name: Callable[[IdentityMatch], str]) -> str:
    """Return a text with names in place of numbers in groups, and of what has space in it."""
    return _SPACED.sub(lambda match: name(_spaced(match)), text)


def canonical_address(text: str) -> str | None:
    """Return an address in the spelling that all of its spellings share; None where it is none."""
    text = text.strip("[]").partition("%")[0].replace("[.]", ".").replace("(.)", ".")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        parts = re.split(r"[.,_-]", text.lower())
        if len(parts) != 4:
            return None
        for base in (10, 8):  # leading zeros are only that, unless a number can but be octal
            numbers = [_number(part, base) for part in parts]
            if all(0 <= number <= 255 for number in numbers):
                return ".".join(map(str, numbers))
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def packed_address(text: str) -> bytes | None:
    """Return the octets of an address; None where the text is none."""
    address = canonical_address(text)
    return None if address is None else ipaddress.ip_address(address).packed


def _judged(match: re.Match[str]) -> IdentityMatch | None:
    """Return what a span of text is that looks like an address or an identity; None where it only looks so."""
    span = match[0]
    if _HEX.fullmatch(span):
        inner = next(filter(None, map(find, _texts(bytes.fromhex(span[: len(span) // 2 * 2])))), None)
        if inner is not None:
            return inner
    if match["hex"]:  # in octets so many digits come by chance; an IMSI is longer
        long = _LONGER_NUMBER.search(span)
        return None if long is None else IdentityMatch("identity", long[0])
    if match["host"]:
        number = _whole_number(span.lower())
        return IdentityMatch("address", str(ipaddress.ip_address(number)) if number < 1 << 32 else span.lower())
    if match["sure"]:
        local, at, domain = span.rpartition("@")
        return IdentityMatch("identity", f"{local}@{domain.lower().rstrip('.')}" if at else span.lower())
    head = span.partition("%")[0]
    if ("::" in head and head.strip(":")) or head.count(":") >= 6:
        return IdentityMatch("address", canonical_address(span) or span.lower())
    if ("--" in head and re.search("[0-9]", head)) or head.count("-") == 7:
        return IdentityMatch("address", canonical_address(head.replace("-", ":")) or span.lower())
    quad = _DOTTED_QUAD.search(span)
    if quad is not None:
        return IdentityMatch("address", canonical_address(quad[0]) or quad[0].lower())
    quad = _DASHED_QUAD.search(span)
    if quad is not None and max(map(int, re.split("[-_,]", quad[0]))) < 256:
        return IdentityMatch("address", canonical_address(quad[0]) or quad[0])
    long = _LONG_NUMBER.search(span)
    if long is not None:
        return IdentityMatch("identity", long[0])
    digits = re.sub("[^0-9]", "", span)
    is_split = re.fullmatch(r"[0-9]+(?:[-._][0-9]+)+", span) is not None
    return IdentityMatch("identity", digits) if is_split and len(digits) >= DIGITS + 2 else None


def _spaced(match: re.Match[str]) -> IdentityMatch:
    span = re.sub(r"\s", "", match[0])
    address = canonical_address(span)
    if address is not None:
        return IdentityMatch("address", address)
    return IdentityMatch("identity", span if "@" in span else re.sub("[^0-9]", "", span))


def _character(match: re.Match[str]) -> str:
    number = int(next(filter(None, match.groups())), 16)
    return chr(number) if number <= 0x10FFFF else ""


def _letters(text: str) -> Iterator[str]:
    """Yield the characters of a text without those that are not seen, and each digit as one of ASCII."""
    for character in text:
        if character.isascii():
            if character.isprintable() or character in "\t\n\r":
                yield character
        elif unicodedata.category(character) not in _DROPPED:
            digit = unicodedata.decimal(character, None)
            yield character if digit is None else str(digit)


def _readings(text: str) -> Iterator[str]:
    """Yield the text in the octets that hex and base64 in a text stand for, however they are aligned."""
    for match in _HEX.finditer(text):
        for start in (0, 1):
            digits = match[0][start:]
            yield from _texts(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for match in _BASE64.finditer(text):
        for start in range(4):
            characters = match[0][start:].translate(_URL_SAFE)
            whole = len(characters) // 4 * 4
            rest = characters[whole:]
            padded = characters[:whole] + (rest + "=" * (4 - len(rest)) if len(rest) > 1 else "")
            yield from _texts(a2b_base64(padded))


def _texts(octets: bytes) -> Iterator[str]:
    text = octets.replace(b"\0", b"").decode("latin-1")
    for match in _PRINTABLE.finditer(text):
        yield match[0]


def _is_code(match: re.Match[str]) -> bool:
    """Tell whether characters of base64 are no words: letters of both cases and digits change often, or are padded."""
    whole = match[0]
    if len(whole) >= CODE and len(whole) % 4 in (2, 3) and _PADDING.match(match.string, match.end()):
        return True
    if re.fullmatch(r"[0-9a-f-]+|[0-9A-F-]+", whole):
        return False
    return any(len(part) >= CODE and _changes(part) * 5 >= len(part) for part in (whole, *re.split("[/_-]", whole)))


def _changes(text: str) -> int:
    return len(re.findall(r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]", text))


def _number(text: str, base: int) -> int:
    """Return a number of an address, -1 where it is none."""
    try:
        return int(text, 16) if text.startswith("0x") else int(text, base)
    except ValueError:
        return -1


def _whole_number(text: str) -> int:
    """Return the number of an address with one to four parts, as C reads it: 198.18.1799 is 198.18.7.7."""
    *before, last = (int(part, 16 if part.startswith("0x") else 10) for part in text[:200].split("."))
    return last + sum(part << 8 * (3 - at) for at, part in enumerate(before))


def _packed(text: str, values: frozenset[bytes]) -> bytes | None:
    """Return the address among `values` that the text has as a number."""
    text = text.lower()
    found = [_whole_number(text)] if "." in text or text.startswith("0x") or text.isdigit() else []
    if "." not in text:
        found += [int(text, 8)] if re.fullmatch("0[0-7]+", text) else []
        found += [int(text, 16)] if len(text) in (8, 32) else []
    for number in found:
        for size in (4, 16):
            packed = number.to_bytes(size) if number < 1 << 8 * size else b""
            if packed in values:
                return packed
    return None


def cut_hides(text: str) -> bool:
    """Tell whether a piece of text, the end of which was cut off, may be the beginning of an identity."""
    if _LONG_HEX_ONLY.fullmatch(text):
        return (
            re.search(rb"[\x20-\x7e]{4,}$", bytes.fromhex(text[: len(text) // 2 * 2]).replace(b"\0", b"")) is not None
        )
    return re.search(r"[0-9@%\\]|[a-z][A-Z]", text) is not None


def addresses(text: str) -> Iterator[str]:
    """Yield the addresses that are written in a text as such."""
    for match in _SPANS.finditer(plain(text)):
        hit = _judged(match)
        if hit is not None and hit.kind == "address":
            yield hit.value
