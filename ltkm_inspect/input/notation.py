"""Octets as people and programs write them in text: base64, hex, arrays, escapes, percent-encoding and SDP."""

import html
import re
from binascii import a2b_base64
from collections.abc import Iterator
from typing import Literal
from urllib.parse import unquote_to_bytes

from ltkm_inspect import mikey

type Notation = Literal["auto", "base64", "hex"]

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"))
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
_TYPOGRAPHY = {0xA0: " ", 0x202F: " ", 0x3000: " ", **dict.fromkeys(range(0x2000, 0x200B), " ")}
_TYPOGRAPHY |= dict.fromkeys((0x201C, 0x201D, 0x201E, 0xAB, 0xBB), '"') | dict.fromkeys((0x2018, 0x2019, 0xB4), "'")
_TYPOGRAPHY |= dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-") | {0xFF1A: ":"}
_CLEANED = {**_INVISIBLE, **_TYPOGRAPHY}
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f\x7f]")

_OTHER_ALPHABET = str.maketrans("-_", "+/")
_SPACE = re.compile(r"\s+")
_AROUND = "\"'`,;\\<>()[]{} \t\r\n\v\f"
"""Characters around a value in source code, SDP and lists; none of them belongs to base64 or hex."""
_PAIRS = re.compile(r"(?:[0-9A-Fa-f]{2}[-.:])+[0-9A-Fa-f]{2}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64_WORD = re.compile(r"(?:(?<![A-Za-z0-9+/_-])|(?<=^[+-]))AQ[A-Za-z0-9+/_-]{14,}+={0,2}")
_HEX_WORD = re.compile(r"(?<![0-9A-Za-z])(?:0x|\\x)?(01[0-9A-Fa-f]{30,}+)(?![0-9A-Za-z])")
_KEY_MANAGEMENT = re.compile(
    r"key-mgmt:\s*mikey\s+(\S++)|mikey\s*+;[^\r\n]{0,1000}?\bdata\s*=\s*\"([^\"]++)\"", re.IGNORECASE
)
"""RFC 4567 §3.1 (the attribute of SDP) and §3.2 (the header of RTSP)."""

_NUMBER = r"(?:0[xX][0-9A-Fa-f]{1,2}|[0-9A-Fa-f]{2,3}[hH]|-?\d{1,3})(?:[uU]8?|i8)?"
_ITEMS = re.compile(
    rf"\s*(?:\(\s*(?:byte|unsigned char|uint8_t|char)\s*\)\s*)?({_NUMBER})\s*(?:,|$|(?=\s))", re.IGNORECASE
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*|\#[^\n]*", re.DOTALL)
_LABEL = re.compile(r"^[ \t]*0x[0-9A-Fa-f]{3,}[^:\n]*:", re.MULTILINE)
"""The address in front of a row, as debuggers print it."""
_BRACES = re.compile(r"[{\[]([^{}\[\]]*)[}\]]|\(([^()\[\]{}]*)\)")
_NUMBERS = re.compile(r"0x|[0-9A-F]h\b", re.IGNORECASE)
_DIRECTIVE = re.compile(r"^\s*(?:db|dc\.b|\.byte|byte)\s", re.IGNORECASE | re.MULTILINE)
"""Data in assembly language."""
_LITERAL = re.compile(r'\\.|"((?:[^"\\]|\\.)*+)"|\'((?:[^\'\\]|\\.)*+)\'', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-7]{1,3})|\r?\n\s*|(.))", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def text_of(octets: bytes) -> str | None:
    """Return octets as text in UTF-8, UTF-16 or UTF-32, without what a reader does not see; None where they are none.

    Marks of the byte order and characters of no width are left out; typographic quotes and spaces become plain ones.
    """
    encoding = next((name for mark, name in _MARKS if octets.startswith(mark)), "")
    if not encoding:
        start = octets[:64]
        if octets.startswith(_MARKS_16):
            encoding = "utf-16"
        elif len(start) > 3 and not any(start[1::2]) and all(start[::2]):
            encoding = "utf-16-le"
        elif len(start) > 3 and not any(start[::2]) and all(start[1::2]):
            encoding = "utf-16-be"
    try:
        text = octets.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        return None
    if "\x1b[" in text:
        text = _COLOR.sub("", text)
    return None if _CONTROL.search(text) else text if text.isascii() else text.translate(_CLEANED)


def is_message(octets: bytes) -> bool:
    """Tell whether octets are one whole MIKEY message."""
    message = mikey.decode(octets)
    return message.problem is None and bool(message.payloads)


def from_words(text: str, notation: Notation = "auto") -> bytes | None:
    """Return the octets that a text is as a whole, in base64 or hex, however it is wrapped and quoted; else None.

    Text that can be hex and base64 is what begins like a MIKEY message, else hex.
    """
    compact = _SPACE.sub("", text)
    if not compact:
        return None
    if _PAIRS.fullmatch(compact) and notation != "base64":
        compact = re.sub("[-.:]", "", compact)
    if compact[:2] == "AQ" and notation != "hex" and (octets := _from_base64(compact)) is not None:
        return octets  # which is no hex
    found = [*_readings(compact, notation)]
    if not found:
        cleaned = _unwrapped(text)
        if cleaned not in ("", compact):
            found = [*_readings(cleaned, notation)]
    return next((octets for octets in found if octets[:1] == b"\x01"), found[0] if found else None)


