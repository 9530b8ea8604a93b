"""Exchanges as lines on a screen or in a file: as text, one finding per line, or as commands for GitHub."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click

from ltkm_inspect.output.json_line import kind_of
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.report.text import INDENT, ExchangeText, FindingText, told_of
from ltkm_inspect.wire import inert, printable

LIVE = "traffic"
"""What replaces a file name for exchanges that were not read from one."""
_COLORS = {"clean": "green", "note": "cyan", "warning": "yellow", "violation": "red"}
_COMMANDS = {"note": "notice", "warning": "warning", "violation": "error"}


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How exchanges are printed as lines."""

    format: str = "text"
    """One of `LINE_FORMATS`."""
    quiet: bool = False
    """Exchanges in which nothing is wrong are left out."""
    notes: bool = False
    """Notes are shown below the findings."""
    color: bool = False

    def lines(self, said: ExchangeText, file: str | None) -> list[str]:
        """Return the lines of an exchange that was read from that file; None for live traffic."""
        if self.format == "concise":
            return [_concise(said, finding, file) for finding in said.findings]
        if self.format == "github":
            return [_command(said, finding, file) for finding in said.findings]
        if self.quiet and said.verdict == "clean" and not said.damage:
            return []
        if not self.color:
            return said.lines
        verdict = click.style(said.verdict, fg=_COLORS[said.verdict], bold=True)
        findings = (f"{INDENT}{_colored(each)}" for each in said.findings)
        damage, keys = ([f"{INDENT}{line}" for line in lines] for lines in (said.damage, said.keys))
        return [f"{said.heading.removesuffix(said.verdict)}{verdict}", *damage, *findings, *keys]


def _colored(finding: FindingText) -> str:
    head = f"{finding.level} {finding.rule}"
    return click.style(head, fg=_COLORS[finding.level]) + finding.line.removeprefix(head)


def _concise(said: ExchangeText, finding: FindingText, file: str | None) -> str:
    put_in = "".join(f" [fault {fault}]" for fault in said.faults)
    where = f"{LIVE if file is None else printable(file)}:{said.number}"
    return f"{where}: {finding.level} {finding.rule}: {finding.place}: {finding.text}{put_in}"


def _command(said: ExchangeText, finding: FindingText, file: str | None) -> str:
    """Return a finding as a workflow command of GitHub; one in a faulted exchange is a notice."""
    name = "notice" if said.faults else _COMMANDS[finding.level]
    title = _property(f"{finding.rule} (flow {said.number})")
    at = "" if file is None else f"file={_property(printable(file))},"
    text = f"{said.flow} {said.asked}: {finding.line}".replace("%", "%25")
    return f"::{name} {at}title={title}::{text}"


def _property(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def write(records: Iterable[Mapping[str, Any]], file: TextIO, style: LineStyle) -> None:
    """Write what the records of a run say as `ltkm-inspect check` prints it."""
    summary = Summary()
    shown: str | None = None
    latest: tuple[str, ExchangeText] | None = None
    for record in records:
        summary.add_record(record)
        kind = kind_of(record)
        if kind == "run" and len(record["sources"] or ()) == 1:
            shown = record["sources"][0]
        if kind != "exchange":
            continue
        said, source = told_of(record, notes=style.notes), record["file"]
        # Beside live traffic an exchange comes again as it goes on with faults.
        before = latest[1] if latest is not None and latest[0] == record["id"] else None
        found = style.lines(said.after(before) if record["faults"] and source is None else said, source)
        latest = record["id"], said
        if found and style.format == "text" and source not in (None, shown):
            shown = source
            file.write(f"{printable(shown or '')}:\n")
        file.writelines(f"{line}\n" for line in found)
    if style.format == "text":
        file.writelines(f"{inert(line)}\n" for line in summary.lines())
