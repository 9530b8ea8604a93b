"""MSK requests and responses written as octets, in the many ways in which the field writes them."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from ltkm_inspect.document import MSK_REQUEST_NS, MSK_RESPONSE_NS, ORDERQUERIES_NS, codec_of, quoted


@dataclass(frozen=True, slots=True)
class MskOctets:
    """A Key Domain ID and an MSK ID as octets."""

    key_domain_id: bytes
    msk_id: bytes


@dataclass(frozen=True, slots=True)
class NewLtkm:
    """An LTKM element to be written: the octets of its message and, if it is to have one, its version attribute."""

    octets: bytes
    version: str | None = None

    @property
    def text(self) -> str:
        """The base64 that the element encloses."""
        return _base64(self.octets)


@dataclass(frozen=True, slots=True)
class NewItem:
    """A Response element to be written."""

    pair: MskOctets
    code: str = "200 OK"
    ltkms: tuple[NewLtkm, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """How a document is written.

    `prefix` is that of the LTKM element ("" declares the namespace on the element itself); `namespace` its namespace;
    `indent` is put before each level on a line of its own (None: each Response on one line); `newline` ends the lines;
    `encoding` is the name to encode with and to declare; `bom` puts a byte order mark first; `wrap` breaks the base64
    of LTKMs into lines of so many characters.
    """

    prefix: str = "bcast"
    namespace: str = ORDERQUERIES_NS
    encoding: str = "UTF-8"
    declaration: bool = True
    bom: bool = False
    indent: str | None = None
    newline: str = "\n"
    final_newline: bool = True
    wrap: int = 0


PLAIN = Style()
"""One line an item, UTF-8, declared: the style of the reference documents."""


def render_request(pairs: Iterable[MskOctets], style: Style | None = None) -> bytes:
    """An MSK request (TS 26.346 §11.6); without a style one line without declaration."""
    if style is None:
        style = Style(declaration=False, newline="")
    lines = [f'<mbmsMSKRequest xmlns="{MSK_REQUEST_NS}">']
    for pair in pairs:
        lines.extend(_lines(style, _msk(pair), 1))
    lines.append("</mbmsMSKRequest>")
    return _document(lines, style)


def render_response(items: Iterable[NewItem], style: Style = PLAIN) -> bytes:
    """An MSK response (TS 26.346 §11.8) with the LTKMs of its items in the wildcard of their Response.

    Raises ValueError for an encoding that is not known or cannot encode the text.
    """
    written = tuple(items)
    declared = ""
    if style.prefix and any(item.ltkms for item in written):
        declared = f" xmlns:{style.prefix}={quoted(style.namespace)}"
    lines = [f'<mbmsMSKResponse xmlns="{MSK_RESPONSE_NS}"{declared}>']
    for item in written:
        parts: list[_Node] = [_msk(item.pair), ("ResponseCode", escape(item.code, quote=False))]
        parts.extend(_ltkm(ltkm, style) for ltkm in item.ltkms)
        lines.extend(_lines(style, ("Response", parts), 1))
    lines.append("</mbmsMSKResponse>")
    return _document(lines, style)


def render_ltkm(ltkm: NewLtkm, style: Style = PLAIN) -> str:
    """One LTKM element as text, to be spliced into a document whose prefixes fit the style."""
    return _flat(_ltkm(ltkm, style))


_Node = tuple[str, "str | list[_Node]"]


def _msk(pair: MskOctets) -> _Node:
    return "MSK", [("keyDomainID", _base64(pair.key_domain_id)), ("MSKID", _base64(pair.msk_id))]


def _ltkm(ltkm: NewLtkm, style: Style) -> _Node:
    name = f"{style.prefix}:LTKM" if style.prefix else f"LTKM xmlns={quoted(style.namespace)}"
    if ltkm.version is not None:
        name += f" version={quoted(ltkm.version)}"
    text = ltkm.text
    if style.wrap > 0:
        text = style.newline.join(text[at : at + style.wrap] for at in range(0, len(text), style.wrap))
    return name, text


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")


def _flat(node: _Node) -> str:
    name, content = node
    inner = content if isinstance(content, str) else "".join(_flat(child) for child in content)
    return f"<{name}>{inner}</{name.partition(' ')[0]}>"


def _lines(style: Style, node: _Node, depth: int) -> list[str]:
    if style.indent is None:
        return [_flat(node)]
    margin = style.indent * depth
    name, content = node
    if isinstance(content, str):
        return [margin + _flat(node)]
    inner = [line for child in content for line in _lines(style, child, depth + 1)]
    return [f"{margin}<{name}>", *inner, f"{margin}</{name.partition(' ')[0]}>"]


def _document(lines: list[str], style: Style) -> bytes:
    codec = codec_of(style.encoding)
    if codec is None:
        raise ValueError(f"expected a known encoding, got {style.encoding[:40]!a}")
    if style.declaration:
        lines.insert(0, f'<?xml version="1.0" encoding="{style.encoding}"?>')
    text = style.newline.join(lines) + (style.newline if style.final_newline else "")
    # The byte order mark is ours to put: the codecs that put one by themselves do so in the order of the machine.
    wide = {"utf_16": "utf_16_le", "utf_32": "utf_32_le"}
    bom = style.bom or codec in wide
    return ("\ufeff" * bom + text).encode(wide.get(codec, codec))
