"""An event as part of its session: what the keys say of it, its summary, and what went before it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from sys import intern

from ltkm_inspect import digest
from ltkm_inspect.keys import KeyRing, OpenedMessage, Subscriber, Verdict
from ltkm_inspect.session.challenges import CHALLENGES, answered
from ltkm_inspect.session.delivery import DeliveredLtkm, OpenedLtkm, deliveries
from ltkm_inspect.session.digest_proof import DigestProof, request_proof, response_proof
from ltkm_inspect.session.ltkm import LtkmRecord, Pair, keyed_hash, record
from ltkm_inspect.session.nonces import NONCES, NonceHistory
from ltkm_inspect.session.prior import PriorState
from ltkm_inspect.session.proofs import PROOFS
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
from ltkm_inspect.traffic import Event, Exchange, Ltkm, Response

_NOTHING_BEFORE = PriorState()


@dataclass(eq=False)  # nothing here is frozen: each exchange makes many of these, and that would double what they cost
class SessionEvent:
    """An event as part of its session: with what went before it."""

    label = "session"

    event: Event
    keys: KeyRing
    """The keys at hand."""
    settings: SessionSettings
    """Those of the session that it is part of."""
    before: PriorState = field(default=_NOTHING_BEFORE, repr=False)
    """What went before it, once its session has told."""

    @property
    def exchange(self) -> Exchange:
        """The event, which must be an exchange."""
        assert isinstance(self.event, Exchange)
        return self.event

    @cached_property
    def subscriber(self) -> Subscriber | None:
        """Who asks, as the key ring knows them by the credentials; None without keys or credentials."""
        return self.keys.find_by_credentials(self.event.authorization) if self.keys else None

    @cached_property
    def request_proof(self) -> DigestProof:
        """What the MRK says of the digest in the request."""
        return request_proof(self.exchange, self.subscriber, self.keys)

    @cached_property
    def response_proof(self) -> DigestProof:
        """What the MRK says of rspauth in the response; unknown where it fails the request already."""
        return response_proof(self.exchange, self.subscriber, self.request_proof)

    @cached_property
    def opened(self) -> Mapping[Ltkm, OpenedMessage]:
        """What the keys make of the LTKMs of the event; nothing without keys."""
        if not self.keys:
            return {}
        return {
            ltkm: self.keys.open(ltkm.message, ltkm.octets)
            for ltkm in self.event.judged_ltkms
            if ltkm.octets and ltkm.message is not None
        }

    @cached_property
    def openings(self) -> tuple[OpenedLtkm, ...]:
        """The same with their part in the session."""
        known = {delivery.ltkm: delivery for delivery in self.deliveries} if self.opened else {}
        return tuple(OpenedLtkm(ltkm, self, opened, known.get(ltkm)) for ltkm, opened in self.opened.items())

    def is_proved(self, keys: Iterable[bytes | None]) -> bool:
        """Tell whether one of these keys has verified something: then a failure is not the fault of the key ring."""
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
        mrk = self.subscriber.mrk if self.subscriber is not None else None
        if mrk is not None and self.request_proof.holds is not None:
            (proved if self.request_proof.holds else failed).append(mrk)
        for keys, verified in ((failed, False), (proved, True)):  # what is proved comes last, and so it counts
            for key in keys:
                yield keyed_hash(self.settings.hash_key, key), verified

    @property
    def use(self) -> NonceUse | None:
        """How the request uses its nonce; None without credentials that count."""
        return self.summary.use

    @property
    def uses(self) -> NonceHistory:
        """How the terminal used the nonce before."""
        return self.before.of(NONCES, (self.event.terminal, self.summary.nonce or "")) or NonceHistory()

    @property
    def challenges(self) -> tuple[digest.Directives, ...]:
        """The challenges of the latest 401 with the nonce of the credentials; none where it was not seen."""
        known = self.before.of(CHALLENGES, self.summary.nonce or "")
        return () if known is None else known.directives

    @cached_property
    def told(self) -> TerminalIdentity:
        """Who the terminal is, in what is named and counted."""
        key, name = self.summary.key, self.subscriber.name if self.subscriber is not None else ""
        identity = key.group if key.group != key.text else ""
        done = None
        if self.summary.nonce is not None and self.before.twin is None:
            done = answered(self.before.of(CHALLENGES, self.summary.nonce), self.summary)
        if done is None:
            return TerminalIdentity(key.text, name, identity)
        former = done.key.text if done.key.is_named and done.key.text != key.text else ""
        return TerminalIdentity(key.text, name, identity, done.id, former)

    @property
    def terminal(self) -> TerminalHistory:
        """What the terminal did before."""
        return self.before.of(TERMINALS, self.event.terminal) or TerminalHistory()

    @cached_property
    def records(self) -> Mapping[Ltkm, LtkmRecord]:
        """The LTKMs of the event that a terminal would take, in their order; of the very octets the first."""
        found: dict[bytes, tuple[Ltkm, LtkmRecord]] = {}
        for ltkm in self.event.judged_ltkms:
            if ltkm.octets and ltkm.octets not in found:
                sent = record(ltkm, self.opened.get(ltkm), self.settings.hash_key)
                if sent is not None:
                    found[ltkm.octets] = ltkm, sent
        return dict(found.values())

    @cached_property
    def deliveries(self) -> tuple[DeliveredLtkm, ...]:
        """The same LTKMs with their part in the session; none of an event that was captured before."""
        return () if self.before.twin is not None else tuple(deliveries(self))

    @cached_property
    def summary(self) -> EventSummary:
        """What a session keeps of the event."""
        event, ltkms, credentials = self.event, tuple(self.records.values()), self.event.authorization
        given = credentials.get("nonce") if credentials is not None else None
        nonce = None if given is None else intern(given)
        number = None if credentials is None or nonce is None else _number(credentials)
        question, fingerprint = self._hashes() if nonce is not None or ltkms else (b"", b"")
        response = event.response if isinstance(event, Exchange) else None
        answered = response is not None and event.error is None
        accepted = answered and response is not None and response.status != 401 and response.status < 500
        is_answer = response is not None and credentials is not None
        asked = event.requested_pairs
        pairs = _few(asked) if len(asked) < _MANY else frozenset(asked)
        came = frozenset([ltkm.msk[1:] for ltkm in ltkms if ltkm.msk] if event.was_delivered else ())
        where = event.connection or event.client, event.client, event.capture
        return EventSummary(
            EventOrigin(event.id, event.started, event.ended, *where, event.is_replayed, accepted, nonce is not None),
            intern(event.terminal),
            self._key(),
            nonce,
            None if number is None else NonceUse(number, question),
            fingerprint,
            _challenges(event),
            KeyRequest(pairs, event.started, answered, pairs if came == pairs else came),
            is_answer,
            _next_nonce(response) if is_answer and response is not None else None,
            ltkms,
            dict(self._proofs()) if self.keys else {},
        )

    def _key(self) -> TerminalKey:
        event, by = self.event, self.settings.terminal
        text = intern(by.key(event))
        group = self.subscriber.identity if by.joins and self.subscriber is not None else ""
        return TerminalKey(text, group or text, text not in (event.connection, event.client))

    def _hashes(self) -> tuple[bytes, bytes]:
        """Return a hash of all that the event asks, its credentials included, and one of the whole event."""
        event, key = self.event, self.settings.hash_key
        if not isinstance(event, Exchange):
            return b"", keyed_hash(key, *(ltkm.octets for ltkm in event.ltkms))
        asked, answered = event.request, event.response
        question = keyed_hash(key, asked.method, asked.target, asked.headers.get("Authorization"), asked.body)
        if answered is None:
            return question, question
        info, challenge = answered.authentication_info_text, answered.headers.get("WWW-Authenticate")
        return question, keyed_hash(key, question, str(answered.status), info, challenge, answered.body)


_MANY = 16
_few = lru_cache(maxsize=256)(frozenset[Pair])
"""Terminals ask for the same keys; what is kept of their requests is one object for all of them."""


def _next_nonce(response: Response) -> str | None:
    """Return what Authentication-Info gives as nextnonce."""
    if "nextnonce" not in (response.authentication_info_text or "").lower():
        return None
    info = response.authentication_info
    return None if info is None else info.get("nextnonce")


def _challenges(event: Event) -> Mapping[str, tuple[digest.Directives, ...]]:
    """Return the digest challenges of a 401, by their nonce."""
    found: dict[str, tuple[digest.Directives, ...]] = {}
    for challenge in event.challenges:
        nonce = challenge.get("nonce")
        if nonce is not None:
            found[nonce] = (*found.get(nonce, ()), challenge)
    return found


def _number(credentials: digest.Directives) -> int | None:
    """Return the nonce count of credentials; None without one that counts."""
    try:
        return int(credentials.get("nc") or "", 16)
    except ValueError:
        return None
