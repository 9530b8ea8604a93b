"""The command `check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ltkm_inspect import options
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.shared import FINDINGS, NOTHING_SEEN, OK, flows_of, keys_at_hand, leave, option, shaped
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
    settings, level, paths = _understood(words, fail_on, report, files)
    at_hand = keys_at_hand(keys, show_keys)
    from ltkm_inspect.context import Context
    from ltkm_inspect.engine import inspect
    from ltkm_inspect.proxy.files import ReportFiles
    from ltkm_inspect.report import jsonl, summary, text
    from ltkm_inspect.report.redaction import NO_VEIL, Redaction
    from ltkm_inspect.session import Session

    session = Session()
    context = Context(settings, at_hand.ring, session)
    redaction = Redaction() if redact else None
    reports, total, trouble = ReportFiles(), summary.Summary(), Trouble()
    try:
        reports.use(paths)
    except options.OptionError as error:
        complain(str(error))
        leave(COULD_NOT_RUN)
    shown: Path | None = files[0] if len(files) == 1 else None
    for path, _, exchange in flows_of(files, trouble):
        if exchange is None:
            total.other()
            continue
        found = inspect(exchange, context)
        total.add(found)
        veil = NO_VEIL if redaction is None else redaction.veil(exchange)
        line = jsonl.exchange_line(found, str(path), at_hand, veil) if paths or shape == "jsonl" else ""
        trouble.lost(reports.write(line))
        if shape == "jsonl":
            say([line])
        else:
            say([] if path == shown else [f"{printable(str(path))}:"])
            say(map(veil.text, (*text.lines(found), *at_hand.lines(found))))
            shown = path
    total.forgotten = session.forgotten
    trouble.lost(reports.write(jsonl.summary_line(total)))
    reports.close()
    if trouble.unread == len(files):
        pass  # each of them has its line already
    elif shape == "text":
        say(total.lines())
    elif not total.exchanges:
        complain(summary.NOTHING_SEEN)
    broken = level is not None and total.worst >= level
    leave(trouble.exit_code(len(files), FINDINGS if broken else OK if total.exchanges else NOTHING_SEEN))


def _understood(
    words: dict[str, Any], fail_on: str, report: tuple[str, ...], files: tuple[Path, ...]
) -> "tuple[Settings, Level | None, list[Path]]":
    try:
        settings, level = options.settings(**words), options.parse_fail_on(fail_on)
        paths = [options.parse_report(text) for text in report]
        for path in paths:
            if any(file.exists() and path.exists() and file.samefile(path) for file in files):
                raise options.OptionError("report", f"expected another file than the input, got {printable(str(path))}")
    except options.OptionError as error:
        raise click.UsageError(f"--{error.option.replace('_', '-')}: {error.reason}") from None
    return settings, level, paths
