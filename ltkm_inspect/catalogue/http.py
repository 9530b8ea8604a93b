"""Rules and faults on method, version, target, header fields and status of an MSK exchange."""

from operator import attrgetter
from urllib.parse import unquote

from ltkm_inspect.catalogue.changes import with_request, with_request_header
from ltkm_inspect.catalogue.exchange import replace_status
from ltkm_inspect.catalogue.preconditions import HAS_LTKM, MSK_PROCEDURE, RESPONSE, USIM
from ltkm_inspect.catalogue.realm import AKMA_TOKEN, GBA_TOKEN, is_bootstrapped, product_tokens
from ltkm_inspect.digest import REALM_PREFIXES
from ltkm_inspect.document import MSK_REQUEST_TYPE
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC7616, RFC9111, TS24109, TS26346, TS33246, TS33535, Sure, Verb
from ltkm_inspect.traffic import USUAL_TARGET, Exchange, Response

REQUEST = TS33246["G.2.3"](says="an MSK request is a POST of HTTP/1.1 to /keymanagement?requesttype=msk-request")
STATUS = TS33246["G.2.4"](says="a table lists the status codes that a BM-SC uses", verb=Verb.SHOULD)
REQUEST_TYPE = "msk-request"
PATH = "/keymanagement"
USED = frozenset({200, 400, 401, 403, 404, 405, 501, 503, 504, 505})
"""The status codes that a BSM uses."""
UNUSED = frozenset({402, *range(406, 418), 500, 502})
"""The status codes that the table calls reserved or not used."""


def asks_usually(exchange: Exchange) -> bool:
    """Tell whether the request line and the media type are the usual ones, word for word."""
    request = exchange.request
    return (
        request.method == "POST"
        and request.target == USUAL_TARGET
        and request.http_version == "HTTP/1.1"
        and request.media_type.name == MSK_REQUEST_TYPE
    )


def answers_usually(exchange: Exchange) -> bool:
    """Tell whether the response is a 200 without content coding, and says nothing to caches."""
    response = exchange.response
    if response is None or response.status != 200:
        return False
    return "content-encoding" not in response.headers and "cache-control" not in response.headers


REQUEST_RULES = RuleGroup(
    Exchange, cite=[REQUEST], needs=[MSK_PROCEDURE], looks_at=["request.target"], fast_pass=asks_usually
)
ANSWER_RULES = RuleGroup(
    Exchange,
    needs=[MSK_PROCEDURE, RESPONSE],
    looks_at=["response.status"],
    takes=attrgetter("response"),
    fast_pass=answers_usually,
)


@REQUEST_RULES.rule(covers=["HTTP-01"], looks_at=["request.method"])
def method_not_post(exchange: Exchange) -> Problems:
    """The MSK request is not a POST.

    The pairs of Key Domain ID and MSK ID are in the request body, and only POST passes that body to the BSM. Caches and
    proxies also treat other methods differently.

    Check the terminal's HTTP stack. Methods are case-sensitive.
    """
    if exchange.request.method != "POST":
        yield Problem("request.method", "POST", exchange.request.method)


@REQUEST_RULES.warning(
    level_reason="a proxy on the path may use another version than terminal and BSM",
    covers=["HTTP-02"],
    looks_at=["request.http_version"],
)
def http_version_wrong(exchange: Exchange) -> Problems:
    """The MSK request does not use HTTP/1.1.

    HTTP/1.0 has no chunked bodies, trailers or persistent connections. A later version is only a note, because this
    side of a proxy may use it, and Digest works over it as well.

    Compare with what the BSM receives, and make the terminal use HTTP/1.1.
    """
    version = exchange.request.http_version
    name = version.upper()
    if not name or name == "UNKNOWN":
        yield NotApplicable("the HTTP version was not captured")
    elif name != "HTTP/1.1":
        later = name.startswith(("HTTP/2", "HTTP/3", "H2", "H3"))
        yield Problem("request.http_version", "HTTP/1.1", version, level=Level.NOTE if later else None)


