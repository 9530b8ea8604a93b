"""The character encoding of a document, and where byte order mark, declaration and charset disagree about it."""

import codecs
import re
from dataclasses import dataclass
from encodings.aliases import aliases

from ltkm_inspect.wire import abbreviate

_NOT_TEXT = {
    "base64_codec",
    "bz2_codec",
    "hex_codec",
    "quopri_codec",
    "rot_13",
    "uu_codec",
    "zlib_codec",
    "mbcs",
    "tactis",
}
_STATEFUL = {"utf_7", "hz"}
_EXTRA = {
    "koi8_u": "koi8_u",
    "cp874": "cp874",
    "windows_874": "cp874",
    "gb2312_80": "gb2312",
    "x_gbk": "gbk",
    "x_sjis": "shift_jis",
    "windows_949": "cp949",
    "iso_10646_ucs_2": "utf_16",
    "ucs_2": "utf_16",
    "iso_10646_ucs_4": "utf_32",
    "ucs_4": "utf_32",
    "utf_8_sig": "utf_8",
}


# Only names in this table are looked up: asking Python for any name of a hostile document would import and cache
# without bound. Whether this Python has the codec is asked when a document wants it: to ask for all takes long.
_CODECS = {name: codec for name, codec in aliases.items() if codec not in _NOT_TEXT}
_CODECS |= {codec: codec for codec in _CODECS.values()} | _EXTRA
_SEPARATORS = str.maketrans("-. ", "___")
_DECLARATION = re.compile(
    r"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*["'][^"'<>]{0,64}["']"""
    r"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*["']([^"'<>]{0,64})["'])?"""
)
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF8, "utf_8"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
# White space may stand before the first "<" of a document that has no declaration.
_WIDE = (
    (re.compile(rb"(?:[\t\n\r ]\0\0\0)*<\0\0\0"), "utf_32_le"),
    (re.compile(rb"(?:\0\0\0[\t\n\r ])*\0\0\0<"), "utf_32_be"),
    (re.compile(rb"(?:[\t\n\r ]\0)*<\0"), "utf_16_le"),
    (re.compile(rb"(?:\0[\t\n\r ])*\0<"), "utf_16_be"),
)
_LOOK = 1024


@dataclass(frozen=True, slots=True)
class Encoding:
    """What is known about the encoding of a document.

    `codec` is the name of the Python codec without byte order mark; `source` says what decided it: "bom", "octets" (the
    first octets can be nothing else), "declaration", "charset" or "default". `declared` and `charset` are the names as
    they were written.
    """

    codec: str
    source: str
    bom: int
    declared: str | None
    charset: str | None
    problem: str | None

    @property
    def stateful(self) -> bool:
        """Whether octets mean different characters in different places (utf-7, hz, iso-2022-*).

        Then no part can be replaced alone.
        """
        return self.codec in _STATEFUL or self.codec.startswith("iso2022")

    @property
    def name(self) -> str:
        """The name of the encoding as people write it."""
        return _name(self.codec)


_UTF8 = Encoding("utf_8", "default", 0, None, None, None)
_UTF8_DECLARED = Encoding("utf_8", "declaration", 0, "UTF-8", None, None)
_USUAL_START = b'<?xml version="1.0" encoding="UTF-8"?>'


def codec_of(name: str) -> str | None:
    """The Python codec of an encoding's name (any case, IANA or common), or None if there is none."""
    codec = _CODECS.get(name.strip().lower().translate(_SEPARATORS)) if len(name) <= 64 else None
    if codec is None:
        return None
    try:
        codecs.lookup(codec)
    except LookupError:
        return None
    return codec


def detect(octets: bytes, charset: str | None = None) -> Encoding:
    """The encoding of a document: byte order mark, else declaration, else charset, else UTF-8 (XML 1.0 §4.3.3, F).

    Whatever disagrees is in `problem`; the charset is the parameter of the media type.
    """
    if charset is None or charset in ("utf-8", "UTF-8"):
        if octets.startswith(_USUAL_START):
            return _UTF8_DECLARED if charset is None else Encoding("utf_8", "declaration", 0, "UTF-8", charset, None)
        if octets.startswith(b"<") and not octets.startswith((b"<?xml", b"<\0")):
            return _UTF8 if charset is None else Encoding("utf_8", "charset", 0, None, charset, None)
    codec, bom = next(((codec, len(mark)) for mark, codec in _BOMS if octets.startswith(mark)), (None, 0))
    source = "bom" if codec else ""
    if codec is None:
        wide = _WIDE if b"\0" in octets[:4] else ()
        codec = next((codec for pattern, codec in wide if pattern.match(octets, 0, _LOOK)), None)
        source = "octets" if codec else ""
    declared = _declared(octets[bom : bom + _LOOK], codec)
    problems = []
    stated = codec_of(declared) if declared is not None else None
    parameter = codec_of(charset) if charset is not None else None
    if declared is not None and stated is None:
        problems.append(f"expected a known encoding, got '{declared}' in the declaration")
    if charset is not None and parameter is None:
        problems.append(f"expected a known encoding, got '{abbreviate(charset)}' as charset")
    if codec is not None:
        if stated is not None and not _same(codec, stated):
            problems.append(f"expected the declaration to name {_name(codec)}, got '{declared}'")
        if source == "octets" and codec.startswith("utf_16") and codec not in (stated, parameter):
            problems.append(f"expected a byte order mark before {_name(codec)}, got none")
    elif stated is not None and not _wide(stated):
        codec, source = stated, "declaration"
    else:
        if stated is not None:
            problems.append(f"expected '{declared}' as declared, got octets in another encoding")
        if parameter is not None and not _wide(parameter):
            codec, source = parameter, "charset"
        else:
            codec, source = "utf_8", "default"
    if parameter is not None and not _same(codec, parameter):
        problems.append(f"expected a charset of {_name(codec)}, got '{abbreviate(charset or '')}'")
    return Encoding(codec, source, bom, declared, charset, "; ".join(problems) or None)


def _declared(head: bytes, codec: str | None) -> str | None:
    if head.startswith(b"\x4c\x6f\xa7\x94"):
        # EBCDIC: code page 37 is enough to read the declaration, which names the page that is meant.
        codec = "cp037"
    match = _DECLARATION.match(head.decode(codec or "latin_1", "replace"))
    return match.group(1) if match else None


def _wide(codec: str) -> bool:
    return codec.startswith(("utf_16", "utf_32"))


def _same(codec: str, stated: str) -> bool:
    return codec == stated or (_wide(codec) and stated == codec[:6])


def _name(codec: str) -> str:
    if codec == "latin_1":
        return "ISO-8859-1"
    if codec.startswith("iso8859"):
        return codec.upper().replace("ISO8859_", "ISO-8859-")
    name = codec.upper().replace("_", "-")
    return name.replace("-LE", "LE").replace("-BE", "BE") if codec.startswith("utf_") else name
