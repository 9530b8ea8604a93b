"""The small changes that faults of several modules make to an exchange or a message.

They do not ask whether what they change is there: the engine says so where it is not.
"""

from collections.abc import Container
from dataclasses import replace
from typing import Any

from ltkm_inspect.mikey import Message, Payload
from ltkm_inspect.traffic import Exchange


def with_request(exchange: Exchange, **changes: Any) -> Exchange:
    """Return the exchange with these parts of its request replaced."""
    return replace(exchange, request=replace(exchange.request, **changes))


def with_response(exchange: Exchange, **changes: Any) -> Exchange:
    """Return the exchange with these parts of its response replaced; AssertionError without a response."""
    assert exchange.response is not None
    return replace(exchange, response=replace(exchange.response, **changes))


def with_request_header(exchange: Exchange, name: str, value: str | None) -> Exchange:
    """Return the exchange with that field in the header of its request; None takes it out."""
    headers = exchange.request.headers
    return with_request(exchange, headers=headers.without(name) if value is None else headers.put(name, value))


def with_response_header(exchange: Exchange, name: str, value: str | None) -> Exchange:
    """Return the exchange with that field in the header of its response; None takes it out."""
    assert exchange.response is not None
    headers = exchange.response.headers
    return with_response(exchange, headers=headers.without(name) if value is None else headers.put(name, value))


def with_header(message: Message, **changes: Any) -> Message:
    """Return the message with these fields of its header replaced."""
    assert message.header is not None
    return replace(message, header=replace(message.header, **changes))


def without(message: Message, gone: Container[Payload]) -> Message:
    """Return the message without these payloads."""
    return replace(message, payloads=tuple(payload for payload in message.payloads if payload not in gone))


def with_payload(message: Message, old: Payload, *new: Payload) -> Message:
    """Return the message with one payload replaced by others: that one itself, not others equal to it."""
    at = next(index for index, payload in enumerate(message.payloads) if payload is old)
    return replace(message, payloads=(*message.payloads[:at], *new, *message.payloads[at + 1 :]))


def with_payloads(message: Message, *payloads: Payload) -> Message:
    """Return the message with these payloads in the place of those of their class, the first of each."""
    new = {type(payload): payload for payload in payloads}
    return replace(message, payloads=tuple(new.pop(type(each), each) for each in message.payloads))
