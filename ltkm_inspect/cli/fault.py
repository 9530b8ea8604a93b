"""The command `fault`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ltkm_inspect.cli.completion import complete_faults
from ltkm_inspect.cli.defaults import configurable, spelled
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import (
    FilePath,
    interruptible,
    keys_at_hand,
    leave,
    limits_of,
    option,
    wording_of,
)
from ltkm_inspect.options.faults import orders
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import (
    COULD_NOT_RUN,
    NOTHING_SEEN,
    OK,
    InputErrors,
    Output,
    complain,
    failure,
    reason,
    say_nothing,
)
from ltkm_inspect.wire import crash_of, printable

if TYPE_CHECKING:
    from ltkm_inspect.mitm.rewriting import FlowRewriter
    from ltkm_inspect.traffic import Event, Limits


@commands.command()
@configurable
@click.argument("fault", metavar="FAULT[:NAME=VALUE,...]", shell_complete=complete_faults)
@click.argument("source", type=FilePath(), metavar="IN")
@click.argument("target", type=FilePath(), metavar="OUT")
@click.option(
    "--also",
    multiple=True,
    metavar="FAULT",
    help="Also put in this fault, after the others.",
    shell_complete=complete_faults,
)
@option("fault_msk", "--msk")
@option("fault_terminal", "--terminal")
@option("fault_filter", "--filter")
@option("fault_when", "--when")
@option("fault_unsigned", "--unsigned")
@option("terminal")
@option("limit")
@option("keys")
@option("names")
@option("redact")
@option("redact_key_file")
def fault(
    fault: str,
    source: Path,
    target: Path,
    also: tuple[str, ...],
    limit: str,
    keys: str | None,
    names: str | None,
    redact: bool,
    redact_key_file: str | None,
    **words: Any,
) -> None:
    """Put faults into the MSK exchanges and datagrams of a file.

    IN is a flow file, a HAR or a packet capture. OUT is written as a flow file with all flows of IN (MSK exchanges and
    datagrams of a packet capture), and flows with nothing to damage are unchanged. Each changed flow names its faults
    and keeps its original, so that mitmproxy can revert it. Exit code 1 if no MSK exchange can be changed; OUT is then
    not written.
    """
    if source.exists() and target.exists() and source.samefile(target):
        raise click.UsageError(f"OUT: expected another file than the input, got {printable(str(target))}")
    limits = limits_of(limit)
    rewriting, trouble = _rewriting([fault, *also], words, keys), InputErrors()
    from ltkm_inspect.capture.inputs import Input
    from ltkm_inspect.mitm.change import change_line
    from ltkm_inspect.mitm.flow_file import FlowFileWriter
    from ltkm_inspect.output.unmatched import unmatched_orders

    wording = wording_of(
        names, rewriting.context.keys, redact=redact, key=redact_key_file, terminal_by=rewriting.orders.terminal_by
    )
    hidden = wording.text

    output = Output()
    with interruptible():
        try:
            with FlowFileWriter(target, private=keys is not None) as file:
                for flow, events in _flows(source, trouble, limits):
                    changes = rewriting.apply(flow, events)
                    try:
                        file.add(flow)
                    except OSError:
                        raise
                    except Exception as error:  # of a flow with text that mitmproxy can read and cannot write
                        trouble.say(str(source), f"a flow cannot be written: {crash_of(error)}", unread=False)
                        continue
                    for change in changes:
                        try:
                            line = change_line(change, rewriting.flows, wording.redactor(change.before))
                        except Exception as error:
                            line = f"a flow was changed, but the program failed to say how: {crash_of(error)}"
                            trouble.damaged += 1
                        output.say([line])
                if not rewriting.failed and not trouble.unread and (rewriting.flows or not trouble.damaged):
                    file.keep()
        except OSError as error:
            complain(f"{printable(str(target))}: {reason(error)}")
            leave(COULD_NOT_RUN)
        if not trouble.unread:
            output.say(map(hidden, rewriting.lines()))
        for line in rewriting.warnings():
            complain(hidden(line))
        if not rewriting.exchanges and not trouble.unread and not trouble.damaged:
            say_nothing([Input(str(source))], "no MSK exchange was seen, so nothing was changed")
        for name, line in unmatched_orders(rewriting, wording) if rewriting.exchanges else ():
            complain(f"--{name}: {line}")
        if rewriting.failed:
            complain(hidden(rewriting.reason))
            leave(COULD_NOT_RUN)
        if output.failed:
            leave(COULD_NOT_RUN)
        trouble.damaged += rewriting.crashed
        leave(trouble.exit_code(1, OK if rewriting.exchanges else NOTHING_SEEN))


def _flows(path: Path, trouble: InputErrors, limits: "Limits") -> "Iterator[tuple[Any, tuple[Event, ...]]]":
    """Yield every flow of a file with its events; print what is wrong with the file."""
    from ltkm_inspect.capture import Damage, DamagedEvent, UnreadTraffic, unread_text
    from ltkm_inspect.mitm.reading import flows

    begun = False
    try:
        for found in flows(path, limits):
            begun = True
            if isinstance(found, UnreadTraffic):
                complain(f"{printable(str(path))}: not read: {unread_text(found.counts)}")
            elif isinstance(found, Damage | DamagedEvent):
                trouble.say(str(path), str(found), unread=False)
            else:
                yield found
    except Exception as error:
        trouble.say(str(path), failure(error), unread=not begun)


_SPELT = {
    "fault": "FAULT",
    "fault_msk": "--msk",
    "fault_terminal": "--terminal",
    "fault_filter": "--filter",
    "fault_when": "--when",
    "fault_unsigned": "--unsigned",
}
"""How the command line spells the options of the table."""


def _rewriting(faults: list[str], words: dict[str, Any], keys: str | None) -> "FlowRewriter":
    from ltkm_inspect.context import Context
    from ltkm_inspect.mitm.rewriting import FlowRewriter
    from ltkm_inspect.mitm.sources import READERS

    try:
        ordered = orders(READERS, fault=faults, **words)
        rewriting = FlowRewriter(ordered, Context(keys=keys_at_hand(keys, hides_names=True).ring))
    except OptionError as error:
        where = spelled(error.option, _SPELT.get(error.option, ""))
        raise click.UsageError(error.reason if where == "FAULT" else f"{where}: {error.reason}") from None
    for fault in ordered.faults:
        for remark in fault.remarks:
            complain(remark)
    return rewriting
