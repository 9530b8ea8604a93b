"""What goes through the proxy: sessions of terminals, pages, hostile responses, broken-off requests, pushes."""

import hashlib
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO, cast

from ltkm_inspect import reference
from ltkm_inspect.reference import ReferenceTerminal
from ltkm_inspect.traffic import Headers, Response
from tests.bench._load import Pair, label_of
from tests.bench.bench_proxy import labelled
from tests.hostile import _codings, _documents, _headers, _messages
from tests.loopback import bsm as loopback
from tests.loopback.bsm import Bsm, Habits
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset, Taken
from tests.loopback.wire import Received, receive, request_octets, response_octets
from tests.samples.lab import granted
from tests.soak._ledger import KILLED, USUAL, Ledger

WAYS = (
    Habits(),
    Habits(streaming=True),
    Habits(bcast=False),
    Habits(next_nonce=True),
    Habits(coding="gzip"),
    Habits(chunk=300),
    Habits(code="403 Forbidden"),
)
"""How the BSM may answer a terminal; each has Key Groups of its own."""
DOMAINS = tuple(bytes.fromhex(text) for text in ("b8709d", "62f210", "00f110"))
REQUESTS = 18
"""How many keys a terminal asks for in one session; one more than a session remembers of each MUK."""
PAGES = 6
HOSTILE_FORMS, HOSTILE_OCTETS = 40, 12_000
TIMEOUT = 60.0
"""Seconds after which a terminal gives up."""
UDP_TIMEOUT = 45.0
PUSH_PORT = 2269
WEIGHTS = {"session": 10, "browse": 14, "film": 4, "hostile": 2, "drop": 4, "distrust": 2, "push": 20}
"""How often each kind of work is begun."""


class SoakBsm(Bsm):
    """The BSM, which also has pages, films and hostile responses, and may refuse everything for a while."""

    def __init__(self, hostile: Sequence[Pair]) -> None:
        """Take the hostile responses, which it gives to requests with their label."""
        super().__init__()
        self.refuses = False
        """Answer each request for keys with 503."""
        self.latest: dict[str, Response] = {}
        """The latest response to each terminal, by B-TID."""
        self._hostile = {label_of(pair.request): pair.response for pair in hostile}

    def answer(self, received: Received) -> bytes:
        """Return the octets that answer a request."""
        label = received.headers.get("X-Label")
        if label is not None:
            return self._hostile[label.encode()]
        target = received.start.split(" ")[1]
        if target.startswith("/film"):
            return response_octets(film(target), chunk=65536)
        if self.refuses and target.startswith("/keymanagement"):
            return REFUSAL
        raw = super().answer(received)
        for each in self.served:
            assert each.exchange.response is not None
            self.latest[each.b_tid] = each.exchange.response
        self.served.clear()
        return raw


REFUSAL = response_octets(
    Response(
        503, "Service Unavailable", headers=Headers(((b"Server", b"bsm/1.0"), (b"Content-Length", b"0"))), body=b""
    )
)


def film(target: str) -> Response:
    """Return a large response, in chunks or not; some are larger than what the proxy keeps, so it streams them."""
    source = random.Random(target)
    body = source.randbytes(1024) * source.choice((200, 800, 3000))
    kind = source.choice((b"video/mp4", b"image/jpeg", b"text/html"))
    framing = (b"Transfer-Encoding", b"chunked") if source.random() < 0.5 else (b"Content-Length", b"%d" % len(body))
    return Response(200, "OK", headers=Headers(((b"Content-Type", kind), framing)), body=body)


def hostile_pairs(seed: int) -> list[Pair]:
    """Return hostile requests and responses, each pair with its label."""
    forms = [form for module in (_messages, _documents, _headers) for form in module.forms()]
    chosen = random.Random(seed).sample(forms, HOSTILE_FORMS)
    chosen += [form for form in _codings.forms() if form.name == "coding gzip: a bomb"]
    exchanges = [form.of_size(HOSTILE_OCTETS) for form in chosen]
    return [labelled(each, number) for number, each in enumerate(exchanges) if each.response is not None]


