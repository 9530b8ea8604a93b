"""Rules and faults on the HTTP exchange around an MSK response."""

import zlib
from dataclasses import replace
from operator import attrgetter

from ltkm_inspect import coding
from ltkm_inspect.catalogue.changes import with_request, with_response, with_response_header
from ltkm_inspect.catalogue.preconditions import HAS_LTKM, RESPONSE
from ltkm_inspect.document import MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE, edit
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import CR, RFC9110, TS33246, Sure
from ltkm_inspect.traffic import Exchange, Response

MIKEY_TYPE = "application/mikey"
"""Media type of a MIKEY message (RFC 3830 §10.1)."""
DELIVERY = CR["5.2.1.1"](
    quote="the LTKMs carrying the requested SEKs/PEKs MAY be included in the message body of the BSM response "
    "successfully ending the HTTP flow of LTKM Procedure Request (HTTP 200 OK, Authentication-Info header present, "
    "MBMS MSK Response payload as a message body)"
)
REJECTED_MULTIPART = CR["1, option 2"](says="a multipart/mixed body was considered and rejected")
PAIRS = CR["5.2.1.1"](
    quote="the key identification information comprises a list of one or more Key Domain ID – SEK/PEK ID pairs"
)


DELIVERY_RULES = RuleGroup(
    Exchange, cite=[DELIVERY], needs=[HAS_LTKM], looks_at=["response.status"], takes=attrgetter("response")
)
RESPONSE_RULES = RuleGroup(Exchange, needs=[RESPONSE], looks_at=["response.body", "response.status"])


@DELIVERY_RULES.rule(covers=["CR-6"])
def status_not_200(_: Exchange, response: Response) -> Problems:
    """A response with LTKMs has an HTTP status other than 200.

    Only the 200 OK that ends the procedure may carry LTKMs. A terminal that follows the procedure does not look for
    keys in any other response, so these are lost. A 401 also hands them to someone who has not authenticated.

    Check the BSM's response builder: LTKMs belong only in the response to the authenticated request.
    """
    if response.status != 200:
        yield Problem("response.status", expected="200 OK", got=f"{response.status} {response.reason}".strip())


@DELIVERY_RULES.rule(covers=["CR-7"], looks_at=["response.headers.Authentication-Info", "response.status"])
def authentication_info_missing(exchange: Exchange, response: Response) -> Problems:
    """A response with LTKMs has no Authentication-Info in its header or trailer.

    Authentication-Info proves to the terminal that the response and its keys come from someone who knows the MRK.
    Without it, the terminal cannot tell the BSM from a stranger on the path.

    Make the BSM send Authentication-Info with rspauth in every response that ends the procedure. If a proxy in between
    removes it, fix that first.
    """
    value = response.authentication_info_text
    if response.status == 401:
        yield NotApplicable("a 401 does not end the procedure")
    elif value is None and exchange.may_have_lost_trailer:
        yield NotApplicable("Authentication-Info may be in the trailer, which was not captured")
    elif value is None or not value.strip():
        got = "none" if value is None else "an empty field"
        yield Problem("response.headers.Authentication-Info", "Authentication-Info", got)


@RESPONSE_RULES.rule(
    DELIVERY,
    REJECTED_MULTIPART,
    TS33246["G.2.3"](says="a successful response to an MSK request has the type application/mbms-msk-response+xml"),
    covers=["CR-8b", "HTTP-20"],
    looks_at=["response.headers.Content-Type", "response.status", "response.body"],
)
def media_type_wrong(exchange: Exchange) -> Problems:
    """The Content-Type of the response is not that of an MSK response.

    The terminal chooses the parser of the body by its type, so with another type the body may never be parsed. The
    change request considered multipart/mixed and rejected it, to stay compatible with MBMS terminals.

    Send `Content-Type: application/mbms-msk-response+xml`. The request's type, application/mbms-msk+xml, is in an
    informative example of 3GPP TS 33.246 (H.2.1) by mistake, so it is only a warning.
    """
    response, document = exchange.response, exchange.document
    assert response is not None
    answers = exchange.asks_for_msk and response.status == 200
    path, got = "response.headers.Content-Type", response.media_type.name
    if exchange.registers:
        yield NotApplicable("the request registers or deregisters")
    elif not response.body or not (answers or (document is not None and document.is_msk_response)):
        yield NotApplicable("the response has no MSK response document")
    elif got == MSK_REQUEST_TYPE:
        hint = "the type of the request; an example in 3GPP TS 33.246 H.2.1 has it by mistake"
        yield Problem(path, MSK_RESPONSE_TYPE, got, hint, Level.WARNING)
    elif got != MSK_RESPONSE_TYPE:
        hint = "option 2, which the change request rejected" if got.startswith("multipart/") else ""
        yield Problem(path, MSK_RESPONSE_TYPE, got or "none", hint)


