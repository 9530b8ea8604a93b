"""Rules and faults on Authentication-Info, which proves the response."""

import re
from dataclasses import replace

from ltkm_inspect.catalogue.authorization import (
    AUTHORIZATION,
    COUNT,
    HEX,
    INTEGRITY,
    NO_CREDENTIALS,
    proof_of,
    prove,
    wrong_digest,
)
from ltkm_inspect.catalogue.preconditions import MSK_PROCEDURE, RESPONSE
from ltkm_inspect.digest import Directive, Directives
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup, rule
from ltkm_inspect.spec import RFC2617, RFC7616, TS33246, Verb
from ltkm_inspect.traffic import Exchange

INFO = RFC7616["3.5"](
    says="an Authentication-Info with qop has rspauth, cnonce and nc; cnonce and nc repeat the request's"
)
OLD_INFO = RFC2617["3.2.3"](says="Authentication-Info repeats the request's cnonce and nc, and has rspauth")
DIGEST_FORM = RFC7616["3.2"](
    says="a digest consists of hex digits 0 to 9 and a to f: 32 with MD5, 64 with SHA-256 and SHA-512-256"
)
AUTHENTICATION_INFO = "response.headers.Authentication-Info"
_QUOTED = {"qop": False, "rspauth": True, "cnonce": True, "nc": False}
_PROOF = re.compile(r"[0-9a-f]{32}")


def is_proved(exchange: Exchange) -> bool:
    """Tell whether a 200 has all four directives for MD5 and auth-int, as they are written, that fit the request."""
    response, credentials, info = exchange.response, exchange.credentials, exchange.authentication_info
    if response is None or response.status != 200 or credentials is None or info is None or info.rest:
        return False
    if len(info.fields) != len(_QUOTED) or {field.name: field.quoted for field in info.fields} != _QUOTED:
        return False
    request, answer = credentials.first, info.first
    if not request.get("qop") == answer["qop"] == "auth-int" or request.get("algorithm", "MD5") != "MD5":
        return False
    same = request.get("cnonce") == answer["cnonce"] and request.get("nc") == answer["nc"]
    return same and COUNT.fullmatch(answer["nc"]) is not None and _PROOF.fullmatch(answer["rspauth"]) is not None


def _asks_for_integrity(exchange: Exchange) -> bool:
    """Tell whether the credentials of the request use qop auth-int."""
    asked = None if exchange.credentials is None else exchange.credentials.first.get("qop")
    return asked is not None and asked.lower() == "auth-int"


def information(exchange: Exchange) -> Directives | NotApplicable:
    """Return the directives of the Authentication-Info that ends the procedure."""
    return exchange.authentication_info or NotApplicable("the response has no Authentication-Info")


INFO_RULES = RuleGroup(
    Exchange,
    needs=[MSK_PROCEDURE, RESPONSE],
    looks_at=[AUTHENTICATION_INFO],
    takes=information,
    fast_pass=is_proved,
)


@INFO_RULES.rule(
    TS33246["6.3.2.2.1"](says="a successful MSK request is answered by 200 OK with Authentication-Info"),
    covers=["HTTP-25"],
    looks_at=[AUTHENTICATION_INFO, AUTHORIZATION, "response.status"],
    takes=None,
)
def success_not_authenticated(exchange: Exchange) -> Problems:
    """A 200 OK has no Authentication-Info.

    The terminal accepts the response only if Authentication-Info proves that it comes from the BSM. Without it, the
    terminal may drop an otherwise correct response and ask again. If the response has LTKMs, this is reported by
    authentication-info-missing.

    Make the BSM send Authentication-Info with rspauth in every 200 OK, whether the keys come in the response or over
    UDP.
    """
    response, document = exchange.response, exchange.document
    assert response is not None
    if response.status != 200:
        yield NotApplicable("the response is not a 200 OK")
    elif response.authentication_info is not None:
        return
    elif document is not None and document.has_ltkm:
        yield NotApplicable(
            "the response has an LTKM; a missing Authentication-Info is reported by authentication-info-missing"
        )
    elif exchange.request.credentials is None:
        yield NO_CREDENTIALS
    elif exchange.may_have_lost_trailer:
        yield NotApplicable("Authentication-Info may be in the trailer, which was not captured")
    else:
        got = "none" if response.authentication_info_text is None else "an empty field"
        yield Problem(AUTHENTICATION_INFO, "Authentication-Info", got)


