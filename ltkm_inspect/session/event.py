"""An event in its session: what the key ring says about it, its summary, and what happened before it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from sys import intern

from ltkm_inspect import digest
from ltkm_inspect.keys import KeyRing, OpenedMessage, Subscriber, Verdict
from ltkm_inspect.session.challenges import CHALLENGES, challenges_in, find_challenged
from ltkm_inspect.session.delivery import DeliveredLtkm, OpenedLtkm, deliveries
from ltkm_inspect.session.digest_proof import DigestProof, request_proof, response_proof
from ltkm_inspect.session.ltkm import LtkmRecord, Pair, keyed_hash, record
from ltkm_inspect.session.nonces import NONCES, NonceHistory
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.proofs import PROOFS
from ltkm_inspect.session.push import Push, answer_of, push_of
from ltkm_inspect.session.register import SessionSettings
from ltkm_inspect.session.summary import (
    EventOrigin,
    EventSummary,
    KeyRequest,
    NonceUse,
    TerminalIdentity,
    TerminalKey,
)
from ltkm_inspect.session.terminals import TERMINALS, TerminalHistory
from ltkm_inspect.traffic import Datagram, Event, Exchange, Ltkm, Response

_NOTHING_BEFORE = PriorState()


@dataclass(eq=False)  # not frozen: each exchange makes many of these, and freezing would double their cost
class SessionEvent:
    """An event in its session: with what happened before it."""

    label = "session"

    event: Event
    keys: KeyRing
    settings: SessionSettings
    """The settings of its session."""
    before: PriorState = field(default=_NOTHING_BEFORE, repr=False)
    """What happened before it; `Session.take` and `Session.look` set it."""

    @property
    def exchange(self) -> Exchange:
        """The event, which must be an exchange."""
        assert isinstance(self.event, Exchange)
        return self.event

    @cached_property
    def subscriber(self) -> Subscriber | None:
        """The subscriber that the key ring has for the terminal; None without keys, credentials and IDr."""
        return self.event.subscriber_in(self.keys) if self.keys else None

    @cached_property
    def request_proof(self) -> DigestProof:
        """Whether the MRK verifies the digest in the request."""
        return request_proof(self.exchange, self.subscriber, self.keys)

    @cached_property
    def response_proof(self) -> DigestProof:
        """Whether the MRK verifies rspauth in the response; unknown if it does not verify the request."""
        return response_proof(self.exchange, self.subscriber, self.request_proof)

    @cached_property
    def opened(self) -> Mapping[Ltkm, OpenedMessage]:
        """The LTKMs of the event, opened with the key ring; empty without keys."""
        if not self.keys:
            return {}
        return {
            ltkm: self.keys.open(ltkm.message, ltkm.octets)
            for ltkm in self.event.judged_ltkms
            if ltkm.octets and ltkm.message is not None
        }

    @cached_property
    def openings(self) -> tuple[OpenedLtkm, ...]:
        """The opened LTKMs with their deliveries."""
        known = {delivery.ltkm: delivery for delivery in self.deliveries} if self.opened else {}
        return tuple(OpenedLtkm(ltkm, self, opened, known.get(ltkm)) for ltkm, opened in self.opened.items())

    def is_proved(self, keys: Iterable[bytes | None]) -> bool:
        """Tell whether one of these keys has verified something. Then the key ring is not the cause of a failure."""
        hashes = [keyed_hash(self.settings.hash_key, key) for key in keys if key is not None]
        proofs = self.summary.proofs
        return any(proofs.get(each) or self.before.of(PROOFS, each) is not None for each in hashes)

    def _proofs(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the hash of each key that was tried, and whether it verified something."""
        failed: list[bytes] = []
        proved: list[bytes] = []
        for opened in self.opened.values():
            if opened.muk is not None:
                proved.append(opened.muk)
            elif opened.verdict is Verdict.INVALID and opened.subscriber is not None:
                failed += opened.subscriber.muks
        has_digest = self.subscriber is not None and isinstance(self.event, Exchange)
        mrk = self.subscriber.mrk if self.subscriber is not None and has_digest else None
        if mrk is not None and self.request_proof.holds is not None:
            (proved if self.request_proof.holds else failed).append(mrk)
        for keys, verified in ((failed, False), (proved, True)):  # success comes last and so replaces failure
            for key in keys:
                yield keyed_hash(self.settings.hash_key, key), verified

    @cached_property
    def nonce(self) -> str | None:
        """The nonce of the credentials; None without one."""
        credentials = self.event.authorization
        nonce = credentials.get("nonce") if credentials is not None else None
        return None if nonce is None else intern(nonce)

    @cached_property
    def use(self) -> NonceUse | None:
        """How the request uses its nonce; None without credentials that have a nonce count."""
        credentials = self.event.authorization
        number = None if credentials is None or self.nonce is None else _number(credentials)
        return None if number is None else NonceUse(number, self._hashes[0])

    @property
    def uses(self) -> NonceHistory:
        """How the terminal used the nonce before."""
        return self.before.of(NONCES, (self.event.terminal, self.nonce or "")) or NonceHistory()

    @property
    def challenges(self) -> tuple[digest.Directives, ...]:
        """The challenges of the latest 401 with the nonce of the credentials; empty if that 401 was not seen."""
        known = self.before.of(CHALLENGES, self.nonce or "")
        return () if known is None else known.directives

    @cached_property
    def terminal_identity(self) -> TerminalIdentity:
        """Who the terminal is, for names and counts."""
        key, name = self._key, self.subscriber.name if self.subscriber is not None else ""
        identity = key.group if key.group != key.text else ""
        challenged = None
        if self.nonce is not None and self.before.twin is None:
            challenged = find_challenged(self.before.of(CHALLENGES, self.nonce), self._connection)
        if challenged is None:
            return TerminalIdentity(key.text, name, identity)
        former = challenged.key.text if challenged.key.is_named and challenged.key.text != key.text else ""
        return TerminalIdentity(key.text, name, identity, challenged.id, former)

    @property
    def terminal(self) -> TerminalHistory:
        """What the terminal did before this event."""
        return self.before.of(TERMINALS, self.event.terminal) or TerminalHistory()

    @cached_property
    def records(self) -> Mapping[Ltkm, LtkmRecord]:
        """The LTKMs of the event that a terminal would take, in their order; only the first with the same octets."""
        found: dict[bytes, tuple[Ltkm, LtkmRecord]] = {}
        for ltkm in self.event.judged_ltkms:
            if ltkm.octets and ltkm.octets not in found:
                sent = record(ltkm, self.opened.get(ltkm), self.settings.hash_key)
                if sent is not None:
                    found[ltkm.octets] = ltkm, sent
        return dict(found.values())

    @cached_property
    def deliveries(self) -> tuple[DeliveredLtkm, ...]:
        """These LTKMs with what was delivered before each; empty if the event was captured before."""
        return () if self.before.twin is not None else tuple(deliveries(self))

    @cached_property
    def summary(self) -> EventSummary:
        """What a session keeps of the event."""
        event, ltkms, nonce = self.event, tuple(self.records.values()), self.nonce
        is_datagram = isinstance(event, Datagram) and event.is_checked
        response = event.response if isinstance(event, Exchange) else None
        answered = response is not None and event.error is None
        accepted = answered and response is not None and response.status != 401 and response.status < 500
        is_answer = event.authorization is not None and (response is not None or event.unknown("response") is not None)
        requested = event.requested_pairs
        pairs = _shared_set(requested) if len(requested) < _MANY else frozenset(requested)
        delivered = frozenset([ltkm.msk[1:] for ltkm in ltkms if ltkm.msk] if event.was_delivered else ())
        origin = self._connection, event.client, event.capture
        return EventSummary(
            EventOrigin(event.id, event.started, event.ended, *origin, event.is_replayed, accepted, nonce is not None),
            intern(event.terminal),
            self._key,
            nonce,
            self.use,
            self._hashes[1] if nonce is not None or ltkms or is_datagram else b"",
            challenges_in(event),
            KeyRequest(pairs, event.started, answered, pairs if delivered == pairs else delivered)
            if isinstance(event, Exchange)
            else None,
            is_answer,
            _next_nonce(response) if is_answer and response is not None else None,
            ltkms,
            dict(self._proofs()) if self.keys else {},
            tuple(self._pushes()),
            answer_of(event),
        )

    def _pushes(self) -> Iterator[Push]:
        for ltkm in self.event.judged_ltkms:
            push = push_of(ltkm, self.opened.get(ltkm), self.records.get(ltkm))
            if push is not None:
                yield push

    @property
    def _connection(self) -> str:
        return self.event.connection or self.event.client

    @cached_property
    def _key(self) -> TerminalKey:
        event, by = self.event, self.settings.terminal
        text = intern(by.key(event))
        group = self.subscriber.identity if by.joins and self.subscriber is not None else ""
        return TerminalKey(text, group or text, text not in (event.connection, event.client))

    @cached_property
    def _hashes(self) -> tuple[bytes, bytes]:
        """A hash of the request, including its credentials, and a hash of the whole event."""
        event, key = self.event, self.settings.hash_key
        if isinstance(event, Datagram):
            return b"", keyed_hash(key, event.octets)
        assert isinstance(event, Exchange)
        request, response = event.request, event.response
        question = keyed_hash(key, request.method, request.target, request.headers.get("Authorization"), request.body)
        if response is None:
            return question, question
        info, challenge = response.authentication_info_text, response.headers.get("WWW-Authenticate")
        return question, keyed_hash(key, question, str(response.status), info, challenge, response.body)


_MANY = 16
_shared_set = lru_cache(maxsize=256)(frozenset[Pair])
"""Terminals ask for the same keys, so their requests share one set."""


def _next_nonce(response: Response) -> str | None:
    """Return nextnonce of Authentication-Info."""
    if "nextnonce" not in (response.authentication_info_text or "").lower():
        return None
    info = response.authentication_info
    return None if info is None else info.get("nextnonce")


def _number(credentials: digest.Directives) -> int | None:
    """Return the nonce count of credentials; None without a valid one."""
    try:
        return int(credentials.get("nc") or "", 16)
    except ValueError:
        return None
