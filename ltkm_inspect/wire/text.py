"""Text and octets from the wire, made safe to print."""

import unicodedata

UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are escaped: controls, formats (bidirectional too), surrogates, unassigned, line ends."""


def printable(text: str) -> str:
    """Escape what could act on a terminal or mislead a reader: control, format, surrogate and unassigned characters.

    A backslash is doubled, so that the escape `\\x1b` cannot be mistaken for one that stood in the text.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == " " or (character.isprintable() and unicodedata.category(character) not in UNPRINTABLE):
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def printable_octets(octets: bytes) -> str:
    """Return wire octets as text: UTF-8 where they are, every other octet as an escape like `\\xff`."""
    parts = octets.decode("utf-8", "surrogateescape")
    return "".join(
        f"\\x{ord(character) - 0xDC00:02x}" if "\udc80" <= character <= "\udcff" else _escaped(character)
        for character in parts
    )
