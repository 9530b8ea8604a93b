"""Packets give the exchanges and datagrams that went over the network; what is missing of one is blamed on nobody."""

import gc
import io
import random
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect import catalogue, reference
from ltkm_inspect.capture import Damage, DamagedEvent, SkippedFlows, UnreadTraffic
from ltkm_inspect.capture.conversation import Conversation
from ltkm_inspect.capture.http1 import HttpReader
from ltkm_inspect.capture.packets import PacketEvent, events
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inspect
from ltkm_inspect.finding import Level
from ltkm_inspect.mitm.reading import events as saved_events
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import OFFLINE, Datagram, Direction, Exchange, Headers, Limits, Response
from tests.conftest import ROOT
from tests.packets.build import ACK, FIN, RST, SYN, Record, ethernet, ipv4, pcap, udp
from tests.packets.traffic import Wire, push, request_octets, response_octets

catalogue.load()

MESSAGE = reference.ltkm(reference.FIRST).encode()
EXCHANGE = reference.exchange([reference.FIRST.msk_id], [(reference.FIRST, "200 OK", reference.ltkm(reference.FIRST))])
assert EXCHANGE.response is not None
RESPONSE: Response = EXCHANGE.response
ASKED, ANSWERED = request_octets(EXCHANGE.request), response_octets(RESPONSE)
OTHER = b"GET /guide HTTP/1.1\r\nHost: portal.example\r\n\r\n"
TLS = b"\x16\x03\x01"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<html>no\n"


def read(records: Iterable[Record], limits: Limits = OFFLINE) -> list[PacketEvent]:
    return list(events(io.BytesIO(pcap(records)).read, limits, "x"))


def found(wire: Wire) -> list[Exchange]:
    """Return the exchanges of a connection, and make sure that there is nothing else."""
    all = read(wire.records)
    assert all == [each for each in all if isinstance(each, Exchange)]
    return [each for each in all if isinstance(each, Exchange)]


def one(wire: Wire) -> Exchange:
    (exchange,) = found(wire)
    return exchange


def one_of(records: Iterable[Record]) -> Exchange:
    (exchange,) = (each for each in read(records) if isinstance(each, Exchange))
    return exchange


def others(events: Iterable[PacketEvent]) -> int:
    return sum(each.flows for each in events if isinstance(each, SkippedFlows))


def rules(exchange: Exchange) -> list[str]:
    """Return the rules that blame anybody; that not all was checked blames nobody."""
    report = inspect(exchange, Context(session=Session()))
    return [each.rule for each in report.findings if each.level > Level.NOTE and each.rule != "not-checked-in-full"]


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    half = len(body) // 2
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return parts + b"0\r\n" + trailers + b"\r\n"


def test_an_exchange_has_the_octets_as_sent_addresses_times_and_connection() -> None:
    wire = Wire("192.0.2.10:40001").open().exchange(EXCHANGE, 500).close()
    exchange = one(wire)
    assert exchange.request == replace(EXCHANGE.request, trailers=Headers())
    assert exchange.response == RESPONSE
    assert (exchange.client, exchange.server) == ("192.0.2.10:40001", "198.51.100.1:80")
    times = {number: time for number, (time, _) in enumerate(wire.records, 1)}
    asked = 4
    assert exchange.id == f"packet-{asked}"
    assert exchange.started == pytest.approx(times[asked], abs=1e-6)
    assert exchange.ended == pytest.approx(times[len(wire.records) - 4], abs=1e-6)
    assert exchange.connection
    assert "192" not in exchange.connection
    assert (exchange.error, exchange.gaps, exchange.capture) == (None, (), "x")
    assert not rules(exchange)


def test_connections_have_names_of_their_own_which_are_the_same_each_time() -> None:
    first = Wire().open().exchange(EXCHANGE).exchange(EXCHANGE).close()
    second = Wire(at=first.time + 1).open().exchange(EXCHANGE).close()
    a, b, c = (each for each in read(first.records + second.records) if isinstance(each, Exchange))
    assert a.connection == b.connection != c.connection
    assert a.connection == found(first)[0].connection


@pytest.mark.parametrize("port", [80, 8080, 50_000])
@pytest.mark.parametrize("server", ["198.51.100.1", "[2001:db8::5]"])
def test_any_port_will_do(server: str, port: int) -> None:
    client = "192.0.2.10:40000" if server[0] != "[" else "[2001:db8:1::a]:40000"
    exchange = one(Wire(client, f"{server}:{port}").open().exchange(EXCHANGE).close())
    assert (exchange.client, exchange.server) == (client, f"{server}:{port}")
    assert exchange.request.port == port


