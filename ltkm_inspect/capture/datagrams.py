"""UDP datagrams of a packet capture as events: which are ours, and which end is the terminal."""

from ltkm_inspect.capture.connections import host_of, shown
from ltkm_inspect.capture.damage import DamagedEvent
from ltkm_inspect.packets import MIKEY_PORT, Network, PacketTime, UdpPacket
from ltkm_inspect.traffic import Datagram, Direction, Limits, direction_of, may_be_message
from ltkm_inspect.wire import count

MOST_SERVERS = 1000
"""How many addresses of BSMs are remembered."""
MOST_RECENT = 1000
"""How many datagrams are compared with those that follow."""
TWICE = 1.0
"""Seconds within which the same datagram comes by again on another interface."""


class Datagrams:
    """Finds the datagrams of ours in a capture."""

    def __init__(self, limits: Limits) -> None:
        """Take what the events get."""
        self._limits = limits
        self._servers: dict[bytes, None] = {}
        """Addresses that sent what only a BSM sends, or got what only a terminal sends."""
        self._recent: dict[tuple[bytes, bytes], tuple[float, int, int]] = {}
        """When a datagram was last captured, with its identification and hops."""
        self.twice = 0
        """How many datagrams were captured more than once."""

    def _was_captured(self, udp: UdpPacket, packet: PacketTime, network: Network) -> bool:
        """Tell whether a datagram was captured before, on its way through the same machine.

        A sender that repeats one gives it another identification, and the same number of hops.
        """
        if packet.time is None:
            return False
        key, now = (udp.ends, udp.data), (packet.time, network.identification, network.hops)
        before = self._recent.pop(key, None)
        self._recent[key] = now
        if len(self._recent) > MOST_RECENT:
            del self._recent[next(iter(self._recent))]
        if before is None or not 0 <= now[0] - before[0] <= TWICE:
            return False
        (_, identification, hops), (_, former_identification, former_hops) = now, before
        if identification and former_identification:
            return identification == former_identification
        return hops != former_hops

    def event_of(self, udp: UdpPacket, packet: PacketTime, network: Network) -> Datagram | DamagedEvent | None:
        """Return the event in a datagram; None where it is not ours.

        Ours is what has the port of MIKEY on a side, and on other ports a whole message of a known kind.
        """
        is_port = MIKEY_PORT in udp.ports
        if not (is_port or may_be_message(udp.data)):
            return None
        if not udp.is_complete:
            if not is_port:
                return None
            missing = f"expected {count(udp.length, 'octet')} of message, got {len(udp.data)}"
            if udp.length < 0:
                missing = f"expected a UDP length of at least 8, got {udp.length + 8}"
            return DamagedEvent(f"packet {packet.in_file}: {missing}")
        if self._was_captured(udp, packet, network):
            self.twice += 1
            return None
        size = len(udp.ends) // 2 - 2
        source, target = udp.ends[:size], udp.ends[size : 2 * size]
        direction = direction_of(udp.data)
        if direction is None:
            is_answer = target in self._servers and source not in self._servers
            direction = Direction.FROM_TERMINAL if is_answer else Direction.TO_TERMINAL
        elif len(self._servers) < MOST_SERVERS:
            self._servers[target if direction is Direction.FROM_TERMINAL else source] = None
        ends = [shown((host_of(each), port)) for each, port in zip((source, target), udp.ports, strict=True)]
        server, client = ends if direction is Direction.TO_TERMINAL else ends[::-1]
        event = Datagram(
            udp.data,
            id=f"packet-{packet.in_file}",
            client=client,
            server=server,
            started=packet.time,
            ended=packet.time,
            direction=direction,
            limits=self._limits,
            capture=packet.file.name,
        )
        return event if event.is_ours else None
