"""What goes together in a run: challenges and their answers, exchanges of one terminal, LTKMs of one MUK.

The session looks at exchanges one after the other, in the order in which they were captured. What a rule is shown is a
`Step`, an exchange with what went before it, and a `Delivery`, an LTKM with what its MUK protected before it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ltkm_inspect import digest
from ltkm_inspect.exchange import Exchange, Ltkm, Outcome
from ltkm_inspect.mikey import Identity, Kemac, Message, Rand, SecurityPolicy, Timestamp

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
COUNTER = 2
"""The TS type of a counter."""
GROUP_OCTETS = 2
"""The Key Group part of an MSK ID."""

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

    def after(self, sent: Sent, at: float | None) -> "Protected":
        """Return what it is once this LTKM was delivered."""
        newest = self.counter is None or is_newer(sent.counter, self.counter)
        counter, at = (sent.counter, at) if newest else (self.counter, self.at)
        return Protected(counter, at, (*self.ltkms[1 - LTKMS_OF_MUK :], sent))


class Use(NamedTuple):
    """One use of a nonce: its count, and a digest of all that was asked with it."""

    number: int
    """The nonce count."""
    content: bytes


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


_NOTHING = Protected()
_UNUSED = Uses()
_UNKNOWN = Habits()


@dataclass(slots=True)
class Before:
    """What the session knew before an exchange; kept, so that an exchange that is checked again is judged the same."""

    challenges: tuple[digest.Directives, ...] = ()
    """The challenges of the 401 that the credentials answer; none where it was not seen."""
    question: bytes = b""
    """A digest of what is asked; empty without credentials."""
    fingerprint: bytes = b""
    """A digest that only the same exchange, captured twice, has as well; empty without credentials."""
    twin: str = ""
    """The id of an earlier exchange that is the same, octet for octet."""
    uses: Uses = _UNUSED
    habits: Habits = _UNKNOWN
    muks: dict[Muk, Protected] = field(default_factory=dict)
    receivers: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    """By IDi, the IDrs of the LTKMs that came over this connection, the latest last."""
    senders: dict[bytes, bytes] = field(default_factory=dict)
    """By IDr, the IDi of the latest LTKM for it."""


@dataclass(eq=False)  # nothing here is frozen: each exchange makes many of these, and that would double what they cost
class Step:
    """An exchange as a step of its session: with what went before it."""

    label = "session"

    exchange: Exchange
    before: Before | None = field(repr=False)
    """None where the exchange is older than what the session remembers."""

    @property
    def document(self) -> object:
        """The document of the exchange."""
        return self.exchange.document

    @cached_property
    def use(self) -> Use | None:
        """How the request uses its nonce; None without credentials that count."""
        credentials = self.exchange.request.credentials
        count = credentials.get("nc") if credentials is not None else None
        try:
            return Use(int(count or "", 16), self.before.question if self.before is not None else b"")
        except ValueError:
            return None

    @cached_property
    def deliveries(self) -> tuple["Delivery", ...]:
        """The LTKMs of the exchange that a terminal would take, in document order."""
        return tuple(self._deliveries())

    def _deliveries(self) -> Iterator["Delivery"]:
        document = self.exchange.document
        if document is None or self.before is None or self.before.twin or not document.xml.well_formed:
            return
        beside: dict[Muk, tuple[Sent, ...]] = {}
        seen: set[bytes] = set()
        limit = self.exchange.limits.ltkms
        for ltkm in document.ltkms if limit is None else document.ltkms[:limit]:
            found = _delivered(ltkm)
            if found is None or ltkm.octets in seen:
                continue
            muk, sent = found
            seen.add(sent.octets)
            mine = beside.get(muk, ())
            yield Delivery(ltkm, self, muk, sent, self.before.muks.get(muk, _NOTHING), mine)
            beside[muk] = (*mine[1 - LTKMS_OF_MUK :], sent)

    @property
    def was_delivered(self) -> bool:
        """The response reached the terminal as a whole, and is one that a terminal takes LTKMs from."""
        response = self.exchange.response
        return response is not None and response.status == 200 and self.exchange.error is None


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

    @cached_property
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
        self._forgotten_until: float | None = None
        self._taken: dict[tuple[str, float | None], Before] = {}
        """By id and time, since a HAR numbers its exchanges only."""
        self._twins: dict[bytes, str] = {}
        self._challenges: dict[str, tuple[digest.Directives, ...]] = {}
        self._uses: dict[tuple[str, str], Uses] = {}
        self._habits: dict[str, Habits] = {}
        self._muks: dict[Muk, Protected] = {}
        self._receivers: dict[str, dict[bytes, tuple[bytes, ...]]] = {}
        self._senders: dict[bytes, bytes] = {}
        self._unnamed = 0

    def look(self, exchange: Exchange) -> Step:
        """Return an exchange with what went before it; the session does not change."""
        taken = self._taken.get((exchange.id, exchange.started)) if exchange.id else None
        if taken is not None:
            return Step(exchange, taken)
        if self._is_forgotten(exchange):
            return Step(exchange, None)
        return Step(exchange, self._before(exchange))

    def take(self, exchange: Exchange) -> Step:
        """Return an exchange with what went before it, and remember it; one that was taken before changes nothing."""
        step = self.look(exchange)
        if step.before is not None and (exchange.id, exchange.started) not in self._taken:
            self._remember(step, step.before)
        return step

    def _is_forgotten(self, exchange: Exchange) -> bool:
        until = self._forgotten_until
        return until is not None and exchange.started is not None and exchange.started <= until

    def _before(self, exchange: Exchange) -> Before:
        credentials = exchange.request.credentials
        nonce = credentials.get("nonce") if credentials is not None else None
        terminal = exchange.terminal
        before = Before(receivers=self._receivers.get(exchange.connection or exchange.client, {}))
        before.habits = self._habits.get(terminal, _UNKNOWN)
        if nonce is not None:
            before.challenges = self._challenges.get(nonce, ())
            before.uses = self._uses.get((terminal, nonce), _UNUSED)
            before.question, before.fingerprint = _digests(exchange)
            before.twin = self._twins.get(before.fingerprint, "")
        document = exchange.document
        for ltkm in document.ltkms[: exchange.limits.ltkms] if document is not None else ():
            found = _muk(ltkm)
            if found is not None:
                known = self._muks.get(found)
                if known is not None:
                    before.muks[found] = known
                if found[1] in self._senders:
                    before.senders[found[1]] = self._senders[found[1]]
        return before

    def _remember(self, step: Step, before: Before) -> None:
        exchange = step.exchange
        self._unnamed += not exchange.id
        name = exchange.id or f"unnamed {self._unnamed}"
        self._taken[name, exchange.started] = before
        if before.twin:
            self._forget()
            return
        credentials = exchange.request.credentials
        nonce = credentials.get("nonce") if credentials is not None else None
        if nonce is not None:
            _put(self._twins, before.fingerprint, name, self.limit)
            if step.use is not None:
                uses = before.uses.after(step.use, exchange.started)
                _put(self._uses, (exchange.terminal, nonce), uses, self.limit)
        if exchange.response is not None and exchange.response.status == 401:
            for nonce, challenges in _challenges(exchange).items():
                _put(self._challenges, nonce, challenges, self.limit)
        _put(self._habits, exchange.terminal, _after(before.habits, step), self.limit)
        if step.was_delivered:
            self._deliver(step)
        self._forget()

    def _deliver(self, step: Step) -> None:
        exchange = step.exchange
        connection = exchange.connection or exchange.client
        for delivery in step.deliveries:
            idi, idr = delivery.muk
            known = self._muks.pop(delivery.muk, _NOTHING)
            _put(self._muks, delivery.muk, known.after(delivery.sent, exchange.ended), self.limit)
            _put(self._senders, idr, idi, self.limit)
            received = self._receivers.pop(connection, {})
            order = received.get(idi, ())
            if order[-1:] != (idr,):
                received = {**received, idi: (*order[-3:], idr)}
            _put(self._receivers, connection, received, self.limit)

    def _forget(self) -> None:
        while len(self._taken) > self.limit:
            oldest = next(iter(self._taken))
            del self._taken[oldest]
            started = oldest[1]
            self.forgotten += 1
            if started is not None:
                self._forgotten_until = max(started, self._forgotten_until or started)


def _put[K, V](known: dict[K, V], key: K, value: V, limit: int) -> None:
    """Remember a value as the latest one, and forget the oldest where there are too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > limit:
        del known[next(iter(known))]


