"""Faults through the real proxy: what the terminal gets, and that it gets nothing else; all of them in `make sweep`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ltkm_inspect.context import Context
from ltkm_inspect.engine import inject
from ltkm_inspect.fault import FAULTS, Application
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.keys.protection import mac_verifies
from ltkm_inspect.mikey import Identity, Kemac
from ltkm_inspect.reference import DATAGRAM_REFERENCES, KEYS, events
from ltkm_inspect.rule import RULES
from ltkm_inspect.session import OpenedLtkm, Session, SessionEvent
from ltkm_inspect.traffic import Document, Exchange, Headers, Item, LtkmElement, Response
from tests.loopback.bsm import Bsm, Habits, ring_text
from tests.loopback.proxy import Steered
from tests.loopback.scenes import SCENES, person, reports, served_for
from tests.loopback.sweep import faults
from tests.loopback.terminal import Handset, Taken
from tests.proxy.parts import Mitmdump


def reaches_back(id: str) -> bool:
    """Tell whether a fault damages, in its reference, a datagram, the request or the connection that it came over."""
    *before, last = events(FAULTS[id].reference)
    session = Session()
    for event in before:
        session.take(event, KEYS)
    after = inject(last, [Application(FAULTS[id])], Context(keys=KEYS, session=session))
    if FAULTS[id].reference in DATAGRAM_REFERENCES:
        return True
    assert isinstance(last, Exchange)
    assert isinstance(after, Exchange)
    return (after.request, after.connection) != (last.request, last.connection)


FOR_RECORDINGS = frozenset(filter(reaches_back, FAULTS))
"""The faults of the request. A proxy sees the response when the server has answered the request already, so these can
be put into recordings only."""

OF_TWO_TERMINALS = {id for id in FAULTS if FAULTS[id].reference.endswith("two-terminals")}
"""The faults that take two terminals to be noticed: the scenes here have one."""
LIVE = [id for id in FAULTS if id not in FOR_RECORDINGS | OF_TWO_TERMINALS]
KEYED = {"with keys": True, "without keys": False}
TERMINALS = {(id, keys): person(f"{id} {keys}") for id in FAULTS for keys in KEYED}
ELEMENT = re.compile(rb"<([\w.-]+:)?LTKM\b[^>]*>[^<]*</([\w.-]+:)?LTKM>")
ITEM = re.compile(rb"<Response>.*?</Response>", re.S)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one fault: the last exchange as the terminal got it, and as the BSM sent it."""

    handset: Handset
    taken: Taken
    sent: Exchange
    log: list[str]

    @property
    def before(self) -> Response:
        """What the BSM sent."""
        assert self.sent.response is not None
        return self.sent.response

    @property
    def after(self) -> Response:
        """What the terminal got."""
        assert self.taken.exchange.response is not None
        return self.taken.exchange.response


@pytest.fixture(scope="module")
def proxies(mitmdump: Mitmdump, bsm: Bsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Steered]]:
    """Two proxies in front of the BSM: one knows the keys of all terminals, the other none."""
    ring: Path = tmp_path_factory.mktemp("keys") / "ring.toml"
    ring.write_text(ring_text(TERMINALS.values()))
    ring.chmod(0o600)
    with Steered(mitmdump, bsm.port, f"ltkm_keys={ring}") as rich, Steered(mitmdump, bsm.port) as poor:
        yield {"with keys": rich, "without keys": poor}
        assert all("Traceback" not in each.stop().output for each in (rich, poor))