@REQUEST_RULES.rule(covers=["HTTP-03"])
def request_path_wrong(exchange: Exchange) -> Problems:
    """The path of the MSK request does not end in /keymanagement.

    The terminal appends /keymanagement to the base URI of key management that it was given. A BSM that listens
    elsewhere works only with this terminal.

    Compare the base URI in the terminal's provisioning with the address that the BSM listens on. Paths are
    case-sensitive.
    """
    path = exchange.request.resource[0]
    if not path.endswith(PATH) and not unquote(path).endswith(PATH):
        yield Problem("request.target", f"a path that ends in {PATH}", path or "none")


@REQUEST_RULES.rule(covers=["HTTP-03"])
def request_type_not_single(exchange: Exchange) -> Problems:
    """The query of the MSK request does not have exactly one requesttype=msk-request.

    The BSM tells an MSK request from a registration by this parameter. If it is missing or repeated, the request can
    mean anything.

    Send `requesttype=msk-request` once. Other parameters are allowed.
    """
    found = exchange.request.request_types
    if len(found) != 1:
        yield Problem("request.target", f"one requesttype={REQUEST_TYPE}", ", ".join(found[:5]) or "none")
    elif found[0] != REQUEST_TYPE:
        yield Problem("request.target", f"requesttype={REQUEST_TYPE}", found[0] or "an empty value")


@REQUEST_RULES.rule(
    TS33246["G.2.3"](says="an MSK request has the type application/mbms-msk+xml"),
    TS26346["C.8"](says="the media type of an MSK request is application/mbms-msk+xml"),
    covers=["HTTP-04"],
    looks_at=["request.headers.Content-Type", "request.method"],
)
def request_media_type_wrong(exchange: Exchange) -> Problems:
    """The Content-Type of the MSK request is not application/mbms-msk+xml.

    The BSM chooses the parser of the body by its type. A BSM that checks the type refuses this request.

    Send `Content-Type: application/mbms-msk+xml`.
    """
    request = exchange.request
    got = request.media_type.name
    if got == MSK_REQUEST_TYPE:
        return
    if request.method != "POST":
        yield NotApplicable("the request is not a POST, reported by method-not-post")
    elif not got and request.body == b"":
        yield NotApplicable("the request has no body")
    else:
        yield Problem("request.headers.Content-Type", MSK_REQUEST_TYPE, got or "none")


@rule(
    TS24109["5.2.1"](says="User-Agent has the product token 3gpp-gba, 3gpp-gba-uicc or 3gpp-gba-digest"),
    TS24109["5.2.2.1"](says="the prefix of the realm matches the product token"),
    TS33535["B"](says="with AKMA, User-Agent has the product token 3gpp-akma, and the realm has the matching prefix"),
    on=Exchange,
    level=Level.WARNING,
    level_reason="a BSM that knows its terminals does not need it, and the keys are the same",
    needs=[MSK_PROCEDURE, USIM],
    covers=["HTTP-05"],
    looks_at=["request.headers.User-Agent", "request.headers.Authorization"],
    fast_pass=is_bootstrapped,
)
def user_agent_lacks_gba(exchange: Exchange) -> Problems:
    """User-Agent has no product token of GBA or AKMA, or one that does not match the realm.

    The product token 3gpp-gba, 3gpp-gba-uicc, 3gpp-gba-digest or 3gpp-akma tells the BSM that it may ask for
    credentials from bootstrapping or AKMA, and of which kind. Without it, a BSM may refuse the request or ask for a
    password.

    Add the token to User-Agent in every request. If there is one that does not match the realm, check how the BSM
    chooses its realm.
    """
    agent = exchange.request.headers.get("User-Agent") or ""
    credentials = exchange.request.credentials
    realms = credentials.realms if credentials is not None else ()
    tokens = dict.fromkeys(REALM_PREFIXES[realm.prefix] for realm in realms)
    if (not tokens or GBA_TOKEN in tokens) and agent.endswith(" " + GBA_TOKEN):
        return
    found = product_tokens(agent)
    path = "request.headers.User-Agent"
    expected = f"a product token {' or '.join(tokens or (GBA_TOKEN, AKMA_TOKEN))}"
    if not found:
        yield Problem(path, expected, agent or "none")
    elif tokens and found.isdisjoint(tokens):
        yield Problem(path, expected, agent, f"the realm begins with {realms[0].prefix}")


