"""An XML document as it was read: its text, its tree, the place of every element, and edits in place."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from lxml import etree

from .encoding import Encoding
from .places import ElementPlace, Extent, OctetMap, TagTable, pair, scan
from .slips import Slip, find_slips


@dataclass(frozen=True, slots=True)
class XmlError:
    """Why a document is not accepted as XML.

    `kind` is one of "empty", "encoding" (octets that are no text), "doctype" (refused unread), "syntax", "namespace"
    (well-formed, but a namespace name that is no URI: some parsers refuse it, others do not) and "too-deep". `line` and
    `column` count characters from 1; `offset` counts octets from 0, `text_offset` characters from 0.
    """

    kind: str
    reason: str
    line: int
    column: int
    offset: int
    text_offset: int


class Splice(NamedTuple):
    """Replace the characters from start to end (text offsets, half-open) by another text."""

    start: int
    end: int
    text: str


@dataclass(eq=False)  # not frozen, which would treble what it costs to make
class Xml:
    """An XML document as it came and as it was read.

    `text` is the decoded document without its byte order mark, with U+FFFD where octets could not be decoded; None only
    where there are none. `root` is the parsed tree, or, where there is an error, what a lenient parse could still make
    of the document; None if that is nothing. Nothing here compares equal but to itself.
    """

    octets: bytes
    encoding: Encoding
    text: str | None
    root: etree._Element | None
    error: XmlError | None
    decodable: bool = True

    @property
    def well_formed(self) -> bool:
        """Whether the document is well-formed XML 1.0; a namespace name that is no URI does not change that."""
        return self.error is None or self.error.kind == "namespace"

    @property
    def editable(self) -> bool:
        """Whether parts can be replaced while all other octets stay: not where stateful or undecodable."""
        return self.decodable and self.text is not None and not self.encoding.stateful

    @cached_property
    def slips(self) -> tuple[Slip, ...]:
        """The change request's own slips in a document that was not accepted; none where it was."""
        if self.error is None or self.error.kind not in ("syntax", "namespace") or self.text is None:
            return ()
        return find_slips(self.text)

    def place(self, element: etree._Element) -> ElementPlace | None:
        """The place of an element of this tree; None if it is not known (damaged document, element of another tree).

        The first call scans the text; the tree must still be as it was read.
        """
        index = self._indices.get(element)
        if index is None:
            return None
        text = self._tags.extent(index)
        octet = self.octet_offset
        return ElementPlace(
            text, Extent(octet(text.start), octet(text.content), octet(text.content_end), octet(text.end))
        )

    def octet_offset(self, text_offset: int) -> int:
        """The octet at which the character at a text offset begins."""
        return self._map(text_offset)

    def splice(self, edits: Iterable[Splice | tuple[int, int, str]]) -> bytes:
        """The document with ranges of its text replaced; every octet outside these ranges stays as it was.

        The edits may come in any order and must not overlap; at the same offset insertions keep their order. Raises
        ValueError where the document cannot be edited, a range is outside the text or overlaps another, or a character
        has no code in the encoding.
        """
        if not self.editable or self.text is None:
            raise ValueError(f"expected an encoding whose parts can be edited, got {self._state()}")
        ordered = sorted((Splice(*edit) for edit in edits), key=lambda edit: (edit.start, edit.end))
        parts: list[bytes] = []
        at = 0
        kept = 0
        for edit in ordered:
            if not at <= edit.start <= edit.end <= len(self.text):
                raise ValueError(
                    f"expected an edit between characters {at} and {len(self.text)}, got {edit.start} to {edit.end}"
                )
            parts.append(self.octets[kept : self._map(edit.start)])
            parts.append(self._encoded(edit.text))
            at = edit.end
            kept = self._map(edit.end)
        parts.append(self.octets[kept:])
        return b"".join(parts)

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self.encoding.codec)
        except UnicodeError:
            raise ValueError(
                f"expected characters that {self.encoding.name} can encode, got others in the new text"
            ) from None

    def _state(self) -> str:
        if self.text is None:
            return "an empty document"
        return f"{self.encoding.name}" if self.decodable else f"octets that are not {self.encoding.name}"

    @cached_property
    def _map(self) -> OctetMap:
        regular = self.decodable and not self.encoding.stateful
        return OctetMap(self.text or "", self.octets, self.encoding.codec, self.encoding.bom, regular)

    @cached_property
    def _tags(self) -> TagTable:
        return scan(self.text or "", loose=not self.well_formed)

    @cached_property
    def _indices(self) -> dict[etree._Element, int]:
        if self.root is None:
            return {}
        elements = list(self.root.iter("*"))
        names = (written_name(element) for element in elements)
        indices = pair(names, self._tags)
        return {element: index for element, index in zip(elements, indices, strict=True) if index is not None}


def written_name(element: etree._Element) -> str:
    """The name of an element as its tag writes it: prefix and local name."""
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local