def play(id: str, keys: str, bsm: Bsm, proxies: dict[str, Steered], habits: Habits | None = None) -> Played:
    """Order a fault for one terminal in front of the last exchange of its reference, and take that exchange."""
    proxy, fault = proxies[keys], FAULTS[id]
    scene = SCENES[fault.reference]
    scene = scene if habits is None else replace(scene, habits=habits)
    terminal = TERMINALS[id, keys]
    # who asks without credentials has not said its name yet
    chosen = {"ltkm_fault_terminal": [terminal.b_tid]} if scene.deliveries else {}
    since = len(proxy.proxy.log)

    def order() -> None:
        assert proxy.set(ltkm_fault=[id], **chosen) == ""

    with Handset(terminal, proxy.port) as handset:
        taken = scene.act(bsm, handset, order)
    log = proxy.wait_for(lambda lines: any(f" fault {id}: " in line for line in lines), since)
    assert proxy.set(ltkm_fault=[], ltkm_fault_terminal=[]) == ""
    sent = served_for(bsm, handset)
    early = zip(handset.taken[:-1], sent[:-1], strict=True)
    assert all(taken.raw == served.raw for taken, served in early), "what was not to be damaged is untouched"
    return Played(handset, taken, replace(taken.exchange, response=sent[-1].exchange.response), log)


def injected(played: Played, id: str, keys: KeyRing) -> Response | None:
    """Return the response of the BSM with the fault in it, made here and not in the proxy."""
    session = Session()
    for taken in played.handset.taken[:-1]:
        session.take(taken.exchange, keys)
    return inject(played.sent, [Application(FAULTS[id])], Context(keys=keys, session=session)).response


@pytest.mark.parametrize("keys", KEYED)
@pytest.mark.parametrize("id", faults(LIVE))
def test_a_terminal_gets_the_fault_and_nothing_else(id: str, keys: str, bsm: Bsm, proxies: dict[str, Steered]) -> None:
    fault = FAULTS[id]
    played = play(id, keys, bsm, proxies)
    before, after = played.before, played.after
    own = KeyRing((played.handset.terminal.subscriber,))
    if fault.on is OpenedLtkm and not KEYED[keys]:
        assert after == before
        assert any("there is no key ring" in line for line in played.log)
        return

    # The rules that are broken at the terminal's end are those of the fault, and none is broken before.
    for ring in (own, KeyRing()) if KEYED[keys] else (KeyRing(),):
        *earlier, last = reports(played.handset, ring)
        assert [finding.line for report in earlier for finding in report.findings] == []
        wanted = {rule for rule in fault.trips if ring or not RULES[rule].is_keyed}
        assert set(last.rules) == wanted, [finding.line for finding in last.findings]

    # The difference is where the fault says, and the octets around it are those of the BSM.
    assert after == injected(played, id, own if KEYED[keys] else KeyRing())
    assert after != before
    if fault.on not in (Exchange, SessionEvent):
        assert (after.status, after.reason, after.http_version) == (before.status, before.reason, before.http_version)
        assert frame(after.headers) == frame(before.headers)
        assert_within(fault.on, before.body or b"", after.body or b"")
    assert f"content-length: {len(after.body or b'')}" in played.taken.received.head.decode("latin-1").lower()

    # Digest and MAC fit where the keys are known and the fault does not leave them, and the log says where they do not.
    said = [line for line in played.log if "the terminal will reject it" in line]
    if "digest" not in fault.leaves and played.taken.digest is not None:
        covers = after.authentication_info is not None and after.authentication_info.get("qop") != "auth"
        assert played.taken.digest is (KEYED[keys] or after.body == before.body)
        assert any("digest" in line for line in said) is (not played.taken.digest and covers)
    if "mac" not in fault.leaves:
        fits = all(macs(played.taken.exchange, played.handset.terminal.muk))
        assert fits or not KEYED[keys] or names_another(played)
        assert any("MAC" in line for line in said) is not fits
    assert any(re.search(rf"#\d+ fault {id}: ", line) for line in played.log)


