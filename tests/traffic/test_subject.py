"""What counts as an exchange of the procedure, what counts as its document, and how codes read."""

from dataclasses import replace

import pytest

from ltkm_inspect import reference
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.traffic import CodeKind, Exchange, Headers, Limits, MediaType, Request, Response, read_code

DOWNLOAD = reference.reference("download")[0]
assert DOWNLOAD.response is not None
BODY = DOWNLOAD.response.body


def _exchange(
    target: str = "/", request_type: str = "", response_type: str = "", body: bytes | None = b"", status: int = 200
) -> Exchange:
    headers = Headers(((b"content-TYPE", request_type.encode()),)) if request_type else Headers()
    answer = Headers(((b"Content-type", response_type.encode()),)) if response_type else Headers()
    request = Request("POST", "http", "bsm.example", 80, target, headers=headers, body=b"")
    return Exchange(request, Response(status, "", headers=answer, body=body))


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(_exchange(response_type=MSK_RESPONSE_TYPE, body=BODY), id="the response's media type"),
        pytest.param(_exchange(response_type="APPLICATION/Mbms-Msk-Response+XML ; charset=x"), id="in another case"),
        pytest.param(_exchange("/keymanagement?requesttype=msk-request"), id="the request type"),
        pytest.param(_exchange("/keymanagement?a=b&requesttype=%20msk-request"), id="behind a space, percent-encoded"),
        pytest.param(_exchange(request_type="application/mbms-msk+xml"), id="the request's media type"),
        pytest.param(
            _exchange("/k?requesttype=register", response_type="text/xml", body=BODY), id="a register with LTKM"
        ),
    ],
)
def test_an_exchange_of_the_procedure_is_recognised(exchange: Exchange) -> None:
    assert exchange.is_ours


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(_exchange(response_type="text/html", body=b"<html/>"), id="a page"),
        pytest.param(_exchange("/k?requesttype=register", body=b"<x/>"), id="a register exchange"),
        pytest.param(_exchange("/k?requesttype=deregister", "application/mbms-deregister+xml"), id="a deregister"),
        pytest.param(_exchange(response_type="application/xml", body=b"<a/>"), id="another document"),
        pytest.param(Exchange(Request("GET", "http", "h", 80, "http://[")), id="a target that is no URI"),
    ],
)
def test_other_exchanges_are_not(exchange: Exchange) -> None:
    assert not exchange.is_ours


def test_an_error_page_is_not_taken_for_a_document() -> None:
    page = _exchange("/k?requesttype=msk-request", response_type="text/html", body=b"<html><p>no", status=503)
    assert page.is_ours
    assert page.document is None


@pytest.mark.parametrize("body", [None, b""], ids=["not captured", "empty"])
def test_a_response_without_body_has_no_document(body: bytes | None) -> None:
    assert _exchange(response_type=MSK_RESPONSE_TYPE, body=body).document is None


def test_a_body_over_the_limit_is_not_parsed() -> None:
    limited = replace(DOWNLOAD, limits=Limits(octets=100))
    assert limited.document is None
    assert limited.content is not None
    assert limited.content.truncated


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("200 OK", CodeKind.SUCCESS),
        (" 200 OK\n", CodeKind.PADDED),
        ("200", CodeKind.NEAR_MISS),
        ("200 ok", CodeKind.NEAR_MISS),
        ("200  OK", CodeKind.NEAR_MISS),
        ("200 Fine", CodeKind.NEAR_MISS),
        ("OK", CodeKind.NEAR_MISS),
        ("HTTP/1.1 200 OK", CodeKind.NEAR_MISS),
        ("2000 OK", CodeKind.OTHER),
        ("404 Not Found", CodeKind.OTHER),
        ("", CodeKind.OTHER),
        (None, CodeKind.MISSING),
    ],
)
def test_how_a_response_code_reads(code: str | None, outcome: CodeKind) -> None:
    assert read_code(code) is outcome


@pytest.mark.parametrize(
    ("text", "name", "charset"),
    [
        (None, "", None),
        ("Text/XML", "text/xml", None),
        ('a/b; x=1; Charset = "utf-8"', "a/b", "utf-8"),
        ("a/b;charset=", "a/b", None),
    ],
)
def test_a_content_type_is_taken_apart_without_judging_it(text: str | None, name: str, charset: str | None) -> None:
    assert MediaType.of(text) == MediaType(name, charset)


def test_header_edits_keep_order_case_and_the_other_fields() -> None:
    headers = Headers(((b"A", b"1"), (b"X-b", b"2"), (b"a", b"3")))
    assert headers.put("a", "9").fields == ((b"A", b"9"), (b"X-b", b"2"))
    assert headers.without("x-B").fields == ((b"A", b"1"), (b"a", b"3"))
    assert headers.put("New", "v").fields[-1] == (b"New", b"v")
    assert headers.get("a") == "1, 3"


def test_the_terminal_is_its_b_tid_else_its_connection() -> None:
    assert DOWNLOAD.terminal == reference.B_TID
    challenge = reference.reference("challenge")[0]
    assert challenge.terminal == challenge.connection


def test_authentication_info_may_come_in_the_trailer() -> None:
    trailing = Response(200, trailers=Headers(((b"authentication-info", b"qop=auth-int"),)))
    assert trailing.authentication_info_text == "qop=auth-int"