@RESPONSE_RULES.rule(
    DELIVERY,
    RFC9110["8.4"](says="Content-Encoding lists the codings that were applied", sure=Sure.RECALL_HIGH),
    covers=["XML-01"],
    looks_at=["response.headers.Content-Encoding", "response.body"],
)
def body_undecodable(exchange: Exchange) -> Problems:
    """The response body does not decode with its content coding.

    The terminal gets the same octets, so it has no document and no keys. The exchange does not show whether
    the BSM or something in between damaged the body.

    Compare the body on both sides of every proxy, and try the request without Accept-Encoding.
    """
    content = exchange.content
    if content is None:
        yield NotApplicable("the response has no body")
    elif content.problem is not None and not content.truncated:
        yield Problem.of_reason(content.problem, "response.body")


@rule(
    RFC9110["8.4.1.2"](says="deflate is the zlib format, which has a wrapper around the compressed data"),
    on=Exchange,
    level=Level.WARNING,
    level_reason="the clause only defines the format, and notes that some senders leave the wrapper out",
    covers=["HTTP-22b"],
    looks_at=["request.headers.Content-Encoding", "response.headers.Content-Encoding"],
)
def deflate_unwrapped(exchange: Exchange) -> Problems:
    """A deflate body has no zlib wrapper.

    The wrapper is two octets before the compressed data and a checksum after it. Some receivers guess that it was left
    out. A receiver that follows the standard cannot read the body and gets no keys.

    Send the zlib format, or use gzip, which all receivers read in the same way. In Python and Java, use the wrapped
    form of the same compressor; in .NET, use `ZLibStream` instead of `DeflateStream`.
    """
    sides = {"request": exchange.request_content, "response": exchange.content}
    decoded = {side: body for side, body in sides.items() if body is not None and "deflate" in _codings(exchange, side)}
    if not decoded:
        yield NotApplicable("no body uses deflate")
    for side, body in decoded.items():
        if body.unwrapped and body.problem is None:  # else it is reported that it cannot be decoded
            yield Problem(f"{side}.headers.Content-Encoding", "deflate in the zlib format", "bare compressed data")


def _codings(exchange: Exchange, side: str) -> tuple[str, ...]:
    message = exchange.request if side == "request" else exchange.response
    return () if message is None else coding.codings(message.headers.get("Content-Encoding"))


@RESPONSE_RULES.rule(
    TS33246["G.2.3"](says="the response to an MSK request carries one status code for each requested MSK"),
    covers=["CR-8a"],
)
def body_missing(exchange: Exchange) -> Problems:
    """A 200 OK that ends the procedure has an empty body.

    The status line only says that the request was processed. The body says what became of each requested key, so the
    terminal learns nothing from an empty one.

    Make the BSM answer with an MSK response document, whatever it says about each key.
    """
    response = exchange.response
    assert response is not None
    if not exchange.asks_for_msk or response.status != 200 or exchange.request.method.upper() == "HEAD":
        yield NotApplicable("the response is not the 200 OK to an MSK request")
    elif response.body is None:
        yield NotApplicable("the body was not captured")
    elif not response.body:
        yield Problem("response.body", expected="an MSK response document", got="no octets")


@rule(PAIRS, on=Exchange, covers=["CR-9"], looks_at=["request.body"], fast_pass=Exchange.asks_plainly)
def request_names_no_key(exchange: Exchange) -> Problems:
    """The request asks for no key.

    A terminal asks with a list of at least one pair of Key Domain ID and SEK/PEK ID. Without one, a BSM that reports
    success answers a request that asked for nothing.

    Check the terminal: the body of its request must be an MSK request document with at least one MSK, each with
    keyDomainID and MSKID.
    """
    document = exchange.request_document
    claims_success = exchange.response is not None and exchange.response.status == 200
    path, expected = "request.body", "at least one pair of Key Domain ID and MSK ID"
    if not exchange.asks_for_msk:
        yield NotApplicable("the request asks for no MSK")
    elif document is None:
        yield NotApplicable("no request body was captured, or it is over the limit")
    elif (document.root is None or not document.well_formed) and not claims_success:
        yield NotApplicable("the request has no document, and the response does not report success")
    elif document.root is None or not document.well_formed:
        got = "a body that is not well-formed XML" if exchange.request.body else "no octets"
        yield Problem(path, expected, got, "but the response reports success")
    elif not any(pair.key_domain_ids and pair.msk_ids for pair in exchange.requested_msks):
        yield Problem(path, expected, "none")


