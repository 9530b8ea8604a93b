"""LTKMs as people write them: base64, hex or binary, in an argument, a file or a stream."""

import os
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal

from ltkm_inspect.intake.given import Given
from ltkm_inspect.intake.kinds import is_array, is_capture, is_document
from ltkm_inspect.wire import printable_octets
from ltkm_inspect.wire.key_text import IS_KEY, IS_KEY_RING, is_key_ring, may_be_key

type Form = Literal["auto", "base64", "hex", "binary", "pcap", "xml", "json"]

FORMS: tuple[Form, ...] = ("auto", "base64", "hex", "binary", "pcap", "xml", "json")
"""How a message may be written; `auto` finds out which of the others it is."""

_BLANK_LINES = 100
"""How many blank lines there may be in front of what a stream begins with."""
_VERSION = b"\x01"
_BEGINS_MESSAGE = b"AQ"
"""How a MIKEY message begins in base64."""
_SPACE = b" \t\r\n\v\f"
_TEXT = bytes(range(0x20, 0x7F)) + _SPACE
_BOM = b"\xef\xbb\xbf"
_OTHER_ALPHABET = bytes.maketrans(b"-_", b"+/")
_LONGEST_SHOWN = 40
_LONGEST_NAME = 150
_LIKE_KEY = re.compile(rb"[A-Za-z0-9+/_-]{16,}=*")
"""More characters than this are a message that was damaged on its way, not the name of a file."""


def from_argument(text: str, source: str, form: Form = "auto") -> Iterator[Given]:
    """Yield the messages that an argument of the command line stands for: those of a file of that name, else its own.

    What is no message and has a dot or a slash in it was meant as the name of a file. Raises OSError where that cannot
    be read.
    """
    given = from_text(os.fsencode(text), source, form)
    meant = given.octets is None or not given.octets.startswith(_VERSION)
    is_name = len(text) <= _LONGEST_NAME and "<" not in text and ("." in text or os.sep in text)
    is_key = given.problem in (IS_KEY, IS_KEY_RING)
    if os.path.exists(text) or (form == "auto" and meant and is_name and not is_key):
        yield from from_file(Path(text).read_bytes(), text, form)
    else:
        yield given


def from_text(text: bytes, source: str, form: Form = "auto") -> Given:
    """Return the message that one argument or line holds.

    White space, `0x` and colons in hex, missing padding and the URL-safe alphabet of base64 are taken as they come.
    Text that can be hex and base64 is what begins like a MIKEY message, else hex.
    """
    if form == "binary":
        return _message(text, source)
    if is_key_ring(text):
        return Given(source, None, IS_KEY_RING)
    compact = text.removeprefix(_BOM).translate(None, _SPACE)
    if compact.startswith(_BEGINS_MESSAGE) and form != "hex":  # which is no hex
        octets = _from_base64(compact)
        if octets is not None:
            return _message(octets, source)
    found = [octets for octets in _readings(compact, form) if octets is not None]
    if not found:
        wanted = "base64 or hex" if form == "auto" else form
        return Given(source, None, f"expected {wanted}, got {_shown(text.strip(_SPACE))}")
    return _message(next((octets for octets in found if octets.startswith(_VERSION)), found[0]), source)


def _message(octets: bytes, source: str) -> Given:
    return Given(source, None, IS_KEY) if may_be_key(octets) else Given(source, octets)


def from_file(octets: bytes, source: str, form: Form = "auto") -> Iterator[Given]:
    """Yield the messages of a file: one if it is binary; else one a line, or a single one wrapped over the lines.

    Of a capture or a document these are all that are in it.
    """
    if is_key_ring(octets):
        yield Given(source, None, IS_KEY_RING)
        return
    reader = _reader(octets, form)
    if reader is not None:
        yield from reader(octets, source)
        return
    lines = [(number, line) for number, line in enumerate(octets.splitlines(), 1) if line.strip(_SPACE)]
    given = [from_text(line, f"{source}, line {number}", form) for number, line in lines if form != "binary"]
    if form == "binary" or (form == "auto" and not _is_text(octets) and not any(each.problem == "" for each in given)):
        if octets:
            yield _message(octets, source)
    elif _is_wrapped(given, [len(line.strip(_SPACE)) for _, line in lines]):
        yield from_text(octets, source, form)
    else:
        yield from given


def from_stream(stream: BinaryIO, source: str, form: Form = "auto") -> Iterator[Given]:
    """Yield the messages of a stream as they come: one a line, or all at its end if it begins like something else."""
    start = line = stream.readline()
    lines = [line]
    while line and not line.strip(_SPACE) and not is_capture(start) and len(lines) < _BLANK_LINES:
        line = stream.readline()
        lines.append(line)
        start += line
    reader = _reader(start, form)
    is_binary = form == "binary" or (form == "auto" and not _is_text(start.removeprefix(_BOM)[:1]))
    if reader is not None or is_binary:
        yield from from_file(start + stream.read(), source, form)
        return
    for number, line in enumerate(chain(lines, stream), 1):
        if is_key_ring(line):  # what follows may be keys without their names
            yield Given(source, None, IS_KEY_RING)
            return
        if line.strip(_SPACE):
            yield from_text(line, f"{source}, line {number}", form)


def _reader(start: bytes, form: Form) -> Callable[[bytes, str], Iterator[Given]] | None:
    """Return what reads a file with messages in it, by its beginning or its form; None for messages by themselves."""
    if form == "pcap" or (form == "auto" and is_capture(start)):
        from ltkm_inspect.intake.captured import from_capture

        return from_capture
    if form == "xml" or (form == "auto" and is_document(start)):
        from ltkm_inspect.intake.document import from_document

        return from_document
    if form == "json" or (form == "auto" and is_array(start)):
        from ltkm_inspect.intake.objects import from_array

        return from_array
    return None


def _is_text(octets: bytes) -> bool:
    return not octets.removeprefix(_BOM).translate(None, _TEXT)


def _is_wrapped(given: list[Given], widths: list[int]) -> bool:
    """Tell whether lines are one message: all as wide as the first, but the last, and none but the first begins one."""
    if len(given) < 2 or len(set(widths[:-1])) > 1 or widths[-1] > widths[0]:
        return False
    first, *later = ((each.octets or b"").startswith(_VERSION) for each in given)
    return first and not any(later)


def _readings(compact: bytes, form: Form) -> Iterator[bytes | None]:
    if form in ("auto", "hex"):
        yield _from_hex(compact)
    if form in ("auto", "base64"):
        yield _from_base64(compact)


def _from_hex(text: bytes) -> bytes | None:
    digits = text[2:] if text[:2].lower() == b"0x" else text
    try:
        return bytes.fromhex(digits.replace(b":", b"").decode("ascii"))
    except ValueError:
        return None


def _from_base64(text: bytes) -> bytes | None:
    characters = text.rstrip(b"=").translate(_OTHER_ALPHABET)
    try:
        return a2b_base64(characters + b"=" * (-len(characters) % 4), strict_mode=True)
    except ValueError:
        return None


def _shown(text: bytes) -> str:
    """Return the beginning of a text, safe to print; what may be a key (a key ring, named by mistake) is counted."""
    shown = _LIKE_KEY.sub(lambda found: b"(%d characters)" % len(found[0]), text)
    if len(shown) <= _LONGEST_SHOWN:
        return printable_octets(shown) or "nothing"
    return f"{printable_octets(shown[:_LONGEST_SHOWN])}… ({len(text)} characters)"
