"""Rules on HTTP, digest and identities, where the closed loop does not look: legal variants, levels, hostile input."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import digest, reference
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FaultError, parse_application
from ltkm_inspect.finding import Answer, Level
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.keys.ring import WILD_CARD
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Headers, Request, Response, split_target
from tests.growth import grows_as_its_input

DOWNLOAD = reference.reference("download")[0]
PLAIN = reference.reference("plain-mbms")[0]
CHALLENGED = reference.reference("challenged")[0]
AKMA = reference.reference("akma")[0]
A_KID = reference.TERMINAL_OF_5G.b_tid
AKMA_PLAIN = reference.exchange(
    [reference.FIRST.msk_id], [(reference.FIRST, "200 OK", None)], terminal=reference.TERMINAL_OF_5G
)
AUTHORIZATION = DOWNLOAD.request.headers.get("Authorization") or ""
REALM = f"3GPP-bootstrapping@{reference.BSM}"
DEBUG = Context(Settings(debug=True))
type Levels = dict[str, Level]


def levels(exchange: Exchange, context: Context = DEBUG) -> Levels:
    """Return the broken rules with their levels."""
    return {finding.rule: finding.level for finding in inspect(exchange, context).findings}


def asked(exchange: Exchange = DOWNLOAD, **changes: object) -> Exchange:
    """Return the exchange with its request changed."""
    return replace(exchange, request=replace(exchange.request, **changes))  # type: ignore[arg-type]


def ask_header(name: str, value: str | None, exchange: Exchange = DOWNLOAD) -> Exchange:
    headers = exchange.request.headers
    return asked(exchange, headers=headers.without(name) if value is None else headers.put(name, value))


def proved(old: str, new: str, exchange: Exchange = DOWNLOAD) -> Exchange:
    """Return the exchange with its credentials changed as text."""
    value = exchange.request.headers.get("Authorization") or ""
    assert old in value
    return ask_header("Authorization", value.replace(old, new), exchange)


def answered(exchange: Exchange = DOWNLOAD, **changes: object) -> Exchange:
    assert exchange.response is not None
    return replace(exchange, response=replace(exchange.response, **changes))  # type: ignore[arg-type]


def answer_header(name: str, value: str | None, exchange: Exchange = DOWNLOAD) -> Exchange:
    assert exchange.response is not None
    headers = exchange.response.headers
    return answered(exchange, headers=headers.without(name) if value is None else headers.put(name, value))


def informed(old: str, new: str, exchange: Exchange = DOWNLOAD) -> Exchange:
    """Return the exchange with its Authentication-Info changed as text."""
    assert exchange.response is not None
    value = exchange.response.authentication_info_text or ""
    assert old in value
    return answer_header("Authentication-Info", value.replace(old, new), exchange)


def challenged(*values: str) -> Exchange:
    """Return a 401 with these WWW-Authenticate fields."""
    assert CHALLENGED.response is not None
    fields = CHALLENGED.response.headers.without("WWW-Authenticate").fields
    added = tuple((b"WWW-Authenticate", value.encode()) for value in values)
    return answered(CHALLENGED, headers=Headers(fields + added))


def offer(**directives: str) -> str:
    """Return a digest challenge."""
    given = {"realm": REALM, "nonce": "6629fae4", "qop": "auth,auth-int"} | directives
    bare = {"stale", "algorithm"}
    return "Digest " + ", ".join(
        f"{name}={value}" if name in bare else f'{name}="{value}"' for name, value in given.items()
    )


def identified(idi: str = reference.BSM, idr: str = reference.B_TID) -> Exchange:
    """Return a download whose message has these identities."""
    wanted = f"replace-bsm-identity:to={idi}", f"replace-terminal-identity:to={idr}"
    return inject(DOWNLOAD, [parse_application(text) for text in wanted], Context())


FRESH = AUTHORIZATION.replace("algorithm=MD5", "algorithm=MD5-sess")
SHA256 = digest.parse_credentials(AUTHORIZATION)
assert SHA256 is not None
LONG = SHA256.put("algorithm", "SHA-256").put("response", "ab" * 32, quoted=True)
TOLD = 'qop=auth-int, rspauth="{}", cnonce="0a4f113b", nc=00000001'

RIGHT = {
    "a tab behind the scheme": ask_header("Authorization", AUTHORIZATION.replace(" ", "\t", 1)),
    "HTTP/2 is a note": asked(http_version="HTTP/2.0"),
    "HTTP/3 as Chromium writes it": asked(http_version="h3"),
    "no version in a HAR": asked(http_version=""),
    "a version in lower case": asked(http_version="http/1.1"),
    "an absolute target": asked(target=f"http://{reference.BSM}{reference.REQUEST_TARGET}"),
    "a percent-encoded path": asked(target="/%6Beymanagement?requesttype=msk-request"),
    "the space that the standard prints": asked(target="/keymanagement?requesttype=%20msk-request"),
    "a plus for that space": asked(target="/keymanagement?requesttype=+msk-request"),
    "an absolute uri": proved('uri="/', f'uri="http://{reference.BSM.upper()}:80/'),
    "a percent-encoded uri": proved("requesttype=msk-request", "requesttype%3Dmsk%2Drequest".replace("%3D", "=")),
    "the request type in percent-encoding": asked(target="/keymanagement?requesttype=msk%2Drequest"),
    "Content-Type with parameters": ask_header("Content-Type", "Application/MBMS-MSK+xml; charset=utf-8"),
    "a version on the product token": ask_header("User-Agent", "x/1 (a b) 3GPP-GBA/2 y"),
    "several product tokens": ask_header("User-Agent", "3gpp-gba-uicc 3gpp-gba 3gpp-gba-digest"),
    "a product token of a later release": ask_header("User-Agent", "3gpp-gba-tmpi"),
    "uicc": ask_header("User-Agent", "x 3gpp-gba-uicc", proved("bootstrapping@", "bootstrapping-uicc@")),
    "Host with a port": ask_header("Host", f"{reference.BSM.upper()}:80"),
    "Host with a dot at its end": ask_header("Host", f"{reference.BSM}."),
    "no Host, as in HTTP/2": ask_header("Host", None),
    "a rewritten Host": replace(ask_header("Host", "192.0.2.1:8080"), host_rewritten=True),
    "qop in upper case": proved("qop=auth-int", "qop=AUTH-INT"),
    "algorithm in lower case": proved("algorithm=MD5", "algorithm=md5"),
    "no algorithm": proved("algorithm=MD5, ", ""),
    "MD5-sess": ask_header("Authorization", FRESH),
    "SHA-256": answer_header(
        "Authentication-Info", TOLD.format("cd" * 32), ask_header("Authorization", f"Digest {LONG}")
    ),
    "SHA-256 in lower case": answer_header(
        "Authentication-Info",
        TOLD.format("cd" * 32),
        ask_header("Authorization", f"Digest {LONG.put('algorithm', 'sha-256')}"),
    ),
    "unknown directives": proved("Digest ", 'Digest domain="/", x=y, '),
    "userhash and charset either way": proved("Digest ", 'Digest userhash="false", charset=UTF-8, '),
    "white space around the equals sign": proved("algorithm=MD5, qop=auth-int", "algorithm = MD5, qop =auth-int"),
    "a nonce count with letters": proved("nc=00000001", "nc=0000000a", informed("nc=00000001", "nc=0000000a")),
    "an empty list element": proved("algorithm=MD5,", "algorithm=MD5, ,"),
    "directives in upper case": proved("cnonce=", "CNONCE="),
    "the scheme in lower case": proved("Digest ", "digest "),
    "directives without spaces": ask_header("Authorization", "Digest " + str(SHA256).replace(", ", ",")),
    "a comma inside quotation marks": proved("Digest ", 'Digest opaque="a, b=c", '),
    "an unknown directive in Authentication-Info": informed("qop=", "x=1, qop="),
    "a next nonce": informed("qop=", 'nextnonce="f00", qop='),
    "Authentication-Info in another order": answer_header(
        "Authentication-Info", 'cnonce="0a4f113b",nc=00000001,rspauth="a73a7ce9bc9ad596061528d09bebe7a1",qop=auth-int'
    ),
    "no Authentication-Info where the HAR dropped the trailer": replace(
        answer_header("Trailer", "Authentication-Info", answer_header("Authentication-Info", None)), raw=False
    ),
    "a challenge beside Basic": challenged('Basic realm="x, y", ' + offer()),
    "Basic in a field of its own": challenged('Basic realm="x"', offer()),
    "Negotiate with a token": challenged("Negotiate YIIabc==, " + offer()),
    "two digest challenges": challenged(offer(algorithm="SHA-256") + ", " + offer(algorithm="MD5")),
    "a challenge with an algorithm that is not known, too": challenged(offer(algorithm="X-1"), offer()),
    "a stale nonce": challenged(offer(domain="/ /a", opaque="") + ", stale=true, userhash=true, charset=UTF-8"),
    "the same challenge in two fields": challenged(offer(), offer()),
    "a refused terminal": answered(reference.reference("refused")[0], status=403),
    "a redirection is a note": answered(CHALLENGED, status=302),
    "unavailable without Retry-After is a note": answered(CHALLENGED, status=503),
    "a first request that only names the terminal": ask_header(
        "Authorization",
        f'Digest username="{reference.B_TID}", realm="{REALM}", nonce="", uri="/keymanagement", response=""',
        CHALLENGED,
    ),
    "an empty first request": asked(CHALLENGED, body=b"", headers=CHALLENGED.request.headers.without("Content-Type")),
    "AKMA, challenged": reference.reference("akma-challenge")[0],
    "AKMA, with the tokens of both": ask_header("User-Agent", "x 3gpp-gba 3GPP-AKMA/1.0", AKMA),
    "an A-KID spelled another way": proved(A_KID, "RID0012_ATIDBfVEl8zvEtGyc0cKs4xZkQ==@home.example", AKMA_PLAIN),
    "identities in other case": identified(idi=reference.BSM.upper()),
    "no response": replace(CHALLENGED, response=None),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_flagged(name: str) -> None:
    found = levels(RIGHT[name])
    found.pop("not-checked-in-full", None)
    # The rules on digest values need keys, which are not given here.
    assert found == {}


W, V = Level.WARNING, Level.VIOLATION
WRONG: dict[str, tuple[Exchange, Levels]] = {
    "the method in lower case": (asked(method="post"), {"method-not-post": V}),
    "HTTP/1.0": (asked(http_version="HTTP/1.0"), {"http-version-wrong": W}),
    "a slash behind the path": (
        proved("/keymanagement", "/keymanagement/", asked(target="/keymanagement/?requesttype=msk-request")),
        {"request-path-wrong": V},
    ),
    "a path in other case": (asked(target="/KeyManagement?requesttype=msk-request"), {"request-path-wrong": V}),
    "an empty request type": (asked(target="/keymanagement?requesttype="), {"request-type-not-single": V}),
    "two equal request types": (
        asked(target="/keymanagement?requesttype=msk-request&requesttype=msk-request"),
        {"request-type-not-single": V},
    ),
    "no Content-Type": (ask_header("Content-Type", None), {"request-media-type-wrong": V}),
    "the token in a comment": (ask_header("User-Agent", "x (3gpp-gba )"), {"user-agent-lacks-gba": W}),
    "no User-Agent": (ask_header("User-Agent", None), {"user-agent-lacks-gba": W}),
    "a realm for a UICC, asked without": (proved("bootstrapping@", "bootstrapping-uicc@"), {"user-agent-lacks-gba": W}),
    "no qop": (proved("qop=auth-int, ", ""), {"qop-not-auth-int": V}),
    "another qop": (proved("qop=auth-int", "qop=token"), {"qop-not-auth-int": V}),
    "an empty qop": (proved("qop=auth-int", 'qop=""'), {"qop-not-auth-int": V}),
    "the realm in lower case": (proved("3GPP-boot", "3gpp-boot"), {"realm-malformed": V}),
    "a realm with a port": (
        proved(REALM, f"{REALM}:80", PLAIN),
        {"realm-malformed": V},
    ),
    "the realm of a lab": (
        ask_header("Host", "bsm", proved(REALM, "3GPP-bootstrapping@bsm", PLAIN)),
        {"realm-malformed": W},
    ),
    "the realm of an address": (
        ask_header("Host", "192.0.2.1:80", proved(REALM, "3GPP-bootstrapping@192.0.2.1", PLAIN)),
        {"realm-malformed": W},
    ),
    "a user name that is no B-TID": (proved(reference.B_TID, "alice", PLAIN), {"username-not-b-tid": W}),
    "a B-TID of 15 octets": (
        proved(reference.B_TID, "MTIzNDU2Nzg5MDEyMzQ1@bsf.home1.net", PLAIN),
        {"username-not-b-tid": W},
    ),
    "no nonce": (proved("nonce=", "x=", PLAIN), {"authorization-incomplete": V}),
    "no commas": (
        ask_header("Authorization", "Digest " + str(SHA256).replace(", ", " ")),
        {"authorization-incomplete": V},
    ),
    "a digest that is not hex": (proved("6249", "624g"), {"authorization-malformed": V}),
    "SHA-256 with the length of MD5": (
        proved("algorithm=MD5", "algorithm=SHA-256"),
        {"authorization-malformed": V, "rspauth-malformed": W},
    ),
    "a uri without the query": (proved('?requesttype=msk-request"', '"'), {"uri-mismatch": W}),
    "a uri on another host": (
        proved('uri="', 'uri="http://other.net', asked(target=f"http://{reference.BSM}{reference.REQUEST_TARGET}")),
        {"uri-mismatch": W},
    ),
    "qop in quotation marks": (proved("qop=auth-int", 'qop="auth-int"'), {"authorization-misquoted": W}),
    "qop in upper case and quotation marks": (
        proved("qop=auth-int", 'QOP="AUTH-INT"'),
        {"authorization-misquoted": W},
    ),
    "algorithm in quotation marks": (proved("algorithm=MD5", 'algorithm="MD5"'), {"authorization-misquoted": W}),
    "nc in quotation marks": (proved("nc=00000001", 'nc="00000001"'), {"authorization-misquoted": W}),
    "cnonce without quotation marks": (
        proved('cnonce="0a4f113b"', "cnonce=0a4f113b"),
        {"authorization-misquoted": W},
    ),
    "a nonce count in upper case": (
        proved("nc=00000001", "nc=0000000A", informed("nc=00000001", "nc=0000000A")),
        {"nonce-count-upper-case": W},
    ),
    "a nonce count that only the response has in upper case": (
        proved("nc=00000001", "nc=0000000a", informed("nc=00000001", "nc=0000000A")),
        {"nonce-count-upper-case": W},
    ),
    "a short nonce count, echoed": (
        proved("nc=00000001", "nc=1", informed("nc=00000001", "nc=1")),
        {"authorization-malformed": V},
    ),
    "any directive twice": (proved("Digest ", "Digest algorithm=MD5, "), {"authorization-repeats": W}),
    "a directive twice in other case": (proved("Digest ", "Digest QOP=auth-int, "), {"authorization-repeats": W}),
    "Authorization twice": (
        asked(headers=Headers((*DOWNLOAD.request.headers.fields, (b"authorization", AUTHORIZATION.encode())))),
        {"authorization-repeats": W},
    ),
    "stale and algorithm of a challenge in quotation marks": (
        challenged(offer() + ', stale="false", algorithm="MD5"'),
        {"challenge-misquoted": W},
    ),
    "the domain of a challenge without quotation marks": (
        challenged(offer() + ", domain=/"),
        {"challenge-misquoted": W},
    ),
    "the second challenge without quotation marks": (
        challenged(offer(), offer().replace('"6629fae4"', "6629fae4")),
        {"challenge-misquoted": W},
    ),
    "a directive twice in one challenge": (challenged(offer() + ', nonce="6629fae4"'), {"challenge-repeats": W}),
    "a list of qop without quotation marks": (
        challenged(offer().replace('"auth,auth-int"', "auth, auth-int") + f', opaque="{reference.OPAQUE}"'),
        {"challenge-misquoted": W},
    ),
    "a list of qop in the credentials": (proved("qop=auth-int", "qop=auth,auth-int"), {"qop-not-auth-int": V}),
    "an empty rspauth": (
        informed("a73a7ce9bc9ad596061528d09bebe7a1", ""),
        {"authentication-info-incomplete": V},
    ),
    "a next nonce and nothing else": (
        answer_header("Authentication-Info", 'nextnonce="zz"'),
        {"authentication-info-incomplete": V},
    ),
    "no qop and no rspauth": (
        answer_header("Authentication-Info", 'cnonce="0a4f113b", nc=00000001'),
        {"authentication-info-incomplete": V},
    ),
    "an algorithm of bootstrapping": (proved("algorithm=MD5", "algorithm=AKAv2-MD5"), {"algorithm-unusual": W}),
    "no cnonce in Authentication-Info": (informed("cnonce=", "x="), {"authentication-info-incomplete": V}),
    "garbage as Authentication-Info": (
        answer_header("Authentication-Info", "yes indeed"),
        {"authentication-info-incomplete": V},
    ),
    "cnonce in other case": (informed("0a4f", "0A4F"), {"authentication-info-mismatch": V}),
    "a short nonce count": (informed("nc=00000001", "nc=1"), {"authentication-info-misquoted": W}),
    "auth for auth-int": (informed("qop=auth-int", "qop=auth"), {"authentication-info-qop-wrong": V}),
    "no qop in Authentication-Info": (informed("qop=auth-int, ", ""), {"authentication-info-qop-wrong": W}),
    "rspauth without quotation marks": (
        informed('"a73a7ce9bc9ad596061528d09bebe7a1"', "a73a7ce9bc9ad596061528d09bebe7a1"),
        {"authentication-info-misquoted": W},
    ),
    "502": (answered(CHALLENGED, status=502), {"status-unusual": W}),
    "599": (answered(CHALLENGED, status=599), {"status-unusual": W}),
    "a challenge of another scheme": (challenged('Basic realm="x"'), {"challenge-missing": V}),
    "a challenge without a nonce": (challenged(f'Digest realm="{REALM}", qop="auth-int"'), {"challenge-incomplete": V}),
    "a challenge without qop": (challenged(f'Digest realm="{REALM}", nonce="1"'), {"challenge-lacks-auth-int": W}),
    "two realms, one of another server": (
        challenged(offer(realm=f"{REALM};3GPP-bootstrapping-uicc@bsm.home2.net")),
        {"realm-host-mismatch": W},
    ),
    "two realms, one of which is none": (challenged(offer(realm=f"{REALM};BSM")), {"realm-malformed": V}),
    "two realms, one without an FQDN": (
        challenged(offer(realm=f"{REALM};3GPP-bootstrapping-uicc@")),
        {"realm-malformed": V},
    ),
    "two realms with a comma between them": (
        challenged(offer(realm=f"{REALM},3GPP-bootstrapping-uicc@{reference.BSM}")),
        {"realm-malformed": V},
    ),
    "a port behind the name in the realm": (proved(REALM, f"{REALM}:80"), {"realm-malformed": V}),
    "two realms, echoed with the token of neither": (
        ask_header(
            "User-Agent", "x 3gpp-gba-digest", proved(REALM, f"{REALM};3GPP-bootstrapping-uicc@{reference.BSM}", PLAIN)
        ),
        {"user-agent-lacks-gba": W},
    ),
    "an algorithm of bootstrapping in the challenge": (
        challenged(offer(algorithm="AKAv1-MD5")),
        {"algorithm-unusual": W},
    ),
    "a 200 without LTKMs that proves nothing": (
        answer_header("Authentication-Info", " ", PLAIN),
        {"success-not-authenticated": V},
    ),
    "a realm that the Host does not have": (
        ask_header("Host", "bsm.home2.net", CHALLENGED),
        {"realm-host-mismatch": W},
    ),
    "AKMA without its token": (ask_header("User-Agent", "x", AKMA), {"user-agent-lacks-gba": W}),
    "AKMA with the token of GBA": (ask_header("User-Agent", "x 3gpp-gba", AKMA), {"user-agent-lacks-gba": W}),
    "the token of AKMA with the realm of GBA": (
        ask_header("User-Agent", "x 3gpp-akma", PLAIN),
        {"user-agent-lacks-gba": W},
    ),
    "an A-KID with the realm of GBA": (proved(reference.B_TID, A_KID, PLAIN), {"username-not-b-tid": W}),
    "a B-TID with the realm of AKMA": (proved(A_KID, reference.B_TID, AKMA_PLAIN), {"username-not-b-tid": W}),
    "an A-KID without a home network": (proved(A_KID, "rid0012.atid00", AKMA_PLAIN), {"username-not-b-tid": W}),
    "the realm of AKMA without a name": (
        proved(reference.TERMINAL_OF_5G.realm, "3GPP-bootstrapping-akma@", AKMA_PLAIN),
        {"realm-malformed": V},
    ),
    "the realm of AKMA in lower case": (
        proved(reference.TERMINAL_OF_5G.realm, reference.TERMINAL_OF_5G.realm.lower(), AKMA_PLAIN),
        {"realm-malformed": V},
    ),
    "IDi with a dot": (identified(idi=f"{reference.BSM}."), {"bsm-identity-mismatch": W}),
    "IDr with its domain in other case": (
        identified(idr=reference.B_TID.replace("bsf", "BSF")),
        {"terminal-identity-mismatch": W},
    ),
    "IDr with its RAND in other case": (
        identified(idr=reference.B_TID.replace("MTIz", "mtiz")),
        {"terminal-identity-mismatch": V},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_flagged_once_and_at_its_level(name: str) -> None:
    exchange, wanted = WRONG[name]
    assert levels(exchange) == wanted


@pytest.mark.parametrize("name", ["realm-malformed", "username-not-b-tid", "user-agent-lacks-gba"])
def test_another_profile_of_identities_has_other_rules(name: str) -> None:
    context = Context(Settings(debug=True, profile=frozenset({"ruim"})))
    report = inspect(ask_header("User-Agent", None, proved(reference.B_TID, "x", proved(REALM, "x"))), context)
    assert list(report.rules) == []
    assert report.outcomes[name].answer is Answer.NOT_APPLICABLE


def test_a_plain_user_name_is_a_violation_for_the_strict() -> None:
    strict = Context(Settings(debug=True, strict=True))
    assert levels(proved(reference.B_TID, "alice", PLAIN), strict)["username-not-b-tid"] is V


def test_bootstrapping_by_digest_forms_its_user_name_otherwise() -> None:
    exchange = proved(
        reference.B_TID, "bm9uY2U=@bsf.home1.net", proved("bootstrapping@", "bootstrapping-digest@", PLAIN)
    )
    assert levels(ask_header("User-Agent", "3gpp-gba-digest", exchange)) == {}


def test_the_realm_of_a_challenge_and_of_the_credentials_are_both_looked_at() -> None:
    exchange = answered(
        proved(REALM, "x"), status=401, headers=Headers(((b"WWW-Authenticate", offer(realm="y").encode()),)), body=b""
    )
    report = inspect(exchange, DEBUG)
    places = [finding.place.path for finding in report.findings if finding.rule == "realm-malformed"]
    assert places == ["request.headers.Authorization.realm", "response.headers.WWW-Authenticate.realm"]


@pytest.mark.parametrize(
    ("exchange", "place", "expected"),
    [
        pytest.param(
            proved("algorithm=MD5, qop=auth-int", 'algorithm="MD5", qop="auth-int"'),
            "request.headers.Authorization",
            "algorithm, qop with no quotation marks",
            id="two of a kind",
        ),
        pytest.param(
            challenged(offer().replace('"auth,auth-int"', "auth-int")),
            "response.headers.WWW-Authenticate.qop",
            "quotation marks",
            id="one",
        ),
        pytest.param(
            proved("Digest ", "Digest a=1, b=1, c=1, d=1, e=1, f=1, a=1, b=1, c=1, d=1, e=1, f=1, "),
            "request.headers.Authorization",
            "a, b, c, d, e and 1 more once",
            id="more than are shown",
        ),
    ],
)
def test_one_warning_names_the_directives_of_a_kind(exchange: Exchange, place: str, expected: str) -> None:
    (finding,) = inspect(exchange, DEBUG).findings
    assert (finding.place.path, finding.expected) == (place, expected)


def test_credentials_without_qop_need_no_rspauth() -> None:
    exchange = proved("qop=auth-int, ", "", answer_header("Authentication-Info", 'nextnonce="zz"'))
    assert levels(exchange) == {"qop-not-auth-int": V}


def test_a_registration_is_another_procedure() -> None:
    exchange = asked(PLAIN, target="/keymanagement?requesttype=register", method="GET", headers=Headers())
    report = inspect(answered(exchange, headers=Headers(), status=502), DEBUG)
    assert "method-not-post" not in report.rules
    assert report.outcomes["status-unusual"].answer is Answer.NOT_APPLICABLE


def test_an_ltkm_without_authentication_info_is_told_once() -> None:
    assert list(levels(answer_header("Authentication-Info", None))) == ["authentication-info-missing"]


def test_a_401_with_an_ltkm_is_told_once() -> None:
    assert list(levels(answered(status=401))) == ["status-not-200"]


def test_nothing_is_authenticated_is_told_once() -> None:
    exchange = ask_header("Authorization", None, answer_header("Authentication-Info", None, PLAIN))
    assert levels(exchange) == {"authorization-missing": V}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [
        pytest.param("nextnonce-given", RIGHT["a next nonce"], id="nextnonce"),
        pytest.param("content-coded", answer_header("Content-Encoding", "gzip"), id="content coding"),
        pytest.param("transport-plain", DOWNLOAD, id="plain HTTP"),
        pytest.param("response-cacheable", answer_header("Cache-Control", "Public, max-age=5"), id="cacheable"),
        pytest.param("retry-time-missing", RIGHT["unavailable without Retry-After is a note"], id="retry time"),
        pytest.param("http-version-wrong", RIGHT["HTTP/2 is a note"], id="HTTP/2"),
        pytest.param("status-unusual", RIGHT["a redirection is a note"], id="redirection"),
    ],
)
def test_a_note_is_shown(name: str, exchange: Exchange) -> None:
    assert name in [note.rule for note in inspect(exchange, DEBUG).notes]


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(answer_header("Cache-Control", "no-store, public"), id="not stored"),
        pytest.param(asked(scheme="https"), id="TLS"),
        pytest.param(answer_header("Content-Encoding", "identity"), id="identity"),
    ],
)
def test_a_note_is_not_shown_for_nothing(exchange: Exchange) -> None:
    shown = {note.rule for note in inspect(exchange, DEBUG).notes}
    assert not shown & {"response-cacheable", "content-coded"}
    assert ("transport-plain" in shown) is (exchange.request.scheme == "http")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/a?b=c", ("", "/a", "b=c")),
        ("http://h:1/a?b", ("h:1", "/a", "b")),
        ("http://h", ("h", "", "")),
        ("/a?u=http://h/", ("", "/a", "u=http://h/")),
        ("//a/b", ("", "//a/b", "")),
        ("*", ("", "*", "")),
        ("", ("", "", "")),
    ],
)
def test_a_target_is_taken_apart(text: str, wanted: tuple[str, str, str]) -> None:
    assert split_target(text) == wanted


def test_a_fault_says_what_it_does_not_find() -> None:
    bare = answered(ask_header("Authorization", None), headers=Headers())
    for text in ("replace-realm", "downgrade-qop", "downgrade-challenge"):
        with pytest.raises(FaultError, match="has no"):
            inject(bare, [parse_application(text)], Context())


HEADER = st.text(st.sampled_from('DigestBac realm=nonceqop,"\\ @:;=?%&3GP\x00é'), max_size=60)


@given(HEADER, HEADER, HEADER, HEADER, st.sampled_from([200, 401, 502]))
def test_no_header_makes_a_rule_crash(one: str, two: str, three: str, target: str, status: int) -> None:
    request = Request(
        "POST",
        "http",
        "h",
        80,
        f"/keymanagement?requesttype=msk-request{target}",
        headers=Headers(
            ((b"Authorization", b"Digest " + one.encode()), (b"User-Agent", two.encode()), (b"Host", two.encode()))
        ),
    )
    response = Response(
        status,
        headers=Headers(((b"WWW-Authenticate", three.encode()), (b"Authentication-Info", one.encode()))),
        body=DOWNLOAD.response.body if DOWNLOAD.response else None,
    )
    inspect(replace(DOWNLOAD, request=request, response=response), DEBUG)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda count: "Digest " + '"\\' * count, id="escapes"),
        pytest.param(lambda count: 'Digest a="' + '\\"' * count, id="an open quotation"),
        pytest.param(lambda count: "Digest " + "," * 2 * count, id="commas"),
        pytest.param(lambda count: "Digest " + " " * 2 * count + "x", id="spaces"),
        pytest.param(lambda count: "Digest " + "a=1," * (count // 2), id="directives"),
        pytest.param(lambda count: "Digest " * (count // 3), id="schemes"),
        pytest.param(lambda count: "Digest a" + "a" * 2 * count, id="a long name"),
        pytest.param(lambda count: 'Digest realm="3GPP-bootstrapping@' + ":" * count + 'x"', id="a long address"),
        pytest.param(lambda count: 'Digest realm="3GPP-bootstrapping@' + "a." * count + '!"', id="a long host"),
    ],
)
def test_hostile_headers_take_no_more_than_linear_time(text: Callable[[int], str]) -> None:
    def look(count: int) -> None:
        value = text(count)
        exchange = answer_header("Authentication-Info", value.removeprefix("Digest "), challenged(value))
        for each in (exchange, answered(exchange, status=200)):
            asked = ask_header("User-Agent", value, ask_header("Authorization", value, each))
            inspect(ask_header("Host", value, asked), DEBUG)

    assert grows_as_its_input(look, 10_000)


def asks(**directives: str) -> str:
    return offer(**{"nonce": reference.NONCE, "opaque": reference.OPAQUE, "qop": "auth-int"} | directives)


def answer_of(realm: str, *challenges: str) -> tuple[Exchange, Context]:
    """Return an answer that names this realm, and the context in which these challenges came before it."""
    first, answer = reference.reference("challenge")
    assert first.response is not None
    fields = tuple((b"WWW-Authenticate", text.encode()) for text in challenges)
    context = Context(Settings(debug=True), session=Session())
    inspect(replace(first, response=replace(first.response, headers=Headers(fields))), context)
    return proved(REALM, realm, answer), context


BOTH = f"{REALM};3GPP-bootstrapping-uicc@{reference.BSM}"


@pytest.mark.parametrize(
    ("realm", "challenges", "wanted"),
    [
        pytest.param(REALM, [asks()], {}, id="as asked"),
        pytest.param(REALM, [asks(opaque="other")], {"credentials-unlike-challenge": V}, id="opaque"),
        pytest.param(REALM, [asks(algorithm="SHA-256")], {"credentials-unlike-challenge": V}, id="algorithm"),
        pytest.param(REALM, [asks(algorithm="SHA-256"), asks(algorithm="MD5")], {}, id="the second challenge"),
        pytest.param(
            REALM, [asks(realm=f"3GPP-bootstrapping-uicc@{reference.BSM}")], {"realm-not-offered": W}, id="realm"
        ),
        pytest.param(REALM, [asks(realm=BOTH)], {}, id="one of two realms"),
        pytest.param(BOTH, [asks()], {"realm-not-offered": W}, id="two realms for one"),
        pytest.param(REALM, [asks(realm=f"{BOTH};")], {}, id="a semicolon at the end of the offer"),
        pytest.param(REALM, [asks(realm=f"{REALM};BSM")], {}, id="one of two, the other of which is none"),
        pytest.param(REALM, [asks(realm=REALM.replace("b", "B"))], {}, id="the offer in other case"),
        pytest.param(REALM, [asks(qop="auth")], {}, id="auth-int, which was not offered"),
        pytest.param(REALM, [asks(opaque="")], {"credentials-unlike-challenge": V}, id="opaque for an empty one"),
    ],
)
def test_credentials_repeat_opaque_and_algorithm_and_take_a_realm_that_was_offered(
    realm: str, challenges: list[str], wanted: Levels
) -> None:
    assert levels(*answer_of(realm, *challenges)) == wanted


def test_an_empty_opaque_need_not_be_repeated() -> None:
    answer, context = answer_of(REALM, asks(opaque=""))
    assert levels(proved(f', opaque="{reference.OPAQUE}"', "", answer), context) == {}


def test_a_qop_that_was_not_offered_is_one_finding() -> None:
    answer, context = answer_of(REALM, asks())
    assert levels(proved("qop=auth-int", "qop=auth", answer), context) == {"qop-not-auth-int": V}


def test_a_finding_names_what_differs_from_the_likest_challenge() -> None:
    challenges = asks(algorithm="SHA-256", opaque="other"), asks(algorithm="MD5", opaque="other")
    (finding,) = inspect(*answer_of(REALM, *challenges)).findings
    assert finding.place.path == "request.headers.Authorization.opaque"


def test_a_hashed_user_name_proves_nothing_and_is_no_wrong_key() -> None:
    exchange = proved('username="', 'userhash=true, username="0123456789abcdef', PLAIN)
    wild = KeyRing((replace(reference.TERMINAL.subscriber, b_tid=WILD_CARD),))
    report = inspect(exchange, Context(Settings(debug=True), wild, Session()))
    assert list(report.rules) == []
    assert "hashed" in report.outcomes["request-digest-wrong"].reason


FOREIGN = replace(reference.TERMINAL, b_tid="1234567890@carrier.example")


def of_another_system(*, realm: str = "bcmcs@", b_tid: str = FOREIGN.b_tid, idr: str = FOREIGN.b_tid) -> Exchange:
    """Build an exchange with these identities, none of which is one of GBA or AKMA if not told otherwise."""
    terminal = replace(FOREIGN, b_tid=idr)
    item = (reference.FIRST, "200 OK", reference.ltkm(reference.FIRST, terminal))
    made = reference.exchange([reference.FIRST.msk_id], [item], terminal=terminal)
    signed = made.request.headers.get("Authorization") or ""
    signed = signed.replace("3GPP-bootstrapping@", realm).replace(idr, b_tid)
    headers = made.request.headers.put("Authorization", signed).put("User-Agent", "terminal/1.0")
    return replace(made, request=replace(made.request, headers=headers))


@pytest.mark.parametrize(
    ("exchange", "profile", "is_hinted"),
    [
        pytest.param(of_another_system(), "auto", True, id="none"),
        pytest.param(of_another_system(), "bcast", True, id="none, and a profile of messages"),
        pytest.param(of_another_system(), "usim", False, id="none, and the profile of the card"),
        pytest.param(of_another_system(realm="3gpp-bootstrapping-x@"), "auto", False, id="the realm, misspelled"),
        pytest.param(of_another_system(b_tid=reference.B_TID), "auto", False, id="the user name"),
        pytest.param(of_another_system(idr=reference.B_TID), "auto", False, id="IDr"),
        pytest.param(replace(of_another_system(), response=None), "auto", True, id="no response"),
    ],
)
def test_identities_of_another_system_hint_at_its_profile(exchange: Exchange, profile: str, is_hinted: bool) -> None:
    found = inspect(exchange, Context(Settings(debug=True, profile=frozenset({profile})))).findings
    mine = [each for each in found if each.rule in IDENTITY_RULES]
    assert mine
    assert {"--profile ruim" in each.hint and "ltkm_profile=ruim" in each.hint for each in mine} == {is_hinted}
    assert not [each for each in found if each.rule not in IDENTITY_RULES and "ruim" in each.hint]


IDENTITY_RULES = {
    "realm-malformed",
    "username-not-b-tid",
    "user-agent-lacks-gba",
    "bsm-identity-mismatch",
    "terminal-identity-mismatch",
    "host-mismatch",
}


def test_under_the_profile_that_is_hinted_at_the_findings_are_gone() -> None:
    found = inspect(of_another_system(), Context(Settings(debug=True, profile=frozenset({"ruim"})))).findings
    assert not [each for each in found if each.rule in IDENTITY_RULES]