@ANSWER_RULES.warning(STATUS, covers=["HTTP-19"])
def status_unusual(exchange: Exchange, response: Response) -> Problems:
    """A BSM does not use this HTTP status to answer an MSK request.

    A table tells the terminal which errors are worth a second try. How it reacts to another status is up to its maker;
    it may ask again without end.

    Use a status from the table. If a proxy in between sent this one, find out what it could not reach. An interim
    response or a redirection is only a note.
    """
    status = response.status
    if status in USED:
        return
    if exchange.document is not None and exchange.document.has_ltkm:
        yield NotApplicable("the response has an LTKM; its status is reported by status-not-200")
        return
    hint = "the table lists it as reserved or not used" if status in UNUSED else ""
    level = Level.NOTE if 100 <= status < 200 or 300 <= status < 400 else None
    yield Problem("response.status", "a status that a BSM uses", f"{status} {response.reason}".strip(), hint, level)


@ANSWER_RULES.note(
    TS33246["G.2.4"](says="after a 503 the terminal tries again at the time in Retry-After", verb=Verb.MAY),
    covers=["HTTP-19"],
    looks_at=["response.status", "response.headers.Retry-After"],
)
def retry_time_missing(_: Exchange, response: Response) -> Problems:
    """A 503 has no Retry-After.

    Retry-After tells the terminal when to try again. Without it, each terminal chooses a time, and all of them may come
    back at once.

    Send Retry-After, with values spread over some minutes.
    """
    if response.status == 503 and response.headers.get("Retry-After") is None:
        yield Problem("response.headers.Retry-After", "a time or a number of seconds", "none")


@ANSWER_RULES.note(
    RFC7616["3.4.3"](says="the auth-int digest covers the body with its content coding", verb=Verb.MAY),
    covers=["HTTP-22"],
    looks_at=["response.headers.Content-Encoding"],
)
def content_coded(_: Exchange, response: Response) -> Problems:
    """The response has a content coding.

    The auth-int digest covers the octets as sent, that is, compressed. A terminal or BSM that uses the decoded document
    instead finds every digest wrong.

    If digests fail, first try the request without Accept-Encoding.
    """
    coding = response.headers.get("Content-Encoding")
    if coding and coding.strip().lower() != "identity":
        yield Problem("response.headers.Content-Encoding", got=coding)


@rule(
    TS33246["6.4.1"](says="MIKEY itself encrypts and authenticates an MSK message", verb=Verb.MAY),
    on=Exchange,
    needs=[HAS_LTKM],
    covers=["HTTP-23"],
    looks_at=["request.scheme"],
)
def transport_plain(exchange: Exchange) -> Problems:
    """LTKMs are sent over HTTP without TLS.

    This is legal: the message encrypts the keys, and auth-int protects the document. An eavesdropper still learns which
    terminal asks for which keys, and sees the identities.

    Nothing needs to be done. Use https if the privacy of subscribers matters.
    """
    if exchange.request.scheme == "http":
        yield Problem("request.scheme", got="http, without TLS")


@ANSWER_RULES.note(
    RFC9111["3.5"](
        says="public or s-maxage lets a shared cache store the response to a request with Authorization",
        verb=Verb.MAY,
        sure=Sure.RECALL_HIGH,
    ),
    covers=["HTTP-24"],
    looks_at=["response.headers.Cache-Control", "request.headers.Authorization"],
)
def response_cacheable(exchange: Exchange, response: Response) -> Problems:
    """A shared cache may store the response to a request with credentials.

    One terminal's response must not reach another. Caches rarely store the response to a POST, but there is no reason
    to allow it.

    Send `Cache-Control: no-store`, or omit public and s-maxage.
    """
    control = response.headers.get("Cache-Control")
    if control is None or exchange.request.headers.get("Authorization") is None:
        return
    names = {part.partition("=")[0].strip() for part in control.lower().split(",")}
    if names & {"public", "s-maxage"} and not names & {"no-store", "private"}:
        yield Problem("response.headers.Cache-Control", "no-store", control)


