"""Rules and faults on Authorization, which proves the request."""

import re
from dataclasses import replace
from urllib.parse import unquote, unquote_plus

from ltkm_inspect.catalogue.challenge import AUTHENTICATE, first_challenge, put_challenge
from ltkm_inspect.catalogue.changes import with_request, with_request_header
from ltkm_inspect.catalogue.preconditions import MSK_PROCEDURE, RESPONSE
from ltkm_inspect.digest import Directives
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC7616, TS24109, TS33246, Verb
from ltkm_inspect.traffic import Exchange, split_target

MUTUAL = TS33246["6.2.1.3"](says="HTTP Digest authenticates both sides in every procedure between terminal and BM-SC")
INTEGRITY = TS33246["6.2.1.3"](says="HTTP Digest protects the integrity of every procedure between terminal and BM-SC")
CREDENTIALS = RFC7616["3.4"](says="the directives of credentials and their form")
AUTHORIZATION = "request.headers.Authorization"
ALGORITHMS = frozenset({"MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS"})
"""What is expected between terminal and BSM, in upper case."""
COUNT = re.compile(r"[0-9a-fA-F]{8}")
HEX = re.compile(r"[0-9a-fA-F]+")
NO_CREDENTIALS = NotApplicable("the request has no Digest credentials")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_ALWAYS = ("username", "realm", "nonce", "uri", "response")
_WITH_QOP = ("cnonce", "nc")
_WHOLE = frozenset((*_ALWAYS, *_WITH_QOP, "qop"))


def is_well_authorized(exchange: Exchange) -> bool:
    """Tell whether the credentials are complete, for MD5 and auth-int, in the usual form, for the very target."""
    credentials = exchange.credentials
    if credentials is None or credentials.rest:
        return False
    have = credentials.first
    return (
        have.keys() >= _WHOLE
        and have["qop"] == "auth-int"
        and have["uri"] == exchange.request.target
        and have.get("algorithm", "MD5") == "MD5"
        and COUNT.fullmatch(have["nc"]) is not None
        and _DIGEST.fullmatch(have["response"]) is not None
    )


@rule(
    MUTUAL,
    on=Exchange,
    needs=[MSK_PROCEDURE, RESPONSE],
    covers=["HTTP-06"],
    looks_at=[AUTHORIZATION, "response.status"],
)
def authorization_missing(exchange: Exchange) -> Problems:
    """A request without Digest credentials got a 200.

    The BSM has not checked who the terminal is. It cannot know which MUK must protect a key, and gives keys or answers
    to anyone.

    Make the BSM answer with a 401 and a Digest challenge until the terminal sends credentials. If a proxy in between
    removes Authorization, fix that first.
    """
    request, response = exchange.request, exchange.response
    assert response is not None
    value = request.headers.get("Authorization")
    if response.status != 200:
        yield NotApplicable("the request was not answered with 200")
    elif request.credentials is None and value is None and not exchange.raw:
        yield NotApplicable("a HAR may lack credentials; most browsers leave them out")
    elif request.credentials is None:
        scheme = (value or "").split(None, 1)
        yield Problem(AUTHORIZATION, "Digest credentials", f"the scheme {scheme[0]}" if scheme else "none")


def credentials_in(exchange: Exchange) -> Directives | NotApplicable:
    """Return the credentials that are meant to prove something."""
    return exchange.credentials or NO_CREDENTIALS


CREDENTIALS_RULES = RuleGroup(
    Exchange, needs=[MSK_PROCEDURE], looks_at=[AUTHORIZATION], takes=credentials_in, fast_pass=is_well_authorized
)


@CREDENTIALS_RULES.rule(INTEGRITY, TS24109["5.2.6"](says="integrity protection is qop auth-int"), covers=["HTTP-07"])
def qop_not_auth_int(_: Exchange, credentials: Directives) -> Problems:
    """The credentials of the request do not use qop auth-int.

    Only auth-int includes the bodies in the digests. With auth, or without qop, anyone on the path can change the
    requested or the delivered keys unnoticed.

    If the challenge offers auth-int, the terminal chose wrong. If it does not, fix the BSM.
    """
    qop = credentials.first.get("qop")
    if qop is None and credentials.rest:
        yield NotApplicable("the credentials are malformed, reported by authorization-incomplete")
    elif qop is None or qop.lower() != "auth-int":
        hint = "not integrity protected" if qop is None or qop.lower() == "auth" else ""
        yield Problem(f"{AUTHORIZATION}.qop", "auth-int", "none" if qop is None else qop or "an empty value", hint)


