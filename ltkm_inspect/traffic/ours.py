"""Whether an exchange is ours: asked here, once, with the quick looks at octets that the same names give."""

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ltkm_inspect.document import MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE

if TYPE_CHECKING:
    from ltkm_inspect.traffic.document import Document
    from ltkm_inspect.traffic.exchange import Exchange
    from ltkm_inspect.traffic.http import Request

PARAMETER = "requesttype"
"""The parameter of the query that names the procedure (3GPP TS 33.246 G.2)."""
MSK_REQUEST = "msk-request"
"""Its value in an MSK request."""
REGISTRATION_TYPES = frozenset({"register", "deregister"})
"""Its values in other procedures (3GPP TS 33.246 G.2.1, G.2.2)."""
MEDIA_TYPES = frozenset({MSK_REQUEST_TYPE, MSK_RESPONSE_TYPE})
"""The media types of an MSK request and of its response."""


def registers(request: "Request") -> bool:
    """Tell whether a request registers or deregisters, which is another procedure."""
    return bool(REGISTRATION_TYPES.intersection(request.request_types))


def asks_for_msk(request: "Request") -> bool:
    """Tell whether a request is one of the LTKM request procedure, by its request type or its media type."""
    if MSK_REQUEST in request.request_types:
        return True
    return request.media_type.name == MSK_REQUEST_TYPE and not registers(request)


def is_ours(exchange: "Exchange") -> bool:
    """Tell whether an exchange is one of the LTKM request procedure, or a response that carries an LTKM nevertheless.

    So is one that cannot be looked at because the program fails: the check then says so, and nothing is lost.
    """
    try:
        if exchange.asks_for_msk:
            return True
        if exchange.response is None:
            return False
        return exchange.response.media_type.name == MSK_RESPONSE_TYPE or (exchange.registers and bool(exchange.ltkms))
    except Exception:
        return True


def is_our_document(exchange: "Exchange", document: "Document") -> bool:
    """Tell whether a document is the one of an MSK response: no error page, nor the document of another procedure."""
    assert exchange.response is not None
    if exchange.response.media_type.name in MEDIA_TYPES or document.is_msk_response or document.ltkms:
        return True
    return exchange.asks_for_msk and exchange.response.status == 200


def starts_like_xml(octets: bytes) -> bool:
    """Tell whether a body begins with markup."""
    return _beginning(octets).startswith(b"<")


def starts_like_html(octets: bytes) -> bool:
    """Tell whether a body begins as pages do."""
    return _beginning(octets).startswith((b"<!doctype html", b"<html"))


def _beginning(octets: bytes) -> bytes:
    start = octets[:64].removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return start.replace(b"\0", b"").lstrip().lower()


# The quick looks: each lets through all that `is_ours` may say yes to.

_MEDIA = b"mbms-msk"  # which the media types begin with, behind the slash
_MSK = "-msk"  # its end, which is rare in everything else
_PARAMETER = PARAMETER.encode()
_ESCAPED = rb"%[67]"  # a percent-encoded letter: a to z are %61 to %7a
_IN_PATH = re.compile(_PARAMETER + b"|" + _ESCAPED).search
_IN_TEXT = re.compile(b"|".join((_PARAMETER, _ESCAPED, _MSK.encode())), re.IGNORECASE).search
# in any case; one letter that stands alone at the front is found quickest
_MEDIA_TYPE = re.compile("".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in _MSK).encode())
_DATAGRAM = re.compile(rb"4:2269#|!\d{1,6}:\x01[\x00\x01\x06]").search
find_escaped = re.compile(_ESCAPED).search
"""Finds a letter of a path that may be one of the parameter, percent-encoded."""


def may_be_exchange(path: bytes, *headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell from the path and the header fields of both sides alone whether an exchange may be ours.

    It costs a few microseconds and looks at no body.
    """
    if _IN_PATH(path) is not None:
        return True
    for fields in headers:
        for name, value in fields:
            if len(name) == 12 and name.lower() == b"content-type" and _MEDIA in value.lower():
                return True
    return False


def may_be_record(octets: bytes, start: int = 0, end: int = sys.maxsize) -> bool:
    """Tell whether an exchange of ours may be between these places, but for one with a percent-encoded parameter.

    It costs about a nanosecond an octet.
    """
    return _MEDIA_TYPE.search(octets, start, end) is not None or octets.find(_PARAMETER, start, end) >= 0


def may_have_datagram(octets: bytes, start: int = 0, end: int = sys.maxsize) -> bool:
    """Tell whether the record of a UDP flow between these places may have a datagram of ours.

    It then has the port of MIKEY in an address, or a message that begins like one of MIKEY.
    """
    return _DATAGRAM(octets, start, end) is not None


def may_be_text(octets: bytes) -> bool:
    """Tell whether text that was cut out of an exchange may make it ours."""
    return _IN_TEXT(octets) is not None
