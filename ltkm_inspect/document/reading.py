"""XML read without trust: decoded, refused where it has a DOCTYPE, parsed by a hardened parser, errors explained."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, cast

from lxml import etree

from .encoding import Encoding, detect
from .slips import mend
from .xml import Xml, XmlError

MAX_DEPTH = 256
"""How deep elements may nest; the parser's own bound."""

MAX_VALUE = 1024
"""Octets of an attribute that are taken beside any number of elements."""
_VALUE = re.compile(rb"""=[ \t\r\n]*+["'][^"'<]{%d,}+""" % MAX_VALUE)
_MOST_NAMES = 1 << 26
_HUGE = 9_000_000
_SHOWN = 200
_DOCTYPE = "<!DOCTYPE"
_PROLOG = re.compile(r"[^<]*+(?:<!--(?:.*?-->|.*)[^<]*+|<\?(?:.*?\?>|.*)[^<]*+)*+<!DOCTYPE", re.DOTALL)
# Surrogates are the encoder's business: they become question marks where the text is handed to the parser.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([\da-fA-F]++)|(\d++));?+", re.ASCII)


def read(octets: bytes, charset: str | None = None) -> Xml:
    """Read an XML document from the octets of a body; never raises, and is linear in the body.

    `charset` is the parameter of the media type. No DTD is read, no entity is expanded and nothing is fetched: a
    document with a DOCTYPE is refused before it is parsed. Nesting is bounded by MAX_DEPTH.
    """
    encoding = detect(octets, charset)
    if not octets:
        error = XmlError("empty", "expected a document, got no octets", 1, 1, 0, 0)
        return Xml(octets, encoding, None, None, error)
    bare = octets[encoding.bom :] if encoding.bom else octets
    try:
        text = bare.decode(encoding.codec)
    except ValueError as failure:
        return _undecodable(octets, encoding, bare, failure)
    xml = Xml(octets, encoding, text, None, None)
    doctype = _doctype(text)
    if doctype is not None:
        return _failed(xml, text, "doctype", "expected no document type declaration, got one", doctype)
    source = bare if encoding.codec == "utf_8" else text.encode("utf-8", "replace")
    long = _long_value(source)
    if long:
        got = f"got {long.end() - long.start()}"
        reason = f"expected values of at most {MAX_VALUE} octets beside so many elements, {got}"
        return _failed(xml, text, "too-long", reason, _at(source, long))
    try:
        xml.root = etree.fromstring(source, _HUGE_PARSER if len(source) > _HUGE else _PARSER)
    except etree.XMLSyntaxError as failure:
        kind, reason, at = _syntax_error(text, _entries(source, failure))
        _failed(xml, text, kind, reason, at).root = _recover(source, text, kind)
    return xml


def _long_value(source: bytes) -> re.Match[bytes] | None:
    """Return an attribute that would take too much memory if it is a namespace: each element has it in its name."""
    values = _VALUE.finditer(source)
    longest = max(values, key=lambda value: value.end() - value.start(), default=None)
    if longest is None or (longest.end() - longest.start()) * source.count(b"<") <= _MOST_NAMES:
        return None
    return longest


def _at(source: bytes, match: re.Match[bytes]) -> int:
    """Return where in the text a match begins."""
    return len(source[: match.start()].decode("utf-8", "replace"))


def _parser(recover: bool = False, huge: bool = False) -> etree.XMLParser:
    # The text is passed on as UTF-8; `encoding` overrides what the document declares.
    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        huge_tree=huge,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        collect_ids=False,
    )


_PARSER = _parser()
# The usual parser refuses text of more than 10,000,000 octets; the documents that need the other one are known by their
# size.
_HUGE_PARSER = _parser(huge=True)


def _recover(source: bytes, text: str, kind: str) -> etree._Element | None:
    """What a lenient parse can still make of a document.

    Control characters would end it, an unquoted attribute would take the whole element with it, and a reference to half
    a surrogate pair would become text that nothing can decode: the copy that is parsed here has replacement characters
    and quotation marks instead.
    """
    if kind not in ("namespace", "too-deep"):
        source = mend(_REFERENCE.sub(_allowed, _without_forbidden(text))).encode("utf-8", "replace")
    try:
        return etree.fromstring(source, _parser(recover=True, huge=len(source) > _HUGE))
    except etree.XMLSyntaxError:
        return None


