"""The requirements that rules may cover: the rows of `requirements.toml`, and why no rule covers some of them."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from ltkm_inspect.rule import Rule

FILE = "requirements.toml"


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name(FILE).read_text("utf-8"))


@cache
def requirements() -> Mapping[str, str]:
    """Return what each requirement asks for, by its row."""
    return {row: asks for table, rows in _tables().items() if table != "uncovered" for row, asks in rows.items()}


def uncovered() -> Mapping[str, str]:
    """Return why no rule covers a requirement, by its row."""
    return _tables()["uncovered"]


def check_rows(rules: Iterable[Rule]) -> None:
    """Raise ValueError where a rule covers a row that is not listed; the message says where to add it."""
    for rule in rules:
        for row in rule.covers:
            if row not in requirements():
                table = row.partition("-")[0]
                raise ValueError(f"rule {rule.id} covers {row}: add this row to [{table}] in catalogue/{FILE}")
