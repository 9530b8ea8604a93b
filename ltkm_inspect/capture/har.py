"""Entries of HARs as exchanges; what their exporter left out or got wrong costs the field and nothing else."""

import codecs
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltkm_inspect import coding
from ltkm_inspect.capture.connections import shown
from ltkm_inspect.capture.damage import Damage, DamagedEvent, PackedError
from ltkm_inspect.capture.entries import Entry, HarError, Read, entries
from ltkm_inspect.capture.har_values import (
    as_number,
    body_size,
    content_length,
    from_base64,
    header_field,
    http_version,
    is_coded,
    not_expected,
    text_codec,
    time_of,
)
from ltkm_inspect.document import codec_of
from ltkm_inspect.traffic import OFFLINE, Exchange, Gap, Headers, Limits, Request, Response, ours
from ltkm_inspect.wire import count

_URL = re.compile(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?//([^/?#]*)([^#]*)")
_AUTHORITY = re.compile(r"(?:[^@]*@)?(\[[^\]]*\]|[^:]*)(?::(\d*))?")
_PORTS = {"http": 80, "https": 443}
# Several challenges in one field: a scheme with a directive behind it follows a comma.
_JOINED = re.compile(r",\s*[A-Za-z][A-Za-z0-9_-]*\s+[A-Za-z][A-Za-z0-9_-]*\s*=")
_LONE = re.compile("[\ud800-\udfff]")
_LOST = "\ufffd"
_WITHOUT_BODY = frozenset({204, 304})
_RELEVANT = frozenset(
    {
        *("authorization", "host", "user-agent", "content-type", "content-length", "content-encoding"),
        *("www-authenticate", "authentication-info", "cache-control", "retry-after", "trailer", "transfer-encoding"),
    }
)
"""The header fields that rules look at, in lower case: what is wrong with another one matters to nobody."""
_NUMBERS = frozenset({"content-length", "retry-after"})
"""Those of them that an exporter may write as numbers."""
_NEVER_KEPT = (
    Gap("request.httpVersion", "the HTTP version in a HAR is what its exporter assumed", ("request.http_version",)),
    Gap("response.httpVersion", "the HTTP version in a HAR is what its exporter assumed", ("response.http_version",)),
    Gap("request.postData", "a HAR has the content without its coding", ("request.headers.Content-Encoding",)),
    Gap("response.content", "a HAR has the content without its coding", ("response.headers.Content-Encoding",)),
    Gap("response.headers", "a HAR has no trailers", ("response.trailers",)),
)
"""What no HAR tells."""
_ENCODING = ("response.body.encoding",)


def exchanges(read: Read, limits: Limits = OFFLINE, capture: str = "") -> Iterator[Exchange | Damage | DamagedEvent]:
    """Yield the exchange of every entry in order, MSK or not, and damage where there is some; OSError for no HAR."""
    number = 0
    try:
        for entry in entries(read):
            number = entry.number
            yield exchange_of(entry, limits, capture)
    except (HarError, PackedError) as error:
        yield Damage(error.offset if isinstance(error, HarError) else 0, str(error), number)


def exchange_of(entry: Entry, limits: Limits = OFFLINE, capture: str = "") -> Exchange | DamagedEvent:
    """Return an entry as an exchange with its gaps; a damaged event where not even its request can be found."""
    where, value = f"entry {entry.number}", entry.value
    if entry.problem or not isinstance(value, dict):
        return DamagedEvent(f"{where}: {entry.problem or not_expected('an object', value)}")
    if not isinstance(value.get("request"), dict):
        return DamagedEvent(f"{where}: request: {not_expected('an object', value.get('request'))}")
    exchange = _Reading(value, entry.number).exchange(limits, capture)
    hidden = exchange.unknown("request.target")
    # what is no URL, as of a tunnel, is at least none of an MSK request
    if hidden is not None and not exchange.is_ours and not exchange.request.target:
        return DamagedEvent(f"{where}: {hidden}")
    return exchange


@dataclass(slots=True)
class _Reading:
    """One entry while it is read."""

    entry: Mapping[str, Any]
    number: int
    gaps: list[Gap] = field(default_factory=lambda: [*_NEVER_KEPT])

    def exchange(self, limits: Limits, capture: str) -> Exchange:
        asked = self.entry["request"]
        request = self._request(asked)
        response, error = self._response(request), self._text("", self.entry, "_error")
        answered = held if isinstance(held := self.entry.get("response"), dict) else {}
        started, took = self._started(), self._number("", self.entry, "time")
        if took is not None and took < 0:
            took = None
        address = self._text("", self.entry, "serverIPAddress")
        return Exchange(
            request,
            response,
            id=f"entry-{self.number}",
            error=error or self._text("response", answered, "_error") or None,
            server=shown((address.strip("[]"), request.port)) if address else "",
            connection=self._text("", self.entry, "connection", numbers=True),
            started=started,
            ended=None if started is None or took is None else started + took / 1000,
            raw=False,
            limits=limits,
            capture=capture,
            gaps=tuple(self.gaps),
        )

    def _damage(self, at: str, reason: str, *hides: str) -> None:
        self.gaps.append(Gap(at, reason, hides, is_damage=True))

    def _lack(self, at: str, *hides: str) -> None:
        self.gaps.append(Gap(at, "missing from the capture", hides))

    def _text(self, at: str, held: Mapping[str, Any], name: str, *hides: str, numbers: bool = False) -> str:
        """Return a text, empty where it is missing or no text."""
        value = held.get(name)
        path = f"{at}.{name}" if at else name
        if isinstance(value, str) and (value or not hides):
            if _LONE.search(value) is None:
                return value
            self._damage(path, "expected text, got half a surrogate pair", *hides)
        elif not value and (value is None or value == ""):
            if hides:
                self._lack(path, *hides)
        elif numbers and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return str(value)
        else:
            self._damage(path, not_expected("text", value), *hides)
        return ""

    def _number(self, at: str, held: Mapping[str, Any], name: str, *hides: str) -> float | None:
        """Return a number, also one that is written as text; None where it is missing or no number."""
        value = held.get(name)
        path = f"{at}.{name}" if at else name
        if value is None:
            self._lack(path, *hides)
            return None
        number = as_number(value)
        if number is None:
            self._damage(path, not_expected("a number", value), *hides)
        return number

    def _started(self) -> float | None:
        value = self.entry.get("startedDateTime")
        if value is None:
            self._lack("startedDateTime")
            return None
        try:
            return time_of(value)
        except (ValueError, TypeError, OverflowError):
            self._damage("startedDateTime", not_expected("a date and time", value))
            return None

    def _request(self, asked: Mapping[str, Any]) -> Request:
        headers, lengths = self._headers("request", asked)
        scheme, host, port, target = self._url(asked, headers)
        method = self._text("request", asked, "method", "request.method")
        body = self._request_body(asked, headers, lengths)
        if body is None or not is_coded(body, headers):
            headers = headers.without("Content-Encoding")
        return Request(method, scheme, host, port, target, http_version(asked), headers, body)

    def _url(self, asked: Mapping[str, Any], headers: Headers) -> tuple[str, str, int, str]:
        url = self._text("request", asked, "url", "request.target", "request.scheme")
        host = headers.get("host") or ""
        if url.startswith("/") and not url.startswith("//"):
            url = f"//{host}{url}"
            self._lack("request.url", "request.scheme")
        found = _URL.match(url)
        if found is None:
            if url:
                self._damage("request.url", "expected a URL, got other text", "request.target", "request.scheme")
            return "", host, 0, url
        scheme = (found[1] or "").lower()
        authority = _AUTHORITY.fullmatch(found[2])
        port = _PORTS.get(scheme, 0)
        if authority is None or not authority[1] or (authority[2] and not 0 < len(authority[2]) < 6):
            self._damage(
                "request.url", "expected a URL with host and port, got another URL", "request.target.authority"
            )
            return scheme, host, port, found[3] or "/"
        target = found[3] or "/"
        return scheme, authority[1], int(authority[2] or port), target if target.startswith("/") else f"/{target}"

    def _headers(self, side: str, held: Mapping[str, Any]) -> tuple[Headers, bool]:
        """Return the header fields, and whether all of them are known."""
        at = f"{side}.headers"
        value = held.get("headers")
        if value is None or value in ([], {}):  # nobody sends none
            self._lack(at, at)
            return Headers(), False
        pairs: list[Any] = list(value.items()) if isinstance(value, dict) else value
        if not isinstance(pairs, list):
            self._damage(at, not_expected("a list", value), at)
            return Headers(), False
        fields: list[tuple[bytes, bytes]] = []
        known = True
        for number, pair in enumerate(pairs):
            name, values = header_field(pair)
            if name is None:
                self._damage(f"{at}[{number}]", not_expected("a header field", pair), at)
                known = False
                continue
            if name.startswith(":"):
                continue  # of HTTP/2; the URL says the same
            for each in values:
                octets = self._value(f"{at}.{name}", name, each)
                if octets is not None:
                    fields.append((name.encode("utf-8", "backslashreplace"), octets))
        return Headers(tuple(fields)), known

    def _value(self, at: str, name: str, value: Any) -> bytes | None:
        """Return the value of a header field; None where it is damaged, which counts where a rule looks at it."""
        relevant = name.lower() in _RELEVANT
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if is_number and (not relevant or name.lower() in _NUMBERS):
            value = str(value)
        octets, reason = _field_value(name, value)
        if relevant and reason:
            self._damage(at, reason, at)
            return None
        return octets

    def _request_body(self, asked: Mapping[str, Any], headers: Headers, known: bool) -> bytes | None:
        data, size = asked.get("postData"), body_size(asked.get("bodySize"), headers)
        if data is None and not size:
            return b"" if size == 0 and known else None
        body = self._body("request.postData", data, size, headers, known, "request.body")
        return self._whole("request.postData.text", body, headers, None, "request.body")

    def _body(self, at: str, held: Any, size: int | None, headers: Headers, known: bool, hides: str) -> bytes | None:
        """Return the octets of a body, of which the entry says how many there were; None where they are not known."""
        if held is not None and not isinstance(held, dict):
            self._damage(at, not_expected("an object", held), hides)
            return None
        is_there, held = held is not None, held or {}
        text, place = held.get("text"), f"{at}.text" if is_there else at
        if text is not None and not (text == "" and size):
            return self._content(at, held, text, headers, hides)
        if held.get("params"):
            self._damage(place, "expected the body, got only its parameters", hides)
        elif size:
            self._damage(place, f"expected a body of {count(size, 'octet')}, got none", hides)
        elif size == 0 and (known or is_there):
            return b""
        else:
            self._lack(place, hides)
        return None

    def _response(self, request: Request) -> Response | None:
        held = self.entry.get("response")
        if not isinstance(held, dict):
            if held is not None:
                self._damage("response", not_expected("an object", held))
            return None
        status = self._number("response", held, "status", "response.status")
        if status == 0:
            return None  # how a HAR says that none came
        if status is not None and not (status.is_integer() and 100 <= status < 1000):
            self._damage("response.status", f"expected a status of three digits, got {status:g}", "response.status")
            status = None
        headers, known = self._headers("response", held)
        number = int(status or 0)
        body = self._response_body(request, number, held, headers, known)
        return Response(number, self._text("response", held, "statusText"), http_version(held), *body)

    def _response_body(
        self, request: Request, status: int, held: Mapping[str, Any], headers: Headers, known: bool
    ) -> tuple[Headers, bytes | None]:
        """Return the header fields and the body, which have the same content coding, or none."""
        bare = headers.without("Content-Encoding")
        if request.method == "HEAD" or status in _WITHOUT_BODY:
            return bare, b""
        content, size, whole = held.get("content"), body_size(held.get("bodySize"), headers), None
        if isinstance(content, dict):
            length = as_number(content.get("size"))
            whole = int(length) if length is not None and length >= 0 else None
            size = whole or size or whole
        body = self._body("response.content", content, size, headers, known, "response.body")
        if body is not None and is_coded(body, headers):
            return headers, body
        return bare, self._whole("response.content.text", body, headers, whole, "response.body")

    def _whole(self, at: str, body: bytes | None, headers: Headers, length: int | None, hides: str) -> bytes | None:
        """Return a body, unless it has less octets than it had on its way, or what is left of it under its coding."""
        if body is None or is_coded(body, headers):
            return body
        is_bare = not coding.codings(headers.get("Content-Encoding"))
        least = max(length or 0, content_length(headers) or 0) if is_bare else length or 0
        if len(body) < least:
            self._damage(at, f"expected {count(least, 'octet')}, got {len(body)}", hides)
        elif not is_bare and body and not ours.starts_like_xml(body):
            self._damage(at, "expected text, got what may still be content-coded", hides)
        else:
            return body
        return None

    def _content(self, at: str, held: Mapping[str, Any], text: Any, headers: Headers, hides: str) -> bytes | None:
        """Return the octets of a text; None if they cannot be known."""
        if not isinstance(text, str):
            self._damage(f"{at}.text", not_expected("text", text), hides)
            return None
        encoding = held.get("encoding")
        if isinstance(encoding, str) and encoding.strip().lower() == "base64":
            octets = from_base64(text)
            if octets is None:
                self._damage(f"{at}.text", "expected base64 as declared, got other text", hides)
            return octets
        if encoding and not (isinstance(encoding, str) and codec_of(encoding)):
            self._damage(f"{at}.encoding", not_expected("base64 or none", encoding), hides)
            return None
        if _LOST in text:
            self._damage(f"{at}.text", "expected text, got characters that the exporter could not read", hides)
            return None
        unpacked = None if text[:64].lstrip("\ufeff \t\r\n").startswith("<") else from_base64(text)
        if unpacked and unpacked.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
            self._damage(f"{at}.encoding", "expected encoding base64, got none although the text is base64", hides)
            return None
        if hides == "response.body":
            self.gaps.append(Gap(f"{at}.text", "a HAR has text without its encoding", _ENCODING))
        codec = text_codec(text, headers)
        try:
            return text.encode(codec)
        except (UnicodeError, ValueError):
            self._damage(f"{at}.text", f"expected text in {codec}, got characters outside it", hides)
            return None


def _field_value(name: str, value: Any) -> tuple[bytes, str]:
    """Return the octets of a value of a header field, and what its exporter did to them, or nothing."""
    if not isinstance(value, str):
        return b"", not_expected("text", value)
    value, reason = value.strip(" \t\r\n"), ""
    if "\n" in value or "\r" in value:
        reason = "expected one header field, got several joined by a line end"
    elif name.lower() == "www-authenticate" and _JOINED.search(value):
        reason = "expected one challenge, got several that the exporter may have joined"
    elif _LOST in value:
        reason = "expected text, got characters that the exporter could not read"
    elif _LONE.search(value):
        reason = "expected text, got half a surrogate pair"
    return value.encode("utf-8", "backslashreplace"), reason
