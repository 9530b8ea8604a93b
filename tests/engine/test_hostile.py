"""Hostile input: no rule crashes, no finding carries what a terminal would obey, and the cost stays linear."""

import base64
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import reference
from ltkm_inspect.catalogue import load
from ltkm_inspect.context import Context, Settings
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FAULTS, Application, FaultError
from ltkm_inspect.finding import Report
from ltkm_inspect.traffic import Exchange, Headers
from tests.growth import grows_as_its_input

load()
DOWNLOAD = reference.reference("download")[0]
SEVERAL = reference.reference("several-keys")[0]
MESSAGE = reference.ltkm(reference.FIRST).encode()
DEBUG = Context(Settings(debug=True))
assert DOWNLOAD.response is not None
BODY = DOWNLOAD.response.body or b""


def _with_body(body: bytes) -> Exchange:
    assert DOWNLOAD.response is not None
    return replace(DOWNLOAD, response=replace(DOWNLOAD.response, body=body))


def _with_message(octets: bytes) -> Exchange:
    return _with_body(BODY.replace(base64.b64encode(MESSAGE), base64.b64encode(octets)))


def _rules(exchange: Exchange) -> set[str]:
    return set(inspect(exchange, DEBUG).rules)


@pytest.mark.parametrize("octets", range(1, len(MESSAGE)))
def test_a_message_cut_anywhere_is_one_finding(octets: int) -> None:
    expected = "header-truncated" if octets < 10 else "length-overrun"
    assert _rules(_with_message(MESSAGE[:octets])) == {expected}


@given(st.binary(max_size=300))
def test_random_octets_as_a_message_crash_no_rule(octets: bytes) -> None:
    report = inspect(_with_message(octets), DEBUG)
    assert report.findings


@given(st.binary(max_size=300))
def test_random_octets_as_a_body_crash_no_rule(octets: bytes) -> None:
    inspect(_with_body(octets), DEBUG)


@given(st.integers(0, len(BODY) - 1), st.binary(max_size=4))
def test_a_body_damaged_anywhere_crashes_no_rule(at: int, octets: bytes) -> None:
    inspect(_with_body(BODY[:at] + octets + BODY[at + len(octets) :]), DEBUG)


@given(st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=3))
def test_faults_composed_at_random_crash_no_rule(ids: Sequence[str]) -> None:
    try:
        damaged = inject(SEVERAL, [Application(FAULTS[id]) for id in ids])
    except FaultError:
        return  # one fault took away what another wanted to damage
    inspect(damaged, DEBUG)


ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\n\x00\u202e"


def _hostile(name: str) -> Exchange:
    response = DOWNLOAD.response
    assert response is not None
    if name == "reason":
        return replace(DOWNLOAD, response=replace(response, status=299, reason=ESCAPES))
    if name == "media type":
        headers = response.headers.put("Content-Type", "text/" + ESCAPES)
        return replace(DOWNLOAD, response=replace(response, headers=headers))
    if name == "response code":
        text = "200 \N{LATIN SMALL LETTER SHARP S}\N{RIGHT-TO-LEFT OVERRIDE}".encode()
        return _with_body(BODY.replace(b"200 OK", text))
    if name == "identity":
        return _with_message(MESSAGE.replace(b"bmsc.home1.net", b"\xff\xfe\x1b[2J\x00\x01\x02\x03\x04\x05\x06\x07"))
    request = replace(DOWNLOAD.request, headers=Headers(((b"User-Agent", ESCAPES.encode()),)), method=ESCAPES)
    return replace(DOWNLOAD, request=request)


@pytest.mark.parametrize("name", ["reason", "media type", "response code", "identity", "request"])
def test_nothing_that_a_terminal_would_obey_is_printed(name: str) -> None:
    report: Report = inspect(_hostile(name), DEBUG)
    for finding in (*report.findings, *report.notes):
        assert finding.line.isprintable(), ascii(finding.line)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 64 + b'">]><a>&b;</a>', "doctype-present", id="an entity"),
        pytest.param(b"<a>" * 100_000, "xml-malformed", id="nesting"),
        pytest.param(b"\0" * 1_000_000, "xml-malformed", id="NUL octets"),
        pytest.param(BODY.replace(b"AQAV", b"AQAV" + b"A" * 2_000_000), "octets-left-over", id="2 MB of base64"),
    ],
)
def test_a_hostile_document_is_one_finding(body: bytes, rule: str) -> None:
    assert rule in _rules(_with_body(body))


def test_the_cost_of_ltkms_grows_as_their_number() -> None:
    def check(count: int) -> None:
        items = BODY.partition(b"<Response>")[2].partition(b"</Response>")[0]
        head, tail = BODY.partition(b"<Response>")[0], b"</mbmsMSKResponse>\n"
        body = head + b"".join(b"<Response>" + items + b"</Response>" for _ in range(count)) + tail
        report = inspect(_with_body(body), DEBUG)
        assert report.ltkms == count
        assert sum(finding.rule == "ltkm-duplicated" for finding in report.findings) == count - 1

    assert grows_as_its_input(check, 250)
