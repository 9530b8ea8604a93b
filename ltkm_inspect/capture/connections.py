"""The connections that a flow was recorded on, as far as an exchange tells of them."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from ltkm_inspect.capture.tnetstring import (
    LIST,
    TABLE,
    Part,
    UnusualError,
    integer_of,
    is_null,
    keys,
    parts,
    row,
    text_of,
)

_CONNECTION = (
    *("timestamp_tls_setup", "timestamp_end", "timestamp_start", "sni", "tls_version", "cipher_list", "cipher"),
    *("alpn_offers", "alpn", "certificate_list", "tls", "error", "transport_protocol", "id", "sockname", "peername"),
)
_CLIENT = keys("proxy_mode", "mitmcert", *_CONNECTION)
_SERVER = keys("via", "timestamp_tcp_setup", "address", *_CONNECTION)
_MODES = frozenset(["regular", "transparent", "upstream", "reverse", "socks5", "dns", "wireguard", "local", "tun"])


class Client(NamedTuple):
    """What a capture says about the connection of a client."""

    id: str
    address: str
    is_reverse: bool
    """It was made to a reverse proxy."""


class Server(NamedTuple):
    """What a capture says about the connection to a server."""

    shown: str
    address: tuple[str, int] | None
    """The address that the proxy was to connect to."""


@lru_cache(maxsize=1024)  # every flow of a connection repeats these octets
def client_of(octets: bytes) -> Client:
    """Return what a flow tells of the connection of its client."""
    held = row(octets, (TABLE, 0, len(octets)), _CLIENT)
    mode, id, peer = text_of(octets, held[0]), text_of(octets, held[15]), _address(octets, held[17])
    if peer is None:
        raise UnusualError("expected the address of a client")
    return Client(id, shown(peer), _is_reverse(mode))


@lru_cache(maxsize=256)
def server_of(octets: bytes) -> Server:
    """Return what a flow tells of the connection to its server."""
    held = row(octets, (TABLE, 0, len(octets)), _SERVER)
    address = _address(octets, held[2])
    return Server(shown(_address(octets, held[18]) or address), address)


def _is_reverse(mode: str) -> bool:
    head, _, listening = mode.rpartition("@")
    name = (head or listening).partition(":")[0].lower()
    if name not in _MODES:
        raise UnusualError("expected a known proxy mode")
    return name == "reverse"


def _address(record: bytes, held: Part) -> tuple[str, int] | None:
    """Return host and port; what else an address has is the scope of IPv6."""
    if is_null(held):
        return None
    tag, start, end = held
    found = parts(record, start, end)
    if tag != LIST or len(found) < 2:
        raise UnusualError("expected host and port")
    return text_of(record, found[0]), integer_of(record, found[1])


def shown(address: tuple[str, int] | None) -> str:
    """Return an address as mitmproxy writes it; empty where there is none."""
    return "" if address is None or not address[0] else f"{_shown_host(address[0])}:{address[1]}"


@lru_cache(maxsize=1024)
def host_of(octets: bytes) -> str:
    """Return the text of an IP address of 4 or 16 octets."""
    return str(ip_address(octets))


@lru_cache(maxsize=1024)
def _shown_host(host: str) -> str:
    try:
        known = ip_address(host)
    except ValueError:
        return host
    if known.is_unspecified:
        return "*"
    if isinstance(known, IPv6Address):
        return f"[{known}]" if known.ipv4_mapped is None else str(known.ipv4_mapped)
    return str(known)
