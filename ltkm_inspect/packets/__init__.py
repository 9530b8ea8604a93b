"""Reads packet captures: files to packets, packets to UDP datagrams and TCP segments."""

from ltkm_inspect.packets.file import CaptureFileError, Packet, Read, is_capture, packets
from ltkm_inspect.packets.network import MIKEY_PORT, Network, TcpSegment, UdpPacket, datagram_at