SAMPLES = sorted((ROOT / "flows").rglob("*.flow"))


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_verdicts_equal_those_of_the_same_exchanges_in_a_flow_file(path: Path) -> None:
    saved = [
        replace(each, faults=(), is_replayed=False, host_rewritten=False, client=f"192.0.2.10:{number}")
        for number, each in enumerate(saved_events(path), 20_000)
        if isinstance(each, Exchange) and each.request.http_version == "HTTP/1.1" and each.error is None
    ]
    records: list[Record] = []
    sent = []
    for each in saved:
        server = f"198.51.100.1:{each.request.port}"
        wire = Wire(each.client, server, each.started or 0.0).open().exchange(each, 600).close()
        records += wire.records
        sent.append(replace(each, server=server))
    came = [each for each in read(records) if isinstance(each, Exchange)]
    assert len(came) == len(sent)
    first, second = Context(session=Session()), Context(session=Session())
    for mine, theirs in zip(came, sent, strict=True):
        assert (mine.request.method, mine.request.target) == (theirs.request.method, theirs.request.target)
        assert mine.request.headers == theirs.request.headers
        assert mine.request.body == (theirs.request.body or b"")
        assert mine.response == theirs.response
        theirs = replace(theirs, connection=mine.connection, started=mine.started, ended=mine.ended)
        assert _verdicts(inspect(mine, first)) == _verdicts(inspect(theirs, second))


def _verdicts(report: object) -> list[str]:
    return [f"{finding.level.word} {finding.line}" for finding in report.findings]  # type: ignore[attr-defined]


MSK_TYPE = b"Content-Type: application/mbms-msk-response+xml\r\n"
BODY = RESPONSE.body or b""


@pytest.mark.parametrize(
    ("octets", "body"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY, BODY, id="length"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY), BODY, id="chunks"
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\n" + MSK_TYPE + b"\r\n" + BODY, BODY, id="until-close"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Connection: close\r\n\r\n" + BODY, BODY, id="until-close-1.1"
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ANSWERED, BODY, id="1xx"
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n" + MSK_TYPE + b"\r\n", b"", id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\n" + MSK_TYPE + b"Content-Length: 500\r\n\r\n", b"", id="304"),
        pytest.param(b"HTTP/1.1 200 OK\n" + MSK_TYPE + b"Content-Length: 0\n\n", b"", id="bare-line-feeds"),
    ],
)
@pytest.mark.parametrize("size", [7, 1460])
def test_a_response_ends_as_its_head_says(octets: bytes, body: bytes, size: int) -> None:
    exchange = one(Wire().open().message(0, ASKED).message(1, octets, size).close())
    assert exchange.response is not None
    assert exchange.response.body == body
    assert exchange.response.status == int(
        octets[-len(ANSWERED) :][9:12] if octets.endswith(ANSWERED) else octets[9:12]
    )
    assert (exchange.error, exchange.gaps) == (None, ())


def test_trailers_are_kept_and_codings_stay() -> None:
    info = b'Authentication-Info: rspauth="1"\r\n'
    head = b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    coded = replace(RESPONSE, headers=RESPONSE.headers.put("Content-Encoding", "gzip")).with_content(BODY).body or b""
    exchange = one(Wire().open().message(0, ASKED).message(1, head + chunked(coded, info)).close())
    assert exchange.response is not None
    assert exchange.response.body == coded
    assert exchange.response.trailers.fields == ((b"Authentication-Info", b'rspauth="1"'),)
    assert exchange.document is not None


def test_requests_may_be_pipelined_and_a_connection_is_kept_alive() -> None:
    nobody = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    head = ASKED.replace(b"POST", b"HEAD", 1)
    wire = Wire().open().message(0, ASKED + OTHER + head + b"\r\n" + ASKED, 100)
    unread = ANSWERED[: ANSWERED.index(b"\r\n\r\n") + 4]
    all = read(
        wire.message(1, ANSWERED + PAGE + unread + nobody, 90).message(0, ASKED).message(1, ANSWERED).close().records
    )
    assert others(all) == 1
    answers = [each.response for each in all if isinstance(each, Exchange)]
    assert [(each.status, each.body) for each in answers if each is not None] == [
        (200, BODY),
        (200, b""),
        (404, b""),
        (200, BODY),
    ]


def test_exchanges_that_begin_in_the_same_packet_have_ids_of_their_own() -> None:
    wire = Wire().open().message(0, ASKED * 3, 50_000).message(1, ANSWERED * 3, 50_000).close()
    assert [each.id for each in found(wire)] == ["packet-4", "packet-4-2", "packet-4-3"]


