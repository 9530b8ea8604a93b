"""Which terminal is meant by what is typed: a B-TID, or an address in any spelling."""

from dataclasses import replace

import pytest

from ltkm_inspect.reference import B_TID, TERMINAL_OF_5G, reference
from ltkm_inspect.selection import parse_terminal, parse_terminals

CLEAN = reference("download")[0]


@pytest.mark.parametrize(
    ("typed", "client", "taken"),
    [
        pytest.param("192.0.2.10", "192.0.2.10:40003", True, id="address"),
        pytest.param(" 192.0.2.10 ", "192.0.2.10:40003", True, id="spaces"),
        pytest.param("192.0.2.1", "192.0.2.10:40003", False, id="other"),
        pytest.param("192.0.2.10:40003", "192.0.2.10:40003", True, id="port"),
        pytest.param("192.0.2.10:40004", "192.0.2.10:40003", False, id="other-port"),
        pytest.param("2001:db8:0:0::1", "[2001:db8::1]:40003", True, id="ipv6"),
        pytest.param("[2001:DB8::1]:40003", "[2001:db8::1]:40003", True, id="ipv6-port"),
        pytest.param("::ffff:192.0.2.10", "192.0.2.10:40003", True, id="mapped"),
        pytest.param("192.0.2.10", "", False, id="unknown-client"),
        pytest.param(B_TID, "192.0.2.10:40003", True, id="b-tid"),
        pytest.param(B_TID.lower(), "192.0.2.10:40003", False, id="b-tid-case"),
        pytest.param(TERMINAL_OF_5G.b_tid, "192.0.2.10:40003", False, id="a-kid"),
        pytest.param("192.0.2.300", "192.0.2.10:40003", False, id="no-address"),
    ],
)
def test_a_terminal_is_taken_by_its_name_or_by_the_address_of_its_client(typed: str, client: str, taken: bool) -> None:
    terminal = parse_terminal(typed)
    assert str(terminal) == typed.strip()
    assert terminal.takes(replace(CLEAN, client=client)) is taken


def test_a_terminal_that_authenticates_by_akma_is_taken_by_its_a_kid() -> None:
    taken = parse_terminal(TERMINAL_OF_5G.b_tid).takes
    assert taken(reference("akma")[0])
    assert not taken(reference("akma-challenge")[0]), "a challenge names nobody"


def test_a_request_without_a_name_belongs_to_no_b_tid() -> None:
    request = replace(CLEAN.request, headers=CLEAN.request.headers.without("Authorization"))
    assert not parse_terminal(B_TID).takes(replace(CLEAN, request=request))


def test_several_are_kept_once_each_in_their_order() -> None:
    assert [str(each) for each in parse_terminals(["b@x", "192.0.2.1", "b@x"])] == ["b@x", "192.0.2.1"]
