"""The heads of HTTP messages: those of the form that nearly all have are read at a glance, any other one by h11."""

import re
from dataclasses import dataclass

import h11

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_LINES = (
    re.compile(rb"(?!CONNECT )([A-Z]+) ([!-~]+) HTTP/(1\.[01])\r\n").match,
    re.compile(rb"HTTP/(1\.[01]) ([2-9]\d\d) ([ -~]*)\r\n").match,
)
"""Start lines, by the side that sends them."""
_FIELDS = re.compile(rb"^(%b): ?([!-~](?:[ -~]*[!-~])?)\r\n" % _TOKEN, re.MULTILINE).findall
_LONGEST_NUMBER = 15

type Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in their order and their own case."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a request says in front of its body."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What a response says in front of its body."""

    status: int
    reason: bytes
    version: bytes
    fields: Fields


type Head = RequestHead | ResponseHead


def head_of(head: h11.Request | h11.Response) -> Head:
    """Return a head that h11 has read."""
    fields = tuple(head.headers.raw_items())
    if isinstance(head, h11.Request):
        return RequestHead(head.method, head.target, head.http_version, fields)
    return ResponseHead(head.status_code, head.reason, head.http_version, fields)


def plain_head(side: int, octets: bytes) -> tuple[Head, int] | None:
    """Return the head that octets of a side begin with, and where its end is; None for one that h11 has to read.

    It has the common form: lines that end in CR LF, no white space but one space, at most one Content-Length, no
    Transfer-Encoding; a request has one Host. So h11 reads the same of it.
    """
    line, end = _LINES[side](octets), octets.find(b"\r\n\r\n")
    if line is None or end < 0:
        return None
    block = octets[line.end() : end + 2]
    fields = _FIELDS(block)
    if len(fields) != block.count(b"\n"):
        return None
    names = [name.lower() for name, _ in fields]
    if b"transfer-encoding" in names or (side == 0 and names.count(b"host") != 1):
        return None
    if b"content-length" in names:
        length = fields[names.index(b"content-length")][1]
        if names.count(b"content-length") > 1 or not length.isdigit() or len(length) > _LONGEST_NUMBER:
            return None
    if side == 0:
        method, target, version = line.groups()
        return RequestHead(method, target, version, tuple(fields)), end + 4
    version, status, reason = line.groups()
    return ResponseHead(int(status), reason, version, tuple(fields)), end + 4
