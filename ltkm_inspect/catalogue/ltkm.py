"""Rules and faults on the LTKM element: name, place, attributes and text."""

from collections.abc import Callable, Iterator
from typing import Any

from ltkm_inspect.catalogue.preconditions import ATTRIBUTES, MSK_ROOT
from ltkm_inspect.context import Context
from ltkm_inspect.document import (
    MSK_RESPONSE_NS,
    NEAR_MISSES,
    ORDERQUERIES_NS,
    WHERE,
    Splice,
    Xml,
    edit,
    ltkm_departures,
    unsigned_byte,
)
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import CR, OMNA, XSD, Sure, Verb
from ltkm_inspect.traffic import CodeKind, LtkmElement

ENCODED = CR["5.2.1.1"](
    quote="Each included LTKM SHALL be encoded as one <LTKM> BCAST XML element, defined in Table X below"
)
NAMESPACE = CR["1"](says="the namespace is urn:oma:xml:bcast:pr:orderqueries:1.0")
TABLE = CR["5.2.1.1, Table X"]
WILDCARD = CR["5.2.1.1"](
    quote="When <LTKM> element is included, its location in the sequence of child elements of <Response> element SHALL "
    "correspond to the wildcard defined in <Response> element type."
)
ONE_MESSAGE = TABLE(quote="Smartcard profile BCAST LTKM (base64-encoded MIKEY message).")


def is_written_usually(ltkm: LtkmElement) -> bool:
    """Tell whether the element has its name and encloses base64 alone."""
    return ltkm.parts.miss is None and not len(ltkm.element) and bool(ltkm.octets)


TEXT_RULES = RuleGroup(LtkmElement, fast_pass=is_written_usually)
ATTRIBUTE_RULES = RuleGroup(LtkmElement, needs=[ATTRIBUTES])


@TEXT_RULES.rule(ENCODED, NAMESPACE, covers=["CR-1a", "LTKM-01"])
def ltkm_namespace_wrong(ltkm: LtkmElement) -> Problems:
    """An LTKM element is not in the change request's namespace.

    To an XML parser, this is another element. The terminal ignores it like any unknown extension, without an error, and
    has no key.

    Compare the namespace name octet for octet with the expected one; white space at either end counts. The example
    printed in the change request begins with a space that must not be copied.
    """
    miss = ltkm.parts.miss
    if miss is not None and miss not in ("name-case", "other-name"):
        got = repr(ltkm.parts.namespace) if ltkm.parts.namespace else "no namespace"
        yield Problem("", f"namespace {ORDERQUERIES_NS}", got, NEAR_MISSES[miss])


@TEXT_RULES.rule(ENCODED, covers=["CR-1a", "LTKM-03"])
def ltkm_misnamed(ltkm: LtkmElement) -> Problems:
    """An element that looks like an LTKM is not named LTKM.

    XML names are case-sensitive. The terminal ignores the element.

    Name it LTKM.
    """
    if ltkm.parts.miss in ("name-case", "other-name"):
        yield Problem("", "an element LTKM", ltkm.parts.local, NEAR_MISSES[ltkm.parts.miss])


@rule(
    OMNA["orderqueries"](says="later enabler releases have other namespaces, 1.1 to 1.3", verb=Verb.SHOULD),
    NAMESPACE,
    on=LtkmElement,
    level_reason="terminals of the later release may expect its namespace",
    covers=["LTKM-02"],
)
def ltkm_namespace_later(ltkm: LtkmElement, context: Context) -> Problems:
    """An LTKM element is in the namespace of a later enabler release.

    The change request defines the element in version 1.0. A terminal of that release does not know the later namespace.

    If all terminals of the trial support the later release, accept it with `ltkm_namespaces=1.0,1.1`.
    """
    if not ltkm.parts.later:
        yield NotApplicable("the namespace is not that of a later release")
    elif (ltkm.parts.namespace or "").rpartition(":")[2] not in context.settings.namespaces:
        yield Problem("", f"namespace {ORDERQUERIES_NS}", ltkm.parts.namespace or "", "later enabler release")


