"""Targets below the exchange: the codec, XML documents, and header fields."""

import json
from collections.abc import Sequence
from functools import cache

from ltkm_inspect import coding, digest, document, mikey, reference
from ltkm_inspect.traffic import MediaType, split_target
from ltkm_inspect.wire import Span
from tests.fuzz._target import Target, require
from tests.hostile._form import message_with
from tests.hostile._headers import VALUES
from tests.hostile._messages import payload_variants

LARGEST_MESSAGE = 4096


@cache
def messages() -> Sequence[bytes]:
    """Return messages: those of every reference, and for each payload that the codec knows one that has it."""
    exchanges = [each for name in reference.REFERENCES for each in reference.reference(name)]
    delivered = [ltkm.octets for each in exchanges if each.document for ltkm in each.document.ltkms if ltkm.octets]
    made = [
        message_with(payload, 2).encode() for kind in mikey.PAYLOADS.values() for _, payload in payload_variants(kind)
    ]
    return [octets for octets in (*delivered, *made) if len(octets) <= LARGEST_MESSAGE]


def look_at_message(octets: bytes) -> None:
    """Decode a message and encode it again, and show it."""
    message = mikey.decode(octets)
    require(message.encode() == octets, "encode is the inverse of decode")
    require(mikey.decode_key_data(octets).encode() == octets, "encode is the inverse of decode for key data")
    whole = Span(0, len(octets))
    for path, span in mikey.spans(octets).items():
        require(span.start <= span.end and whole.holds(span), f"spans lie inside the message, got {path} {span}")
    require(len(message.paths) == len(message.payloads), "every payload has a path")
    for index in range(len(message.payloads)):
        require(whole.holds(message.payload_span(index)), "payloads lie inside the message")
    for problem in (message.problem, *message.inner_problems):
        require(problem is None or 0 <= problem.offset <= len(octets), f"a problem lies inside the message: {problem}")
    for line in mikey.render(mikey.tree(message)):
        require(line.isprintable(), f"a line is safe to print, got {line!a}")
    json.dumps(mikey.to_plain(message), allow_nan=False)
    require(len(mikey.shown_octets(message)) == len(octets), "as many octets are shown as there are")
    require(repr(message).isprintable(), "a repr is one line")


@cache
def documents() -> Sequence[bytes]:
    """Return documents of requests and of responses, in several encodings."""
    exchanges = [each for name in reference.REFERENCES for each in reference.reference(name)]
    bodies = [each.request.body or b"" for each in exchanges]
    bodies += [each.response.body or b"" for each in exchanges if each.response is not None]
    text = bodies[-1].decode()
    others = [text.replace("UTF-8", name).encode(name) for name in ("utf-16", "iso-8859-1", "gb18030", "utf-7")]
    return [body for body in (*dict.fromkeys(bodies), *others) if body]


XML = (
    *(
        b"&#xD800;",
        b"&#0;",
        b"&#x110000;",
        b"&lt;",
        b"&a;",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?a ",
        b"?>",
        b"<a>",
    ),
    *(
        b"</a>",
        b"<a/>",
        b' xmlns="urn:a"',
        b' xmlns:bcast=""',
        b"<!DOCTYPE a [",
        b'<!ENTITY a "b">',
        b"bcast:",
        b"xsi:type",
    ),
    *(
        b"<Response>",
        b"</Response>",
        b"<bcast:LTKM>",
        b"</bcast:LTKM>",
        b"<LTKM/>",
        b'<?xml version="1.1"?>',
        b"encoding=",
    ),
)


def look_at_document(octets: bytes) -> None:
    """Read a document, find its items, and put each in its place again."""
    xml = document.read(octets)
    if xml.error is not None:
        require(0 <= xml.error.offset <= len(octets), f"an error lies inside the document, got {xml.error.offset}")
    for slip in xml.slips:
        str(slip)
    root = xml.root
    if root is None:
        return
    for candidate in document.msk_items(root).candidates():
        text = document.base64_octets(candidate.text)
        require(text.octets is not None or text.problem, "what is not base64 has a reason")
    document.msk_pairs(root)
    list(document.response_departures(root))
    list(document.request_departures(root))
    for element in root.iter("*"):
        place = xml.place(element)
        if place is None:
            continue
        at, within = place.octets, place.text
        require(
            0 <= at.start <= at.content <= at.content_end <= at.end <= len(octets),
            f"an element lies inside the document, got {at}",
        )
        if xml.editable:
            same = xml.splice([(within.start, within.end, (xml.text or "")[within.start : within.end])])
            require(same == octets, "to write what is there changes nothing")


@cache
def fields() -> Sequence[bytes]:
    """Return values of header fields: those of the references, and of every hostile form in small."""
    found: list[bytes] = []
    for name in reference.REFERENCES:
        for each in reference.reference(name):
            found += [value for _, value in each.request.headers.fields]
            found += [value for _, value in each.response.headers.fields] if each.response is not None else []
    found += [value for values in VALUES.values() for value in values(3)]
    return [*dict.fromkeys(found)]


def look_at_field(octets: bytes) -> None:
    """Parse the value of a field as whatever it could be."""
    text = octets.decode("utf-8", "surrogateescape")
    for directives in (digest.parse_directives(text), *digest.parse_challenges([text]), digest.parse_credentials(text)):
        if directives is None:
            continue
        str(directives)
        for field in directives.fields:
            require(directives.get(field.name) is not None, "what is there is found")
        again = digest.parse_directives(str(replace_rest(directives)))
        require(
            [*map(_bare, again.fields)] == [*map(_bare, directives.fields)], "directives are read as they are written"
        )
    MediaType.of(text)
    split_target(text)
    coding.codings(text)
    coding.decode(b"\x1f\x8b" + octets, text, 1 << 16)


def replace_rest(directives: digest.Directives) -> digest.Directives:
    """Return the directives without what is behind them."""
    return digest.Directives(directives.fields)


def _bare(field: digest.Directive) -> tuple[str, str]:
    return field.name, field.value


def look_at_coding(octets: bytes) -> None:
    """Take every content coding off."""
    limit = 1 << 16
    for names in ("gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate"):
        decoded = coding.decode(octets, names, limit)
        require(decoded.octets is not None or decoded.problem, "what cannot be decoded has a reason")
        require(len(decoded.octets or b"") <= limit, "no more is decoded than the limit")


def coded() -> Sequence[bytes]:
    """Return coded bodies."""
    body = documents()[0]
    return [coding.encode(body, names) for names in ("gzip", "deflate", "br", "zstd", "gzip, br", "zstd, deflate")]


TARGETS = (
    Target("codec", messages, look_at_message, weight=12),
    Target("document", documents, look_at_document, XML, weight=10),
    Target("fields", fields, look_at_field, (b"Digest ", b'nonce="', b"qop=", b"\\", b'"', b"%40"), weight=40),
    Target("codings", coded, look_at_coding, weight=8),
)
