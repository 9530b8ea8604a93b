"""Faults change what they are about and no other octet, however the document is written and the body is coded."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.net import encoding as mitmproxy_encoding

from ltkm_inspect import catalogue, reference
from ltkm_inspect.context import Context
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.engine import Injection, inject, injected
from ltkm_inspect.fault import FAULTS, Application, Fault, FaultError, parse_application
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.reference import FIRST, KEYS
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm, Session
from ltkm_inspect.subject import Octets
from ltkm_inspect.traffic import Document, Exchange, Headers, Item, LtkmElement
from tests.engine.written import GRANTS, STYLES, Style, base64_text, written

catalogue.load()
DOWNLOAD = reference.reference("several-keys")[0]
MOVES = ("advance-ltkm", "move-ltkm-into-msk", "move-ltkm-under-root", "bury-ltkm")
"""Faults that leave the element as it is and put it elsewhere."""
BESIDE = "request-current"
"""A fault that damages what its item says of an LTKM."""


def put(fault: Fault, exchange: Exchange, keys: KeyRing) -> Injection[Exchange] | None:
    """Return what the fault makes of an exchange after an earlier one of the same terminal; None for nothing."""
    session = Session()
    session.take(replace(reference.reference("renewal")[1], id="earlier", started=0.0, ended=1.0))
    try:
        return injected(exchange, [Application(fault)], Context(keys=keys, session=session))
    except FaultError:
        return None


def content(exchange: Exchange) -> bytes:
    """Return the body of the response without its content coding."""
    assert exchange.response is not None
    octets = exchange.response.decoded().octets
    assert octets is not None
    return octets


def on(*kinds: type) -> list[Fault]:
    """Return the faults that damage such subjects."""
    return [fault for fault in FAULTS.values() if issubclass(fault.on, kinds)]


INSIDE = on(Octets, Message, Payload, DeliveredLtkm, OpenedLtkm)
WITHIN_LTKM = [fault for fault in (*on(LtkmElement), *INSIDE) if fault.id not in (*MOVES, BESIDE)]
STRUCTURAL = [*on(Document, Item, LtkmElement), *INSIDE]


@given(style=STYLES, fault=st.sampled_from(WITHIN_LTKM), keys=st.sampled_from([KEYS, KeyRing()]))
def test_what_damages_an_ltkm_leaves_every_octet_outside_its_element(style: Style, fault: Fault, keys: KeyRing) -> None:
    document = written(style)
    assert document.exchange.document is not None
    assert document.exchange.document.xml.well_formed
    done = put(fault, document.exchange, keys)
    if done is not None:
        (place,) = {edit.place.item for edit in done.edits}
        assert place is not None
        before, behind = document.around_ltkm(place - 1)
        after = content(done.after)
        assert after.startswith(before)
        assert after.endswith(behind)
        assert after != document.octets


@given(style=STYLES, fault=st.sampled_from([*on(Item), FAULTS[BESIDE]]))
def test_what_damages_an_item_leaves_every_octet_outside_of_it(style: Style, fault: Fault) -> None:
    document = written(style)
    done = put(fault, document.exchange, KEYS)
    if done is not None:
        before, behind = document.around(0)
        after = content(done.after)
        assert after.startswith(before)
        assert after.endswith(behind)


@given(style=STYLES, fault=st.sampled_from([FAULTS[id] for id in MOVES]))
def test_what_moves_an_ltkm_moves_the_very_octets_and_leaves_the_others(style: Style, fault: Fault) -> None:
    document = written(style)
    done = put(fault, document.exchange, KEYS)
    assert done is not None
    after = content(done.after)
    ltkm = document.items[0][1]
    assert after.count(ltkm) == document.octets.count(ltkm)
    if fault.id != "bury-ltkm":
        assert after.replace(ltkm, b"") == document.octets.replace(ltkm, b"")


@given(style=STYLES, fault=st.sampled_from(STRUCTURAL), keys=st.sampled_from([KEYS, KeyRing()]))
def test_what_is_told_of_an_edit_is_where_the_octets_differ(style: Style, fault: Fault, keys: KeyRing) -> None:
    document = written(style)
    done = put(fault, document.exchange, keys)
    if done is None:
        return
    before, after = document.octets, content(done.after)
    at = kept = 0
    for edit in sorted(done.edits, key=lambda edit: (edit.octets.start, edit.octets.end)):
        size = edit.octets.start - kept
        assert after[at : at + size] == before[kept : edit.octets.start]
        at, kept = at + size + edit.length, edit.octets.end
    assert after[at:] == before[kept:]


@given(style=STYLES)
def test_strip_takes_the_elements_and_nothing_else(style: Style) -> None:
    document = written(style)
    done = inject(document.exchange, [parse_application("strip-ltkm:all=true")])
    assert content(done) == b"".join(
        (document.head, *(opens + closes for opens, _, closes in document.items), document.tail)
    )
    second = inject(document.exchange, [parse_application("strip-ltkm:item=2")])
    before, behind = document.around_ltkm(1)
    assert content(second) == before + behind


@given(style=STYLES, at=st.sampled_from(["empty", "refused", "before-code", "msk"]), item=st.sampled_from([1, 2]))
def test_inject_then_strip_gives_the_original(style: Style, at: str, item: int) -> None:
    codes = ["403 Forbidden"] * 2 if at == "refused" else []
    document = written(style, codes=codes, bare=True)
    text = f"inject-ltkm:at={at},item={item},base64={base64_text(reference.ltkm(FIRST).encode())}"
    full = inject(document.exchange, [parse_application(text)])
    assert full.document is not None
    (ltkm,) = full.document.ltkm_elements
    assert ltkm.is_named
    assert ltkm.item is not None
    assert ltkm.item.number == item
    assert content(inject(full, [parse_application("strip-ltkm")])) == document.octets


@given(style=STYLES)
def test_swapping_twice_gives_the_original(style: Style) -> None:
    document = written(style)
    swapped = inject(document.exchange, [parse_application("swap-ltkm")])
    assert content(swapped) != document.octets
    assert content(inject(swapped, [parse_application("swap-ltkm")])) == document.octets


@given(style=STYLES, separate=st.booleans())
def test_the_parts_of_a_multipart_body_are_the_document_and_the_messages(style: Style, separate: bool) -> None:
    """As the change request describes its option 2: one body part the MSK response, the others the MIKEY messages."""
    document = written(style)
    done = inject(document.exchange, [parse_application(f"wrap-multipart:separate={str(separate).lower()}")]).response
    assert done is not None
    header = f"Content-Type: {done.headers.get('Content-Type')}\r\n\r\n".encode()
    read = message_from_bytes(header + (done.body or b""), policy=HTTP)
    assert read.get_content_type() == "multipart/mixed"
    assert not read.defects
    parts = [(part.get_content_type(), part.get_payload(decode=True)) for part in read.iter_parts()]
    kept = b"".join((document.head, *(opens + closes for opens, _, closes in document.items), document.tail))
    messages = [("application/mikey", reference.ltkm(grant).encode()) for grant in GRANTS]
    whole = [(MSK_RESPONSE_TYPE, document.octets)]
    assert parts == ([(MSK_RESPONSE_TYPE, kept), *messages] if separate else whole)


CODINGS = ["identity", "gzip", "deflate", "br", "zstd"]


def coded(coding: str | None, *headers: tuple[bytes, bytes]) -> Exchange:
    """Return the exchange with its body in a content coding, made by mitmproxy, and these header fields."""
    response = DOWNLOAD.response
    assert response is not None
    body = response.body or b""
    fields: tuple[tuple[bytes, bytes], ...] = headers
    if coding is not None:
        body = mitmproxy_encoding.encode(body, coding)
        fields = (*fields, (b"content-encoding", coding.encode()))
    return replace(
        DOWNLOAD, response=replace(response, headers=Headers((*_others(response.headers), *fields)), body=body)
    )


def _others(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    return headers.without("Content-Length").fields


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("fault", ["strip-ltkm", "shorten-rand:octets=8", "cut-document", "swap-ltkm"])
def test_a_content_coding_is_put_on_again_and_the_length_fits_it(coding: str, fault: str) -> None:
    exchange = coded(coding, (b"Content-Length", b"1"))
    done = inject(exchange, [parse_application(fault)], Context(keys=KEYS)).response
    plain = inject(coded(None), [parse_application(fault)], Context(keys=KEYS))
    assert done is not None
    assert done.body is not None
    assert done.headers.get("Content-Encoding") == coding
    assert done.headers.get("Content-Length") == str(len(done.body))
    assert mitmproxy_encoding.decode(done.body, coding) == content(plain)


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        pytest.param([(b"Transfer-Encoding", b"chunked")], [(b"Transfer-Encoding", b"chunked")], id="chunked"),
        pytest.param([(b"transfer-encoding", b"Chunked")], [(b"transfer-encoding", b"Chunked")], id="another case"),
        pytest.param([], [], id="until the connection ends"),
        pytest.param([(b"content-length", b"7")], None, id="counted"),
    ],
)
def test_how_the_response_ends_stays(
    headers: list[tuple[bytes, bytes]], kept: list[tuple[bytes, bytes]] | None
) -> None:
    exchange = coded(None, *headers)
    done = inject(exchange, [parse_application("strip-ltkm")]).response
    assert done is not None
    assert exchange.response is not None
    expected = [(b"content-length", str(len(done.body or b"")).encode())] if kept is None else kept
    assert done.headers.fields == (*_others(DOWNLOAD.response.headers), *expected)  # type: ignore[union-attr]


def test_a_document_cut_in_its_ltkm_has_the_length_of_what_is_left() -> None:
    done = inject(coded(None, (b"Content-Length", b"9999")), [parse_application("cut-document")]).response
    body = DOWNLOAD.response.body if DOWNLOAD.response is not None else None
    assert body is not None
    assert done is not None
    assert done.body is not None
    ltkm = base64_text(reference.ltkm(FIRST).encode()).encode()
    start = body.index(ltkm)
    assert start < len(done.body) < start + len(ltkm)
    assert body.startswith(done.body)
    assert done.headers.get("Content-Length") == str(len(done.body))


@pytest.mark.parametrize("coding", ["gzip, br", "deflate,gzip", "x-gzip"])
def test_several_codings_are_put_on_in_their_order(coding: str) -> None:
    response = DOWNLOAD.response
    assert response is not None
    plain = inject(DOWNLOAD, [parse_application("strip-ltkm")])
    listed = replace(response, headers=response.headers.put("Content-Encoding", coding))
    exchange = replace(DOWNLOAD, response=listed.with_content(response.body or b""))
    done = inject(exchange, [parse_application("strip-ltkm")]).response
    assert done is not None
    body = done.body or b""
    for name in reversed(coding.replace("x-", "").split(",")):
        decoded = mitmproxy_encoding.decode(body, name.strip())
        assert isinstance(decoded, bytes)
        body = decoded
    assert body == content(plain)


def _answered(**changes: object) -> Exchange:
    assert DOWNLOAD.response is not None
    return replace(DOWNLOAD, response=replace(DOWNLOAD.response, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        pytest.param(replace(DOWNLOAD, response=None), "the exchange has no response", id="no response"),
        pytest.param(
            replace(_answered(body=b""), request=replace(DOWNLOAD.request, method="HEAD")),
            "a response to HEAD, or with a status like 204, has no body",
            id="HEAD",
        ),
        pytest.param(_answered(status=204, body=b""), "a response to HEAD, or with a status like 204", id="204"),
        pytest.param(_answered(status=304, body=b""), "a response to HEAD, or with a status like 204", id="304"),
        pytest.param(_answered(body=None), "the response body was not captured", id="not captured"),
        pytest.param(
            _answered(headers=Headers(((b"Content-Encoding", b"gzip"),))),
            "the content coding of the response cannot be decoded",
            id="no gzip",
        ),
        pytest.param(
            _answered(headers=Headers(((b"Content-Encoding", b"compress"),))),
            "the content coding of the response cannot be decoded",
            id="unknown coding",
        ),
    ],
)
@pytest.mark.parametrize("fault", ["strip-ltkm", "replace-status", "drop-authentication-info"])
def test_what_cannot_be_changed_is_left_alone_and_says_why(exchange: Exchange, said: str, fault: str) -> None:
    with pytest.raises(FaultError, match=f"^{said}"):
        inject(exchange, [parse_application(fault)])


@pytest.mark.parametrize("encoding", ["utf-7", "iso-2022-jp", "hz"])
def test_a_document_in_a_stateful_encoding_is_never_edited(encoding: str) -> None:
    text = content(DOWNLOAD).decode().replace("UTF-8", encoding)
    response = DOWNLOAD.response
    assert response is not None
    exchange = replace(DOWNLOAD, response=response.with_content(text.encode(encoding)))
    with pytest.raises(FaultError, match=r"^fault strip-ltkm: expected an encoding whose parts can be edited, got "):
        inject(exchange, [parse_application("strip-ltkm")])


def test_a_response_longer_than_is_looked_at_says_so() -> None:
    limits = replace(DOWNLOAD.limits, octets=100)
    with pytest.raises(FaultError, match=r"^fault strip-ltkm: the response is longer than the limit$"):
        inject(replace(DOWNLOAD, limits=limits), [parse_application("strip-ltkm")])