def test_a_request_to_a_proxy_keeps_its_absolute_form() -> None:
    target = b"http://bmsc.home1.net:8000/keymanagement?requesttype=msk-request"
    asked = b"POST " + target + ASKED[ASKED.index(b" HTTP/1.1") :]
    exchange = one(Wire(server="192.0.2.1:3128").open().message(0, asked).message(1, ANSWERED).close())
    request = exchange.request
    assert (request.target, request.host, request.port) == (target.decode(), "bmsc.home1.net", 8000)
    assert exchange.url == target.decode()


def test_segments_out_of_order_and_repeated_change_nothing() -> None:
    wire = Wire().open().exchange(EXCHANGE, 90).close()
    begin = 3
    sent = wire.records[begin:-3]
    mixed = [*wire.records[:begin], *sent[1::2], *sent[::2], *sent[:5], *wire.records[-3:]]
    (exchange,) = (each for each in read(mixed) if isinstance(each, Exchange))
    assert (exchange.request, exchange.response, exchange.gaps) == (EXCHANGE.request, RESPONSE, ())


def without(wire: Wire, *lost: int) -> list[PacketEvent]:
    """Return what is found if these packets, counted from 0, were not captured."""
    return read(record for number, record in enumerate(wire.records) if number not in lost)


def test_a_response_that_is_captured_before_the_head_of_its_request_is_complete_keeps_its_body() -> None:
    answered = ANSWERED.replace(b"application/vnd.3gpp.mbms-msk-response+xml", b"text/plain")
    records = Wire().open().message(0, ASKED, 60).message(1, answered).records
    at = next(number for number, (_, octets) in enumerate(records) if answered[:40] in octets)
    exchange = one_of(records[:4] + records[at:] + records[4:at])
    assert (exchange.response or RESPONSE).body == RESPONSE.body


def test_a_hole_in_the_body_of_a_response_is_damage_and_what_follows_is_read() -> None:
    wire = Wire().open().message(0, ASKED, 5000).message(1, ANSWERED, 250)
    first = 3 + 2
    assert wire.records[first + 1][1].endswith(ANSWERED[250:500])
    assert b"\r\n\r\n" in ANSWERED[:250]
    broken, whole = (each for each in without(wire.exchange(EXCHANGE).close(), first + 1) if isinstance(each, Exchange))
    assert broken.response is not None
    assert broken.response.body is None
    (gap,) = broken.gaps
    assert gap.is_damage
    assert gap.hides == ("response.body",)
    assert str(gap) == "packet 7: expected 250 octets in front of this packet, got none: they were not captured"
    assert not rules(broken)
    assert (whole.response, whole.gaps) == (RESPONSE, ())


def test_a_hole_is_no_finding_wherever_it_is() -> None:
    wire = Wire().open().exchange(EXCHANGE, 150).exchange(EXCHANGE, 150).close()
    for lost in range(3, len(wire.records) - 3):
        all = without(wire, lost)
        came = [each for each in all if isinstance(each, Exchange)]
        assert not [rule for each in came for rule in rules(each)], lost
        octets = wire.records[lost][1]
        is_data, is_answer = len(octets) > 54, len(octets) > 54 and octets[34:36] == b"\0\x50"
        assert [each.response for each in came].count(RESPONSE) == 2 - is_answer, lost
        assert any(each.damage for each in came) == is_data, lost


def test_a_hole_in_chunks_loses_the_rest_of_the_body_and_its_trailers() -> None:
    octets = b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY)
    wire = Wire().open().message(0, ASKED, 5000).message(1, octets, 200)
    wire.message(0, ASKED, 5000).message(1, ANSWERED).close()
    broken, whole = (each for each in without(wire, 7) if isinstance(each, Exchange))
    assert [gap.hides for gap in broken.gaps] == [("response.body", "response.trailers")]
    assert not rules(broken)
    assert whole.response == RESPONSE


def test_a_request_that_was_lost_leaves_the_response_to_be_checked() -> None:
    wire = (
        Wire().open().message(0, ASKED, 5000).message(1, ANSWERED).message(0, ASKED, 5000).message(1, ANSWERED).close()
    )
    for lost in ((3,), (3, 4)):
        exchange, whole = (each for each in without(wire, *lost) if isinstance(each, Exchange))
        assert exchange.response == RESPONSE
        assert exchange.unknown("request.headers.Authorization") is not None
        assert exchange.damage
        assert not rules(exchange)
        assert whole.request == EXCHANGE.request


def test_a_response_that_was_lost_is_not_taken_from_the_next_request() -> None:
    wire = Wire().open()
    for status in (b"200", b"503"):
        wire.message(0, ASKED, 5000).message(1, ANSWERED.replace(b"200", status, 1), 5000)
    first, second = (each for each in without(wire.close(), 5) if isinstance(each, Exchange))
    assert first.response is None
    assert first.unknown("response.status") is not None
    assert first.error is None
    assert not rules(first)
    assert second.status == 503