def frame(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return header fields without what a change of the body makes of them: its length and its digest."""
    signed = re.compile(rb'rspauth="[0-9a-f]{32}"')
    fields = headers.without("Content-Length").fields
    return [(name, signed.sub(b"", value) if name == b"Authentication-Info" else value) for name, value in fields]


def assert_within(on: type, before: bytes, after: bytes) -> None:
    """Hold that two bodies differ only within one thing of the kind that a fault is about."""
    if on is Document:
        return
    if on is Item or on is LtkmElement:
        # an LTKM may go elsewhere, but nothing else does, and one item is different
        rests = [ELEMENT.sub(b"", b"|".join(ITEM.split(body))) for body in (before, after)]
        assert rests[0] == rests[1]
        changed = [pair for pair in zip(ITEM.findall(before), ITEM.findall(after), strict=True) if pair[0] != pair[1]]
        assert len(changed) == 1
        return
    assert ELEMENT.split(before) == ELEMENT.split(after)
    old, new = ([found[0] for found in ELEMENT.finditer(body)] for body in (before, after))
    changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    tags = [re.split(rb"(?<=>)[^<]*(?=<)", element) for element in changed[0]]
    assert tags[0] == tags[1]


def macs(exchange: Exchange, muk: bytes) -> Iterator[bool]:
    """Yield for each LTKM that has a MAC whether that is right, whoever the message says that it is for."""
    for ltkm in exchange.document.ltkms if exchange.document else ():
        if ltkm.octets and ltkm.message is not None and any(kemac.mac for kemac in ltkm.message.of(Kemac)):
            yield mac_verifies(ltkm.message, ltkm.octets, muk)


CODINGS = {
    "gzip": Habits(coding="gzip"),
    "deflate": Habits(coding="deflate"),
    "br": Habits(coding="br"),
    "zstd": Habits(coding="zstd"),
    "chunked": Habits(chunk=100),
    "gzip-chunked": Habits(coding="gzip", chunk=100),
}


@pytest.mark.parametrize("id", ["rename-ltkm", "shorten-rand", "drop-authentication-info", "strip-ltkm"])
@pytest.mark.parametrize("coding", CODINGS)
def test_codings_are_kept_and_the_digest_covers_the_octets_that_are_sent(
    coding: str, id: str, bsm: Bsm, proxies: dict[str, Steered]
) -> None:
    habits = CODINGS[coding]
    played = play(id, "with keys", bsm, proxies, habits)
    before, after = played.before, played.after
    assert after.headers.get("Content-Encoding") == (habits.coding or None)
    assert after.headers.get("Transfer-Encoding") == ("chunked" if habits.chunk else None)
    assert after.headers.get("Content-Length") == (None if habits.chunk else str(len(after.body or b"")))
    assert played.taken.digest is (None if id == "drop-authentication-info" else True)
    plain = [response.decoded().octets for response in (before, after)]
    assert plain[0] is not None
    assert plain[1] is not None
    assert frame(after.without_info().headers) == frame(before.without_info().headers)
    assert_within(FAULTS[id].on if FAULTS[id].on is not Exchange else Document, plain[0], plain[1])
    assert set(reports(played.handset)[-1].rules) == FAULTS[id].trips


def names_another(played: Played) -> bool:
    """Tell whether a message is for a terminal of whose keys nothing is known, by its last identity."""
    document, own = played.taken.exchange.document, played.handset.terminal.b_tid.encode()
    messages = [ltkm.message for ltkm in document.ltkms if ltkm.message is not None] if document else []
    return any(message.of(Identity) and message.of(Identity)[-1].value != own for message in messages)


@pytest.mark.parametrize("id", faults(sorted(FOR_RECORDINGS)))
def test_a_fault_of_the_request_is_refused_and_the_traffic_left_alone(
    id: str, bsm: Bsm, proxies: dict[str, Steered]
) -> None:
    proxy = proxies["with keys"]
    said = proxy.set(ltkm_fault=[id])
    assert id in said
    assert "put it into a recording" in said
    with Handset(TERMINALS[id, "with keys"], proxy.port) as handset:
        taken = SCENES["download"].act(bsm, handset)
    assert [each.raw for each in handset.taken] == [served.raw for served in served_for(bsm, handset)]
    assert taken.digest is True


def test_every_fault_is_of_a_reference_that_can_be_acted_out_or_for_recordings_only() -> None:
    assert {FAULTS[id].reference for id in LIVE} <= set(SCENES)
    assert len(OF_TWO_TERMINALS) < 5
    assert {"replace-host", "empty-request", "share-connection"} < FOR_RECORDINGS
    of_exchanges = [id for id in FOR_RECORDINGS if FAULTS[id].reference not in DATAGRAM_REFERENCES]
    assert len(LIVE) > 3 * len(of_exchanges)
