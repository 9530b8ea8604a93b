"""Small edits of a document's text, each a splice that leaves every octet outside it as it was."""

import re
from collections.abc import Iterator
from html import escape

from lxml import etree

from .places import Extent
from .xml import Splice, Xml

_ATTRIBUTE = re.compile(r"""\s([^\s=<>"'/]++)\s*+=\s*+("[^"]*+"|'[^']*+')""")


def extent(xml: Xml, element: etree._Element) -> Extent:
    """Return where an element stands in the text; ValueError where that cannot be told."""
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
    at = extent(xml, element).start + 1 + len(_written(element))
    return Splice(at, at, " " + attribute)


def with_attribute(xml: Xml, element: etree._Element, name: str, value: str, namespace: str = "") -> Iterator[Splice]:
    """Give the element an attribute of that name as written, or another value to the one that it has.

    A prefix that is not declared there is declared for `namespace`, where one is given.
    """
    quoted = f'"{escape(value)}"'
    for known, at in _attributes(xml, element):
        if known == name:
            yield at._replace(text=quoted)
            return
    prefix, colon, _ = name.partition(":")
    if namespace and colon and prefix not in ("xml", "xmlns", *element.nsmap):
        yield attributed(xml, element, f'xmlns:{prefix}="{escape(namespace)}"')
    yield attributed(xml, element, f"{name}={quoted}")


def namespace_values(xml: Xml, element: etree._Element, namespace: str) -> Iterator[Splice]:
    """Yield what leaves each declaration of a namespace in the start tag of the element as it is, to be changed."""
    for name, at in _attributes(xml, element):
        if name.partition(":")[0] == "xmlns" and at.text[1:-1] == namespace:
            yield at


def _attributes(xml: Xml, element: etree._Element) -> Iterator[tuple[str, Splice]]:
    """Yield the name of each attribute in the start tag as written, and what leaves its value, quoted, as it is."""
    at = extent(xml, element)
    for found in _ATTRIBUTE.finditer(xml.text or "", at.start + 1 + len(_written(element)), at.content):
        yield found[1], Splice(found.start(2), found.end(2), found[2])


def renamed(xml: Xml, element: etree._Element, name: str) -> Iterator[Splice]:
    """Write another name, with its prefix, into the tags of the element."""
    at, old = extent(xml, element), len(_written(element))
    yield Splice(at.start + 1, at.start + 1 + old, name)
    if at.end > at.content_end:
        yield Splice(at.content_end + 2, at.content_end + 2 + old, name)


def _opened(xml: Xml, element: etree._Element, at: Extent, text: str) -> Splice | None:
    """Make the two tags of an empty-element tag, with a text between them; None where it is no such tag."""
    if at.content != at.end or not (xml.text or "").endswith("/>", at.start, at.content):
        return None
    return Splice(at.content - 2, at.content, f">{text}</{_written(element)}>" if text else "/>")


def _written(element: etree._Element) -> str:
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local
