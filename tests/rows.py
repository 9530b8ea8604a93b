"""The rows of a parametrized test as one test, which goes through all of them and names each that is wrong.

To set a test up, to report it and to hand it from process to process takes longer than most rows take. So the rows of
a test that asks for nothing but its parameters are one test, unless the command line selects some of them: with `-k`,
or with `file::test[row]`, each row is a test of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from functools import wraps
from inspect import Signature, signature
from itertools import repeat
from typing import Any, NamedTuple

import pytest
from hypothesis import is_hypothesis_test

PARAM = type(pytest.param())
LONGEST_WORD = 80
"""How many characters of a value the name of its row has at most."""


class Row(NamedTuple):
    """What a test is called with, and what tells it from other rows."""

    values: dict[str, Any]
    words: tuple[object, ...]

    @property
    def name(self) -> str:
        """What it is called where it goes wrong."""
        return "-".join(map(_text, self.words))


def are_selected(config: pytest.Config) -> bool:
    """Return whether the command line selects rows."""
    return bool(config.option.keyword) or any("[" in word for word in config.args)


def as_one(test: Callable[..., None]) -> Callable[[], None] | None:
    """Return a test that goes through all rows of this one; None for a test that has no rows, or must be several.

    That is one whose rows have marks of their own, or which asks for a fixture: each row has to get a new one.
    """
    marks = getattr(test, "pytestmark", [])
    tables = [mark for mark in marks if mark.name == "parametrize"]
    if not tables or is_hypothesis_test(test) or not all(map(_is_plain, tables)):
        return None
    rows = [Row({}, ())]
    for table in tables:
        more = [*_rows(*table.args, **table.kwargs)]
        rows = [Row(row.values | one.values, row.words + one.words) for one in more for row in rows]
    if not rows or rows[0].values.keys() != signature(test).parameters.keys():
        return None

    @wraps(test)
    def every_row() -> None:
        go_through(test, rows)

    every_row.__signature__ = Signature()  # type: ignore[attr-defined]
    every_row.pytestmark = [mark for mark in marks if mark not in tables]  # type: ignore[attr-defined]
    return every_row


def go_through(test: Callable[..., None], rows: Iterable[Row]) -> None:
    """Call the test with each row; raise at the end what was wrong, or else the skip of a row."""
    wrong: list[BaseException] = []
    skips: list[BaseException] = []
    for row in rows:
        try:
            test(**row.values)
        except pytest.skip.Exception as skip:
            skips.append(skip)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"row [{row.name}]")
            wrong.append(error)
    if len(wrong) > 1:
        raise BaseExceptionGroup(f"{len(wrong)} rows are wrong", wrong)
    for each in (*wrong, *skips):
        raise each


def _is_plain(table: pytest.Mark) -> bool:
    """Return whether a table can be gone through more than once, and says nothing but values and their names."""
    is_said = len(table.args) == 2 and isinstance(table.args[1], Sized) and table.kwargs.keys() <= {"ids"}
    return is_said and not any(getattr(row, "marks", ()) for row in table.args[1])


def _rows(names: str | Iterable[str], table: Iterable[Any], ids: Any = None) -> Iterator[Row]:
    keys = [names] if isinstance(names, str) else [*names]
    named = repeat(None) if ids is None or callable(ids) else ids
    for row, name in zip(table, named, strict=False):
        if isinstance(row, PARAM):
            name, values = row.id, row.values
        else:
            values = row if len(keys) > 1 else (row,)
        words = (name,) if name else map(ids, values) if callable(ids) else values
        yield Row(dict(zip(keys, values, strict=True)), tuple(words))


def _text(word: object) -> str:
    text = word if isinstance(word, str) else repr(word)
    return text if len(text) <= LONGEST_WORD else f"{text[:LONGEST_WORD]}…"
