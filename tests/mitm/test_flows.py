"""Flows to exchanges and back, and the quick look that leaves foreign traffic alone."""

import dataclasses
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow, tutils

from ltkm_inspect.document import MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE
from ltkm_inspect.mitm.flows import exchange_of, flow_of, is_foreign
from ltkm_inspect.reference import REFERENCES, reference
from ltkm_inspect.traffic import Exchange, Headers, Limits

EXCHANGES = [pytest.param(each, id=f"{name}-{n}") for name in REFERENCES for n, each in enumerate(reference(name), 1)]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchange_survives_being_a_flow(exchange: Exchange) -> None:
    back = exchange_of(flow_of(exchange))
    for each in dataclasses.fields(Exchange):
        if each.name != "id":
            assert getattr(back, each.name) == getattr(exchange, each.name), each.name


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_flow_is_the_same_whenever_it_is_made(exchange: Exchange) -> None:
    assert flow_of(exchange).get_state() == flow_of(exchange).get_state()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_msk_exchange_is_not_foreign(exchange: Exchange) -> None:
    assert not is_foreign(flow_of(exchange))


def test_a_flow_has_an_id_that_mitmweb_can_address() -> None:
    exchange = reference("download")[0]
    assert re.fullmatch(r"[0-9a-f-]+", flow_of(replace(exchange, id="nächste / Übung")).id)
    assert flow_of(replace(exchange, id="00aa-1")).id == "00aa-1"


def test_what_ended_the_connection_and_trailers_survive() -> None:
    exchange = reference("download")[0]
    assert exchange.response is not None
    trailers = Headers(((b"Authentication-Info", b"qop=auth-int"),))
    exchange = replace(exchange, error="gone", response=replace(exchange.response, trailers=trailers))
    back = exchange_of(flow_of(exchange))
    assert back.error == "gone"
    assert back.response is not None
    assert back.response.trailers == trailers
    assert exchange_of(flow_of(replace(exchange, response=None))).response is None


@pytest.mark.parametrize("body", [pytest.param(None, id="streamed"), pytest.param(b"", id="empty")])
def test_a_body_that_was_not_kept_is_not_an_empty_one(body: bytes | None) -> None:
    flow = flow_of(reference("download")[0])
    assert flow.response is not None
    flow.response.raw_content = body
    response = exchange_of(flow).response
    assert response is not None
    assert response.body == body


def test_a_body_is_kept_as_sent() -> None:
    flow = flow_of(reference("download")[0])
    assert flow.response is not None
    plain = flow.response.raw_content
    flow.response.encode("gzip")
    exchange = exchange_of(flow)
    assert exchange.response is not None
    assert exchange.response.body == flow.response.raw_content != plain
    assert exchange.content is not None
    assert exchange.content.octets == plain


def test_limits_go_with_the_exchange() -> None:
    assert exchange_of(flow_of(reference("download")[0]), Limits(7, 3)).limits == Limits(7, 3)


@pytest.mark.parametrize(
    ("host", "known", "rewritten"),
    [
        ("upstream.example:8080", None, True),
        ("bmsc.home1.net", None, False),
        ("upstream.example:8080", False, False),
        ("bmsc.home1.net", True, True),
    ],
)
def test_host_counts_as_rewritten_where_it_is_the_upstream(host: str, known: bool | None, rewritten: bool) -> None:
    flow = flow_of(reference("download")[0])
    flow.client_conn.proxy_mode = ProxyMode.parse("reverse:http://upstream.example:8080")
    flow.server_conn.address = ("upstream.example", 8080)
    flow.request.headers["Host"] = host
    assert exchange_of(flow, host_rewritten=known).host_rewritten is rewritten


def test_host_is_the_clients_in_any_other_mode() -> None:
    flow = flow_of(reference("download")[0])
    flow.server_conn.address = ("bmsc.home1.net", 80)
    assert not exchange_of(flow).host_rewritten


def test_a_rewritten_host_survives_being_a_flow() -> None:
    exchange = replace(reference("download")[0], host_rewritten=True)
    assert exchange_of(flow_of(exchange)).host_rewritten


def page(path: bytes = b"/", asked: str = "text/plain", answered: str | None = "text/html") -> http.HTTPFlow:
    """Return a flow with these media types."""
    headers = http.Headers(content_type=answered) if answered is not None else http.Headers()
    request = tutils.treq(path=path, headers=http.Headers(content_type=asked))
    return tflow.tflow(req=request, resp=tutils.tresp(headers=headers, content=b"hello"))


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(page(), id="page"),
        pytest.param(page(b"/a?b=%20c&type=msk-request"), id="query"),
        pytest.param(page(answered=None), id="no-type"),
        pytest.param(page(asked="application/xml", answered="application/xml"), id="xml"),
        pytest.param(tflow.tflow(resp=False, err=True), id="no-response"),
    ],
)
def test_other_traffic_is_foreign(flow: http.HTTPFlow) -> None:
    assert is_foreign(flow)
    assert not exchange_of(flow).is_ours


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param(page(answered=f" {MSK_RESPONSE_TYPE.upper()} ; charset=utf-8"), id="response-type"),
        pytest.param(page(asked=MSK_REQUEST_TYPE.title()), id="request-type"),
        pytest.param(page(b"/x?requesttype=msk-request"), id="query"),
        pytest.param(page(b"/x?%72equesttype=msk%2Drequest"), id="escaped-query"),
    ],
)
def test_what_may_be_msk_is_let_through(flow: http.HTTPFlow) -> None:
    assert not is_foreign(flow)
    assert exchange_of(flow).is_ours


@given(st.lists(st.booleans(), min_size=11, max_size=11), st.booleans())
def test_no_way_of_writing_the_request_type_is_overlooked(escaped: list[bool], upper: bool) -> None:
    letters = zip("requesttype", escaped, strict=True)
    name = "".join(f"%{ord(letter):02{'X' if upper else 'x'}}" if hide else letter for letter, hide in letters)
    flow = page(f"/x?{name}={quote('msk-request')}".encode())
    assert exchange_of(flow).is_ours
    assert not is_foreign(flow)


def test_a_flow_whose_addresses_are_empty_is_read() -> None:
    flow = flow_of(reference("download")[-1])
    flow.client_conn.peername = flow.server_conn.peername = ()  # type: ignore[assignment]
    flow.server_conn.address = None
    read = exchange_of(flow)
    assert (read.client, read.server) == ("", "")
