"""The real mitmdump in the path of real traffic: live, client-replayed and server-replayed, and never in its way."""

import gzip
import json
import random
import signal
from dataclasses import replace
from pathlib import Path

from ltkm_inspect import reference
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import FIRST, REQUEST_TARGET, SECOND
from ltkm_inspect.traffic import Exchange, Request
from tests.proxy.parts import Mitmdump, Origin, Proxy, Save, clean, flawed

MSK = f"Content-Type: {MSK_RESPONSE_TYPE}\r\n".encode()


def response(exchange: Exchange) -> bytes:
    """Return the response of an exchange as octets on the wire."""
    answer = exchange.response
    assert answer is not None
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in answer.headers.fields)
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (answer.status, answer.reason.encode(), fields) + (answer.body or b"")


def request(origin: Origin, path: str, *, method: str = "GET", close: bool = True) -> bytes:
    """Return a proxied MSK request for a path as octets on the wire."""
    end = "Connection: close\r\n" if close else ""
    url = f"http://{origin.authority}{path}?requesttype=msk-request"
    return f"{method} {url} HTTP/1.1\r\nHost: {origin.authority}\r\n{end}\r\n".encode()


def with_length(body: bytes, more: bytes = MSK) -> bytes:
    """Return a 200 response with a Content-Length."""
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (more, len(body), body)


def chunked(body: bytes) -> bytes:
    """Return a 200 response in two chunks."""
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    return b"HTTP/1.1 200 OK\r\n" + MSK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


BODY = reference.response_document([(grant, "200 OK", reference.ltkm(grant)) for grant in (FIRST, SECOND)])
ZIPPED = gzip.compress(BODY, mtime=0)
GZIP = MSK + b"Content-Encoding: gzip\r\n"
RANDOM = random.Random(7).randbytes(3000)
ANSWERS = {
    "/identity": with_length(BODY),
    "/flawed": response(flawed()),
    "/gzip": with_length(ZIPPED, GZIP),
    "/broken-gzip": with_length(ZIPPED[:-20] + b"x" * 9, GZIP),
    "/unknown-coding": with_length(BODY, MSK + b"Content-Encoding: x-foo\r\n"),
    "/chunked": chunked(BODY),
    "/close-delimited": b"HTTP/1.1 200 OK\r\n" + MSK + b"\r\n" + BODY,
    "/multipart": with_length(b"--x\r\n\r\n" + BODY + b"\r\n--x--", b"Content-Type: multipart/mixed; boundary=x\r\n"),
    "/random": with_length(RANDOM),
    "/empty": with_length(b""),
    "/no-type": with_length(BODY, b""),
    "/no-content": b"HTTP/1.1 204 No Content\r\n" + MSK + b"\r\n",
    "/not-modified": b"HTTP/1.1 304 Not Modified\r\n" + MSK + b"ETag: x\r\n\r\n",
    "/reason": b"HTTP/1.1 200 \xc3\xa9 \x7f!\r\n" + MSK + b"Content-Length: 2\r\n\r\nhi",
    "/dropped": b"HTTP/1.1 200 OK\r\n" + MSK + b"Content-Length: 5000\r\n\r\n" + BODY,
    "/nothing": b"",
    "/page": with_length(b"<html>hello</html>", b"Content-Type: text/html\r\n"),
}

ENDS = {"/close-delimited", "/dropped", "/nothing"}
"""The answers after which the connection to the client cannot go on."""


def traffic(proxy: Proxy, origin: Origin) -> dict[str, bytes]:
    """Return what a client gets for every answer: alone, for HEAD, and as the first of two on one connection."""
    got = {}
    for path in ANSWERS:
        got[path] = proxy.send(request(origin, path))
        got[f"HEAD {path}"] = proxy.send(request(origin, path, method="HEAD"))
        got[f"{path} and another"] = proxy.send(request(origin, path, close=False) + request(origin, "/identity"))
    return got


