"""Text of any kind as people paste it: which lines, dumps, arrays or passages in it are messages."""

import quopri
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ltkm_inspect.input import dump, notation, passages
from ltkm_inspect.input.captured import message_in_packet
from ltkm_inspect.input.kind import DUMP, EMPTY, FLOWS, HAR, OTHER, RECORDS, TEXT, kind_of
from ltkm_inspect.input.message import Form, InputMessage
from ltkm_inspect.wire import count, printable
from ltkm_inspect.wire.key_text import IS_KEY, IS_KEY_RING, may_be_key

_KEY_OCTETS = range(16, 129)
_DATA_TYPES = 27
"""Data types of MIKEY messages are below (RFC 6509)."""
VERSION = b"\x01"
WANTED = "a MIKEY message in base64, hex or binary"
_LONGEST_SHOWN = 40
_LIKE_KEY = re.compile(r"[A-Za-z0-9+/_=]{16,}")
_MAY_HOLD_MESSAGE = re.compile(r"[A-Za-z0-9+/_]{14}|\\|%[0-9A-Fa-f]{2}|\d,|0x|[0-9A-Fa-f]{2}\s+[0-9A-Fa-f]{2}")
"""The header of a message takes ten octets: a line without any of these is other text."""
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_]{24}")
"""What may be a message that was damaged, or a part of one."""
_PUNCTUATION = re.compile(r"[\s:,;.\"'\\-]")


def in_text(octets: bytes, source: str, form: Form) -> Iterator[InputMessage]:
    """Yield the messages in octets of which nobody knows how they are written."""
    text = notation.text_of(octets)
    if text is None:
        if form == "auto" and octets.startswith(VERSION):
            yield as_message(source, octets, form)
        else:
            yield no_message(source, octets, None, form)
        return
    if form == "auto" and kind_of(octets) in (FLOWS, HAR, RECORDS):
        yield no_message(source, octets, text, form)
        return
    if form == "auto" and any(found := passages.elements(text)):
        for number, message_octets in enumerate(found, 1):
            where = f"{source}, LTKM element {number}" if len(found) > 1 else source
            yield InputMessage(where, message_octets, "" if message_octets else "expected base64, got other text")
        return
    if form == "auto" and (messages := _structured(text)):
        known = set(messages)  # beside a dump or an array there may be others
        messages += [each.octets for each in passages.blocks(text) if each.octets and each.octets not in known]
        yield from _numbered(messages, source, form)
        return
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    given = [(number, line, of_line(line, form)) for number, line in lines if not line.lstrip().startswith("#")]
    if form == "auto":
        given = _without_words(given)
    whole = notation.from_words(text, notation_of(form)) if _is_wrapped(given) else None
    if whole is not None and (form != "auto" or whole.startswith(VERSION)):
        yield as_message(source, whole, form)
    elif form != "auto" or _is_one_per_line(given):
        yield from _by_line(given, source, form)
    elif beside := _in_passages(text, source):
        yield from beside
    elif lines:
        yield no_message(source, octets, text, form)


def _without_words(given: list[tuple[int, str, bytes | None]]) -> list[tuple[int, str, bytes | None]]:
    """Return the lines without those that hold only words, where one line holds a message and the rest is beside it.

    Of several messages, one in each line, every line counts. What is read as octets by chance is none then.
    """
    whole = [octets is not None and notation.is_message(octets) for _, _, octets in given]
    if not any(whole):
        return given
    given = [
        (number, line, octets if is_whole or _begins_message(octets or b"") else None)
        for (number, line, octets), is_whole in zip(given, whole, strict=True)
    ]
    if whole.count(True) > 1:
        return given
    return [each for each in given if each[2] is not None or _LONG_WORD.search(each[1])]


def _numbered(messages: Sequence[bytes], source: str, form: Form) -> Iterator[InputMessage]:
    for number, octets in enumerate(messages, 1):
        yield as_message(f"{source}, message {number}" if len(messages) > 1 else source, octets, form)


def _in_passages(text: str, source: str) -> list[InputMessage]:
    """Return the messages of a dump or of blocks of lines with something around them; none where no one is whole."""
    bare = passages.dump_without_prefixes(text)
    if bare is not None and (messages := _structured(bare)):
        return [*_numbered(messages, source, "auto")]
    found = [*passages.blocks(text)]
    if not any(passage.octets for passage in found):
        return []
    damaged = f"expected {WANTED}, got text that begins like one but is damaged"
    return [
        InputMessage(f"{source}, line {line}", octets, "" if octets is not None else damaged) for line, octets in found
    ]


def _structured(text: str) -> list[bytes]:
    """Return the messages of text that is more than words: a dump, source code, SDP, or one message over several lines.

    A reading in which every message is whole is taken at once, else the first one that begins like messages do.
    """
    plausible = notation.from_key_management(text)
    if plausible:
        return plausible
    for messages in _readings(text):
        messages = [*filter(_begins_message, (message_in_packet(octets) or octets for octets in messages))]
        if messages and all(map(notation.is_message, messages)):
            return messages
        plausible = plausible or messages
    return plausible


