"""The lexical forms of the XML Schema simple types that an MSK document uses: base64Binary and unsignedByte."""

import binascii
import re
from functools import lru_cache
from typing import NamedTuple

from ltkm_inspect.wire import abbreviate

from .names import XML_SPACE

_SPACE = {ord(character): None for character in XML_SPACE}
_FOREIGN = re.compile(r"[^A-Za-z0-9+/= \t\r\n]")
_UNSIGNED = re.compile(r"[+-]?[0-9]+", re.ASCII)
# The last character before the padding may only carry bits that are used: two of its six before "==", four before "=".
_BEFORE_TWO = frozenset("AQgw")
_BEFORE_ONE = frozenset("AEIMQUYcgkosw048")


_SHORT = 16
"""How long a text is at most that is likely to come again: the identifiers of keys."""


class Base64(NamedTuple):
    """The octets of a base64Binary value, or why it has none."""

    octets: bytes | None
    problem: str | None = None


def base64_octets(text: str | None) -> Base64:
    """The octets of an XSD base64Binary value (XML Schema part 2 §3.2.16); strict, and linear in the text.

    XML white space is allowed anywhere. Everything else must be right: the alphabet, the count, the padding and the
    unused bits. No text is no octets, which is a legal value. Positions in problems count characters of the text from
    1.
    """
    if not text:
        return Base64(b"")
    return _short(text) if len(text) <= _SHORT else _octets(text)


def _octets(text: str) -> Base64:
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
        packed = text
    except ValueError:
        if _FOREIGN.search(text):
            return Base64(None, _trouble(text))
        packed = text.translate(_SPACE) if not text.isalnum() else text
        try:
            octets = binascii.a2b_base64(packed, strict_mode=True)
        except ValueError:
            return Base64(None, _trouble(text))
    # Python 3.12 takes padding that is not needed, even in strict mode: the octets must fill the text.
    if 4 * -(-len(octets) // 3) != len(packed):
        return Base64(None, _trouble(text))
    if not packed.endswith("="):
        return Base64(octets)
    two = packed.endswith("==")
    last = packed[-3] if two else packed[-2]
    if last not in (_BEFORE_TWO if two else _BEFORE_ONE):
        return Base64(None, f"expected {4 if two else 2} unused bits of 0 before the padding, got '{last}'")
    return Base64(octets)


_short = lru_cache(maxsize=4096)(_octets)


def _trouble(text: str) -> str:
    foreign = _FOREIGN.search(text)
    if foreign:
        character, position = foreign.group(), foreign.start() + 1
        if character in "-_":
            return f"expected the base64 alphabet with + and /, got the url-safe '{character}' at character {position}"
        return f"expected a base64 character, got '{character}' at character {position}"
    packed = text.translate(_SPACE)
    padding = packed.find("=")
    if padding >= 0 and (len(packed) - padding > 2 or packed.strip("=") != packed[:padding]):
        return f"expected = only as the last one or two characters, got one at character {text.find('=') + 1}"
    return f"expected a multiple of 4 base64 characters, got {len(packed)}"


def unsigned_byte(text: str) -> tuple[int | None, str | None]:
    """The value of an XSD unsignedByte (XML Schema part 2 §3.3.24), or None and the problem.

    White space of XML around the number is allowed, and so are a sign (of which - fits 0 alone) and leading zeros.
    """
    trimmed = text.strip(XML_SPACE)
    if not _UNSIGNED.fullmatch(trimmed):
        shown = f"'{abbreviate(trimmed)}'"
        return None, f"expected a decimal number from 0 to 255, got {shown}"
    digits = trimmed.lstrip("+-").lstrip("0") or "0"
    if len(digits) > 3 or int(digits) > 255 or (trimmed.startswith("-") and digits != "0"):
        return None, f"expected a number from 0 to 255, got {abbreviate(trimmed)}"
    return int(digits), None
