"""MIKEY messages in the UDP packets of a capture file, pcap or pcapng."""

from collections.abc import Iterator

from ltkm_inspect.input.message import InputMessage
from ltkm_inspect.packets import MIKEY_PORT, CaptureFileError, Packet, is_capture, packets, udp_at, udp_packet
from ltkm_inspect.wire import count


def from_capture(octets: bytes, source: str) -> Iterator[InputMessage]:
    """Yield the message of every UDP packet from or to the port of MIKEY; damage is a problem at its packet."""
    number = 0
    try:
        for number, packet in enumerate(packets(octets), 1):
            udp = udp_packet(packet)
            if udp is None or MIKEY_PORT not in udp.ports:
                continue
            where = f"{source}, packet {number}"
            if udp.is_complete:
                yield InputMessage(where, udp.data)
            else:
                yield InputMessage(
                    where, None, f"expected {count(max(0, udp.length), 'octet')} of message, got {len(udp.data)}"
                )
    except CaptureFileError as error:
        yield InputMessage(f"{source}, packet {number + 1}" if is_capture(octets) else source, None, str(error))


def message_in_packet(octets: bytes) -> bytes | None:
    """Return the MIKEY message in the octets of one packet, from the link, IP or UDP on; None where there is none."""
    found = [udp_packet(Packet(link, octets)) for link in (1, 101, 113, 276)]
    if len(octets) > 8:
        bare = udp_at(octets, 0)
        found.append(bare if bare.length + 8 == len(octets) else None)
    return next((udp.data for udp in found if udp is not None and udp.is_complete and MIKEY_PORT in udp.ports), None)