def _allowed(reference: re.Match[str]) -> str:
    """Return a character reference as it is, or a replacement character where XML allows no such character."""
    digits = (reference[1] or reference[2]).lstrip("0")
    number = int(digits or "0", 16 if reference[1] else 10) if len(digits) <= _LONGEST_REFERENCE else _NO_CHARACTER
    return reference[0] if number < _NO_CHARACTER and _is_allowed(number) else "\ufffd"


_LONGEST_REFERENCE = 7
_NO_CHARACTER = 0x110000


def _is_allowed(number: int) -> bool:
    return not (0xD800 <= number <= 0xDFFF or _FORBIDDEN.fullmatch(chr(number)))


def _without_forbidden(text: str) -> str:
    # One pass for each of the 31 characters at most: a pass of single substitutions would take minutes on a large body
    # of them.
    found = _FORBIDDEN.search(text)
    while found:
        text = text.replace(found[0], "\ufffd")
        found = _FORBIDDEN.search(text, found.start())
    return text


def _undecodable(octets: bytes, encoding: Encoding, bare: bytes, failure: ValueError) -> Xml:
    at = failure.start if isinstance(failure, UnicodeDecodeError) else 0
    try:
        text = bare.decode(encoding.codec, "replace")
        before = bare[:at].decode(encoding.codec, "replace")
    except ValueError:
        text, before = bare.decode("latin-1"), ""
    got = f"0x{bare[at]:02x}" if at < len(bare) else "the end of the document"
    reason = f"expected {encoding.name}, got {got} at octet {encoding.bom + at}"
    line, column = _line_column(before, len(before))
    error = XmlError("encoding", reason, line, column, encoding.bom + at, min(len(before), len(text)))
    root = _recover(b"", text, error.kind) if _doctype(text) is None else None
    return Xml(octets, encoding, text, root, error, decodable=False)


def _doctype(text: str) -> int | None:
    """Return where a document type declaration precedes the first element; one inside a comment is ignored."""
    match = _PROLOG.match(text) if _DOCTYPE in text else None
    return None if match is None else match.end() - len(_DOCTYPE)


def _failed(xml: Xml, text: str, kind: str, reason: str, at: int) -> Xml:
    """Return a document with its error at that character."""
    xml.error = XmlError(kind, reason, *_line_column(text, at), xml.octet_offset(at), at)
    return xml


def _line_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


class _Entry(NamedTuple):
    """One complaint of the parser."""

    warning: bool
    message: str
    line: int
    column: int


def _entries(source: bytes, failure: etree.XMLSyntaxError) -> list[_Entry]:
    """What the parser has to say about a document, never empty.

    The log of the exception is that of the whole thread, and that of a parser in use elsewhere may change: the document
    is parsed once more by a parser of its own.
    """
    parser = _parser(huge=len(source) > _HUGE)
    with suppress(etree.XMLSyntaxError):
        etree.fromstring(source, parser)
    log = cast("Iterable[etree._LogEntry]", parser.error_log)
    entries = [_Entry(entry.type_name.startswith("WAR_"), entry.message, entry.line, entry.column) for entry in log]
    line, column = failure.position
    return entries or [_Entry(False, failure.msg or "", line, column)]


def _syntax_error(text: str, entries: list[_Entry]) -> tuple[str, str, int]:
    """Return the kind of an error, its reason, and its place in the text."""
    entry = next((entry for entry in entries if not entry.warning), entries[0])
    at = _text_offset(text, entry.line, entry.column)
    if entry.warning:
        return "namespace", f"expected a namespace name that is a URI, got {_plain(entry.message)}", at
    if "Excessive depth" in entry.message:
        return "too-deep", f"expected at most {MAX_DEPTH} nested elements, got more", at
    forbidden = _FORBIDDEN.search(text, 0, at + 2)
    if forbidden:
        return "syntax", f"expected a character that XML allows, got U+{ord(forbidden[0]):04X}", forbidden.start()
    return "syntax", f"expected well-formed XML, got {_plain(entry.message)}", at


def _plain(message: str) -> str:
    """The parser's words as part of a sentence: one line, no full stop, bounded, nothing that a terminal would obey."""
    line = " ".join(message.split()).rstrip(".")
    line = line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
    return line.encode("ascii", "backslashreplace").decode("ascii")


def _text_offset(text: str, line: int, column: int) -> int:
    """The character that the line and column of the parser mean; it counts characters, and line feeds."""
    start = 0
    for _ in range(line - 1):
        found = text.find("\n", start)
        if found < 0:
            break
        start = found + 1
    return min(start + max(column - 1, 0), len(text))
