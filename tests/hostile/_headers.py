"""Forms of header fields, trailers, target and reason phrase: for every field that the code asks for by its name."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ltkm_inspect import reference
from ltkm_inspect.traffic import Exchange, Headers
from tests.conftest import ROOT
from tests.hostile._form import CLEAN, Form, sized, with_header

_ASKED_FOR = re.compile(
    r"""(?:headers|trailers)\.(?:get|all|put|without)\(\s*"([A-Za-z-]+)"
    | "([a-z-]+)"\ (?:not\ )?in\ [\w.]*(?:headers|trailers)""",
    re.X,
)
NOT_ASKED_FOR = ("X-Unknown", "X-Forwarded-For", "Forwarded", "Via", "Location", "Cookie")
"""Fields that no rule knows by name; some carry addresses."""

CHALLENGE = 'Digest realm="3GPP-bootstrapping@bmsc.home1.net", nonce="a", qop="auth-int"'

VALUES: dict[str, Callable[[int], list[bytes]]] = {
    "many fields": lambda count: [b"a"] * count,
    "one long token": lambda count: [b"a" * count],
    "commas": lambda count: [b"," * count],
    "spaces": lambda count: [b"a" + b" " * count + b"a"],
    "elements": lambda count: [b",".join([b"gzip"] * count)],
    "parameters": lambda count: [b"a" + b";a=b" * count],
    "directives": lambda count: [b"Digest " + b", ".join(b"a%d=b" % n for n in range(count))],
    "the same directive": lambda count: [b"Digest " + b", ".join([b'nonce="a"'] * count)],
    "directives without scheme": lambda count: [b", ".join(b'rspauth="%d"' % n for n in range(count))],
    "quoted pairs": lambda count: [b'Digest nonce="' + b"\\a" * count + b'"'],
    "an unclosed quotation": lambda count: [b'Digest nonce="' + b"a" * count],
    "unclosed quotations": lambda count: [b"Digest " + b'a="' * count],
    "quotation marks": lambda count: [b"Digest " + b'"' * count],
    "equals signs": lambda count: [b"Digest a" + b"=" * count],
    "words": lambda count: [b"Digest " + b"a " * count],
    "challenges in one field": lambda count: [b", ".join([CHALLENGE.encode()] * count)],
    "challenges, each a field": lambda count: [CHALLENGE.encode()] * count,
    "challenges without directives": lambda count: [b", ".join([b"Digest"] * count)],
    "other schemes": lambda count: [b", ".join(b"S%d a=b" % n for n in range(count))],
    "numbers": lambda count: [b"9" * count],
    "product tokens": lambda count: [b"a/1 " * count + b"3gpp-gba"],
    "comments": lambda count: [b"a " + b"(" * count],
    "octets that are not ASCII": lambda count: [b"\xff" * count],
}
"""What a value can be, whichever field it is in."""


def names() -> tuple[str, ...]:
    """Return the names of the fields that the code asks for, as a header writes them."""
    found = set()
    for path in sorted((ROOT / "ltkm_inspect").rglob("*.py")):
        for match in _ASKED_FOR.finditer(path.read_text("utf-8")):
            found.add((match[1] or match[2]).title())
    found -= {"Content-Length", "Transfer-Encoding"}  # a proxy frames by them, so a wrong one never gets through
    return (*sorted(found), *NOT_ASKED_FOR)


def forms() -> Iterator[Form]:
    """Yield the forms of header fields and of what else is outside the bodies."""
    for name in names():
        status = 401 if name == "Www-Authenticate" else 200
        for what, values in VALUES.items():
            yield sized(
                f"header {name}: {what}",
                lambda count, name, values, status: with_header(name, values(count), status=status),
                name,
                values,
                status,
            )
    yield sized("headers: fields, each of its own name", lambda count: _with_fields(b"X-%d" % n for n in range(count)))
    yield sized("trailers: Authentication-Info, many", lambda count: _with_trailers(b"Authentication-Info", count))
    yield sized("trailers: others", lambda count: _with_trailers(b"X-Unknown", count))
    for what, text in {"one long word": "a", "spaces": " ", "escapes": "\x1b[2J", "not ASCII": "\xff"}.items():
        yield sized(f"reason phrase: {what}", lambda count, text: _with_reason(text * count), text)
    for what, text in {
        "parameters": "&a=b",
        "request types": "&requesttype=msk-request",
        "escapes": "%41",
        "broken escapes": "%",
        "segments": "/a",
        "a long word": "a",
        "fragments": "#",
        "question marks": "?",
    }.items():
        yield sized(f"target: {what}", lambda count, text: _with_target(text * count), text)


def _with_fields(fields: Iterator[bytes]) -> Exchange:
    assert CLEAN.response is not None
    new = tuple((name, b"a") for name in fields)
    request = replace(CLEAN.request, headers=Headers((*CLEAN.request.headers.fields, *new)))
    response = replace(CLEAN.response, headers=Headers((*CLEAN.response.headers.fields, *new)))
    return replace(CLEAN, request=request, response=response)


def _with_trailers(name: bytes, count: int) -> Exchange:
    assert CLEAN.response is not None
    bare = CLEAN.response.without_info() if name == b"Authentication-Info" else CLEAN.response
    headers = bare.headers.without("Content-Length").put("Transfer-Encoding", "chunked").put("Trailer", name.decode())
    return replace(CLEAN, response=replace(bare, headers=headers, trailers=Headers(((name, b"qop=auth-int"),) * count)))


def _with_reason(text: str) -> Exchange:
    assert CLEAN.response is not None
    return replace(CLEAN, response=replace(CLEAN.response, reason=text))


def _with_target(more: str) -> Exchange:
    return replace(CLEAN, request=replace(CLEAN.request, target=reference.REQUEST_TARGET + more))
