"""Small edits of a document's text, each a splice that leaves every octet outside it as it was."""

import re
from collections.abc import Iterator

from lxml import etree

from .names import XML_SPACE, quoted
from .places import Extent
from .xml import Splice, Xml, written_name

_ATTRIBUTE = re.compile(r"[ \t\r\n]+([^\s=<>/\"']+)[ \t\r\n]*=[ \t\r\n]*(\"[^\"<]*\"|'[^'<]*')")


def extent(xml: Xml, element: etree._Element) -> Extent:
    """Return where an element is in the text; ValueError if that is not known."""
    place = xml.place(element)
    if place is None:
        raise ValueError("expected an element whose place in the text is known, got a damaged document")
    return place.text


def source(xml: Xml, element: etree._Element) -> str:
    """Return the text of an element, tags included, as it is written."""
    at = extent(xml, element)
    return (xml.text or "")[at.start : at.end]


def content(xml: Xml, element: etree._Element) -> str:
    """Return the text that an element encloses, as it is written."""
    at = extent(xml, element)
    return (xml.text or "")[at.content : at.content_end]


def replaced(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text in the place of the whole element; the empty text takes it away."""
    at = extent(xml, element)
    return Splice(at.start, at.end, text)


def refilled(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text in the place of what the element encloses."""
    at = extent(xml, element)
    return _opened(xml, element, at, text) or Splice(at.content, at.content_end, text)


def filled(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text in the place of what the element encloses, white space at both ends excepted.

    ValueError where it encloses other elements, which would be lost.
    """
    if any(isinstance(child.tag, str) for child in element):
        raise ValueError("expected an element that contains only text, got one with child elements")
    inside = content(xml, element)
    bare = inside.strip(XML_SPACE)
    if not bare:
        return refilled(xml, element, text)
    start = extent(xml, element).content + inside.index(bare)
    return Splice(start, start + len(bare), text)


def attribute_set(xml: Xml, element: etree._Element, name: str, value: str | None) -> Splice:
    """Give an attribute without prefix another value, or take it away (None); ValueError where it cannot be found."""
    for match in _attributes(xml, element):
        if match[1] == name:
            begin = match.start() if value is None else match.start(2)
            return Splice(begin, match.end(), "" if value is None else quoted(value))
    if value is None or name in element.attrib:
        raise ValueError(f"expected the attribute {name} in the start tag, got a damaged one")
    return attributed(xml, element, f"{name}={quoted(value)}")


def namespace_replaced(xml: Xml, element: etree._Element, namespace: str, other: str) -> Iterator[Splice]:
    """Write another namespace name into the declarations of a namespace in the start tag of the element."""
    for match in _attributes(xml, element):
        if match[1].partition(":")[0] == "xmlns" and match[2][1:-1] == namespace:
            yield Splice(match.start(2), match.end(), quoted(other))


def declared(xml: Xml, element: etree._Element, name: str, namespace: str) -> Iterator[Splice]:
    """Declare the prefix of a name on the element, where it has one that is not declared there."""
    prefix, colon, _ = name.partition(":")
    if colon and prefix not in ("xml", "xmlns", *element.nsmap):
        yield attributed(xml, element, f"xmlns:{prefix}={quoted(namespace)}")


def before(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text before the element."""
    at = extent(xml, element)
    return Splice(at.start, at.start, text)


def after(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text after the element."""
    at = extent(xml, element)
    return Splice(at.end, at.end, text)


def appended(xml: Xml, element: etree._Element, text: str) -> Splice:
    """Put a text inside the element, at its end."""
    at = extent(xml, element)
    return _opened(xml, element, at, text) or Splice(at.content_end, at.content_end, text)


def attributed(xml: Xml, element: etree._Element, attribute: str) -> Splice:
    """Put an attribute, written as in the document, into the start tag of the element."""
    at = extent(xml, element).start + 1 + len(written_name(element))
    return Splice(at, at, " " + attribute)


def renamed(xml: Xml, element: etree._Element, name: str) -> Iterator[Splice]:
    """Write another name, with its prefix, into the tags of the element."""
    at, old = extent(xml, element), len(written_name(element))
    yield Splice(at.start + 1, at.start + 1 + old, name)
    if at.end > at.content_end:
        yield Splice(at.content_end + 2, at.content_end + 2 + old, name)


def _attributes(xml: Xml, element: etree._Element) -> Iterator[re.Match[str]]:
    """Yield the attributes of the start tag as written: name, and value with its quotation marks."""
    at = extent(xml, element)
    start = at.start + 1 + len(written_name(element))
    tag = (xml.text or "")[: at.content]
    while match := _ATTRIBUTE.match(tag, start):
        yield match
        start = match.end()


def _opened(xml: Xml, element: etree._Element, at: Extent, text: str) -> Splice | None:
    """Make the two tags of an empty-element tag, with a text between them; None where it is no such tag."""
    if at.content != at.end or not (xml.text or "").endswith("/>", at.start, at.content):
        return None
    return Splice(at.content - 2, at.content, f">{text}</{written_name(element)}>" if text else "/>")
