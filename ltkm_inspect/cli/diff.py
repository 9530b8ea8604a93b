"""The command `diff`."""

import click

from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import (
    CapturePath,
    JudgingOptions,
    interruptible,
    judging,
    leave,
    reports_of,
    shaped,
)
from ltkm_inspect.output.console import COULD_NOT_RUN, FINDINGS, NOTHING_SEEN, OK, InputErrors, say, say_nothing
from ltkm_inspect.wire import printable


@commands.command()
@click.argument("a", type=CapturePath(), metavar="A")
@click.argument("b", type=CapturePath(), metavar="B")
@click.option("--all", "everything", is_flag=True, help="Also show what always differs: RAND, nonces, MACs, counters.")
@judging("limit", "fail_on", "keys", "names", "redact", "redact_key_file")
@shaped("text", "json")
def diff(a: str, b: str, everything: bool, asked: JudgingOptions, shape: str) -> None:
    """Show what changed between two captures of the same procedure.

    Shows findings that only B has (+) or only A has (-), and fields that differ (~), by terminal and MSK. Only the type
    and length of values that always differ are compared. Exit code 3 if B has a finding that A does not have, 4 if A or
    B has no MSK exchange.
    """
    keys = asked.keys()
    wording = asked.wording(keys)
    from ltkm_inspect import diff as room
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.wire.urls import shown_name

    with interruptible():
        reports, codes, inputs_of = [], [], []
        for path in (a, b):
            trouble, files = InputErrors(), [*inputs([path])]
            reports.append([report for _, report in reports_of(files, asked.context(keys), trouble, wording)])
            inputs_of.append(files)
            codes.append(trouble.exit_code(len(files), OK))
        if COULD_NOT_RUN in codes:
            leave(COULD_NOT_RUN)
        names = [shown_name(path) for path in (a, b)]
        for name, files, found in zip(names, inputs_of, reports, strict=True):
            if not found:
                say_nothing(files, f"{printable(name)}: no MSK exchange was seen, so nothing was compared")
        if not all(reports):
            leave(max(codes) or NOTHING_SEEN)
        comparison = room.compared(reports[0], reports[1], keys, everything=everything)
        lines = room.text_lines(comparison, wording)
        say([room.json_text(comparison, names[0], names[1], wording)] if shape == "json" else lines)
        worse = asked.level is not None and comparison.worst >= asked.level
        leave(max(codes) or (FINDINGS if worse else OK))
