"""The preconditions that several rules share, each with the reason that is given where it does not hold."""

from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.exchange import Document, Exchange
from ltkm_inspect.mikey import Message
from ltkm_inspect.rule import Need


def document_of(subject: Any) -> Document | None:
    """Return the document that a subject is, or is part of, or has as its response."""
    if isinstance(subject, Document):
        return subject
    found = subject.document
    return found if isinstance(found, Document) else None


def _no_ltkm(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    if document is not None and document.has_ltkm:
        return None
    return "no LTKM in the response: the keys are delivered over UDP, or inclusion is not used"


def _other_root(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    if document is not None and document.is_msk_response:
        return None
    return "the root element is not that of an MSK response"


def _malformed(subject: Any, _: Context) -> str | None:
    document = document_of(subject)
    return None if document is not None and document.xml.well_formed else "the document is not well-formed"


def _undecoded(message: Message, _: Context) -> str | None:
    if message.problem is not None:
        return "the message does not decode to its end"
    return None if message.payloads else "the message has no payloads"


def _other_method(message: Message, context: Context) -> str | None:
    if message.header is not None and message.header.data_type != 0:
        return "the message is not the first of the pre-shared key method, which is reported by itself"
    return _undecoded(message, context)


def _no_response(exchange: Exchange, _: Context) -> str | None:
    return None if exchange.response is not None else "no response was captured"


HAS_LTKM = Need("LTKM", "the response carries at least one LTKM", _no_ltkm)
MSK_ROOT = Need("MSK response", "the root element is that of an MBMS MSK response", _other_root)
WELL_FORMED = Need("well-formed", "the document is well-formed XML", _malformed)
WHOLE_MESSAGE = Need("whole message", "the message decodes to its end", _undecoded)
RESPONSE = Need("response", "a response was captured", _no_response)
PSK_MESSAGE = Need("LTKM message", "the message decodes and is one that delivers a key", _other_method)
