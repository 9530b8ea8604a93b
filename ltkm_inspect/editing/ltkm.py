"""One LTKM with its edited lines: what is to be spliced into its element, or a new element."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ltkm_inspect import document as msk
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.fields import HEAD, Changes, apply, changed, compare
from ltkm_inspect.editing.lines import EditError, LineTree, at, require_names
from ltkm_inspect.engine import protected
from ltkm_inspect.traffic import LtkmElement


def ltkm_splices(context: Context, ltkm: LtkmElement, old: LineTree, new: LineTree) -> Iterator[Splice]:
    """Yield what makes the element of an LTKM, shown by the lines `old`, what the lines `new` say."""
    xml, element = ltkm.document.xml, ltkm.element
    base64, text = new.one("base64"), new.one("text")
    changes = _message_changes(old, new, base64 or (text if old.one("text") is None else None))
    with at(new):
        if base64 is not None:
            yield edit.filled(xml, element, base64_text(base64))
        elif text is not None:
            if _differs(old.one("text"), text):
                yield edit.filled(xml, element, markup.escaped(markup.quoted_text(text)))
        elif old.one("text") is not None:
            raise EditError(new.line, "expected the text of the LTKM, or base64 instead")
        elif changes:
            yield edit.filled(xml, element, _message_text(context, ltkm, new, changes))
        version = new.one("version")
        if _differs(old.one("version"), version):
            value = None if version is None else markup.quoted_text(version)
            yield edit.attribute_set(xml, element, "version", value)
        name = new.one("element")
        if _differs(old.one("element"), name):
            yield from markup.renamed(xml, element, msk.LTKM_TAG if name is None else markup.expanded_name(name))


def new_ltkm(entry: LineTree, scope: Any) -> str:
    """Return a new element for the lines `base64: …` or `text: …`, for a place inside an element of the document."""
    base64, text = (entry if entry.key == key else entry.one(key) for key in ("base64", "text"))
    if (base64 is None) is (text is None):
        raise EditError(entry.line, "expected a copy of a shown LTKM, or `- base64: …` or `- text: …` for a new one")
    require_names(entry, HEAD, " for a new LTKM")
    content = base64_text(base64) if base64 is not None else ""
    if text is not None:
        content = markup.escaped(markup.quoted_text(text))
    name, version = entry.one("element"), entry.one("version")
    attributes = "" if version is None else f" version={msk.quoted(markup.quoted_text(version))}"
    expanded = msk.LTKM_TAG if name is None else markup.expanded_name(name)
    return markup.element_text(expanded, scope, content, attributes)


def base64_text(entry: LineTree) -> str:
    """Return the base64 that a line gives; EditError where it is none."""
    text = entry.value.strip('"')
    problem = msk.base64_octets(text).problem
    if problem is not None or not text:
        raise EditError(entry.line, f"{entry.key}: {problem or 'expected base64, got nothing'}")
    return text


def _message_changes(old: LineTree, new: LineTree, instead: LineTree | None) -> Changes:
    """Return what differs in the message. If a line replaces all of it, nothing else may differ."""
    if instead is None:
        return compare(old, new)
    if any(child.key not in HEAD for child in new.children) and compare(old, new):
        raise EditError(instead.line, f"use either {instead.key} or changed fields, not both")
    return Changes()


def _message_text(context: Context, ltkm: LtkmElement, new: LineTree, changes: Changes) -> str:
    assert ltkm.message is not None
    message, following = apply(ltkm.message, changes)
    keeps_mac = any(path.startswith("KEMAC") and path.endswith(".mac") for path in changes.paths)
    leave = {"mac"} if keeps_mac else ()
    return b64encode(protected(message, ltkm.ltkm, context, leave, following)).decode()


def _differs(old: LineTree | None, new: LineTree | None) -> bool:
    if old is None or new is None:
        return old is not new
    return changed(old, new)