def host_of(text: str) -> str:
    """Return a host in lower case, without port and trailing dot."""
    name, colon, port = text.strip().rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        text = name
    return text.strip().strip("[]").rstrip(".").lower()


@CREDENTIALS_RULES.rule(CREDENTIALS, covers=["HTTP-10"])
def authorization_incomplete(_: Exchange, credentials: Directives) -> Problems:
    """Authorization lacks a directive that Digest requires.

    The BSM cannot compute the digest and refuses the request every time, whatever the password.

    Make the terminal send username, realm, nonce, uri and response, and with qop also cnonce and nc.
    """
    have = credentials.first
    missing = [name for name in _ALWAYS if name not in have and (name != "username" or "username*" not in have)]
    if "qop" in have:
        missing += [name for name in _WITH_QOP if name not in have]
    if credentials.rest:
        hint = f"missing: {', '.join(missing)}" if missing else ""
        yield Problem(AUTHORIZATION, "comma-separated directives", "malformed directives", hint)
        return
    for name in missing:
        yield Problem(f"{AUTHORIZATION}.{name}", name, "none")


@CREDENTIALS_RULES.rule(CREDENTIALS, covers=["HTTP-10"])
def authorization_malformed(_: Exchange, credentials: Directives) -> Problems:
    """The nonce count or the digest in the credentials is malformed.

    The nonce count has 8 hex digits and enters the digest as written. The digest has 32 hex digits with MD5 and 64 with
    SHA-256. A BSM that checks the form refuses the request; another BSM may compute a different digest.

    Check how the terminal writes the two. Upper and lower case make no difference here.
    """
    count = credentials.first.get("nc")
    if count is not None and not COUNT.fullmatch(count):
        yield Problem(f"{AUTHORIZATION}.nc", "8 hex digits", count or "an empty value")
    digest = credentials.first.get("response")
    wrong = None if digest is None else wrong_digest(digest, credentials)
    if wrong is not None:
        yield Problem(f"{AUTHORIZATION}.response", *wrong)


def wrong_digest(digest: str, credentials: Directives | None) -> tuple[str, str] | None:
    """Return what a digest with the algorithm of these credentials looks like and what this one does; None if right."""
    wanted = None if credentials is None else credentials.digits
    if HEX.fullmatch(digest) is None:
        return f"{wanted or 'only'} hex digits", "other characters" if digest else "none"
    return (f"{wanted} hex digits", str(len(digest))) if wanted is not None and len(digest) != wanted else None


@CREDENTIALS_RULES.warning(
    RFC7616["3.4.6"](says="uri names the same resource as the request line"),
    level_reason="an example of 3GPP TS 33.246 Annex H breaks it",
    covers=["HTTP-11"],
    looks_at=[AUTHORIZATION, "request.target"],
    takes=None,
)
def uri_mismatch(exchange: Exchange) -> Problems:
    """The uri in the credentials does not name the requested resource.

    The digest covers the uri in the credentials. A BSM that compares the two answers with 400. One that does not may
    serve a resource that was not signed. An example in 3GPP TS 33.246 Annex H breaks this rule, too.

    Look for a proxy that rewrites the path, or a terminal that omits the query.
    """
    request = exchange.request
    credentials = exchange.credentials
    uri = None if credentials is None else credentials.first.get("uri")
    if uri is None:
        yield NotApplicable("the request has no credentials with a uri")
    elif uri == request.target:
        return
    elif not unquote(request.resource[0]).endswith("/keymanagement") or request.request_types != ("msk-request",):
        yield NotApplicable("the request target is wrong, reported by request-path-wrong or request-type-not-single")
    elif not _same(uri, request.target):
        yield Problem(f"{AUTHORIZATION}.uri", request.target, uri or "an empty value")


def _same(one: str, other: str) -> bool:
    """Tell whether two request targets name one resource; a host counts only where both have one."""
    hosts, paths, queries = zip(split_target(one), split_target(other), strict=True)
    if all(hosts) and host_of(hosts[0]) != host_of(hosts[1]):
        return False
    plain = [unquote(path) or "/" for path in paths]
    return plain[0] == plain[1] and _parameters(queries[0]) == _parameters(queries[1])


def _parameters(query: str) -> list[str]:
    """Return the parameters of a query, decoded, without the space that the standard prints behind the `=`."""
    parts = (part.partition("=") for part in query.split("&"))
    return [f"{unquote_plus(name).strip()}{mark}{unquote_plus(value).strip()}" for name, mark, value in parts]


