"""Targets that are files, read by the commands as a user runs them."""

import io
import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from mitmproxy.io import FlowWriter

from ltkm_inspect import reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import Exchange
from tests.datagrams import ERROR, PULL, PUSH, REPORTING, STKM, VERIFICATION, udp_flow
from tests.fuzz._messages import messages
from tests.fuzz._target import Target, files_of, formats_for, require, root, run
from tests.packets.build import enhanced, interface, pcap, section
from tests.packets.test_network import DATAGRAMS
from tests.packets.traffic import push, records_of

SECRETS = tuple(
    each for terminal in (reference.TERMINAL, reference.OTHER_TERMINAL) for each in (terminal.muk, terminal.mrk)
)


@cache
def flows() -> Sequence[bytes]:
    """Return flow files: each reference as one, and the small samples."""
    recorded = files_of("flows/**/*.flow", "tests/cases/**/*.flow", most=20_000)
    return [*map(_flow_file, reference.REFERENCES), _udp_flow_file(), *recorded]


def _flow_file(name: str) -> bytes:
    file = io.BytesIO()
    for exchange in reference.reference(name):
        FlowWriter(file).add(flow_of(exchange))  # type: ignore[no-untyped-call]
    return file.getvalue()


def _udp_flow_file() -> bytes:
    """Return a flow file with a UDP flow that has a datagram of each kind."""
    kinds = (PUSH, PULL, VERIFICATION, REPORTING, ERROR, STKM)
    file = io.BytesIO()
    flow = udp_flow(*[(True, octets, number) for number, octets in enumerate(kinds)])
    FlowWriter(file).add(flow)  # type: ignore[no-untyped-call]
    return file.getvalue()


def look_at_flows(octets: bytes) -> None:
    """Check a flow file, with a report in every format."""
    run(["check", "--jobs", "1", "a.flow"], {"a.flow": octets}, formats_for(octets))


@cache
def hars() -> Sequence[bytes]:
    """Return HAR files: the cases that are some, and those of the samples."""
    found = files_of("tests/cases/**/*.har", most=40_000)
    return found or [json.dumps(har()).encode()]


def har() -> dict[str, object]:
    """Return the clean exchange as a HAR with everything that such a file can have."""
    exchange = reference.reference("download")[0]
    response = exchange.response
    assert response is not None
    headers, answered = (
        [{"name": name.decode(), "value": value.decode()} for name, value in each.fields]
        for each in (exchange.request.headers, response.headers)
    )
    asked = (exchange.request.body or b"").decode()
    body = {"size": 1, "mimeType": "a/b", "text": b64encode(response.body or b"").decode(), "encoding": "base64"}
    entry = {
        "startedDateTime": "2009-10-28T08:00:00.000Z",
        "time": 250,
        "request": {
            "method": "POST",
            "url": exchange.request.url,
            "httpVersion": "HTTP/1.1",
            "headers": headers,
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": len(asked),
            "postData": {"mimeType": "application/mbms-msk+xml", "text": asked, "params": []},
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "headers": answered,
            "cookies": [],
            "content": body,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": 1,
        },
        "cache": {},
        "timings": {"send": 0, "wait": 250, "receive": 0},
        "serverIPAddress": "198.51.100.1",
        "connection": "40001",
    }
    return {"log": {"version": "1.2", "creator": {"name": "a", "version": "1"}, "entries": [entry, entry]}}


def look_at_har(octets: bytes) -> None:
    """Check a HAR."""
    run(["check", "--jobs", "1", "a.har"], {"a.har": octets}, formats_for(octets))


@cache
def packets() -> Sequence[bytes]:
    """Return packet captures of each clean exchange and a push, and one of each kind of layer."""
    pushed = push(reference.ltkm(reference.FIRST).encode(), 1e9)
    found = []
    for name in reference.REFERENCES:
        sent = [each for each in reference.reference(name) if isinstance(each, Exchange)]
        found.append(pcap([*records_of(iter(sent), 300), pushed]))
    layers = b"".join(enhanced(octets, 0) for link, all, _ in DATAGRAMS.values() if link == 1 for octets in all)
    return [*found, section() + interface() + layers]


def look_at_packets(octets: bytes) -> None:
    """Check a packet capture, and decode what is in it."""
    run(["check", "--jobs", "1", "a.pcap"], {"a.pcap": octets}, formats_for(octets))
    run(["decode", "a.pcap"], {"a.pcap": octets})


@cache
def rings() -> Sequence[bytes]:
    """Return key rings in every form that the docs and the cases show."""
    plain = [
        _entry(b_tid=each.b_tid, naf=reference.BSM, muk=each.muk.hex(), mrk=each.mrk.hex())
        for each in (reference.TERMINAL, reference.OTHER_TERMINAL)
    ]
    derived = [
        _entry(b_tid="*", naf=reference.BSM, impi="a@b", ks_naf="ab" * 32),
        _entry(b_tid=reference.B_TID, naf="a.b", impi="a@b", ck="01" * 16, ik="02" * 16, rand="03" * 16, gba="u"),
    ]
    return ["".join(plain).encode(), "".join(derived).encode(), *files_of("tests/cases/**/*.toml", most=4000)]


