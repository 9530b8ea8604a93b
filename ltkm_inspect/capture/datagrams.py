"""UDP datagrams of a packet capture as events: which are ours, and which end is the terminal."""

from ipaddress import ip_address

from ltkm_inspect.capture.connections import shown
from ltkm_inspect.capture.damage import DamagedEvent
from ltkm_inspect.packets import MIKEY_PORT, PacketTime, UdpPacket
from ltkm_inspect.traffic import Datagram, Direction, Limits, direction_of, may_be_message
from ltkm_inspect.wire import count

MOST_SERVERS = 1000
"""How many addresses of BSMs are remembered."""


class Datagrams:
    """Finds the datagrams of ours in a capture."""

    def __init__(self, limits: Limits, capture: str) -> None:
        """Take what the events get."""
        self._limits = limits
        self._capture = capture
        self._servers: dict[bytes, None] = {}
        """Addresses that sent what only a BSM sends, or got what only a terminal sends."""

    def event_of(self, udp: UdpPacket, packet: PacketTime) -> Datagram | DamagedEvent | None:
        """Return the event in a datagram; None where it is not ours.

        Ours is what has the port of MIKEY on a side, and on other ports a whole message of a known kind.
        """
        is_port = MIKEY_PORT in udp.ports
        if not (is_port or may_be_message(udp.data)):
            return None
        if not udp.is_complete:
            if not is_port:
                return None
            missing = f"expected {count(max(0, udp.length), 'octet')} of message, got {len(udp.data)}"
            return DamagedEvent(f"packet {packet.number}: {missing}")
        size = len(udp.ends) // 2 - 2
        source, target = udp.ends[:size], udp.ends[size : 2 * size]
        direction = direction_of(udp.data)
        if direction is None:
            is_answer = target in self._servers and source not in self._servers
            direction = Direction.FROM_TERMINAL if is_answer else Direction.TO_TERMINAL
        elif len(self._servers) < MOST_SERVERS:
            self._servers[target if direction is Direction.FROM_TERMINAL else source] = None
        ends = [shown((str(ip_address(each)), port)) for each, port in zip((source, target), udp.ports, strict=True)]
        server, client = ends if direction is Direction.TO_TERMINAL else ends[::-1]
        event = Datagram(
            udp.data,
            id=f"packet-{packet.number}",
            client=client,
            server=server,
            started=packet.time,
            ended=packet.time,
            direction=direction,
            limits=self._limits,
            capture=self._capture,
        )
        return event if is_port or event.is_ours else None
