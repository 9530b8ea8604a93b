"""A terminal on the loopback: asks for keys, answers the challenge, checks the digest and opens the LTKMs it gets."""

import hashlib
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Self, cast

from ltkm_inspect import reference
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.keys.opening import Verdict
from ltkm_inspect.reference import ReferenceTerminal
from ltkm_inspect.traffic import Exchange, Request
from tests.loopback.wire import Received, receive, request_octets, response_of
from tests.proxy.parts import PATIENCE


@dataclass(frozen=True, slots=True)
class Taken:
    """One exchange as the terminal saw it."""

    exchange: Exchange
    received: Received
    digest: bool | None
    """Whether the digest of the response is right; None where it has none."""

    @property
    def raw(self) -> bytes:
        """The octets of the response."""
        return self.received.raw


class Handset:
    """One terminal with one connection, which it keeps as long as it can."""

    def __init__(
        self,
        terminal: ReferenceTerminal,
        port: int,
        host: str = "127.0.0.1",
        *,
        proxied: str = "",
        source: str = "",
        key_domain: bytes = reference.KEY_DOMAIN,
    ) -> None:
        """Take up the terminal; at this address it finds the BSM, or what is in its place.

        A terminal with a proxy setting finds the proxy there, and names the BSM in its requests (`http://bsm.example`).
        `source` is its own address, if that matters.
        """
        self.terminal = terminal
        self.taken: list[Taken] = []
        """Every exchange of the LTKM request procedure, in order."""
        self._address = host, port
        self._proxied = proxied
        self._source = (source, 0) if source else None
        self._key_domain = key_domain
        self._socket: socket.socket | None = None
        self._file: BinaryIO | None = None
        self._nonce = ""
        self._opaque = ""
        self._nc = 0

    def __enter__(self) -> Self:
        """Leave the connection for later: it is made when it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connection."""
        self.close()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._socket is not None and self._file is not None:
            self._file.close()
            self._socket.close()
        self._socket = self._file = None

    def connect(self, msk_ids: Sequence[bytes]) -> Taken:
        """Ask without credentials, which is answered by a challenge, and take up what the challenge says."""
        domain = self._key_domain
        taken = self._take(reference.challenge(msk_ids, terminal=self.terminal, key_domain=domain).request)
        response = taken.exchange.response
        if response is not None and response.status == 401 and response.challenges:
            asks = response.challenges[0]
            self._nonce, self._opaque, self._nc = asks.get("nonce") or "", asks.get("opaque") or "", 0
        return taken

    def ask(self, msk_ids: Sequence[bytes]) -> Taken:
        """Ask with the credentials that fit the latest challenge."""
        self._nc += 1
        made = reference.exchange(
            msk_ids,
            (),
            terminal=self.terminal,
            nonce=self._nonce,
            nc=self._nc,
            opaque=self._opaque,
            key_domain=self._key_domain,
        )
        taken = self._take(made.request)
        info = taken.exchange.authentication_info
        next_nonce = info.get("nextnonce") if info is not None else None
        if next_nonce:
            self._nonce, self._nc = next_nonce, 0
        return taken

    def fetch(self, target: str) -> Received:
        """Get something that is no key."""
        headers = reference.challenge([], terminal=self.terminal).request.headers
        headers = headers.without("Content-Type").without("Content-Length")
        return self._exchange(Request("GET", "http", reference.BSM, 80, target, headers=headers, body=b""))

    def opened(self, taken: Taken) -> list[tuple[bytes | None, bool]]:
        """Return for each LTKM of a response the MSK in it and whether its MAC is valid, by the MUK of the terminal."""
        ring = KeyRing((self.terminal.subscriber,))
        found = []
        for ltkm in taken.exchange.document.ltkms if taken.exchange.document else ():
            opened = ring.open(ltkm.message, ltkm.octets) if ltkm.message is not None and ltkm.octets else None
            keys = opened.key_data.entries if opened is not None and opened.key_data is not None else ()
            found.append((keys[0].key if keys else None, opened is not None and opened.verdict is Verdict.VALID))
        return found

    def _take(self, request: Request) -> Taken:
        received = self._exchange(request)
        exchange = Exchange(
            request,
            response_of(received),
            client=self.terminal.address,
            connection=self.terminal.address,
            started=reference.STARTED + len(self.taken),
            ended=reference.STARTED + len(self.taken) + 0.25,
        )
        taken = Taken(exchange, received, self._digest(request, received))
        self.taken.append(taken)
        return taken

    def _exchange(self, request: Request) -> Received:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, PATIENCE, self._source)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._file = cast(BinaryIO, self._socket.makefile("rb"))
        assert self._file is not None
        self._socket.sendall(request_octets(replace(request, target=self._proxied + request.target)))
        received = receive(self._file, method=request.method)
        if received is None:
            self.close()
            raise ConnectionResetError("the connection ended without a response")
        if not received.whole or (received.headers.get("Connection") or "").lower() == "close":
            self.close()
        return received

    def _digest(self, request: Request, received: Received) -> bool | None:
        """Check `rspauth` as RFC 2617 §3.2.3 writes it, with none of the code under test."""
        info = received.headers.get("Authentication-Info") or ""
        found = re.search(r'rspauth="?([0-9a-fA-F]+)', info)
        sent = request.headers.get("Authorization") or ""
        if found is None or not sent:
            return None
        given = {name: quoted or token for name, quoted, token in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', sent)}

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        password = self.terminal.subscriber.password
        assert password is not None
        ha1 = md5(f"{given['username']}:{given['realm']}:{password.decode()}")
        ha2 = md5(f":{given['uri']}:{hashlib.md5(received.body, usedforsecurity=False).hexdigest()}")
        proof = ":".join([ha1, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2])
        return md5(proof) == found[1]
