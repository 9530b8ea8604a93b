"""Rules and faults on realm and user name in challenge and credentials."""

import re
from collections.abc import Set
from functools import lru_cache

from ltkm_inspect.catalogue.authorization import AUTHORIZATION, NO_CREDENTIALS, host_of, proof_of, prove
from ltkm_inspect.catalogue.challenge import AUTHENTICATE, first_challenge, put_challenge
from ltkm_inspect.catalogue.changes import with_request_header
from ltkm_inspect.catalogue.preconditions import MSK_PROCEDURE, USIM
from ltkm_inspect.context import Context
from ltkm_inspect.digest import AKMA_PREFIX, REALM_PREFIXES, Directives, Realm, is_a_kid, is_b_tid
from ltkm_inspect.fault import fault
from ltkm_inspect.finding import Level, NotApplicable, Problem
from ltkm_inspect.rule import Problems, RuleGroup
from ltkm_inspect.spec import TS24109, TS33220, TS33246, TS33501, TS33535, Sure
from ltkm_inspect.traffic import Exchange

REALM = TS24109["5.2.2.1"](says="the realm is 3GPP-bootstrapping, -uicc or -digest, then @ and the FQDN of the server")
AKMA_REALM = TS33535["B"](says="with AKMA, the realm is 3GPP-bootstrapping-akma, then @ and the FQDN of the server")
_NAME = re.compile(r"[0-9a-z_-]+(?:\.[0-9a-z_-]+)*\.?", re.I)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_IPV6 = re.compile(r"\[?[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*\]?", re.I)
_FQDN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*")
GBA_TOKEN = "3gpp-gba"
AKMA_TOKEN = REALM_PREFIXES[AKMA_PREFIX]
"""The product tokens of bootstrapping and of AKMA; that of a kind of bootstrapping begins with the first one."""


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


REALM_RULES = RuleGroup(Exchange, needs=[MSK_PROCEDURE, USIM], looks_at=[AUTHORIZATION], fast_pass=is_bootstrapped)


@REALM_RULES.rule(REALM, AKMA_REALM, covers=["HTTP-08"], looks_at=[AUTHORIZATION, AUTHENTICATE])
def realm_malformed(exchange: Exchange) -> Problems:
    """The realm is not a 3GPP-bootstrapping realm with the FQDN of the BSM.

    The terminal derives the password from the realm. The prefix (3GPP-bootstrapping, -uicc, -digest or -akma) says
    which key of GBA or AKMA, the FQDN after the @ for which server. With another realm, the terminal has no password,
    or a wrong one. A challenge may offer two realms, separated by a semicolon; the terminal answers with one of them or
    with both.

    Correct the realm in the BSM's challenge. An IP address or a name without a dot is only a warning: it is not an
    FQDN, but it works in a lab.
    """
    credentials = exchange.request.credentials
    challenges = exchange.challenges
    if credentials is None and not challenges:
        yield NotApplicable("there is neither a challenge nor credentials")
        return
    for path, directives in _asked(credentials, challenges):
        text = directives.first.get("realm")
        if text is None:
            continue  # challenge-incomplete or authorization-incomplete reports it
        fqdns = [realm.fqdn for realm in directives.realms]
        expected = "3GPP-bootstrapping, -uicc, -digest or -akma, then @ and an FQDN"
        if not fqdns or not all(map(is_host, fqdns)):
            yield Problem(f"{path}.realm", expected, text or "an empty value")
        elif not all(map(_is_qualified, fqdns)):
            yield Problem(f"{path}.realm", expected, text, "no FQDN after the @", Level.WARNING)


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
    TS24109["5.2.2.1"](
        says="each side checks in every message that the realm names the server that the terminal talks to"
    ),
    level_reason="a gateway on the path may rename the host, and Host then says nothing about what the terminal "
    "checked",
    covers=["HTTP-08"],
    looks_at=[AUTHORIZATION, AUTHENTICATE, "request.headers.Host"],
)
def realm_host_mismatch(exchange: Exchange) -> Problems:
    """The FQDN in the realm is not the host of the request.

    The terminal checks that the realm belongs to the server that it talks to, so that no other server can get
    credentials for it. It may drop a challenge that names another server.

    Compare the base URI in the terminal's provisioning with the BSM's realm. Behind a gateway that renames the host,
    the two may differ.
    """
    host = exchange.request.headers.get("Host") or ""
    path, realms = _realms(exchange)
    fqdns = [realm.fqdn for realm in realms if is_host(realm.fqdn)]
    wanted = host_of(host)
    other = next((fqdn for fqdn in fqdns if fqdn != host and host_of(fqdn) != wanted), None)
    if exchange.host_rewritten:
        yield NotApplicable("the proxy rewrote Host")
    elif not host:
        yield NotApplicable("the request has no Host")
    elif not fqdns:
        yield NotApplicable("no realm has the name of a host")
    elif other is not None:
        yield Problem(f"{path}.realm", f"the FQDN {wanted}", other)


