"""What goes together in a run: challenges and their answers, exchanges of one terminal, LTKMs of one MUK.

The session looks at exchanges one after the other, in the order in which they were captured. What a rule is shown is a
`Step`, an exchange with what went before it, and a `Delivery`, an LTKM with what its MUK protected before it.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.exchange import Exchange, Ltkm, Outcome
from ltkm_inspect.kept import cached_property
from ltkm_inspect.keys import KeyRing, Opened, Subscriber, Verdict
from ltkm_inspect.mikey import Identity, Kemac, KeyData, Message, Rand, SecurityPolicy, Timestamp
from ltkm_inspect.mikey.core import COUNTER

LIMIT = 10_000
"""How many exchanges, terminals, connections, nonces and MUKs a session remembers, each; the oldest are forgotten."""
LTKMS_OF_MUK = 16
"""How many LTKMs of one MUK are remembered, besides its counter."""
USES_OF_NONCE = 32
"""How many uses of one nonce are remembered, besides its highest count."""
REQUESTS_OF_TERMINAL = 16
"""How many requests of one terminal are remembered."""
HALF = 1 << 31
"""The distance of two counters at which neither is the newer one (RFC 1982 §3.2, 32 bits)."""
GROUP_OCTETS = 2
"""The Key Group part of an MSK ID."""

_SALT = os.urandom(16)
_NO_KEYS = KeyRing()

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


class Sent(NamedTuple):
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
    def of(cls, message: Message, octets: bytes) -> "Sent | None":
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


class Protected(NamedTuple):
    """What one MUK protected so far."""

    counter: int | None = None
    """The newest counter that was delivered."""
    at: float | None = None
    """When the newest was delivered, in seconds since 1970 UTC."""
    ltkms: tuple[Sent, ...] = ()
    """The latest LTKMs, the oldest first."""
    number: int = 0
    """How many LTKMs there were, those that are not remembered among them."""

    def after(self, sent: Sent, at: float | None) -> "Protected":
        """Return what it is once this LTKM was delivered."""
        newest = self.counter is None or is_newer(sent.counter, self.counter)
        counter, at = (sent.counter, at) if newest else (self.counter, self.at)
        return Protected(counter, at, (*self.ltkms[1 - LTKMS_OF_MUK :], sent), self.number + 1)


class Use(NamedTuple):
    """One use of a nonce."""

    number: int
    """The nonce count."""
    content: int
    """A hash of all that was asked."""


class Uses(NamedTuple):
    """How one terminal used one nonce so far."""

    highest: int | None = None
    at: float | None = None
    """When the request with the highest count began."""
    latest: tuple[Use, ...] = ()

    def after(self, use: Use, at: float | None) -> "Uses":
        """Return what it is after one more use."""
        higher = self.highest is None or use.number > self.highest
        highest, at = (use.number, at) if higher else (self.highest, self.at)
        return Uses(highest, at, (*self.latest[1 - USES_OF_NONCE :], use))


class Asked(NamedTuple):
    """One request of a terminal, and what became of it."""

    pairs: frozenset[Pair]
    at: float | None
    answered: bool
    delivered: frozenset[Pair] = frozenset()
    """What was asked for and came with an LTKM."""


class Habits(NamedTuple):
    """What one terminal did so far."""

    requests: tuple[Asked, ...] = ()
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


_NOTHING = Protected()
_UNUSED = Uses()
_UNKNOWN = Habits()
_NOBODY: Mapping[bytes, tuple[bytes, ...]] = MappingProxyType({})


@dataclass(slots=True)
class Before:
    """What the session knew before an exchange; kept, so that an exchange that is checked again is judged the same."""

    challenges: tuple[digest.Directives, ...] = ()
    """The challenges of the 401 that the credentials answer; none where it was not seen."""
    question: int = 0
    """A hash of what is asked; 0 without credentials."""
    fingerprint: int = 0
    """A hash that only the same exchange, captured twice, has as well; 0 without credentials."""
    twin: str = ""
    """The id of an earlier exchange that is the same, octet for octet."""
    uses: Uses = _UNUSED
    habits: Habits = _UNKNOWN
    muks: Mapping[Muk, Protected] = MappingProxyType({})
    receivers: Mapping[bytes, tuple[bytes, ...]] = _NOBODY
    """By IDi, the IDrs of the LTKMs that came over this connection, the latest last."""
    senders: Mapping[bytes, bytes] = MappingProxyType({})
    """By IDr, the IDi of the latest LTKM for it."""


class Proof(NamedTuple):
    """What a key says of a digest."""

    holds: bool | None
    """None where it cannot be told."""
    reason: str
    """Why it cannot be told."""


@dataclass(eq=False)  # nothing here is frozen: each exchange makes many of these, and that would double what they cost
class Step:
    """An exchange as a step of its session: with what went before it."""

    label = "session"

    exchange: Exchange
    before: Before | None = field(default=None, repr=False)
    """None where the exchange is older than what the session remembers."""
    keys: KeyRing = _NO_KEYS
    """The keys at hand."""
    proved_before: Set[bytes] = frozenset()
    """Digests of the keys that verified something earlier in the session."""

    @property
    def document(self) -> object:
        """The document of the exchange."""
        return self.exchange.document

    @cached_property
    def subscriber(self) -> Subscriber | None:
        """Who asks, as the key ring knows them by the credentials; None without keys or credentials."""
        credentials = self.exchange.request.credentials
        if not self.keys or credentials is None:
            return None
        realm = credentials.realm
        return self.keys.find(credentials.get("username"), realm.fqdn if realm is not None else None)

    @cached_property
    def request_proof(self) -> Proof:
        """What the MRK says of the digest in the request (RFC 7616 §3.4.1)."""
        request = self.exchange.request
        credentials, subscriber = request.credentials, self.subscriber
        if subscriber is None or subscriber.password is None or credentials is None:
            return Proof(None, "no MRK for the B-TID of the request")
        if not self.exchange.raw:
            return Proof(None, "a HAR does not keep the octets as they were sent")
        if request.body is None:
            return Proof(None, "the body of the request was not captured")
        sent = credentials.get("response")
        if not sent or len(sent) != credentials.digits:
            return Proof(None, "the response of the credentials is not there, or not of the right length")
        try:
            right = digest.response(credentials, subscriber.password, request.method, request.body)
        except ValueError as error:
            return Proof(None, f"the digest cannot be computed: {error}")
        return Proof(right == sent.lower(), "")

    @cached_property
    def response_proof(self) -> Proof:
        """What the MRK says of rspauth in the response (RFC 7616 §3.5); unknown where it fails the request already."""
        response, credentials = self.exchange.response, self.exchange.request.credentials
        if self.request_proof.holds is not True:
            return Proof(None, self.request_proof.reason or "the same key fails the digest of the request")
        information = self.exchange.info
        sent = information.get("rspauth") if information is not None else None
        if response is None or not sent or credentials is None or len(sent) != credentials.digits:
            return Proof(None, "rspauth is not there, or not of the right length")
        if response.body is None or self.exchange.error is not None:
            return Proof(None, "the body of the response was not captured, or not as a whole")
        assert self.subscriber is not None
        assert self.subscriber.password is not None
        try:
            right = digest.rspauth(credentials, self.subscriber.password, response.body)
        except ValueError as error:
            return Proof(None, f"the digest cannot be computed: {error}")
        return Proof(right == sent.lower(), "")

    @cached_property
    def openings(self) -> tuple["Opening", ...]:
        """The LTKMs of the exchange with what the keys say of them; none without keys."""
        document = self.exchange.document
        if not self.keys or document is None or not document.xml.well_formed:
            return ()
        known = {delivery.ltkm: delivery for delivery in self.deliveries}
        return tuple(
            Opening(ltkm, self, self.keys.open(ltkm.message, ltkm.octets), known.get(ltkm))
            for ltkm in document.ltkms[: self.exchange.limits.ltkms]
            if ltkm.octets and ltkm.message is not None
        )

    @cached_property
    def proved(self) -> Set[bytes]:
        """Digests of the keys that verified something earlier in the session or in this exchange."""
        proved = {_digest_of(opening.opened.muk) for opening in self.openings if opening.opened.muk is not None}
        if self.request_proof.holds and self.subscriber is not None and self.subscriber.mrk is not None:
            proved.add(_digest_of(self.subscriber.mrk))
        return proved | self.proved_before if proved else self.proved_before

    def is_proved(self, keys: Iterable[bytes | None]) -> bool:
        """Tell whether one of these keys has verified something: then a failure is not the fault of the key ring."""
        return any(key is not None and _digest_of(key) in self.proved for key in keys)

    @property
    def connection(self) -> str:
        """What tells the connection from others; where that was not captured, the address."""
        return self.exchange.connection or self.exchange.client

    @cached_property
    def nonce(self) -> str | None:
        """The nonce of the request; None without credentials."""
        credentials = self.exchange.request.credentials
        return credentials.get("nonce") if credentials is not None else None

    @cached_property
    def use(self) -> Use | None:
        """How the request uses its nonce; None without credentials that count."""
        credentials = self.exchange.request.credentials
        count = credentials.get("nc") if credentials is not None else None
        try:
            return Use(int(count or "", 16), self.before.question if self.before is not None else 0)
        except ValueError:
            return None

    @cached_property
    def sent(self) -> tuple[tuple[Ltkm, Muk, Sent], ...]:
        """The LTKMs of the exchange that a terminal would take, in document order; of the very octets the first."""
        document = self.exchange.document
        if document is None or not document.xml.well_formed:
            return ()
        found: dict[bytes, tuple[Ltkm, Muk, Sent]] = {}
        for ltkm in document.ltkms[: self.exchange.limits.ltkms]:
            if ltkm.octets and ltkm.octets not in found:
                sent = _sent(ltkm)
                if sent is not None:
                    found[ltkm.octets] = (ltkm, *sent)
        return tuple(found.values())

    @cached_property
    def deliveries(self) -> tuple["Delivery", ...]:
        """The LTKMs that a terminal would take, each with what went before it; none where that is not known."""
        if self.before is None or self.before.twin:
            return ()
        known = self.before.muks
        beside: dict[Muk, tuple[Sent, ...]] = {}
        deliveries = []
        for ltkm, muk, sent in self.sent:
            mine = beside.get(muk, ())
            deliveries.append(Delivery(ltkm, self, muk, sent, known.get(muk, _NOTHING), mine))
            beside[muk] = (*mine[1 - LTKMS_OF_MUK :], sent)
        return tuple(deliveries)

    @property
    def was_delivered(self) -> bool:
        """The response reached the terminal as a whole, and is one that a terminal takes LTKMs from."""
        response = self.exchange.response
        return response is not None and response.status == 200 and self.exchange.error is None


@dataclass(eq=False)
class Opening:
    """An LTKM with what the keys at hand say of it."""

    label = "key"

    ltkm: Ltkm
    step: Step = field(repr=False)
    opened: Opened
    delivery: "Delivery | None" = field(default=None, repr=False)
    """The LTKM as a step of the session; None where no terminal would take it."""

    @property
    def document(self) -> object:
        """The document that the LTKM stands in."""
        return self.ltkm.document

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
class Delivery:
    """An LTKM as a step of its session: with what its MUK protected before it."""

    label = "session"

    ltkm: Ltkm
    step: Step = field(repr=False)
    muk: Muk
    sent: Sent
    before: Protected
    """What the MUK had protected before this exchange."""
    beside: tuple[Sent, ...]
    """The LTKMs of the MUK that stand in front of this one in its document."""

    @property
    def document(self) -> object:
        """The document that the LTKM stands in."""
        return self.ltkm.document

    @property
    def message(self) -> Message:
        """The message of the LTKM."""
        assert self.ltkm.message is not None
        return self.ltkm.message

    @property
    def earlier(self) -> tuple[Sent, ...]:
        """Every LTKM of the MUK that is remembered, those in front of this one in its document last."""
        return (*self.before.ltkms, *self.beside) if self.beside else self.before.ltkms

    @cached_property
    def same_msk(self) -> Sent | None:
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

    def __init__(self, limit: int = LIMIT) -> None:
        """Start with nothing seen; `limit` is how many exchanges, terminals and MUKs are remembered, each."""
        self.limit = limit
        self.forgotten = 0
        """How many exchanges were forgotten."""
        self.forgotten_terminals = 0
        self.forgotten_muks = 0
        self._forgotten_until: float | None = None
        self._taken: dict[tuple[str, float | None], Before] = {}
        """By id and time, since a HAR numbers its exchanges only."""
        self._twins: dict[int, str] = {}
        self._challenges: dict[str, tuple[digest.Directives, ...]] = {}
        self._uses: dict[tuple[str, str], Uses] = {}
        self._habits: dict[str, Habits] = {}
        self._muks: dict[Muk, Protected] = {}
        self._receivers: dict[str, Mapping[bytes, tuple[bytes, ...]]] = {}
        self._senders: dict[bytes, bytes] = {}
        self._bounded: tuple[dict[Any, Any], ...] = (
            self._twins,
            self._challenges,
            self._uses,
            self._habits,
            self._muks,
            self._receivers,
            self._senders,
        )
        self._proved: Set[bytes] = frozenset()
        self._unnamed = 0

    def copy(self) -> "Session":
        """Return a session that has seen the same, and goes its own way from here on."""
        other = Session(self.limit)
        other.forgotten, other._forgotten_until = self.forgotten, self._forgotten_until
        other._taken.update(self._taken)
        for mine, known in zip(other._bounded, self._bounded, strict=True):
            mine.update(known)  # what stands in them is never changed, only replaced
        other._proved, other._unnamed = self._proved, self._unnamed
        return other

    def look(self, exchange: Exchange, keys: KeyRing = _NO_KEYS) -> Step:
        """Return an exchange with what went before it; the session does not change."""
        step = Step(exchange, None, keys, self._proved)
        if exchange.id:
            step.before = self._taken.get((exchange.id, exchange.started))
        if step.before is None and not self._is_forgotten(exchange):
            step.before = self._before(step)
        return step

    def take(self, exchange: Exchange, keys: KeyRing = _NO_KEYS) -> Step:
        """Return an exchange with what went before it, and remember it; one that was taken before changes nothing.

        Where the MUK of an LTKM is known, it only counts as delivered if its MAC is valid.
        """
        step = self.look(exchange, keys)
        if step.before is not None and (exchange.id, exchange.started) not in self._taken:
            self._remember(step, step.before)
        return step

    @property
    def terminals(self) -> Mapping[str, Habits]:
        """What each terminal did that is remembered."""
        return self._habits

    @property
    def muks(self) -> Mapping[Muk, Protected]:
        """What each MUK protected that is remembered."""
        return self._muks

    def protected(self, idr: bytes) -> tuple[Muk, Protected] | None:
        """Return the MUK of the latest LTKM for a terminal (IDr), and what it protected so far; None for no LTKM."""
        idi = self._senders.get(idr)
        known = self._muks.get((idi, idr)) if idi is not None else None
        return None if idi is None or known is None else ((idi, idr), known)

    def _is_forgotten(self, exchange: Exchange) -> bool:
        until = self._forgotten_until
        return until is not None and exchange.started is not None and exchange.started <= until

    def _before(self, step: Step) -> Before:
        exchange = step.exchange
        before = Before(habits=self._habits.get(exchange.terminal, _UNKNOWN))
        nonce = step.nonce
        if nonce is not None:
            before.challenges = self._challenges.get(nonce, ())
            before.uses = self._uses.get((exchange.terminal, nonce), _UNUSED)
            before.question, before.fingerprint = _hashes(exchange)
            before.twin = self._twins.get(before.fingerprint, "")
        if step.sent:
            before.muks = {muk: self._muks[muk] for _, muk, _ in step.sent if muk in self._muks}
            before.senders = {idr: self._senders[idr] for _, (_, idr), _ in step.sent if idr in self._senders}
            before.receivers = self._receivers.get(step.connection, _NOBODY)
        return before

    def _remember(self, step: Step, before: Before) -> None:
        exchange = step.exchange
        self._unnamed += not exchange.id
        name = exchange.id or f"unnamed {self._unnamed}"
        self._taken[name, exchange.started] = before
        if step.keys:
            self._proved = step.proved
        if not before.twin:
            if step.nonce is not None:
                _put(self._twins, before.fingerprint, name)
                if step.use is not None:
                    _put(self._uses, (exchange.terminal, step.nonce), before.uses.after(step.use, exchange.started))
            if exchange.response is not None and exchange.response.status == 401:
                for nonce, challenges in _challenges(exchange).items():
                    _put(self._challenges, nonce, challenges)
            _put(self._habits, exchange.terminal, _after(before.habits, step))
            if step.was_delivered and step.sent:
                self._deliver(step)
        self._forget()

    def _deliver(self, step: Step) -> None:
        received = self._receivers.get(step.connection, _NOBODY)
        openings = step.openings if step.keys else ()
        forged = {each.ltkm for each in openings if each.opened.verdict is Verdict.INVALID}
        ended = step.exchange.ended
        for ltkm, muk, sent in step.sent:
            if ltkm in forged:
                continue
            idi, idr = muk
            _put(self._muks, muk, self._muks.get(muk, _NOTHING).after(sent, ended))
            _put(self._senders, idr, idi)
            order = received.get(idi, ())
            if order[-1:] != (idr,):
                received = {**received, idi: (*order[-3:], idr)}
        _put(self._receivers, step.connection, received)

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


def _sent(ltkm: Ltkm) -> tuple[Muk, Sent] | None:
    """Return what is delivered by an LTKM that a terminal would take; None for any other."""
    message, item = ltkm.message, ltkm.item
    if message is None or message.problem is not None or item is None or not (ltkm.is_named and ltkm.is_placed):
        return None
    if not item.outcome.is_success and item.outcome is not Outcome.NEAR_MISS:
        return None
    identities = message.of(Identity)
    if len(identities) != 2 or message.header is None or message.header.data_type:
        return None
    sent = Sent.of(message, ltkm.octets or b"")
    return None if sent is None else ((identities[0].value, identities[1].value), sent)


def _hashes(exchange: Exchange) -> tuple[int, int]:
    """Return a hash of all that a request asks, its credentials included, and one of the whole exchange.

    Only the same exchange, captured twice, has the second one as well. The hash is the keyed one of Python's own
    dictionaries: 64 bits that nobody outside this process can aim at.
    """
    asked, answered = exchange.request, exchange.response
    question = hash((asked.method, asked.target, asked.headers.get("Authorization"), asked.body))
    if answered is None:
        return question, question
    return question, hash((question, answered.status, answered.authentication_info, answered.body))


def _challenges(exchange: Exchange) -> Mapping[str, tuple[digest.Directives, ...]]:
    """Return the digest challenges of a 401, by their nonce."""
    found: dict[str, tuple[digest.Directives, ...]] = {}
    assert exchange.response is not None
    for challenge in exchange.response.challenges:
        nonce = challenge.get("nonce")
        if nonce is not None:
            found[nonce] = (*found.get(nonce, ()), challenge)
    return found


def _after(habits: Habits, step: Step) -> Habits:
    """Return what a terminal did, this step included."""
    exchange = step.exchange
    response = exchange.response
    credentials = exchange.request.credentials
    came = [sent.pair for _, _, sent in step.sent if sent.pair] if step.was_delivered else ()
    answered = response is not None and exchange.error is None
    asked = Asked(frozenset(exchange.requested_pairs), exchange.started, answered, frozenset(came))
    requests = (*habits.requests[1 - REQUESTS_OF_TERMINAL :], asked)
    started = exchange.started
    first = started if habits.first is None else habits.first
    last = started if started is not None else habits.last
    if response is None or credentials is None:
        return habits._replace(requests=requests, exchanges=habits.exchanges + 1, first=first, last=last)
    info = response.info if "nextnonce" in (response.authentication_info or "").lower() else None
    next_nonce = None if info is None else info.get("nextnonce")
    return Habits(requests, credentials.get("nonce"), next_nonce, exchange.ended, habits.exchanges + 1, first, last)
