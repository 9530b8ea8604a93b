"""Reads packet captures: files to packets, packets to UDP datagrams."""

from ltkm_inspect.packets.file import CaptureFileError, Packet, is_capture, packets
from ltkm_inspect.packets.udp import MIKEY_PORT, udp_at, udp_packet
