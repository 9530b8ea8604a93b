"""The morning of the trial as packets, captured beside the BSM: HTTP, and the keys that are pushed over UDP as well."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ltkm_inspect.mikey import GeneralExtension, KeyId, KeyIds, Message
from ltkm_inspect.reference import STARTED, Grant, pull, push, verification
from ltkm_inspect.traffic import Exchange
from tests.packets.build import Record, enhanced, interface, section
from tests.packets.traffic import Wire, request_octets, response_octets
from tests.packets.traffic import push as packet
from tests.samples.lab import BSM_ADDRESS, NAT, Handset, Sample, granted

FILE = "trial.pcapng"
BSM, TERMINALS, GROUP = "198.51.100.1:2269", f"{NAT}:2269", "232.0.0.5:2269"
"""Where MIKEY comes from and goes to. The NAT has one port 2269, and that is Alder's, which sent something first."""
KIDS, MUSIC, RADIO, CINEMA, WEATHER = (
    granted(msk_id) for msk_id in ("7a300011", "0c520011", "2f6b0011", "31a20011", "5e1d0011")
)
ROUND_TRIP = 0.05
"""Seconds until an answer."""
TICKS = 10**6
"""Of the clock of the capture, per second."""


@dataclass(frozen=True, slots=True)
class PacketSample:
    """One event between the first and the second hour, with what a reader is told and the rules that it must break."""

    title: str
    content: Exchange | Record
    breaks: frozenset[str] = frozenset()

    @property
    def at(self) -> float:
        """When it began, in seconds since 1970 UTC."""
        return self.content[0] if isinstance(self.content, tuple) else self.content.started or 0


def samples() -> list[PacketSample]:
    """Return what comes between the first and the second hour of the trial."""
    alder, birch, cedar = Handset("Alder", 0x13, 8), Handset("Birch", 0x14, 8), Handset("Cedar", 0x12, 8)
    found: list[PacketSample] = []

    def add(title: str, content: Exchange | Record, *breaks: str) -> None:
        found.append(PacketSample(title, content, frozenset(breaks)))

    def sent(at: float, message: Message | bytes, source: str = BSM, target: str = TERMINALS) -> Record:
        octets = message if isinstance(message, bytes) else message.encode()
        return packet(octets, STARTED + at, source, target)

    def made(handset: Handset, grant: Grant, *, v: bool = True, of: Callable[..., Message] = push) -> Message:
        handset.counter += 1
        return of(replace(grant, counter=handset.counter), handset.terminal, **({"v": v} if of is push else {}))

    def answer(at: float, pushed: Message) -> Record:
        return sent(at + ROUND_TRIP, verification(pushed, alder.terminal), TERMINALS, BSM)

    add(
        "Alder sends an octet from port 2269, so that the NAT lets pushes through to it",
        sent(1195, b"\0", TERMINALS, BSM),
    )
    kids = made(alder, KIDS)
    add("The key of the children's channel is pushed to Alder", sent(1200, kids))
    add("Alder acknowledges it", answer(1200, kids))
    add(
        "The music key is pushed to Birch: the NAT gives it to Alder, and nobody answers",
        sent(1260, made(birch, MUSIC)),
    )
    add("It is pushed again, in vain", sent(1290, made(birch, MUSIC)), "push-unanswered")
    asked = birch.answered(1320, [birch.item(MUSIC)])
    add("Birch asks for the music key over HTTP and gets it", asked, "push-unanswered")
    add(
        "Cedar is solicited to ask for the cinema key: the NAT gives that to Alder, too",
        sent(1380, made(cedar, CINEMA, of=pull)),
    )
    asked = cedar.answered(1500, [cedar.item(KIDS)])
    add("Cedar asks for another key only", asked, "pull-unfollowed")
    radio = made(alder, RADIO)
    add("The radio key is pushed to Alder", sent(1560, radio))
    add("Alder acknowledges it", answer(1560, radio))
    add("Alder gets the radio key over HTTP, too (a note)", alder.answered(1620, [alder.item(RADIO)]))
    add("The first push is sent again, octet for octet", sent(1680, kids), "ltkm-replayed")
    weather = made(alder, WEATHER, v=False)
    add(
        "A push comes from another port, and asks for no answer",
        sent(1740, weather, "198.51.100.1:40000"),
        "push-port-unusual",
    )
    add("Alder answers it nevertheless", answer(1740, weather), "verification-unasked")
    add("Everybody gets an STKM (named, not judged)", sent(1800, _stkm(made(alder, WEATHER)), target=GROUP))
    return found


def _stkm(message: Message) -> Message:
    """Return a message with an MTK ID, as it is broadcast."""
    payloads = [
        replace(each, value=KeyIds((*each.value.key_ids, KeyId(2, b"\0\1"))))
        if isinstance(each, GeneralExtension) and isinstance(each.value, KeyIds)
        else each
        for each in message.payloads
    ]
    return replace(message, payloads=tuple(payloads))


def recording(flows: Iterable[Sample]) -> bytes:
    """Return the morning of the trial and these samples as the octets of a pcapng file."""
    exchanges = [sample.exchange for sample in flows]
    between = [each.content for each in samples()]
    exchanges += [each for each in between if isinstance(each, Exchange)]
    records = [*_packets(exchanges), *(each for each in between if isinstance(each, tuple))]
    blocks = (enhanced(octets, round(time * TICKS)) for time, octets in sorted(records, key=lambda record: record[0]))
    return section() + interface() + b"".join(blocks)


def _packets(exchanges: Iterable[Exchange]) -> Iterator[Record]:
    """Yield the packets of exchanges; a terminal has one connection with each server all morning."""
    wires: dict[tuple[str, str], Wire] = {}
    last: tuple[Exchange | None, list[Record]] = None, []
    for exchange in sorted(exchanges, key=lambda each: each.started or 0):
        if last[0] is not None and exchange.request == last[0].request:  # captured twice: its segments are there twice
            yield from last[1]
            continue
        ends = exchange.client, exchange.server or BSM_ADDRESS
        known = ends in wires
        wire = wires.setdefault(ends, Wire(*ends, at=(exchange.started or 0) - 0.01))
        before = len(wire.records)
        if not known:
            wire.open()
        wire.time = exchange.started or 0
        wire.message(0, request_octets(exchange.request))
        if exchange.response is not None:
            wire.time = exchange.ended or wire.time
            wire.message(1, response_octets(exchange.response))
        last = exchange, wire.records[before:]
        yield from last[1]
