"""The command `report`."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from errno import EBADF, EISDIR
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ltkm_inspect.cli.defaults import configurable, spelled
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.looks import styled
from ltkm_inspect.cli.shared import (
    FilePath,
    baseline_of,
    interruptible,
    leave,
    option,
    targets_of,
    usage,
)
from ltkm_inspect.options.settings import parse_fail_on
from ltkm_inspect.options.table import LINE_FORMATS, REPORT_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import COULD_NOT_RUN, InputErrors, complain, pour, reason, say
from ltkm_inspect.wire import crash_of, printable
from ltkm_inspect.wire.urls import is_url, shown_name

if TYPE_CHECKING:
    from ltkm_inspect.baseline import Baseline
    from ltkm_inspect.report.lines import LineStyle
    from ltkm_inspect.report.reading import Reading, RecordFile
    from ltkm_inspect.report.summary import Summary


def _schema(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from ltkm_inspect.report.reading import schema_text

        say(schema_text().splitlines())
        context.exit()


@commands.command()
@configurable
@click.argument("sources", nargs=-1, required=True, type=FilePath(str, or_url=True), metavar="RUN.jsonl|-...")
@option("report")
@option("fail_on")
@option("baseline")
@styled(*LINE_FORMATS, *(name for name in REPORT_FORMATS if name not in LINE_FORMATS))
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_schema,
    help="Print the JSON Schema of the records and exit.",
)
def report(
    sources: tuple[str, ...], report: tuple[str, ...], fail_on: str, baseline: str | None, style: "LineStyle"
) -> None:
    """Render the records of a run, from one file or several.

    RUN.jsonl is a JSON Lines file that `check` or the addon wrote, even in a run that was killed. Several files become
    one report, in the order in which they were begun. Without --report, the report is printed in the format of
    --format. The exit codes are those of `check`; 5 also if records have no end, or if some are missing.
    """
    sources = tuple(dict.fromkeys(sources))
    with usage():
        level, targets = parse_fail_on(fail_on), targets_of(report, [Path(each) for each in sources if each != "-"])
    known = baseline_of(baseline)
    from ltkm_inspect.report.accepting import AcceptingRecords
    from ltkm_inspect.report.places import places, render, write
    from ltkm_inspect.report.reading import RecordFiles
    from ltkm_inspect.report.summary import Summary

    with interruptible(), ExitStack() as stack:
        total, trouble = Summary(), InputErrors()
        try:
            wanted = places(targets)
        except OptionError as error:
            complain(f"{spelled(error.option)}: {error.reason}")
            leave(COULD_NOT_RUN)
        read = [each for source in sources if (each := _read(source, stack, total, trouble, known)) is not None]
        records = AcceptingRecords(RecordFiles(file for file, _ in read), known, baseline or "")
        try:
            if targets and read:
                trouble.lost(render(records, wanted, private=any(reading.has_keys for _, reading in read)))
            elif read:
                pour(lambda file: write(style.format, records, file, style))
        except _ERRORS as error:
            complain(_failure(error, ", ".join(map(_name, sources))))
            leave(COULD_NOT_RUN)
        trouble.damaged += total.crashed + total.damaged + len(total.missing)
        leave(trouble.exit_code(len(sources), total.exit_code(level)))


@contextmanager
def _at_rest(source: str) -> Iterator[Path]:
    """Yield a file that can be read more than once: what comes through a pipe or from elsewhere is written to one."""
    path, is_here = Path(source), source != "-" and not is_url(source)
    if is_here and path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if is_here and (path.is_file() or not path.exists()):
        yield path
        return
    if source == "-" and sys.stdin is None:  # closed by whoever started us
        raise OSError(EBADF, "there is none")
    import shutil
    from tempfile import NamedTemporaryFile

    from ltkm_inspect.capture import stored
    from ltkm_inspect.capture.records import BLOCK

    with NamedTemporaryFile(prefix="ltkm-", suffix=".jsonl") as file:
        if source == "-":
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with closing(stored(source)) as there:
                file.writelines(iter(lambda: there.read(BLOCK), b""))
        file.flush()
        yield Path(file.name)


def _read(
    source: str, stack: ExitStack, total: "Summary", trouble: InputErrors, known: "Baseline"
) -> "tuple[RecordFile, Reading] | None":
    """Return the records of a file, and how it went to read them, and count them; None if there are none.

    What is wrong with the file is printed. What comes through a pipe is kept until the stack is left.
    """
    from ltkm_inspect.report.reading import RecordFile
    from ltkm_inspect.report.summary import NOT_ENDED

    name = _name(source)
    try:
        path = stack.enter_context(_at_rest(source))
        summary, reading = _counted(path, known)
    except _ERRORS as error:
        trouble.unread += 1
        complain(_failure(error, name))
        return None
    total.merge(summary)
    for line in reading.damage:
        trouble.say(name, line, unread=False)
    if reading.damaged > len(reading.damage):
        trouble.say(name, f"{reading.damaged} damaged lines in all", unread=False)
    if not reading.run_files.ended:
        trouble.say(name, NOT_ENDED, unread=False)
    return RecordFile(path), reading


def _counted(path: Path, known: "Baseline") -> "tuple[Summary, Reading]":
    """Return what the records add up to, and how it went to read them; ValueError if there are none."""
    from ltkm_inspect.report.accepting import AcceptingRecords
    from ltkm_inspect.report.reading import Reading, RecordFile
    from ltkm_inspect.report.summary import Summary

    total, reading = Summary(), Reading()
    for record in AcceptingRecords(RecordFile(path).read(reading), known, ""):
        total.add_record(record)
    if not reading.records:
        from ltkm_inspect.input.kind import RECORDS, START, UNPACK, kind_of

        with path.open("rb") as file:
            kind = kind_of(file.read(START))
        own = kind.advice if kind.advice == UNPACK or not path.stat().st_size else ""
        got = "got damaged ones" if kind is RECORDS else f"got {kind if own else kind.name}"
        advice = "" if own else "; write them with ltkm-inspect check --report run.jsonl FILE"
        raise ValueError(f"expected the records of a run, {got}{advice}")
    return total, reading


def _has_records(path: str) -> bool:
    from ltkm_inspect.input.kind import RECORDS, kind_of_file

    return kind_of_file(path) is RECORDS


_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading and rendering records may raise, whoever wrote them."""


def _failure(error: Exception, name: str) -> str:
    """Return the line about an error that ends the work with these records."""
    if isinstance(error, OSError):
        return f"{printable(str(error.filename or name))}: {reason(error, _has_records)}"
    foreign = f"expected records written by ltkm-inspect, got others ({crash_of(error)})"
    return f"{printable(name)}: {reason(error) if isinstance(error, ValueError) else foreign}"


def _name(source: str) -> str:
    return "standard input" if source == "-" else shown_name(source)
