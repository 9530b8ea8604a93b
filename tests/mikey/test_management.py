"""BCAST management data: whatever its octets, every one of them is shown."""

from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.mikey.management import layout, read_management_data


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