@INFO_RULES.rule(INFO, OLD_INFO, INTEGRITY, covers=["HTTP-13", "HTTP-15"])
def authentication_info_incomplete(exchange: Exchange, info: Directives) -> Problems:
    """Authentication-Info lacks rspauth, cnonce or nc.

    rspauth is the proof; cnonce and nc tie it to this request. If one of the three is missing, the terminal cannot
    check that the response comes from the BSM. An Authentication-Info without qop needs rspauth if the request used
    auth-int.

    Make the BSM send all three.
    """
    if info.rest:
        yield Problem(AUTHENTICATION_INFO, "comma-separated directives", "malformed directives")
    elif "qop" not in info.first:
        if not _asks_for_integrity(exchange):
            yield NotApplicable("no qop in the request or in Authentication-Info requires rspauth")
        elif not info.first.get("rspauth"):
            yield _lacks_proof(info)
    else:
        if not info.first.get("rspauth"):
            yield _lacks_proof(info)
        for name in ("cnonce", "nc"):
            if name not in info.first:
                yield Problem(f"{AUTHENTICATION_INFO}.{name}", name, "none")


def _lacks_proof(info: Directives) -> Problem:
    got = "an empty value" if "rspauth" in info.first else "none"
    return Problem(f"{AUTHENTICATION_INFO}.rspauth", "rspauth", got, "nothing is proved")


@INFO_RULES.rule(INFO, OLD_INFO, covers=["HTTP-14"], looks_at=[AUTHENTICATION_INFO, AUTHORIZATION])
def authentication_info_mismatch(exchange: Exchange, info: Directives) -> Problems:
    """The cnonce or nc in Authentication-Info differs from the request's.

    The two tie the response to its request. If they differ, the response belongs to another request or is a replay, and
    the terminal must drop it.

    Look for a BSM that stores them per terminal instead of per request, or for a cache in between.
    """
    credentials = exchange.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    for name in ("cnonce", "nc"):
        got, wanted = info.first.get(name), credentials.first.get(name)
        if got == wanted or got is None or wanted is None:
            continue
        if name != "nc" or got.lstrip("0").lower() != wanted.lstrip("0").lower():
            yield Problem(f"{AUTHENTICATION_INFO}.{name}", wanted or "an empty value", got or "an empty value")


@INFO_RULES.rule(
    INTEGRITY,
    RFC7616["3.5"](says="the server answers with the qop of the request", verb=Verb.SHOULD),
    covers=["HTTP-15"],
    looks_at=[AUTHENTICATION_INFO, AUTHORIZATION],
)
def authentication_info_qop_wrong(exchange: Exchange, info: Directives) -> Problems:
    """The request uses qop auth-int, but Authentication-Info does not.

    With auth, the proof does not cover the body, so the keys in it could come from anyone. Without qop, the terminal
    has to guess; a missing qop is only a warning.

    Make the BSM answer with qop=auth-int.
    """
    if not _asks_for_integrity(exchange):
        yield NotApplicable("the request does not use auth-int")
    elif info.rest:
        yield NotApplicable("Authentication-Info is malformed, reported by authentication-info-incomplete")
    else:
        got = info.first.get("qop")
        if got is None and not info.first.get("rspauth"):
            yield NotApplicable("rspauth is missing too, reported by authentication-info-incomplete")
        elif got is None:
            yield Problem(f"{AUTHENTICATION_INFO}.qop", "auth-int", "none", level=Level.WARNING)
        elif got != "auth-int" and got.lower() != "auth-int":
            yield Problem(f"{AUTHENTICATION_INFO}.qop", "auth-int", got or "an empty value")


@INFO_RULES.warning(
    DIGEST_FORM,
    level_reason="only the form is wrong; it takes a key to tell whether rspauth proves the response",
    covers=["HTTP-16"],
    takes=None,
)
def rspauth_malformed(exchange: Exchange) -> Problems:
    """rspauth has the wrong length for its algorithm, or is not hex.

    It has 32 hex digits with MD5, and 64 with SHA-256 or SHA-512-256. No other value can match what the terminal
    computes.

    Check whether the BSM uses the request's algorithm, and whether something truncated the header.
    """
    info = exchange.authentication_info
    digest = None if info is None else info.first.get("rspauth")
    wrong = wrong_digest(digest or "", exchange.request.credentials)
    if not digest:
        yield NotApplicable("the response has no rspauth")
    elif wrong is not None:
        yield Problem(f"{AUTHENTICATION_INFO}.rspauth", *wrong)


@rule(
    DIGEST_FORM,
    on=Exchange,
    level=Level.WARNING,
    level_reason="the value is the same, and recipients ignore case when they compare it",
    needs=[MSK_PROCEDURE],
    covers=["HTTP-16"],
    looks_at=[AUTHENTICATION_INFO, AUTHORIZATION],
)
def digest_upper_case(exchange: Exchange) -> Problems:
    """A digest has upper-case hex digits.

    A recipient that compares the text octet for octet rejects it, although the value is right.

    Write response and rspauth in lower case.
    """
    credentials = exchange.credentials
    text = exchange.response.authentication_info_text if exchange.response is not None else None
    # A field without any upper case need not be parsed.
    info = None if credentials is not None and text is not None and text.islower() else exchange.authentication_info
    if info is None and credentials is None:
        yield NotApplicable("there is no digest")
        return
    for path, directives, name in ((AUTHORIZATION, credentials, "response"), (AUTHENTICATION_INFO, info, "rspauth")):
        digest = None if directives is None else directives.first.get(name)
        if digest and digest != digest.lower() and HEX.fullmatch(digest):
            yield Problem(f"{path}.{name}", "hex digits in lower case", "upper case")


