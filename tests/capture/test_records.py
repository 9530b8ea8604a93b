"""Records of flow files: what the scan passes by, and what becomes of the rest, is what mitmproxy would say."""

import dataclasses
import io
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import flow, http, version
from mitmproxy.io import FlowWriter
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow, tutils

from ltkm_inspect.capture import (
    BEFORE,
    CandidateRecord,
    Damage,
    DamagedEvent,
    SkippedFlows,
    exchange_of,
    find_record,
    records,
    scan,
)
from ltkm_inspect.capture.records import VERSION, may_be_msk
from ltkm_inspect.capture.tnetstring import UnusualError
from ltkm_inspect.document import MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE
from ltkm_inspect.mitm import flows
from ltkm_inspect.mitm.reading import record
from ltkm_inspect.reference import REFERENCES, reference
from ltkm_inspect.traffic import OFFLINE, Exchange
from tests.recorded import exchanges

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "flows").rglob("*.flow"))


def saved(*recorded: flow.Flow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)  # type: ignore[no-untyped-call]
    for each in recorded:
        writer.add(each)
    return file.getvalue()


def found(octets: bytes) -> list[Exchange | Damage | DamagedEvent | None]:
    """Read a flow file by the records alone."""
    read: list[Exchange | Damage | DamagedEvent | None] = []
    for each in scan(io.BytesIO(octets).read):
        if isinstance(each, SkippedFlows):
            read += [None] * each.flows
        elif isinstance(each, CandidateRecord):
            read.append(None if each.is_udp else exchange_of(each.record))
        else:
            read.append(each)
    return read


def plain(exchange: object) -> Any:
    """Return every field of an exchange; what is compared otherwise are objects."""
    if not isinstance(exchange, Exchange):
        return exchange
    return {field.name: getattr(exchange, field.name) for field in dataclasses.fields(exchange)}


def by_mitmproxy(each: flow.Flow) -> Exchange | None:
    """Return the MSK exchange that a flow is, as the addon tells it."""
    if not isinstance(each, http.HTTPFlow) or flows.is_foreign(each):
        return None
    exchange = flows.exchange_of(each, OFFLINE)
    return exchange if exchange.is_ours else None


def test_the_format_that_is_read_is_the_one_that_mitmproxy_writes() -> None:
    assert version.FLOW_FORMAT_VERSION == VERSION


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SAMPLES])
def test_a_sample_gives_what_mitmproxy_reads_of_it(path: Path) -> None:
    assert [plain(each) for each in found(path.read_bytes())] == [plain(each) for each in exchanges(path)]


def recorded(exchange: Exchange) -> http.HTTPFlow:
    return flows.flow_of(exchange)


def reverse(
    host: str, upstream: tuple[str, int] | None, mode: str = "reverse:http://upstream.example:8080"
) -> flow.Flow:
    made = recorded(reference("download")[0])
    made.client_conn.proxy_mode = ProxyMode.parse(mode)
    made.server_conn.address = upstream
    made.request.headers["Host"] = host
    return made


def changed(**values: Any) -> http.HTTPFlow:
    """Return a clean flow with these attributes changed, those of request and response by `request_x`."""
    made = recorded(reference("download")[0])
    for name, value in values.items():
        part, _, attribute = name.partition("_")
        setattr(getattr(made, part), attribute, value) if part in ("request", "response") else setattr(
            made, name, value
        )
    return made


def with_backup() -> http.HTTPFlow:
    made = recorded(reference("several-keys")[0])
    made.backup()  # type: ignore[no-untyped-call]
    made.metadata = {"ltkm_fault": ["shorten-rand:octets=8", "drop-ltkm"], "deep": {"list": [1, 2.5, None, True, b"x"]}}
    made.marked, made.comment = ":wrench:", "[ltkm: fault]"
    return made


def http2(authority: bytes) -> http.HTTPFlow:
    made = changed(request_http_version="HTTP/2.0")
    made.request.data.authority = authority
    return made


