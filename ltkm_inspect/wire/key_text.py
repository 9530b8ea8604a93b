"""Tells whether an input is keys instead of traffic, so that it is not printed.

It only recognizes; `keys.ring_file` reads. It imports nothing, so that any room can ask before it shows its input.
"""

import re

LOOKED_AT = 1 << 16
"""How many octets at the beginning of an input are looked at."""
KEY_SIZES = frozenset({16, 20, 24, 32, 48, 64})
"""Octets that keys have: MUK, MRK, MSK, CK and IK, and what they derive from."""
IS_KEY_RING = "expected messages or traffic, got what looks like a key ring (not shown); give it to --keys"
"""The message about a key ring; it repeats nothing of it."""
IS_TYPED_KEY = "an argument may be a key where none is expected (not shown)"
"""The message about an argument; it replaces one that would repeat a key."""
IS_KEY = "expected a MIKEY message, got octets that may be a key (not shown)"
"""The message about octets that have the length of a key and are not a MIKEY message."""

_NAMES = (
    r"muks?|mrk|smk|srk|auth_?key|ks(?:_?(?:ext_|int_)?naf)?|ck|ik|k_?af|k_?akma|k_?ausf|"
    r"msk|sek|pek|tek|mtk|key|password"
)
_VALUE = r"[\[({\s]*+[\"']?(?:(?:hex|base64):)?(?:0x)?(?:[0-9A-Za-z+/_-]{16}|(?:[0-9A-Fa-f]{2}[\s:,-]){8})"
_FIELD = re.compile(rf"(?<![\w-])[\"']?(?:{_NAMES})[\"']?\s*+(?:[=:]|=>)\s*+{_VALUE}", re.I)
_ARRAY = re.compile(r"(?<![\w-])[\"']?muks[\"']?\s*+[=:]\s*+\[", re.I)
_TABLE = re.compile(
    r"^\s*+(?:\[\[\s*+subscribers?\s*+\]\]|\[\s*+subscribers?\b|[\"']?subscribers?[\"']?\s*+[=:])", re.I | re.M
)
_HEX, _BASE64 = re.compile(r"[0-9A-Fa-f]+"), re.compile(r"[0-9A-Za-z+/_-]+")
_CELLS = re.compile(r"[\s\"',;|]+")
_KEY_CELLS = frozenset(
    {"muk", "muks", "mrk", "ks_naf", "ks_ext_naf", "ks_int_naf", "ck", "ik", "k_af", "k_akma", "k_ausf"}
)


def is_key_ring(octets: bytes) -> bool:
    """Tell whether octets look like a key ring or a part of one: in TOML, JSON or CSV, whole, damaged or one line.

    Text in UTF-16 is recognized too. At most the first 65,536 octets are looked at; the cost is linear.
    """
    text = octets[:LOOKED_AT].replace(b"\0", b"").decode("latin-1")
    if _TABLE.search(text) or _ARRAY.search(text) or _FIELD.search(text):
        return True
    first = next((line for line in text.splitlines() if line.strip()), "")
    cells = _CELLS.split(first.strip("\xef\xbb\xbf\xff\xfe").lower())
    is_header = len(cells) > 1 and len(first) < 1000 and first.lstrip()[:1] not in ("{", "[")
    return is_header and not _KEY_CELLS.isdisjoint(cells)


def is_ring_file(path: str) -> bool:
    """Tell whether a file looks like a key ring; false for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return is_key_ring(file.read(LOOKED_AT))
    except OSError:
        return False


def may_be_key(octets: bytes) -> bool:
    """Tell whether octets are as long as a key, and begin like no MIKEY message (version 1)."""
    return len(octets) in KEY_SIZES and octets[:1] != b"\x01"


def is_key_text(text: str) -> bool:
    """Tell whether a text has a word that may be a key in hex or base64, or is a piece of a key ring."""
    return is_key_ring(text.encode("utf-8", "surrogateescape")) or any(map(_is_key, _CELLS.split(text)))


def shows_key(text: str) -> bool:
    """Tell whether a line of our own repeats a key that somebody typed, in hex, base64 or as a field with its name."""
    typed = text.replace("\\x0a", "\n").replace("\\n", "\n")  # as `printable` and Click write it
    return _FIELD.search(typed) is not None or any(map(_is_key, _CELLS.split(typed)))


def _is_key(word: str) -> bool:
    packed = word.strip("[]()").removeprefix("hex:").removeprefix("base64:")
    if _HEX.fullmatch(packed) and len(packed) % 2 == 0 and len(packed) // 2 in KEY_SIZES:
        return True
    digits = packed.rstrip("=")
    return digits != packed and _BASE64.fullmatch(digits) is not None and len(digits) * 3 // 4 in KEY_SIZES
