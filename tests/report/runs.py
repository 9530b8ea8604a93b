"""The records of runs over the sample flows, for tests of the formats."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ltkm_inspect.cli.program import commands
from tests.samples import generate

TRIAL = generate.FOLDER / "trial.flow"
FAULTED = sorted((generate.FOLDER / "faults").glob("*.flow"))


def checked(*arguments: str | Path) -> list[dict[str, Any]]:
    """Return the records that `check` prints."""
    done = CliRunner().invoke(commands, ["check", "--format", "jsonl", *map(str, arguments)])
    return [json.loads(line) for line in done.stdout.splitlines()]


class Counted(dict[str, Any]):
    """A record that is counted as long as somebody holds it."""

    held = 0
    most = 0

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__(record)
        Counted.held += 1
        Counted.most = max(Counted.most, Counted.held)

    def __del__(self) -> None:
        Counted.held -= 1


def one_by_one(records: Sequence[dict[str, Any]]) -> Iterator[Counted]:
    """Yield the records, and count how many are held at a time."""
    Counted.held = Counted.most = 0
    return map(Counted, records)
