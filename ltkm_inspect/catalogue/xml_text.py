"""Rules and faults on the document as text: well-formed XML and its encoding."""

import re
from collections.abc import Iterator

from ltkm_inspect.catalogue.document import BODY
from ltkm_inspect.document import SLIPS, Splice, edit
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import XML, Verb
from ltkm_inspect.traffic import Document
from ltkm_inspect.wire import Span


def is_plain_text(document: Document) -> bool:
    """Tell whether the document is well-formed XML in UTF-8, and all that says something of its encoding agrees."""
    xml = document.xml
    return xml.error is None and xml.encoding.codec == "utf_8" and xml.encoding.problem is None


TEXT_RULES = RuleGroup(Document, fast_pass=is_plain_text)


@TEXT_RULES.rule(BODY, XML["2.1"](says="a document is well-formed"), covers=["XML-01"])
def xml_malformed(document: Document) -> Problems:
    """The body is not well-formed XML.

    A terminal's parser stops at the first error, so every key of the response is lost, not only the one beside it. The
    example printed in the change request has two such errors, which have been copied into servers.

    Fix the text at the octet that the finding names. What ltkm-inspect shows of such a document was recovered by a
    lenient parser and may differ from what a terminal sees. Its items are shown but not checked.
    """
    error = document.xml.error
    if error is None or document.xml.well_formed or error.kind == "doctype":
        return
    if document.xml.slips:
        for slip in document.xml.slips:
            at = Span(document.xml.octet_offset(slip.start), document.xml.octet_offset(slip.end))
            got = f"{slip.attribute}: {SLIPS[slip.kind]}"
            yield Problem("", "well-formed XML", got, "as in the example of the change request", span=at)
        return
    where = f"line {error.line}, column {error.column}"
    yield Problem.of_reason(error.reason, hint=where, span=Span(error.offset, error.offset + 1))


@TEXT_RULES.rule(
    level=Level.VIOLATION,
    level_reason="parsing it is not safe, although XML allows it",
    covers=["XML-02"],
)
def doctype_present(document: Document) -> Problems:
    """The document has a document type declaration.

    Such a declaration can define entities that fill a terminal's memory or read its files. ltkm-inspect refuses to
    parse the document, and so should everyone else.

    Remove it. Nothing in an MSK response needs one.
    """
    error = document.xml.error
    if error is not None and error.kind == "doctype":
        at = Span(error.offset, document.xml.octet_offset(error.text_offset + len("<!DOCTYPE")))
        yield Problem("", "no document type declaration", "one", "refused before parsing", span=at)


@TEXT_RULES.warning(
    XML["4.3.3"](says="a document in another encoding than UTF-8 or UTF-16 declares it"),
    level_reason="a terminal that follows the right one of the three still reads the document",
    covers=["XML-03", "HTTP-21"],
    looks_at=["response.body.encoding"],
)
def encoding_mismatch(document: Document) -> Problems:
    """Byte order mark, XML declaration and charset do not agree on the encoding.

    Parsers differ in which of the three they follow, so the same octets are keys to one terminal and noise to another.

    Write UTF-8, declare UTF-8, and make the charset parameter match, or omit it.
    """
    if document.xml.encoding.problem is not None:
        yield Problem.of_reason(document.xml.encoding.problem)


@TEXT_RULES.note(
    XML["4.3.3"](says="every parser reads UTF-8 and UTF-16; other encodings are up to it", verb=Verb.MAY),
    covers=["XML-03"],
    looks_at=["response.body.encoding"],
)
def encoding_unusual(document: Document) -> Problems:
    """The encoding of the document is neither UTF-8 nor UTF-16.

    It is declared and legal, but a terminal's parser need not know it.

    Use UTF-8.
    """
    codec = document.xml.encoding.codec.replace("_", "-")
    if document.xml.encoding.problem is None and not codec.startswith(("utf-8", "utf-16", "ascii")):
        yield Problem("", "UTF-8 or UTF-16", document.xml.encoding.name)


@fault(on=Document, reference="download", trips={"xml-malformed"})
def cut_document(document: Document) -> Iterator[Splice]:
    """Cut the document off in the middle of its first LTKM, or else before its last end tag."""
    text = document.xml.text or ""
    if document.ltkm_elements:
        at = edit.extent(document.xml, document.ltkm_elements[0].element)
        yield Splice((at.content + at.content_end) // 2, len(text), "")
    else:
        yield Splice(text.rindex("</"), len(text), "")


@fault(on=Document, reference="download", trips={"xml-malformed"})
def unquote_attribute(document: Document) -> Iterator[Splice]:
    """Write an attribute of the root element without quotation marks, as in the change request's example."""
    yield edit.attributed(document.xml, document.root, "xmlns:xsi=http://www.w3.org/2001/XMLSchema-instance")


@fault(on=Document, reference="download", trips={"doctype-present"})
def insert_doctype(document: Document) -> Iterator[Splice]:
    """Insert a document type declaration before the root element."""
    yield edit.before(document.xml, document.root, "<!DOCTYPE mbmsMSKResponse>")


_DECLARATION = re.compile(r"""<\?xml\s+version\s*=\s*(?:"[^"]*"|'[^']*')""")


@fault(on=Document, reference="download", trips={"encoding-mismatch"})
def declare_encoding(document: Document, *, name: str = "UTF-16") -> Iterator[Splice]:
    """Declare an encoding other than the real one (default: UTF-16, or UTF-8 if the document is UTF-16)."""
    text, encoding = document.xml.text or "", document.xml.encoding
    if encoding.name.startswith(name):
        name = "UTF-8" if name != "UTF-8" else "UTF-16"
    declaration = _DECLARATION.match(text)
    if encoding.declared is not None:
        at = text.index(encoding.declared)
        yield Splice(at, at + len(encoding.declared), name)
    elif declaration is not None:
        yield Splice(declaration.end(), declaration.end(), f' encoding="{name}"')
    else:
        yield Splice(0, 0, f'<?xml version="1.0" encoding="{name}"?>')
