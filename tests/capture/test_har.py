"""HARs as exporters write them: what they leave out or get wrong costs the field, and nobody is blamed for it."""

import copy
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.addons.savehar import SaveHar

from ltkm_inspect.capture import Damage, DamagedEvent, entries, har
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Answer, Level
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import reference
from ltkm_inspect.traffic import Exchange

WHOLE: dict[str, Any] = json.loads(
    json.dumps(SaveHar().make_har([flow_of(each) for each in (*reference("challenged"), *reference("download"))]))
)
NOTHING = object()


def read(made: Any) -> list[Exchange | Damage | DamagedEvent]:
    octets = made if isinstance(made, bytes) else json.dumps(made).encode()
    return list(har.exchanges(io.BytesIO(octets).read))


def changed(path: str, value: Any, entry: int = 1) -> dict[str, Any]:
    """Return the HAR with the field of an entry set, or taken out."""
    made = copy.deepcopy(WHOLE)
    *above, last = path.split(".")
    held = made["log"]["entries"][entry]
    for name in above:
        held = held[name]
    if value is NOTHING:
        held.pop(last, None)
    else:
        held[last] = value
    return made


def header(side: str, name: str, value: Any, entry: int = 1) -> dict[str, Any]:
    fields = copy.deepcopy(WHOLE["log"]["entries"][entry][side]["headers"])
    kept = [each for each in fields if each["name"].lower() != name.lower()]
    return changed(f"{side}.headers", [*kept, {"name": name, "value": value}], entry)


def the(made: Any, entry: int = 1) -> Exchange:
    """Return the exchange of an entry; the others must be there as well."""
    found = read(made)
    assert len(found) == 2
    assert all(isinstance(each, Exchange) for each in found)
    exchange = found[entry]
    assert isinstance(exchange, Exchange)
    return exchange


def test_a_har_of_mitmproxy_has_no_damage_and_is_clean() -> None:
    for each in read(WHOLE):
        assert isinstance(each, Exchange)
        assert each.damage == ()
        assert inspect(each).findings == ()


TEXT = WHOLE["log"]["entries"][1]["response"]["content"]["text"]
ODD: list[Any] = [5, 2.5, True, "", "text", [], [1], {}, {"a": 1}, math.nan, math.inf, 10**30, "\ud800", None, NOTHING]
FIELDS = (
    *("startedDateTime", "time", "connection", "serverIPAddress", "request.method", "request.url", "request.headers"),
    *("request.httpVersion", "request.bodySize", "request.postData", "request.postData.text", "response"),
    *("response.status", "response.statusText", "response.headers", "response.httpVersion", "response.content"),
    *("response.content.text", "response.content.encoding", "response.content.size", "response.bodySize"),
)


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_that_is_odd_or_missing_is_blamed_on_anybody_or_costs_the_other_entry(field: str) -> None:
    free = field in ("request.method", "request.url", "request.headers", "response.headers")
    for value in ODD:
        if free and value in ("text", {"a": 1}):
            continue  # this is what the capture says
        first, second = read(changed(field, value))
        assert isinstance(first, Exchange)
        if isinstance(second, DamagedEvent):
            assert field == "request.url"
            continue
        assert isinstance(second, Exchange)
        report = inspect(second)
        assert [finding.line for finding in report.findings if finding.level is Level.VIOLATION] == [], value


