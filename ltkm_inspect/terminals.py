"""Which terminals are meant: by B-TID, or by the address of their client."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ltkm_inspect.exchange import Exchange

_WITH_PORT = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Terminal:
    """One B-TID, or one address, with or without a port."""

    text: str
    """As typed."""
    address: str = ""
    """Empty for a B-TID."""
    port: str = ""

    def __str__(self) -> str:
        return self.text

    def takes(self, exchange: Exchange) -> bool:
        """Tell whether the request of an exchange comes from it."""
        if not self.address:
            credentials = exchange.request.credentials
            return credentials is not None and credentials.get("username") == self.text
        address, port = _parts(exchange.client)
        return address == self.address and self.port in ("", port)


def parse_terminal(text: str) -> Terminal:
    """Parse an IPv4 or IPv6 address, with a port or without; everything else is a B-TID."""
    text = text.strip()
    address, port = _parts(text)
    return Terminal(text, address, port) if address else Terminal(text)


def parse_terminals(texts: Iterable[str]) -> tuple[Terminal, ...]:
    """Parse several, each once."""
    return tuple(dict.fromkeys(map(parse_terminal, texts)))


def _parts(text: str) -> tuple[str, str]:
    """Return address, in its one usual spelling, and port of `192.0.2.1:80`; both empty where it is no address."""
    found = _WITH_PORT.fullmatch(text)
    host, port = (found[1], found[2]) if found else (text, "")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return "", ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), port
