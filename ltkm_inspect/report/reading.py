"""Reads the records of a run back from JSON Lines, however the run ended."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ltkm_inspect.report.heartbeat import HEARTBEAT_SCHEMA
from ltkm_inspect.report.jsonl import (
    DATAGRAM_SCHEMA,
    EXCHANGE_SCHEMA,
    MISSING_SCHEMA,
    RUN_SCHEMA,
    SESSION_SCHEMA,
    SUMMARY_SCHEMA,
    Record,
)
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.wire import printable
from ltkm_inspect.wire.key_text import IS_KEY_RING, is_key_ring

KINDS = {
    schema.split("/")[1]: schema
    for schema in (
        *(RUN_SCHEMA, EXCHANGE_SCHEMA, DATAGRAM_SCHEMA, MISSING_SCHEMA, HEARTBEAT_SCHEMA),
        *(SESSION_SCHEMA, SUMMARY_SCHEMA),
    )
}
"""The kinds of records of a run, with the schema version that this program reads."""
LATER = frozenset(
    {"unselected", "damage", "lacks", "damaged", "more", "number", "terminal_name", "identity", "answers", "replaces"}
    | {"request", "response", "former", "datagrams", "part", "opened", "waiting", "names", "unchecked", "accepted"}
    | {"baseline", "late"}
)
"""Fields that records of earlier versions do not have."""
MOST_DAMAGE = 5
"""How many damaged lines are listed."""


class VersionError(ValueError):
    """A file has records that this version cannot read; the message is one line."""


@dataclass(slots=True)
class Reading:
    """How the reading of a file went."""

    records: int = 0
    run_files: RunFiles = field(default_factory=RunFiles)
    """The files of runs that the records are from: after a restart, a file may have several."""
    has_keys: bool = False
    """Some of the records show delivered keys."""
    damage: list[str] = field(default_factory=list)
    """Why the first damaged lines could not be read, safe to print."""
    damaged: int = 0
    """How many lines could not be read."""


class RecordFile:
    """The records of a file. Each iteration reads the file again; damaged lines are left out."""

    def __init__(self, path: Path) -> None:
        """Take a file that does not change and can be opened more than once."""
        self.path = path

    def __iter__(self) -> Iterator[Record]:
        """Yield the records; OSError if the file cannot be read, VersionError for records of another kind."""
        return self.read(Reading())

    def read(self, reading: Reading) -> Iterator[Record]:
        """Yield the records, and count in `reading` what was read."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.isspace():
                    continue
                record = _record(line, number)
                if isinstance(record, str):
                    reading.damaged += 1
                    if not line.endswith(b"\n"):
                        record = "the last line is incomplete"
                    if reading.damaged <= MOST_DAMAGE:
                        reading.damage.append(f"line {number}: {record}")
                    continue
                reading.run_files.add(record)
                reading.records += 1
                options = record.get("options")
                reading.has_keys |= isinstance(options, dict) and bool(options.get("show_keys"))
                yield record


class RecordFiles:
    """The records of several files, in the order in which these were begun. Each iteration reads the files again."""

    def __init__(self, files: Iterable[RecordFile]) -> None:
        """Take files that can be read; one whose first record names no time comes first."""
        self.files = sorted(files, key=_begun)

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, as `RecordFile` does."""
        for file in self.files:
            yield from file


def _begun(file: RecordFile) -> str:
    """Return when the first record says that its file was begun."""
    first: Record = next(iter(file), {})
    return str(first.get("opened") or first.get("started") or "")


def schema_text() -> str:
    """Return the JSON Schema of everything that this program prints as JSON Lines."""
    return files("ltkm_inspect.report").joinpath("schemas/records.json").read_text("utf-8")


def _record(line: bytes, number: int) -> Record | str:
    """Return the record of a line, or why it has none; VersionError for a record of another kind."""
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        if number == 1 and is_key_ring(line):
            raise VersionError(IS_KEY_RING) from None
        return "expected a record, got text that is not JSON"
    schema = record.get("schema") if isinstance(record, dict) else None
    if not isinstance(schema, str):
        return "expected a record, got other JSON"
    if schema not in KINDS.values():
        kind = schema.removeprefix("ltkm-inspect/").partition("/")[0]
        wanted = KINDS.get(kind, "the records of a run, as `check --report jsonl=PATH` writes them")
        raise VersionError(f"line {number}: expected {wanted}, got {printable(schema)}")
    missing = _required()[schema] - record.keys()
    return f"the record has no {', '.join(sorted(missing))}" if missing else record


@cache
def _required() -> dict[str, frozenset[str]]:
    """Return the fields that each kind of record has in every version."""
    definitions = json.loads(schema_text())["$defs"]
    return {schema: frozenset(definitions[kind]["required"]) - LATER for kind, schema in KINDS.items()}