def numbered(side: int, number: int) -> bytes:
    """Return the request or the response of one of several exchanges, which its head numbers."""
    return (ASKED, ANSWERED)[side].replace(b"\r\n", b"\r\nX-Number: %d\r\n" % number, 1)


@pytest.mark.parametrize("pause", [0.0, 2.0])
@pytest.mark.parametrize("is_mixed", [False, True])
def test_whatever_is_lost_no_response_is_given_to_a_request_that_it_does_not_answer(
    is_mixed: bool, pause: float
) -> None:
    sent = [(side, number) for number in range(3) for side in (0, 1)]
    for lost in range(1 << len(sent)):
        wire = Wire().open()
        for at, (side, number) in enumerate(sent):
            wire.send(side, numbered(side, number))
            if lost >> at & 1:
                wire.records.pop()
            wire.time += pause * side
        records = wire.close().records
        if is_mixed:
            records[3:9] = [*records[4:9], records[3]]
        for each in (each for each in read(records) if isinstance(each, Exchange)):
            if each.request.method and each.response is not None:
                assert each.request.headers.get("x-number") == each.response.headers.get("x-number")


def test_before_the_handshake_is_complete_a_response_is_not_given_to_a_request_that_it_does_not_answer() -> None:
    wire = Wire().open()
    for number in range(2):
        for side in (0, 1):
            wire.send(side, numbered(side, number))
    opening, accepted, _, *sent = wire.records
    for order in permutations(sent):
        for each in (each for each in read([opening, *order, accepted]) if isinstance(each, Exchange)):
            if each.request.method and each.response is not None:
                assert each.request.headers.get("x-number") == each.response.headers.get("x-number")


def test_of_pipelined_responses_behind_a_hole_none_is_given_to_a_request() -> None:
    wire = Wire().open().message(0, ASKED * 3, 50_000).message(1, ANSWERED * 3, len(ANSWERED)).close()
    came = [each for each in without(wire, 5) if isinstance(each, Exchange)]
    assert [each.response for each in came if each.request.target] == [None] * 3
    assert all(each.damage for each in came)
    assert not [rule for each in came for rule in rules(each)]


def test_a_connection_that_was_captured_from_its_middle_is_read_from_the_next_message_on() -> None:
    wire = Wire().open().exchange(EXCHANGE, 400).exchange(EXCHANGE, 400).close()
    (exchange,) = (each for each in read(wire.records[4:]) if isinstance(each, Exchange) and each.request.target)
    assert (exchange.request, exchange.response) == (EXCHANGE.request, RESPONSE)
    only = Wire().open().exchange(EXCHANGE).close()
    (exchange,) = (each for each in read(only.records[4:]) if isinstance(each, Exchange))
    assert exchange.response == RESPONSE
    assert not exchange.damage
    (lack,) = exchange.lacks
    assert (lack.hides, lack.reason) == (("request",), "the capture began after the request")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        pytest.param(FIN | ACK, "the connection was closed", id="FIN"),
        pytest.param(RST | ACK, "the connection was reset", id="RST"),
    ],
)
def test_a_connection_that_ends_too_early_ended_not_well(end: int, error: str) -> None:
    wire = Wire().open().message(0, ASKED).send(1, flags=end)
    wire = wire if end & RST else wire.send(0, flags=FIN | ACK)
    exchange = one(wire)
    assert exchange.response is None
    assert exchange.error == f"{error} before a response"
    assert exchange.ended is not None
    wire = Wire().open().message(0, ASKED).message(1, ANSWERED[:-50]).send(1, flags=end)
    exchange = one(wire if end & RST else wire.send(0, flags=FIN | ACK))
    assert exchange.error == f"{error} within the response"
    assert exchange.response is not None
    assert exchange.response.body is None
    assert not exchange.was_delivered


def test_octets_behind_the_end_of_a_side_are_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
    wire = Wire().open().message(0, ASKED).message(1, head + b"ffff\r\nhalf a chunk").send(1, flags=FIN | ACK)
    exchange = one(wire.send(1, b"more" * 9).send(1, b"", FIN | ACK).send(0, flags=FIN | ACK))
    assert exchange.error == "the connection was closed within the response"


def test_a_capture_that_ends_first_lacks_the_rest() -> None:
    exchange = one(Wire().open().message(0, ASKED))
    assert (exchange.response, exchange.error, exchange.damage) == (None, None, ())
    assert exchange.unknown("response.status") is not None
    exchange = one(Wire().open().message(0, ASKED).message(1, ANSWERED[:-50]))
    assert exchange.response is not None
    assert exchange.response.body is None
    assert exchange.unknown("response.body") is not None
    assert not exchange.damage
    assert not rules(exchange)


