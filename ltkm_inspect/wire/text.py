"""Text and octets from the wire, and errors that they caused, made safe to print."""

import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

LONGEST_TEXT = 1000
"""How many characters of such a value a record keeps."""
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


_NOT_ASCII = re.compile(r"[^ -~]")


def inert(text: str, keep: str = "") -> str:
    """Escape what could act on a terminal in text that is escaped already, or should be: a backslash stays one.

    It is for whole lines, the parts of which come from records that anybody may have written.
    """
    if text.isascii() and text.isprintable():
        return text
    return _NOT_ASCII.sub(lambda match: match[0] if match[0] in keep else _escaped(match[0]), text)


def printable_octets(octets: bytes) -> str:
    """Return wire octets as text: UTF-8 where they are, every other octet as an escape like `\\xff`."""
    parts = octets.decode("utf-8", "surrogateescape")
    if parts.isascii() and parts.isprintable() and "\\" not in parts:
        return parts
    return "".join(
        f"\\x{ord(character) - 0xDC00:02x}" if "\udc80" <= character <= "\udcff" else _escaped(character)
        for character in parts
    )


def range_text(start: int, end: int) -> str:
    """Return a half-open range as people read it, by the first and the last, counted from 0: `4–7`, or `4` for one."""
    return f"{start}–{end - 1}" if end - start > 1 else f"{start}"


def octets_text(start: int, end: int, of: str = "") -> str:
    """Return octets by the first and the last of them, counted from 0: `octets 4–7 of the body`."""
    octets = f"octets {range_text(start, end)}" if end - start > 1 else f"octet {start}"
    return f"{octets} of the {of}" if of else octets


def count(number: int, word: str) -> str:
    """Return a number with its word, in the plural unless there is exactly one: `2 items`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def time_text(seconds: float | None, precision: str = "milliseconds") -> str | None:
    """Return a time (seconds since 1970 UTC) as text; None if there is none, or if it is outside the calendar."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return at most `longest` characters of a text, saying how many there are where that is not all."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def abbreviate(text: str) -> str:
    """Return at most 40 characters of a text as it came: it is escaped where it is printed."""
    return text if len(text) <= 40 else text[:40] + "..."


_PROGRAM = Path(__file__).parents[1]


def crash_of(error: BaseException) -> str:
    """Return the type of an exception and where this program raised it: `TypeError at session.py:618`.

    The text of an error may hold what must not be shown, its type and place never do.
    """
    place, at = "an unknown place", error.__traceback__
    is_ours = False
    while at is not None:
        path = Path(at.tb_frame.f_code.co_filename)
        if path.is_relative_to(_PROGRAM) or not is_ours:  # the line of a library says less than the one that called it
            place = f"{path.name}:{at.tb_lineno}"
            is_ours = path.is_relative_to(_PROGRAM)
        at = at.tb_next
    return f"{type(error).__name__} at {place}"


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\\"]))|(\\)")


def unescaped(text: str) -> str:
    """Return the text that `printable` was given; so may an escaped quotation mark be; ValueError for other escapes."""
    return _ESCAPE.sub(_character, text)


def unescaped_octets(text: str) -> bytes:
    """Return octets that `printable_octets` shows so: `\\xNN` is one octet, every other character UTF-8."""
    octets = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        octets += text[at : match.start()].encode("utf-8", "surrogatepass")
        number = match[1]
        octets += bytes.fromhex(number) if number else _character(match).encode("utf-8", "surrogatepass")
        at = match.end()
    return bytes(octets + text[at:].encode("utf-8", "surrogatepass"))


def _character(match: re.Match[str]) -> str:
    short, usual, long, itself, lone = match.groups()
    if lone:
        raise ValueError("expected a doubled backslash or an escape like those shown, got another backslash")
    number = int(short or usual or long or "0", 16)
    if number > 0x10FFFF:
        raise ValueError(f"expected an escape up to \\U0010ffff, got {match[0]}")
    return str(itself) if itself else chr(number)
