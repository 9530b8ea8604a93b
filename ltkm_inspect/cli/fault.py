"""The command `fault`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import NOTHING_SEEN, OK, flows_of, keys_at_hand, leave, option
from ltkm_inspect.report.console import COULD_NOT_RUN, Trouble, complain, reason, say
from ltkm_inspect.wire import printable

if TYPE_CHECKING:
    from ltkm_inspect.fault import Application


@commands.command()
@click.argument("fault", metavar="FAULT[:NAME=VALUE,...]")
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT")
@option("keys")
def fault(fault: str, source: Path, target: Path, keys: str | None) -> None:
    """Put a fault into every MSK exchange of a file.

    OUT becomes a flow file with all flows of IN, a flow file or HAR; those that have nothing to damage are as they
    were. Each changed flow says which fault is in it, and keeps what it was, so that mitmproxy can revert it. Exit code
    1 where the fault can be put into no MSK exchange; then there is no OUT.
    """
    application = _application(fault, source, target)
    from ltkm_inspect.context import Context
    from ltkm_inspect.proxy.rewriting import Rewriting, Target

    rewriting, trouble = Rewriting(application, Context(keys=keys_at_hand(keys).ring)), Trouble()
    try:
        with Target(target) as file:
            for _, flow, exchange in flows_of([source], trouble):
                change = rewriting.apply(flow, exchange)
                file.add(flow)
                if change is not None:
                    say([change.line])
            if not rewriting.failed and not trouble.unread and (rewriting.flows or not trouble.damaged):
                file.keep()
    except OSError as error:
        complain(f"{printable(str(target))}: {reason(error)}")
        leave(COULD_NOT_RUN)
    if not trouble.unread:
        say(rewriting.lines())
    if rewriting.warning:
        complain(rewriting.warning)
    if not rewriting.exchanges and not trouble.unread and not trouble.damaged:
        complain("no MSK exchange was seen, so nothing was changed")
    if rewriting.failed:
        complain(rewriting.reason)
        leave(COULD_NOT_RUN)
    leave(trouble.exit_code(1, OK if rewriting.exchanges else NOTHING_SEEN))


def _application(text: str, source: Path, target: Path) -> "Application":
    from ltkm_inspect import catalogue
    from ltkm_inspect.fault import FaultError, parse_application, prepare
    from ltkm_inspect.proxy.sources import READERS

    catalogue.load()
    try:
        application = prepare(parse_application(text), READERS)
    except FaultError as error:
        raise click.UsageError(str(error)) from None
    if source.exists() and target.exists() and source.samefile(target):
        raise click.UsageError(f"OUT: expected another file than the input, got {printable(str(target))}")
    for remark in application.remarks:
        complain(remark)
    return application
