"""The documents of an exchange with what was edited in the lines that show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ltkm_inspect import document as msk
from ltkm_inspect.context import Context
from ltkm_inspect.document import Splice, edit
from ltkm_inspect.editing import markup
from ltkm_inspect.editing.identifiers import KEYS, identifier_splices, new_identifiers
from ltkm_inspect.editing.items import Response
from ltkm_inspect.editing.lines import EditError, Entry, listed, parse, place_of, require_same_totals
from ltkm_inspect.editing.work import Work, gone, matched
from ltkm_inspect.exchange import Exchange

NO_DOCUMENT = "expected a document that can be shown as a tree, got a body that is none: edit the body itself instead"


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit made of a body."""

    octets: bytes
    """The body without its content coding; every octet outside what was edited is as it was."""
    unsealed: int = 0
    """How many messages were changed whose MAC could not be made anew, for want of a key or of what it takes."""


def edit_response(shown: str, edited: str, exchange: Exchange, context: Context) -> Edited:
    """Return the response body with what differs between the text that was shown and the edited one.

    MACs are made anew where the MUK is known, and key data is encrypted anew; the digest is left to `seal`. EditError
    names the line that cannot be followed, and then nothing is changed.
    """
    document = exchange.document
    if document is None or document.root is None:
        raise EditError(None, NO_DOCUMENT)
    work = Work(exchange, context)
    octets = _spliced(document.xml, Response(work, document, parse(shown), parse(edited)).splices())
    return Edited(octets, work.unsealed)


def edit_request(shown: str, edited: str, exchange: Exchange, context: Context) -> Edited:
    """Return the request body with what differs between the text that was shown and the edited one; see above."""
    xml = exchange.requested
    if xml is None or xml.root is None:
        raise EditError(None, NO_DOCUMENT)
    return Edited(_spliced(xml, _request(Work(exchange, context), xml, parse(shown), parse(edited))))


def _spliced(xml: msk.Xml, splices: Iterator[Splice]) -> bytes:
    changes = [splice for splice in splices if (xml.text or "")[splice.start : splice.end] != splice.text]
    if not changes:
        return xml.octets
    try:
        return xml.splice(changes)
    except ValueError as error:
        raise EditError(None, f"this cannot be written into the document: {error}") from None


def _request(work: Work, xml: msk.Xml, old: Entry, new: Entry) -> Iterator[Splice]:
    root = xml.root
    assert root is not None
    for entry in new.children:
        if entry.key not in ("requested", "totals"):
            raise EditError(entry.line, f"expected requested or totals, got {entry.key}")
    if new.one("requested") is None:
        raise EditError(None, "expected the line `requested:`, got none")
    require_same_totals(old.one("totals"), new.one("totals"))
    pairs: Sequence[msk.MskPair] = msk.msk_pairs(root)
    shown, edited = listed(old, "requested"), listed(new, "requested")
    elements = [pair.element for pair in pairs]
    matches = matched(shown, edited)
    for match in matches:
        index = place_of(shown, match.new)
        with work.at(match.new):
            if index is None:
                text = _new_msk(xml, match.new)
            else:
                _require_identifiers(match.new)
                pair = pairs[index]
                changes = identifier_splices(work, xml, pair.key_domain_ids, pair.msk_ids, shown[index], match.new)
                if match.own is not None:
                    yield from changes
                    continue
                text = markup.copied(xml, pair.element, changes, root)
            yield markup.placed(xml, elements, match.behind, text) or edit.inside(xml, root, text)
    yield from gone(xml, matches, shown, elements)


def _new_msk(xml: msk.Xml, entry: Entry) -> str:
    if entry.key != "msk":
        raise EditError(entry.line, f"expected `- msk: …`, got {entry.key}")
    _require_identifiers(entry)
    domain, msk_id = new_identifiers(entry)
    own = partial(markup.own_element, xml.root)
    return own("MSK", own("keyDomainID", domain) + own("MSKID", msk_id))


def _require_identifiers(entry: Entry) -> None:
    for child in entry.children:
        if child.key not in KEYS:
            raise EditError(child.line, f"expected one of {', '.join(sorted(KEYS))}, got {child.key}")
