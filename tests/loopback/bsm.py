"""A BSM on the loopback: an HTTP/1.1 server that speaks the LTKM request procedure, with digests and LTKMs."""

import hashlib
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ltkm_inspect import coding, digest, reference
from ltkm_inspect.digest import Directives
from ltkm_inspect.document import MSK_RESPONSE_TYPE
from ltkm_inspect.mikey import Message
from ltkm_inspect.reference import BSM, OPAQUE, REQUEST_TARGET, Grant, ReferenceTerminal
from ltkm_inspect.traffic import Exchange, Headers, Request, Response
from tests.loopback.server import Listener
from tests.loopback.wire import Received, response_octets
from tests.samples.lab import granted


@dataclass(frozen=True, slots=True)
class Habits:
    """How the BSM answers one terminal."""

    delivers: bool = True
    """Its answers carry the LTKMs; without, it is plain MBMS."""
    code: str = "200 OK"
    """The response code of every item; LTKMs go with no other code than this one."""
    streaming: bool = False
    bcast: bool = True
    next_nonce: bool = False
    """Every answer names the nonce of the next request."""
    coding: str = ""
    """The content coding of its answers."""
    chunk: int = 0
    """Octets in a chunk of its answers; 0 for Content-Length."""


@dataclass(slots=True)
class Account:
    """What the BSM knows of one terminal."""

    terminal: ReferenceTerminal
    habits: Habits
    counter: int
    """The counter of the latest LTKM."""
    nonce_counts: dict[str, int] = field(default_factory=dict)
    """The nonces that it may use, each with the highest count that it has used."""


@dataclass(frozen=True, slots=True)
class Served:
    """One exchange as the BSM saw it."""

    exchange: Exchange
    raw: bytes
    """The octets of the response."""
    b_tid: str = ""
    """The terminal, where the request proved it."""


class Bsm(Listener):
    """The server; every terminal that it serves must have an account."""

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(self.answer, address)
        self.served: list[Served] = []
        """Every exchange of the LTKM request procedure, in the order of the responses."""
        self.accounts: dict[str, Account] = {}
        self._nonces = 0
        self._unused: set[str] = set()
        """The nonces of challenges that no terminal has answered yet."""
        self._lock = threading.Lock()

    def subscribe(self, terminal: ReferenceTerminal, habits: Habits | None = None, *, counter: int = 41) -> None:
        """Open an account, or change the habits of one."""
        with self._lock:
            account = self.accounts.setdefault(terminal.b_tid, Account(terminal, Habits(), counter))
            account.habits = habits or Habits()

    def answer(self, received: Received) -> bytes:
        """Return the octets that answer a request."""
        method, target, version = received.start.split(" ")
        request = Request(method, "http", BSM, 80, target, version, received.headers, received.body)
        if not target.startswith("/keymanagement"):
            return response_octets(page(target))
        with self._lock:
            response, b_tid, chunk = self._keys(request)
            raw = response_octets(response, chunk=chunk or 512)
            self.served.append(Served(Exchange(request, response), raw, b_tid))
        return raw

    def _keys(self, request: Request) -> tuple[Response, str, int]:
        credentials = request.credentials
        account = self.accounts.get((credentials.get("username") if credentials else None) or "")
        if credentials is None or account is None:
            return self._challenge(), "", 0
        nonce = credentials.get("nonce") or ""
        if nonce in self._unused:
            self._unused.remove(nonce)
            account.nonce_counts[nonce] = 0
        if not _is_proved(request, credentials, account):
            return self._challenge(), "", 0
        return self._delivery(request, credentials, account), account.terminal.b_tid, account.habits.chunk

    def _nonce(self) -> str:
        self._nonces += 1
        return hashlib.sha256(f"nonce {self._nonces}".encode()).hexdigest()[:32]

    def _challenge(self) -> Response:
        nonce = self._nonce()
        self._unused.add(nonce)  # whose it is shows when it is used
        asks = f'Digest realm="3GPP-bootstrapping@{BSM}", nonce="{nonce}", algorithm=MD5, qop="auth-int"'
        fields = (("WWW-Authenticate", f'{asks}, opaque="{OPAQUE}"'), ("Content-Length", "0"))
        return Response(401, "Unauthorized", headers=_headers(*fields), body=b"")

    def _delivery(self, request: Request, credentials: Directives, account: Account) -> Response:
        habits = account.habits
        items = []
        for domain, msk_id in Exchange(request).requested_pairs:
            grant = granted(msk_id.hex(), streaming=habits.streaming, bcast=habits.bcast)
            grant = replace(grant, key_domain=domain, seq_l=b"\0\1" if habits.streaming else grant.seq_l)
            delivers = habits.delivers and habits.code == "200 OK"
            items.append((grant, habits.code, self._ltkm(grant, account) if delivers else None))
        body = coding.encode(reference.response_document(items), habits.coding or None)
        password = account.terminal.subscriber.password
        assert password is not None
        info = f'qop=auth-int, rspauth="{digest.rspauth(credentials, password, body)}"'
        info += f', cnonce="{credentials.get("cnonce")}", nc={credentials.get("nc")}'
        if habits.next_nonce:
            nonce = self._nonce()
            account.nonce_counts[nonce] = 0
            info += f', nextnonce="{nonce}"'
        fields = [("Authentication-Info", info), ("Content-Type", MSK_RESPONSE_TYPE)]
        fields += [("Content-Encoding", habits.coding)] if habits.coding else []
        fields.append(("Transfer-Encoding", "chunked") if habits.chunk else ("Content-Length", str(len(body))))
        return Response(200, "OK", headers=_headers(*fields), body=body)

    def _ltkm(self, grant: Grant, account: Account) -> Message:
        account.counter += 1
        seed = hashlib.sha256(f"{account.terminal.b_tid} {account.counter}".encode()).digest()
        message = replace(grant, counter=account.counter, csb_id=int.from_bytes(seed[:4]))
        return reference.ltkm(message, account.terminal)


def _is_proved(request: Request, credentials: Directives, account: Account) -> bool:
    """Tell whether the terminal proves itself: by the digest of the request, and by a count not used before."""
    nonce, count, password = credentials.get("nonce"), credentials.get("nc"), account.terminal.subscriber.password
    if nonce not in account.nonce_counts or count is None or password is None or credentials.get("qop") != "auth-int":
        return False
    if int(count, 16) <= account.nonce_counts[nonce] or request.target != REQUEST_TARGET:
        return False
    if digest.response(credentials, password, request.method, request.body or b"") != credentials.get("response"):
        return False
    account.nonce_counts[nonce] = int(count, 16)
    return True


def _headers(*fields: tuple[str, str]) -> Headers:
    return Headers(tuple((name.encode(), value.encode()) for name, value in (("Server", "bsm/1.0"), *fields)))


def page(target: str) -> Response:
    """Return the page of that path, which is no answer to a key request; the same path has the same page."""
    source = random.Random(target)
    body = source.randbytes(source.randrange(4000))
    kind = source.choice(["text/html; charset=utf-8", "application/xml", "application/octet-stream"])
    fields = (("Content-Type", kind), ("Content-Length", str(len(body))))
    return Response(200, "OK", headers=_headers(*fields), body=body)


def ring_text(terminals: Iterable[ReferenceTerminal]) -> str:
    """Return the key ring of these terminals."""
    return "".join(
        f'[[subscribers]]\nb_tid = "{each.b_tid}"\nnaf = "{BSM}"\nmuk = "{each.muk.hex()}"\nmrk = "{each.mrk.hex()}"\n'
        for each in terminals
    )