@RESPONSE_RULES.rule(
    TS33246["G.2.3"](says="an MSK response answers a request of type msk-request"),
    covers=["HTTP-03"],
    looks_at=["request.target"],
)
def request_type_foreign(exchange: Exchange) -> Problems:
    """An MSK response answers a request to register or deregister.

    A terminal that registers or deregisters does not look for keys in the answer, so they are lost.

    Check how the BSM dispatches on requesttype.
    """
    document = exchange.document
    if document is None or not document.is_msk_response:
        yield NotApplicable("the response has no MSK response document")
    elif exchange.registers:
        if exchange.asks_for_msk:
            yield NotApplicable("the request has several request types, reported by request-type-not-single")
            return
        yield Problem("request.target", "requesttype=msk-request", ", ".join(exchange.request.request_types))


@fault(on=Exchange, reference="download", trips={"status-not-200"})
def replace_status(exchange: Exchange, *, status: int = 202, reason: str = "Accepted") -> Exchange:
    """Answer with another HTTP status."""
    return with_response(exchange, status=status, reason=reason)


@fault(on=Exchange, reference="download", trips={"authentication-info-missing"})
def drop_authentication_info(exchange: Exchange) -> Exchange:
    """Remove Authentication-Info from header and trailer."""
    assert exchange.response is not None
    return replace(exchange, response=exchange.response.without_info())


@fault(on=Exchange, reference="download", trips={"authentication-info-missing"})
def empty_authentication_info(exchange: Exchange) -> Exchange:
    """Send an empty Authentication-Info."""
    return with_response_header(exchange, "Authentication-Info", "")


@fault(on=Exchange, reference="download", trips={"media-type-wrong"})
def change_media_type(exchange: Exchange, *, to: str = "application/xml") -> Exchange:
    """Send the same body with another Content-Type."""
    return with_response_header(exchange, "Content-Type", to)


@fault(on=Exchange, reference="download", trips={"media-type-wrong"})
def wrap_multipart(exchange: Exchange, *, boundary: str = "ltkm", separate: bool = True) -> Exchange:
    """Send the document as one part of multipart/mixed (option 2, which the change request rejected).

    The messages move out of the document into the other parts, in binary. With `separate=false` they stay in it.
    """
    document = exchange.document
    content = (exchange.content.octets if exchange.content else None) or b""
    parts = [(MSK_RESPONSE_TYPE, content)]
    if separate and document is not None:
        taken = {ltkm.element: ltkm.octets for ltkm in document.ltkm_elements if ltkm.octets}
        outer = [element for element in taken if not any(above in taken for above in element.iterancestors())]
        kept = document.xml.splice(edit.replaced(document.xml, element, "") for element in outer)
        parts = [(MSK_RESPONSE_TYPE, kept), *((MIKEY_TYPE, octets) for octets in taken.values())]
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(delimiter + f"Content-Type: {name}\r\n\r\n".encode() + part + b"\r\n" for name, part in parts)
    typed = with_response_header(exchange, "Content-Type", f"multipart/mixed; boundary={boundary}")
    assert typed.response is not None
    return replace(typed, response=typed.response.with_content(body + f"--{boundary}--\r\n".encode()))


@fault(on=Exchange, reference="download", trips={"body-undecodable"})
def break_coding(exchange: Exchange, *, coding: str = "gzip") -> Exchange:
    """Declare a content coding that the body does not have."""
    return with_response_header(exchange, "Content-Encoding", coding)


@fault(on=Exchange, reference="download", trips={"deflate-unwrapped"})
def unwrap_deflate(exchange: Exchange) -> Exchange:
    """Send the body as deflate without the zlib wrapper."""
    content = (exchange.content.octets if exchange.content else None) or b""
    coded = with_response_header(exchange, "Content-Encoding", "deflate").response
    assert coded is not None
    return replace(exchange, response=coded.with_body(zlib.compress(content, wbits=-zlib.MAX_WBITS)))


@fault(on=Exchange, reference="download", trips={"body-missing"})
def empty_body(exchange: Exchange) -> Exchange:
    """Send an empty body."""
    return with_response(with_response_header(exchange, "Content-Length", "0"), body=b"")


@fault(on=Exchange, reference="download", trips={"request-names-no-key"})
def empty_request(exchange: Exchange) -> Exchange:
    """Remove the body from the recorded request."""
    return with_request(exchange, body=b"")


@fault(on=Exchange, reference="download", trips={"request-names-no-key"})
def replace_request(
    exchange: Exchange, *, document: str = '<mbmsMSKRequest xmlns="urn:3GPP:metadata:2005:MBMS:mskRequest"/>'
) -> Exchange:
    """Replace the document of the recorded request (default: one without a pair)."""
    return with_request(exchange, body=document.encode())


@fault(on=Exchange, reference="download", trips={"request-type-foreign"})
def replace_request_type(exchange: Exchange, *, to: str = "register") -> Exchange:
    """Write another request type into the recorded request."""
    return with_request(exchange, target=exchange.request.target.replace("msk-request", to))
