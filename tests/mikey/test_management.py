"""BCAST management data: whatever its octets, every one of them is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.mikey.management import layout, read_management_data, write_management_data


@given(st.binary(max_size=80))
def test_the_parts_cover_the_data_without_a_gap(octets: bytes) -> None:
    at = 0
    for part in read_management_data(octets):
        assert part.start == at
        at += part.bits
        if isinstance(part.value, bytes):
            assert part.value == octets[part.start // 8 : at // 8]
        else:
            assert part.value < 1 << part.bits
    assert at == 8 * len(octets)


@given(st.binary(max_size=80), st.data())
def test_a_part_can_be_written_and_leaves_every_other_bit_alone(octets: bytes, data: st.DataObject) -> None:
    for part in read_management_data(octets):
        assert write_management_data(octets, part.name, part.value) == octets
        if isinstance(part.value, int):
            value: int | bytes = data.draw(st.integers(0, (1 << part.bits) - 1))
            bits = value
        else:
            value = data.draw(st.binary(min_size=len(part.value), max_size=len(part.value)))
            bits = int.from_bytes(value)
        written = write_management_data(octets, part.name, value)
        behind = 8 * len(octets) - part.start - part.bits
        assert len(written) == len(octets)
        assert int.from_bytes(written) >> behind & (1 << part.bits) - 1 == bits
        mask = (1 << part.bits) - 1 << behind
        assert int.from_bytes(written) & ~mask == int.from_bytes(octets) & ~mask


@pytest.mark.parametrize(("name", "value"), [("protocol_version", 1 << 8), ("undecoded", b"more"), ("colour", 1)])
def test_what_does_not_fit_a_part_is_not_written(name: str, value: int | bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_management_data(b"\x08\xc0rest!", name, value)


def test_flags_are_read_from_the_most_significant_bit() -> None:
    parts = {part.name: part.value for part in read_management_data(b"\x14")}
    assert parts["protocol_version"] == 1
    assert parts["consumption_reporting_flag"] == 1
    assert parts["terminal_binding_flag"] == 0


def test_optional_fields_follow_their_flags() -> None:
    parts = {part.name: part.value for part in read_management_data(b"\1" + b"\0\0\0\x2a" + b"\4http")}
    assert parts["terminal_binding_key_id"] == 42
    assert parts["permissions_issuer_uri"] == b"http"
    parts = {part.name: part.value for part in read_management_data(b"\2\0\2\1\1a\2\0")}
    assert parts["access_criteria_descriptor[1].body"] == b"a"
    assert parts["access_criteria_descriptor[2].tag"] == 2
    assert "undecoded" not in parts


def test_what_has_no_known_place_is_left_undecoded() -> None:
    parts = {part.name: part.value for part in read_management_data(b"\x08\xc0rest")}
    assert parts["security_policy_extension"] == 0xC
    assert parts["undecoded"] == b"rest"


def test_every_field_of_the_data_file_says_how_sure_it_is() -> None:
    assert all(field["sure"] in {"recall H", "recall M", "recall L"} for field in layout())
