"""MIKEY messages in the UDP packets of a capture file, pcap or pcapng."""

from collections.abc import Iterator

from ltkm_inspect.input.message import InputMessage
from ltkm_inspect.packets import (
    MIKEY_PORT,
    CaptureFileError,
    Network,
    Packet,
    Read,
    UdpPacket,
    datagram_at,
    packets,
)
from ltkm_inspect.wire import count


def from_capture(read: Read, source: str) -> Iterator[InputMessage]:
    """Yield the message of every UDP packet from or to the port of MIKEY; damage is a problem at its packet.

    A message in fragments is that of the packet that completes it.
    """
    number, network = 0, Network()
    try:
        for number, packet in enumerate(packets(read), 1):
            udp = network.take(packet)
            if not isinstance(udp, UdpPacket) or MIKEY_PORT not in udp.ports:
                continue
            where = f"{source}, packet {number}"
            if udp.is_complete:
                yield InputMessage(where, udp.data)
            else:
                yield InputMessage(
                    where, None, f"expected {count(max(0, udp.length), 'octet')} of message, got {len(udp.data)}"
                )
    except CaptureFileError as error:
        yield InputMessage(f"{source}, packet {number + 1}" if error.offset else source, None, str(error))


def message_in_packet(octets: bytes) -> bytes | None:
    """Return the MIKEY message in the octets of one packet, from the link, IP or UDP on; None where there is none."""
    found = [Network().take(Packet(link, octets)) for link in (1, 101, 113, 276)]
    if len(octets) > 8:
        bare = datagram_at(octets, 0)
        found.append(bare if bare.length + 8 == len(octets) else None)
    datagrams = (each for each in found if isinstance(each, UdpPacket))
    return next((udp.data for udp in datagrams if udp.is_complete and MIKEY_PORT in udp.ports), None)