def test_ends_that_are_used_again_are_another_connection() -> None:
    first = Wire().open().message(0, ASKED)
    second = Wire(at=first.time)
    second.sent = [77_000, 88_000]
    second.open().exchange(EXCHANGE).close()
    a, b = (each for each in read(first.records + second.records) if isinstance(each, Exchange))
    assert (a.response, a.error) == (None, None)
    assert a.unknown("response.status") is not None
    assert (b.response, b.gaps) == (RESPONSE, ())
    assert a.connection != b.connection


def test_octets_that_were_captured_differently_are_told() -> None:
    wire = Wire().open().message(0, ASKED)
    late = wire.packet(1, ANSWERED[:200].replace(b"Content-Length", b"Content-length"))
    wire.send(1, ANSWERED[:200]).records.append(late)
    exchange = one(wire.message(1, ANSWERED[200:]).close())
    assert exchange.response == RESPONSE


def test_a_repetition_that_differs_is_damage_and_the_first_counts() -> None:
    wire = Wire().open().message(0, ASKED)
    late = wire.packet(1, ANSWERED[:200].replace(b"200 OK", b"500 NO"))
    wire.send(1, ANSWERED[:200]).records.append(late)
    exchange = one(wire.message(1, ANSWERED[200:]).close())
    assert exchange.status == 200
    (gap,) = exchange.damage
    assert gap.reason == "3 octets of the response differ from those captured before, which were taken"
    assert gap.hides == ()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        pytest.param(
            [(0, b"\x16\x03\x01\x00\xc4\x01" + bytes(190)), (1, b"\x16\x03\x03" + bytes(90))], "tls", id="TLS"
        ),
        pytest.param([(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))], "http2", id="HTTP/2"),
        pytest.param(
            [
                (0, b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
                (1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"),
            ],
            "websocket",
            id="WebSocket",
        ),
        pytest.param(
            [
                (0, b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
                (1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + bytes(9)),
            ],
            "http2",
            id="h2c",
        ),
        pytest.param(
            [
                (0, b"CONNECT bmsc.home1.net:443 HTTP/1.1\r\nHost: bmsc.home1.net:443\r\n\r\n"),
                (1, b"HTTP/1.1 200 Connection established\r\n\r\n"),
                (0, b"\x16\x03\x01\x00\xc4\x01" + bytes(190)),
                (1, b"\x16\x03\x03" + bytes(90)),
            ],
            "connect",
            id="CONNECT",
        ),
    ],
)
def test_what_is_not_read_is_named_once_for_each_connection(sent: list[tuple[int, bytes]], kind: str) -> None:
    wire = Wire().open()
    for side, octets in sent * 2:
        wire.message(side, octets)
    assert read(wire.close().records) == [UnreadTraffic(Counter({kind: 1}), "x")]


def test_other_protocols_are_other_flows() -> None:
    mail = Wire(server="198.51.100.2:25").open().message(1, b"220 mail ready\r\n").message(0, b"EHLO a\r\n").close()
    odd = Wire(server="198.51.100.2:9").open().message(0, b"\0\1\2\3" * 50).message(0, b"x" * 500).close()
    quiet = Wire(server="198.51.100.2:7").open().close()
    page = Wire().open().message(0, OTHER).message(1, PAGE).message(0, OTHER).message(1, PAGE).close()
    all = read([*mail.records, *odd.records, *quiet.records, *page.records])
    assert others(all) == 4
    assert all == [each for each in all if isinstance(each, SkippedFlows)]


def test_a_message_that_is_not_http_is_told_of_if_it_may_be_ours() -> None:
    asked = ASKED.replace(b"\r\n", b"\r\nNo colon\r\n", 1)
    wire = Wire().open().message(0, asked).message(1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").close()
    (damaged,) = (each for each in read(wire.records) if isinstance(each, DamagedEvent))
    assert str(damaged).startswith("packet 4: an HTTP/1 message is damaged: ")
    exchange = one(
        Wire().open().message(0, ASKED).message(1, ANSWERED.replace(b"\r\n", b"\r\nNo colon\r\n", 1)).close()
    )
    assert exchange.response is None
    assert (exchange.error or "").startswith("the response is not HTTP/1: ")


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", "expected a status line of HTTP/1, got other octets", id="version"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", "expected a status line of HTTP/1, got other octets", id="status"),
        pytest.param(b"\0\1\2 rid@bsf", "expected a status line of HTTP/1, got other octets", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA : rid@bsf\r\n\r\n", "illegal header line", id="header"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: " + bytes(300_000),
            "expected at most 256 KiB of start line and header fields, got more",
            id="long",
        ),
    ],
)
def test_an_answer_that_is_not_http_is_told_in_few_words_and_nothing_is_damaged(answered: bytes, why: str) -> None:
    exchange = one(Wire().open().message(0, ASKED).message(1, answered).close())
    assert (exchange.request, exchange.response, exchange.gaps) == (EXCHANGE.request, None, ())
    assert exchange.error == f"the response is not HTTP/1: {why}"


