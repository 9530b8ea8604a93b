"""Packet captures: files to packets, packets to UDP datagrams."""

from ltkm_inspect.packets.file import CaptureFileError, Packet, is_capture, packets
from ltkm_inspect.packets.udp import MIKEY_PORT, UdpPacket, udp_at, udp_packet

__all__ = ["MIKEY_PORT", "CaptureFileError", "Packet", "UdpPacket", "is_capture", "packets", "udp_at", "udp_packet"]
