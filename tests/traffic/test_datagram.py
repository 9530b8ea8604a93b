"""A datagram is an event and carries its LTKM itself."""

import pickle
from dataclasses import replace
from typing import Any

import pytest

from ltkm_inspect import mikey, reference
from ltkm_inspect.traffic import Datagram, DatagramKind, Direction, Limits, direction_of, kind_of, may_be_message
from tests import datagrams

OCTETS = reference.reference("download")[0].ltkms[0].octets or b""
PUSH = Datagram(OCTETS, id="push", client="192.0.2.1:2269", server="198.51.100.1:2269")


def test_its_ltkm_knows_it_as_its_carrier() -> None:
    (ltkm,) = PUSH.ltkms
    assert ltkm.carrier is PUSH
    assert (ltkm.event, ltkm.item, ltkm.number, ltkm.octets) == (PUSH, None, 1, OCTETS)
    assert ltkm.message is not None
    assert ltkm.message.encode() == OCTETS
    assert ltkm.span("RAND.value") is not None


def test_an_ltkm_in_an_element_says_the_same_of_itself() -> None:
    exchange = reference.reference("download")[0]
    (ltkm,) = exchange.ltkms
    assert ltkm.event is exchange
    assert ltkm.item is not None
    assert ltkm.item.event is exchange
    assert ltkm.carrier.is_delivery
    assert ltkm.carrier.body_span is not None
    assert exchange.changed([ltkm.carrier.refilled(b"other")]).ltkms[0].octets == b"other"


def test_the_terminal_is_named_by_the_message_and_not_by_the_address() -> None:
    assert PUSH.terminal == reference.B_TID
    assert replace(PUSH, octets=b"", connection="one").terminal == "one"
    assert datagrams.datagram(datagrams.VERIFICATION, direction=Direction.FROM_TERMINAL).terminal == reference.B_TID
    cut = datagrams.PUSH[: datagrams.PUSH.index(reference.B_TID.encode())]  # the only identity left is the BSM
    assert replace(PUSH, octets=cut, connection="one").terminal == "one"


KINDS = {
    DatagramKind.PUSH: [datagrams.PUSH, datagrams.push(v=True), datagrams.PUSH[:60]],
    DatagramKind.PULL: [datagrams.PULL],
    DatagramKind.VERIFICATION: [datagrams.VERIFICATION, datagrams.VERIFICATION[:12]],
    DatagramKind.REPORTING: [datagrams.REPORTING],
    DatagramKind.ERROR: [datagrams.ERROR],
    DatagramKind.STKM: [datagrams.STKM, datagrams.BCAST_STKM],
    DatagramKind.OTHER: [
        b"",
        b"\0",
        b"no message of MIKEY",
        datagrams.PUSH[:12],
        b"\2" + datagrams.PUSH[1:],
        bytes(99),
    ],
}


@pytest.mark.parametrize(("kind", "octets"), [(kind, each) for kind, all in KINDS.items() for each in all])
def test_a_message_is_recognized_however_it_is_cut(kind: DatagramKind, octets: bytes) -> None:
    assert kind_of(mikey.decode(octets)) is kind
    assert datagrams.datagram(octets).kind is kind


@pytest.mark.parametrize("octets", [datagrams.PUSH, datagrams.VERIFICATION, datagrams.STKM])
def test_a_message_of_which_more_is_cut_off_gets_no_other_name(octets: bytes) -> None:
    kinds = [kind_of(mikey.decode(octets[:end])) for end in range(len(octets) + 1)]
    assert len(set(kinds)) <= 3  # an STKM without its MTK ID seems to be a push
    assert kinds[0] is DatagramKind.OTHER
    assert kinds[-1] is kind_of(mikey.decode(octets))


def test_the_message_says_which_way_it_goes() -> None:
    ways = {DatagramKind.VERIFICATION: Direction.FROM_TERMINAL, DatagramKind.REPORTING: Direction.FROM_TERMINAL}
    for kind in KINDS:
        if kind not in (DatagramKind.OTHER, DatagramKind.ERROR):
            assert direction_of(KINDS[kind][0]) is ways.get(kind, Direction.TO_TERMINAL)
    assert direction_of(b"\2" + datagrams.PUSH[1:]) is Direction.TO_TERMINAL
    assert direction_of(b"\2" + datagrams.VERIFICATION[1:]) is Direction.FROM_TERMINAL
    assert direction_of(datagrams.ERROR) is None
    assert direction_of(b"no message") is None


def test_only_what_the_bsm_sends_as_an_ltkm_is_one() -> None:
    for kind, (octets, *_) in KINDS.items():
        assert bool(datagrams.datagram(octets).ltkms) is (kind in (DatagramKind.PUSH, DatagramKind.PULL))
    damaged = datagrams.datagram(b"\2" + datagrams.PUSH[1:])  # a damaged push is not lost
    assert damaged.ltkms
    assert not replace(damaged, direction=Direction.FROM_TERMINAL).ltkms
    assert not datagrams.datagram(b"no message").ltkms


def test_it_is_ours_at_the_port_of_mikey_or_as_a_whole_message() -> None:
    assert datagrams.datagram(b"no message").is_ours
    elsewhere: dict[str, Any] = {"client": "192.0.2.1:53", "server": "198.51.100.1:5353"}
    for kind, all in KINDS.items():
        assert datagrams.datagram(all[0], **elsewhere).is_ours is (kind is not DatagramKind.OTHER)
        assert may_be_message(all[0]) is (kind is not DatagramKind.OTHER)
        assert datagrams.datagram(all[0], client="[2001:db8::1]:2269", server="").is_ours
    assert not datagrams.datagram(datagrams.PUSH[:-1], **elsewhere).is_ours


def test_kinds_are_counted_in_plain_words() -> None:
    words = [kind.plural(number) for kind in DatagramKind for number in (1, 2)]
    assert "1 push" in words
    assert "2 pushes" in words
    assert "2 STKMs" in words
    assert "2 verification messages" in words


def test_only_what_goes_to_the_terminal_is_delivered() -> None:
    assert PUSH.was_delivered
    assert not replace(PUSH, direction=Direction.FROM_TERMINAL).was_delivered


def test_limits_hold_and_octets_can_be_replaced() -> None:
    limited = replace(PUSH, limits=Limits(payloads=1))
    assert limited.message is not None
    assert limited.message.is_cut
    assert PUSH.changed([PUSH.refilled(b"a"), PUSH.refilled(b"b")]).octets == b"b"
    assert PUSH.without_content().ltkms == ()


def test_an_event_can_be_pickled() -> None:
    for event in (PUSH, reference.reference("download")[0]):
        assert event.ltkms  # what was worked out does not go along
        again = pickle.loads(pickle.dumps(event))
        assert [ltkm.octets for ltkm in again.ltkms] == [ltkm.octets for ltkm in event.ltkms]