def _muk(ltkm: Ltkm) -> Muk | None:
    """Return what names the MUK of an LTKM; None where the message does not have exactly two identities."""
    message = ltkm.message
    if message is None or message.problem is not None:
        return None
    identities = message.of(Identity)
    return (identities[0].value, identities[1].value) if len(identities) == 2 else None


def _delivered(ltkm: Ltkm) -> tuple[Muk, Sent] | None:
    """Return what is delivered by an LTKM that a terminal would take; None for any other."""
    if not (ltkm.is_named and ltkm.is_placed) or ltkm.item is None:
        return None
    if not ltkm.item.outcome.is_success and ltkm.item.outcome is not Outcome.NEAR_MISS:
        return None
    muk = _muk(ltkm)
    message = ltkm.message
    if muk is None or message is None or message.header is None or message.header.data_type:
        return None
    sent = Sent.of(message, ltkm.octets or b"")
    return None if sent is None else (muk, sent)


def _digests(exchange: Exchange) -> tuple[bytes, bytes]:
    """Return a digest of all that a request asks, its credentials included, and one of the whole exchange.

    Only the same exchange, captured twice, has the second one as well.
    """
    asked, answered = exchange.request, exchange.response
    head = f"{asked.method}\0{asked.target}\0{asked.headers.get('Authorization')}\0"
    seen = hashlib.sha256(head.encode("utf-8", "surrogatepass") + (asked.body or b""))
    question = seen.digest()
    if answered is not None:
        head = f"\0{answered.status}\0{answered.authentication_info}\0"
        seen.update(head.encode("utf-8", "surrogatepass") + (answered.body or b""))
    return question, seen.digest()


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
    came = [each.sent.pair for each in step.deliveries if each.sent.pair] if step.was_delivered else ()
    answered = response is not None and exchange.error is None
    asked = Asked(frozenset(exchange.requested_pairs), exchange.started, answered, frozenset(came))
    requests = (*habits.requests[1 - REQUESTS_OF_TERMINAL :], asked)
    if response is None or credentials is None:
        return habits._replace(requests=requests)
    information = response.authentication_info or ""
    next_nonce = digest.parse_directives(information).get("nextnonce") if "nextnonce" in information.lower() else None
    return Habits(requests, credentials.get("nonce"), next_nonce, exchange.ended)
