"""What goes together in a run: challenges and their answers, exchanges of one terminal, LTKMs of one MUK.

The session looks at exchanges one after the other, in the order in which they were captured. What a rule is shown is a
`SessionEvent`, an exchange with what went before it, and a `DeliveredLtkm`, an LTKM with what its MUK protected before
it.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.keys import KeyRing, OpenedMessage, Subscriber, Verdict
from ltkm_inspect.keys.opening import what_is_missing
from ltkm_inspect.mikey import Identity, Kemac, KeyData, Message, Rand, SecurityPolicy, Timestamp
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.traffic import Event, Exchange, Ltkm

LIMIT = 10_000
"""How many exchanges, terminals, connections, nonces and MUKs a session remembers, each; the oldest are forgotten."""
LTKMS_OF_MUK = 16
"""How many LTKMs of one MUK are remembered, besides its counter."""
USES_OF_NONCE = 32
"""How many uses of one nonce are remembered, besides its highest count."""
COPIES_OF_EXCHANGE = 16
"""How many exchanges with the same octets are remembered, the latest."""
SAME_TIME = 1.0
"""How many seconds apart one exchange may seem to be that was captured twice with one clock."""
CLOCK_SKEW = 60.0
"""How many seconds apart it may seem to be in two captures, if not told otherwise."""
REQUESTS_OF_TERMINAL = 16
"""How many requests of one terminal are remembered."""
HALF = 1 << 31
"""The distance of two counters at which neither is the newer one (RFC 1982 §3.2, 32 bits)."""
GROUP_OCTETS = 2
"""The Key Group part of an MSK ID."""

_SALT = os.urandom(16)
_NO_KEYS = KeyRing()


@lru_cache(maxsize=LIMIT)
def _same[T](value: T) -> T:
    """Return the first of all equal values."""
    return value


type Muk = tuple[bytes, bytes]
"""What names a MUK: IDi, the BM-SC, and IDr, the terminal (3GPP TS 33.246 6.1)."""
type Pair = tuple[bytes, bytes]
"""Key Domain ID and MSK ID."""


def distance(new: int, old: int) -> int:
    """Return how far a counter is ahead of another one, from 0 to 2^32 - 1 (RFC 1982 with 32 bits)."""
    return (new - old) % (1 << 32)


def is_newer(new: int, old: int) -> bool:
    """Tell whether a counter is newer than another one; equal ones, and those half the range apart, are not."""
    return 0 < distance(new, old) < HALF


class LtkmRecord(NamedTuple):
    """An LTKM that was delivered, as far as later ones are compared with it."""

    octets: bytes
    counter: int
    csb_id: int
    rand: bytes
    encr_data: bytes
    pair: Pair | None
    """None where the message has not exactly one of each."""
    policies: tuple[SecurityPolicy, ...]

    @classmethod
    def of(cls, message: Message, octets: bytes) -> "LtkmRecord | None":
        """Return what is remembered of a message; None for one without header, counter, RAND or KEMAC."""
        times, rands, kemacs = message.of(Timestamp), message.of(Rand), message.of(Kemac)
        if message.header is None or not times or times[0].type != COUNTER or not rands or not kemacs:
            return None
        domain, msk_id = message.key_id(0), message.key_id(1)
        return cls(
            octets,
            int.from_bytes(times[0].value),
            message.header.csb_id,
            rands[0].value,
            kemacs[0].encr_data,
            (domain, msk_id) if domain is not None and msk_id is not None else None,
            message.of(SecurityPolicy),
        )

    @property
    def key_group(self) -> tuple[bytes, bytes] | None:
        """Key Domain ID and Key Group part."""
        return (self.pair[0], self.pair[1][:GROUP_OCTETS]) if self.pair is not None else None


class MukHistory(NamedTuple):
    """What one MUK protected so far."""

    counter: int | None = None
    """The newest counter that was delivered."""
    at: float | None = None
    """When the newest was delivered, in seconds since 1970 UTC."""
    ltkms: tuple[LtkmRecord, ...] = ()
    """The latest LTKMs, the oldest first."""
    number: int = 0
    """How many LTKMs there were, those that are not remembered among them."""

    def after(self, sent: LtkmRecord, at: float | None) -> "MukHistory":
        """Return what it is once this LTKM was delivered."""
        newest = self.counter is None or is_newer(sent.counter, self.counter)
        counter, at = (sent.counter, at) if newest else (self.counter, self.at)
        return MukHistory(counter, at, (*self.ltkms[1 - LTKMS_OF_MUK :], sent), self.number + 1)


class NonceUse(NamedTuple):
    """One use of a nonce."""

    number: int
    """The nonce count."""
    content: int
    """A hash of all that was asked."""


class NonceHistory(NamedTuple):
    """How one terminal used one nonce so far."""

    highest: int | None = None
    at: float | None = None
    """When the request with the highest count began."""
    latest: tuple[NonceUse, ...] = ()

    def after(self, use: NonceUse, at: float | None) -> "NonceHistory":
        """Return what it is after one more use."""
        higher = self.highest is None or use.number > self.highest
        highest, at = (use.number, at) if higher else (self.highest, self.at)
        return NonceHistory(highest, at, (*self.latest[1 - USES_OF_NONCE :], use))


class KeyRequest(NamedTuple):
    """One request of a terminal, and what became of it."""

    pairs: frozenset[Pair]
    at: float | None
    answered: bool
    delivered: frozenset[Pair] = frozenset()
    """What was asked for and came with an LTKM."""


class TerminalHistory(NamedTuple):
    """What one terminal did so far."""

    requests: tuple[KeyRequest, ...] = ()
    nonce: str | None = None
    """The nonce of its latest request with an answer."""
    next_nonce: str | None = None
    """What that answer gave as nextnonce."""
    answered: float | None = None
    """When that answer ended."""
    exchanges: int = 0
    """How many exchanges there were; the same one captured twice counts once."""
    first: float | None = None
    """When the first of them began."""
    last: float | None = None
    """When the latest of them began."""


class EventCopy(NamedTuple):
    """One exchange of several that are the same, octet for octet."""

    id: str
    started: float | None
    ended: float | None
    connection: str
    client: str
    capture: str
    is_replayed: bool
    is_accepted: bool
    """It was answered as a whole, and not in order to have the request again."""
    is_counted: bool
    """Its credentials have a nonce, so that no lawful request is the same again."""

    def is_twin(self, other: "EventCopy", clock_skew: float) -> bool:
        """Tell whether a later one is this very exchange, captured twice or replayed by mitmproxy.

        It is where both came at one time, or over one connection if their credentials count. The clocks of two captures
        may differ by `clock_skew` seconds. A time that was not captured may be any.
        """
        is_elsewhere = self.capture != other.capture
        # The connection in a HAR is a number that has a meaning within that HAR alone.
        is_known = bool(self.connection) and (bool(self.client) or not is_elsewhere)
        if is_known and self.is_counted and (self.connection, self.client) == (other.connection, other.client):
            return True
        if other.is_replayed or (self.is_replayed and _apart(self.started, other.started) >= 0):
            return True
        most = max(SAME_TIME, clock_skew) if is_elsewhere else SAME_TIME
        times = (self.started, other.started), (self.ended, other.ended)
        return all(abs(_apart(one, two)) <= most for one, two in times)


def _apart(one: float | None, other: float | None) -> float:
    """Return how many seconds the first of two times is the later one; 0 where one is not known."""
    return 0.0 if one is None or other is None else round(one - other, 6)


_NOTHING = MukHistory()
_UNUSED = NonceHistory()
_UNKNOWN = TerminalHistory()
_NOBODY: Mapping[bytes, tuple[bytes, ...]] = MappingProxyType({})


@dataclass(slots=True)
class PriorState:
    """What the session knew before an exchange; kept, so that an exchange that is checked again is judged the same."""

    challenges: tuple[digest.Directives, ...] = ()
    """The challenges of the 401 that the credentials answer; none where it was not seen."""
    question: int = 0
    """A hash of what is asked; 0 without credentials."""
    fingerprint: int = 0
    """A hash that only an exchange with the same octets has as well; 0 without credentials and LTKMs."""
    twin: str = ""
    """The id of an earlier exchange that is this very one, captured twice or replayed by mitmproxy."""
    replayed: str = ""
    """The id of an earlier exchange that this one repeats, octet for octet, and was answered again; none of a twin."""
    uses: NonceHistory = _UNUSED
    habits: TerminalHistory = _UNKNOWN
    known: tuple[tuple[Muk, MukHistory | None, bytes | None], ...] = ()
    """Of each MUK of the exchange what it protected, and the IDi of the latest LTKM for its IDr; None for neither."""
    receivers: Mapping[bytes, tuple[bytes, ...]] = _NOBODY
    """By IDi, the IDrs of the LTKMs that came over this connection, the latest last."""

    @property
    def muks(self) -> Mapping[Muk, MukHistory]:
        """What each MUK protected."""
        return {muk: protected for muk, protected, _ in self.known if protected is not None}

    @property
    def senders(self) -> Mapping[bytes, bytes]:
        """By IDr, the IDi of the latest LTKM for it."""
        return {idr: idi for (_, idr), _, idi in self.known if idi is not None}


@dataclass(slots=True)
class EventSummary:
    """What a session keeps of an exchange, which another process may have looked at."""

    id: str
    started: float | None
    ended: float | None
    terminal: str
    connection: str
    """What tells the connection from others."""
    client: str
    """Address and port."""
    capture: str
    """What tells the capture from others."""
    is_replayed: bool
    """mitmproxy replayed its request or its response."""
    nonce: str | None
    """Of the request; None without credentials."""
    number: int | None
    """The nonce count; None without one that counts."""
    question: int
    """A hash of what is asked; 0 without credentials and LTKMs."""
    fingerprint: int
    """A hash that only an exchange with the same octets has as well; 0 without credentials and LTKMs."""
    challenges: Mapping[str, tuple[digest.Directives, ...]]
    """Those of a 401, by their nonce."""
    asked: "KeyRequest"
    is_answer: bool
    """The request has credentials, and a response came."""
    is_accepted: bool
    """The response is whole, and asks neither for other credentials nor for the request at a later time."""
    next_nonce: str | None
    """What the response gives as nextnonce."""
    sent: tuple[tuple[Muk, LtkmRecord], ...]
    """The LTKMs that a terminal would take."""
    delivered: tuple[tuple[Muk, LtkmRecord], ...]
    """Those of them that the terminal took, as far as is known."""
    proved: frozenset[bytes]
    """Digests of the keys that verified something in the exchange."""

    @property
    def copy(self) -> EventCopy:
        """What exchanges with the same octets are told apart by."""
        times = self.started, self.ended
        where = self.connection, self.client, self.capture
        return EventCopy(self.id, *times, *where, self.is_replayed, self.is_accepted, self.nonce is not None)

    def share(self) -> None:
        """Let go of what is equal to something that other exchanges have as well: thousands of these are kept."""
        self.terminal, self.connection, self.nonce = _same(self.terminal), _same(self.connection), _same(self.nonce)
        self.client, self.capture = _same(self.client), _same(self.capture)
        pairs, delivered = _same(self.asked.pairs), _same(self.asked.delivered)
        self.asked = self.asked._replace(pairs=pairs, delivered=delivered)
        took = self.delivered is self.sent or self.delivered == self.sent
        self.sent = tuple(
            [(_same(muk), sent._replace(rand=_same(sent.rand), pair=_same(sent.pair))) for muk, sent in self.sent]
        )
        if took:
            self.delivered = self.sent


class DigestProof(NamedTuple):
    """What a key says of a digest."""

    holds: bool | None
    """None where it cannot be told."""
    reason: str
    """Why it cannot be told."""


@dataclass(eq=False)  # nothing here is frozen: each exchange makes many of these, and that would double what they cost
class SessionEvent:
    """An exchange as a step of its session: with what went before it."""

    label = "session"

    exchange: Exchange
    before: PriorState | None = field(default=None, repr=False)
    """None where the exchange is older than what the session remembers."""
    keys: KeyRing = _NO_KEYS
    """The keys at hand."""
    proved_before: Set[bytes] = frozenset()
    """Digests of the keys that verified something earlier in the session."""

    @property
    def event(self) -> Event:
        """The exchange."""
        return self.exchange

    @cached_property
    def subscriber(self) -> Subscriber | None:
        """Who asks, as the key ring knows them by the credentials; None without keys or credentials."""
        credentials = self.exchange.request.credentials
        if not self.keys or credentials is None:
            return None
        realm = credentials.realm
        return self.keys.find(credentials.get("username"), realm.fqdn if realm is not None else None)

    @cached_property
    def request_proof(self) -> DigestProof:
        """What the MRK says of the digest in the request (RFC 7616 §3.4.1)."""
        request = self.exchange.request
        credentials, subscriber = request.credentials, self.subscriber
        if credentials is None:
            return DigestProof(None, "the request has no digest credentials")
        if credentials.hides_username:
            return DigestProof(None, "the user name is hashed or encoded, so whose MRK it takes is not known")
        if subscriber is None or subscriber.password is None:
            return DigestProof(None, f"no MRK for the user name of the request: {what_is_missing(subscriber, 'MRK')}")
        if not self.exchange.raw:
            return DigestProof(None, "a HAR does not keep the octets as they were sent")
        if request.body is None:
            return DigestProof(None, "the body of the request was not captured")
        sent = credentials.get("response")
        if not sent or len(sent) != credentials.digits:
            return DigestProof(None, "the response of the credentials is not there, or not of the right length")
        try:
            right = digest.response(credentials, subscriber.password, request.method, request.body)
        except ValueError as error:
            return DigestProof(None, f"the digest cannot be computed: {error}")
        return DigestProof(right == sent.lower(), "")

    @cached_property
    def response_proof(self) -> DigestProof:
        """What the MRK says of rspauth in the response (RFC 7616 §3.5); unknown where it fails the request already."""
        response, credentials = self.exchange.response, self.exchange.request.credentials
        if self.request_proof.holds is not True:
            return DigestProof(None, self.request_proof.reason or "the same key fails the digest of the request")
        information = self.exchange.authentication_info
        sent = information.get("rspauth") if information is not None else None
        if response is None or not sent or credentials is None or len(sent) != credentials.digits:
            return DigestProof(None, "rspauth is not there, or not of the right length")
        if response.body is None or self.exchange.error is not None:
            return DigestProof(None, "the body of the response was not captured, or not as a whole")
        assert self.subscriber is not None
        assert self.subscriber.password is not None
        try:
            right = digest.rspauth(credentials, self.subscriber.password, response.body)
        except ValueError as error:
            return DigestProof(None, f"the digest cannot be computed: {error}")
        return DigestProof(right == sent.lower(), "")

    @cached_property
    def opened(self) -> tuple[tuple[Ltkm, OpenedMessage], ...]:
        """The LTKMs of the exchange and what the keys make of them; none without keys."""
        document = self.exchange.document
        if not self.keys or document is None or not document.xml.well_formed:
            return ()
        return tuple(
            (ltkm, self.keys.open(ltkm.message, ltkm.octets))
            for ltkm in document.ltkms[: self.exchange.limits.ltkms]
            if ltkm.octets and ltkm.message is not None
        )

    @cached_property
    def openings(self) -> tuple["OpenedLtkm", ...]:
        """The same as steps of the session."""
        known = {delivery.ltkm: delivery for delivery in self.deliveries} if self.opened else {}
        return tuple(OpenedLtkm(ltkm, self, opened, known.get(ltkm)) for ltkm, opened in self.opened)

    @cached_property
    def proved_here(self) -> frozenset[bytes]:
        """Digests of the keys that verified something in this exchange."""
        if not self.keys:
            return frozenset()
        proved = {_digest_of(opened.muk) for _, opened in self.opened if opened.muk is not None}
        if self.request_proof.holds and self.subscriber is not None and self.subscriber.mrk is not None:
            proved.add(_digest_of(self.subscriber.mrk))
        return frozenset(proved)

    @cached_property
    def proved(self) -> Set[bytes]:
        """Digests of the keys that verified something earlier in the session or in this exchange."""
        return self.proved_here | self.proved_before if self.proved_here else self.proved_before

    def is_proved(self, keys: Iterable[bytes | None]) -> bool:
        """Tell whether one of these keys has verified something: then a failure is not the fault of the key ring."""
        return any(key is not None and _digest_of(key) in self.proved for key in keys)

    @property
    def connection(self) -> str:
        """What tells the connection from others; where that was not captured, the address."""
        return self.exchange.connection or self.exchange.client

    @cached_property
    def senders(self) -> Mapping[bytes, bytes]:
        """By IDr, the IDi of the latest LTKM for it before this exchange; none where that is not known."""
        return {} if self.before is None else self.before.senders

    @cached_property
    def nonce(self) -> str | None:
        """The nonce of the request; None without credentials."""
        credentials = self.exchange.request.credentials
        return credentials.get("nonce") if credentials is not None else None

    @cached_property
    def use(self) -> NonceUse | None:
        """How the request uses its nonce; None without credentials that count."""
        number = self.seen.number
        return None if number is None else NonceUse(number, self.before.question if self.before is not None else 0)

    @cached_property
    def seen(self) -> EventSummary:
        """What a session keeps of the exchange."""
        exchange, nonce = self.exchange, self.nonce
        response, credentials = exchange.response, exchange.request.credentials
        taken = self.sent if self.was_delivered else ()
        forged = {ltkm for ltkm, opened in self.opened if opened.verdict is Verdict.INVALID} if taken else ()
        question, fingerprint = _hashes(exchange) if nonce is not None or self.sent else (0, 0)
        answered = response is not None and exchange.error is None
        asks_next = response is not None and "nextnonce" in (response.authentication_info_text or "").lower()
        info = response.authentication_info if response is not None and credentials is not None and asks_next else None
        pairs = frozenset(exchange.requested_pairs)
        came = frozenset([sent.pair for _, _, sent in taken if sent.pair])
        return EventSummary(
            exchange.id,
            exchange.started,
            exchange.ended,
            exchange.terminal,
            self.connection,
            exchange.client,
            exchange.capture,
            exchange.is_replayed,
            nonce,
            _number(credentials),
            question,
            fingerprint,
            _challenges(exchange) if response is not None and response.status == 401 else {},
            KeyRequest(pairs, exchange.started, answered, pairs if came == pairs else came),
            response is not None and credentials is not None,
            answered and response is not None and response.status != 401 and response.status < 500,
            None if info is None else info.get("nextnonce"),
            tuple([(muk, sent) for _, muk, sent in self.sent]),
            tuple([(muk, sent) for ltkm, muk, sent in taken if ltkm not in forged]),
            self.proved_here,
        )

    @cached_property
    def sent(self) -> tuple[tuple[Ltkm, Muk, LtkmRecord], ...]:
        """The LTKMs of the exchange that a terminal would take, in document order; of the very octets the first."""
        document = self.exchange.document
        if document is None or not document.xml.well_formed:
            return ()
        found: dict[bytes, tuple[Ltkm, Muk, LtkmRecord]] = {}
        for ltkm in document.ltkms[: self.exchange.limits.ltkms]:
            if ltkm.octets and ltkm.octets not in found:
                sent = _sent(ltkm)
                if sent is not None:
                    found[ltkm.octets] = (ltkm, *sent)
        return tuple(found.values())

    @cached_property
    def deliveries(self) -> tuple["DeliveredLtkm", ...]:
        """The LTKMs that a terminal would take, each with what went before it; none where that is not known."""
        if self.before is None or self.before.twin:
            return ()
        known = self.before.muks
        beside: dict[Muk, tuple[LtkmRecord, ...]] = {}
        deliveries = []
        for ltkm, muk, sent in self.sent:
            mine = beside.get(muk, ())
            deliveries.append(DeliveredLtkm(ltkm, self, muk, sent, known.get(muk, _NOTHING), mine))
            beside[muk] = (*mine[1 - LTKMS_OF_MUK :], sent)
        return tuple(deliveries)

    @property
    def was_delivered(self) -> bool:
        """The response reached the terminal as a whole, and is one that a terminal takes LTKMs from."""
        response = self.exchange.response
        return response is not None and response.status == 200 and self.exchange.error is None


@dataclass(eq=False)
class OpenedLtkm:
    """An LTKM with what the keys at hand say of it."""

    label = "key"

    ltkm: Ltkm
    step: SessionEvent = field(repr=False)
    opened: OpenedMessage
    delivery: "DeliveredLtkm | None" = field(default=None, repr=False)
    """The LTKM as a step of the session; None where no terminal would take it."""

    @property
    def event(self) -> Event:
        """The event that the LTKM is in."""
        return self.ltkm.event

    @property
    def entries(self) -> tuple[KeyData, ...]:
        """The key data sub-payloads; none where the message could not be opened."""
        return self.opened.key_data.entries if self.opened.key_data is not None else ()

    @property
    def is_proved(self) -> bool:
        """A MUK that was tried has verified something else, so that it is right."""
        subscriber = self.opened.subscriber
        return subscriber is not None and self.step.is_proved(subscriber.muks)


@dataclass(eq=False)
class DeliveredLtkm:
    """An LTKM as a step of its session: with what its MUK protected before it."""

    label = "session"

    ltkm: Ltkm
    step: SessionEvent = field(repr=False)
    muk: Muk
    sent: LtkmRecord
    before: MukHistory
    """What the MUK had protected before this exchange."""
    beside: tuple[LtkmRecord, ...]
    """The LTKMs of the MUK that stand in front of this one in its document."""

    @property
    def event(self) -> Event:
        """The event that the LTKM is in."""
        return self.ltkm.event

    @property
    def message(self) -> Message:
        """The message of the LTKM."""
        assert self.ltkm.message is not None
        return self.ltkm.message

    @property
    def earlier(self) -> tuple[LtkmRecord, ...]:
        """Every LTKM of the MUK that is remembered, those in front of this one in its document last."""
        return (*self.before.ltkms, *self.beside) if self.beside else self.before.ltkms

    @cached_property
    def same_msk(self) -> LtkmRecord | None:
        """The latest LTKM in front of this one that delivered the same MSK to the same terminal."""
        pair = self.sent.pair
        if pair is None:
            return None
        for each in reversed(self.earlier):
            if each.pair == pair:
                return each
        return None

    @property
    def is_overtaken(self) -> bool:
        """It ended before the newest LTKM of the MUK did, so the capture is not in the order of delivery."""
        ended, newest = self.step.exchange.ended, self.before.at
        return ended is not None and newest is not None and ended < newest


class Session:
    """What a run has seen so far, as far as rules need it; the oldest is forgotten where it grows too large."""

    def __init__(self, limit: int = LIMIT, clock_skew: float = CLOCK_SKEW) -> None:
        """Start with nothing seen; `limit` is how many exchanges, terminals and MUKs are remembered, each.

        `clock_skew` is how many seconds the clocks of two captures may differ.
        """
        self.limit = limit
        self.clock_skew = clock_skew
        self.forgotten = 0
        """How many exchanges were forgotten."""
        self.forgotten_terminals = 0
        self.forgotten_muks = 0
        self._forgotten_until: float | None = None
        self._taken: dict[tuple[str, float | None], PriorState] = {}
        """By id and time, since a HAR numbers its exchanges only."""
        self._copies: dict[int, tuple[EventCopy, ...]] = {}
        """By fingerprint, the latest last."""
        self._challenges: dict[str, tuple[digest.Directives, ...]] = {}
        self._uses: dict[tuple[str, str], NonceHistory] = {}
        self._habits: dict[str, TerminalHistory] = {}
        self._muks: dict[Muk, MukHistory] = {}
        self._receivers: dict[str, Mapping[bytes, tuple[bytes, ...]]] = {}
        self._senders: dict[bytes, bytes] = {}
        self._bounded: tuple[dict[Any, Any], ...] = (
            self._copies,
            self._challenges,
            self._uses,
            self._habits,
            self._muks,
            self._receivers,
            self._senders,
        )
        self._proved: Set[bytes] = frozenset()
        self._unnamed = 0

    def __getstate__(self) -> dict[str, Any]:
        """Take to another process what is known of terminals and MUKs, but no single exchange."""
        return {**self.__dict__, "_taken": {}}

    def become(self, other: "Session") -> None:
        """Take over what another session knows, which is given up."""
        self.__dict__.update(other.__dict__)

    def copy(self) -> "Session":
        """Return a session that has seen the same, and goes its own way from here on."""
        other = Session(self.limit, self.clock_skew)
        other.forgotten, other._forgotten_until = self.forgotten, self._forgotten_until
        other.forgotten_terminals, other.forgotten_muks = self.forgotten_terminals, self.forgotten_muks
        other._taken.update(self._taken)
        for mine, known in zip(other._bounded, self._bounded, strict=True):
            mine.update(known)  # what stands in them is never changed, only replaced
        other._proved, other._unnamed = self._proved, self._unnamed
        return other

    def look(self, exchange: Exchange, keys: KeyRing = _NO_KEYS) -> SessionEvent:
        """Return an exchange with what went before it; the session does not change."""
        return self.place(SessionEvent(exchange, None, keys), remember=False)

    def take(self, exchange: Exchange, keys: KeyRing = _NO_KEYS) -> SessionEvent:
        """Return an exchange with what went before it, and remember it; one that was taken before changes nothing.

        Where the MUK of an LTKM is known, it only counts as delivered if its MAC is valid.
        """
        return self.place(SessionEvent(exchange, None, keys))

    def place(self, step: SessionEvent, *, remember: bool = True) -> SessionEvent:
        """Tell a step that was made elsewhere what went before it, and remember it."""
        step.proved_before = self._proved
        step.before = self._follow(step.seen, remember)
        return step

    @property
    def terminals(self) -> Mapping[str, TerminalHistory]:
        """What each terminal did that is remembered."""
        return self._habits

    @property
    def muks(self) -> Mapping[Muk, MukHistory]:
        """What each MUK protected that is remembered."""
        return self._muks

    def follow(self, seen: EventSummary) -> None:
        """Remember an exchange that somebody else looked at, as if it had been taken here."""
        self._follow(seen, True)

    def protected(self, idr: bytes) -> tuple[Muk, MukHistory] | None:
        """Return the MUK of the latest LTKM for a terminal (IDr), and what it protected so far; None for no LTKM."""
        idi = self._senders.get(idr)
        known = self._muks.get((idi, idr)) if idi is not None else None
        return None if idi is None or known is None else ((idi, idr), known)

    def _follow(self, seen: EventSummary, remember: bool) -> PriorState | None:
        known = self._taken.get((seen.id, seen.started)) if seen.id else None
        if known is not None:
            return known
        if self._is_forgotten(seen):
            return None
        seen.share()
        before = self._before(seen)
        if remember:
            self._remember(seen, before)
        return before

    def _is_forgotten(self, seen: EventSummary) -> bool:
        until = self._forgotten_until
        return until is not None and seen.started is not None and seen.started <= until

    def _before(self, seen: EventSummary) -> PriorState:
        before = PriorState(habits=self._habits.get(seen.terminal, _UNKNOWN))
        if seen.nonce is not None:
            before.challenges = self._challenges.get(seen.nonce, ())
            before.uses = self._uses.get((seen.terminal, seen.nonce), _UNUSED)
            before.question = seen.question
        if seen.fingerprint:
            before.fingerprint = seen.fingerprint
            self._compare(seen, before)
        if seen.sent:
            muks = dict.fromkeys([muk for muk, _ in seen.sent])
            before.known = tuple([(muk, self._muks.get(muk), self._senders.get(muk[1])) for muk in muks])
            before.receivers = self._receivers.get(seen.connection, _NOBODY)
        return before

    def _compare(self, seen: EventSummary, before: PriorState) -> None:
        """Tell what exchanges with the same octets make of this one."""
        copy = seen.copy
        for earlier in reversed(self._copies.get(seen.fingerprint, ())):
            if earlier.is_twin(copy, self.clock_skew):
                before.twin, before.replayed = earlier.id, ""
                return
            if earlier.is_accepted and copy.is_accepted:
                before.replayed = earlier.id

    def _remember(self, seen: EventSummary, before: PriorState) -> None:
        self._unnamed += not seen.id
        name = seen.id or f"unnamed {self._unnamed}"
        self._taken[name, seen.started] = before
        if seen.proved:
            self._proved = seen.proved | self._proved
        if seen.fingerprint:
            earlier = self._copies.get(seen.fingerprint, ())
            copies = (*earlier[1 - COPIES_OF_EXCHANGE :], seen.copy._replace(id=name))
            _put(self._copies, seen.fingerprint, copies)
        if not before.twin:
            if seen.nonce is not None and seen.number is not None:
                used = before.uses.after(NonceUse(seen.number, seen.question), seen.started)
                _put(self._uses, (seen.terminal, seen.nonce), used)
            for nonce, challenges in seen.challenges.items():
                _put(self._challenges, nonce, challenges)
            _put(self._habits, seen.terminal, _after(before.habits, seen))
            if seen.delivered:
                self._deliver(seen)
        self._forget()

    def _deliver(self, seen: EventSummary) -> None:
        received = dict(self._receivers.get(seen.connection, _NOBODY))
        for muk, sent in seen.delivered:
            idi, idr = muk
            _put(self._muks, muk, self._muks.get(muk, _NOTHING).after(sent, seen.ended))
            _put(self._senders, idr, idi)
            order = received.get(idi, ())
            if order[-1:] != (idr,):
                received[idi] = (*order[-3:], idr)
        _put(self._receivers, seen.connection, received)

    def _forget(self) -> None:
        for known in self._bounded:
            while len(known) > self.limit:
                del known[next(iter(known))]
                self.forgotten_terminals += known is self._habits
                self.forgotten_muks += known is self._muks
        while len(self._taken) > self.limit:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            self.forgotten += 1
            if oldest[1] is not None:
                self._forgotten_until = max(oldest[1], self._forgotten_until or oldest[1])


def _digest_of(key: bytes) -> bytes:
    """Return a digest of a key, of use within this process alone."""
    return hashlib.sha256(_SALT + key).digest()


def _put[K, V](known: dict[K, V], key: K, value: V) -> None:
    """Remember a value as the latest one."""
    known.pop(key, None)
    known[key] = value


def _sent(ltkm: Ltkm) -> tuple[Muk, LtkmRecord] | None:
    """Return what is delivered by an LTKM that a terminal would take; None for any other."""
    message = ltkm.message
    if message is None or message.problem is not None or not ltkm.carrier.is_delivery:
        return None
    identities = message.of(Identity)
    if len(identities) != 2 or message.header is None or message.header.data_type:
        return None
    sent = LtkmRecord.of(message, ltkm.octets or b"")
    return None if sent is None else ((identities[0].value, identities[1].value), sent)


def _hashes(exchange: Exchange) -> tuple[int, int]:
    """Return a hash of all that a request asks, its credentials included, and one of the whole exchange.

    The hash is the keyed one of Python's own
    dictionaries: 64 bits that nobody outside this process can aim at.
    """
    asked, answered = exchange.request, exchange.response
    question = hash((asked.method, asked.target, asked.headers.get("Authorization"), asked.body))
    if answered is None:
        return question, question
    return question, hash(
        (
            question,
            answered.status,
            answered.authentication_info_text,
            answered.headers.get("WWW-Authenticate"),
            answered.body,
        )
    )


def _challenges(exchange: Exchange) -> Mapping[str, tuple[digest.Directives, ...]]:
    """Return the digest challenges of a 401, by their nonce."""
    found: dict[str, list[digest.Directives]] = {}
    assert exchange.response is not None
    for challenge in exchange.response.challenges:
        nonce = challenge.get("nonce")
        if nonce is not None:
            found.setdefault(nonce, []).append(challenge)
    return {nonce: tuple(challenges) for nonce, challenges in found.items()}


def _number(credentials: digest.Directives | None) -> int | None:
    """Return the nonce count of credentials; None without one that counts."""
    try:
        return int((credentials.get("nc") if credentials is not None else None) or "", 16)
    except ValueError:
        return None


def _after(habits: TerminalHistory, seen: EventSummary) -> TerminalHistory:
    """Return what a terminal did, this exchange included."""
    requests = (*habits.requests[1 - REQUESTS_OF_TERMINAL :], seen.asked)
    began = seen.asked.at
    first = began if habits.first is None else habits.first
    last = habits.last if began is None else began
    if not seen.is_answer:
        return habits._replace(requests=requests, exchanges=habits.exchanges + 1, first=first, last=last)
    return TerminalHistory(requests, seen.nonce, seen.next_nonce, seen.ended, habits.exchanges + 1, first, last)
