"""MSK request and response documents: reads XML safely, finds items and places, and edits in place."""

from . import edit
from .encoding import codec_of
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
    quoted,
    split_name,
)
from .reading import read
from .simple import Base64, base64_octets, unsigned_byte
from .slips import SLIPS
from .structure import Departure, ltkm_departures, request_departures, response_departures
from .xml import Splice, Xml