@CREDENTIALS_RULES.warning(
    TS24109["5.2.6"](says="terminal and server use plain Digest with MD5", verb=Verb.SHOULD),
    covers=["HTTP-12"],
    looks_at=[AUTHORIZATION, AUTHENTICATE],
    takes=None,
)
def algorithm_unusual(exchange: Exchange) -> Problems:
    """The Digest algorithm is neither MD5 nor SHA-256.

    Terminals and BSMs need not support any other algorithm. AKAv1-MD5 belongs to bootstrapping with the BSF, which uses
    a different password. Here it suggests that the two interfaces were mixed up.

    Offer MD5, and also SHA-256 if both sides support it. If no algorithm is named, MD5 applies.
    """
    credentials = exchange.request.credentials
    challenges = exchange.challenges
    if credentials is None and not challenges:
        yield NotApplicable("there is neither a challenge nor credentials")
        return
    if credentials is not None and (got := _unusual(credentials)) is not None:
        yield Problem(f"{AUTHORIZATION}.algorithm", "MD5 or SHA-256", got)
    offered = [_unusual(challenge) for challenge in challenges]
    if offered and None not in offered:  # one that every terminal can use is enough
        got = ", ".join(each for each in offered[:5] if each is not None)
        yield Problem(f"{AUTHENTICATE}.algorithm", "MD5 or SHA-256", got)


def _unusual(directives: Directives) -> str | None:
    name = directives.first.get("algorithm", "MD5")
    return None if name.upper() in ALGORITHMS else name or "an empty value"


def prove(exchange: Exchange, directives: Directives) -> Exchange:
    """Return the exchange with other directives in its recorded Authorization."""
    return replace(exchange, request=exchange.request.with_credentials(directives))


def proof_of(exchange: Exchange) -> Directives:
    """Return the credentials of the request; FaultError without any."""
    if exchange.request.credentials is None:
        raise FaultError("the request has no Digest credentials")
    return exchange.request.credentials


@fault(on=Exchange, reference="download", trips={"authorization-missing"})
def drop_authorization(exchange: Exchange) -> Exchange:
    """Remove Authorization from the recorded request."""
    return with_request_header(exchange, "Authorization", None)


@fault(on=Exchange, reference="download", trips={"authorization-missing"})
def replace_authorization(exchange: Exchange, *, value: str = "Basic dGVybWluYWw6") -> Exchange:
    """Give the recorded request credentials of another scheme."""
    return with_request_header(exchange, "Authorization", value)


@fault(on=Exchange, reference="download", trips={"qop-not-auth-int"})
def downgrade_request_qop(exchange: Exchange, *, to: str = "auth") -> Exchange:
    """Give the recorded credentials another qop."""
    return prove(exchange, proof_of(exchange).put("qop", to))


@fault(on=Exchange, reference="download", trips={"qop-not-auth-int"})
def drop_request_qop(exchange: Exchange) -> Exchange:
    """Remove qop from the recorded credentials, as before RFC 2617."""
    return prove(exchange, proof_of(exchange).without("qop"))


@fault(on=Exchange, reference="download", trips={"authorization-incomplete"})
def drop_directive(exchange: Exchange, *, name: str = "cnonce") -> Exchange:
    """Remove a directive from the recorded credentials."""
    return prove(exchange, proof_of(exchange).without(name))


@fault(on=Exchange, reference="download", trips={"authorization-malformed"})
def shorten_nonce_count(exchange: Exchange, *, to: str = "1") -> Exchange:
    """Write the nonce count in the recorded credentials without leading zeros."""
    return prove(exchange, proof_of(exchange).put("nc", to))


@fault(on=Exchange, reference="download", trips={"authorization-malformed"}, leaves={"digest"})
def shorten_response(exchange: Exchange, *, digits: int = 31) -> Exchange:
    """Keep only the first digits of the digest in the recorded credentials."""
    proof = proof_of(exchange)
    return prove(exchange, proof.put("response", (proof.get("response") or "")[:digits], quoted=True))


@fault(on=Exchange, reference="download", trips={"uri-mismatch"})
def extend_target(exchange: Exchange, *, parameter: str = "via=proxy") -> Exchange:
    """Add a parameter to the target of the recorded request, but not to the signed uri."""
    target = exchange.request.target
    mark = "&" if "?" in target else "?"
    return with_request(exchange, target=f"{target}{mark}{parameter}")


@fault(on=Exchange, reference="download", trips={"algorithm-unusual"})
def replace_algorithm(exchange: Exchange, *, to: str = "AKAv1-MD5") -> Exchange:
    """Write another algorithm into the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("algorithm", to))


@fault(on=Exchange, reference="challenged", trips={"algorithm-unusual"})
def replace_challenge_algorithm(exchange: Exchange, *, to: str = "AKAv1-MD5") -> Exchange:
    """Write another algorithm into the challenge."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).put('algorithm', to)}")
