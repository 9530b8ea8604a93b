"""Rules and faults on the items of an MSK response: code and LTKMs."""

from collections.abc import Iterator

from ltkm_inspect.catalogue.preconditions import MSK_ROOT
from ltkm_inspect.context import Context
from ltkm_inspect.document import XML_SPACE, Splice, edit
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem, count
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import CR, TS26346, Verb
from ltkm_inspect.traffic import CodeKind, Document, Item

ONE_EACH = CR["5.2.1.1"](
    quote="In <mbmsMSKResponse> element, each <Response> element containing the successful response code “200 OK” "
    "SHALL contain exactly one <LTKM> child element."
)
NONE_ELSE = CR["5.2.1.1"](
    quote="<Response> elements containing other response codes SHALL NOT contain any <LTKM> elements."
)


def is_plain_grant(item: Item) -> bool:
    """Tell whether the item says 200 OK and has one LTKM in its place, no other element, and a real Key Group."""
    if item.code != "200 OK" or len(item.ltkm_elements) != 1 or item.parts.foreign or item.pair is None:
        return False
    ltkm, msk_id = item.ltkm_elements[0], item.pair[1]
    return ltkm.is_named and ltkm.is_placed and len(msk_id) == 4 and msk_id[:2] != b"\0\0"


UNUSED = "the document has no LTKM: keys are delivered over UDP, or this BSM does not include LTKMs"


ITEM_RULES = RuleGroup(Item, cite=[ONE_EACH], needs=[MSK_ROOT], fast_pass=is_plain_grant)


@ITEM_RULES.rule(covers=["CR-2a"])
def ltkm_missing(item: Item, context: Context) -> Problems:
    """A 200 OK item has no LTKM.

    The item says that the key was granted, but the terminal does not get it. It cannot know whether to wait for a UDP
    push or to ask again.

    Include an LTKM for every granted key, or for none. If no item has one, the keys may be pushed over UDP; this rule
    then applies only with `ltkm_expect=always` or in strict mode.
    """
    if item.outcome is CodeKind.NEAR_MISS:
        yield NotApplicable("the response code is almost 200 OK, reported by response-code-near-miss")
    elif not item.outcome.is_success:
        yield NotApplicable("the response code is not 200 OK")
    elif not item.ltkm_elements:
        if item.document.has_ltkm:
            yield Problem("LTKM", "exactly one LTKM", "none", "the document has an LTKM elsewhere")
        elif context.settings.wants_ltkms:
            yield Problem("LTKM", "exactly one LTKM", "none", "the document has no LTKM")
        else:
            yield NotApplicable(UNUSED)


@ITEM_RULES.rule(covers=["CR-2b"])
def ltkm_repeated(item: Item) -> Problems:
    """An item has more than one LTKM.

    Schema validators do not notice. The terminal chooses one of the messages, and both counters are used up.

    Send one LTKM per item. Another key needs a separate item.
    """
    if item.outcome is CodeKind.OTHER:
        yield NotApplicable("the item must not have any LTKM, reported by ltkm-on-error-code")
        return
    count = sum(ltkm.is_named and ltkm.element.getparent() is item.element for ltkm in item.ltkm_elements)
    if count > 1:
        yield Problem("LTKM", "exactly one LTKM" if item.outcome.is_success else "at most one LTKM", str(count))


@ITEM_RULES.rule(NONE_ELSE, covers=["CR-3"], fast_pass=None)
def ltkm_on_error_code(item: Item, context: Context) -> Problems:
    """An item has an LTKM although its response code is not 200 OK.

    The code refuses the key, but the LTKM delivers it. Depending on which one a terminal follows, someone can watch
    without a grant, or a subscriber sees nothing.

    Remove the LTKM, or correct the code. If the code is almost 200 OK, this is a warning, because the intention is
    clear; in strict mode it is a violation.
    """
    if item.outcome.is_success or item.code is None:
        yield NotApplicable("the item has no response code" if item.code is None else "the response code is 200 OK")
        return
    near = item.outcome is CodeKind.NEAR_MISS
    lenient = near and not context.settings.strict
    found = [ltkm for ltkm in item.ltkm_elements if ltkm.is_named and (ltkm.parts.where != "in-code" or not near)]
    if found:
        got = f"{count(len(found), 'LTKM')} with code {item.code.strip()}"
        yield Problem("LTKM", "no LTKM", got, level=Level.WARNING if lenient else None, element=found[0].element)


