"""Exchanges as lines: as text, as one finding per line, or as workflow commands for GitHub."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click

from ltkm_inspect.finding import UNCHECKED, Level
from ltkm_inspect.output.json_line import is_event, kind_of
from ltkm_inspect.report import heartbeat
from ltkm_inspect.report.run_files import RunFiles
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.report.text import INDENT, ExchangeText, FindingText, record_text
from ltkm_inspect.wire import inert, printable

LIVE = "traffic"
"""Replaces the file name for exchanges that were not read from a file."""
_COLORS = {UNCHECKED: "cyan", "clean": "green", "note": "cyan", "warning": "yellow", "violation": "red"}
_COMMANDS = {"note": "notice", "warning": "warning", "violation": "error"}


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How exchanges are printed as lines."""

    format: str = "text"
    """One of `LINE_FORMATS`."""
    quiet: bool = False
    """Leave out exchanges in which nothing is wrong."""
    notes: bool = False
    """Show notes below the findings."""
    color: bool = False

    def lines(self, exchange: ExchangeText, file: str | None) -> list[str]:
        """Return the lines of an exchange that was read from that file; None for live traffic."""
        if self.format == "concise":
            return [_concise(exchange, finding, file) for finding in exchange.findings]
        if self.format == "github":
            return [_command(exchange, finding, file) for finding in exchange.findings]
        if self.quiet and exchange.verdict in ("clean", UNCHECKED) and not exchange.damage:
            return []
        if not self.color:
            return exchange.lines
        verdict = click.style(exchange.verdict, fg=_COLORS[exchange.verdict], bold=True)
        findings = (f"{INDENT}{_colored(each)}" for each in exchange.findings)
        damage, keys = ([f"{INDENT}{line}" for line in lines] for lines in (exchange.damage, exchange.keys))
        heading = f"{exchange.heading.removesuffix(exchange.verdict)}{verdict}"
        return [heading, *damage, *findings, *exchange.unbroken, *exchange.accepted_lines, *keys]


def _colored(finding: FindingText) -> str:
    head = f"{finding.level} {finding.rule}"
    return click.style(head, fg=_COLORS[finding.level]) + finding.line.removeprefix(head)


def _concise(exchange: ExchangeText, finding: FindingText, file: str | None) -> str:
    faults = "".join(f" [fault {fault}]" for fault in exchange.faults)
    where = f"{LIVE if file is None else printable(file)}:{exchange.number}"
    return f"{where}: {finding.level} {finding.rule}: {finding.place}: {finding.text}{faults}"


def _command(exchange: ExchangeText, finding: FindingText, file: str | None) -> str:
    """Return a finding as a workflow command of GitHub: a notice if faults were put into the exchange."""
    name = "notice" if exchange.faults else _COMMANDS[finding.level]
    title = _property(f"{finding.rule} (flow {exchange.number})")
    at = "" if file is None else f"file={_property(printable(file))},"
    text = f"{exchange.flow} {exchange.request}: {finding.line}".replace("%", "%25")
    return f"::{name} {at}title={title}::{text}"


def _property(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def write(records: Iterable[Mapping[str, Any]], file: TextIO, style: LineStyle) -> None:
    """Write the records of a run as the lines that `ltkm-inspect check` prints."""
    summary, files = Summary(), RunFiles()
    shown: str | None = None
    latest: tuple[str, ExchangeText] | None = None
    for record in records:
        summary.add_record(record)
        files.add(record)
        kind = kind_of(record)
        if kind == "run" and len(record["sources"] or ()) == 1:
            shown = record["sources"][0]
        if kind == "heartbeat" and style.format == "text":
            wanted = Level.WARNING if style.quiet else Level.NOTE
            file.writelines(f"{line}\n" for level, line in heartbeat.lines(record) if level >= wanted)
        if not is_event(record):
            continue
        exchange, source = record_text(record, notes=style.notes), record["file"]
        # A live exchange has a second record if faults were put into it.
        before = latest[1] if latest is not None and latest[0] == record["id"] else None
        found = style.lines(exchange.after(before) if record["faults"] and source is None else exchange, source)
        latest = record["id"], exchange
        if found and style.format == "text" and source not in (None, shown):
            shown = source
            file.write(f"{printable(shown or '')}:\n")
        file.writelines(f"{line}\n" for line in found)
    if style.format == "text":
        file.writelines(
            f"{inert(line)}\n" for line in (*summary.lines(), *(f"summary: {each}" for each in files.lines()))
        )