FLOWS: dict[str, flow.Flow] = {
    **{f"{name}-{number}": recorded(each) for name in REFERENCES for number, each in enumerate(reference(name), 1)},
    "backup-and-fault": with_backup(),
    "fault-as-text": changed(metadata={"ltkm_fault": "drop-ltkm"}),
    "error": changed(error=flow.Error("connection closed", 1256716801.5)),
    "no-response": changed(response=None, error=flow.Error("gone", 1256716802)),
    "no-end": changed(response_timestamp_end=None),
    "trailers": changed(response_trailers=http.Headers([(b"Authentication-Info", b"qop=auth-int"), (b"X", b"")])),
    "streamed": changed(response_raw_content=None, request_raw_content=None),
    "gzip": changed(),
    "reason": changed(response_reason="Ça va\x1b"),
    "reverse": reverse("upstream.example:8080", ("upstream.example", 8080)),
    "reverse-port": reverse(
        "upstream.example", ("upstream.example", 80), "reverse:http://upstream.example@127.0.0.1:8080"
    ),
    "reverse-kept": reverse("bmsc.home1.net", ("upstream.example", 8080)),
    "host-with-port": reverse("bmsc.home1.net:40000", ("bmsc.home1.net", 40000), "regular@8080"),
    "no-host": changed(request_headers=http.Headers([(b"Content-Type", MSK_REQUEST_TYPE.upper().encode())])),
    "http2": http2(b"bmsc.home1.net:8080"),
    "http2-without-authority": http2(b""),
    "ipv6": changed(),
    "foreign": tflow.tflow(resp=True),
    "foreign-error": tflow.tflow(err=True),
    "websocket": tflow.twebsocketflow(),
    "tcp": tflow.ttcpflow(),
    "udp": tflow.tudpflow(),
    "dns": tflow.tdnsflow(resp=True),
}
gzipped, over_ipv6 = FLOWS["gzip"], FLOWS["ipv6"]
assert isinstance(gzipped, http.HTTPFlow)
assert gzipped.response is not None
gzipped.response.encode("gzip")
over_ipv6.client_conn.peername = ("::ffff:192.0.2.10", 40001, 0, 0)  # type: ignore[assignment]  # as sockets give it
over_ipv6.server_conn.peername = ("2001:db8::1", 80, 0, 0)  # type: ignore[assignment]


@pytest.mark.parametrize("name", FLOWS)
def test_a_record_gives_every_field_that_mitmproxy_would(name: str) -> None:
    (ours,) = found(saved(FLOWS[name]))
    assert plain(ours) == plain(by_mitmproxy(FLOWS[name]))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: changed(request_headers=http.Headers(host="[2001:db8::1]:80")), id="ipv6-host"),
        pytest.param(lambda: changed(request_headers=http.Headers(host="xn--bcher-kva.example")), id="punycode"),
        pytest.param(lambda: changed(request_headers=http.Headers(host="a, b")), id="two-hosts"),
        pytest.param(lambda: changed(request_headers=http.Headers(host="a.example:99999")), id="port"),
        pytest.param(lambda: reverse("upstream.example:8080", None), id="no-upstream"),
    ],
)
def test_what_is_unusual_is_left_to_mitmproxy(made: Any) -> None:
    with pytest.raises(UnusualError):
        found(saved(made()))


PIECES = st.sampled_from(
    [
        *("requesttype", "msk-request", "=", "&", "?", "/", "register", "%72equesttype", "requesttyp%65", "%6", "%7D"),
        *(
            "\t",
            "\n",
            "%09",
            "+",
            "REQUESTTYPE",
            MSK_RESPONSE_TYPE,
            "mbms-msk",
            "#",
            "http://a",
            "%25",
            "requ%65sttype",
        ),
    ]
)
TYPES = st.one_of(
    st.none(),
    st.sampled_from(["text/html", "application/xml", MSK_RESPONSE_TYPE, MSK_REQUEST_TYPE]).flatmap(
        lambda text: st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
            lambda upper: "".join(letter.upper() if up else letter for letter, up in zip(text, upper, strict=True))
        )
    ),
)
TARGETS = st.one_of(
    st.lists(PIECES, max_size=8).map("".join),
    st.lists(st.booleans(), min_size=22, max_size=22).map(
        lambda hide: (
            "/x?"
            + "".join(
                f"%{ord(c):02x}" if h else c for c, h in zip("requesttypemsk-request", hide, strict=True)
            ).replace("typemsk", "type=msk")
        )
    ),
    st.text().map(quote),
)


@st.composite
def any_flow(draw: st.DrawFn) -> http.HTTPFlow:
    """Return a flow that may be an MSK exchange in any of the ways in which one can be written."""
    asked, answered = draw(TYPES), draw(TYPES)
    name = draw(st.sampled_from(["Content-Type", "content-type", "CONTENT-TYPE"])).encode()
    request = tutils.treq(
        path=draw(TARGETS).encode("utf-8", "surrogateescape"),
        headers=http.Headers([(name, asked.encode())] if asked is not None else []),
        content=draw(st.binary(max_size=20)),
    )
    response = tutils.tresp(
        headers=http.Headers([(b"X-A", b"b"), (name, answered.encode())] if answered is not None else []),
        content=draw(st.one_of(st.none(), st.just(b"<html>%6D mbms-msk requesttype"), st.binary(max_size=20))),
    )
    return tflow.tflow(req=request, resp=response if draw(st.booleans()) else False)


