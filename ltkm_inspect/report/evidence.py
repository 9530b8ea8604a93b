"""The evidence for findings: request and response of an exchange as text, as far as a record keeps them."""

import re
from binascii import a2b_base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from ltkm_inspect.document import Xml
from ltkm_inspect.finding import Report
from ltkm_inspect.mikey import decode, shown_octets
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.traffic import Document, Exchange, Headers, Ltkm, Request, Response
from ltkm_inspect.wire import Span, count, cut

LONGEST_BODY = 16_384
"""How many characters of a body a record keeps."""
MOST_FIELDS = 100
"""How many header fields a record keeps."""

_NO_TEXT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff"
# Non-text extends from the first such character to the end of the line with the last one: a message in octets.
_PIECE = re.compile(
    rf"(?P<octets>[{_NO_TEXT}](?:.*[{_NO_TEXT}])?[^\n]*)|<[^<>{_NO_TEXT}]*>?|[^<{_NO_TEXT}]+", re.DOTALL
)
_TAG = re.compile(r"</?[^\W\d]")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-][A-Za-z0-9+/_\s-]{10,}")
_HEX_RUN = re.compile(r"(?:[0-9A-Fa-f]{2}[\s:]?){10,}")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]+")
_VERSION = b"\x01"
"""The first octet of a MIKEY message (RFC 3830 §6.1)."""


def evidence(report: Report, checked_ltkms: Iterable[Ltkm], redactor: Redactor, *, show_keys: bool) -> dict[str, Any]:
    """Return the fields `request` and `response` of the record of an exchange."""
    exchange = report.exchange
    spans = [
        each.span
        for each in (*report.findings, *report.accepted, *report.notes)
        if each.span and each.span_of == "body"
    ]
    messages = {} if show_keys else {each: _holds_key(each) for each in checked_ltkms}
    shown = _Shown(redactor, show_keys, _texts(exchange.document, messages))
    return {"request": shown.request(exchange), "response": shown.response(exchange, spans, messages)}


def _holds_key(ltkm: Ltkm) -> bool:
    """Tell whether a message has a key in the clear."""
    return ltkm.message is not None and shown_octets(ltkm.message, ltkm.octets) != ltkm.octets


def _texts(document: Document | None, messages: Mapping[Ltkm, bool]) -> dict[str, bool]:
    """Return whether each text of a message has a key in the clear, so that none has to be decoded again."""
    elements = document.ltkm_elements if document is not None else ()
    return {each.parts.text: messages[each.ltkm] for each in elements if each.octets and each.ltkm in messages}


def _with_keys(document: Document, messages: Mapping[Ltkm, bool]) -> Iterator[Span]:
    """Yield the characters inside the elements whose messages have keys in the clear."""
    for each in document.ltkm_elements:
        if messages.get(each.ltkm):
            place = document.xml.place(each.element)
            # In a damaged document the place is unknown. Then no text of the document is shown.
            yield Span(place.text.content, place.text.content_end) if place else Span(0, len(document.xml.text or ""))


@dataclass(slots=True)
class _Body:
    """The text of a body as it is shown, and a map from its characters to those of the body."""

    text: str = ""
    _starts: list[int] = field(default_factory=list)
    _shown_starts: list[int] = field(default_factory=list)

    def add(self, shown: str, at: int) -> None:
        self._starts.append(at)
        self._shown_starts.append(len(self.text))
        self.text += shown

    def position(self, at: int) -> int:
        """Return where the character at `at` of the body is shown: in a replaced piece, at most at its end."""
        index = bisect_right(self._starts, at) - 1
        following = self._shown_starts[index + 1] if index + 1 < len(self._starts) else len(self.text)
        return min(self._shown_starts[index] + at - self._starts[index], following)


