"""What is beyond a limit is said and counted, nothing lawful is, and what a finding points to is there."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.document import read
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.mikey import decode
from ltkm_inspect.options.limit import parse_limit
from ltkm_inspect.options.table import DEFAULTS
from ltkm_inspect.report import jsonl
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.traffic import Exchange, Headers, Limits
from tests.document.render import MskOctets, NewItem, NewLtkm, render_request, render_response
from tests.engine.test_growth import BODY, DOWNLOAD, MESSAGE, before, body, header, payloads

LIVE = parse_limit(str(DEFAULTS["limit"].default))


def limited(exchange: Exchange, limits: Limits = LIVE) -> Report:
    return inspect(replace(exchange, limits=limits))


def not_in_full(report: Report) -> list[tuple[str, str]]:
    return [(each.expected, each.got) for each in report.findings if each.rule == "not-checked-in-full"]


def test_the_findings_of_a_rule_are_kept_up_to_the_limit_and_the_rest_is_counted() -> None:
    exchange = before(b"</mbmsMSKResponse>", b"<Response/>")(1234)
    whole, report = limited(exchange, Limits()), limited(exchange, Limits(findings=10))
    wrong = [each.rule for each in whole.findings]
    assert wrong.count("response-children-wrong") == 1234
    assert [each.rule for each in report.findings].count("response-children-wrong") == 10
    assert report.left_out == {("response-children-wrong", Level.VIOLATION): 1224}
    assert not_in_full(report) == [("at most 10 findings per rule", "1,224 more of response-children-wrong")]
    assert report.count(Level.VIOLATION) == whole.count(Level.VIOLATION)
    assert report.outcomes == whole.outcomes


def test_notes_beyond_the_limit_are_counted_and_no_finding() -> None:
    extension = bytes((0, 0, 0))
    report = limited(payloads(21, extension, 30), Limits(findings=5))
    assert report.count(Level.NOTE) == 30 + len(limited(DOWNLOAD).notes)
    assert [each.rule for each in report.notes].count("extension-additional") == 5
    assert not_in_full(report) == []


def test_a_record_counts_what_it_does_not_list_and_its_summary_does_too() -> None:
    report = limited(before(b"</mbmsMSKResponse>", b"<Response/>")(300), Limits(findings=10))
    record = json.loads(jsonl.exchange_line(report))
    assert record["more"]["findings"] == [{"rule": "response-children-wrong", "level": "violation", "number": 290}]
    assert record["counts"]["violations"] == report.count(Level.VIOLATION)
    told, counted = Summary(), Summary()
    told.add(report)
    counted.add_record(record)
    counted.add_record(jsonl.summary_record(told))  # what was not checked, and why, is in the last record
    assert counted.lines() == told.lines()


def test_a_message_with_more_payloads_than_the_limit_is_not_judged() -> None:
    report = limited(payloads(11, b"\0", 20), Limits(payloads=10))
    assert not_in_full(report) == [
        (
            "at most 10 payloads of a message",
            f"more, in {len(MESSAGE) - 10 + 2 * 10} octets that were not decoded",
        )
    ]
    assert {each.rule for each in report.findings} == {"not-checked-in-full"}
    assert report.outcomes["payload-repeated"].reason == "the message has more payloads than are decoded"
    assert report.findings[0].place.ltkm == 1


@pytest.mark.parametrize("inside", [b"\x15\3\0\x14" + bytes(20), b"\x0a\0\0\0\x14" + bytes(20)], ids=["key IDs", "SP"])
def test_key_ids_and_parameters_count_as_payloads(inside: bytes) -> None:
    octets = MESSAGE[:2] + inside[:1] + MESSAGE[3:10] + MESSAGE[2:3] + inside[1:] + MESSAGE[10:]
    assert not decode(octets, 30).is_cut
    assert decode(octets, 9).is_cut
    assert decode(octets, 9).encode() == octets


def test_a_document_of_more_tags_than_the_limit_is_not_parsed() -> None:
    exchange = DOWNLOAD
    assert exchange.content is not None
    octets = exchange.content.octets or b""
    tags = octets.count(b"<") + octets.count(b"=")
    assert not_in_full(limited(exchange, Limits(tags=tags))) == []
    report = limited(exchange, Limits(tags=tags - 1))
    assert (f"at most {tags - 1} tags and attributes in the response body", str(tags)) in not_in_full(report)
    assert report.exchange.is_ours
    assert report.items == 0


def test_directives_beyond_the_limit_are_not_read() -> None:
    report = limited(header(DOWNLOAD, "Authentication-Info", 'rspauth="0", ' * 20), Limits(directives=10))
    assert not_in_full(report) == [("at most 10 directives in Authentication-Info", "21")]
    assert report.exchange.response is not None
    assert report.exchange.response.authentication_info is not None
    assert len(report.exchange.response.authentication_info.fields) == 10


def test_challenges_beyond_the_limit_are_not_read() -> None:
    challenge = 'Digest realm="3GPP-bootstrapping@a.b", nonce="a", qop="auth-int"'
    exchange = header(DOWNLOAD, "WWW-Authenticate", ", ".join([challenge] * 5))
    assert exchange.response is not None
    report = limited(replace(exchange, response=replace(exchange.response, status=401)), Limits(directives=9))
    assert ("at most 9 directives in WWW-Authenticate", "20") in not_in_full(report)
    assert report.exchange.response is not None
    assert len(report.exchange.response.challenges) == 2


def many(number: int) -> Exchange:
    """Return a clean response with so many LTKMs."""
    grants = [
        replace(reference.FIRST, msk_id=(0x10001 + index).to_bytes(4), counter=index + 1) for index in range(number)
    ]
    items = [
        NewItem(MskOctets(each.key_domain, each.msk_id), ltkms=(NewLtkm(reference.ltkm(each).encode()),))
        for each in grants
    ]
    request = replace(DOWNLOAD.request, body=render_request(each.pair for each in items))
    return replace(body(render_response(items)), request=request)


def test_a_clean_response_with_all_the_ltkms_that_are_looked_at_stays_clean() -> None:
    report = limited(many(200))
    assert report.ltkms == 200
    assert report.findings == ()


def test_the_record_of_a_clean_response_lists_everything() -> None:
    record = json.loads(jsonl.exchange_line(limited(many(200))))
    assert len(record["items"]) == 200
    assert all(len(item["ltkms"][0]["message"]["payloads"]) == 7 for item in record["items"])
    assert (record["more"]["items"], record["more"]["ltkms"]) == (0, 0)
    assert all(item["ltkms"][0]["message"]["more"] == 0 for item in record["items"])


HOSTILE: dict[str, Any] = {
    "items": before(b"</mbmsMSKResponse>", b"<Response/>"),
    "LTKMs": before(b"</ResponseCode>", b"<LTKM/>"),
    "parameters": lambda number: payloads(10, b"\0\0" + (2 * number).to_bytes(2) + bytes(2) * number, 1),
    "RANDs": lambda number: payloads(11, b"\0", number),
    "a long namespace": lambda number: body(
        BODY.replace(b"</Response>", b'<x:x xmlns:x="u:%b">%b</x:x></Response>' % (b"n" * number, b"<x:LTKM/>" * 100))
    ),
}


@pytest.mark.parametrize("form", HOSTILE)
def test_a_record_is_in_proportion_to_its_response(form: str) -> None:
    exchange = HOSTILE[form](20_000)
    assert exchange.response is not None
    line = jsonl.exchange_line(limited(exchange, parse_limit("ltkms=none", live=False)))
    assert len(line) < 1_000_000 + 16 * len(exchange.response.body or b"")


def test_a_namespace_that_would_fill_the_memory_is_refused_before_it_is_parsed() -> None:
    name, elements = b"n" * 100_000, b"<x:x/>" * 1000
    error = read(b'<x:x xmlns:x="u:%b">%b</x:x>' % (name, elements)).error
    assert error is not None
    assert (error.kind, error.offset) == ("too-long", len(b"<x:x xmlns:x"))
    assert read(b'<x:x xmlns:x="u:%b"/>' % name).error is None


@given(st.data())
def test_what_a_finding_points_to_is_there(data: st.DataObject) -> None:
    octets = bytearray(data.draw(st.sampled_from([BODY, BODY.decode().encode("utf-16")])))
    message = bytearray(MESSAGE)
    for damaged in (message, octets):
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        del damaged[data.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged)))) :]
    text = bytes(octets).replace(base64.b64encode(MESSAGE), base64.b64encode(bytes(message)))
    exchange = body(text)
    report = inspect(exchange)
    document = exchange.document
    for finding in (*report.findings, *report.notes):
        if finding.span:
            whole: bytes | None = text
            if finding.span_of == "message":
                assert document is not None
                at_item = finding.place.item
                found = (
                    document.elements_outside_items if at_item is None else document.items[at_item - 1].ltkm_elements
                )
                whole = next(ltkm.octets for ltkm in found if ltkm.number == finding.place.ltkm)
            assert 0 <= finding.span.start < finding.span.end <= len(whole or b""), finding.line


def test_xml_that_ends_too_early_points_to_its_last_octet() -> None:
    text = BODY[: BODY.rindex(b"</mbms")]
    malformed = next(each for each in inspect(body(text)).findings if each.rule == "xml-malformed")
    assert malformed.span is not None
    assert (malformed.span.start, malformed.span.end) == (len(text) - 1, len(text))


def test_headers_alone_cost_nothing_to_limit() -> None:
    exchange = replace(DOWNLOAD, limits=LIVE)
    assert exchange.request is DOWNLOAD.request
    assert exchange.response is DOWNLOAD.response
    assert not [*replace(exchange, request=replace(exchange.request, headers=Headers())).long_headers()]