def _realms(exchange: Exchange) -> tuple[str, tuple[Realm, ...]]:
    """Return the realms of the credentials, or else of the first challenge, and where they are."""
    if exchange.request.credentials is not None:
        return AUTHORIZATION, exchange.request.credentials.realms
    return AUTHENTICATE, next((challenge.realms for challenge in exchange.challenges), ())


@REALM_RULES.warning(
    TS33246["6.2.1.3"](says="the user name is the B-TID"),
    TS33220["4.5.2"](says="a B-TID is the base64 of RAND, @ and the name of the BSF", sure=Sure.RECALL_HIGH),
    TS33501["W.4.1.3"](says="in 5G broadcast the terminal authenticates with GBA or with AKMA"),
    TS33535["B"](says="with AKMA, the user name is the A-KID, which is a NAI"),
    level_reason="the form of a B-TID is cited from memory, and a lab may use plain names (a violation in strict mode)",
    covers=["HTTP-09"],
)
def username_not_b_tid(exchange: Exchange, context: Context) -> Problems:
    """The user name does not look like a B-TID (with AKMA: like an A-KID).

    The BSM asks the BSF for the keys of a B-TID, and the AKMA anchor function for those of an A-KID. With another user
    name there is no bootstrapping, and both sides share some other secret: fine in a lab, not in the field. An A-KID is
    expected if the realm is AKMA's, and a B-TID with every other realm.

    Check whether the terminal bootstraps before it asks for keys, and whether the realm matches how it did.
    """
    credentials = exchange.request.credentials
    if credentials is None:
        yield NO_CREDENTIALS
        return
    name = credentials.first.get("username")
    prefixes = {realm.prefix for realm in credentials.realms}
    if name is None or credentials.hides_username:
        yield NotApplicable("the user name is not given as plain text")
        return
    if "3GPP-bootstrapping-digest" in prefixes:
        yield NotApplicable("bootstrapping with Digest forms the B-TID differently")
        return
    akma = _uses_akma(exchange, prefixes)
    gba = not akma or len(prefixes) > 1
    if not (akma and is_a_kid(name)) and not (gba and is_b_tid(name)):
        level = Level.VIOLATION if context.settings.strict else None
        a_kid = "an A-KID: routing indicator and A-TID, @ and the home network"
        expected = a_kid if akma else "base64 of 16 octets, @ and the name of a BSF"
        yield Problem(f"{AUTHORIZATION}.username", expected, name or "an empty name", level=level)


def _uses_akma(exchange: Exchange, prefixes: Set[str]) -> bool:
    """Tell whether a realm is that of AKMA; where none is that of GBA or AKMA, User-Agent tells."""
    if prefixes:
        return AKMA_PREFIX in prefixes
    return product_tokens(exchange.request.headers.get("User-Agent") or "") == {AKMA_TOKEN}


@fault(on=Exchange, reference="download", trips={"realm-malformed"})
def replace_realm(exchange: Exchange, *, to: str = "BSM") -> Exchange:
    """Replace the realm in the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("realm", to, quoted=True))


@fault(on=Exchange, reference="challenged", trips={"realm-malformed"})
def replace_challenge_realm(exchange: Exchange, *, to: str = "3GPP-bootstrapping@") -> Exchange:
    """Replace the realm in the challenge."""
    return put_challenge(exchange, f"Digest {first_challenge(exchange).put('realm', to, quoted=True)}")


@fault(on=Exchange, reference="download", trips={"realm-host-mismatch"})
def replace_host(exchange: Exchange, *, to: str = "bsm.home2.net") -> Exchange:
    """Replace the host of the recorded request."""
    return with_request_header(exchange, "Host", to)


@fault(on=Exchange, reference="plain-mbms", trips={"username-not-b-tid"})
def replace_username(exchange: Exchange, *, to: str = "terminal-1") -> Exchange:
    """Write a plain user name into the recorded credentials."""
    return prove(exchange, proof_of(exchange).put("username", to, quoted=True))


@fault(on=Exchange, reference="akma", trips={"username-not-b-tid", "terminal-identity-mismatch"})
def replace_a_kid(exchange: Exchange, *, to: str = "Zm91cnRoIHRlcm1pbmFsIQ==@bsf.home1.net") -> Exchange:
    """Write a B-TID into the recorded credentials of AKMA."""
    return replace_username(exchange, to=to)