def _entry(**values: str) -> str:
    return "[[subscribers]]\n" + "".join(f'{name} = "{value}"\n' for name, value in values.items())


def look_at_ring(octets: bytes) -> None:
    """Use a key ring, derive what it gives, and name it by mistake where a capture is wanted; no key gets out."""
    files = {"keys.toml": octets, "a.flow": flows()[0]}
    outputs = [
        run(["check", "--jobs", "1", "--keys", "keys.toml", "a.flow"], files, ("jsonl",)),
        run(["check", "--jobs", "1", "keys.toml"], files),
        run(["decode", "keys.toml"], files),
        run(["report", "keys.toml"], files),
    ]
    run(["keys", "derive", "keys.toml"], files)  # which shows keys, as it is asked to
    for output in outputs:
        for text in output.texts:
            for secret in SECRETS:
                require(secret.hex() not in text.lower(), "no key of a ring gets out")
                require(b64encode(secret).decode()[:-4] not in text, "no key of a ring gets out in base64")


@cache
def records() -> Sequence[bytes]:
    """Return the records of runs."""
    captures = [flows()[0], flows()[3], root().joinpath("flows", "change-request.flow").read_bytes()]
    return [
        run(["check", "--jobs", "1", "a.flow"], {"a.flow": each}, ("jsonl",)).reports["jsonl"].encode()
        for each in captures
    ]


def look_at_records(octets: bytes) -> None:
    """Render records in every format."""
    run(["report", "run.jsonl"], {"run.jsonl": octets}, formats_for(octets)[1:])


VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e300,
    10**30,
    "",
    "a\x1b[2J<plant>",
    [],
    {},
    [None],
    {"a": None},
    "\ud800",
    "9" * 40,
)


def look_at_values(octets: bytes) -> None:
    """Render records of which a few values are others, of other types too; the octets say which."""
    random = Random(octets)
    lines = [json.loads(line) for line in random.choice(records()).decode().splitlines()]
    for _ in range(random.randint(1, 4)):
        value = lines[random.randrange(len(lines))]
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(value[key], dict | list) and value[key] and random.random() < 0.8:
                value = value[key]
                continue
            if random.random() < 0.2:
                del value[key]
            else:
                value[key] = random.choice(VALUES)
            break
    look_at_records("\n".join(map(json.dumps, lines)).encode())


@cache
def texts() -> Sequence[bytes]:
    """Return LTKMs as people paste them."""
    found = files_of("tests/cases/**/decode/*", "tests/cases/**/*.txt", most=20_000)
    octets = messages()[0]
    code = b64encode(octets)
    hexed = octets.hex()
    dump = "\n".join(f"{at:08x}  {octets[at : at + 16].hex(' ')}" for at in range(0, len(octets), 16))
    array = ", ".join(f"0x{octet:02x}" for octet in octets)
    return [
        *found,
        *(octets, code, hexed.encode(), dump.encode(), f"unsigned char a[] = {{{array}}};".encode()),
        *(b"a=key-mgmt:mikey " + code, b'"' + code + b'"', code.decode().encode("utf-16"), repr(octets).encode()),
        *(b"\n".join(code[at : at + 76] for at in range(0, len(code), 76)), code.replace(b"+", b"%2B")),
    ]


def look_at_text(octets: bytes) -> None:
    """Decode what was pasted: into a file, an argument, and standard input."""
    for arguments in (["decode", "a.txt"], ["decode", "--format", "jsonl", "a.txt"], ["decode", "--redact", "a.txt"]):
        run(arguments, {"a.txt": octets})
    run(["decode", "-"], {}, stdin=octets)
    word = octets.decode("utf-8", "replace").replace("\0", "")
    if word and not word.startswith("-") and len(word) < 4000 and not Path(word[:200]).is_absolute():
        run(["decode", word], {})


TARGETS = (
    Target("flow files", flows, look_at_flows, weight=1),
    Target("HAR", hars, look_at_har, (b'"encoding":"base64"', b"null", b'"text":'), weight=1),
    Target(
        "packets", packets, look_at_packets, (b"HTTP/1.1 ", b"\r\n\r\n", b"\x08\x00\x45\x00", b"\x86\xdd\x60"), weight=1
    ),
    Target(
        "key rings", rings, look_at_ring, (b"[[subscribers]]", b"muk = ", b"muks = [", b"hex:", b"base64:"), weight=1
    ),
    Target("JSON Lines", records, look_at_records, (b'{"schema":"ltkm-inspect/exchange/1"}', b"\n"), weight=1),
    Target("records", lambda: [], look_at_values, make=lambda random: random.randbytes(8), weight=1),
    Target("pasted text", texts, look_at_text, (b"0x", b"\\x", b"0000  ", b"|", b"KeyMgmt:", b"%41"), weight=1),
)
