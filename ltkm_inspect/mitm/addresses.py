"""Hosts and addresses of flows, as mitmproxy writes them."""

import re
from functools import lru_cache

from mitmproxy import http
from mitmproxy.net.http import url
from mitmproxy.utils import human

LONGEST_AUTHORITY = 255 + len(":65535")
"""A host name has at most 255 characters (RFC 1035 §2.3.4), and a port may follow."""
_ADDRESS = re.compile(r"\[?([^\[\]]*)\]?:(\d{1,5})")


def field_of(message: http.Message, name: bytes) -> str | None:
    """Return what `headers.get` of mitmproxy does for a name in lower case, in a small part of the time."""
    fields: tuple[tuple[bytes, bytes], ...] = message.data.headers.fields
    found = [value for each, value in fields if len(each) == len(name) and each.lower() == name]
    return b", ".join(found).decode("utf-8", "surrogateescape") if found else None


def host_of(request: http.Request) -> str:
    """Return what mitmproxy calls `pretty_host`; most requests of a run have the same few names in Host."""
    authority = request.host_header if request.data.authority else field_of(request, b"host")
    if not authority:
        return request.host
    # In a longer one mitmproxy looks for letters of a domain name for very long, finds no host, and returns it as well.
    return authority if len(authority) > LONGEST_AUTHORITY else _host_of(authority)


@lru_cache(maxsize=256)
def _host_of(authority: str) -> str:
    return url.parse_authority(authority, check=False)[0]


def address_text(address: tuple[str, int] | None) -> str:
    """Return an address as mitmproxy writes it; empty without one."""
    return human.format_address(address) if address and address[0] else ""  # a damaged flow may have an empty one


def parse_address(address: str) -> tuple[str, int] | None:
    """Return host and port of an address; None for what is no address."""
    found = _ADDRESS.fullmatch(address)
    return (found[1], int(found[2])) if found else None
