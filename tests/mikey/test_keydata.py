"""Key data sub-payloads: total, inverse, and never in a repr."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.mikey import Interval, KeyData, KeyDataChain, decode_key_data
from tests.mikey.messages import key_data_chains

MSK = bytes.fromhex("00112233445566778899aabbccddeeff")


@given(st.binary(max_size=120) | key_data_chains.map(KeyDataChain.encode))
def test_encode_is_the_inverse_of_decode_for_any_octets(octets: bytes) -> None:
    chain = decode_key_data(octets)
    assert chain.encode() == octets
    assert (chain.problem is None) == (chain.trailing == b"" and chain.tail_type == 0)


@given(key_data_chains)
def test_decode_is_the_inverse_of_encode_for_well_formed_chains(chain: KeyDataChain) -> None:
    assert decode_key_data(chain.encode()) == chain


def test_the_plaintext_of_an_ltkm_is_one_key_with_its_interval() -> None:
    chain = decode_key_data(bytes.fromhex("00220010") + MSK + bytes.fromhex("020000020fff"))
    assert chain.entries == (KeyData(2, 2, MSK, None, Interval(b"\0\0", b"\x0f\xff")),)
    assert chain.problem is None


def test_no_octets_are_no_key() -> None:
    assert decode_key_data(b"") == KeyDataChain(())


@pytest.mark.parametrize(
    ("octets", "path", "offset", "kind"),
    [
        pytest.param("00", "key_data[1].type", 1, "truncated", id="cut-before-type"),
        pytest.param("00200010aabb", "key_data[1].key_length", 2, "overrun", id="key-too-long"),
        pytest.param("00800000", "key_data[1].type", 1, "unknown-code", id="unknown-type"),
        pytest.param("00230000", "key_data[1].kv", 1, "unknown-code", id="unknown-validity"),
        pytest.param("0022000002000009", "key_data[1].validity.valid_to_length", 7, "overrun", id="limit-too-long"),
        pytest.param("0520000001", "key_data[1].next_payload", 4, "misplaced", id="another-payload-follows"),
        pytest.param("0020000001", "trailing", 4, "trailing", id="octets-left-over"),
        pytest.param("14200000", "key_data[2].next_payload", 4, "truncated", id="announced-entry-missing"),
    ],
)
def test_a_damaged_chain_says_where_and_why(octets: str, path: str, offset: int, kind: str) -> None:
    chain = decode_key_data(bytes.fromhex(octets))
    assert chain.problem is not None
    assert (chain.problem.path, chain.problem.offset, chain.problem.kind) == (path, offset, kind)


@pytest.mark.parametrize(
    "octets", [b"\0\x22\0\x10" + MSK + b"\2\0\0\2\x0f\xff", b"\0\x22\0\x11" + MSK, b"\0\x20\0\0" + MSK]
)
def test_a_repr_shows_no_key(octets: bytes) -> None:
    shown = repr(decode_key_data(octets))
    assert MSK.hex() not in shown.lower()
    assert repr(MSK)[2:-1] not in shown
    assert "hidden" in shown