@ITEM_RULES.warning(
    ONE_EACH,
    TS26346["11.8.2"](says="the example writes the successful response code as 200 OK", verb=Verb.SHOULD),
    level_reason="the schema allows any text, and how a terminal reads it cannot be known",
    covers=["XML-14"],
)
def response_code_near_miss(item: Item) -> Problems:
    """The response code is almost 200 OK, or is not a code with a reason.

    The schema allows any text, so a terminal compares text. One that compares exactly treats `200`, `200 ok` or `OK` as
    an error.

    Write exactly `200 OK`, with one space.
    """
    trimmed = (item.code or "").strip(XML_SPACE)
    number, space, reason = trimmed.partition(" ")
    if item.code is None:
        yield NotApplicable("the item has no response code")
    elif item.outcome is CodeKind.PADDED:
        yield Problem("ResponseCode", "200 OK", "200 OK surrounded by white space", "terminals may compare exactly")
    elif item.outcome is CodeKind.NEAR_MISS:
        yield Problem("ResponseCode", "200 OK", trimmed, "terminals may compare exactly")
    elif not (len(number) == 3 and number.isascii() and number.isdigit() and space and reason.strip()):
        yield Problem("ResponseCode", "three digits and a reason", trimmed or "no text")


@fault(on=Document, reference="several-keys", trips={"ltkm-missing"})
def strip_ltkm(document: Document, *, item: int = 0, all: bool = False) -> Iterator[Splice]:
    """Remove the LTKMs from an item but keep its 200 OK (default: the first item that has any).

    With `all`, remove every LTKM of the document, including those outside the items.

    A document that then has no LTKM breaks no rule: it is the MBMS response without LTKMs, and the keys may be pushed
    over UDP. Only `ltkm_expect=always`, or strict mode, reports it.
    """
    first = (each.ltkm_elements for each in document.items if each.ltkm_elements and item in (0, each.number))
    found = {ltkm.element: ltkm for ltkm in (document.ltkm_elements if all else next(first, ()))}
    if not found:
        where = f" in item {item}" if item else ""
        where += f": it has {count(len(document.items), 'item')}" if item > len(document.items) else ""
        raise FaultError(f"the document has no LTKM to remove{where}")
    for element in found:
        if not any(above in found for above in element.iterancestors()):
            yield edit.replaced(document.xml, element, "")


@fault(on=Item, reference="download", trips={"ltkm-repeated"})
def repeat_ltkm(item: Item) -> Iterator[Splice]:
    """Repeat the LTKM of an item."""
    ltkm = item.ltkm_elements[0]
    yield edit.after(item.document.xml, ltkm.element, edit.source(item.document.xml, ltkm.element))


@fault(on=Item, reference="download", trips={"ltkm-on-error-code"})
def replace_response_code(item: Item, *, code: str = "404 Not Found") -> Iterator[Splice]:
    """Replace the response code and keep the LTKM."""
    yield edit.refilled(item.document.xml, item.parts.codes[0], code)


@fault(on=Item, reference="download", trips={"response-code-near-miss"})
def pad_response_code(item: Item) -> Iterator[Splice]:
    """Write the response code on a separate line."""
    yield edit.refilled(item.document.xml, item.parts.codes[0], "\n200 OK\n")


@fault(on=Item, reference="download", trips={"response-code-near-miss", "ltkm-on-error-code"})
def misspell_response_code(item: Item, *, code: str = "200 ok") -> Iterator[Splice]:
    """Write a code that is almost 200 OK, and keep the LTKM."""
    yield edit.refilled(item.document.xml, item.parts.codes[0], code)
