"""The content view LTKM: what it shows where, and that nothing can make it raise."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import contentviews, http
from mitmproxy.contentviews import Metadata
from mitmproxy.test import taddons, tflow, tutils

from ltkm_inspect import mikey, reference
from ltkm_inspect.document import MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE
from ltkm_inspect.engine import inspect
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.report import outline
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import clean, edited, flawed

VIEW = LtkmView()


def shown(exchange: Exchange, view: LtkmView = VIEW) -> list[str]:
    """Return the lines of the response of an exchange."""
    return shown_flow(flow_of(exchange), view)


def shown_flow(flow: http.HTTPFlow, view: LtkmView = VIEW) -> list[str]:
    """Return the lines of the response of a flow."""
    assert flow.response is not None
    data = flow.response.get_content(strict=False) or b""
    return view.prettify(data, metadata_of(flow, flow.response)).splitlines()


def metadata_of(flow: http.HTTPFlow, message: http.Message) -> Metadata:
    """Return what mitmproxy tells a view of a message."""
    content_type = message.headers.get("content-type", "").partition(";")[0].strip().lower() or None
    return Metadata(flow=flow, content_type=content_type, http_message=message)


def indent(line: str) -> int:
    """Return how far a line is indented."""
    return len(line) - len(line.lstrip())


def test_every_item_shows_its_identifiers_split_and_its_code() -> None:
    lines = [line.strip() for line in shown(clean("several-keys"))]
    for number, group, key in ((1, "24cb (9419)", "4400 (17408)"), (2, "68c9 (26825)", "0001 (1)")):
        at = lines.index(f"- item: {number}")
        assert lines[at + 1 : at + 6] == [
            "key_domain_id: b8709d",
            f"msk_id: {group[:4]}{key[:4]}",
            f"key_group: {group}",
            f"key_number: {key}",
            'response_code: "200 OK"',
        ]


def test_an_ltkm_is_a_tree_of_named_fields() -> None:
    lines = [line.strip() for line in shown(clean())]
    for line in ("HDR:", "EXT[1]:", "type: 5 (OMA BCAST)", "type: 2 (COUNTER)", "RAND:", "KEMAC:"):
        assert line in lines
    assert f"value: {reference.FIRST.rand.hex()}" in lines


def test_totals_come_last() -> None:
    assert shown(clean("several-keys"))[-5:-1] == ["totals:", "  items: 2", "  ltkms: 2", "  findings: 0"]


def test_a_finding_of_an_item_stands_in_that_item() -> None:
    lines = shown(flawed())
    (comment,) = [line for line in lines if "# violation ltkm-missing: " in line]
    at = lines.index(comment)
    assert lines.index("  - item: 2") < at < lines.index("totals:")
    assert indent(comment) == indent("    response_code:")


def test_a_finding_of_a_field_stands_below_that_field() -> None:
    exchange = reference.exchange(
        [reference.FIRST.msk_id], [(reference.FIRST, "200 OK", reference.ltkm(reference.SECOND))]
    )
    lines = shown(exchange)
    (comment,) = [line for line in lines if "# violation msk-id-mismatch: " in line]
    field = lines[lines.index(comment) - 1]
    assert field.strip().startswith(f"value: {reference.SECOND.msk_id.hex()}")
    assert indent(field) == indent(comment)


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(flawed(), id="missing"),
        pytest.param(edited(clean(), "<bcast:LTKM>", "<bcast:LTKM version=zero>"), id="malformed"),
        pytest.param(edited(clean(), "<bcast:LTKM>", "<bcast:LTKM>!!"), id="not-base64"),
        pytest.param(edited(clean("several-keys"), "</bcast:LTKM>", "AAAA</bcast:LTKM>"), id="repeated"),
        pytest.param(edited(clean(), "200 OK", "200 \u202e"), id="wire-text"),
        pytest.param(edited(clean(), "Response>", "Antwort>"), id="other-names"),
    ],
)
def test_every_finding_and_note_is_shown_once(exchange: Exchange) -> None:
    report = inspect(exchange)
    assert report.findings
    comments = [line.split(":")[0].split()[1:] for line in shown(exchange) if line.lstrip().startswith("# ")]
    said = sorted(
        tuple(words) for words in comments if len(words) == 2 and words[0] in ("violation", "warning", "note")
    )
    assert said == sorted((each.level.word, each.rule) for each in (*report.findings, *report.notes))


def test_a_request_shows_what_it_asks_for() -> None:
    flow = flow_of(clean("several-keys"))
    text = VIEW.prettify(flow.request.content or b"", metadata_of(flow, flow.request))
    assert [line.strip() for line in text.splitlines() if "msk_id" in line] == ["msk_id: 24cb4400", "msk_id: 68c90001"]
    assert text.endswith("totals:\n  msks: 2\n")


def test_a_body_without_a_flow_is_shown_without_findings_about_the_exchange() -> None:
    response = clean().response
    assert response is not None
    text = VIEW.prettify(response.body or b"", Metadata())
    assert "key_number: 4400 (17408)" in text
    assert "violation response" not in text
    assert "# violation" not in text


def test_a_changed_body_is_shown_as_it_is_now() -> None:
    flow = flow_of(clean())
    assert flow.response is not None
    body = flow.response.content or b""
    flow.response.encode("gzip")
    lines = VIEW.prettify(body.replace(b"200 OK", b"200 KO"), metadata_of(flow, flow.response)).splitlines()
    assert '    response_code: "200 KO"' in lines


def test_wire_text_is_escaped() -> None:
    text = "\n".join(shown(edited(clean(), "200 OK", "200 \u202e\u0085\u2028x")))
    assert not {"\u202e", "\u0085", "\u2028"} & set(text)
    assert "\\u202e\\x85\\u2028" in text


def test_a_long_document_is_cut_with_a_comment_and_keeps_its_totals() -> None:
    grants = [replace(reference.FIRST, msk_id=b"\x24\xcb" + (n + 1).to_bytes(2)) for n in range(400)]
    body = reference.response_document([(grant, "200 OK", reference.ltkm(grant)) for grant in grants])
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.content = body
    lines = shown_flow(flow)
    assert len(lines) < outline.MOST_LINES + 30
    assert f"# only the first {outline.MOST_LINES} lines are shown" in lines
    assert "# only 200 of 400 LTKMs are shown, because of ltkm_limit" in lines
    assert "  items: 400" in lines


def test_a_body_over_the_limit_is_shown_as_text() -> None:
    view = LtkmView(lambda: Configuration(limits=parse_limit("64,none")))
    lines = shown(clean(), view)
    assert any("not-checked-in-full" in line for line in lines)
    assert any("no document" in line for line in lines)


@pytest.mark.parametrize("kind", [MSK_RESPONSE_TYPE, MSK_REQUEST_TYPE])
def test_our_media_types_are_ours_unless_the_body_is_empty(kind: str) -> None:
    assert VIEW.render_priority(b"<x/>", Metadata(content_type=kind)) == 2
    assert VIEW.render_priority(b"", Metadata(content_type=kind)) < 0


def test_the_flow_decides_where_the_media_type_does_not() -> None:
    flow = flow_of(clean())
    assert flow.response is not None
    flow.response.headers["Content-Type"] = "text/plain"
    assert VIEW.render_priority(b"x", metadata_of(flow, flow.response)) == 2
    other = tflow.tflow(resp=True)
    assert other.response is not None
    assert VIEW.render_priority(b"x", metadata_of(other, other.response)) < 0
    assert VIEW.render_priority(b"x", Metadata()) < 0


def test_mitmproxy_chooses_the_view_by_itself() -> None:
    contentviews.add(LtkmView())
    flow = flow_of(clean())
    assert flow.response is not None
    with taddons.context():  # type: ignore[no-untyped-call]
        shown = contentviews.prettify_message(flow.response, flow)
    assert (shown.view_name, shown.syntax_highlight) == ("LTKM", "yaml")
    assert "key_number: 4400 (17408)" in shown.text


def body_of(exchange: Exchange) -> bytes:
    """Return the response body of an exchange."""
    assert exchange.response is not None
    return exchange.response.body or b""


BODY = body_of(clean("several-keys"))
CUT = st.tuples(st.integers(0, len(BODY)), st.integers(0, len(BODY)), st.binary(max_size=8)).map(
    lambda cut: BODY[: cut[0]] + cut[2] + BODY[cut[1] :]
)


@given(
    st.one_of(st.binary(max_size=400), CUT, CUT.map(lambda octets: octets.decode("utf-8", "replace").encode("utf-16"))),
    st.sampled_from([MSK_RESPONSE_TYPE, MSK_REQUEST_TYPE, "text/html", "multipart/mixed", None]),
    st.sampled_from(["none", "request", "response", "no-response"]),
)
def test_no_octets_make_it_raise(data: bytes, content_type: str | None, where: str) -> None:
    flow = None
    message: http.Message | None = None
    if where != "none":
        headers = http.Headers(content_type=content_type) if content_type else http.Headers()
        request = tutils.treq(path=b"/?requesttype=msk-request", headers=headers, content=data)
        response = tutils.tresp(headers=headers, content=data) if where != "no-response" else None
        flow = tflow.tflow(req=request, resp=response or False)
        message = flow.response if where == "response" else flow.request
    metadata = Metadata(flow=flow, content_type=content_type, http_message=message)
    text = VIEW.prettify(data, metadata)
    assert "cannot be shown as a tree" not in text
    assert text.endswith("\n")
    assert isinstance(VIEW.render_priority(data, metadata), float)


def test_a_mistake_of_ours_still_shows_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object, *, show_keys: bool) -> Sequence[object]:
        raise KeyError("x")

    monkeypatch.setattr(mikey, "tree", crash)
    lines = shown(clean())
    assert lines[0] == "# this body cannot be shown as a tree: KeyError"
    assert any("mbmsMSKResponse" in line for line in lines)
