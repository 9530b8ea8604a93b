"""The kinds of subject, each by the class that `on=` of a rule or a fault names."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ltkm_inspect.finding import Place
from ltkm_inspect.mikey import PAYLOADS, Message, Payload, decode
from ltkm_inspect.selection import Selection
from ltkm_inspect.session import (
    DeliveredLtkm,
    KeyedEvent,
    OpenedLtkm,
    PendingPush,
    SentDatagram,
    SessionEvent,
    pending_pushes,
)
from ltkm_inspect.subject.kind import Kind, Look
from ltkm_inspect.subject.site import Octets, Site
from ltkm_inspect.traffic import Datagram, Document, Event, Exchange, Item, Ltkm, LtkmElement


class _EventKind(Kind):
    group = 1
    is_single = is_event = True

    def subjects(self, step: SessionEvent) -> Sequence[Event]:
        return (step.event,) if isinstance(step.event, Exchange) else ()

    def choices(self, event: Event, *_: object) -> Iterable[Site]:
        return (self.site(event),) if isinstance(event, Exchange) else ()


class _SessionKind(Kind):
    group = 0
    is_single = is_event = takes_session = True
    noun = "exchange"

    def subjects(self, step: SessionEvent) -> Sequence[SessionEvent]:
        return (step,) if isinstance(step.event, Exchange) else ()


class _DatagramKind(Kind):
    group = 1
    is_single = is_event = takes_session = True

    def subjects(self, step: SessionEvent) -> Sequence[SentDatagram]:
        event = step.event
        return (SentDatagram(event, step),) if isinstance(event, Datagram) and event.is_checked else ()

    def site(self, subject: SentDatagram) -> Site:
        return Site(self, subject, subject.event, ltkm=subject.event.ltkm)

    def place(self, site: Site, path: str, element: Any) -> Place:
        return Place(None, None, path or "datagram")


class _KeyedKind(Kind):
    group = 0

    def subjects(self, step: SessionEvent) -> Sequence[KeyedEvent]:
        return (KeyedEvent(step),)


class _PendingKind(Kind):
    group = 0

    def subjects(self, step: SessionEvent) -> Sequence[PendingPush]:
        return [*pending_pushes(step)]

    def place(self, site: Site, path: str, element: Any) -> Place:
        return Place(None, None, path or ("datagram" if isinstance(site.event, Datagram) else ""))


class _DocumentKind(Kind):
    group = 3
    is_single = True

    def subjects(self, step: SessionEvent) -> Sequence[Document]:
        document = step.event.document
        return () if document is None else (document,)

    def site(self, subject: Document) -> Site:
        return Site(self, subject, subject.event, element=subject.root)

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterable[Site]:
        document = _chosen(event, chosen)
        return () if document is None else (self.site(document),)

    def place(self, site: Site, path: str, element: Any) -> Place:
        item = None if element is None else site.subject.item_of(element)
        return Place(None, None, path or "document") if item is None else Place(item.number, None, path)


class _ItemKind(Kind):
    def subjects(self, step: SessionEvent) -> Sequence[Item]:
        document = step.event.document
        return document.items if document is not None and document.xml.well_formed else ()

    def site(self, subject: Item) -> Site:
        return Site(self, subject, subject.event, subject, element=subject.element)

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterable[Site]:
        document = _chosen(event, chosen)
        items = document.items if document is not None else ()
        return map(self.site, sorted(items, key=lambda item: not item.ltkm_elements))


class _ElementKind(Kind):
    stage = 1

    def __init__(self, on: type, listed_with: type) -> None:
        super().__init__(on)
        self.listed_with = listed_with

    def subjects(self, step: SessionEvent) -> Sequence[LtkmElement]:
        document, most = step.event.document, step.event.limits.ltkms
        return document.ltkm_elements[:most] if document is not None and document.xml.well_formed else ()

    def site(self, subject: LtkmElement) -> Site:
        return Site(self, subject, subject.event, subject.item, subject.ltkm, element=subject.element)

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterable[Site]:
        document = _chosen(event, chosen)
        return map(self.site, document.ltkm_elements if document is not None else ())


class _LtkmKind(Kind):
    stage = 1

    def subjects(self, step: SessionEvent) -> Sequence[Ltkm]:
        return step.event.judged_ltkms

    def site(self, subject: Ltkm) -> Site:
        return Site(self, subject, subject.event, subject.item, subject)


class _InsideKind(Kind):
    """What is inside a message."""

    stage = 2
    is_inside = True

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterator[Site]:
        for ltkm in filter(chosen.takes_ltkm, event.ltkms):
            if ltkm.octets:
                yield from self.sites(ltkm, ltkm.octets)

    def sites(self, ltkm: Ltkm, octets: bytes) -> Iterable[Site]:
        """Return the subjects in one LTKM."""
        raise NotImplementedError


class _OctetsKind(_InsideKind):
    def sites(self, ltkm: Ltkm, octets: bytes) -> Iterator[Site]:
        yield Site(self, Octets(octets), ltkm.event, ltkm.item, ltkm)

    def changed(self, site: Site, result: Any) -> Message:
        return decode(result)


class _MessageKind(_InsideKind):
    def sites(self, ltkm: Ltkm, octets: bytes) -> Iterator[Site]:
        if ltkm.message is not None and ltkm.message.problem is None:
            yield Site(self, ltkm.message, ltkm.event, ltkm.item, ltkm)


class _PayloadKind(_InsideKind):
    stage = 3

    def sites(self, ltkm: Ltkm, octets: bytes) -> Iterator[Site]:
        """Return the first payload of the class."""
        message = ltkm.message
        for index, payload in enumerate(message.payloads if message is not None and message.problem is None else ()):
            if type(payload) is self.on:
                yield Site(self, payload, ltkm.event, ltkm.item, ltkm, index)
                return

    def changed(self, site: Site, result: Any) -> Message:
        assert site.ltkm is not None
        assert site.ltkm.message is not None
        payloads: list[Payload] = list(site.ltkm.message.payloads)
        payloads[site.payload or 0] = result
        return replace(site.ltkm.message, payloads=tuple(payloads))


class _DeliveryKind(_InsideKind):
    """What is inside a message, and part of the session."""

    stage = 4
    takes_session = True
    noun = "LTKM"

    def subjects(self, step: SessionEvent) -> Sequence[DeliveredLtkm | OpenedLtkm]:
        return step.deliveries

    def site(self, subject: DeliveredLtkm | OpenedLtkm) -> Site:
        return Site(self, subject, subject.event, subject.ltkm.item, subject.ltkm)

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterator[Site]:
        """Return the last LTKM first, in front of which most was delivered."""
        return map(self.site, reversed([each for each in self.subjects(look()) if chosen.takes_ltkm(each.ltkm)]))


class _OpenedKind(_DeliveryKind):
    group = 6

    def choices(self, event: Event, chosen: Selection, look: Look) -> Iterator[Site]:
        if not look().keys:
            raise ValueError("needs the terminal's keys, but there is no key ring")
        return super().choices(event, chosen, look)

    def subjects(self, step: SessionEvent) -> Sequence[OpenedLtkm]:
        return step.openings if step.keys else ()


def _chosen(event: Event, chosen: Selection) -> Document | None:
    return None if event.document is None else chosen.of(event.document)


def message_sites(ltkm: Ltkm, message: Message, wanted: Container[type]) -> Iterator[Site]:
    """Yield the message of an LTKM, then its payloads, as far as their classes are wanted."""
    event, item = ltkm.event, ltkm.item
    if Message in wanted:
        yield Site(MESSAGE, message, event, item, ltkm)
    for index, payload in enumerate(message.payloads):
        kind = PAYLOAD_KINDS.get(type(payload))
        if kind is not None and kind.on in wanted:
            yield Site(kind, payload, event, item, ltkm, index)


MESSAGE = _MessageKind(Message)
PAYLOAD_KINDS: Mapping[type, Kind] = {on: _PayloadKind(on) for on in PAYLOADS.values()}
FOUND = (
    _SessionKind(SessionEvent),
    _KeyedKind(KeyedEvent),
    _PendingKind(PendingPush),
    _EventKind(Exchange),
    _DatagramKind(SentDatagram),
    _DocumentKind(Document),
    _LtkmKind(Ltkm),
    _ElementKind(LtkmElement, Ltkm),
    _ItemKind(Item),
    _DeliveryKind(DeliveredLtkm),
    _OpenedKind(OpenedLtkm),
)
"""The kinds that find themselves in an event; messages and payloads are found in its LTKMs."""
KINDS: Mapping[type, Kind] = {kind.on: kind for kind in (*FOUND, MESSAGE, _OctetsKind(Octets), *PAYLOAD_KINDS.values())}
"""Every kind of subject by the class of its subjects."""
