"""The items of an MSK response as edited: changed, taken away, added; and the lists of LTKMs in them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.fields import changed, likeness, values_of
from ltkm_inspect.editing.identifiers import KEYS, identifier_splices, new_msk
from ltkm_inspect.editing.lines import EditError, LineTree, at, require_names, require_same_totals
from ltkm_inspect.editing.lists import edited, listed, place_of
from ltkm_inspect.editing.ltkm import ltkm_splices, new_ltkm
from ltkm_inspect.traffic import Document, Item, LtkmElement

NONE = "none"
"""Replaces a response code that an item does not have."""
_LINES = frozenset((*KEYS, "response_code", "ltkms"))


type Shown = tuple[LineTree, LtkmElement]
"""An LTKM with the lines that show it."""


class EditedDocument:
    """The document of a response beside the lines that show it and the lines that were edited."""

    def __init__(self, document: Document, context: Context, old: LineTree, new: LineTree) -> None:
        self._context = context
        self._document = document
        self._xml = document.xml
        self._old, self._new = old, new
        self._shown: list[Shown] = [
            *zip(listed(old, "outside_every_item"), document.elements_outside_items, strict=False)
        ]
        for entry, item in zip(listed(old, "items"), document.items, strict=False):
            self._shown += zip(listed(entry, "ltkms"), item.ltkm_elements, strict=False)

    def splices(self) -> Iterator[Splice]:
        """Yield what makes the document what the edited lines say."""
        require_names(self._new, ("outside_every_item", "items", "totals"))
        if self._new.one("items") is None:
            raise EditError(None, "the line `items:` is missing")
        require_same_totals(self._old.one("totals"), self._new.one("totals"))
        strays, edited_strays = (listed(lines, "outside_every_item") for lines in (self._old, self._new))
        outside = self._document.elements_outside_items
        yield from self._ltkms(strays, edited_strays, outside, self._document.root, self._at_end)
        yield from self._items(listed(self._old, "items"), listed(self._new, "items"))

    def _items(self, old: list[LineTree], new: list[LineTree]) -> Iterator[Splice]:
        items, root = self._document.items, self._document.root

        def changed(index: int, entry: LineTree) -> Iterator[Splice]:
            return self._item(items[index], old[index], entry)

        def written(entry: LineTree) -> str:
            index = place_of(old, entry)
            if index is None:
                return self._new_item(entry)
            return markup.copied(self._xml, items[index].element, changed(index, entry), root)

        elements = [item.element for item in items]
        return edited(self._xml, elements, old, new, changed, written, self._at_end)

    def _at_end(self, text: str) -> Splice:
        return edit.appended(self._xml, self._document.root, text)

    def _item(self, item: Item, old: LineTree, new: LineTree) -> Iterator[Splice]:
        require_names(new, _LINES, " in an item")
        parts = item.parts
        yield from identifier_splices(self._xml, parts.key_domain_ids, parts.msk_ids, old, new)
        yield from self._code(item, old, new)
        yield from self._ltkms(
            listed(old, "ltkms"),
            listed(new, "ltkms"),
            item.ltkm_elements,
            item.element,
            lambda text: self._behind_msk(item, text),
        )

    def _code(self, item: Item, old: LineTree, new: LineTree) -> Iterator[Splice]:
        former, code = old.one("response_code"), new.one("response_code")
        if code is None or former is None:
            raise EditError(new.line, f"response_code is missing; `response_code: {NONE}` removes it")
        if not changed(former, code):
            return
        with at(code):
            codes = item.parts.codes
            if code.value == NONE:
                yield edit.replaced(self._xml, codes[0], "")
            elif codes:
                yield edit.filled(self._xml, codes[0], _code_text(code))
            else:
                text = markup.own_element(self._document.root, "ResponseCode", _code_text(code))
                yield self._behind_msk(item, text)

    def _ltkms(
        self,
        old: list[LineTree],
        new: list[LineTree],
        ltkms: Sequence[LtkmElement],
        scope: Any,
        first: Callable[[str], Splice],
    ) -> Iterator[Splice]:
        def changed(index: int, entry: LineTree) -> Iterator[Splice]:
            own = old[index], ltkms[index]
            model = self._model(entry, own)
            if model is own:
                yield from ltkm_splices(self._context, own[1], own[0], entry)
            else:
                yield edit.replaced(self._xml, own[1].element, self._new_ltkm(entry, model, scope))

        def written(entry: LineTree) -> str:
            return self._new_ltkm(entry, self._model(entry, None), scope)

        return edited(self._xml, [ltkm.element for ltkm in ltkms], old, new, changed, written, first)

    def _model(self, entry: LineTree, own: Shown | None) -> Shown | None:
        """Return the LTKM that an edited one is made from: itself, or for a copy the one that it is most like.

        One that was overwritten with a copy is that copy. None where no LTKM that was shown has all of its fields.
        """
        if entry.key != "ltkm":
            return None
        values = values_of(entry)
        kept = -1 if own is None else likeness(own[0], values)
        if own is not None and kept == len(values):
            return own
        best = max(self._shown, key=lambda shown: likeness(shown[0], values), default=None)
        score = -1 if best is None else likeness(best[0], values)
        if own is not None:
            overwritten = kept < 0 <= score or score == len(values)
            return best if overwritten else own
        return best if score >= 0 else None

    def _new_ltkm(self, entry: LineTree, model: Shown | None, scope: Any) -> str:
        """Return a new element: a copy of another one with the changes, or what the lines give as a whole."""
        if model is None:
            return new_ltkm(entry, scope)
        old, ltkm = model
        return markup.copied(self._xml, ltkm.element, ltkm_splices(self._context, ltkm, old, entry), scope)

    def _behind_msk(self, item: Item, text: str) -> Splice:
        """Put an LTKM, or a response code, into an item that has none: behind its MSK, and its response code if any."""
        before = item.parts.codes or item.parts.msks
        if not before:
            return edit.appended(self._xml, item.element, text)
        return edit.after(self._xml, before[-1], markup.space_before(self._xml, before[-1]) + text)

    def _new_item(self, entry: LineTree) -> str:
        if entry.key != "item":
            raise EditError(entry.line, f"expected `- item: …`, got {entry.key}")
        require_names(entry, _LINES, " in an item")
        own = partial(markup.own_element, self._document.root)
        parts = new_msk(self._document.root, entry)
        code = entry.one("response_code")
        if code is not None and code.value != NONE:
            parts += own("ResponseCode", _code_text(code))
        for ltkm in listed(entry, "ltkms"):
            with at(ltkm):
                parts += self._new_ltkm(ltkm, self._model(ltkm, None), self._document.root)
        return own("Response", parts)


def _code_text(code: LineTree) -> str:
    """Return the text of a response code as it is in the document: `404` needs no quotation marks."""
    if not code.value:
        raise EditError(code.line, f"{code.key}: expected a code such as 404, or {NONE}, got nothing")
    return markup.escaped(markup.quoted_text(code, is_quoted=False))
