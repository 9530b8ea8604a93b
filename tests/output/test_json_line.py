"""Data as one line of JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltkm_inspect.output.json_line import to_json

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=8))
def test_whatever_the_text_it_is_one_line_of_valid_json(data: object) -> None:
    line = to_json(data)
    assert line.isascii()
    assert line.isprintable()
    json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8")  # no half of a surrogate pair is left


@given(
    st.recursive(
        ANY_TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)
    ),
    st.integers(1, 3),
)
def test_piece_by_piece_the_line_is_the_same(data: object, levels: int) -> None:
    assert to_json(data, levels) == to_json(data)


@given(st.text())
def test_text_without_surrogates_comes_back_as_it_was(text: str) -> None:
    assert json.loads(to_json([text])) == [text]


def test_an_octet_that_was_not_utf_8_is_shown_as_an_escape() -> None:
    assert json.loads(to_json(b"caf\xe9 \xf0\x9f\x98\x80 \\ud800".decode("utf-8", "surrogateescape"))) == (
        "caf\\xe9 \U0001f600 \\ud800"
    )
    assert json.loads(to_json("\ud800")) == "\\ud800"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"number": number})
