"""A packet capture for the benchmarks: MSK exchanges and pushes between downloads of others, on a busy link.

Every fourth response has its segments out of order, and every eighth a repeated one; the exchanges are those of
`_captures`.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ltkm_inspect import reference
from ltkm_inspect.traffic import Exchange
from tests.bench._captures import msk_exchanges
from tests.packets.build import Record, enhanced, interface, section
from tests.packets.traffic import Wire, push, request_octets, response_octets

PUSHES_FROM = "198.51.100.1:2269"
PAGE = 1400
"""Octets of a segment of a download."""


def write(path: Path, packets: int, msk: int) -> int:
    """Write a capture of at least that many packets, with so many MSK exchanges and as many pushes; return its size."""
    groups = _groups(packets, msk)
    with path.open("wb") as file:
        file.write(section() + interface())
        number = 0
        for group in groups:
            for time, octets in group:
                file.write(enhanced(octets, int(time * 10**6)))
                number += 1
        return file.tell()


def _groups(packets: int, msk: int) -> Iterator[list[Record]]:
    """Yield packets, of one exchange with a push, then of others."""
    seen = 0
    for number, exchange in enumerate(islice(msk_exchanges(msk), msk)):
        group = _exchange(number, replace(exchange, client=f"192.0.2.{number % 250 + 1}:{20000 + number % 40000}"))
        ltkm = reference.ltkm(replace(reference.FIRST, counter=number + 1, csb_id=number + 1)).encode()
        group.append(push(ltkm, group[-1][0] + 0.001, PUSHES_FROM, f"192.0.2.{number % 250 + 1}:2269"))
        seen += len(group)
        yield group
        missing = packets * (number + 1) // msk - seen
        if missing > 0:
            group = _download(number, missing, group[-1][0])
            seen += len(group)
            yield group


def _exchange(number: int, exchange: Exchange) -> list[Record]:
    at = exchange.started or 0.0
    wire = Wire(exchange.client, "198.51.100.1:80", at).open()
    wire.message(0, request_octets(exchange.request))
    assert exchange.response is not None
    wire.message(1, response_octets(exchange.response), 500)
    wire.close()
    found = wire.records
    begin = 3 + 1 + 1
    if number % 4 == 0:
        first, second = found[begin], found[begin + 1]
        found[begin : begin + 2] = [(first[0], second[1]), (second[0], first[1])]
    if number % 8 == 0:
        found.insert(begin + 2, (found[begin + 1][0], found[begin][1]))
    return found


def _download(number: int, packets: int, at: float) -> list[Record]:
    """Return that many packets of a page that somebody else fetches, over HTTP or TLS."""
    wire = Wire(
        f"203.0.113.{number % 250 + 1}:{20000 + number % 40000}", f"198.51.100.7:{80 if number % 2 else 443}", at
    )
    wire.open()
    rest = max(0, packets - 8)
    if number % 2:
        length = rest * PAGE
        wire.send(0, b"GET /guide/today HTTP/1.1\r\nHost: portal.example\r\n\r\n")
        wire.send(1, b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % length)
    else:
        wire.send(0, b"\x16\x03\x01\x02\x00\x01" + bytes(511))
        wire.send(1, b"\x16\x03\x03\x00\x7a\x02" + bytes(121))
    for index in range(rest):
        wire.send(1, bytes((index & 0xFF,)) * PAGE) if index % 3 else wire.send(0)
    return wire.close().records
