"""The command `check`."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ltkm_inspect.cli.baseline import require_writable, write_baseline
from ltkm_inspect.cli.completion import complete_cluster
from ltkm_inspect.cli.defaults import spelled
from ltkm_inspect.cli.group import commands
from ltkm_inspect.cli.looks import selecting, styled
from ltkm_inspect.cli.shared import (
    CapturePath,
    Count,
    FilePath,
    JudgingOptions,
    Word,
    interruptible,
    judging,
    leave,
    targets_of,
    usage,
)
from ltkm_inspect.options.table import LINE_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import COULD_NOT_RUN, complain
from ltkm_inspect.wire import printable

if TYPE_CHECKING:
    from ltkm_inspect.cluster.dask import DaskCluster
    from ltkm_inspect.options.cluster_address import ClusterAddress
    from ltkm_inspect.report.lines import LineStyle


@commands.command()
@click.argument("files", nargs=-1, required=True, type=CapturePath(), metavar="FILE...")
@judging("fail_on", "limit", "report", "keys", "names", "baseline", "show_keys", "redact", "redact_key_file")
@click.option("--jobs", type=Count(1), metavar="N", help="Number of worker processes.  [default: one per core]")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    shell_complete=complete_cluster,
    help="Check on a cluster: local, local:N, or the address of a Dask scheduler.",
)
@click.option("--insecure", is_flag=True, help="Send keys to a cluster even if the connection is not encrypted.")
@click.option(
    "--order",
    type=Word(("files", "time")),
    default="files",
    show_default=True,
    help="Check the files one after the other, or merge them by time: for probes that capture at the same time.",
)
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
    files: tuple[str, ...],
    asked: JudgingOptions,
    jobs: int | None,
    cluster: str | None,
    insecure: bool,
    order: str,
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
    pattern, a URL (s3://bucket/folder/), or - for standard input. A folder means all captures in it and in its
    subfolders, ordered by name. The output is the findings of each exchange and a summary, or one JSON object per
    exchange.
    """
    address = None if cluster is None else _address(cluster, jobs, follow=follow)
    from ltkm_inspect.capture.inputs import inputs
    from ltkm_inspect.options.selected import event_selection

    found = [*inputs(files)]
    with usage():
        selection = event_selection(msks, terminals, flows, since, until)
        targets = targets_of(asked.typed["report"], [Path(each.name) for each in found])
    if follow and (len(found) != 1 or found[0].problem or found[0].url or found[0].name == "-"):
        got = f"{len(found)}: run one command for each" if len(found) > 1 else found[0].problem or "standard input"
        got = "a URL" if found[0].url else got
        raise click.UsageError(f"--follow: expected one file, got {got}")
    if new_baseline is not None:
        require_writable(new_baseline, asked.typed)
    keys = asked.keys()
    if address is not None and not (insecure or address.is_safe):
        secret = "--keys" if keys.ring else "a URL with a password" if any(each.has_secret for each in found) else ""
        if secret:
            raise click.UsageError(f"{secret}: not sent unencrypted to {address.scheduler}; use tls://… or --insecure")
    wording, baseline = asked.wording(keys), asked.baseline()
    from ltkm_inspect import checking
    from ltkm_inspect.cli.check_run import CheckRun
    from ltkm_inspect.report.files import ReportFiles
    from ltkm_inspect.report.jsonl import run_record

    with interruptible(), ExitStack() as stack, ReportFiles() as reports:
        workers = None if address is None else stack.enter_context(_workers(address))
        context = asked.context(keys)
        record = run_record([each.name for each in found], asked.typed, wording.redaction)
        try:
            reports.use(targets, record, private=keys.show)
        except OptionError as error:
            complain(f"{spelled(error.option)}: {error.reason}")
            leave(COULD_NOT_RUN)
        for line in reports.left:
            complain(line)
        in_lines = style.format in LINE_FORMATS
        presenter = checking.Presenter(
            keys=keys,
            style=style if in_lines else None,
            as_json=bool(targets) or not in_lines,
            wording=wording,
            for_page=reports.has_page,
        )
        checker = checking.Checker(
            context=context,
            presenter=presenter,
            baseline=baseline,
            collects=new_baseline is not None,
            selection=selection,
        )
        run = CheckRun(found, checker, style, reports, record, has_reports=bool(targets), follow=follow)
        if follow:
            run.print_all(checking.follow(found[0], checker))
        elif workers is not None:
            from ltkm_inspect import cluster as clusters

            at_work = stack.enter_context(workers.working_at(clusters.Job(checker, os.getcwd())))
            run.print_all(clusters.check(found, checker, at_work, by_time=order == "time"))
        else:
            run.print_all(checking.check(found, checker, jobs or checking.cores(), by_time=order == "time"))
        run.finish()
        if run.stop_code is not None:
            leave(run.stop_code)
        if new_baseline is not None:
            entries, matched = checker.counts.new_entries, checker.counts.summary.matched
            write_baseline(new_baseline, entries.toml(baseline, matched), len(entries.numbers))
        leave(COULD_NOT_RUN if run.has_failed else run.exit_code(asked.level))


def _address(text: str, jobs: int | None, *, follow: bool) -> "ClusterAddress":
    """Return the cluster that is named; a usage error if it means nothing, or nothing with the other options.

    What workers on this machine need is imported from now on, beside what follows here.
    """
    from ltkm_inspect.options.cluster_address import ClusterAddress

    if jobs is not None or follow:
        raise click.UsageError(f"--cluster: not with {'--follow' if follow else '--jobs'}")
    with usage():
        address = ClusterAddress.parse(text)
    if not address.scheduler:
        from ltkm_inspect.wire import forking

        forking.prepare()
    return address


@contextmanager
def _workers(address: "ClusterAddress") -> "Iterator[DaskCluster]":
    """Use the workers of a cluster; exit code 1 if there are none."""
    from ltkm_inspect.checking import cores

    try:
        from ltkm_inspect.cluster import dask
    except ModuleNotFoundError as error:
        complain(f"--cluster needs Dask ({error.name} is missing): pip install 'ltkm-inspect[cluster]'")
        leave(COULD_NOT_RUN)
    except ValueError as error:
        complain(f"--cluster: the configuration of Dask cannot be read: {printable(str(error).partition(':\n')[0])}")
        leave(COULD_NOT_RUN)
    opened = dask.connected(address.scheduler) if address.scheduler else dask.local(address.workers or cores())
    with ExitStack() as stack:
        try:
            yield stack.enter_context(opened)
        except dask.ClusterError as error:  # also one that does not take the job
            complain(f"--cluster: {error}")
            leave(COULD_NOT_RUN)
