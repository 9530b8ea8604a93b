"""What of a packet capture was not read, by its kind."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

UNREAD: Mapping[str, tuple[str, str]] = {
    "tls": ("TLS connection", "TLS connections"),
    "http2": ("HTTP/2 connection", "HTTP/2 connections"),
    "websocket": ("WebSocket", "WebSockets"),
    "connect": ("CONNECT tunnel", "CONNECT tunnels"),
    "twice": ("datagram captured again", "datagrams captured again"),
    "cut": ("packet not captured to its end", "packets not captured to their ends"),
    "fragments": ("packet with missing fragments", "packets with missing fragments"),
    "connections": ("connection beyond the limit", "connections beyond the limit"),
    "segments": ("gap with too much behind it", "gaps with too much behind them"),
}
"""What each kind is, of one and of several."""


class UnreadTraffic(NamedTuple):
    """What of a capture was not read."""

    counts: Counter[str]
    """How many there are of each kind in `UNREAD`."""
    capture: str = ""
    """The last file of those that they were counted in."""


def unread_text(counts: Mapping[str, int]) -> str:
    """Return what was not read as text; empty if it was nothing."""
    return ", ".join(f"{number} {UNREAD[kind][number != 1]}" for kind in UNREAD if (number := counts.get(kind, 0)))
