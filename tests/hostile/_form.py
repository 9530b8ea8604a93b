"""What a hostile form is: a shape of input that can be made as large as one likes."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ltkm_inspect import reference
from ltkm_inspect.document import MSK_RESPONSE_NS, ORDERQUERIES_NS
from ltkm_inspect.mikey import Kemac, Message, Payload
from ltkm_inspect.traffic import Exchange, Headers

CLEAN = reference.reference("download")[0]
MESSAGE = reference.ltkm(reference.FIRST)
ITEM = "<MSK><keyDomainID>uHCd</keyDomainID><MSKID>JMtEAA==</MSKID></MSK><ResponseCode>200 OK</ResponseCode>"
"""What is inside a Response before its LTKM."""


@dataclass(frozen=True, slots=True)
class Form:
    """One hostile form of input."""

    name: str
    """Subject, then what is repeated in it: `payload RAND`."""
    make: Callable[[int], Exchange]
    """Return an exchange in which something is repeated that many times."""
    unit: float
    """Octets by which one more repetition makes the exchange larger."""

    def of_size(self, octets: int) -> Exchange:
        """Return the exchange of about that many octets."""
        return self.make(max(1, round(octets / self.unit)))


def sized(name: str, make: Callable[..., Exchange], *arguments: Any) -> Form:
    """Return a form whose unit is measured on two small exchanges; `make` gets the arguments behind the number."""

    def made(count: int) -> Exchange:
        return make(count, *arguments)

    few, more = octets_of(made(1)), octets_of(made(13))  # twelve more: base64 of them has no remainder
    return Form(name, made, max(1 / 64, (more - few) / 12))


def octets_of(exchange: Exchange) -> int:
    """Return how large an exchange is: bodies, header fields, target and reason phrase."""
    request, response = exchange.request, exchange.response
    total = (
        len(exchange.error or "")
        + len(request.target)
        + len(request.body or b"")
        + _size(request.headers)
        + _size(request.trailers)
    )
    if response is not None:
        total += len(response.reason) + len(response.body or b"") + _size(response.headers) + _size(response.trailers)
    return total


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.fields)


def with_body(body: bytes, exchange: Exchange = CLEAN) -> Exchange:
    """Return the exchange with that response body."""
    assert exchange.response is not None
    headers = exchange.response.headers.put("Content-Length", str(len(body)))
    return replace(exchange, response=replace(exchange.response, headers=headers, body=body))


def with_request_body(body: bytes) -> Exchange:
    """Return the clean exchange with that request body."""
    headers = CLEAN.request.headers.put("Content-Length", str(len(body)))
    return replace(CLEAN, request=replace(CLEAN.request, headers=headers, body=body))


def with_items(inside: str, attributes: str = "") -> Exchange:
    """Return an exchange whose response document has this under its root."""
    head = f'<mbmsMSKResponse xmlns="{MSK_RESPONSE_NS}" xmlns:bcast="{ORDERQUERIES_NS}"{attributes}>'
    return with_body(f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{inside}</mbmsMSKResponse>\n'.encode())


def with_messages(messages: Sequence[bytes]) -> Exchange:
    """Return an exchange with an item for each of these messages."""
    texts = (base64.b64encode(octets).decode() for octets in messages)
    return with_items("".join(f"<Response>{ITEM}<bcast:LTKM>{text}</bcast:LTKM></Response>" for text in texts))


def with_payloads(payload: Payload) -> Callable[[int], Exchange]:
    """Return what makes an exchange with an LTKM in which that payload is repeated before the KEMAC."""

    def make(count: int) -> Exchange:
        return with_messages([message_with(payload, count).encode()])

    return make


def message_with(payload: Payload, count: int) -> Message:
    """Return the LTKM with that payload repeated before the KEMAC, or last where it can only be the last."""
    own, kemac = MESSAGE.payloads[:-1], MESSAGE.payloads[-1]
    assert isinstance(kemac, Kemac)
    if not payload.chained:
        return replace(MESSAGE, payloads=(*own, kemac, *[payload] * count))
    return replace(MESSAGE, payloads=(*own, *[payload] * count, kemac))


def with_header(name: str, values: Sequence[bytes], *, status: int = 200) -> Exchange:
    """Return an exchange with these values of a header field in its request and its response, each a field."""
    assert CLEAN.response is not None
    new = tuple((name.encode(), value) for value in values)
    base = CLEAN if status == 200 else reference.reference("challenged")[0]
    assert base.response is not None
    request = replace(base.request, headers=Headers((*base.request.headers.without(name).fields, *new)))
    response = replace(base.response, headers=Headers((*base.response.headers.without(name).fields, *new)))
    return replace(base, request=request, response=response)


def repeated(text: str | Callable[[int], str], count: int, between: str = "") -> str:
    """Return a text that many times, each of them told its number where it wants to be."""
    return between.join(_each(text, count))


def _each(text: str | Callable[[int], str], count: int) -> Iterator[str]:
    return (text if isinstance(text, str) else text(number) for number in range(count))
