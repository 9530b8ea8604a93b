"""A datagram is an event and carries its LTKM itself."""

import pickle
from dataclasses import replace

from ltkm_inspect import reference
from ltkm_inspect.traffic import Datagram, Direction, Limits

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


def test_it_is_ours_where_its_octets_begin_as_a_message_does() -> None:
    assert PUSH.is_ours
    assert not replace(PUSH, octets=b"").is_ours


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
