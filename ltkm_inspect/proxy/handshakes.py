"""Failed TLS handshakes and their likely causes, from what mitmproxy says of a connection and its ClientHello."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client, Server
from mitmproxy.tls import ClientHello

from ltkm_inspect.mitm.addresses import address_text
from ltkm_inspect.report.blind_spots import Failures, Handshake
from ltkm_inspect.traffic.event import BOOTSTRAPPING
from ltkm_inspect.wire import cut, time_text

MOST_CLIENTS = 10_000
"""How many addresses of clients are remembered that have accepted a certificate of the proxy."""
LONGEST_DETAIL = 200
"""How many characters are kept of what TLS says."""
PSK_SUITES = frozenset(
    number
    for first, last in (
        *((0x002C, 0x002E), (0x008A, 0x0095), (0x00A8, 0x00B9), (0xC033, 0xC03B), (0xC064, 0xC071)),
        *((0xC08E, 0xC09B), (0xC0A4, 0xC0AB), (0xCCAB, 0xCCAE), (0xD001, 0xD005)),
    )
    for number in range(first, last + 1)
)
"""The cipher suites of IANA that need a pre-shared key."""
SIGNALS = frozenset({0x00FF, 0x5600, *range(0x0A0A, 0x10000, 0x1010)})
"""Numbers in a list of cipher suites that are none: signals (RFC 5746, RFC 7507), and GREASE (RFC 8701)."""
PRE_SHARED_KEY = 41
"""The extension that offers pre-shared keys in TLS 1.3."""
_SAID = (
    re.compile(r"'([^']*)'\)\]\)"),
    re.compile(r"Certificate verify failed: (.*)", re.DOTALL),
    re.compile(r"\(([^()]*)\)$"),
    re.compile(r"((?:tls|ssl).* alert .*)"),
)
"""Where the words of OpenSSL are in an error of mitmproxy; the rest is its own explanation."""
_CLIENT_CAUSES = (
    ("cannot parse clienthello", "no_client_hello"),
    ("disconnected during the handshake", "closed_in_handshake"),
    ("agree on a tls version", "no_shared_version"),
    ("unsupported protocol", "no_shared_version"),
    ("protocol version", "no_shared_version"),
    ("no shared cipher", "no_shared_cipher"),
    ("unknown ca", "untrusted_ca"),
    ("certificate", "refused_certificate"),
    ("connection closed", "closed_in_handshake"),
)
_SERVER_CAUSES = (
    ("certificate verify failed", "server_certificate"),
    ("does not speak tls", "server_no_tls"),
    ("agree on a tls version", "server_version"),
    ("unsupported protocol", "server_version"),
    ("alert", "server_refused"),
    ("connection closed", "server_closed"),
)
_BY_TRUST = frozenset({"untrusted_ca", "refused_certificate", "closed_in_handshake"})
"""The causes that mean something else if the client has accepted a certificate of the proxy before."""


@dataclass(slots=True)
class _ClientState:
    """How far the TLS of a client connection got."""

    server: str
    """Whom the client wants to talk to."""
    only_psk: bool = False
    established: bool = False
    used: bool = False
    """A request came over it, or it failed: nothing more is to be told of it."""


class Handshakes:
    """Follows the TLS of each client connection, and tells of each handshake that fails."""

    def __init__(self, fail: Callable[[Handshake, Failures], None]) -> None:
        """Take what counts a failed handshake."""
        self._fail = fail
        self._states: WeakKeyDictionary[Client, _ClientState] = WeakKeyDictionary()
        self._trusting: dict[str, None] = {}
        """Addresses of clients that have sent a request over TLS."""

    def begin(self, client: Client, server: Server, hello: ClientHello) -> None:
        """Note what a client offers."""
        self._states[client] = _ClientState(hello.sni or address_text(server.address), offers_only_psk(hello))

    def establish(self, client: Client) -> None:
        """Note that the handshake with a client is complete."""
        if (state := self._states.get(client)) is not None:
            state.established = True

    def use(self, client: Client) -> None:
        """Note that a client has sent something over its connection."""
        state = self._states.get(client)
        if state is not None and state.established and not state.used:
            state.used = True
            if len(self._trusting) < MOST_CLIENTS:
                self._trusting[_host(client)] = None

    def fail_client(self, client: Client, server: Server) -> None:
        """Tell that the handshake with a client failed."""
        state = self._states.setdefault(client, _ClientState(client.sni or address_text(server.address)))
        state.used = True
        cause = "psk_only" if state.only_psk else _cause(client.error, _CLIENT_CAUSES, "client_error")
        self._tell(client, state, cause, client.error)

    def fail_server(self, client: Client, server: Server) -> None:
        """Tell that the handshake with a server failed."""
        state = _ClientState(server.sni or address_text(server.address))
        self._tell(client, state, _cause(server.error, _SERVER_CAUSES, "server_error"), server.error)

    def end(self, client: Client) -> None:
        """Tell of a connection that ended after its handshake, without a request."""
        state = self._states.pop(client, None)
        if state is not None and state.established and not state.used:
            self._tell(client, state, "closed_before_request", None)

    def _tell(self, client: Client, state: _ClientState, cause: str, error: str | None) -> None:
        if cause in _BY_TRUST and _host(client) in self._trusting:
            cause = "pinned"
        now = time_text(time.time())
        self._fail(Handshake(_host(client), state.server, cause), Failures(1, now, now, detail_of(error)))


def offers_only_psk(hello: ClientHello) -> bool:
    """Tell whether a client insists on a pre-shared key, so that no certificate can be put in between.

    That is so if it offers no other cipher suites (RFC 4279), or names a bootstrapping of GBA as its key in TLS 1.3.
    """
    suites = set(hello.cipher_suites) - SIGNALS
    if suites and suites <= PSK_SUITES:
        return True
    return any(
        type == PRE_SHARED_KEY and BOOTSTRAPPING.encode() in bytes(body).lower() for type, body in hello.extensions
    )


def detail_of(error: str | None) -> str:
    """Return what TLS says in an error of mitmproxy; empty if it says nothing."""
    found = next((match for each in _SAID if (match := each.search(error or ""))), None)
    return cut(found[1], LONGEST_DETAIL) if found else ""


def _cause(error: str | None, causes: tuple[tuple[str, str], ...], otherwise: str) -> str:
    text = error or ""
    if not text.startswith("Certificate verify failed"):
        text = detail_of(text) or text
    return next((cause for words, cause in causes if words in text.lower()), otherwise)


def _host(client: Client) -> str:
    return client.peername[0] if client.peername else ""
