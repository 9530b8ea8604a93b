"""Captures for the benchmarks: terminals that fetch MSKs and count as they should, between pages of other traffic.

Every flow differs from the others as it would in a trial: its id and times, B-TID, nonce and nonce count, CSB ID and
counter of each LTKM. Keys, MACs and digests are valid.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from mitmproxy.io import FlowWriter

from ltkm_inspect import reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.reference import FIRST, SECOND, Grant, ReferenceTerminal
from ltkm_inspect.traffic import Exchange, Headers, Request, Response

EACH = 20
"""How many exchanges a terminal has: a challenge, then new keys every hour."""
HOUR = 3600.0
SECONDS = 0.01
"""Between two terminals."""
PAGE = 2048
"""Octets of a page of other traffic."""


def msk_exchanges(count: int, each: int = EACH) -> Iterator[Exchange]:
    """Yield that many MSK exchanges, hour after hour: of every other terminal with one LTKM, of the rest with two."""
    terminals = [_terminal(who) for who in range(-(-count // each))]
    for number in range(count):
        turn, who = divmod(number, len(terminals))
        terminal = terminals[who]
        at, nonce = turn * HOUR + who * SECONDS, _hex(f"nonce {who}", 32)
        if turn == 0:
            made = reference.challenge([FIRST.msk_id], terminal=terminal, at=at)
            response = made.response
            assert response is not None
            asks = (response.headers.get("WWW-Authenticate") or "").replace(reference.NONCE, nonce)
            made = replace(made, response=replace(response, headers=response.headers.put("WWW-Authenticate", asks)))
        else:
            grants = [_grant(each, who, turn, place) for place, each in enumerate((FIRST, SECOND)[: 1 + who % 2])]
            made = reference.exchange(
                [grant.msk_id for grant in grants],
                [(grant, "200 OK", reference.ltkm(grant, terminal)) for grant in grants],
                terminal=terminal,
                nonce=nonce,
                nc=turn,
                opaque=reference.OPAQUE,
                at=at,
            )
        yield replace(made, id=_uuid(f"msk {number}"), connection=_uuid(f"connection {who}"), client=terminal.address)


def write(path: Path, flows: int, msk: int) -> int:
    """Write a capture of that many flows, so many of them MSK exchanges evenly between the others; return its size."""
    return write_archive([path], flows, msk)


def write_archive(paths: Sequence[Path], flows: int, msk: int, *, each: int = EACH, page: int = PAGE) -> int:
    """Write such captures one after the other, which go on with the sessions of those before; return their size.

    A terminal has so many exchanges `each`, and other traffic pages of so many octets.
    """
    record = _record(_page(page))
    mark = _uuid("page").encode()
    assert record.count(mark) == 1
    before, after = record.split(mark)
    exchanges, written = msk_exchanges(msk, each), 0
    for place, path in enumerate(paths):
        with path.open("wb") as file:
            for number in range(place * flows // len(paths), (place + 1) * flows // len(paths)):
                if number * msk // flows < (number + 1) * msk // flows:
                    _save(file, next(exchanges))
                else:
                    file.write(before + _uuid(f"page {number}").encode() + after)
            written += file.tell()
    return written


def _page(octets: int) -> Exchange:
    body = (
        b"<html><body><h1>Programme guide</h1>" + b"<p>Morning news, then the weather; at eight the markets.</p>" * 99
    )[:octets]
    fields = {
        "Host": "portal.example",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
        "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
        "Accept-Language": "en-GB,en;q=0.5",
        "Cookie": "session=8f14e45fceea167a5a36dedd4bea2543",
    }
    answered = {"Server": "portal/1.0", "Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
    started = reference.STARTED
    return Exchange(
        Request("GET", "http", "portal.example", 80, "/guide/today?channel=1", headers=_headers(fields), body=b""),
        Response(200, "OK", headers=_headers(answered), body=body),
        id=_uuid("page"),
        client="192.0.2.10:40001",
        server="198.51.100.7:80",
        connection=_uuid("connection of a page"),
        started=started,
        ended=started + SECONDS,
    )


def _headers(fields: dict[str, str]) -> Headers:
    return Headers(tuple((name.encode(), value.encode()) for name, value in fields.items()))


def _terminal(who: int) -> ReferenceTerminal:
    return ReferenceTerminal(
        f"{_hex(f'B-TID {who}', 22)}==@bsf.home1.net",
        sha256(f"MUK {who}".encode()).digest(),
        sha256(f"MRK {who}".encode()).digest(),
        f"192.0.2.{who % 250 + 1}:{20000 + who % 40000}",
    )


def _grant(grant: Grant, who: int, turn: int, place: int) -> Grant:
    """Return what is granted in that hour: a key of its own, with the next Key Number."""
    octets = sha256(f"MSK {turn} {place}".encode()).digest()
    return replace(
        grant,
        msk_id=grant.msk_id[:2] + (turn + 1).to_bytes(2),
        counter=2 * turn + place,
        msk=octets[:16],
        rand=octets[16:],
        csb_id=int.from_bytes(sha256(f"CSB {who} {turn} {place}".encode()).digest()[:4]),
    )


def _hex(seed: str, digits: int) -> str:
    return sha256(seed.encode()).hexdigest()[:digits]


def _uuid(seed: str) -> str:
    found = _hex(seed, 32)
    return f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"


def _record(exchange: Exchange) -> bytes:
    file = io.BytesIO()
    _save(file, exchange)
    return file.getvalue()


def _save(file: BinaryIO, exchange: Exchange) -> None:
    FlowWriter(file).add(flow_of(exchange))  # type: ignore[no-untyped-call]
