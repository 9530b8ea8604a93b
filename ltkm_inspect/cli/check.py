"""The command `check`."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ltkm_inspect.cli.baseline import require_writable, write_baseline
from ltkm_inspect.cli.defaults import spelled
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.looks import selecting, styled
from ltkm_inspect.cli.progress import Progress
from ltkm_inspect.cli.shared import (
    Count,
    FilePath,
    JudgingOptions,
    interruptible,
    judging,
    leave,
    targets_of,
    usage,
)
from ltkm_inspect.cli.signals import INTERRUPTED, code_of, reason_of
from ltkm_inspect.options.table import LINE_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import COULD_NOT_RUN, InputErrors, Output, complain, say_nothing
from ltkm_inspect.wire import count, printable

if TYPE_CHECKING:
    from ltkm_inspect.report.lines import LineStyle

MOST_UNCHECKED = 10
"""How many datagrams that no rule applies to are listed as text: a service sends an STKM every few seconds."""


@commands.command()
@click.argument("files", nargs=-1, required=True, type=FilePath(), metavar="FILE...")
@judging("fail_on", "limit", "report", "keys", "names", "baseline", "show_keys", "redact")
@click.option("--jobs", type=Count(1), metavar="N", help="Number of worker processes.  [default: one per core]")
@click.option("--follow", is_flag=True, help="Follow a capture that is still being written, until Ctrl-C or SIGTERM.")
@click.option(
    "--write-baseline",
    "new_baseline",
    type=FilePath(),
    metavar="FILE",
    help="Write a baseline with the findings, and with the entries of --baseline; fill in the reasons.",
)
@selecting
@click.option(
    "--since", default="", metavar="TIME", help="Report only exchanges that began at this time or later (UTC)."
)
@click.option(
    "--until", default="", metavar="TIME", help="Report only exchanges that began at this time or earlier (UTC)."
)
@styled("text", "concise", "github", "jsonl")
def check(
    files: tuple[Path, ...],
    asked: JudgingOptions,
    jobs: int | None,
    follow: bool,
    new_baseline: Path | None,
    msks: tuple[str, ...],
    terminals: tuple[str, ...],
    flows: tuple[str, ...],
    since: str,
    until: str,
    style: "LineStyle",
) -> None:
    """Check the MSK exchanges in flow files, HARs and packet captures.

    FILE is a flow file, a HAR or a packet capture (pcap, pcapng), also compressed with gzip or zstd, a folder, a
    pattern, or - for standard input. A folder means all captures in it and in its subfolders, ordered by name. The
    output is the findings of each exchange and a summary, or one JSON object per exchange.
    """
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.options.selected import event_selection

    found = [*inputs(map(str, files))]
    with usage():
        selection = event_selection(msks, terminals, flows, since, until)
        targets = targets_of(asked.typed["report"], [Path(each.name) for each in found])
    if follow and (len(found) != 1 or found[0].problem or found[0].name == "-"):
        got = f"{len(found)}: run one command for each" if len(found) > 1 else found[0].problem or "standard input"
        raise click.UsageError(f"--follow: expected one file, got {got}")
    if new_baseline is not None:
        require_writable(new_baseline, asked.typed)
    keys = asked.keys()
    wording, baseline = asked.wording(keys), asked.baseline()
    from ltkm_inspect import checking
    from ltkm_inspect.baseline import NewEntries
    from ltkm_inspect.engine import waiting_at_end
    from ltkm_inspect.output.json_line import to_json
    from ltkm_inspect.output.unmatched import unmatched
    from ltkm_inspect.report import jsonl, summary
    from ltkm_inspect.report.files import ReportFiles
    from ltkm_inspect.selection import SelectionMatches

    with interruptible(), ReportFiles() as reports:
        total, trouble, output = summary.Summary(), InputErrors(), Output(color=style.color)
        matches, new_entries = SelectionMatches(), NewEntries()
        in_lines = style.format in LINE_FORMATS
        context = asked.context(keys)
        assert context.session is not None
        run = jsonl.run_record([each.name for each in found], asked.typed, wording.redaction)
        head = [to_json(run)]
        try:
            reports.use(targets, run, private=keys.show)
        except OptionError as error:
            complain(f"{spelled(error.option)}: {error.reason}")
            leave(COULD_NOT_RUN)
        for line in reports.left:
            complain(line)
        as_json = bool(targets) or not in_lines
        presenter = checking.Presenter(
            keys,
            style if in_lines else None,
            as_json,
            wording,
            baseline,
            new_baseline is not None,
            selection,
            reports.has_page,
        )
        if follow:
            results = checking.follow(found[0], context, presenter)
        else:
            results = checking.check(found, context, presenter, jobs or checking.cores())
        heading = "" if len(found) > 1 else found[0].name
        stopped, code, unchecked = None, INTERRUPTED, 0
        bar = Progress(each.name for each in found if not follow)
        with bar as progress, closing(results):
            try:
                for checked in results:
                    lines: list[str] = []
                    if not in_lines and checked.shown:
                        lines, head = head, lines
                    for shown in checked.shown:
                        trouble.lost(reports.write(shown.json))
                        printed = shown.lines if in_lines else [shown.json]
                        if printed and shown.is_unchecked:
                            unchecked += 1
                            if unchecked > MOST_UNCHECKED:
                                continue
                        if printed and style.format == "text" and checked.name != heading:
                            heading = checked.name
                            lines.append(f"{printable(heading)}:")
                        lines += printed
                    total.merge(checked.summary)
                    matches.merge(checked.matches)
                    new_entries.merge(checked.new_entries)
                    total.forgotten = checked.forgotten
                    progress.make_room()
                    if not output.say(lines) and (follow or (output.failed and not targets)):
                        break
                    for line in (*checked.damaged, *([checked.problem] if checked.problem else [])):
                        progress.hide()
                        trouble.say(checked.name, line, unread=checked.unread)
                    progress.advance(checked.octets, checked.summary.findings.total())
            except KeyboardInterrupt as error:
                stopped, code = f"{reason_of(error)}, so the report is partial", code_of(error)
            except checking.WorkerError as error:
                stopped = str(error)
        if stopped is not None:
            complain(stopped)
        # records without a session and a summary say of themselves that the run did not end
        if stopped is None and selection.takes_all:
            total.waiting = waiting_at_end(context)
        total.baseline = baseline.records(total.matched, wording.terminal, wording.text)
        last = [] if stopped else [jsonl.session_record(context.session, wording), jsonl.summary_record(total)]
        end = [*map(to_json, last)]
        trouble.lost(reports.finish(end))
        if trouble.unread == len(found):
            pass  # each of them has its line already
        elif style.format == "text":
            output.say(total.lines())
            if unchecked > MOST_UNCHECKED:
                more = count(unchecked - MOST_UNCHECKED, "more unchecked datagram")
                output.say([f"summary: {more} not listed; --format jsonl and reports have all of them"])
        else:
            output.say([] if in_lines else [*head, *end])
            if total.damaged:
                complain(summary.damaged(total.damaged))
            for line in total.baseline_lines:
                complain(f"--baseline: {line}")
        if not total.seen and trouble.unread < len(found):
            say_nothing([each.name for each in found], "" if style.format == "text" else total.nothing)
        for name, line in unmatched(matches, selection, wording, has_ring=bool(keys.ring)) if total.unselected else ():
            complain(f"--{name}: {line}")
        if stopped is not None:
            leave(code)
        if new_baseline is not None:
            write_baseline(new_baseline, new_entries.toml(baseline, total.matched), len(new_entries.numbers))
        if output.failed:
            leave(COULD_NOT_RUN)
        trouble.damaged += total.crashed + total.damaged
        leave(trouble.exit_code(len(found), total.exit_code(asked.level)))