@INFO_RULES.note(
    RFC7616["3.5"](says="a client uses the nextnonce for its next request", verb=Verb.MAY), covers=["HTTP-17"]
)
def nextnonce_given(exchange: Exchange, info: Directives) -> Problems:
    """Authentication-Info gives the nonce for the next request.

    A terminal that keeps using the old nonce is challenged again. That costs a round trip but breaks nothing.

    Compare it with the nonce in the terminal's next request.
    """
    if "nextnonce" in info.first:
        yield Problem(f"{AUTHENTICATION_INFO}.nextnonce", got=info.first["nextnonce"])


def inform(exchange: Exchange, directives: Directives) -> Exchange:
    """Return the exchange with other directives in its Authentication-Info."""
    assert exchange.response is not None
    return replace(exchange, response=exchange.response.with_info(directives))


def info_of(exchange: Exchange) -> Directives:
    """Return the directives of Authentication-Info; FaultError without any."""
    if exchange.response is None or exchange.response.authentication_info is None:
        raise FaultError("the response has no Authentication-Info")
    return exchange.response.authentication_info


@fault(on=Exchange, reference="plain-mbms", trips={"success-not-authenticated"})
def drop_plain_authentication_info(exchange: Exchange) -> Exchange:
    """Remove Authentication-Info from a response without LTKMs."""
    assert exchange.response is not None
    return replace(exchange, response=exchange.response.without_info())


@fault(on=Exchange, reference="download", trips={"authentication-info-incomplete"})
def drop_info_directive(exchange: Exchange, *, name: str = "rspauth") -> Exchange:
    """Remove a directive from Authentication-Info."""
    return inform(exchange, info_of(exchange).without(name))


@fault(on=Exchange, reference="download", trips={"authentication-info-mismatch"})
def replace_cnonce(exchange: Exchange, *, to: str = "0A4F113B") -> Exchange:
    """Answer with a cnonce that differs from the request's (default: the same one in upper case)."""
    return inform(exchange, info_of(exchange).put("cnonce", to, quoted=True))


@fault(on=Exchange, reference="download", trips={"authentication-info-mismatch"})
def replace_nonce_count(exchange: Exchange, *, to: str = "00000002") -> Exchange:
    """Answer with a nonce count that differs from the request's."""
    return inform(exchange, info_of(exchange).put("nc", to))


@fault(on=Exchange, reference="download", trips={"authentication-info-incomplete"})
def drop_proof(exchange: Exchange, *, next_nonce: str = "6629fae4") -> Exchange:
    """Answer only with a nonce for the next request, so that nothing is proved."""
    info_of(exchange)  # raises where nothing is proved as it is
    return inform(exchange, Directives((Directive("nextnonce", next_nonce, True),)))


@fault(on=Exchange, reference="download", trips={"authentication-info-qop-wrong"})
def downgrade_qop(exchange: Exchange, *, to: str = "auth") -> Exchange:
    """Answer with a qop that differs from the request's."""
    return inform(exchange, info_of(exchange).put("qop", to))


@fault(on=Exchange, reference="download", trips={"authentication-info-qop-wrong"})
def drop_qop(exchange: Exchange) -> Exchange:
    """Answer without qop."""
    return inform(exchange, info_of(exchange).without("qop"))


@fault(on=Exchange, reference="download", trips={"rspauth-malformed"}, leaves={"digest"})
def shorten_rspauth(exchange: Exchange, *, digits: int = 31) -> Exchange:
    """Keep only the first digits of rspauth."""
    info = info_of(exchange)
    return inform(exchange, info.put("rspauth", (info.get("rspauth") or "")[:digits], quoted=True))


@fault(on=Exchange, reference="download", trips={"digest-upper-case"}, leaves={"digest"})
def capitalise_rspauth(exchange: Exchange) -> Exchange:
    """Write rspauth in upper case."""
    info = info_of(exchange)
    return inform(exchange, info.put("rspauth", (info.get("rspauth") or "").upper(), quoted=True))


@fault(on=Exchange, reference="download", trips={"digest-upper-case"}, leaves={"digest"})
def capitalise_response(exchange: Exchange) -> Exchange:
    """Write the digest in the recorded credentials in upper case."""
    proof = proof_of(exchange)
    return prove(exchange, proof.put("response", (proof.get("response") or "").upper(), quoted=True))
