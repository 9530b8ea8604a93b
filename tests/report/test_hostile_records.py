"""Records are wire text like any other: whatever is in them, nothing acts on a screen, and XML stays XML."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from ltkm_inspect.options.table import REPORT_FORMATS
from ltkm_inspect.report.places import write
from tests.report.runs import FAULTED, checked

HOSTILE = "x\x1b[2J\x07\x00\x9b\u202e\ufffe\ud800]]><b>&"
UNSAFE = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\ud800-\\udfff\\ufffe\\uffff]")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every text and number in a record, and of nothing else; of a list only of its first."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        yield from places(value[0], (*path, 0)) if value else ()
    else:
        yield path


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """Return a record with another value at one place."""
    if not path:
        return to
    inner = changed(value[path[0]], path[1:], to)
    if isinstance(value, dict):
        return {**value, path[0]: inner}
    return [inner, *value[1:]]


@pytest.fixture(scope="module")
def records() -> list[Any]:
    return list(checked(FAULTED[0]))


@pytest.mark.parametrize("name", ["text", "junit", "html"])
def test_no_field_of_a_record_reaches_a_screen_unescaped(name: str, records: list[Any]) -> None:
    at = next(number for number, record in enumerate(records) if record.get("findings"))
    skipped = {"schema", "outcomes", "items", "ltkms_outside"}
    rendered = 0
    for path in [each for each in places(records[at]) if each[0] not in skipped]:
        hostile = [*records[:at], changed(records[at], path, HOSTILE), *records[at + 1 :]]
        page = io.StringIO()
        try:
            write(name, hostile, page)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # told in one line by `report`
        rendered += 1
        assert UNSAFE.search(page.getvalue()) is None, path
        if name == "junit":
            ElementTree.fromstring(page.getvalue())
    assert rendered > 10


@pytest.mark.parametrize("name", sorted(REPORT_FORMATS))
@pytest.mark.parametrize("case", ["report-escape", "control-character-in-started"])
def test_the_cases_are_rendered_without_effect_on_a_screen(case: str, name: str) -> None:
    path = Path(__file__).parent.parent / "cases" / "fuzz" / f"{case}.jsonl"
    done = CliRunner().invoke(commands, ["report", "--format", name, str(path)])
    assert not isinstance(done.exception, Exception)
    assert UNSAFE.search(done.output) is None
    if name == "junit":
        ElementTree.fromstring(done.stdout)
