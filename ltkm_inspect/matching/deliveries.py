"""The deliveries in captures: LTKMs on their way to a terminal, with what tells them apart."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from ltkm_inspect.matching.values import BTid, MskId, b_tid_of
from ltkm_inspect.mikey import Identity, Timestamp
from ltkm_inspect.mikey.core import COUNTER
from ltkm_inspect.output.wording import PLAIN, Wording
from ltkm_inspect.report.text import number_text
from ltkm_inspect.session import SessionEvent
from ltkm_inspect.traffic import Datagram, DatagramKind, Ltkm


class Subject(NamedTuple):
    """Who gets which key; a part that is not known is None."""

    name: str | None
    """The B-TID without its realm."""
    realm: str | None
    domain: bytes | None
    msk: bytes | None

    @property
    def key(self) -> str:
        """Key Domain ID, Key Group and Key Number as they are selected, as far as they are known."""
        msk = (self.msk or b"").hex()
        return "/".join(filter(None, [(self.domain or b"").hex(), msk[:4], msk[4:]]))


@dataclass(slots=True)
class CapturedDelivery:
    """An LTKM in a capture that a terminal was sent."""

    file: str
    number: str
    """The ordinal of its flow in the file, and of a datagram its place in the flow."""
    id: str
    """The id of its exchange or datagram, safe to show."""
    item: int | None
    ltkm: int
    subject: Subject
    b_tid: str
    """The B-TID as it came, or the name that replaces it."""
    ts: int | None
    """The value of T; None without one."""
    seconds: int | None
    """That value as whole seconds, if it is an NTP time; a counter as it is."""
    at: float | None
    """When it was delivered, in seconds since 1970 UTC."""
    digest: bytes
    """A hash of the message."""
    is_datagram: bool
    is_pull: bool
    """It is a solicited pull, which delivers no key: the log may have it or not."""
    faults: tuple[str, ...]


@dataclass(slots=True)
class Deliveries:
    """What captures hold, in their order."""

    wording: Wording = PLAIN
    found: list[CapturedDelivery] = field(default_factory=list)
    events: int = 0
    """MSK exchanges and datagrams that were looked at."""
    first: float | None = None
    """When the first of them began, in seconds since 1970 UTC."""
    last: float | None = None
    """When the last of them ended."""

    def add(self, file: str, number: int, step: SessionEvent) -> None:
        """Take the LTKMs of an event that has its place in the session; one that was captured before counts once.

        The number is the ordinal of its flow in the file.
        """
        event = step.event
        self.events += 1
        for moment in (event.started, event.ended):
            if moment is not None:
                self.first = moment if self.first is None else min(self.first, moment)
                self.last = moment if self.last is None else max(self.last, moment)
        if step.before.twin is None:
            self.found += self._deliveries(file, number_text(number, step.event), step)

    def _deliveries(self, file: str, number: str, step: SessionEvent) -> Iterator[CapturedDelivery]:
        event, wording = step.event, self.wording
        wording.redactor(event)  # which learns the identities that have no form of their own
        shown_id = wording.text(event.id)
        at = event.started if event.ended is None else event.ended
        is_pull = isinstance(event, Datagram) and event.kind is DatagramKind.PULL
        for ltkm in event.ltkms:
            b_tid = event.b_tid or _idr(ltkm)
            ts, seconds = _time(ltkm)
            yield CapturedDelivery(
                file,
                number,
                shown_id,
                None if ltkm.item is None else ltkm.item.number,
                ltkm.number,
                subject(b_tid_of(b_tid) if b_tid else None, _pair(ltkm)),
                wording.terminal(b_tid) if b_tid else "",
                ts,
                seconds,
                at,
                blake2b(ltkm.octets or b"", digest_size=8).digest(),
                isinstance(event, Datagram),
                is_pull,
                tuple(map(wording.text, event.faults)),
            )


def subject(b_tid: BTid | None, msk: MskId | None) -> Subject:
    """Return who gets which key, by the parts that are known."""
    name, realm = (None, None) if b_tid is None else (b_tid.name, b_tid.realm or None)
    domain, msk_id = (None, None) if msk is None else msk
    return Subject(name, realm, domain, msk_id)


def _pair(ltkm: Ltkm) -> MskId | None:
    """Return Key Domain ID and MSK ID of the message, else those of its item."""
    pair = None if ltkm.message is None else ltkm.message.pair
    if pair is None and ltkm.item is not None:
        pair = ltkm.item.pair
    return pair


def _idr(ltkm: Ltkm) -> str:
    """Return the IDr of the message, which names the terminal; empty without one."""
    identities = () if ltkm.message is None else ltkm.message.of(Identity)
    return identities[1].value.decode("utf-8", "surrogateescape") if len(identities) > 1 else ""


def _time(ltkm: Ltkm) -> tuple[int | None, int | None]:
    """Return the value of T, and the same in whole seconds."""
    times = () if ltkm.message is None else ltkm.message.of(Timestamp)
    if not times:
        return None, None
    is_long = times[0].type != COUNTER and len(times[0].value) == 8
    return times[0].number, times[0].number >> 32 if is_long else times[0].number