def test_the_client_gets_the_same_octets_with_and_without_the_script(
    mitmdump: Mitmdump, origin: Origin, tmp_path: Path
) -> None:
    origin.answers = {path.encode(): octets for path, octets in ANSWERS.items()}
    report = tmp_path / "r.jsonl"
    got = []
    for script, flags in ((False, []), (True, ["--set", f"ltkm_report={report}", "--set", "ltkm_fail_on=warning"])):
        proxy = mitmdump.proxy("--set", "connection_strategy=lazy", *flags, script=script)
        got.append(traffic(proxy, origin))
        run = proxy.stop()
        assert "Traceback" not in run.output
        assert run.status == (3 if script else 0)
    without, with_script = got
    for name, octets in without.items():
        assert with_script[name] == octets, name
    assert without["/identity"].endswith(BODY)
    objects = [json.loads(line) for line in report.read_text("ascii").splitlines()]
    told = 4 * len(ANSWERS) - len(ENDS)
    kinds = [each["schema"].split("/")[1] for each in objects]
    assert kinds.count("exchange") == told, "every request of this test asks for MSKs, and each is told once"


def test_a_report_survives_a_killed_run(mitmdump: Mitmdump, origin: Origin, tmp_path: Path) -> None:
    origin.answers = {b"/flawed": ANSWERS["/flawed"]}
    report = tmp_path / "r.jsonl"
    proxy = mitmdump.proxy("--set", f"ltkm_report={report}")
    proxy.send(request(origin, "/flawed"))
    proxy.stop(signal.SIGKILL)
    _, line = report.read_text("ascii").splitlines()
    assert json.loads(line)["verdict"] == "violation"


def test_a_streamed_body_passes_and_is_told(mitmdump: Mitmdump, origin: Origin) -> None:
    origin.answers = {b"/identity": ANSWERS["/identity"]}
    proxy = mitmdump.proxy("--set", "stream_large_bodies=10")
    got = proxy.send(request(origin, "/identity"))
    run = proxy.stop(signal.SIGINT)
    assert got.endswith(BODY)
    assert any("was streamed, so it was not checked" in line for line in run.log)


def test_a_reverse_proxy_warns_that_it_replaces_host(mitmdump: Mitmdump, origin: Origin) -> None:
    origin.answers = {b"/identity": ANSWERS["/identity"]}
    proxy = mitmdump.proxy("--mode", f"reverse:http://{origin.authority}")
    got = proxy.send(
        b"GET /identity?requesttype=msk-request HTTP/1.1\r\nHost: bmsc.home1.net\r\nConnection: close\r\n\r\n"
    )
    run = proxy.stop()
    assert got.endswith(BODY)
    assert any("keep_host_header=true" in line for line in run.log)
    assert any(" GET /identity?requesttype=msk-request -> " in line for line in run.log)


def towards(origin: Origin, exchange: Exchange) -> Exchange:
    """Return the exchange with its request addressed to the origin."""
    asked: Request = exchange.request
    headers = asked.headers.put("Host", origin.authority)
    return replace(exchange, request=replace(asked, host="127.0.0.1", port=origin.port, headers=headers))


def test_a_client_replay_is_checked_anew(mitmdump: Mitmdump, origin: Origin, save: Save, tmp_path: Path) -> None:
    origin.answers = {REQUEST_TARGET.partition("?")[0].encode(): response(clean("several-keys"))}
    flow = flow_of(towards(origin, flawed()))
    flow.marked, flow.metadata["ltkm_mark"] = ":red_circle:", ":red_circle:"
    flow.comment = "mine [ltkm-missing; ltkm: violation]"
    # the origin of the test has another name than the realm, which is what that rule is about
    flags = ["--set", "ltkm_ignore=realm-host-mismatch"]
    run = mitmdump("-n", "-C", save([flow]), "-w", tmp_path / "out.flow", *flags)
    assert any(line.endswith(": clean") for line in run.log), run.output
    again = mitmdump("-nr", tmp_path / "out.flow", "~marked | ~comment ltkm")
    assert not any("<< 200" in line for line in again.output.splitlines())


def test_a_server_replay_is_checked(mitmdump: Mitmdump, origin: Origin, save: Save) -> None:
    exchange = towards(origin, flawed())
    proxy = mitmdump.proxy("-S", save([exchange]), "--set", "server_replay_extra=kill")
    asked = exchange.request
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in asked.headers.fields)
    got = proxy.send(
        f"POST {asked.url} HTTP/1.1\r\nConnection: close\r\n".encode() + fields + b"\r\n" + (asked.body or b"")
    )
    run = proxy.stop()
    assert exchange.response is not None
    assert got.endswith(exchange.response.body or b"none")
    assert any(line.startswith("  violation ltkm-missing") for line in run.log), run.output
