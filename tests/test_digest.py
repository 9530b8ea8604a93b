"""HTTP Digest against the example of RFC 2617 and the worked exchange."""

import hashlib
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import digest, reference

MUFASA = (
    'username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", '
    'qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1"'
)


def test_the_response_of_rfc_2617() -> None:
    credentials = digest.parse_directives(MUFASA)
    assert digest.response(credentials, b"Circle Of Life", "GET") == "6629fae49393a05397450978507c4ef1"
    assert digest.rspauth(credentials, b"Circle Of Life") == "376602cfd2f4e8e5e78b948a85263e85"


RFC_7616 = (
    'username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth'
)


@pytest.mark.parametrize(
    ("algorithm", "right"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_responses_of_rfc_7616(algorithm: str, right: str) -> None:
    credentials = digest.parse_directives(RFC_7616.format(algorithm))
    assert digest.response(credentials, b"Circle of Life", "GET") == right


def test_without_qop_the_digest_is_the_one_of_rfc_2069_as_the_standard_library_has_it() -> None:
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    manager.add_password(None, "http://host.com/", "Mufasa", "Circle Of Life")
    handler = urllib.request.AbstractDigestAuthHandler(manager)
    challenge = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}
    request = urllib.request.Request("http://host.com/dir/index.html", method="POST")
    theirs = digest.parse_directives(handler.get_authorization(request, challenge) or "")
    assert theirs.get("qop") is None
    assert digest.response(theirs, b"Circle Of Life", "POST") == theirs.get("response")


@pytest.mark.parametrize("algorithm", ["MD5-sess", "SHA-256-sess", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_session_key_is_hashed_with_nonce_and_cnonce(algorithm: str, qop: str) -> None:
    """RFC 7616 §3.4.2: A1 is H(username:realm:password):nonce:cnonce, written out here step by step."""

    def hashed(*parts: str) -> str:
        name = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}[algorithm.removesuffix("-sess")]
        return hashlib.new(name, ":".join(parts).encode()).hexdigest()

    credentials = digest.parse_directives(RFC_7616.format(algorithm).replace("qop=auth", f"qop={qop}"))
    nonce, cnonce = credentials.get("nonce") or "", credentials.get("cnonce") or ""
    first = hashed(hashed("Mufasa", "http-auth@example.org", "Circle of Life"), nonce, cnonce)
    body = [hashed("<keys/>")] if qop == "auth-int" else []
    for method, right in (("POST", digest.response), ("", digest.rspauth)):
        wanted = hashed(first, nonce, "00000001", cnonce, qop, hashed(method, "/dir/index.html", *body))
        arguments = (method, b"<keys/>") if method else (b"<keys/>",)
        assert right(credentials, b"Circle of Life", *arguments) == wanted


def test_the_response_of_rfc_7616_with_sha_512_256() -> None:
    """RFC 7616 §3.9.2 as erratum 4897 corrects it, whose printed digest is not the one of SHA-512/256."""
    credentials = digest.parse_directives(
        'username="J\u00e4s\u00f8n Doe", realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, '
        'cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth'
    )
    right = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert digest.response(credentials, b"Secret, or not?", "GET") == right


@pytest.mark.parametrize("name", ["sha-512-256", "SHA-512-256", "Sha-512-256-Sess"])
def test_an_algorithm_is_named_in_any_case(name: str) -> None:
    credentials = digest.parse_directives(RFC_7616.format(name))
    assert credentials.digits == len(digest.response(credentials, b"Circle of Life", "GET")) == 64


@pytest.mark.parametrize(
    ("text", "realms"),
    [
        ("3GPP-bootstrapping@a.net", [("3GPP-bootstrapping", "a.net")]),
        (
            "3GPP-bootstrapping-uicc@a.net;3GPP-bootstrapping@a.net",
            [("3GPP-bootstrapping-uicc", "a.net"), ("3GPP-bootstrapping", "a.net")],
        ),
        (
            "3GPP-bootstrapping@a.net ; 3GPP-bootstrapping-uicc@a.net",
            [("3GPP-bootstrapping", "a.net"), ("3GPP-bootstrapping-uicc", "a.net")],
        ),
        ("3GPP-bootstrapping@a.net;other@a.net", []),
        ("3GPP-bootstrapping@a.net;", []),
        ("other@a.net", []),
        ("", []),
        (None, []),
    ],
)
def test_a_realm_may_name_several(text: str | None, realms: list[tuple[str, str]]) -> None:
    assert [(realm.prefix, realm.fqdn) for realm in digest.parse_realms(text)] == realms


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        ('username="a"', False),
        ('username="a", userhash=false', False),
        ('username="a", userhash=TRUE', True),
        ("username*=UTF-8''a", True),
    ],
)
def test_a_user_name_may_be_hidden(text: str, hides: bool) -> None:
    assert digest.parse_directives(text).hides_username is hides


def test_the_digests_of_the_worked_exchange() -> None:
    exchange = reference.reference("download")[0]
    assert exchange.response is not None
    assert exchange.request.credentials is not None
    assert exchange.request.credentials.get("response") == "66db7b5fb30fbbb2edca30370cfb6249"
    info = digest.parse_directives(exchange.response.authentication_info_text or "")
    assert info.get("rspauth") == "a73a7ce9bc9ad596061528d09bebe7a1"


def test_the_mrk_as_password_is_its_base64_text() -> None:
    assert reference.TERMINAL.subscriber.password == b"fDtTc6oK9vETEaNQUsWLZBZo4/dCn6wyLg9ie7tVyUs="


def test_directives_are_kept_as_they_were_written() -> None:
    text = r'qop=auth-int, rspauth="a\"b", CNONCE="x,y", nc=00000001'
    parsed = digest.parse_directives(text)
    assert str(parsed) == text
    assert parsed.get("cnonce") == "x,y"
    assert parsed.get("rspauth") == 'a"b'
    assert [field.quoted for field in parsed.fields] == [False, True, True, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [("nonce=", "nonce"), ('algorithm="AKAv1-MD5", ', "algorithm"), ("qop=other, ", "qop")],
    ids=["a directive is missing", "an unknown algorithm", "an unknown qop"],
)
def test_what_cannot_be_computed_names_the_directive(change: str, said: str) -> None:
    text = MUFASA.replace("nonce=", "x=") if change == "nonce=" else change + MUFASA
    with pytest.raises(ValueError, match=said):
        digest.response(digest.parse_directives(text), b"", "GET")


@given(st.text(max_size=200))
def test_parsing_never_raises_and_is_linear(text: str) -> None:
    digest.parse_directives(text)
    digest.parse_credentials("Digest " + text)


def test_hostile_directives_take_no_more_than_linear_time() -> None:
    digest.parse_directives('a="' + "\\" * 200_000)
    digest.parse_directives("a=" * 100_000)
    digest.parse_directives(" " * 200_000)


@given(st.text('\\"a,'))
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert digest.parse_directives(f'nonce="{escaped}", nc=1').get("nonce") == value


def test_an_a_tid_is_the_64_digits_in_front_of_the_at_sign() -> None:
    digits = "0123456789abcdef" * 4
    assert digest.a_tid_of(f"12.{digits}@akma.home1.net") == bytes.fromhex(digits)
    assert digest.a_tid_of(f"{digits[1:]}@akma.home1.net") is None
    assert digest.a_tid_of(f"{digits} @akma.home1.net") is None
