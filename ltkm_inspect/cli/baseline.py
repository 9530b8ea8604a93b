"""The baseline that `check` writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ltkm_inspect.cli.shared import leave
from ltkm_inspect.output.atomic_file import AtomicFile
from ltkm_inspect.output.console import COULD_NOT_RUN, complain, reason
from ltkm_inspect.wire import printable


def require_writable(path: Path, typed: Mapping[str, Any]) -> None:
    """Refuse to replace reasons that somebody gave, and to write terminals that no other run has."""
    if typed["redact"]:
        raise click.UsageError("--write-baseline: not allowed with --redact, as names of terminals differ in each run")
    former = typed["baseline"]
    is_same = former and Path(former).exists() and path.exists() and path.samefile(former)
    if path.exists() and not path.is_dir() and not is_same:
        shown = printable(str(path))
        raise click.UsageError(f"--write-baseline: {shown} exists; --baseline {shown} as well keeps its reasons")


def write_baseline(path: Path, text: str, new: int) -> None:
    """Write a baseline; exit code 1 where that fails."""
    shown = printable(str(path))
    try:
        with AtomicFile(path) as file:
            file.file.write(text.encode())
            file.keep()
    except OSError as error:
        complain(f"{shown}: {reason(error)}")
        leave(COULD_NOT_RUN)
    entries = "1 new entry" if new == 1 else f"{new} new entries"
    complain(f"{shown}: {entries}{'; fill in each reason' if new else ''}")
