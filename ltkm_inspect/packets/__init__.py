"""Reads packet captures: files to packets, packets to UDP datagrams and TCP segments."""

from ltkm_inspect.packets.file import OVERLAP, CaptureFileError, Packet, Read, is_capture, may_become_capture, packets
from ltkm_inspect.packets.network import MIKEY_PORT, Network, TcpSegment, UdpPacket, datagram_at
from ltkm_inspect.packets.streams import PacketFile, PacketTime, distance, packet_time
from ltkm_inspect.packets.tcp import TcpBounds, TcpConnection, TcpConnections