def from_percent(text: str) -> Iterator[bytes]:
    """Yield the octets that percent-encoded text is, if that is what it is: of the message, or of its base64 or hex."""
    if not _PERCENT.search(text):
        return
    octets = unquote_to_bytes(_SPACE.sub("", text).strip(_AROUND))
    yield octets
    with_spaces = octets.decode("latin-1")
    if (found := from_words(with_spaces)) is not None:
        yield found


def from_key_management(text: str) -> list[bytes]:
    """Return the messages of key management lines in SDP or RTSP (RFC 4567 §3); none where there are none."""
    words = (found[1] or found[2] for found in _KEY_MANAGEMENT.finditer(text))
    return [octets for word in words if (octets := from_words(word, "base64")) is not None]


def from_arrays(text: str) -> list[bytes]:
    """Return the octets of each array in source code (C, Python, Go, Java); none where there is none."""
    if "," not in text and not _NUMBERS.search(text):
        return []
    plain = _DIRECTIVE.sub(" ", _LABEL.sub(" ", _COMMENT.sub(" ", text)))
    inside = [found[1] or found[2] or "" for found in _BRACES.finditer(plain)]
    arrays = [octets for part in inside if (octets := _array(part))]
    if not arrays and (octets := _array(plain.strip(_AROUND))):
        arrays = [octets]
    return arrays


def from_escapes(text: str) -> Iterator[bytes]:
    """Yield the octets of string literals with escapes like `\\x01`; several in a row are one, as in C and Python."""
    if "\\" not in text:
        return
    parts = [found[1] or found[2] for found in _LITERAL.finditer(text) if found[1] or found[2]]
    written = "".join(parts) if parts else text.strip()
    plain = _ESCAPE.sub(_unescaped, written)
    try:
        yield plain.encode("latin-1")
    except UnicodeEncodeError:
        return
    if (found := from_words(plain)) is not None:
        yield found


def within(text: str) -> list[bytes]:
    """Return the whole messages that are in base64 or hex somewhere in a text, among other words."""
    found = []
    for match in _BASE64_WORD.finditer(text):
        found.append((match.start(), _from_base64(match[0])))
    for match in _HEX_WORD.finditer(text):
        found.append((match.start(), _from_hex(match[1])))
    return [octets for _, octets in sorted(found, key=lambda each: each[0]) if octets and is_message(octets)]


def strict_base64(line: bytes) -> bytes | None:
    """Return the octets of a line of plain base64 (RFC 4648 §4); None for any other."""
    try:
        return a2b_base64(line, strict_mode=True)
    except ValueError:
        return None


def _readings(compact: str, notation: Notation) -> Iterator[bytes]:
    if notation != "base64" and (octets := _from_hex(compact)) is not None:
        yield octets
    if notation != "hex" and (octets := _from_base64(compact)) is not None:
        yield octets


def _from_hex(text: str) -> bytes | None:
    digits = text[2:] if text[:2].lower() == "0x" else text
    try:
        return bytes.fromhex(digits.replace(":", ""))
    except ValueError:
        return None


def _from_base64(text: str) -> bytes | None:
    characters = text.rstrip("=").translate(_OTHER_ALPHABET)
    try:
        return a2b_base64(characters + "=" * (-len(characters) % 4), strict_mode=True)
    except ValueError:
        return None


def _unwrapped(text: str) -> str:
    """Return text without the quotes, prefixes and separators around a value, and with entities resolved."""
    text = html.unescape(text) if "&" in text else text
    text = re.sub(r"^\s*(?:a=)?(?:key-mgmt:\s*)?mikey\s+", "", text, flags=re.IGNORECASE)
    text = re.sub(r"^\s*data:[\w/+.;-]*;base64,", "", text, flags=re.IGNORECASE)
    lines = (line for line in text.splitlines() if not line.startswith("-----"))  # the frame of PEM (RFC 7468)
    lines = (re.sub(r"^[bB](?=[\"'])", "", line.strip().strip("+")).strip(_AROUND) for line in lines)
    return re.sub(r"[\s,;]+", "", "".join(lines))


def _array(text: str) -> bytes:
    """Return the octets of a list of numbers; nothing where it is anything else."""
    octets = bytearray()
    at = 0
    text = text.strip(" \t\r\n\v\f,;")
    while at < len(text):
        found = _ITEMS.match(text, at)
        if found is None:
            return b""
        number = _number(found[1].lower())
        if not -128 <= number <= 255:
            return b""
        octets.append(number & 0xFF)
        at = found.end()
    return bytes(octets) if len(octets) > 1 else b""


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text.partition("u")[0].partition("i")[0], 16)
    if text.endswith("h"):
        return int(text[:-1], 16)
    return int(text.partition("u")[0].partition("i")[0])


def _unescaped(found: re.Match[str]) -> str:
    if found[1] or found[2]:
        return chr(int(found[1] or found[2], 16))
    if found[3]:
        return chr(int(found[3], 8) & 0xFF)
    return _LETTERS.get(found[4], found[4]) if found[4] else ""