@TEXT_RULES.rule(WILDCARD, needs=[MSK_ROOT], covers=["CR-4"], fast_pass=None)
def ltkm_misplaced(ltkm: LtkmElement) -> Problems:
    """LTKM is not at the extension point of Response.

    A validating terminal rejects the document. One that does not validate looks after ResponseCode and finds no key.
    Some wrong places, such as under the root, pass a schema validator.

    Write the LTKM as a child of Response, after MSK and ResponseCode.
    """
    if ltkm.is_placed:
        return
    if ltkm.is_nested:
        yield NotApplicable("it is inside another LTKM, reported by ltkm-has-children")
    elif ltkm.item is not None and ltkm.item.outcome is CodeKind.OTHER:
        yield NotApplicable("its item must not have any LTKM, reported by ltkm-on-error-code")
    else:
        yield Problem("", WHERE["wildcard"], WHERE[ltkm.parts.where])


@TEXT_RULES.rule(TABLE(says="the content is base64Binary, which has no child elements"), covers=["LTKM-04"])
def ltkm_has_children(ltkm: LtkmElement) -> Problems:
    """An LTKM element contains something other than text.

    With a child element inside, the text is no longer one value. Comments and processing instructions are legal, but
    they split the text for careless parsers.

    Write only the base64 text.
    """
    if not len(ltkm.element):
        return
    for departure in ltkm_departures(ltkm.element):
        if departure.kind == "leaf-child":
            yield Problem("", departure.expected, departure.got)
    if any(not isinstance(child.tag, str) for child in ltkm.element):
        yield Problem("", "only text", "a comment or processing instruction", level=Level.WARNING)


@TEXT_RULES.rule(
    TABLE(says="the content is of type base64Binary"),
    XSD["3.2.16"](says="the lexical form of base64Binary"),
    covers=["CR-1b", "LTKM-05"],
)
def ltkm_not_base64(ltkm: LtkmElement) -> Problems:
    """The text of an LTKM is not base64.

    Lenient decoders skip unknown characters and pass on a damaged message, whose MAC then fails. Strict decoders reject
    the document. Both lose the key, with different symptoms.

    Use the alphabet with + and /, pad to a multiple of four characters, and set unused bits to 0.
    """
    problem = ltkm.base64.problem
    if problem is not None:
        yield Problem.of_reason(problem)


@TEXT_RULES.rule(ONE_MESSAGE, covers=["CR-1c", "LTKM-06"])
def ltkm_empty(ltkm: LtkmElement) -> Problems:
    """An LTKM element is empty.

    A schema validator accepts it. The terminal counts one LTKM but gets no key.

    Check how the BSM builds the message. Most often the response was ready before the key was.
    """
    if not ltkm.octets and ltkm.octets is not None and not any(isinstance(child.tag, str) for child in ltkm.element):
        yield Problem("", "a MIKEY message", "no octets")


@ATTRIBUTE_RULES.rule(
    TABLE(says="version is an unsignedByte"),
    XSD["3.3.24"](says="an unsignedByte is written in decimal"),
    covers=["CR-1d", "LTKM-07"],
)
def ltkm_version_invalid(ltkm: LtkmElement) -> Problems:
    """The version attribute is not a decimal number from 0 to 255.

    The table writes 0x00 for the value that means BCAST 1.0. In a document, this is not a valid number.

    Write version="0", or omit the attribute.
    """
    text = ltkm.element.get("version")
    if text is None:
        return
    _, problem = unsigned_byte(text)
    if problem is not None:
        hexadecimal = text.strip().lower().startswith("0x")
        hint = "0x is how the table prints the value, not how XML writes it" if hexadecimal else ""
        yield Problem.of_reason(problem, "@version", hint=hint)


@ATTRIBUTE_RULES.note(
    XSD["3.3.24"](says="an unsignedByte may be written with a sign", verb=Verb.MAY, sure=Sure.RECALL_HIGH),
    covers=["CR-1d"],
)
def ltkm_version_signed(ltkm: LtkmElement) -> Problems:
    """The version attribute has a sign.

    This is legal but unusual, and a terminal's own number parser may fail on it.

    Write only digits.
    """
    text = (ltkm.element.get("version") or "").strip()
    if text.startswith(("+", "-")) and unsigned_byte(text)[1] is None:
        yield Problem("@version", "only digits", text)


