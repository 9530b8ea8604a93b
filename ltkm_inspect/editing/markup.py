"""Writes new elements and copies of elements as text, for the place where they are inserted."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ltkm_inspect import document as msk
from ltkm_inspect.document import Splice, Xml, edit
from ltkm_inspect.editing.lines import EditError, LineTree
from ltkm_inspect.wire import unescaped

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EXPANDED = re.compile(r"(?:\{([^{}]*)\})?([A-Za-z_][\w.:-]*)")


def quoted_text(entry: LineTree, *, is_quoted: bool = True) -> str:
    """Return the text that a line gives in quotation marks, or if these may be absent, as it is.

    EditError for anything else and what XML cannot hold.
    """
    if is_quoted and not entry.value.startswith('"'):
        got = entry.value or "nothing"
        raise EditError(entry.line, f'{entry.key}: expected text in quotation marks ("…"), got {got}')
    try:
        text = unescaped(entry.value[1:-1]) if entry.value.startswith('"') else entry.value
    except ValueError as error:
        raise EditError(entry.line, f"{entry.key}: {error}") from None
    if _NOT_XML.search(text):
        raise EditError(entry.line, f"{entry.key}: the text has characters that XML does not allow")
    return text


def escaped(text: str) -> str:
    """Return text as the content of an element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def expanded_name(entry: LineTree) -> str:
    """Return the name of an element, namespace in braces, that a line gives in quotation marks."""
    name = quoted_text(entry)
    if not _EXPANDED.fullmatch(name):
        expected = '"{namespace}LTKM" or "LTKM"'
        raise EditError(entry.line, f"{entry.key}: expected a name like {expected}, got {entry.value}")
    return name


def tag_for(name: str, scope: Any) -> tuple[str, str]:
    """Return how an expanded name is written inside an element, and the declaration that it takes there, or nothing."""
    namespace, local = msk.split_name(name)
    known = scope.nsmap
    if not namespace:
        return local, ' xmlns=""' if None in known else ""
    prefixes = [prefix for prefix, uri in known.items() if uri == namespace]
    if prefixes:
        prefix = min(prefixes, key=lambda prefix: prefix is None)  # a prefix says more than its absence
        return (f"{prefix}:{local}" if prefix else local), ""
    free = next(prefix for prefix in ("bcast", *(f"ns{n}" for n in range(1, len(known) + 2))) if prefix not in known)
    return f"{free}:{local}", f" xmlns:{free}={msk.quoted(namespace)}"


def element_text(name: str, scope: Any, content: str, attributes: str = "") -> str:
    """Return an element with this expanded name as text that can be inserted into an element of the document."""
    tag, declared = tag_for(name, scope)
    return f"<{tag}{declared}{attributes}>{content}</{tag}>"


def own_element(root: Any, name: str, content: str) -> str:
    """Return an element in the namespace of the root element, as text for a place inside the document."""
    namespace = msk.split_name(root.tag)[0]
    return element_text(f"{{{namespace}}}{name}" if namespace else name, root, content)


def renamed(xml: Xml, element: Any, name: str) -> list[Splice]:
    """Give an element another expanded name; ValueError where the default namespace that it declares forbids that."""
    tag, declared = tag_for(name, element)
    parent = element.getparent()
    if declared == ' xmlns=""' and (parent is None or parent.nsmap.get(None) != element.nsmap.get(None)):
        raise ValueError("expected a name with a namespace, because the element declares a default namespace")
    splices = [*edit.renamed(xml, element, tag)]
    return [*splices, edit.attributed(xml, element, declared.strip())] if declared else splices


def copied(xml: Xml, element: Any, splices: Iterable[Splice], scope: Any) -> str:
    """Return an element's text with splices in it, for a place inside another element of the same document."""
    at = edit.extent(xml, element)
    text = edit.source(xml, element)
    missing = {
        prefix: uri for prefix, uri in element.nsmap.items() if scope.nsmap.get(prefix) != uri and prefix != "xml"
    }
    declared = [
        edit.attributed(xml, element, f"xmlns{f':{prefix}' if prefix else ''}={msk.quoted(uri)}")
        for prefix, uri in missing.items()
        if f"xmlns{f':{prefix}' if prefix else ''}=" not in text[: at.content - at.start]
    ]
    for start, end, new in sorted([*splices, *declared], key=lambda splice: (splice.start, splice.end), reverse=True):
        text = text[: start - at.start] + new + text[end - at.start :]
    return text


def placed(xml: Xml, elements: Sequence[Any], behind: int | None, text: str) -> Splice | None:
    """Put a new element behind the one before it, or before the first of the list; None where the list is empty."""
    if not elements:
        return None
    if behind is not None:
        before = elements[behind]
        return edit.after(xml, before, space_before(xml, before) + text)
    return edit.before(xml, elements[0], text + space_before(xml, elements[0]))


def space_before(xml: Xml, element: Any) -> str:
    """Return the white space between an element and the tag before it, so that a new one can be indented alike."""
    start = edit.extent(xml, element).start
    head = (xml.text or "")[:start]
    bare = head.rstrip(msk.XML_SPACE)
    return head[len(bare) :] if bare.endswith(">") else ""
