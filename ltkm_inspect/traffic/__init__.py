"""The observed traffic as plain data: exchanges, datagrams, documents, items and LTKMs."""

from ltkm_inspect.traffic.datagram import Datagram
from ltkm_inspect.traffic.datagram_kind import DatagramKind, direction_of, events_text, kind_of, may_be_message
from ltkm_inspect.traffic.document import Document
from ltkm_inspect.traffic.element import LtkmElement
from ltkm_inspect.traffic.event import OFFLINE, Direction, Event, Limits
from ltkm_inspect.traffic.exchange import Exchange
from ltkm_inspect.traffic.gap import Gap
from ltkm_inspect.traffic.http import USUAL_TARGET, Headers, MediaType, Request, Response, split_target
from ltkm_inspect.traffic.item import CodeKind, Item, read_code
from ltkm_inspect.traffic.ltkm import Ltkm, Replacement
from ltkm_inspect.traffic.terminal import AUTO, WAYS, TerminalBy, address_and_port
from ltkm_inspect.traffic.udp_flow import UdpMessage, datagram_at, datagrams