@ATTRIBUTE_RULES.rule(TABLE(says="version 0x00 identifies BCAST 1.0", verb=Verb.SHOULD), covers=["LTKM-08"])
def ltkm_version_later(ltkm: LtkmElement) -> Problems:
    """The version attribute is not 0.

    Only 0 (BCAST 1.0) is defined. A terminal of that release need not read any other version.

    Send 0 unless all terminals of the trial are known to read the later version.
    """
    text = ltkm.element.get("version")
    value = unsigned_byte(text)[0] if text is not None else 0
    if value:
        yield Problem("@version", "0", str(value))


@ATTRIBUTE_RULES.rule(CR["1"](says="LTKMType has a single attribute: version, in no namespace"), covers=["LTKM-09"])
def ltkm_attribute_unknown(ltkm: LtkmElement) -> Problems:
    """An LTKM element has an attribute other than version.

    A validating terminal rejects the document. An attribute with a prefix, such as bcast:version, is not version.

    Remove it.
    """
    for departure in ltkm_departures(ltkm.element):
        if departure.kind == "attribute":
            yield Problem("", departure.expected, departure.got)


def _declared(ltkm: LtkmElement, namespace: str) -> Iterator[Splice]:
    """Declare another namespace for the prefix of the element, on the element itself."""
    prefix = ltkm.element.prefix
    name = f"xmlns:{prefix}" if prefix else "xmlns"
    yield edit.attribute_set(ltkm.document.xml, ltkm.element, name, namespace)


@fault(on=LtkmElement, reference="download", trips={"ltkm-namespace-wrong"})
def replace_namespace(ltkm: LtkmElement, *, namespace: str = f" {ORDERQUERIES_NS}") -> Iterator[Splice]:
    """Put the LTKM into another namespace (default: the right one after a space)."""
    yield from _declared(ltkm, namespace)


@fault(on=LtkmElement, reference="download", trips={"ltkm-namespace-wrong"})
def drop_prefix(ltkm: LtkmElement) -> Iterator[Splice]:
    """Write the LTKM without its prefix, which puts it into the MSK response namespace."""
    if ltkm.element.prefix is None:
        raise FaultError("the LTKM has no prefix")
    yield from edit.renamed(ltkm.document.xml, ltkm.element, "LTKM")


@fault(on=LtkmElement, reference="download", trips={"ltkm-namespace-later"})
def advance_namespace(ltkm: LtkmElement, *, minor: int = 1) -> Iterator[Splice]:
    """Put the LTKM into the namespace of a later release."""
    yield from _declared(ltkm, ORDERQUERIES_NS.removesuffix("0") + str(minor))


@fault(on=LtkmElement, reference="download", trips={"ltkm-misnamed"})
def rename_ltkm(ltkm: LtkmElement, *, name: str = "ltkm") -> Iterator[Splice]:
    """Rename the element and keep its prefix."""
    prefix = ltkm.element.prefix
    yield from edit.renamed(ltkm.document.xml, ltkm.element, f"{prefix}:{name}" if prefix else name)


@fault(on=LtkmElement, reference="download", trips={"ltkm-misplaced"})
def advance_ltkm(ltkm: LtkmElement) -> Iterator[Splice]:
    """Move the LTKM before ResponseCode."""
    assert ltkm.item is not None
    return _moved(ltkm, edit.before, ltkm.item.parts.codes[0])


@fault(on=LtkmElement, reference="download", trips={"ltkm-misplaced"})
def bury_ltkm(ltkm: LtkmElement) -> Iterator[Splice]:
    """Move the LTKM into another extension element."""
    text = edit.source(ltkm.document.xml, ltkm.element)
    prefix = "x" if ltkm.element.prefix != "x" else "y"
    wrapped = f'<{prefix}:keys xmlns:{prefix}="urn:example:extension">{text}</{prefix}:keys>'
    yield edit.replaced(ltkm.document.xml, ltkm.element, wrapped)


