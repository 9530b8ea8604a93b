"""Rows that are one test: each of them is gone through, each that is wrong is named, and some can still be selected."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import rows

pytest_plugins = ["pytester"]
TABLE = [(1, "a"), pytest.param(2, "b", id="two"), (3, "c")]


def parametrized(test: Callable[..., None]) -> Callable[[], None]:
    """Return a test of two tables as one."""
    stacked = pytest.mark.parametrize("flag", [False, True], ids=["off", "on"])(test)
    one = rows.as_one(pytest.mark.sweep(pytest.mark.parametrize(("number", "text"), TABLE)(stacked)))
    assert one is not None
    return one


def test_each_row_is_gone_through_once_and_other_marks_stay() -> None:
    seen = []

    def test(number: int, text: str, flag: bool) -> None:
        seen.append((number, text, flag))

    one = parametrized(test)
    one()
    assert sorted(seen) == [(n, text, flag) for n, text in ((1, "a"), (2, "b"), (3, "c")) for flag in (False, True)]
    assert [mark.name for mark in one.pytestmark] == ["sweep"]  # type: ignore[attr-defined]


def test_each_row_that_is_wrong_is_named_and_the_others_are_gone_through() -> None:
    def test(number: int, text: str, flag: bool) -> None:
        if text == "c":
            pytest.fail("of pytest")
        assert number == 1 or flag

    with pytest.raises(BaseExceptionGroup, match=r"^3 rows are wrong") as wrong:
        parametrized(test)()
    notes = {note: type(each) for each in wrong.value.exceptions for note in each.__notes__}
    assert notes == {
        "row [off-two]": AssertionError,
        "row [off-3-c]": pytest.fail.Exception,
        "row [on-3-c]": pytest.fail.Exception,
    }


def test_a_single_row_that_is_wrong_is_raised_as_it_is() -> None:
    def test(number: int, text: str, flag: bool) -> None:
        assert not (number == 2 and flag), "this one"

    with pytest.raises(AssertionError, match="this one") as wrong:
        parametrized(test)()
    assert wrong.value.__notes__ == ["row [on-two]"]


def test_a_row_that_is_skipped_skips_no_other_and_is_told() -> None:
    seen = []

    def test(number: int, text: str, flag: bool) -> None:
        if number == 1:
            pytest.skip("needs something")
        seen.append(number)

    with pytest.raises(pytest.skip.Exception, match="needs something"):
        parametrized(test)()
    assert sorted(seen) == [2, 2, 3, 3]


NUMBERS = pytest.mark.parametrize("number", [1, 2])


@pytest.mark.parametrize(
    ("table", "is_one"),
    [
        (NUMBERS, True),
        (pytest.mark.sweep, False),
        (pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.sweep)]), False),
        (pytest.mark.parametrize("number", []), False),
        (pytest.mark.parametrize("number", iter([1, 2])), False),
        (pytest.mark.parametrize("number", [1, 2], indirect=True), False),
    ],
)
def test_only_rows_that_are_plain_values_are_one_test(table: pytest.MarkDecorator, is_one: bool) -> None:
    def test(number: int) -> None: ...

    assert (rows.as_one(table(test)) is not None) is is_one


def test_rows_that_take_a_fixture_or_examples_are_not_one_test() -> None:
    def with_fixture(number: int, tmp_path: Path) -> None: ...

    def with_examples(number: int, text: str) -> None: ...

    assert rows.as_one(NUMBERS(with_fixture)) is None
    assert rows.as_one(NUMBERS(given(text=st.text())(with_examples))) is None


SUITE = """
    import pytest

    @pytest.mark.parametrize("name", ["one", "two", "three"])
    def test_of_rows(name):
        assert len(name) == 3
"""


@pytest.mark.parametrize(
    ("words", "outcomes"),
    [
        ((), {"failed": 1}),
        (("test_some.py::test_of_rows",), {"failed": 1}),
        (("-k", "two"), {"passed": 1, "deselected": 2}),
        (("test_some.py::test_of_rows[three]",), {"failed": 1}),
        (("-k", "rows"), {"passed": 2, "failed": 1}),
    ],
)
def test_a_row_that_is_selected_is_a_test_of_its_own(
    words: tuple[str, ...], outcomes: dict[str, int], pytester: pytest.Pytester
) -> None:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(test_some=SUITE)
    result = pytester.runpytest("-p", "no:cacheprovider", *words)
    result.assert_outcomes(**outcomes)
