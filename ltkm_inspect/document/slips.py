"""The slips of the change request's own example, recognised in the text of a document that a parser refuses."""

import re
from dataclasses import dataclass

from .names import LATER_ORDERQUERIES_NS, ORDERQUERIES_NS, XML_SPACE

UNQUOTED_ATTRIBUTE = "unquoted-attribute"
SPACE_IN_NAMESPACE = "space-in-namespace"

SLIPS = {
    UNQUOTED_ATTRIBUTE: "an attribute value without quotation marks",
    SPACE_IN_NAMESPACE: "white space at the start or end of the orderqueries namespace name",
}
"""What each slip is, for people to read."""

_LOOK = 1 << 20
_TAG = re.compile(r"<[A-Za-z_][^<>]*")
_ATTRIBUTE = re.compile(
    r"""(?<![ \t\r\n])[ \t\r\n]++([^\s=/>"'<]++)[ \t\r\n]*+=[ \t\r\n]*+(?:"([^"<]*+)"|'([^'<]*+)'|([^\s"'<>]++))"""
)
_NAMESPACES = LATER_ORDERQUERIES_NS | {ORDERQUERIES_NS}


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip: its kind (a key of SLIPS), the attribute, and the place of its value in the text."""

    kind: str
    attribute: str
    start: int
    end: int


def find_slips(text: str) -> tuple[Slip, ...]:
    """The first slip of each kind, in the order of the text.

    A parser stops at the first error, so all the start tags of the first 1,048,576 characters are looked at instead.
    """
    found: dict[str, Slip] = {}
    for tag in _TAG.finditer(text, 0, _LOOK):
        for attribute in _ATTRIBUTE.finditer(text, tag.start(), tag.end()):
            slip = _slip(attribute)
            if slip is not None:
                found.setdefault(slip.kind, slip)
        if len(found) == len(SLIPS):
            break
    return tuple(sorted(found.values(), key=lambda slip: slip.start))


def _slip(attribute: re.Match[str]) -> Slip | None:
    name = attribute[1]
    if attribute[4] is not None:
        return Slip(UNQUOTED_ATTRIBUTE, name, attribute.start(4), attribute.end(4))
    group = 2 if attribute[2] is not None else 3
    value = attribute[group]
    trimmed = value.strip(XML_SPACE)
    if name.startswith("xmlns") and trimmed != value and trimmed in _NAMESPACES:
        return Slip(SPACE_IN_NAMESPACE, name, attribute.start(group), attribute.end(group))
    return None


def mend(text: str) -> str:
    """The text with quotation marks around attribute values that lack them, to get a lenient parser past them."""
    return _TAG.sub(_mended_tag, text)


def _mended_tag(tag: re.Match[str]) -> str:
    return _ATTRIBUTE.sub(_quoted, tag[0]) if "=" in tag[0] else tag[0]


def _quoted(attribute: re.Match[str]) -> str:
    value = attribute[4]
    if value is None:
        return attribute[0]
    # The stroke of an empty-element tag belongs to the tag.
    stroke = "/" if value.endswith("/") and attribute.end() == len(attribute.string) else ""
    value = value.removesuffix(stroke) if stroke else value
    return f'{attribute[0][: attribute.start(4) - attribute.start()]}"{value}"{stroke}'
