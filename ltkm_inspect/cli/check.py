"""The command `check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ltkm_inspect import options
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import (
    FINDINGS,
    INTERRUPTED,
    NOTHING_SEEN,
    OK,
    flows_of,
    keys_at_hand,
    leave,
    option,
    shaped,
    targets_of,
    usage,
)
from ltkm_inspect.report.console import COULD_NOT_RUN, Trouble, complain, say
from ltkm_inspect.wire import printable

if TYPE_CHECKING:
    from ltkm_inspect.context import Settings
    from ltkm_inspect.finding import Level


@commands.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@option("expect")
@option("profile")
@option("strict")
@option("namespaces")
@option("select")
@option("ignore")
@option("severity")
@option("rule")
@option("fail_on")
@option("report")
@option("keys")
@option("show_keys")
@option("redact")
@shaped("text", "jsonl")
def check(
    files: tuple[Path, ...],
    fail_on: str,
    report: tuple[str, ...],
    keys: str | None,
    show_keys: bool,
    redact: bool,
    shape: str,
    **words: Any,
) -> None:
    """Check the MSK exchanges in flow files and HARs.

    Prints the findings of each exchange and a summary, or one JSON object an exchange. Nothing is left out, however
    large a response is.
    """
    settings, level, targets = _understood(words, fail_on, report, files)
    at_hand = keys_at_hand(keys, show_keys)
    from ltkm_inspect.context import Context
    from ltkm_inspect.engine import inspect
    from ltkm_inspect.report import jsonl, summary, text
    from ltkm_inspect.report.files import ReportFiles
    from ltkm_inspect.report.plain import to_json
    from ltkm_inspect.report.redaction import NO_VEIL, Redaction
    from ltkm_inspect.session import Session

    session = Session()
    context = Context(settings, at_hand.ring, session)
    redaction = Redaction() if redact else None
    reports, total, trouble = ReportFiles(), summary.Summary(), Trouble()
    typed = words | {"fail_on": fail_on, "report": report, "keys": keys, "show_keys": show_keys, "redact": redact}
    first = to_json(jsonl.run_record([*map(str, files)], typed, redaction))
    try:
        reports.use(targets, first)
    except options.OptionError as error:
        complain(str(error))
        leave(COULD_NOT_RUN)
    for line in reports.left:
        complain(line)
    head = [first] if shape == "jsonl" else []
    shown: Path | None = files[0] if len(files) == 1 else None
    interrupted = False
    try:
        for path, _, exchange in flows_of(files, trouble):
            if exchange is None:
                total.other()
                continue
            found = inspect(exchange, context)
            total.add(found)
            veil = NO_VEIL if redaction is None else redaction.veil(exchange)
            line = jsonl.exchange_line(found, str(path), at_hand, veil) if targets or shape == "jsonl" else ""
            trouble.lost(reports.write(line))
            if shape == "jsonl":
                say([*head, line])
                head = []
            else:
                say([] if path == shown else [f"{printable(str(path))}:"])
                say(map(veil.text, (*text.lines(found), *at_hand.lines(found))))
                shown = path
    except KeyboardInterrupt:
        interrupted = True
        complain("interrupted, so this is the report of a part")
    total.forgotten = session.forgotten
    last = [*map(to_json, (jsonl.session_record(session, redaction), jsonl.summary_record(total)))]
    if interrupted:
        last.pop()  # records without a summary say of themselves that the run did not end
    trouble.lost(reports.finish(last))
    if trouble.unread == len(files):
        pass  # each of them has its line already
    elif shape == "text":
        say(total.lines())
    else:
        say([*head, *last])
        if not total.exchanges:
            complain(summary.NOTHING_SEEN)
    if interrupted:
        leave(INTERRUPTED)
    broken = level is not None and total.worst >= level
    leave(trouble.exit_code(len(files), FINDINGS if broken else OK if total.exchanges else NOTHING_SEEN))


def _understood(
    words: dict[str, Any], fail_on: str, report: tuple[str, ...], files: tuple[Path, ...]
) -> "tuple[Settings, Level | None, list[options.Target]]":
    with usage():
        return options.settings(**words), options.parse_fail_on(fail_on), targets_of(report, files)
