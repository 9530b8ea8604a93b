"""LTKMs as people hand them over: any of the forms gives the same octets."""

import io
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.input import Form, from_argument, from_file, from_stream, from_text
from ltkm_inspect.reference import FIRST, ltkm
from ltkm_inspect.wire.key_text import may_be_key

OCTETS = st.binary(max_size=200).filter(lambda octets: not may_be_key(octets))
LIKE_MESSAGES = st.builds(lambda kind, octets: bytes((1, kind)) + octets, st.integers(0, 26), OCTETS)
"""Octets that begin as every MIKEY message does: with the version and a data type."""
MESSAGE = ltkm(FIRST).encode()
ANY = "a MIKEY message in base64, hex or binary"


def of_text(text: bytes, form: Form = "auto") -> bytes | None:
    return from_text(text, "here", form).octets


def of_file(octets: bytes, form: Form = "auto") -> list[bytes | None]:
    return [each.octets for each in from_file(octets, "file", form)]


def of_stream(octets: bytes, form: Form = "auto") -> list[bytes | None]:
    return [each.octets for each in from_stream(io.BytesIO(octets), "stream", form)]


@given(OCTETS.filter(bool))
def test_octets_come_back_from_each_form_that_is_named(octets: bytes) -> None:
    assert of_text(octets.hex().encode(), "hex") == octets
    assert of_text(b64encode(octets), "base64") == octets
    assert of_text(octets, "binary") == octets


@given(LIKE_MESSAGES)
def test_octets_that_begin_a_message_come_back_from_every_form_unasked(octets: bytes) -> None:
    for text in (octets.hex().encode(), octets.hex().upper().encode(), b64encode(octets)):
        assert of_text(text) == octets
        assert of_file(text) == of_file(text + b"\r\n") == [octets]
        assert of_stream(text) == of_stream(text + b"\n") == [octets]
    assert of_file(octets) == [octets]
    assert of_stream(octets) == [octets]


@given(OCTETS.filter(bool))
def test_any_octets_in_hex_are_hex_unless_they_make_a_message_as_base64_or_may_be_a_key(octets: bytes) -> None:
    found = of_text(octets.hex().encode())
    if found is None:
        assert 16 <= len(octets) <= 128
        assert octets[0] != 1
    else:
        assert found == octets or found.startswith(b"\x01")


@given(OCTETS)
def test_no_octets_make_it_raise(octets: bytes) -> None:
    forms: tuple[Form, ...] = ("auto", "hex", "base64", "binary")
    for form in forms:
        of_text(octets, form)
        of_file(octets, form)
        of_stream(octets, form)


@given(st.lists(LIKE_MESSAGES, min_size=1, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_one_message_a_line_keeps_the_order(messages: list[bytes], end: bytes) -> None:
    assert of_stream(end.join(map(b64encode, messages))) == messages
    assert of_file(end.join(map(b64encode, messages)) + end) == messages


@pytest.mark.parametrize("width", [16, 64, 76])
def test_a_message_wrapped_over_the_lines_of_a_file_is_one(width: int) -> None:
    for text in (b64encode(MESSAGE), MESSAGE.hex().encode()):
        lines = [text[start : start + width] for start in range(0, len(text), width)]
        assert of_file(b"\n".join(lines) + b"\n") == [MESSAGE]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"0x" + MESSAGE.hex().encode(), id="0x"),
        pytest.param(MESSAGE.hex(":").encode(), id="colons"),
        pytest.param(MESSAGE.hex(" ").encode(), id="spaces"),
        pytest.param(b64encode(MESSAGE).rstrip(b"="), id="no-padding"),
        pytest.param(urlsafe_b64encode(MESSAGE), id="url-safe"),
        pytest.param(b"\xef\xbb\xbf" + b64encode(MESSAGE), id="byte-order-mark"),
        pytest.param(b"  " + b64encode(MESSAGE) + b"\t\r\n", id="white-space"),
    ],
)
def test_the_ways_that_tools_write_octets_are_taken(text: bytes) -> None:
    assert of_text(text) == MESSAGE
    assert of_file(text) == [MESSAGE]


@pytest.mark.parametrize(
    ("text", "form", "said"),
    [
        (b"what?", "auto", f"expected {ANY}, got what?"),
        (b"012", "hex", "expected hex, got 012"),
        (b"A", "base64", "expected base64, got A"),
        (b"AQ==AQ==", "auto", f"expected {ANY}, got AQ==AQ=="),
        (b"\x1b]0;x", "auto", f"expected {ANY}, got other text; copy the LTKM out of it"),
        (b"\x1b]0;x\x07\xff", "auto", f"expected {ANY}, got unknown binary data; copy the LTKM out of it"),
        (b"!" * 1000, "auto", f"expected {ANY}, got text of 1000 characters"),
    ],
)
def test_text_that_is_no_message_is_told_in_one_safe_line(text: bytes, form: Form, said: str) -> None:
    given = from_text(text, "here", form)
    assert given.octets is None
    assert given.problem == said


def test_a_flaw_in_one_line_does_not_touch_the_others() -> None:
    text = b"\n".join([b64encode(MESSAGE), b"caf\xc3\xa9", b"", MESSAGE.hex().encode()])
    for found in (list(from_file(text, "f")), list(from_stream(io.BytesIO(text), "f"))):
        assert [each.octets for each in found] == [MESSAGE, None, MESSAGE]
        assert [each.source for each in found] == ["f, line 1", "f, line 2", "f, line 4"]


@pytest.mark.parametrize("octets", [b"", b"\n \r\n"])
def test_nothing_is_no_message(octets: bytes) -> None:
    assert of_file(octets) == of_stream(octets) == []


def test_an_argument_is_the_name_of_a_file_or_the_message_itself(tmp_path: Path) -> None:
    file = tmp_path / "message.bin"
    file.write_bytes(MESSAGE)
    assert [each.octets for each in from_argument(str(file), "argument 1")] == [MESSAGE]
    assert [each.octets for each in from_argument(MESSAGE.hex(), "argument 1")] == [MESSAGE]
    with pytest.raises(FileNotFoundError):
        list(from_argument(str(tmp_path / "other.bin"), "argument 1"))
