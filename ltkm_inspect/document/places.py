"""The place of every element in the text of a document, and of the text in the octets."""

import re
from array import array
from bisect import bisect_left, bisect_right
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# One piece of markup. Every alternative either fails before the next "<" or runs to the end of the text at most once,
# so that a scan is linear whatever the text. A comment, section or instruction that does not end takes the rest.
_MARKUP = re.compile(
    r"<(?:"
    r"!--(?:.*?-->|.*)"
    r"|!\[CDATA\[(?:.*?\]\]>|.*)"
    r"|\?(?:.*?\?>|.*)"
    r"|/(?P<end>[^\s<>]+)[^<>]*>"
    r"|(?P<start>[^\s<>/!?][^\s<>/]*+)(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>"
    r")",
    re.DOTALL,
)
# Start tags of a document that is not well-formed: quotes are taken as they come.
_LOOSE = re.compile(_MARKUP.pattern.replace(r"(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>", "[^<>]*+>"), re.DOTALL)
_STRIDE = 4096


@dataclass(frozen=True, slots=True)
class Extent:
    """The place of one element: half-open offsets, counted in characters of the text or in octets of the document.

    `start` to `content` is the start tag, `content` to `content_end` what it encloses, `content_end` to `end` the end
    tag. In an empty-element tag the last three are equal.
    """

    start: int
    content: int
    content_end: int
    end: int


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """The place of an element in the text and in the octets."""

    text: Extent
    octets: Extent


class TagTable:
    """The elements of a text in document order, kept in arrays so that ten thousands of them stay cheap."""

    __slots__ = ("_offsets", "names")

    def __init__(self, names: list[str], offsets: "array[int]") -> None:
        self.names = names
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self.names)

    def extent(self, index: int) -> Extent:
        """Return where an element is in the text."""
        return Extent(*self._offsets[4 * index : 4 * index + 4])


def scan(text: str, loose: bool = False) -> TagTable:
    """Find every element of a text in one linear pass; never raises.

    With `loose` the text need not be well-formed: end tags that match nothing are skipped, and an element that is not
    closed ends where what encloses it ends, or with the text.
    """
    names: list[str] = []
    offsets: array[int] = array("q")
    stack: list[int] = []
    counts: Counter[str] = Counter()
    for match in (_LOOSE if loose else _MARKUP).finditer(text):
        name = match["start"]
        end = match.end()
        if name is not None:
            start = match.start()
            names.append(name)
            offsets.extend((start, end, end, end))
            if text[end - 2] != "/":
                stack.append(len(names) - 1)
                counts[name] += 1
            continue
        name = match["end"]
        if name is None or not counts[name]:
            continue
        start = match.start()
        while stack:
            index = stack.pop()
            counts[names[index]] -= 1
            offsets[4 * index + 2] = start
            if names[index] == name:
                offsets[4 * index + 3] = end
                break
            offsets[4 * index + 3] = start
    for index in stack:
        offsets[4 * index + 2] = offsets[4 * index + 3] = len(text)
    return TagTable(names, offsets)


class OctetMap:
    """From offsets in the text to offsets in the octets it was decoded from.

    Building it and every look-up afterwards together read the document once; each look-up reads at most some thousand
    characters. Exact for every stateless codec, also where several codes stand for the same character and encoding
    again would not give the same octets. `regular` is False for a stateful codec and for octets that could not be
    decoded: those are followed octet by octet.
    """

    __slots__ = ("_bom", "_codec", "_marks", "_octets", "_regular", "_text", "_width")

    def __init__(self, text: str, octets: bytes, codec: str, bom: int, regular: bool = True) -> None:
        self._text = text
        self._octets = octets
        self._codec = codec
        self._bom = bom
        self._regular = regular
        self._width = self._fixed_width() if regular else 0
        self._marks: tuple[list[int], list[int]] | None = None

    def __call__(self, offset: int) -> int:
        """The octet at which the character at a text offset begins; the end of the text is the end of the octets."""
        if self._width:
            return self._bom + offset * self._width
        if self._marks is None:
            self._marks = self._build()
        positions, places = self._marks
        index = bisect_right(positions, offset) - 1
        at, octet = positions[index], places[index]
        if at == offset or not self._regular:
            return octet
        return octet + self._length(at, offset, octet)

    def _fixed_width(self) -> int:
        size = len(self._octets) - self._bom
        if size == len(self._text):
            return 1
        for codec, width in (("utf_16", 2), ("utf_32", 4)):
            if self._codec.startswith(codec) and size == len(self._text) * width:
                return width
        return 0

    def _build(self) -> tuple[list[int], list[int]]:
        if not self._regular:
            return self._follow()
        positions = [0]
        places = [self._bom]
        octet = self._bom
        start = 0
        while start < len(self._text):
            end = min(start + _STRIDE, len(self._text))
            # Some codes stand for two characters, the second of which is never ASCII: a mark must not come between
            # them.
            while end < len(self._text) and not self._text[end].isascii():
                end += 1
            octet += self._length(start, end, octet)
            positions.append(end)
            places.append(octet)
            start = end
        return positions, places

    def _follow(self) -> tuple[list[int], list[int]]:
        decoder = getincrementaldecoder(self._codec)("replace")
        positions = [0]
        places = [self._bom]
        seen = 0
        for octet in range(self._bom, len(self._octets)):
            more = len(decoder.decode(self._octets[octet : octet + 1]))
            for _ in range(more):
                seen += 1
                positions.append(seen)
                places.append(octet + 1)
        places[-1] = len(self._octets)
        return positions, places

    def _length(self, start: int, end: int, octet: int) -> int:
        """How many octets the characters from start to end take, the first of them standing at an octet."""
        piece = self._text[start:end]
        try:
            size = len(piece.encode(self._codec))
            if self._codec.startswith("utf_"):
                return size
            if self._octets[octet : octet + size].decode(self._codec) == piece:
                return size
        except ValueError:
            pass
        return self._count(len(piece), octet)

    def _count(self, characters: int, octet: int) -> int:
        decoder = getincrementaldecoder(self._codec)("replace")
        position = octet
        seen = 0
        while seen < characters and position < len(self._octets):
            seen += len(decoder.decode(self._octets[position : position + 1]))
            position += 1
        return position - octet


def pair(names: Iterable[str], table: TagTable) -> Iterator[int | None]:
    """For each element name of a parsed tree in document order, the index of its tag in the table.

    In a well-formed document the n-th element is the n-th tag. In a recovered one tags that the parser dropped are
    skipped; an element whose tag is not found has None.
    """
    at = 0
    where: dict[str, list[int]] | None = None
    for name in names:
        if at < len(table) and table.names[at] == name:
            yield at
            at += 1
            continue
        if where is None:
            where = {}
            for index, known in enumerate(table.names):
                where.setdefault(known, []).append(index)
        candidates = where.get(name, [])
        found = bisect_left(candidates, at)
        if found == len(candidates):
            yield None
            continue
        yield candidates[found]
        at = candidates[found] + 1
