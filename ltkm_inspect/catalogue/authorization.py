"""Rules on Authorization: what the request proves, and the faults that break it."""

import re
from collections.abc import Iterator, Set
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from ltkm_inspect.catalogue.challenge import AUTHENTICATE, first_challenge, put_challenge
from ltkm_inspect.catalogue.preconditions import MSK_PROCEDURE, RESPONSE, USIM
from ltkm_inspect.context import Context
from ltkm_inspect.digest import AKMA_PREFIX, REALM_PREFIXES, Directives, Realm, is_a_kid, is_b_tid
from ltkm_inspect.fault import FaultError, fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import RuleGroup, rule
from ltkm_inspect.spec import RFC7616, TS24109, TS33220, TS33246, TS33501, TS33535, Sure, Verb
from ltkm_inspect.traffic import Exchange, split_target

MUTUAL = TS33246["6.2.1.3"](says="every procedure of terminal and BM-SC is authenticated both ways by HTTP digest")
INTEGRITY = TS33246["6.2.1.3"](says="every procedure of terminal and BM-SC is integrity protected by HTTP digest")
REALM = TS24109["5.2.2.1"](says="the realm is 3GPP-bootstrapping, -uicc or -digest, then @ and the FQDN of the server")
AKMA_REALM = TS33535["B"](says="with AKMA, the realm is 3GPP-bootstrapping-akma, then @ and the FQDN of the server")
CREDENTIALS = RFC7616["3.4"](says="which directives credentials have, and their form")
AUTHORIZATION = "request.headers.Authorization"
ALGORITHMS = frozenset({"MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS"})
"""What is expected between terminal and BSM, in upper case."""
_NAME = re.compile(r"[0-9a-z_-]+(?:\.[0-9a-z_-]+)*\.?", re.I)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IPV6 = re.compile(r"\[?[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*\]?", re.I)
_FQDN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*")
COUNT = re.compile(r"[0-9a-fA-F]{8}")
HEX = re.compile(r"[0-9a-fA-F]+")
GBA_TOKEN = "3gpp-gba"
AKMA_TOKEN = REALM_PREFIXES[AKMA_PREFIX]
"""The product tokens of bootstrapping and of AKMA; that of a kind of bootstrapping begins with the first one."""
NO_CREDENTIALS = NotApplicable("the request has no digest credentials")
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


def is_bootstrapped(exchange: Exchange) -> bool:
    """Tell whether credentials, Host and User-Agent are those of plain bootstrapping, and fit each other."""
    credentials = exchange.request.credentials
    if credentials is None or exchange.challenges or exchange.host_rewritten:
        return False
    have = credentials.first
    host = exchange.request.headers.get("Host")
    if host is None or have.get("realm") != f"3GPP-bootstrapping@{host}" or "userhash" in have:
        return False
    agent = exchange.request.headers.get("User-Agent") or ""
    return agent.endswith(" " + GBA_TOKEN) and _is_fqdn(host) and is_b_tid(have.get("username", ""))


@lru_cache(maxsize=256)  # a BSM has few names
def _is_fqdn(name: str) -> bool:
    return len(name) < 256 and _FQDN.fullmatch(name) is not None


def product_tokens(agent: str) -> set[str]:
    """Return the product tokens of GBA and AKMA in a User-Agent; one with an unknown ending counts as if without it."""
    tokens = set()
    depth = 0
    for word in agent.lower().split():
        if not depth and word.startswith((GBA_TOKEN, AKMA_TOKEN)):
            token = word.partition("/")[0]
            known = token in REALM_PREFIXES.values()
            tokens.add(token if known else GBA_TOKEN if token.startswith(GBA_TOKEN) else AKMA_TOKEN)
        depth = max(depth + word.count("(") - word.count(")"), 0)
    return tokens


