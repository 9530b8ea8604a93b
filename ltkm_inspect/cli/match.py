"""The command `match`."""

import click

from ltkm_inspect.cli.completion import complete_columns, complete_separators
from ltkm_inspect.cli.defaults import configurable
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import (
    CapturePath,
    events_of,
    interruptible,
    leave,
    limits_of,
    option,
    say_crashes,
    shaped,
    usage,
    wording_of,
)
from ltkm_inspect.options.words import decimal
from ltkm_inspect.output.console import (
    COULD_NOT_RUN,
    FINDINGS,
    NOTHING_SEEN,
    OK,
    InputErrors,
    complain,
    pour,
    reason,
    say_nothing,
)
from ltkm_inspect.wire import printable


@commands.command()
@configurable
@click.argument("captures", nargs=-1, required=True, type=CapturePath(), metavar="CAPTURE...")
@click.argument("log", type=CapturePath(), metavar="LOG")
@click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN,...",
    shell_complete=complete_columns,
    help="Take time, b_tid, key_domain, msk and ts from these columns: headers, or numbers from 1 "
    "(A+B joins two).  [default: guessed from the headers]",
)
@click.option("--time-format", default="", metavar="FORMAT", help="Read times in this format of strptime.")
@click.option("--encoding", default="", metavar="NAME", help="Read the log in this encoding.  [default: detected]")
@click.option(
    "--separator",
    default="",
    metavar="comma|semicolon|tab|pipe|CHARACTER",
    shell_complete=complete_separators,
    help="Separate cells at this character.  [default: detected]",
)
@click.option(
    "--window",
    default="60",
    show_default=True,
    metavar="SECONDS",
    help="Match deliveries that are at most this many seconds apart, after correcting the clock.",
)
@click.option("--overlap", is_flag=True, help="Leave out what the other side cannot have: other terminals and times.")
@click.option("--all", "everything", is_flag=True, help="Also list what both have.")
@option("limit")
@option("names")
@option("redact")
@option("redact_key_file")
@shaped("text", "csv", "json")
def match(
    captures: tuple[str, ...],
    log: str,
    columns: tuple[str, ...],
    time_format: str,
    encoding: str,
    separator: str,
    window: str,
    overlap: bool,
    everything: bool,
    limit: str,
    names: str | None,
    redact: bool,
    redact_key_file: str | None,
    shape: str,
) -> None:
    """Compare the LTKMs in captures with the log of a BSM.

    Lists the deliveries that only the log has, or only the captures, and says how far the clock of the log is ahead.
    CAPTURE is what check reads. LOG is a table as text (CSV), also compressed, with a row for each delivery. Exit code
    3 if there is a difference, 4 if no capture has an MSK exchange or datagram, or the log has no row, 5 also if rows
    cannot be read.
    """
    from ltkm_inspect.matching import parse_columns, parse_encoding, parse_separator, parse_time_format

    with usage():
        typed, time_format = parse_columns(columns), parse_time_format(time_format)
        encoding, separator = parse_encoding(encoding), parse_separator(separator)
        seconds = decimal("window", window, "seconds")
    limits = limits_of(limit)
    from ltkm_inspect.capture import unpacked
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.context import Context
    from ltkm_inspect.engine import place
    from ltkm_inspect.keys import KeyRing
    from ltkm_inspect.matching import BsmLog, Deliveries, LogError, LogMatch, LogTable, MatchOutput, columns_line
    from ltkm_inspect.session import Session
    from ltkm_inspect.wire.urls import shown_name

    wording = wording_of(names, KeyRing(), redact=redact, key=redact_key_file)
    trouble, files = InputErrors(), [*inputs(captures)]
    context, deliveries = Context(session=Session(), limits=limits), Deliveries(wording)
    with interruptible():
        for name, number, event in events_of(files, limits, trouble):
            step = context.event(event)
            crash = place(step, context)
            if crash is None:
                deliveries.add(name, number, step)
            else:
                say_crashes(name, crash, trouble, wording)
        code = trouble.exit_code(len(files), OK)
        if code == COULD_NOT_RUN:
            leave(code)
        if not deliveries.events:
            say_nothing(files, "no MSK exchange was seen, so nothing was compared")
            leave(code or NOTHING_SEEN)
        name = shown_name(log)
        try:
            with unpacked(log) as source:
                table = LogTable.of(source, encoding, separator)
                found = BsmLog.read(table, deliveries, typed, time_format, shows_cells=not redact)
        except OSError as error:
            complain(f"{printable(name)}: {reason(error)}")
            leave(COULD_NOT_RUN)
        except LogError as error:
            complain(f"{printable(name)}: {wording.text(str(error))}")
            leave(COULD_NOT_RUN)
        if found.is_guessed:
            complain(f"{printable(name)}: {columns_line(found)}")
        for number in range(found.unread):
            trouble.say(name, found.problems[number] if number < len(found.problems) else "", unread=False)
        code = trouble.exit_code(len(files) + 1, OK)
        if not found.lines:
            complain(f"{printable(name)}: the log has no rows, so nothing was compared")
            leave(code or NOTHING_SEEN)
        output = MatchOutput(LogMatch.of(found, deliveries, seconds), everything=everything, overlap=overlap)
        pour(lambda file: file.writelines(f"{line}\n" for line in output.lines(shape)))
        if shape == "csv":
            for line in output.summary:
                complain(line)
        leave(code or (FINDINGS if output.differs else OK))
