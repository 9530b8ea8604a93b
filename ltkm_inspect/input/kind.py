"""The kind of an input by its first octets, and the command that reads it, for messages about the wrong kind."""

import os
import re
from contextlib import suppress
from typing import NamedTuple

from ltkm_inspect.packets import is_capture
from ltkm_inspect.wire.key_text import is_key_ring

START = 4096
"""How many octets tell what an input is."""


class InputKind(NamedTuple):
    """A kind of input, in words for the user."""

    name: str
    """With its article: `a flow file`."""
    advice: str = ""
    """What to do with it."""

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}" if self.advice else self.name


CHECK = "use ltkm-inspect check"
DECODE = "use ltkm-inspect decode"
UNPACK = "unpack it first"

EMPTY = InputKind("nothing", "the input is empty")
FLOWS = InputKind("a flow file", CHECK)
HAR = InputKind("a HAR", CHECK)
CAPTURE = InputKind("a packet capture", CHECK)
RECORDS = InputKind("the records of a run", "use ltkm-inspect report")
RING = InputKind("a key ring", "give it to --keys (its content is not shown)")
DOCUMENT = InputKind("an XML document", f"{DECODE} for the LTKMs in an MSK response")
HTML = InputKind("an HTML page", "save the traffic as a flow file or a HAR, or copy the LTKM out of it")
LTKMS = InputKind("LTKMs as JSON", DECODE)
JSON = InputKind("JSON that is neither a HAR nor a list of LTKMs")
MESSAGE = InputKind("a MIKEY message", DECODE)
DUMP = InputKind("text that looks like base64 or a hex dump", DECODE)
TEXT = InputKind("other text")
OCTETS = InputKind("unknown binary data")

_PDF = b"%PDF"
TAR = InputKind("a tar archive", UNPACK)
_TAR, _TAR_AT = b"ustar", 257
_OF_PICTURE = "text in a picture cannot be read; paste the text itself"
_SIGNATURES: tuple[tuple[bytes | tuple[bytes, ...], InputKind], ...] = (
    (b"PK\x03\x04", InputKind("a zip archive", UNPACK)),
    (b"PK\x05\x06", InputKind("an empty zip archive")),
    (b"7z\xbc\xaf\x27\x1c", InputKind("a 7-Zip archive", UNPACK)),
    (b"Rar!", InputKind("a RAR archive", UNPACK)),
    (b"\x1f\x8b", InputKind("gzip data", UNPACK)),
    (b"\x28\xb5\x2f\xfd", InputKind("zstd data", UNPACK)),
    (b"\xfd7zXZ\0", InputKind("xz data", UNPACK)),
    (b"BZh", InputKind("bzip2 data", UNPACK)),
    ((b"\x78\x01", b"\x78\x9c", b"\x78\xda"), InputKind("zlib data", UNPACK)),
    (_PDF, InputKind("a PDF file", "copy the LTKM out of it as text")),
    ((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), InputKind("a picture", _OF_PICTURE)),
    ((b"\x7fELF", b"MZ"), InputKind("a program")),
    (b"SQLite format 3\0", InputKind("a SQLite database")),
)

OTHER = frozenset({FLOWS, HAR, RECORDS, RING, HTML, TAR, *(kind for _, kind in _SIGNATURES)})
"""The kinds that are certainly no LTKMs, however damaged these may be."""

_FLOW = re.compile(rb"\d{1,12}:(?:\d{1,12}:[a-z_]|$)")
_HAR = re.compile(r"\{\s*\"log\"\s*:")
_RECORDS = re.compile(r"\{\s*\"schema\"\s*:\s*\"ltkm-inspect/(?:run|exchange|session|summary)/")
_LTKMS = re.compile(r"\[\s*(?:\]|\{.*\"octets\"|\{[^}]*$)|\{\s*\"schema\"\s*:\s*\"ltkm-inspect/message/", re.DOTALL)
_WORDS = re.compile(r"[\s\"'`{\[(]*(?:[A-Za-z0-9+/_=-]{16,}|(?:0x)?[0-9A-Fa-f]{2,8}[\s:,]+(?:0x)?[0-9A-Fa-f]{2})")


def kind_of_file(path: str) -> InputKind | None:
    """Return what a file looks like; None for a folder, a device, and what cannot be read."""
    if not os.path.isfile(path):  # to read a pipe could wait for ever
        return None
    with suppress(OSError), open(path, "rb") as file:
        return kind_of(file.read(START))
    return None


def kind_of(start: bytes) -> InputKind:
    """Return what an input looks like that begins with these octets; START of them are enough. Never raises."""
    if not start:
        return EMPTY
    if _FLOW.match(start):
        return FLOWS
    if is_key_ring(start):
        return RING
    text = _text(start[:START])
    if text is None or start.startswith(_PDF) or start[_TAR_AT:].startswith(_TAR):
        if is_capture(start):
            return CAPTURE
        if start[_TAR_AT:].startswith(_TAR):
            return TAR
        unknown = MESSAGE if start[:1] == b"\x01" else OCTETS
        return next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), unknown)
    return _kind_of_text(text.lstrip("\ufeff \t\r\n\v\f"))


def _kind_of_text(text: str) -> InputKind:
    if not text:
        return EMPTY
    if _HAR.match(text):
        return HAR
    if _RECORDS.match(text):
        return RECORDS
    if text.startswith("<"):
        return HTML if re.match(r"<(?:!doctype\s+html|html)\b", text, re.IGNORECASE) else DOCUMENT
    if _LTKMS.match(text):
        return LTKMS
    if text[0] in "{[" and text[1:].lstrip()[:1] in ("{", '"', "[", "}", "]"):
        return JSON
    return DUMP if _WORDS.match(text) or "mikey" in text.lower() else TEXT


def _text(octets: bytes) -> str | None:
    """Return octets as text, in UTF-8 or UTF-16; None where they are none. A character may be cut off at the end."""
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return octets.decode("utf-16", "replace")
    if b"\0" in octets[:64]:
        little = not any(octets[1:64:2])
        if little or not any(octets[:64:2]):
            return octets.decode("utf-16-le" if little else "utf-16-be", "replace")
    text = octets.decode("utf-8", "replace")
    strange = sum(character < " " and character not in "\t\r\n\v\f\x1b" for character in text[:START])
    return None if strange or text[:START].count("\ufffd") > len(text[:START]) // 8 else text
