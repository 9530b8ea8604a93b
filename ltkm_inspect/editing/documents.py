"""The documents of an exchange with what was edited in the lines that show them."""

from collections.abc import Iterator, Sequence

from ltkm_inspect import document as msk
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.identifiers import KEYS, identifier_splices, new_msk
from ltkm_inspect.editing.items import EditedDocument
from ltkm_inspect.editing.lines import EditError, LineTree, parse, require_names, require_same_totals
from ltkm_inspect.editing.lists import edited, listed, place_of
from ltkm_inspect.traffic import Exchange

NO_DOCUMENT = "this body cannot be edited as a tree: edit the body itself instead"


def edit_response(shown: str, edited: str, exchange: Exchange, context: Context) -> bytes:
    """Return the response body, without content coding, with what differs between the shown text and the edited one.

    Every octet outside what was edited is as it was. MACs are made anew where the MUK is known, and key data is
    encrypted anew; the digest is left to `seal`. EditError names the line that cannot be followed.
    """
    document = exchange.document
    if document is None or document.root is None:
        raise EditError(None, NO_DOCUMENT)
    return _spliced(document.xml, EditedDocument(document, context, parse(shown), parse(edited)).splices())


def edit_request(shown: str, edited: str, exchange: Exchange) -> bytes:
    """Return the request body, without content coding, with what differs between the shown text and the edited one."""
    xml = exchange.request_document
    if xml is None or xml.root is None:
        raise EditError(None, NO_DOCUMENT)
    return _spliced(xml, _request(xml, parse(shown), parse(edited)))


def _spliced(xml: msk.Xml, splices: Iterator[Splice]) -> bytes:
    changes = [splice for splice in splices if (xml.text or "")[splice.start : splice.end] != splice.text]
    if not changes:
        return xml.octets
    try:
        return xml.splice(changes)
    except ValueError as error:
        raise EditError(None, f"cannot write this into the document: {error}") from None


def _request(xml: msk.Xml, old: LineTree, new: LineTree) -> Iterator[Splice]:
    root = xml.root
    assert root is not None
    require_names(new, ("requested", "totals"))
    if new.one("requested") is None:
        raise EditError(None, "the line `requested:` is missing")
    require_same_totals(old.one("totals"), new.one("totals"))
    pairs: Sequence[msk.MskPair] = msk.msk_pairs(root)
    shown = listed(old, "requested")

    def changed(index: int, entry: LineTree) -> Iterator[Splice]:
        require_names(entry, KEYS)
        return identifier_splices(xml, pairs[index].key_domain_ids, pairs[index].msk_ids, shown[index], entry)

    def written(entry: LineTree) -> str:
        index = place_of(shown, entry)
        if index is None:
            return _new_msk(xml, entry)
        return markup.copied(xml, pairs[index].element, changed(index, entry), root)

    elements, wanted = [pair.element for pair in pairs], listed(new, "requested")
    yield from edited(xml, elements, shown, wanted, changed, written, lambda text: edit.appended(xml, root, text))


def _new_msk(xml: msk.Xml, entry: LineTree) -> str:
    if entry.key != "msk":
        raise EditError(entry.line, f"expected `- msk: …`, got {entry.key}")
    require_names(entry, KEYS)
    return new_msk(xml.root, entry)