@rule(
    "authorization-missing",
    on=Exchange,
    cite=[MUTUAL],
    needs=[MSK_PROCEDURE, RESPONSE],
    covers=["HTTP-06"],
    looks_at=["request.headers.Authorization", "response.status"],
)
def authorization_missing(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """A request without digest credentials is answered with 200.

    The BSM has not asked who the terminal is. It cannot know which MUK to protect a key with, and hands out keys or
    answers to whoever comes.

    Make the BSM answer with a 401 and a digest challenge until credentials come. If a proxy between takes
    Authorization away, find that one first.
    """
    request, response = exchange.request, exchange.response
    assert response is not None
    if response.status != 200:
        yield NotApplicable("the request was not answered with 200")
    elif request.credentials is not None:
        return
    else:
        value = request.headers.get("Authorization")
        if value is None and not exchange.raw:
            yield NotApplicable("a HAR may leave credentials out, and most browsers do")
            return
        scheme = (value or "").split(None, 1)
        yield Problem(AUTHORIZATION, "Digest credentials", f"the scheme {scheme[0]}" if scheme else "none")


CREDENTIALS_RULES = RuleGroup(
    Exchange, needs=[MSK_PROCEDURE], looks_at=["request.headers.Authorization"], usual=is_well_authorized
)
REALM_RULES = RuleGroup(
    Exchange, needs=[MSK_PROCEDURE, USIM], looks_at=["request.headers.Authorization"], usual=is_bootstrapped
)


@CREDENTIALS_RULES.rule(
    "qop-not-auth-int",
    cite=[INTEGRITY, TS24109["5.2.6"](says="integrity protection is qop auth-int")],
    covers=["HTTP-07"],
)
def qop_not_auth_int(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The credentials of the request do not use qop auth-int.

    Only auth-int takes the bodies into the digests. With auth, or without qop, everybody on the path can change what is
    asked for and which keys come back, and neither side notices.

    If the challenge offers auth-int, the terminal chose wrong; if it does not, look at the BSM.
    """
    credentials = exchange.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    qop = credentials.first.get("qop")
    if qop == "auth-int":
        return
    if qop is None and credentials.rest:
        yield NotApplicable("the credentials are not a list of directives, which is reported by itself")
    elif qop is None or qop.lower() != "auth-int":
        hint = "not integrity protected" if qop is None or qop.lower() == "auth" else ""
        yield Problem(f"{AUTHORIZATION}.qop", "auth-int", "none" if qop is None else qop or "an empty value", hint)


@REALM_RULES.rule(
    "realm-malformed",
    cite=[REALM, AKMA_REALM],
    covers=["HTTP-08"],
    looks_at=["request.headers.Authorization", "response.headers.WWW-Authenticate"],
)
def realm_malformed(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The realm is not 3GPP-bootstrapping, -uicc, -digest or -akma, then @ and the FQDN of the BSM.

    The terminal derives the password from the realm: the prefix says which key of GBA or AKMA, the FQDN for which
    server. With another realm it has no password to give, or a wrong one. Two realms may be offered at once, with a
    semicolon between them; the terminal answers with one of them, or with both.

    Correct the realm that the BSM sends in its challenge. An IP address or a name without a dot is only a warning: it
    is no FQDN, but does in a lab.
    """
    credentials = exchange.request.credentials
    challenges = exchange.challenges
    if credentials is None and not challenges:
        yield NotApplicable("there is neither a challenge nor credentials")
        return
    for path, directives in _asked(credentials, challenges):
        text = directives.first.get("realm")
        if text is None:
            continue  # a missing directive is reported by itself
        fqdns = [realm.fqdn for realm in directives.realms]
        expected = "3GPP-bootstrapping, -uicc, -digest or -akma, then @ and an FQDN"
        if not fqdns or not all(map(is_host, fqdns)):
            yield Problem(f"{path}.realm", expected, text or "an empty realm")
        elif not all(map(_is_qualified, fqdns)):
            yield Problem(f"{path}.realm", expected, text, "no FQDN stands after the @", Level.WARNING)


def is_host(text: str) -> bool:
    """Tell whether a text is the name or the address of a host."""
    return _NAME.fullmatch(text) is not None or _IPV6.fullmatch(text) is not None


def _is_qualified(host: str) -> bool:
    """Tell whether the name of a host has a domain, and is no address."""
    return "." in host.rstrip(".") and ":" not in host and _IPV4.fullmatch(host) is None


def _asked(credentials: Directives | None, challenges: tuple[Directives, ...]) -> list[tuple[str, Directives]]:
    """Return credentials and challenges with their paths; of several challenges with one realm only the first."""
    found = [] if credentials is None else [(AUTHORIZATION, credentials)]
    if challenges:
        first = {challenge.first.get("realm"): challenge for challenge in reversed(challenges)}
        found += [(AUTHENTICATE, challenge) for challenge in reversed(first.values())]
    return found


@REALM_RULES.warning(
    "realm-host-mismatch",
    cite=[
        TS24109["5.2.2.1"](
            says="each side checks in every message that the realm names the server that the terminal talks to"
        )
    ],
    level_reason="a gateway on the way may rename the host, and Host then says nothing about what the terminal checked",
    covers=["HTTP-08"],
    looks_at=["request.headers.Authorization", "response.headers.WWW-Authenticate", "request.headers.Host"],
)
def realm_host_mismatch(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The FQDN in the realm is not the host that the request is sent to.

    The terminal checks that the realm belongs to the server that it talks to, so that no other server can have its
    credentials for it. It may drop a challenge that names another one.

    Compare the base URI in the terminal's provisioning with the realm of the BSM. Behind a gateway that renames the
    host the two may rightly differ.
    """
    if exchange.host_rewritten:
        yield NotApplicable("the proxy rewrote Host")
        return
    host = exchange.request.headers.get("Host")
    if not host:
        yield NotApplicable("the request has no Host")
        return
    path, realms = _realms(exchange)
    fqdns = [realm.fqdn for realm in realms if is_host(realm.fqdn)]
    if not fqdns:
        yield NotApplicable("there is no realm with the name of a host")
        return
    wanted = _host(host)
    other = next((fqdn for fqdn in fqdns if fqdn != host and _host(fqdn) != wanted), None)
    if other is not None:
        yield Problem(f"{path}.realm", f"the FQDN {wanted}", other)


def _realms(exchange: Exchange) -> tuple[str, tuple[Realm, ...]]:
    """Return the realms of the credentials, or else of the first challenge, and where they are."""
    if exchange.request.credentials is not None:
        return AUTHORIZATION, exchange.request.credentials.realms
    return AUTHENTICATE, next((challenge.realms for challenge in exchange.challenges), ())


def _host(text: str) -> str:
    """Return a host in lower case, without port and trailing dot."""
    name, colon, port = text.strip().rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        text = name
    return text.strip().strip("[]").rstrip(".").lower()


@REALM_RULES.warning(
    "username-not-b-tid",
    cite=[
        TS33246["6.2.1.3"](says="the user name is the B-TID"),
        TS33220["4.5.2"](says="a B-TID is the base64 of RAND, @ and the name of the BSF", sure=Sure.RECALL_HIGH),
        TS33501["W.4.1.3"](says="in 5G broadcast the terminal authenticates by GBA or by AKMA"),
        TS33535["B"](says="with AKMA, the user name is the A-KID, which is a NAI"),
    ],
    level_reason="the form of a B-TID is cited from memory, and a lab may use plain names (a violation in strict mode)",
    covers=["HTTP-09"],
)
def username_not_b_tid(exchange: Exchange, context: Context) -> Iterator[Problem | NotApplicable]:
    """The user name of the credentials does not look like a B-TID, or, with AKMA, like an A-KID.

    The BSM asks the BSF for the keys of a B-TID, and the AKMA anchor function for those of an A-KID. With another user
    name there is no bootstrapping behind it, and both sides share some other secret: fine for a bench, not for the
    field. An A-KID is expected where the realm is that of AKMA, and a B-TID with every other realm.

    Look whether the terminal has bootstrapped before it asks for keys, and whether the realm names what it has done.
    """
    credentials = exchange.request.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    name = credentials.first.get("username")
    prefixes = {realm.prefix for realm in credentials.realms}
    if name is None or credentials.hides_username:
        yield NotApplicable("the user name is not given as text")
        return
    if "3GPP-bootstrapping-digest" in prefixes:
        yield NotApplicable("bootstrapping by digest forms the B-TID in another way")
        return
    akma = _uses_akma(exchange, prefixes)
    gba = not akma or len(prefixes) > 1
    if (akma and is_a_kid(name)) or (gba and is_b_tid(name)):
        return
    level = Level.VIOLATION if context.settings.strict else None
    expected = "base64 of 16 octets, @ and the name of a BSF"
    if akma:
        expected = "an A-KID: routing indicator and A-TID, @ and the home network"
    yield Problem(f"{AUTHORIZATION}.username", expected, name or "an empty name", level=level)


def _uses_akma(exchange: Exchange, prefixes: Set[str]) -> bool:
    """Tell whether a realm is that of AKMA; where none is that of GBA or AKMA, User-Agent tells."""
    if prefixes:
        return AKMA_PREFIX in prefixes
    return product_tokens(exchange.request.headers.get("User-Agent") or "") == {AKMA_TOKEN}


@CREDENTIALS_RULES.rule("authorization-incomplete", cite=[CREDENTIALS], covers=["HTTP-10"])
def authorization_incomplete(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """A directive that digest cannot do without is missing from Authorization.

    The BSM cannot compute the digest and refuses the request, again and again, whatever the password.

    Let the terminal send username, realm, nonce, uri and response, and with qop cnonce and nc as well.
    """
    credentials = exchange.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    have = credentials.first
    missing = [name for name in _ALWAYS if name not in have and (name != "username" or "username*" not in have)]
    if "qop" in have:
        missing += [name for name in _WITH_QOP if name not in have]
    if credentials.rest:
        hint = f"not there: {', '.join(missing)}" if missing else ""
        yield Problem(AUTHORIZATION, "directives with commas between them", "text that is none", hint)
        return
    for name in missing:
        yield Problem(f"{AUTHORIZATION}.{name}", name, "none")


@CREDENTIALS_RULES.rule("authorization-malformed", cite=[CREDENTIALS], covers=["HTTP-10"])
def authorization_malformed(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The nonce count or the digest of the credentials does not have its form.

    The nonce count has 8 hex digits and goes into the digest as it is written. The digest has 32 hex digits with MD5
    and 64 with SHA-256. A BSM that checks the form refuses the request; another one may compute something else.

    Look at how the terminal writes the two. Both are compared without regard to case.
    """
    credentials = exchange.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    count = credentials.first.get("nc")
    if count is not None and count != "00000001" and not COUNT.fullmatch(count):
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
    "uri-mismatch",
    cite=[RFC7616["3.4.6"](says="uri names the same resource as the request line")],
    level_reason="an example of 3GPP TS 33.246 Annex H breaks it",
    covers=["HTTP-11"],
    looks_at=["request.headers.Authorization", "request.target"],
)
def uri_mismatch(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The uri of the credentials is not the resource that the request line asks for.

    The digest is computed over the uri of the credentials. A BSM that compares the two answers with 400; one that does
    not can be made to serve something else than what was signed. An example in 3GPP TS 33.246 Annex H breaks this, too.

    Look for a proxy that rewrites the path, or for a terminal that leaves the query out.
    """
    request = exchange.request
    credentials = exchange.credentials
    uri = None if credentials is None else credentials.first.get("uri")
    if uri is None:
        yield NotApplicable("the request has no credentials with a uri")
    elif uri == request.target:
        return
    elif not unquote(request.resource[0]).endswith("/keymanagement") or request.request_types != ("msk-request",):
        yield NotApplicable("the target of the request is wrong, which is reported by itself")
    elif not _same(uri, request.target):
        yield Problem(f"{AUTHORIZATION}.uri", request.target, uri or "an empty value")


def _same(one: str, other: str) -> bool:
    """Tell whether two request targets name one resource; a host counts only where both have one."""
    hosts, paths, queries = zip(split_target(one), split_target(other), strict=True)
    if all(hosts) and _host(hosts[0]) != _host(hosts[1]):
        return False
    plain = [unquote(path) or "/" for path in paths]
    return plain[0] == plain[1] and _parameters(queries[0]) == _parameters(queries[1])


def _parameters(query: str) -> list[str]:
    """Return the parameters of a query, decoded, without the space that the standard prints behind the `=`."""
    parts = (part.partition("=") for part in query.split("&"))
    return [f"{unquote_plus(name).strip()}{mark}{unquote_plus(value).strip()}" for name, mark, value in parts]


@CREDENTIALS_RULES.warning(
    "algorithm-unusual",
    cite=[TS24109["5.2.6"](says="terminal and server use ordinary digest with MD5", verb=Verb.SHOULD)],
    covers=["HTTP-12"],
    looks_at=["request.headers.Authorization", "response.headers.WWW-Authenticate"],
)
def algorithm_unusual(exchange: Exchange) -> Iterator[Problem | NotApplicable]:
    """The digest algorithm is not MD5 or SHA-256.

    Terminals and BSMs need not know another one. AKAv1-MD5 belongs to bootstrapping with the BSF, where the password is
    another; here it is a sign that the two interfaces were mixed up.

    Offer MD5, and SHA-256 beside it if both sides have it. An algorithm that is not named is MD5.
    """
    credentials = exchange.request.credentials
    challenges = exchange.challenges
    if credentials is None and not challenges:
        yield NotApplicable("there is neither a challenge nor credentials")
        return
    if credentials is not None and (got := _unusual(credentials)) is not None:
        yield Problem(f"{AUTHORIZATION}.algorithm", "MD5 or SHA-256", got)
    if not challenges:
        return
    offered = [_unusual(challenge) for challenge in challenges]
    if offered and None not in offered:  # one that every terminal can use is enough
        got = ", ".join(each for each in offered[:5] if each is not None)
        yield Problem(f"{AUTHENTICATE}.algorithm", "MD5 or SHA-256", got)


def _unusual(directives: Directives) -> str | None:
    name = directives.first.get("algorithm")
    if name is None or name == "MD5" or name.upper() in ALGORITHMS:
        return None
    return name or "an empty value"


def prove(exchange: Exchange, directives: Directives) -> Exchange:
    """Return the exchange with other directives in its recorded Authorization."""
    return replace(exchange, request=exchange.request.with_credentials(directives))


def proof_of(exchange: Exchange) -> Directives:
    """Return the credentials of the request; FaultError without any."""
    if exchange.request.credentials is None:
        raise FaultError("the request has no digest credentials")
    return exchange.request.credentials


@fault("drop-authorization", on=Exchange, reference="download", trips={"authorization-missing"})
def drop_authorization(exchange: Exchange) -> Exchange:
    """Take Authorization out of the recorded request."""
    headers = exchange.request.headers.without("Authorization")
    return replace(exchange, request=replace(exchange.request, headers=headers))


@fault("replace-authorization", on=Exchange, reference="download", trips={"authorization-missing"})
def replace_authorization(exchange: Exchange, *, value: str = "Basic dGVybWluYWw6") -> Exchange:
    """Put credentials of another scheme into the recorded request."""
    headers = exchange.request.headers.put("Authorization", value)
    return replace(exchange, request=replace(exchange.request, headers=headers))


@fault("downgrade-request-qop", on=Exchange, reference="download", trips={"qop-not-auth-int"})
def downgrade_request_qop(exchange: Exchange, *, to: str = "auth") -> Exchange:
    """Let the recorded credentials use another qop."""
    return prove(exchange, proof_of(exchange).put("qop", to))


@fault("drop-request-qop", on=Exchange, reference="download", trips={"qop-not-auth-int"})
def drop_request_qop(exchange: Exchange) -> Exchange:
    """Let the recorded credentials use no qop, as before RFC 2617."""
    return prove(exchange, proof_of(exchange).without("qop"))


@fault("replace-realm", on=Exchange, reference="download", trips={"realm-malformed"})
def replace_realm(exchange: Exchange, *, to: str = "BSM") -> Exchange:
    """Write another realm into the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("realm", to, quoted=True))


@fault("replace-challenge-realm", on=Exchange, reference="challenged", trips={"realm-malformed"})
def replace_challenge_realm(exchange: Exchange, *, to: str = "3GPP-bootstrapping@") -> Exchange:
    """Write another realm into the challenge."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).put('realm', to, quoted=True)}")


@fault("replace-host", on=Exchange, reference="download", trips={"realm-host-mismatch"})
def replace_host(exchange: Exchange, *, to: str = "bsm.home2.net") -> Exchange:
    """Write another host into the recorded request."""
    headers = exchange.request.headers.put("Host", to)
    return replace(exchange, request=replace(exchange.request, headers=headers))


@fault("replace-username", on=Exchange, reference="plain-mbms", trips={"username-not-b-tid"})
def replace_username(exchange: Exchange, *, to: str = "terminal-1") -> Exchange:
    """Write a plain user name into the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("username", to, quoted=True))


@fault("replace-a-kid", on=Exchange, reference="akma", trips={"username-not-b-tid", "terminal-identity-mismatch"})
def replace_a_kid(exchange: Exchange, *, to: str = "Zm91cnRoIHRlcm1pbmFsIQ==@bsf.home1.net") -> Exchange:
    """Write a B-TID into the recorded credentials of AKMA."""
    return replace_username(exchange, to=to)


@fault("drop-directive", on=Exchange, reference="download", trips={"authorization-incomplete"})
def drop_directive(exchange: Exchange, *, name: str = "cnonce") -> Exchange:
    """Take a directive out of the recorded credentials."""
    return prove(exchange, proof_of(exchange).without(name))


@fault("shorten-nonce-count", on=Exchange, reference="download", trips={"authorization-malformed"})
def shorten_nonce_count(exchange: Exchange, *, to: str = "1") -> Exchange:
    """Write the nonce count of the recorded credentials without its leading zeros."""
    return prove(exchange, proof_of(exchange).put("nc", to))


@fault("shorten-response", on=Exchange, reference="download", trips={"authorization-malformed"}, leaves={"digest"})
def shorten_response(exchange: Exchange, *, digits: int = 31) -> Exchange:
    """Keep only the first digits of the digest in the recorded credentials."""
    proof = proof_of(exchange)
    return prove(exchange, proof.put("response", (proof.get("response") or "")[:digits], quoted=True))


@fault("extend-target", on=Exchange, reference="download", trips={"uri-mismatch"})
def extend_target(exchange: Exchange, *, parameter: str = "via=proxy") -> Exchange:
    """Add a parameter to the target of the recorded request, but not to the uri that was signed."""
    target = exchange.request.target
    mark = "&" if "?" in target else "?"
    return replace(exchange, request=replace(exchange.request, target=f"{target}{mark}{parameter}"))


@fault("replace-algorithm", on=Exchange, reference="download", trips={"algorithm-unusual"})
def replace_algorithm(exchange: Exchange, *, to: str = "AKAv1-MD5") -> Exchange:
    """Write another algorithm into the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("algorithm", to))


@fault("replace-challenge-algorithm", on=Exchange, reference="challenged", trips={"algorithm-unusual"})
def replace_challenge_algorithm(exchange: Exchange, *, to: str = "AKAv1-MD5") -> Exchange:
    """Write another algorithm into the challenge."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).put('algorithm', to)}")
