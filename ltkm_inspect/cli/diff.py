"""The command `diff`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ltkm_inspect import options
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import (
    FINDINGS,
    NOTHING_SEEN,
    OK,
    FilePath,
    exchanges_of,
    interruptible,
    judging,
    keys_at_hand,
    leave,
    limits_of,
    option,
    say_crashes,
    shaped,
    usage,
)
from ltkm_inspect.output.console import COULD_NOT_RUN, InputErrors, complain, say
from ltkm_inspect.wire import printable

if TYPE_CHECKING:
    from ltkm_inspect.capture.inputs import Input
    from ltkm_inspect.context import Context
    from ltkm_inspect.finding import Report
    from ltkm_inspect.output.redaction import Redaction


@commands.command()
@click.argument("a", type=FilePath(), metavar="A")
@click.argument("b", type=FilePath(), metavar="B")
@click.option(
    "--all", "everything", is_flag=True, help="Show what differs every time too: RAND, nonces, MACs, counters."
)
@judging
@option("limit")
@option("fail_on")
@option("keys")
@option("redact")
@shaped("text", "json")
def diff(
    a: Path,
    b: Path,
    everything: bool,
    limit: str,
    fail_on: str,
    keys: str | None,
    redact: bool,
    shape: str,
    **words: Any,
) -> None:
    """Show what changed between two captures of the same procedure.

    Findings that came (+) and went (-), and fields that differ (~), by terminal and MSK. Of what differs every time,
    only kind and length are compared. Exit code 3 where B has a finding that A has not, 4 where one of them has no MSK
    exchange.
    """
    with usage():
        settings, level = options.settings(**words), options.parse_fail_on(fail_on)
    limits, at_hand = limits_of(limit), keys_at_hand(keys)
    from ltkm_inspect import diff as room
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.context import Context
    from ltkm_inspect.output.redaction import Redaction
    from ltkm_inspect.session import Session

    with interruptible():
        names = Redaction() if redact else None
        reports, codes = [], []
        for path in (a, b):
            trouble, files = InputErrors(), [*inputs([str(path)])]
            session = Session(settings.session)
            reports.append([*_reports(files, Context(settings, at_hand.ring, session, limits), trouble, names)])
            codes.append(trouble.exit_code(len(files), OK))
        if COULD_NOT_RUN in codes:
            leave(COULD_NOT_RUN)
        for path, found in zip((a, b), reports, strict=True):
            if not found:
                complain(f"{printable(str(path))}: no MSK exchange was seen, so nothing was compared")
        if not all(reports):
            leave(max(codes) or NOTHING_SEEN)
        comparison = room.compared(reports[0], reports[1], at_hand, everything=everything)
        lines = room.text_lines(comparison, names)
        say([room.json_text(comparison, str(a), str(b), names)] if shape == "json" else lines)
        worse = level is not None and comparison.worst >= level
        leave(max(codes) or (FINDINGS if worse else OK))


def _reports(
    files: "list[Input]", context: "Context", trouble: InputErrors, names: "Redaction | None"
) -> "Iterator[Report]":
    """Yield the report of every MSK exchange of a capture, as a session of its own."""
    from ltkm_inspect.engine import inspect

    for name, exchange in exchanges_of(files, trouble, context.limits):
        report = inspect(exchange, context)
        say_crashes(name, report, trouble, names)
        yield report