@pytest.mark.parametrize(
    ("made", "entry", "field"),
    [
        pytest.param(changed("response.content.encoding", "base64"), 1, "response.content.text", id="not-base64"),
        pytest.param(changed("response.content.encoding", "gzip"), 1, "response.content.encoding", id="encoding"),
        pytest.param(changed("response.content.text", "PHJvb3QvPg=="), 1, "response.content.encoding", id="base64"),
        pytest.param(changed("response.content.text", TEXT[:-9]), 1, "response.content.text", id="cut"),
        pytest.param(changed("response.content.text", TEXT + "\ufffd"), 1, "response.content.text", id="lost"),
        pytest.param(changed("response.content.text", TEXT + "\udc00"), 1, "response.content.text", id="surrogate"),
        pytest.param(changed("response.content.text", NOTHING), 1, "response.content.text", id="no-text"),
        pytest.param(changed("response.content", NOTHING), 1, "response.content", id="no-content"),
        pytest.param(changed("response.content", []), 1, "response.content", id="content-list"),
        pytest.param(changed("request.postData", {"params": [1]}), 1, "request.postData.text", id="params"),
        pytest.param(changed("request.postData", None), 1, "request.postData", id="no-post-data"),
        pytest.param(changed("response.status", "many"), 1, "response.status", id="status"),
        pytest.param(changed("response.status", 2000), 1, "response.status", id="status-large"),
        pytest.param(changed("response.headers", 5), 1, "response.headers", id="headers"),
        pytest.param(changed("response.headers", [5]), 1, "response.headers[0]", id="header"),
        pytest.param(changed("time", math.nan), 1, "time", id="nan"),
        pytest.param(changed("startedDateTime", "yesterday"), 1, "startedDateTime", id="date"),
        pytest.param(
            header("response", "WWW-Authenticate", 'Basic realm="x"\nDigest realm="y", nonce="z"', 0),
            0,
            "response.headers.WWW-Authenticate",
            id="joined-by-newline",
        ),
        pytest.param(
            header("response", "WWW-Authenticate", 'Basic realm="x", Digest realm="y", nonce="z"', 0),
            0,
            "response.headers.WWW-Authenticate",
            id="joined-by-comma",
        ),
        pytest.param(header("request", "Content-Type", []), 1, "request.headers.Content-Type", id="empty-list"),
        pytest.param(header("response", "Content-Type", 5), 1, "response.headers.Content-Type", id="media-type-number"),
        pytest.param(
            header("request", "Authorization", {"a": 5}), 1, "request.headers.Authorization", id="credentials"
        ),
    ],
)
def test_what_an_exporter_damaged_is_named_by_its_field_and_not_judged(made: Any, entry: int, field: str) -> None:
    exchange = the(made, entry)
    assert [gap.field for gap in exchange.damage] == [field]
    assert [finding for finding in inspect(exchange).findings if finding.level is Level.VIOLATION] == []


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(changed("response.status", "200"), id="status-text"),
        pytest.param(changed("response.status", 200.0), id="status-real"),
        pytest.param(changed("time", "12.5"), id="time-text"),
        pytest.param(changed("startedDateTime", "2009-10-28T08:00:00.1234567+0100"), id="seven-digits"),
        pytest.param(changed("startedDateTime", "Wed, 28 Oct 2009 08:00:00 GMT"), id="http-date"),
        pytest.param(changed("response.content.size", -1), id="size-unknown"),
        pytest.param(changed("response.bodySize", -1), id="body-size-unknown"),
        pytest.param(changed("response.content.compression", -5), id="larger-when-compressed"),
        pytest.param(changed("startedDateTime", "2009-10-28T08:00:00.123"), id="no-offset"),
        pytest.param(changed("time", -1), id="time-unknown"),
        pytest.param(changed("timings", NOTHING), id="no-timings"),
        pytest.param(changed("connection", NOTHING), id="no-connection"),
        pytest.param(changed("connection", "ClientPort:50000;EgressPort:50001"), id="ports-as-connection"),
        pytest.param(changed("serverIPAddress", "[2001:db8::1]"), id="address-in-brackets"),
        pytest.param(changed("response.statusText", ""), id="no-reason-over-http-2"),
        pytest.param(changed("request.postData.params", []), id="params-beside-text"),
        pytest.param(changed("response.content.mimeType", "x-unknown"), id="media-type-unknown"),
        pytest.param(changed("_resourceType", "fetch"), id="own-field"),
        pytest.param(header("request", ":authority", "bmsc.home1.net"), id="pseudo-header"),
        pytest.param(header("response", "Set-Cookie", "a=1\nb=2"), id="cookies-joined"),
        pytest.param(header("response", "Content-Length", 5), id="header-number"),
    ],
)
def test_what_can_be_read_nevertheless_is_no_damage(made: Any) -> None:
    exchange = the(made)
    assert exchange.damage == ()
    assert exchange.request.headers.get(":authority") is None
    assert exchange.response is not None
    assert exchange.response.status == 200
    assert inspect(exchange).findings == ()


@pytest.mark.parametrize("version", ["h2", "HTTP/2", "http/2.0", "HTTP/2.0", "h3", "HTTP/3", "unknown", "", None])
@pytest.mark.parametrize("side", ["request", "response"])
def test_no_spelling_of_a_version_is_blamed_on_anybody(side: str, version: str | None) -> None:
    exchange = the(changed(f"{side}.httpVersion", version))
    assert exchange.damage == ()
    assert inspect(exchange).findings == ()


