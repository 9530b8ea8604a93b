"""The MIKEY codec: decodes messages of RFC 3830 and its extensions to the last octet, and encodes them."""

from ltkm_inspect.mikey.core import ErrorReport, Identity, Kemac, Rand, Timestamp, Verification
from ltkm_inspect.mikey.describe import Node, Room, render, shown_octets, to_plain, tree
from ltkm_inspect.mikey.extension import GeneralExtension, KeyId, KeyIds, OmaBcast
from ltkm_inspect.mikey.header import GenericSession, Header, SrtpSession
from ltkm_inspect.mikey.keydata import Interval, KeyData, KeyDataChain, decode_key_data
from ltkm_inspect.mikey.message import Message, decode, part_spans, spans
from ltkm_inspect.mikey.payload import PAYLOADS, Payload
from ltkm_inspect.mikey.policy import SecurityPolicy, SrtpParameter
from ltkm_inspect.mikey.shape import message_shape