@fault(on=LtkmElement, reference="download", trips={"ltkm-misplaced"})
def move_ltkm_into_msk(ltkm: LtkmElement) -> Iterator[Splice]:
    """Move the LTKM into MSK."""
    assert ltkm.item is not None
    return _moved(ltkm, edit.appended, ltkm.item.parts.msks[0])


@fault(on=LtkmElement, reference="download", trips={"ltkm-misplaced", "ltkm-missing"})
def move_ltkm_under_root(ltkm: LtkmElement) -> Iterator[Splice]:
    """Move the LTKM after the Responses, so that its item has none."""
    return _moved(ltkm, edit.appended, ltkm.document.root)


def _moved(ltkm: LtkmElement, put: Callable[[Xml, Any, str], Splice], element: Any) -> Iterator[Splice]:
    """Write the LTKM where `put` writes beside or in another element, and take it out where it was."""
    yield put(ltkm.document.xml, element, edit.source(ltkm.document.xml, ltkm.element))
    yield edit.replaced(ltkm.document.xml, ltkm.element, "")


@fault(on=LtkmElement, reference="download", trips={"ltkm-has-children"})
def insert_child(ltkm: LtkmElement) -> Iterator[Splice]:
    """Add an element inside the LTKM, after its text."""
    yield edit.appended(ltkm.document.xml, ltkm.element, f'<octets xmlns="{MSK_RESPONSE_NS}x"/>')


@fault(on=LtkmElement, reference="download", trips={"ltkm-has-children"})
def insert_comment(ltkm: LtkmElement) -> Iterator[Splice]:
    """Add a comment inside the LTKM, after its text."""
    yield edit.appended(ltkm.document.xml, ltkm.element, "<!-- key -->")


@fault(on=LtkmElement, reference="download", trips={"ltkm-not-base64"})
def garble_base64(ltkm: LtkmElement, *, character: str = "!") -> Iterator[Splice]:
    """Put an invalid character in the middle of the base64 text."""
    at = edit.extent(ltkm.document.xml, ltkm.element)
    middle = (at.content + at.content_end) // 2
    yield Splice(middle, middle + 1, character)


@fault(on=LtkmElement, reference="download", trips={"ltkm-not-base64"})
def set_unused_bits(ltkm: LtkmElement) -> Iterator[Splice]:
    """Set the unused bits of the last base64 character; without padding, remove one character."""
    text = ltkm.parts.text.strip()
    body = text.rstrip("=")
    if body == text:
        changed = text[:-1]
    else:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        changed = body[:-1] + alphabet[alphabet.index(body[-1]) | 1] + text[len(body) :]
    yield edit.refilled(ltkm.document.xml, ltkm.element, changed)


@fault(on=LtkmElement, reference="download", trips={"ltkm-empty"})
def empty_ltkm(ltkm: LtkmElement) -> Iterator[Splice]:
    """Remove the text of the LTKM element."""
    yield edit.refilled(ltkm.document.xml, ltkm.element, "")


@fault(on=LtkmElement, reference="download", trips={"ltkm-version-invalid"})
def write_version(ltkm: LtkmElement, *, version: str = "0x00") -> Iterator[Splice]:
    """Add a version attribute (default: in the table's 0x notation)."""
    yield edit.attribute_set(ltkm.document.xml, ltkm.element, "version", str(version))


@fault(on=LtkmElement, reference="download", trips={"ltkm-version-later"})
def advance_version(ltkm: LtkmElement, *, version: int = 1) -> Iterator[Splice]:
    """Give the LTKM a later version."""
    yield edit.attribute_set(ltkm.document.xml, ltkm.element, "version", str(version))


@fault(on=LtkmElement, reference="download", trips={"ltkm-attribute-unknown"})
def add_attribute(ltkm: LtkmElement, *, name: str = "bcast:version", value: str = "0") -> Iterator[Splice]:
    """Add an unknown attribute (default: version with a prefix)."""
    yield from edit.declared(ltkm.document.xml, ltkm.element, name, ORDERQUERIES_NS)
    yield edit.attribute_set(ltkm.document.xml, ltkm.element, name, value)
