"""Redaction: identities and addresses are put anywhere in a clean exchange, however spelled; none of them gets out."""

import io
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from random import Random
from urllib.parse import quote

from mitmproxy.io import FlowWriter

from ltkm_inspect import reference
from ltkm_inspect.mikey import GeneralExtension, Identity, OmaBcast
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import Exchange, Headers
from tests.fuzz._target import LawError, Output, Target, formats_for, run
from tests.hostile._form import CLEAN, MESSAGE, message_with, with_items, with_messages

IDENTITIES = {
    "IPv4": "203.0.113.77",
    "IPv6": "2001:db8:77aa:bb::c3d4",
    "B-TID": "UmVkYWN0aW9uVGVzdA==@bsf.secret.example",
    "IMPI": "262019988776655@ims.mnc001.mcc262.3gppnetwork.org",
    "IMSI": "262019988776655",
}
"""What is put in, by its kind."""

SPELLINGS: dict[str, Callable[[Random, str], str]] = {
    "as it is": lambda random, text: text,
    "capitals": lambda random, text: text.upper(),
    "percent-encoded": lambda random, text: quote(text, safe=""),
    "percent-encoded throughout": lambda random, text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "percent-encoded here and there": lambda random, text: "".join(
        f"%{ord(each):02x}" if random.random() < 0.3 else each for each in text
    ),
    "with a port": lambda random, text: f"[{text}]:40001" if text.count(":") > 1 else f"{text}:40001",
    "glued to letters": lambda random, text: f"ip{text}x",
    "glued to an underscore": lambda random, text: f"_{text}_",
    "glued to another": lambda random, text: f"{text}{random.choice([*IDENTITIES.values()])}",
    "quoted": lambda random, text: f"'{text}'",
    "in a URL": lambda random, text: f"http://{text}/a?b={text}",
    "hex": lambda random, text: text.encode().hex(),
    "base64": lambda random, text: b64encode(text.encode()).decode(),
}

FIELDS = (
    *("User-Agent", "Host", "X-Forwarded-For", "Forwarded", "Via", "Server", "Location", "Cookie", "X-Unknown"),
    *("Cache-Control", "Content-Type", "Content-Encoding", "Retry-After", "Trailer"),
)
DIRECTIVES = ("username", "realm", "nonce", "opaque", "cnonce", "uri", "algorithm", "qop", "nc", "response", "other")


def plant(random: Random) -> tuple[Exchange, str, str]:
    """Return an exchange in which something was put, what that was, and how it is spelled where."""
    kind = random.choice(sorted(IDENTITIES))
    spelling = random.choice(sorted(SPELLINGS))
    written = SPELLINGS[spelling](random, IDENTITIES[kind])
    place = random.choice(sorted(PLACES))
    return PLACES[place](random, written), kind, f"{kind} {spelling} in {place}"


def _in_header(random: Random, text: str) -> Exchange:
    return _fields(random.choice(FIELDS), text, random.random() < 0.5)


def _in_directive(random: Random, text: str) -> Exchange:
    name = random.choice(DIRECTIVES)
    value = text.replace('"', "")
    others = ", ".join(f'{each}="a"' for each in DIRECTIVES[:4] if each != name)
    written = f'Digest {others}, {name}="{value}"'
    match random.randrange(3):
        case 0:
            return _fields("Authorization", written, True)
        case 1:
            return _fields("Authentication-Info", written.removeprefix("Digest "), False)
        case _:
            challenged = reference.reference("challenged")[0]
            assert challenged.response is not None
            headers = challenged.response.headers.put("WWW-Authenticate", written)
            return replace(challenged, response=replace(challenged.response, headers=headers))


def _fields(name: str, value: str, asked: bool) -> Exchange:
    assert CLEAN.response is not None
    field = (name.encode(), value.encode())
    if asked:
        headers = Headers((*CLEAN.request.headers.without(name).fields, field))
        return replace(CLEAN, request=replace(CLEAN.request, headers=headers))
    headers = Headers((*CLEAN.response.headers.without(name).fields, field))
    return replace(CLEAN, response=replace(CLEAN.response, headers=headers))


def _in_message(random: Random, text: str) -> Exchange:
    value = text.encode()
    payload = random.choice(
        (Identity(0, value), Identity(1, value), GeneralExtension(0, value), GeneralExtension(5, OmaBcast(1, value)))
    )
    octets = message_with(payload, 1).encode()
    if random.random() < 0.3:
        octets = MESSAGE.encode() + value  # left over
    elif random.random() < 0.3:
        octets = octets[: octets.index(value) + len(value)]  # cut behind it
    return with_messages([octets])