class Crowd:
    """Everybody who sends something, in threads of their own, at a common pace."""

    def __init__(
        self, bsm: SoakBsm, ledger: Ledger, hostile: Sequence[Pair], name: str, *, terminals: int, rate: float
    ) -> None:
        """Take how many terminals there are, and how many events a second they send together."""
        self.name = name
        """That of the proxy that it uses, which its terminals have in their B-TIDs."""
        self.ledger = ledger
        self.port = self.udp_port = 0
        """Where the proxy listens now."""
        self.phase = USUAL
        """What the proxy goes through now, for the words of failures."""
        self.drops = False
        """Break off every request."""
        self.changed = 0
        """How many responses with keys came otherwise than the BSM sent them."""
        self.spoiled = 0
        """How many other responses did."""
        self.people = [person(f"{name} {number}") for number in range(terminals)]
        self.pushed = [person(f"{name} push {number}") for number in range(1 + terminals // 10)]
        self._bsm = bsm
        self._hostile = hostile
        self._counters = Counter[str]()
        self._interval = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()
        self._terminal_turn = threading.Lock()
        self._relay: Any = None
        """Where the latest push came from."""
        self._ends = threading.Event()
        self._threads: list[threading.Thread] = []
        self._work_begun = threading.local()
        """The port of the proxy when a thread began what it is at."""
        self.broken: list[BaseException] = []
        """What ended a thread too early."""
        self._terminal = _terminal_socket()

    @property
    def udp_upstream(self) -> str:
        """Where pushes go to."""
        host, port = self._terminal.getsockname()
        return f"{host}:{port}"

    def start(self, workers: int) -> None:
        """Begin to send; each of these has a part of the terminals to itself."""
        for number in range(workers):
            thread = threading.Thread(target=self._work, args=(number, workers), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let everybody end what they are at."""
        self._ends.set()
        for thread in self._threads:
            thread.join(TIMEOUT)
        self._terminal.close()

    def _work(self, number: int, workers: int) -> None:
        source = random.Random(number)
        people = self.people[number::workers]
        works: dict[str, Callable[[], None]] = {
            "session": lambda: self._session(source.choice(people), source),
            "browse": lambda: self._browse(source),
            "film": lambda: self._watch(f"/film/{source.randrange(1000)}"),
            "hostile": lambda: self._hostile_response(source.choice(self._hostile)),
            "drop": self._drop,
            "distrust": self._distrust,
            "push": lambda: self._push(source.choice(self.pushed), source),
        }
        try:
            while not self._ends.is_set():
                self._work_begun.port = self.port
                (kind,) = source.choices(list(works), [WEIGHTS[name] for name in works])
                works["drop" if self.drops else kind]()
        except BaseException as error:
            self.broken.append(error)
            raise

    def _pace(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next + self._interval, now - 1.0)  # what was missed is not made up for
            wait = self._next - now
        self._ends.wait(wait)

    def _exchange[T](self, host: str, kind: str, ask: Callable[[], T]) -> T | None:
        """Send something at the common pace; None where it broke off."""
        self._pace()
        phase = self.phase
        self.ledger.begin(host, kind, phase)
        try:
            answer = ask()
        except (OSError, ValueError) as error:
            is_other = self._work_begun.port != self.port  # its connection was one to a proxy that was killed
            phases = KILLED if is_other else phase if phase == self.phase else f"{phase}, {self.phase}"
            self.ledger.fail(f"{phases} ({kind}: {error})")
            self._ends.wait(0.2)
            return None
        self.ledger.end(host)
        return answer

    def _session(self, terminal: ReferenceTerminal, source: random.Random) -> None:
        way, domain = source.randrange(len(WAYS)), source.randrange(len(DOMAINS))
        group = bytes([0x24, way * len(DOMAINS) + domain])
        first = source.randrange(1, 60000)
        ids = [group + (first + number).to_bytes(2) for number in range(REQUESTS + 1)]
        self._bsm.subscribe(terminal, WAYS[way])
        host = self.ledger.address()
        with Handset(terminal, self.port, source=host, key_domain=DOMAINS[domain]) as handset:
            challenge = self._exchange(host, "session", lambda: handset.connect(ids[:1]))
            if challenge is None or not challenge.received.start.startswith("HTTP/1.1 401"):
                return  # without a nonce there is nothing to ask with
            for number in range(REQUESTS):
                if self._ends.is_set():
                    return
                wanted = ids[number : number + 1 + number % 2]
                taken = self._exchange(host, "session", lambda wanted=wanted: handset.ask(wanted))  # type: ignore[misc]
                if taken is None:
                    return
                self._compare(terminal, taken)
                handset.taken.clear()

    def _compare(self, terminal: ReferenceTerminal, taken: Taken) -> None:
        if taken.exchange.response is not None and taken.exchange.response.status == 200:
            sent = self._bsm.latest[terminal.b_tid]
            self.changed += taken.exchange.response != sent  # whose chunks the proxy joins

    def _browse(self, source: random.Random) -> None:
        host = self.ledger.address()
        with Handset(reference.TERMINAL, self.port, source=host) as browser:
            for _ in range(PAGES):
                target = f"/page/{source.randrange(10000)}"
                got = self._exchange(host, "foreign", lambda target=target: browser.fetch(target))  # type: ignore[misc]
                if got is None or self._ends.is_set():
                    return
                self.spoiled += got.body != loopback.page(target).body

    def _watch(self, target: str) -> None:
        host = self.ledger.address()
        with Handset(reference.TERMINAL, self.port, source=host) as browser:
            got = self._exchange(host, "foreign", lambda: browser.fetch(target))
        if got is not None:
            self.spoiled += got.body != film(target).body

    def _hostile_response(self, pair: Pair) -> None:
        host = self.ledger.address()
        self._exchange(host, "hostile", lambda: self._raw(host, pair.request))

    def _raw(self, host: str, octets: bytes) -> Received:
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT, (host, 0)) as client:
            client.sendall(octets)
            with cast(BinaryIO, client.makefile("rb")) as file:
                received = receive(file, method=octets.partition(b" ")[0].decode())
        if received is None or not received.whole:
            raise ConnectionResetError("the connection ended inside a response")
        return received

    def _drop(self) -> None:
        """Send a request and reset the connection at once."""
        self._pace()
        host = self.ledger.address()
        octets = request_octets(reference.challenge([b"\x24\xff\0\1"], terminal=self.people[0]).request)
        self.ledger.begin(host, "drop")
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), TIMEOUT, (host, 0)) as client,
        ):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(octets)

    def _distrust(self) -> None:
        """Begin TLS and refuse the certificate, as a terminal does that does not know the CA of the proxy."""
        self._pace()
        host = self.ledger.address()
        self.ledger.begin(host, "foreign")
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), TIMEOUT, (host, 0)) as client,
            ssl.create_default_context().wrap_socket(client, server_hostname="app.example"),
        ):
            pass

    def _push(self, terminal: ReferenceTerminal, source: random.Random) -> None:
        """Push keys to a terminal over UDP, which answers each."""
        host = self.ledger.address()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pusher:
            pusher.settimeout(UDP_TIMEOUT)
            pusher.bind((host, PUSH_PORT))
            for _ in range(3):
                if self._ends.is_set():
                    return
                with self._terminal_turn:  # all terminals share one port, to which the proxy relays
                    octets, answer = self._message(terminal, source)
                    if self._exchange(host, "push", lambda octets=octets: self._send(pusher, octets)) is None:  # type: ignore[misc]
                        return
                    if self._exchange(host, "push", lambda answer=answer: self._reply(pusher, answer)) is None:  # type: ignore[misc]
                        return

    def _message(self, terminal: ReferenceTerminal, source: random.Random) -> tuple[bytes, bytes]:
        """Return the next push to a terminal, and what the terminal answers."""
        self._counters[terminal.b_tid] += 1
        counter = self._counters[terminal.b_tid]
        csb_id = int.from_bytes(hashlib.sha256(f"{terminal.b_tid} {counter}".encode()).digest()[:4])
        grant = granted((b"\x25\x01" + source.randrange(1, 60000).to_bytes(2)).hex())
        message = reference.push(replace(grant, counter=counter, csb_id=csb_id), terminal, v=True)
        return message.encode(), reference.verification(message, terminal).encode()

    def _send(self, pusher: socket.socket, octets: bytes) -> bool:
        pusher.sendto(octets, ("127.0.0.1", self.udp_port))
        while True:
            got, self._relay = self._terminal.recvfrom(65536)
            if got == octets:
                return True

    def _reply(self, pusher: socket.socket, octets: bytes) -> bool:
        self._terminal.sendto(octets, self._relay)
        return pusher.recv(65536) == octets


def _terminal_socket() -> socket.socket:
    """Return a socket on the port that pushes go to, on a free address of the loopback."""
    for last in range(1, 255):
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found.bind((f"127.63.0.{last}", PUSH_PORT))
        except OSError:
            found.close()
            continue
        found.settimeout(UDP_TIMEOUT)
        return found
    raise OSError(f"port {PUSH_PORT} is taken on all addresses of 127.63.0.0/24")
