"""Puts fragments of IP packets together, in whatever order they come, with bounded memory and time."""

from dataclasses import dataclass, field
from typing import NamedTuple

MOST_PACKETS = 1024
"""How many packets may be incomplete at a time."""
MOST_OCTETS = 16 << 20
"""How many octets of incomplete packets are kept at a time."""
LIFETIME = 60.0
"""Seconds after which the fragments of a packet are given up (RFC 8200 §4.5)."""
_REMEMBERED = 64
"""How many packets are remembered that are complete: their fragments may be captured again on another interface."""
_SOON = 1.0
"""Seconds within which they are."""
_LARGEST = 0xFFFF
_UNIT = 8
"""Offsets of fragments count these octets (RFC 791 §3.1)."""


class IpPayload(NamedTuple):
    """What follows the IP headers of a packet."""

    octets: bytes
    """As much of it as was captured, up to the first octet that was not."""
    length: int
    """How many octets the packet had."""


@dataclass(slots=True)
class _Packet:
    """A packet of which fragments are missing."""

    first: float | None
    """When its first fragment came, in seconds since 1970 UTC."""
    octets: bytearray = field(default_factory=bytearray)
    units: int = 0
    """The units of 8 octets that are there, as bits."""
    length: int | None = None
    """How many octets it has, once its last fragment is there."""
    captured: int = _LARGEST
    """The first octet that was not captured, though its fragment was."""


class Fragments:
    """The packets of which fragments are missing."""

    def __init__(self) -> None:
        """Begin without any."""
        self._packets: dict[bytes, _Packet] = {}
        self._octets = 0
        self._complete: dict[bytes, tuple[float | None, IpPayload]] = {}
        self.lost = 0
        """How many packets were given up, because they took too long or too much memory."""

    @property
    def missing(self) -> int:
        """How many packets are incomplete, those given up included."""
        return self.lost + len(self._packets)

    def add(self, key: bytes, fragment: IpPayload, offset: int, more: bool, time: float | None) -> IpPayload | None:
        """Add the fragment at an offset of the packet with that key; return what the packet holds once it is complete.

        Of octets that come twice the first are taken. A fragment of a packet that was complete just before, captured
        again, begins no other one.
        """
        packet = self._packets.get(key)
        if packet is not None and packet.first is not None and time is not None and time - packet.first > LIFETIME:
            self._drop(key)
            packet = None
        end = offset + fragment.length
        if end > _LARGEST or (more and fragment.length % _UNIT):
            return None
        if packet is None:
            if self._is_repeated(key, fragment, offset, time):
                return None
            packet = self._packets[key] = _Packet(time)
            self._make_room(time)
        self._fill(packet, fragment, offset, end)
        if not more and packet.length is None:
            packet.length = end
        if packet.length is not None:
            every = (1 << -(-packet.length // _UNIT)) - 1
            if packet.units & every == every:
                self._forget(key)
                whole = IpPayload(bytes(packet.octets[: min(packet.length, packet.captured)]), packet.length)
                self._complete[key] = time, whole
                if len(self._complete) > _REMEMBERED:
                    del self._complete[next(iter(self._complete))]
                return whole
        self._make_room(time)
        return None

    def _is_repeated(self, key: bytes, fragment: IpPayload, offset: int, time: float | None) -> bool:
        """Tell whether a fragment is of the packet with that key that was complete last; forget that if it is not."""
        former, whole = self._complete.get(key, (None, None))
        if whole is None:
            return False
        is_soon = time is None or former is None or abs(time - former) <= _SOON
        if is_soon and whole.octets.startswith(fragment.octets, offset):
            return True
        del self._complete[key]
        return False

    def _fill(self, packet: _Packet, fragment: IpPayload, offset: int, end: int) -> None:
        if len(packet.octets) < end:
            self._octets += end - len(packet.octets)
            packet.octets += bytes(end - len(packet.octets))
        if len(fragment.octets) < fragment.length:
            packet.captured = min(packet.captured, offset + len(fragment.octets))
        first, last = offset // _UNIT, -(-end // _UNIT)
        new = ((1 << last) - (1 << first)) & ~packet.units
        packet.units |= new
        if new == (1 << last) - (1 << first):
            packet.octets[offset : offset + len(fragment.octets)] = fragment.octets
            return
        for unit in range(first, last):
            if new >> unit & 1:
                part = fragment.octets[unit * _UNIT - offset : (unit + 1) * _UNIT - offset]
                packet.octets[unit * _UNIT : unit * _UNIT + len(part)] = part

    def _make_room(self, time: float | None) -> None:
        """Give up the oldest packets where there are too many, and those that took too long."""
        while self._packets:
            key, oldest = next(iter(self._packets.items()))
            too_many = len(self._packets) > MOST_PACKETS or self._octets > MOST_OCTETS
            too_old = time is not None and oldest.first is not None and time - oldest.first > LIFETIME
            if not (too_many or too_old):
                return
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        self.lost += 1
        self._forget(key)

    def _forget(self, key: bytes) -> None:
        self._octets -= len(self._packets.pop(key).octets)