def _in_response(random: Random, text: str) -> Exchange:
    assert CLEAN.response is not None
    return replace(CLEAN, response=replace(CLEAN.response, reason=text, status=random.choice((200, 401, 403, 299))))


def _item(code: str, more: str = "") -> Exchange:
    return with_items(f"<Response><ResponseCode>{code}</ResponseCode>{more}</Response>")


PLACES: dict[str, Callable[[Random, str], Exchange]] = {
    "a header field": _in_header,
    "a directive": _in_directive,
    "the target": lambda random, text: replace(
        CLEAN, request=replace(CLEAN.request, target=f"{CLEAN.request.target}&a={text}")
    ),
    "the path": lambda random, text: replace(
        CLEAN, request=replace(CLEAN.request, target=f"/{text}?requesttype=msk-request")
    ),
    "the reason phrase": _in_response,
    "the error": lambda random, text: replace(CLEAN, response=None, error=f"connect to {text} failed"),
    "a message": _in_message,
    "ResponseCode": lambda random, text: _item(text),
    "an element": lambda random, text: _item("200 OK", f"<a>{text}</a>"),
    "an attribute": lambda random, text: _item("200 OK", f'<a b="{text}"/>'),
    "an LTKM": lambda random, text: _item("200 OK", f"<bcast:LTKM>{text}</bcast:LTKM>"),
    "MSKID": lambda random, text: _item("200 OK", f"<MSK><MSKID>{text}</MSKID></MSK>"),
    "the name of an element": lambda random, text: _item("200 OK", f"<a{re.sub(r'[^A-Za-z0-9.-]', '.', text)}/>"),
    "an element that is not closed": lambda random, text: _item(f"<a>{text}"),
    "the method": lambda random, text: replace(CLEAN, request=replace(CLEAN.request, method=text)),
    "the client": lambda random, text: replace(CLEAN, client=f"[{text}]:1" if text.count(":") > 1 else f"{text}:1"),
    "the host": lambda random, text: replace(CLEAN, request=replace(CLEAN.request, host=text)),
}


def look_at_plant(octets: bytes) -> None:
    """Check what was planted with redaction on, with reports in every format; look for it in all of them."""
    exchange, kind, where = plant(Random(octets))
    try:
        file = io.BytesIO()
        FlowWriter(file).add(flow_of(exchange))  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, UnicodeError):
        return  # no flow can have it
    files = {"a.flow": file.getvalue()}
    require_hidden(run(["check", "--jobs", "1", "--redact", "a.flow"], files, formats_for(octets)), kind, where)


def require_hidden(output: Output, kind: str, where: str) -> None:
    """Require that an identity is in nothing that was printed or written."""
    texts = {"stdout": output.out, "stderr": output.err, **output.reports}
    for name, text in texts.items():
        lower, short = text.lower(), _without_escapes(text)
        for spelling, found in spellings(kind):
            if found in (text if spelling == "base64" else lower) or found in short:
                at = (text if spelling == "base64" else lower).find(found)
                raise LawError(
                    f"no identity gets out: {where}, in {name} as {spelling}: {text[max(0, at - 60) : at + 60]!r}"
                )


@cache
def spellings(kind: str) -> tuple[tuple[str, str], ...]:
    """Return how an identity can be written, in lower case but for base64."""
    return tuple(_spellings(IDENTITIES[kind]))


def _spellings(text: str) -> Iterator[tuple[str, str]]:
    octets = text.encode()
    yield "text", text.lower()
    yield "percent-encoded", quote(text, safe="").lower()
    yield "percent-encoded", "".join(f"%{octet:02x}" for octet in octets)
    yield "hex", octets.hex()
    yield "hex", octets.hex(" ")
    yield "hex of capitals", text.upper().encode().hex()
    for shift in range(3):
        code = b64encode(b"\0" * shift + octets).decode()
        yield "base64", code[4 if shift else 0 : len(code) - 4]
    try:
        address = ip_address(text)
    except ValueError:
        return
    yield "exploded", address.exploded.lower()
    yield "packed", address.packed.hex()


def _without_escapes(text: str) -> str:
    """Return a text in lower case with its percent-encoding undone."""
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), text).lower()


TARGETS = (Target("redaction", lambda: [], look_at_plant, make=lambda random: random.randbytes(8), weight=1),)
