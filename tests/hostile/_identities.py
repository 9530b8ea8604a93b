"""Forms of what redaction looks for: identities, addresses and what nearly is one, wherever text from the wire goes."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from ltkm_inspect.mikey import Identity
from ltkm_inspect.traffic import Exchange
from tests.hostile._form import CLEAN, Form, repeated, sized, with_header, with_items, with_payloads

TEXTS: dict[str, str | Callable[[int], str]] = {
    "one long word": "a",
    "one long number": "7",
    "one long hex": "d5",
    "dots": ".",
    "colons": ":",
    "at signs": "@",
    "words and at signs": "a@",
    "labels": "a.",
    "addresses": "192.0.2.1 ",
    "addresses, each its own": lambda n: f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255} ",
    "addresses in a row": "192.0.2.1.",
    "IPv6 addresses": "2001:db8::1 ",
    "IPv6 addresses in a row": "2001:db8::1:",
    "groups of an IPv6 address": "db8:",
    "B-TIDs": "QUJDREVGR0hJSktMTU5PUA==@bsf.home1.net ",
    "B-TIDs, each its own": lambda n: f"user{n}@bsf.home1.net ",
    "B-TIDs in a row": "a@bsf.home1.net",
    "IMSIs": "262015551234567 ",
    "percent-encoded at signs": "a%40",
    "percent signs": "%",
    "percent-encoded letters": "%61",
    "equals signs": "=",
    "angle brackets in escapes": "&lt;",
    "backslashes": "\\",
}
"""What is repeated."""

PLACES: dict[str, Callable[[str], Exchange]] = {
    "ResponseCode": lambda text: with_items(f"<Response><ResponseCode>{text}</ResponseCode></Response>"),
    "the target": lambda text: replace(
        CLEAN, request=replace(CLEAN.request, target=f"{CLEAN.request.target}&{text.replace(' ', '+')}")
    ),
    "the username": lambda text: with_header("Authorization", [f'Digest username="{text}"'.encode()]),
    "the realm": lambda text: with_header("Authorization", [f'Digest username="a", realm="{text}"'.encode()]),
    "User-Agent": lambda text: with_header("User-Agent", [text.encode()]),
    "the reason phrase": lambda text: _with_reason(text),
    "the error": lambda text: replace(CLEAN, response=None, error=text),
}
"""Where it is."""

IDENTITIES: dict[str, bytes] = {
    "empty": b"",
    "short": b"a",
    "a B-TID": b"QUJDREVGR0hJSktMTU5PUA==@bsf.home1.net",
    "not ASCII": b"\xff" * 20,
    "long": b"a" * 4000,
    "long, with at signs": b"a@" * 2000,
}


def forms() -> Iterator[Form]:
    """Yield the forms of identities."""
    for what, piece in TEXTS.items():
        for where, put in PLACES.items():
            yield sized(f"redaction: {what} in {where}", lambda n, piece, put: put(repeated(piece, n)), piece, put)
    for what, value in IDENTITIES.items():
        yield sized(f"redaction: identities, {what}", with_payloads(Identity(0, value)))


def _with_reason(text: str) -> Exchange:
    assert CLEAN.response is not None
    return replace(CLEAN, response=replace(CLEAN.response, reason=text))
