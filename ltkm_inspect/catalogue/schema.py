"""Rules and faults on what else the schema requires of an MSK response: attributes, text, extensions.

The order and number of its elements are in `document`, the places of LTKMs in `ltkm`.
"""

from collections.abc import Iterator

from ltkm_inspect.catalogue.document import departures, follows_schema
from ltkm_inspect.catalogue.preconditions import MSK_ROOT, WELL_FORMED
from ltkm_inspect.document import MSK_RESPONSE_NS, XSI_NS, Splice, edit, split_name
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import TS26346, XSD1, Sure, Verb
from ltkm_inspect.traffic import Document, Item

SCHEMA = TS26346["11.8.1"]
_SCHEMA_LOCATION = f"{{{XSI_NS}}}schemaLocation"
MOST_SHOWN = 8
"""How many unknown elements of one item are named."""


SCHEMA_RULES = RuleGroup(Document, needs=[MSK_ROOT, WELL_FORMED], fast_pass=follows_schema)


@SCHEMA_RULES.rule(SCHEMA(says="no element of an MSK response has an attribute"), covers=["XML-11"])
def attribute_unexpected(document: Document) -> Problems:
    """An element of the MSK response has an attribute.

    A validating terminal rejects the whole document with all its keys. Not even xml:lang is allowed.

    Remove it. Namespace declarations are not attributes, and the four attributes of XML Schema, such as
    xsi:schemaLocation, are allowed everywhere.
    """
    return departures(document, "attribute")


@SCHEMA_RULES.rule(SCHEMA(says="the root element, Response and MSK contain only elements"), covers=["XML-19"])
def text_misplaced(document: Document) -> Problems:
    """There is text between the elements of an MSK response.

    A validating terminal rejects the whole document. Most often the text is left over from a template, or is a list
    separator that was written into the XML.

    Remove it. Only white space and comments may be between elements.
    """
    return departures(document, "text")


@SCHEMA_RULES.rule(SCHEMA(says="keyDomainID, MSKID and ResponseCode have simple content"), covers=["XML-06", "XML-07"])
def value_has_children(document: Document) -> Problems:
    """A keyDomainID, MSKID or ResponseCode contains an element.

    With an element inside, the text is no longer one value. Some terminals read what precedes the element, others read
    all of it, and a validating one rejects the document.

    Write only the value.
    """
    return _apart_from_ltkms(document, "leaf-child")


def _apart_from_ltkms(document: Document, kind: str) -> Problems:
    """Yield the departures of a kind, except those that a misplaced LTKM causes."""
    found = [*departures(document, kind)]
    held: set[object] = set()
    for ltkm in document.ltkm_elements if found else ():
        above = None if ltkm.is_placed else ltkm.element
        while above is not None and above not in held:
            held.add(above)
            above = above.getparent()
    return (problem for problem in found if problem.element not in held)


@SCHEMA_RULES.warning(
    SCHEMA(says="elements of other namespaces under the root are validated strictly, against their schema"),
    level_reason="which schemas a terminal has cannot be known",
    covers=["XML-12"],
)
def root_extension_unknown(document: Document) -> Problems:
    """An extension is under the root element, where a terminal must know its schema.

    A validating terminal without that schema rejects the whole document. Which schemas a terminal has cannot be known
    from here, so this is a warning.

    Move the extension into a Response, where validation is lax, or remove it.
    """
    if any(departures(document, "root-foreign")) and any(departures(document, "response-late")):
        yield NotApplicable("a Response follows the extension, reported by response-after-extension")
    else:
        yield from _apart_from_ltkms(document, "root-foreign")


@rule(
    SCHEMA(
        says="a Response may contain elements of other namespaces, validated if their schema is known", verb=Verb.MAY
    ),
    on=Item,
    needs=[MSK_ROOT],
    covers=["XML-13"],
)
def extension_unknown(item: Item) -> Problems:
    """An item has an extension that ltkm-inspect does not know.

    This is legal. A terminal ignores what it does not know.

    Nothing is wrong. If the element was meant to carry a key, compare its name with the one in the change request.
    """
    if not item.parts.foreign:
        return
    names = dict.fromkeys(str(element.tag) for element in item.parts.foreign)
    unknown = [name for name in names if split_name(name)[0] not in (None, MSK_RESPONSE_NS)]
    if unknown:
        more = f", and {len(unknown) - MOST_SHOWN} more" if len(unknown) > MOST_SHOWN else ""
        yield Problem("", got=", ".join(unknown[:MOST_SHOWN]) + more)


@SCHEMA_RULES.note(
    XSD1["4.3.2"](
        says="xsi:schemaLocation is a list of pairs: a namespace and the location of its schema", sure=Sure.RECALL_HIGH
    ),
    level_reason="the attribute is a hint, which a validator may ignore",
    covers=["XML-18"],
    fast_pass=None,
)
def schema_location_unpaired(document: Document) -> Problems:
    """An xsi:schemaLocation is not a list of pairs.

    It is a hint that most validators ignore, so no key is lost. The example of the change request has such an
    attribute.

    Write each namespace with the location of its schema, or omit the attribute.
    """
    if "schemaLocation" not in (document.xml.text or ""):
        return
    for element in document.root.iter("*"):
        value = element.get(_SCHEMA_LOCATION)
        if value is not None and len(value.split()) % 2:
            yield Problem("", "an even number of names", str(len(value.split())), element=element)


@fault(on=Document, reference="download", trips={"attribute-unexpected"})
def write_attribute(document: Document, *, name: str = "xml:lang", value: str = "en") -> Iterator[Splice]:
    """Add an attribute to the first Response."""
    yield edit.attribute_set(document.xml, document.items[0].element, name, value)


@fault(on=Document, reference="download", trips={"text-misplaced"})
def insert_text(document: Document, *, text: str = "key 1") -> Iterator[Splice]:
    """Insert text before the first MSK."""
    yield edit.before(document.xml, document.items[0].parts.msks[0], text)


@fault(on=Document, reference="download", trips={"value-has-children"})
def insert_value_child(document: Document) -> Iterator[Splice]:
    """Insert an element into the first ResponseCode, after its text."""
    yield edit.appended(document.xml, document.items[0].parts.codes[0], '<x:note xmlns:x="urn:example:extension"/>')


@fault(on=Document, reference="download", trips={"root-extension-unknown"})
def append_extension(document: Document) -> Iterator[Splice]:
    """Add an extension after the last Response."""
    yield edit.appended(document.xml, document.root, '<x:note xmlns:x="urn:example:extension"/>')