def test_an_msk_request_that_is_answered_by_another_protocol_is_told() -> None:
    asked = ASKED.replace(b"\r\n", b"\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n", 1)
    wire = Wire().open().message(0, asked).message(1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
    exchange, unread = read(wire.records)
    assert isinstance(exchange, Exchange)
    assert exchange.error == "the connection was switched to another protocol"
    assert isinstance(unread, UnreadTraffic)
    assert unread.counts == Counter(http2=1)


def test_packets_that_were_cut_are_counted_and_blamed_on_nobody() -> None:
    wire = Wire().open().exchange(EXCHANGE).close()
    all = read((time, octets[:96]) for time, octets in wire.records)
    assert UnreadTraffic(Counter(cut=2), "x") in all
    assert not [rule for each in all if isinstance(each, Exchange) for rule in rules(each)]
    assert any(isinstance(each, DamagedEvent) or (isinstance(each, Exchange) and each.damage) for each in all)


def test_bounds_take_effect_and_are_told() -> None:
    records: list[Record] = []
    for number in range(50):
        records += Wire(f"192.0.2.10:{20000 + number}", at=1e9 + number).open().message(0, ASKED).records
    all = read(records, Limits(connections=10))
    came = [each for each in all if isinstance(each, Exchange)]
    assert len(came) == 50
    assert sum(bool(each.damage) for each in came) == 40
    assert came[0].damage[0].reason == "too many connections were open, so the rest was not read (--limit connections=)"
    assert all[-1] == UnreadTraffic(Counter(connections=40), "x")
    big = ASKED.replace(b"Content-Length: %d" % len(EXCHANGE.request.body or b""), b"Content-Length: 500000")
    (exchange, _) = read(Wire().open().message(0, big + bytes(400_000)).records, Limits(reassembly=100_000)), None
    assert [gap.reason for gap in exchange[0].damage] == [  # type: ignore[union-attr]
        "too many bodies were incomplete, so this one was not read (--limit reassembly=)"
    ]


def test_what_was_kept_of_a_connection_is_gone_when_it_is_closed() -> None:
    wires = [Wire(f"192.0.2.1:{port}").open().send(0, ASKED[:40]) for port in range(20)]
    gc.collect()
    gc.disable()
    try:
        read([record for wire in wires for record in wire.records], replace(OFFLINE, connections=3))
        assert not [each for each in gc.get_objects() if isinstance(each, Conversation | HttpReader)]
    finally:
        gc.enable()


def test_a_datagram_is_an_event_with_direction_addresses_and_time() -> None:
    answer = b"\x01\x01\x05\x00" + MESSAGE[4:10]
    all = read(
        [
            push(MESSAGE, 1e9),
            push(answer, 1e9 + 1, "192.0.2.10:2269", "198.51.100.1:2269"),
            push(b"\x01\x06\x0c\x00\0\0\0\0\0\0", 1e9 + 2, "192.0.2.10:2269", "198.51.100.1:2269"),
            push(b"garbage", 1e9 + 3, "203.0.113.5:2269", "203.0.113.6:53"),
            push(MESSAGE, 1e9 + 4, target="192.0.2.10:5000"),
            push(MESSAGE, 1e9 + 5, "198.51.100.1:7000", "192.0.2.10:7001"),
            push(b"\x01\x00" + bytes(60), 1e9 + 6, "198.51.100.1:7000", "192.0.2.10:7001"),
            push(b"", 1e9 + 7),
        ]
    )
    assert all == [each for each in all if isinstance(each, Datagram)]
    seen = [(each.id, each.direction, each.client, each.server) for each in all if isinstance(each, Datagram)]
    terminal, bsm = "192.0.2.10", "198.51.100.1"
    to, back = Direction.TO_TERMINAL, Direction.FROM_TERMINAL
    assert seen == [
        ("packet-1", to, f"{terminal}:2269", f"{bsm}:2269"),
        ("packet-2", back, f"{terminal}:2269", f"{bsm}:2269"),
        ("packet-3", back, f"{terminal}:2269", f"{bsm}:2269"),
        ("packet-4", to, "203.0.113.6:53", "203.0.113.5:2269"),
        ("packet-5", to, f"{terminal}:5000", f"{bsm}:2269"),
        ("packet-6", to, f"{terminal}:7001", f"{bsm}:7000"),
        ("packet-8", to, f"{terminal}:2269", f"{bsm}:2269"),
    ]
    first = all[0]
    assert isinstance(first, Datagram)
    assert (first.octets, first.started, first.ended) == (MESSAGE, 1e9, 1e9)


def test_a_datagram_that_was_captured_on_two_interfaces_counts_once() -> None:
    def sent(at: float, id: int, hops: int) -> Record:
        packet = ipv4(udp(MESSAGE), id=id)
        return at, ethernet(packet[:8] + bytes((hops,)) + packet[9:])

    same = [sent(1e9, 7, 64), sent(1e9 + 0.001, 7, 64), sent(1e9 + 0.002, 7, 63), sent(1e9 + 0.003, 0, 62)]
    assert read(same)[1:] == [UnreadTraffic(Counter(twice=3), "x")]
    assert len(read([sent(1e9, 7, 64), sent(1e9 + 0.1, 8, 63)])) == 2
    repeated = [
        sent(1e9, 7, 64),
        sent(1e9 + 0.5, 8, 64),
        sent(1e9 + 2, 8, 63),
        sent(1e9 + 2.5, 0, 63),
        sent(1e9 + 3, 0, 63),
    ]
    assert [type(each) for each in read(repeated)] == [Datagram] * 5


def test_a_datagram_that_was_cut_is_damage() -> None:
    time, octets = push(MESSAGE, 1e9)
    damaged, unread = read([(time, octets[:-10])])
    assert str(damaged) == f"packet 1: expected {len(MESSAGE)} octets of message, got {len(MESSAGE) - 10}"
    assert unread == UnreadTraffic(Counter(cut=1), "x")


def test_events_come_in_the_order_in_which_they_are_complete() -> None:
    slow = Wire("192.0.2.1:1000").open().message(0, ASKED)
    fast = Wire("192.0.2.2:1000", at=slow.time).open().exchange(EXCHANGE).close()
    datagram = push(MESSAGE, fast.time)
    slow.time = fast.time + 1
    begun = len(slow.records)
    slow.message(1, ANSWERED).close()
    all = read([*slow.records[:begun], *fast.records, datagram, *slow.records[begun:]])
    assert [each.client for each in all if isinstance(each, Exchange | Datagram)] == [
        "192.0.2.2:1000",
        "192.0.2.10:2269",
        "192.0.2.1:1000",
    ]


def test_damage_comes_last_behind_what_precedes_it() -> None:
    wire = Wire().open().exchange(EXCHANGE)
    octets = pcap(wire.records)
    exchange, damage = events(io.BytesIO(octets + b"\1\2\3").read)
    assert isinstance(exchange, Exchange)
    assert isinstance(damage, Damage)
    assert str(damage) == (
        f"expected a packet header of 16 octets, got 3 (after {len(wire.records)} packets, at octet {len(octets)})"
    )


def test_a_link_type_that_cannot_be_read_is_told() -> None:
    (damaged,) = events(io.BytesIO(pcap(Wire().open().records, 147)).read)
    assert str(damaged) == "3 packets have link type 147, which cannot be read"
    (damaged,) = events(io.BytesIO(pcap(Wire().open().records[:1], 147)).read)
    assert str(damaged) == "1 packet has link type 147, which cannot be read"


def test_an_event_is_there_before_what_follows_is_read() -> None:
    records = Wire().open().exchange(EXCHANGE).records
    pieces = iter([pcap([])] + [pcap([record])[24:] for record in records])
    read_so_far = 0

    def more(_: int) -> bytes:
        nonlocal read_so_far
        read_so_far += 1
        return next(pieces)

    assert isinstance(next(events(more)), Exchange)
    assert read_so_far == len(records)  # all but the last, which only acknowledges


def mixed(draw: st.DrawFn) -> Iterator[Record]:
    wire = Wire().open()
    for _ in range(draw(st.integers(1, 3))):
        wire.exchange(EXCHANGE, draw(st.integers(40, 1500)))
    sent = wire.close().records
    for number, record in enumerate(sent):
        what = draw(st.sampled_from(["sent"] * 8 + ["lost", "twice", "late"]))
        if what != "lost":
            yield record
        if what == "twice":
            yield record
        if what == "late" and number:
            yield sent[number - 1]


@given(st.composite(lambda draw: list(mixed(draw)))())
def test_whatever_is_lost_on_the_way_nobody_is_blamed_and_no_octet_is_made_up(records: list[Record]) -> None:
    for each in read(records):
        assert not isinstance(each, Exchange) or not rules(each)
        if isinstance(each, Exchange):
            assert each.request.body in (None, EXCHANGE.request.body)
            assert each.response is None or each.response.body in (None, RESPONSE.body)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80), st.integers(0, 63)), max_size=12))
