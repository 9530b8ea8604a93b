import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.document import Base64, base64_octets, unsigned_byte

# The grammar of base64Binary in XML Schema part 2 (second edition, §3.2.16), over text whose white space is collapsed.
CANON = re.compile(
    r"((?:[A-Za-z0-9+/] ?){4})*"
    r"(?:(?:[A-Za-z0-9+/] ?){3}[A-Za-z0-9+/]"
    r"|(?:[A-Za-z0-9+/] ?){2}[AEIMQUYcgkosw048] ?="
    r"|[A-Za-z0-9+/] ?[AQgw] ?= ?=)"
)


def by_the_grammar(text: str) -> bool:
    collapsed = " ".join(part for part in re.split("[ \t\r\n]+", text) if part)
    return not collapsed or CANON.fullmatch(collapsed) is not None


@given(st.text(alphabet="AQgwBE9+/==== \n\t-_!\u00e9\v", max_size=14))
def test_a_text_is_accepted_exactly_where_the_xsd_grammar_accepts_it(text: str) -> None:
    value = base64_octets(text)
    assert (value.problem is None) == by_the_grammar(text), value
    if value.problem is None:
        assert value.octets == base64.b64decode("".join(text.split()))


@given(st.binary(max_size=200), st.sampled_from(["", " ", "\r\n", "\t \n"]), st.integers(1, 80))
def test_octets_survive_however_the_text_is_broken(octets: bytes, space: str, width: int) -> None:
    text = base64.b64encode(octets).decode()
    broken = space.join(text[at : at + width] for at in range(0, len(text), width))
    assert base64_octets(f"{space}{broken}{space}") == Base64(octets)


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_no_text_is_no_octets(text: str | None) -> None:
    assert base64_octets(text) == Base64(b"")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("uHC!", "expected a base64 character, got '!' at character 4"),
        ("u\u00e9Cd", "expected a base64 character, got '\u00e9' at character 2"),
        ("uH\x1bd", "expected a base64 character, got '\x1b' at character 3"),
        ("uH\x0bCd", "expected a base64 character, got '\x0b' at character 3"),
        ("uH-d", "expected the base64 alphabet with + and /, got the url-safe '-' at character 3"),
        ("\nuH_d", "expected the base64 alphabet with + and /, got the url-safe '_' at character 4"),
        ("uHC", "expected a multiple of 4 base64 characters, got 3"),
        ("uHCdA", "expected a multiple of 4 base64 characters, got 5"),
        ("uH=d", "expected = only as the last one or two characters, got one at character 3"),
        ("u===", "expected = only as the last one or two characters, got one at character 2"),
        ("uHCd====", "expected = only as the last one or two characters, got one at character 5"),
        ("aMoM=", "expected a multiple of 4 base64 characters, got 5"),
        ("JMtEAB==", "expected 4 unused bits of 0 before the padding, got 'B'"),
        ("JMtEAAB=", "expected 2 unused bits of 0 before the padding, got 'B'"),
    ],
)
def test_a_bad_text_is_explained(text: str, problem: str) -> None:
    assert base64_octets(text) == Base64(None, problem)


def test_megabytes_of_base64_are_read_and_refused_in_one_pass() -> None:
    text = "AQAV" * 500_000
    assert base64_octets(text).octets == b"\x01\x00\x15" * 500_000
    assert base64_octets(text + "A").octets is None
    assert base64_octets("A=" * 500_000).octets is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("255", 255), ("+7", 7), ("-0", 0), ("007", 7), (" 1\n", 1), ("0" * 5000 + "1", 1)],
)
def test_an_unsigned_byte_has_its_value(text: str, value: int) -> None:
    assert unsigned_byte(text) == (value, None)


@pytest.mark.parametrize("text", ["256", "-1", "0x00", "", " ", "1.0", "1 1", "\u0661", "9" * 5000, "+", "\x0b1"])
def test_what_is_no_unsigned_byte_is_refused(text: str) -> None:
    value, problem = unsigned_byte(text)
    assert value is None
    assert problem is not None
    assert len(problem) < 120
