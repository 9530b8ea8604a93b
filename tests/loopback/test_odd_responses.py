"""Law 1 at the client's end: odd responses reach it as they would without the script, octet for octet."""

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from ltkm_inspect import reference
from ltkm_inspect.reference import FIRST, TERMINAL
from tests.loopback.bsm import ring_text
from tests.loopback.proxy import reverse
from tests.proxy.parts import Mitmdump, Origin, Run, clean
from tests.proxy.test_traffic import ANSWERS, BODY, MSK, response, with_length

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = MSK + b"Transfer-Encoding: chunked\r\n"
MANY = [
    (grant, "200 OK", reference.ltkm(grant))
    for grant in (replace(FIRST, counter=number, csb_id=number) for number in range(1, 251))
]
BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + BODY.partition(b"\n")[2]
INFO = b'Authentication-Info: qop=auth-int, rspauth="' + b"0" * 32 + b'"\r\n'

ODD: dict[str, bytes] = {
    "challenge": response(clean("challenged")),
    "refusal": response(clean("refused")),
    "early-hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + with_length(BODY),
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(BODY),
    "old-version": with_length(BODY).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no-reason": with_length(BODY).replace(b"200 OK", b"200"),
    "long-reason": with_length(BODY).replace(b"200 OK", b"200 " + b"OK " * 500),
    "unknown-status": with_length(BODY).replace(b"200 OK", b"299 Odd"),
    "partial": with_length(BODY, MSK + b"Content-Range: bytes 0-9/10\r\n").replace(b"200 OK", b"206 Partial Content"),
    "not-modified-with-length": b"HTTP/1.1 304 Not Modified\r\n" + MSK + b"Content-Length: 500\r\n\r\n",
    "no-content-with-length": b"HTTP/1.1 204 No Content\r\n" + MSK + b"Content-Length: 0\r\n\r\n",
    "odd-case": with_length(BODY, MSK.swapcase() + b"x-ODD: \x01\r\n"),
    "octets-in-a-field": with_length(BODY, MSK + b"X-Odd: \xff\xfe\xe9\r\n"),
    "spaces-in-a-field": with_length(BODY, MSK + b"X-Odd:   a  \t b  \r\n"),
    "folded-field": with_length(BODY, MSK + b"X-Odd: a\r\n b\r\n"),
    "field-without-colon": with_length(BODY, MSK + b"X-Odd\r\n"),
    "two-types": with_length(BODY, MSK + b"Content-Type: text/html\r\n" + MSK),
    "two-infos": with_length(BODY, MSK + INFO * 2),
    "many-fields": with_length(BODY, MSK + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(200))),
    "long-field": with_length(BODY, MSK + b"X-Odd: " + b"x" * 30_000 + b"\r\n"),
    "two-lengths": with_length(BODY, MSK + b"Content-Length: 5\r\n"),
    "negative-length": OK + MSK + b"Content-Length: -5\r\n\r\n" + BODY,
    "too-long": with_length(BODY) + b"more than that",
    "length-and-chunks": OK + CHUNKED + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunk-extension": OK + CHUNKED + b"\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n",
    "small-chunks": OK + CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % octet for octet in BODY[:300]) + b"0\r\n\r\n",
    "no-chunks": OK + CHUNKED + b"\r\n0\r\n\r\n",
    "wrong-chunk": OK + CHUNKED + b"\r\n5\r\nhello, world\r\n0\r\n\r\n",
    "unended-chunks": OK + CHUNKED + b"\r\n5\r\nhello\r\n",
    "unended-header": OK + MSK,
    "unknown-transfer-coding": OK + MSK + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
    "several-codings": with_length(BODY, MSK + b"Content-Encoding: gzip, br\r\n"),
    "charset-as-coding": with_length(BODY, MSK + b"Content-Encoding: utf-8\r\n"),
    "utf-16": with_length(BODY.decode().replace("UTF-8", "UTF-16").encode("utf-16")),
    "entities": with_length(BOMB),
    "deep": with_length(b"<a>" * 5000 + b"</a>" * 5000),
    "cut-document": with_length(BODY[: len(BODY) // 2]),
    "nul-octets": with_length(b"\0" * 500),
    "cut-base64": with_length(BODY.replace(b"</bcast:LTKM>", b"=A=</bcast:LTKM>", 1)),
    "more-ltkms-than-the-limit": with_length(reference.response_document(MANY)),
    "more-octets-than-the-limit": with_length(BODY + b" " * 1_200_000),
    "terminal-escapes": with_length(BODY.replace(b"200 OK", b"200 OK\x1b[2J"), MSK + b"X-Odd: \x1b]0;x\x07\r\n"),
    "no-http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "empty-line-first": b"\r\n" + with_length(BODY),
}
"""Odd responses by name, beside those of the tests of live traffic."""


def mutants(number: int) -> Iterator[bytes]:
    """Yield clean responses with some octets changed, taken out or doubled; always the same ones."""
    chance = random.Random(1905)
    clean_ones = [response(clean(name)) for name in ("several-keys", "streaming", "challenged")]
    for turn in range(number):
        octets = bytearray(clean_ones[turn % len(clean_ones)])
        for _ in range(chance.choice([1, 1, 2, 5, 20])):
            at = chance.randrange(len(octets))
            change = chance.randrange(3)
            if change == 0:
                octets[at] = chance.randrange(256)
            elif change == 1:
                del octets[at : at + chance.randrange(1, 30)]
            else:
                octets[at:at] = octets[at : at + chance.randrange(1, 30)]
        yield bytes(octets)


MUTANTS = {f"mutant-{number}": octets for number, octets in enumerate(mutants(150))}
FEW_MUTANTS = dict(islice(MUTANTS.items(), 20))
NAMED = {**{name.strip("/"): octets for name, octets in ANSWERS.items()}, **ODD}

type Answers = dict[str, list[dict[str, bytes]]]
"""What a client got for each path, without the script and with it, by the name of a setting."""


def request(path: str, method: str) -> bytes:
    """Return a request with credentials, so that the digests of the response are looked at."""
    asked = clean().request
    body = asked.body or b""
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in asked.headers.fields)
    target = f"/{path}?requesttype=msk-request"
    return f"{method} {target} HTTP/1.1\r\nConnection: close\r\n".encode() + fields + b"\r\n" + body


