"""What a run tells terminals apart by."""

import ipaddress
import re
from dataclasses import dataclass

from ltkm_inspect.traffic.event import Event
from ltkm_inspect.traffic.exchange import Exchange

WAYS = ("auto", "connection", "address", "header")
LONGEST_KEY = 256
"""So many characters of a header name a terminal."""
_WITH_PORT = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class TerminalBy:
    """What a run tells terminals apart by in all that it names and counts. Rules do not depend on it."""

    way: str = "auto"
    """`auto`: the B-TID, else the connection; `connection`, `address` of the client, or `header` of the request."""
    header: str = ""
    """The name of that header."""

    def __str__(self) -> str:
        named = {"auto": "B-TID, else connection", "address": "client address", "header": f"header {self.header}"}
        return named.get(self.way, self.way)

    @property
    def joins(self) -> bool:
        """A terminal may have exchanges under several keys, which go together."""
        return self.way in ("auto", "header")

    def key(self, event: Event) -> str:
        """Return the key of the terminal of an event; where it lacks what is asked for, its B-TID or connection."""
        found = ""
        match self.way:
            case "connection":
                found = event.connection or event.client
            case "address":
                found = address_and_port(event.client)[0]
            case "header" if isinstance(event, Exchange):
                found = (event.request.headers.get(self.header) or "").strip()[:LONGEST_KEY]
        return found or event.terminal


AUTO = TerminalBy()


def address_and_port(text: str) -> tuple[str, str]:
    """Return address, in its one usual spelling, and port of `192.0.2.1:80`; both empty where it is no address."""
    found = _WITH_PORT.fullmatch(text)
    host, port = (found[1], found[2]) if found else (text, "")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return "", ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), port