@dataclass(frozen=True, slots=True)
class _Shown:
    """How text from the wire is shown: redacted, and without keys in the clear unless `show_keys` is set."""

    redactor: Redactor
    show_keys: bool
    messages: Mapping[str, bool]
    """The texts of decoded messages, and whether they have a key in the clear."""

    def request(self, exchange: Exchange) -> dict[str, Any]:
        request, content = exchange.request, exchange.request_content
        line = f"{request.method} {request.target} {request.http_version}"
        octets = None if content is None else content.octets
        return self._message(request, line, exchange.request_document, octets, [], [])

    def response(self, exchange: Exchange, spans: list[Span], messages: Mapping[Ltkm, bool]) -> dict[str, Any] | None:
        response, content, document = exchange.response, exchange.content, exchange.document
        if response is None:
            return None
        line = f"{response.http_version} {response.status} {response.reason}".rstrip()
        octets = content.octets if content is not None else response.body
        hidden = [] if document is None else [*_with_keys(document, messages)]
        return self._message(response, line, None if document is None else document.xml, octets, spans, hidden)

    def _message(
        self,
        message: Request | Response,
        line: str,
        xml: Xml | None,
        octets: bytes | None,
        spans: list[Span],
        hidden: list[Span],
    ) -> dict[str, Any]:
        text = None if octets is None else octets.decode("utf-8", "surrogateescape")
        body = None if text is None else self._body(xml.text or "" if xml is not None else text, hidden)
        return {
            "line": self._text(line),
            "headers": self._fields(message.headers),
            "trailers": self._fields(message.trailers),
            "body": None if body is None else cut(body.text, LONGEST_BODY),
            "length": None if octets is None else len(octets),
            "places": [] if body is None or xml is None else [*_places(body, xml, spans)],
        }

    def _fields(self, headers: Headers) -> list[list[str]]:
        decoded = ([part.decode("utf-8", "surrogateescape") for part in pair] for pair in headers.fields[:MOST_FIELDS])
        return [[self._text(name), self._text(_without_password(name.lower(), value))] for name, value in decoded]

    def _body(self, text: str, hidden: list[Span]) -> _Body:
        """Return the shown text, up to `LONGEST_BODY`. A piece is a tag or the text between two tags."""
        body = _Body()
        for match in _PIECE.finditer(text):
            start, end = match.span()
            piece = match[0]
            is_inside = any(start < span.end and span.start < end for span in hidden)
            is_hidden = match["octets"] is not None or (is_inside and _TAG.match(piece) is None)
            body.add(_counted(piece) if is_hidden else self._piece(piece), start)
            if len(body.text) > LONGEST_BODY:
                break
        return body

    def _piece(self, piece: str) -> str:
        holds_key = self.messages.get(piece)
        if holds_key is None:
            holds_key = not self.show_keys and _may_hold_key(piece)
        elif self.redactor is not NO_REDACTOR:
            holds_key = True  # it may name a terminal
        return _counted(piece) if holds_key else self.redactor.text(piece)

    def _text(self, text: str) -> str:
        return cut(self._piece(text))


def _places(body: _Body, xml: Xml, spans: list[Span]) -> Iterator[list[int]]:
    """Yield each span of octets in the body with the span of its characters: first, and one after the last."""
    ends = range(len(xml.text or "") + 1)
    for span in dict.fromkeys(spans):
        start, end = (bisect_left(ends, octet, key=xml.octet_offset) for octet in (span.start, span.end))
        characters = [min(body.position(at), LONGEST_BODY) for at in (start, end)]
        if characters[0] < characters[1]:
            yield [span.start, span.end, *characters]


def _without_password(name: str, value: str) -> str:
    """Return the value of a field without what grants access: cookies, and credentials other than Digest."""
    if name in ("cookie", "set-cookie"):
        return _counted(value)
    scheme, _, rest = value.partition(" ")
    is_digest = not name.endswith("authorization") or scheme.lower() == "digest" or not rest
    return value if is_digest else f"{scheme} {_counted(rest)}"


def _counted(text: str) -> str:
    return f"({count(len(text), 'character')})"


def _may_hold_key(text: str) -> bool:
    """Tell whether a text has a message in base64 or hex that may hold a key in the clear."""
    if len(text) > LONGEST_BODY:
        return True  # a search would take too long
    plain = unescape(text)
    runs = [_NOT_BASE64.sub("", run) for run in (*_BASE64_RUN.findall(plain), plain)] if "AQ" in plain else []
    found = [a2b_base64(run[: len(run) // 4 * 4]) for run in runs]
    found += [bytes.fromhex(run.replace(":", "")) for run in _HEX_RUN.findall(plain)]
    return any(octets[:1] == _VERSION and shown_octets(decode(octets), octets) != octets for octets in found)