def answers(odd: Mapping[str, bytes], mitmdump: Mitmdump, folder: Path) -> Answers:
    """Return what a client gets for every odd response without the script, and with it, in two settings each."""
    ring = folder / "ring.toml"
    ring.write_text(ring_text([TERMINAL]))
    ring.chmod(0o600)
    ours = ["--set", f"ltkm_keys={ring}", "--set", f"ltkm_report={folder / 'r.jsonl'}", "--set", "ltkm_strict=true"]

    def asked(options: list[str], port: int) -> tuple[dict[str, bytes], Run]:
        proxy = mitmdump.proxy(*reverse(port), *options, script="ltkm_strict=true" in options)
        answers = {path: proxy.send(request(path, "POST")) for path in odd}
        answers |= {f"HEAD {path}": proxy.send(request(path, "HEAD")) for path in odd if path in NAMED}
        return answers, proxy.stop()

    found: Answers = {}
    with closing(Origin()) as origin, ThreadPoolExecutor(2) as pool:
        origin.answers = {f"/{name}".encode(): octets for name, octets in odd.items()}
        for name, options in (("whole", []), ("streamed", ["--set", "stream_large_bodies=200"])):
            both = pool.map(asked, (options, options + ours), [origin.port] * 2)
            (without, plain), (with_script, run) = both
            assert (plain.status, run.status) == (0, 0), run.output
            assert sum(" POST " in line and " -> " in line for line in run.log) > len(odd) // 2
            assert not any(f"ltkm: {hook} failed" in run.output for hook in ("response", "error"))
            found[name] = [without, with_script]
    return found


@pytest.fixture(scope="module")
def got(mitmdump: Mitmdump, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Return what a client gets for the responses with a name and some others."""
    return answers({**NAMED, **FEW_MUTANTS}, mitmdump, tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("setting", ["whole", "streamed"])
def test_an_odd_response_reaches_the_client_as_it_would_without_the_script(setting: str, got: Answers) -> None:
    without, with_script = got[setting]
    assert without.keys() == with_script.keys()
    assert [name for name in without if without[name] != with_script[name]] == []
    assert len(without) == 2 * len(NAMED) + len(FEW_MUTANTS)


@pytest.mark.sweep
def test_any_response_reaches_the_client_as_it_would_without_the_script(mitmdump: Mitmdump, tmp_path: Path) -> None:
    for without, with_script in answers(MUTANTS, mitmdump, tmp_path).values():
        assert [name for name in MUTANTS if without[name] != with_script[name]] == []


def test_most_of_the_odd_responses_reach_the_client_at_all(got: Answers) -> None:
    answered = [name for name, octets in got["whole"][0].items() if octets.startswith(b"HTTP/1.1 ")]
    refused = [name for name, octets in got["whole"][0].items() if octets.startswith(b"HTTP/1.1 502 ")]
    assert len(answered) - len(refused) > len(NAMED) // 2