@given(any_flow())
def test_no_exchange_is_passed_by(made: http.HTTPFlow) -> None:
    octets = saved(made)
    expected = by_mitmproxy(made)
    if expected is not None:
        assert may_be_msk(octets, 0, len(octets))
    assert [plain(each) for each in found(octets)] == [plain(expected)]


def test_what_is_escaped_in_a_body_alone_is_passed_by() -> None:
    made = tflow.tflow(resp=tutils.tresp(content=b"a=%61%72" * 10))
    octets = saved(made)
    assert not may_be_msk(octets, 0, len(octets))


class Trickle:
    """A file that gives a few octets at a time, as pipes do."""

    def __init__(self, octets: bytes, sizes: Iterable[int]) -> None:
        self.file = io.BytesIO(octets)
        self.sizes: Iterator[int] = iter(sizes)

    def read(self, size: int) -> bytes:
        return self.file.read(min(size, next(self.sizes, 7)))


@given(st.lists(st.integers(1, 3000), max_size=50))
def test_it_does_not_matter_in_which_pieces_octets_come(sizes: list[int]) -> None:
    octets = saved(*FLOWS.values())
    events = [each for each in scan(Trickle(octets, sizes).read) if isinstance(each, CandidateRecord)]
    whole = [each for each in scan(io.BytesIO(octets).read) if isinstance(each, CandidateRecord)]
    assert events == whole


@given(st.data())
def test_a_damaged_record_is_read_as_mitmproxy_reads_it_or_left_to_it(data: st.DataObject) -> None:
    made = FLOWS[data.draw(st.sampled_from(["download-1", "backup-and-fault", "error", "trailers", "reverse"]))]
    octets = bytearray(saved(made))
    for at in data.draw(st.lists(st.integers(0, len(octets) - 1), min_size=1, max_size=3)):
        octets[at] = data.draw(st.integers(0, 255))
    theirs = record(CandidateRecord(0, bytes(octets), current=True), 0)
    if not isinstance(theirs, tuple):
        return
    try:
        (ours,) = [each for each in scan(io.BytesIO(octets).read) if isinstance(each, CandidateRecord)]
        exchange = exchange_of(ours.record) if ours.current else None
    except (ValueError, LookupError):
        return
    if ours.current:
        assert plain(exchange) == plain(next(iter(theirs[1]), None))


@given(st.data())
def test_the_first_record_behind_any_place_is_found(data: st.DataObject) -> None:
    # a backup is a flow within a flow, whose end looks like the end of a record
    plain_flows = {name: flow for name, flow in FLOWS.items() if name != "backup-and-fault"}
    octets = saved(*[each for each in plain_flows.values() if isinstance(each, http.HTTPFlow)])
    begins = [0]
    while begins[-1] < len(octets):
        colon = octets.index(b":", begins[-1])
        begins.append(colon + 2 + int(octets[begins[-1] : colon]))
    place = data.draw(st.integers(0, len(octets)))
    until = data.draw(st.integers(place, len(octets)))
    file = io.BytesIO(octets)
    file.seek(max(place - BEFORE, 0))
    expected = next((begin for begin in begins if place <= begin < until), None)
    assert find_record(file.read, place, until) == (expected if place >= BEFORE else 0)


def test_a_record_that_is_too_large_is_read_past_and_named_where_it_may_be_an_msk_exchange(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "_LARGEST", 4000)
    ours, other = changed(), tflow.tflow(resp=True)
    for made in (ours, other):
        assert made.response is not None
        made.response.content = bytes(10_000)
    octets = [saved(each) for each in (other, ours, changed())]
    file = io.BytesIO(b"".join(octets))
    kinds = list(scan(lambda size: file.read(min(size, 1000))))
    assert kinds[0] == SkippedFlows(1, len(octets[0]))
    assert isinstance(kinds[1], DamagedEvent)
    assert str(kinds[1]).startswith(f"flow at octet {len(octets[0])}: expected at most 0 MiB")
    assert isinstance(kinds[2], CandidateRecord)


def test_a_length_without_end_takes_no_memory() -> None:
    pieces = iter([b"999999999999:", *[bytes(1 << 20)] * 100])
    tracemalloc.start()
    (damage,) = scan(lambda size: next(pieces, b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(damage, Damage)
    assert peak < 8 << 20
