"""MSK request and response documents: XML read without trust, taken to items, located, edited in place and written."""

from . import edit
from .encoding import Encoding, codec_of, detect, is_stateful
from .items import WHERE, LtkmCandidate, MskItems, MskPair, ResponseItem, content_text, msk_items, msk_pairs
from .names import (
    LATER_ORDERQUERIES_NS,
    LTKM_TAG,
    MSK_REQUEST_NS,
    MSK_REQUEST_TYPE,
    MSK_RESPONSE_NS,
    MSK_RESPONSE_TYPE,
    NEAR_MISSES,
    ORDERQUERIES_NS,
    XML_SPACE,
    XSI_NS,
    near_miss,
    split_name,
)
from .places import ElementPlace, Extent, OctetMap
from .reading import MAX_DEPTH, read
from .render import PLAIN, MskOctets, NewItem, NewLtkm, Style, render_ltkm, render_request, render_response
from .simple import Base64, base64_octets, unsigned_byte
from .slips import SLIPS, Slip
from .structure import (
    DEPARTURES,
    Departure,
    ltkm_departures,
    request_departures,
    response_departures,
)
from .xml import Splice, Xml, XmlError

__all__ = [
    "DEPARTURES",
    "LATER_ORDERQUERIES_NS",
    "LTKM_TAG",
    "MAX_DEPTH",
    "MSK_REQUEST_NS",
    "MSK_REQUEST_TYPE",
    "MSK_RESPONSE_NS",
    "MSK_RESPONSE_TYPE",
    "NEAR_MISSES",
    "ORDERQUERIES_NS",
    "PLAIN",
    "SLIPS",
    "WHERE",
    "XML_SPACE",
    "XSI_NS",
    "Base64",
    "Departure",
    "ElementPlace",
    "Encoding",
    "Extent",
    "LtkmCandidate",
    "MskItems",
    "MskOctets",
    "MskPair",
    "NewItem",
    "NewLtkm",
    "OctetMap",
    "ResponseItem",
    "Slip",
    "Splice",
    "Style",
    "Xml",
    "XmlError",
    "base64_octets",
    "codec_of",
    "content_text",
    "detect",
    "edit",
    "is_stateful",
    "ltkm_departures",
    "msk_items",
    "msk_pairs",
    "near_miss",
    "read",
    "render_ltkm",
    "render_request",
    "render_response",
    "request_departures",
    "response_departures",
    "split_name",
    "unsigned_byte",
]