def test_no_octets_make_it_fail(sent: list[tuple[int, bytes, int]]) -> None:
    wire = Wire().open()
    parts = [ASKED[:60], ANSWERED[:50], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", b"\r\n\r\n"]
    for side, octets, flags in sent:
        wire.send(side, (parts[flags % 4] if flags & 16 else b"") + octets, (flags & ~SYN) | ACK)
    read(wire.records)


def shuffled(wire: Wire, chance: random.Random) -> list[Record]:
    """Return the packets of a connection as a busy network delivers them: some later, some twice, none lost."""
    times = [time for time, _ in wire.records]
    sent = [octets for _, octets in wire.records]
    for _ in range(4):
        at = chance.randrange(3, len(sent) - 4)
        sent[at], sent[at + 1] = sent[at + 1], sent[at]
        sent.insert(at + chance.randrange(3), sent[at])
        times.append(times[-1] + 0.0001)
    return list(zip(times, sent, strict=True))


@pytest.mark.needs("tshark")
def test_tshark_reads_the_same_exchanges_out_of_mixed_packets(tmp_path: Path) -> None:
    chance = random.Random(7)
    records: list[Record] = []
    body = chunked(BODY, b"X-Trailer: 1\r\n")
    for number in range(60):
        wire = Wire(f"192.0.2.{number + 1}:40000", at=1e9 + number).open()
        response = replace(RESPONSE, headers=RESPONSE.headers.put("X-Number", str(number)))
        octets = response_octets(response)
        if number % 3 == 0:
            octets = b"HTTP/1.1 200 OK\r\n" + MSK_TYPE + b"Transfer-Encoding: chunked\r\nX-Number: 1\r\n\r\n" + body
        wire.message(0, ASKED, chance.randrange(60, 700)).message(1, octets, chance.randrange(60, 700))
        records += shuffled(wire.exchange(EXCHANGE, 300).close(), chance)
    path = tmp_path / "mixed.pcap"
    path.write_bytes(pcap(records))
    names = ["ip.dst", "http.response.code", "http.response.phrase", "http.content_type", "http.content_length"]
    options = ["-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "http.response", "-T", "fields"]
    done = subprocess.run(
        ["tshark", "-r", path, *options, *(word for name in names for word in ("-e", name))],
        check=True,
        capture_output=True,
        timeout=60,
    )
    theirs = sorted(line.split("\t") for line in done.stdout.decode().splitlines())
    ours = []
    for each in read(records):
        if isinstance(each, SkippedFlows):
            continue
        assert isinstance(each, Exchange)
        assert each.response is not None
        assert (each.request, each.response.body, each.gaps) == (EXCHANGE.request, BODY, ())
        headers = each.response.headers
        length = headers.get("content-length") or ""
        ours.append(
            [each.client.partition(":")[0], "200", each.response.reason, headers.get("content-type") or "", length]
        )
    assert len(ours) == 120
    assert sorted(ours) == theirs


SENT = (
    (
        ASKED,
        ASKED[:100],
        ASKED[100:],
        OTHER,
        b"\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        TLS,
        b"bad req\r\n\r\n",
        b"",
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        ASKED.replace(b"POST", b"HEAD", 1),
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"POST /?requesttype=msk-request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        ANSWERED,
        ANSWERED[:100],
        ANSWERED[100:],
        PAGE,
        b"5\r\nhello\r\n",
        b"0\r\nX: 1\r\n\r\n",
        b"zz",
        b"",
        *tuple(b"HTTP/1.1 %d A\r\n\r\n" % status for status in (100, 101, 200, 204, 999)),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + MSK_TYPE + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc",
    ),
)
"""What a side may send, whatever came before."""


@given(st.randoms(use_true_random=False))
def test_no_conversation_makes_it_fail(chance: random.Random) -> None:
    for _ in range(20):
        wire = Wire().open() if chance.random() < 0.8 else Wire()
        for _ in range(chance.randint(1, 14)):
            side = chance.randint(0, 1)
            flags = sum(flag for flag, often in ((FIN, 0.1), (RST, 0.03), (SYN, 0.03)) if chance.random() < often)
            wire.send(side, chance.choice(SENT[side]) * chance.choice([1, 1, 1, 3]), ACK | flags)
            if chance.random() < 0.1:
                wire.sent[side] += chance.choice([-50, 1, 3, 200])
                wire.time += chance.choice([0, 2])
        records = wire.records
        for _ in range(chance.randint(0, 3)):
            one, other = chance.randrange(len(records)), chance.randrange(len(records))
            records[one], records[other] = records[other], records[chance.choice([one, other])]
        read(records, Limits(connections=chance.choice([1, 20_000]), reassembly=chance.choice([3000, 64 << 20])))