def _readings(text: str) -> Iterator[list[bytes]]:
    yield from dump.readings(text)
    if arrays := notation.from_arrays(text):
        yield arrays
    for octets in (*notation.from_escapes(text), *notation.from_percent(text)):
        yield [octets]
    if text.lstrip()[:1] in ("{", "["):  # JSON of any shape
        yield notation.within(re.sub(r"\\[nrt]", "", text))
    if "=3D" in text:  # quoted-printable (RFC 2045 §6.7)
        yield notation.within(quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace"))
    whole = notation.from_words(text)
    if whole is not None and (notation.is_message(whole) or message_in_packet(whole)):
        yield [whole]


def of_line(line: str, form: Form) -> bytes | None:
    """Return the octets that one line holds: all of it, or a whole message among other words."""
    octets = notation.from_words(line, notation_of(form))
    if form != "auto" or (octets is not None and octets.startswith(VERSION)):
        return octets
    if not _MAY_HOLD_MESSAGE.search(line):
        return octets
    return next(iter(_structured(line) or notation.within(line)), octets)


def notation_of(form: Form) -> notation.Notation:
    return form if form == "base64" or form == "hex" else "auto"


def _by_line(given: Iterable[tuple[int, str, bytes | None]], source: str, form: Form) -> Iterator[InputMessage]:
    """Yield the messages of lines; lines in a row that hold none are one problem."""
    for is_bad, group in groupby(given, lambda each: each[2] is None):
        lines = [*group]
        if is_bad:
            (first, line, _), last = lines[0], lines[-1][0]
            where = f"line {first}" if first == last else f"lines {first} to {last}"
            yield InputMessage(f"{source}, {where}", None, _unreadable(line.encode("utf-8", "replace"), line, form))
        for number, _, octets in lines:
            if octets is not None:
                yield as_message(f"{source}, line {number}", octets, form)


def as_message(source: str, octets: bytes, form: Form) -> InputMessage:
    """Return octets as a message; none where they may as well be a key, be it with something around it."""
    is_doubtful = form == "auto" and len(octets) in _KEY_OCTETS and not octets.startswith(VERSION)
    return InputMessage(source, None, IS_KEY) if is_doubtful or may_be_key(octets) else InputMessage(source, octets)


def _begins_message(octets: bytes) -> bool:
    return len(octets) > 1 and octets.startswith(VERSION) and octets[1] < _DATA_TYPES


def _is_one_per_line(given: list[tuple[int, str, bytes | None]]) -> bool:
    """Tell whether lines are messages: one is whole, or most of them begin like one; a lone line may be anything."""
    found = [octets for _, _, octets in given if octets is not None]
    if any(map(notation.is_message, found)) or len(given) == 1:
        return bool(found)
    return 2 * sum(map(_begins_message, found)) > len(given)


def _is_wrapped(given: list[tuple[int, str, bytes | None]]) -> bool:
    """Tell whether lines are one message: all as wide as the first, but the last, and none but the first begins one."""
    if len(given) < 2:
        return False
    widths = [len(line.strip()) for _, line, _ in given]
    if len(set(widths[:-1])) > 1 or widths[-1] > widths[0]:
        return False
    first, *later = ((octets or b"").startswith(VERSION) for _, _, octets in given)
    return first and not any(later)


def no_message(source: str, octets: bytes, text: str | None, form: Form) -> InputMessage:
    """Return an input that holds no message, with the reason."""
    return InputMessage(source, None, _unreadable(octets, text, form), is_other=kind_of(octets) in OTHER)


def key_ring(source: str) -> InputMessage:
    """Return an input that is a key ring, without anything of it."""
    return InputMessage(source, None, IS_KEY_RING, is_other=True)


def _unreadable(octets: bytes, text: str | None, form: Form) -> str:
    """Return why octets are no message; nothing is quoted that may be a key."""
    wanted = WANTED if form == "auto" else form
    kind = kind_of(octets)
    short = (text or "").strip()
    if text is not None and short and "\n" not in short and kind in (TEXT, DUMP, EMPTY):
        if len(short) <= _LONGEST_SHOWN and not _LIKE_KEY.search(_PUNCTUATION.sub("", short)):
            return f"expected {wanted}, got {printable(short)}"
        return f"expected {wanted}, got text of {count(len(short), 'character')}"
    if text is not None and re.search(r"^\*[ \t]*$", text, re.MULTILINE):
        return f"expected {wanted}, got a dump that omits repeated rows (*): print it with -v"
    if kind is DUMP:
        return f"expected {wanted}, got text that looks like base64 or a hex dump, but is damaged or in an unknown form"
    advice = "" if kind.advice else "; copy the LTKM out of it"
    return f"expected {wanted}, got {kind}{advice}"