@pytest.mark.parametrize("end", [b"\xef\xbb\xbf", b"\0\0", b"\r\n\r\n"], ids=["bom", "zeros", "lines"])
def test_what_exporters_leave_behind_the_end_is_no_damage(end: bytes) -> None:
    for each in read(json.dumps(WHOLE).encode() + end):
        assert isinstance(each, Exchange)
        assert each.damage == ()


def test_a_request_that_a_browser_canceled_has_no_response() -> None:
    canceled = {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "headers": [],
        "cookies": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_error": "net::ERR_ABORTED",
    }
    exchange = the(changed("response", canceled))
    assert exchange.response is None
    assert exchange.damage == ()
    assert [finding.rule for finding in inspect(exchange).findings] == ["not-checked-in-full"]


@pytest.mark.parametrize("form", [dict, list], ids=["object", "pairs"])
def test_headers_are_read_in_any_form(form: type) -> None:
    fields = WHOLE["log"]["entries"][1]["request"]["headers"]
    pairs = [(each["name"], each["value"]) for each in fields]
    exchange = the(changed("request.headers", dict(pairs) if form is dict else [list(each) for each in pairs]))
    assert exchange.request.headers == the(WHOLE).request.headers


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_har_is_read_in_any_encoding_of_json(encoding: str) -> None:
    octets = json.dumps(WHOLE).encode(encoding)
    assert entries.is_har(octets[:512])
    assert [each.request for each in read(octets) if isinstance(each, Exchange)] == [
        each.request for each in read(WHOLE) if isinstance(each, Exchange)
    ]


@pytest.mark.parametrize(
    "rule", ["http-version-wrong", "content-coded", "body-undecodable", "encoding-mismatch", "encoding-unusual"]
)
def test_a_rule_on_what_no_har_keeps_does_not_apply(rule: str) -> None:
    made = changed("request.httpVersion", "HTTP/1.0")
    outcome = inspect(the(made)).outcomes[rule]
    assert outcome.answer is Answer.NOT_APPLICABLE
    assert "missing from the capture" in outcome.reason


def test_credentials_that_a_browser_leaves_out_are_not_missed() -> None:
    fields = WHOLE["log"]["entries"][1]["request"]["headers"]
    kept = [each for each in fields if each["name"].lower() != "authorization"]
    report = inspect(the(changed("request.headers", kept)))
    assert report.outcomes["authorization-missing"].answer is Answer.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "entry 2: expected an object, got null", id="null"),
        pytest.param("x", "entry 2: expected an object, got other text", id="text"),
        pytest.param({}, "entry 2: request: expected an object, got null", id="empty"),
        pytest.param({"request": {}}, "entry 2: request.url: missing from the capture", id="no-url"),
    ],
)
def test_an_entry_of_which_nothing_is_known_is_one_damaged_event(value: Any, text: str) -> None:
    made = copy.deepcopy(WHOLE)
    made["log"]["entries"].insert(1, value)
    first, second, third = read(made)
    assert isinstance(first, Exchange)
    assert second == DamagedEvent(text)
    assert isinstance(third, Exchange)


def test_a_number_of_a_hundred_thousand_digits_is_no_number() -> None:
    octets = json.dumps(changed("time", 77777)).encode().replace(b"77777", b"9" * 100_000)
    assert [gap.field for gap in the(octets).damage] == ["time"]


def test_a_har_that_is_cut_gives_the_entries_before_the_cut() -> None:
    octets = json.dumps(WHOLE).encode()
    first, last = read(octets[:-200])
    assert isinstance(first, Exchange)
    assert isinstance(last, Damage)
    assert last.reason == "the file ends within the HAR"


@pytest.mark.parametrize("limit", ["LARGEST", "MOST_VALUES"])
def test_an_entry_beyond_a_bound_is_named(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, limit, 60)
    found = read(
        {"log": {"entries": [{"comment": "requesttype", "list": [[], []] * (30 if limit == "LARGEST" else 25)}]}}
    )
    (damage,) = found
    assert "expected at most" in str(damage)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.sampled_from([1, 7, 1000]))
def test_entries_are_what_json_says_however_the_text_comes(value: Any, size: int) -> None:
    file = io.BytesIO(json.dumps({"log": {"x": value, "entries": [value, 1, value]}, "y": value}).encode())
    found = [each.value for each in entries.entries(lambda most: file.read(min(size, most)))]
    assert [*map(repr, found)] == [*map(repr, (value, 1, value))]
