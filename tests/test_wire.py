"""Reading is bounded, named and placed; what is printed of the wire is harmless."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.wire import (
    DecodeError,
    Reader,
    Span,
    Tracer,
    opaque,
    printable,
    printable_octets,
    unescaped,
    unescaped_octets,
)


@given(st.binary(max_size=300), st.sampled_from([1, 2]))
def test_an_opaque_field_is_read_as_it_was_written(value: bytes, length_octets: int) -> None:
    if len(value) > 255:
        length_octets = 2
    octets = opaque(value, length_octets)  # type: ignore[arg-type]
    reader = Reader(b"??" + octets + b"!", start=2)
    assert reader.opaque("value", length_octets) == value  # type: ignore[arg-type]
    assert reader.offset == 2 + len(octets)


def test_a_value_too_long_for_its_length_field_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at most 255 octets, got 256"):
        opaque(bytes(256))


@pytest.mark.parametrize("make", [Reader, Tracer])
def test_a_reader_never_reads_beyond_its_end(make: type[Reader]) -> None:
    reads: dict[str, Callable[[Reader], object]] = {
        "uint8": lambda reader: reader.uint8("field"),
        "uint16": lambda reader: reader.uint16("field"),
        "uint32": lambda reader: reader.uint32("field"),
        "take": lambda reader: reader.take("field", 1),
        "opaque": lambda reader: reader.opaque("field"),
        "block": lambda reader: reader.block("field", 2, lambda inner: inner.rest("rest")),
    }
    for name, read in reads.items():
        reader = make(bytes(20), start=4, end=4)
        with pytest.raises(DecodeError) as caught:
            read(reader)
        assert (caught.value.offset, caught.value.kind) == (4, "truncated"), name


def test_an_overrun_points_at_the_length_and_names_what_is_left() -> None:
    with pytest.raises(DecodeError, match="expected a length of at most 2 octets, got 9") as caught:
        Reader(b"\0\x09ab", start=0).opaque("value", 2)
    assert (caught.value.path, caught.value.offset, caught.value.kind) == ("length", 0, "overrun")


def test_the_path_of_an_error_is_built_by_what_encloses_it() -> None:
    reader = Reader(b"\1")
    with pytest.raises(DecodeError) as caught:
        reader.inside("outer", lambda reader: reader.times("item", 2, lambda inner: inner.uint8("octet")))
    assert str(caught.value) == "outer.item[2].octet: expected 1 octet of octet, got 0 (octet 1)"


def test_a_list_keeps_what_it_cannot_read() -> None:
    reader = Reader(b"\1a\2b")
    items, trailing = reader.each("items", lambda inner: inner.opaque("value"))
    assert (items, trailing) == ((b"a",), b"\2b")
    assert [problem.path for problem in reader.problems] == ["items[2].length"]


def test_a_block_that_cannot_be_read_is_kept_and_the_reader_stands_behind_it() -> None:
    reader = Reader(b"\2ab!")
    assert reader.block("value", 1, lambda inner: inner.uint32("number")) == b"ab"
    assert reader.offset == 3
    assert [problem.path for problem in reader.problems] == ["number"]


@pytest.mark.parametrize("reader", [Reader(b"\3abc!"), Tracer(b"\3abc!")], ids=["reader", "tracer"])
def test_a_block_loses_no_octets_that_its_structure_leaves_over(reader: Reader) -> None:
    assert reader.block("value", 1, lambda inner: inner.uint16("number")) == b"abc"
    assert reader.offset == 4
    assert [str(problem) for problem in reader.problems] == [
        "trailing: expected the end of the block, got 1 more octet (octet 3)"
    ]
    assert "number" not in getattr(reader, "spans", {})


def test_a_tracer_records_where_every_field_is() -> None:
    tracer = Tracer(b"\7\2ab\1c")
    tracer.uint8("high|low")
    tracer.inside("item", lambda reader: reader.opaque("value"))
    tracer.each("list", lambda reader: reader.opaque("data"))
    assert tracer.spans == {
        "high": Span(0, 1),
        "low": Span(0, 1),
        "item.length": Span(1, 2),
        "item.value": Span(2, 4),
        "item": Span(1, 4),
        "list[1].data_length": Span(4, 5),
        "list[1].data": Span(5, 6),
        "list[1]": Span(4, 6),
    }


def test_a_tracer_forgets_what_turned_out_not_to_be_a_field() -> None:
    tracer = Tracer(b"\1a\2b")
    tracer.each("items", lambda reader: reader.opaque("value"))
    assert list(tracer.spans) == ["items[1].length", "items[1].value", "items[1]", "trailing"]


@given(st.text())
def test_printable_text_holds_nothing_that_acts(text: str) -> None:
    shown = printable(text)
    harmful = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [character for character in shown if unicodedata.category(character) in harmful]
    assert shown.isprintable()


@given(st.text())
def test_escapes_can_be_told_from_text(text: str) -> None:
    assert printable(text).encode("latin-1", "backslashreplace").decode("unicode_escape") == text


@given(st.text())
def test_what_is_printed_can_be_read_back(text: str) -> None:
    assert unescaped(printable(text)) == text
    assert unescaped(printable(text).replace('"', '\\"')) == text


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\u12", "\\U00110000"])
def test_an_escape_that_is_none_is_refused(text: str) -> None:
    for read in (unescaped, unescaped_octets):
        with pytest.raises(ValueError, match="expected"):
            read(text)


@given(st.binary())
def test_octets_that_are_printed_can_be_read_back(octets: bytes) -> None:
    shown = printable_octets(octets)
    assert printable_octets(unescaped_octets(shown)) == shown
    if octets.isascii():
        assert unescaped_octets(shown) == octets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("bmsc.home1.net", "bmsc.home1.net", id="plain"),
        pytest.param("\x1b[31mred", "\\x1b[31mred", id="terminal-escape"),
        pytest.param("a\r\nb\x85", "a\\x0d\\x0ab\\x85", id="line-ends"),
        pytest.param("\u202egnp", "\\u202egnp", id="right-to-left"),
        pytest.param("\ud800", "\\ud800", id="surrogate"),
        pytest.param("\\x1b", "\\\\x1b", id="backslash"),
        pytest.param("广播 é", "广播 é", id="other-scripts"),
        pytest.param("\U000e0001", "\\U000e0001", id="tag-character"),
    ],
)
def test_what_is_escaped_and_what_is_not(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.binary())
def test_any_octets_can_be_printed(octets: bytes) -> None:
    assert printable_octets(octets).isprintable()


def test_octets_that_are_no_utf_8_are_shown_as_escapes() -> None:
    assert printable_octets("é".encode() + b"\xff\x00") == "é\\xff\\x00"