@fault(on=Exchange, reference="download", trips={"method-not-post"})
def replace_method(exchange: Exchange, *, to: str = "GET") -> Exchange:
    """Replace the method of the recorded request."""
    return with_request(exchange, method=to)


@fault(on=Exchange, reference="download", trips={"http-version-wrong"})
def replace_http_version(exchange: Exchange, *, to: str = "HTTP/1.0") -> Exchange:
    """Replace the HTTP version of the recorded request."""
    return with_request(exchange, http_version=to)


@fault(on=Exchange, reference="download", trips={"request-path-wrong"})
def replace_path(exchange: Exchange, *, to: str = "/keys") -> Exchange:
    """Replace the path of the recorded request."""
    request = exchange.request
    return with_request(exchange, target=request.target.replace(request.resource[0], to, 1))


@fault(on=Exchange, reference="download", trips={"request-type-not-single"})
def drop_request_type(exchange: Exchange) -> Exchange:
    """Remove requesttype from the query of the recorded request."""
    return _retype(exchange, "")


@fault(on=Exchange, reference="download", trips={"request-type-not-single"})
def repeat_request_type(exchange: Exchange, *, value: str = "register") -> Exchange:
    """Add a second requesttype to the recorded request."""
    return _retype(exchange, f"requesttype={REQUEST_TYPE}&requesttype={value}")


@fault(on=Exchange, reference="download", trips={"request-type-not-single"})
def misspell_request_type(exchange: Exchange, *, value: str = "MSK-Request") -> Exchange:
    """Write an unknown requesttype into the recorded request."""
    return _retype(exchange, f"requesttype={value}")


def _retype(exchange: Exchange, parameter: str) -> Exchange:
    before, found, after = exchange.request.target.partition(f"requesttype={REQUEST_TYPE}")
    if not found:
        raise FaultError(f"the request has no requesttype={REQUEST_TYPE}")
    return with_request(exchange, target=before + parameter + after)


@fault(on=Exchange, reference="download", trips={"request-media-type-wrong"})
def change_request_media_type(exchange: Exchange, *, to: str = "text/xml") -> Exchange:
    """Replace the Content-Type of the recorded request."""
    return with_request_header(exchange, "Content-Type", to)


@fault(on=Exchange, reference="download", trips={"user-agent-lacks-gba"})
def drop_gba_token(exchange: Exchange, *, agent: str = "bcast-terminal/1.0") -> Exchange:
    """Remove the product token from User-Agent in the recorded request."""
    return with_request_header(exchange, "User-Agent", agent)


@fault(on=Exchange, reference="download", trips={"user-agent-lacks-gba"})
def replace_gba_token(exchange: Exchange, *, token: str = "3gpp-gba-uicc") -> Exchange:
    """Replace the product token in the recorded User-Agent with one that does not match the realm."""
    return with_request_header(exchange, "User-Agent", f"bcast-terminal/1.0 {token}")


@fault(on=Exchange, reference="akma", trips={"user-agent-lacks-gba"})
def replace_akma_token(exchange: Exchange, *, token: str = GBA_TOKEN) -> Exchange:
    """Write a GBA product token into the recorded User-Agent, although the realm is AKMA's."""
    return replace_gba_token(exchange, token=token)


@fault(on=Exchange, reference="plain-mbms", trips={"status-unusual"})
def replace_plain_status(exchange: Exchange, *, status: int = 502, reason: str = "Bad Gateway") -> Exchange:
    """Give a response without LTKMs a status that a BSM does not use."""
    return replace_status(exchange, status=status, reason=reason)
