"""What the addon prints for the sample flows, and the index that tells a reader what is in them."""

import asyncio
import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from mitmproxy import eventsequence, hooks
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.traffic import Event
from tests.samples import faulted
from tests.samples.faulted import Faulted
from tests.samples.lab import Sample
from tests.samples.packets import FILE, PacketSample

PROGRAM = "mitmdump -nr {} -s addons/ltkm.py"
CHECK = "ltkm-inspect check {}"
COMMENT = "# "
"""Begins a line of an expected text that is a comment, which mitmdump does not print."""
TOTALS = re.compile(r"summary: \d+ (?:MSK exchange|violation)s?\b|ltkm-inspect \S+, \d+ rules")
"""Lines that change with every new rule or flow; they are left out everywhere."""

INTRODUCTION = (
    "# Sample flows",
    "",
    "Recordings for `mitmdump -nr FILE -s addons/ltkm.py`. Beside each is a text file with what mitmdump prints for",
    "it, without the time of day and without the lines that count rules and flows. Lines that begin with `#` describe",
    "the flows.",
    "",
    "Nothing here was recorded from a network. The code in `tests/samples/` generates all of it. Identities, keys,",
    "addresses (documentation ranges) and times are made up and fixed. MACs and digests are correct, unless a sample",
    "is about them. `make generate` writes the files again. Tests compare them with the code, with what mitmdump",
    "prints, and with the rules in the last column.",
)
ABOUT = {
    "trial.flow": "One morning of a small trial, 28 October 2009: three terminals (Alder, Birch, Cedar) behind one NAT "
    "address. In the first hour everything is correct. In the second, the BSM runs a new release that breaks every "
    "requirement of the change request, one after the other; the ids in brackets are those of "
    "[the catalogue](../docs/catalogue/index.md). In the third, counters, nonces, key streams and policies go wrong, "
    "most of which only shows when exchanges are compared.",
    "change-request.flow": "The example response of the change request, as printed and as corrected.",
    "trial.pcapng": "The same morning as tcpdump wrote it beside the BSM: every exchange of trial.flow, and between "
    "the first and the second hour the datagrams and exchanges of this table. The BSM also pushes keys over UDP. The "
    "NAT has one port 2269, and what is sent there reaches Alder alone. The text file has what `ltkm-inspect check` "
    "prints.",
    "mbs.flow": "5G broadcast (MBS): the same procedure with an MBSSF instead of the BSM and AKMA instead of GBA, by "
    "one terminal (Dogwood).",
}
"""What each sample file is, by its name."""
FAULTS = (
    "## faults/",
    "",
    "One file for each module of the catalogue that has faults: the clean reference of a fault, with the fault in its",
    "last event, as `ltkm-inspect fault` puts it in. The keys of the reference were given, so MACs and digests are",
    "correct unless the fault is about them. The metadata of the flow names the fault, and *Revert* in mitmproxy",
    "brings back the clean one.",
)
"""How the index introduces the samples of faults."""


class _Lines(logging.Handler):
    """Keeps the lines that the addon logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def taken(self) -> list[str]:
        """Return the lines logged since the last call."""
        lines, self.lines = self.lines, []
        return lines


@contextmanager
def _logged() -> Iterator[_Lines]:
    root, logger, handler = logging.getLogger(), logging.getLogger("ltkm_inspect"), _Lines()
    level, others = logger.level, [*root.handlers]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        root.handlers[:] = others  # a proxy for tests leaves one behind that does not outlive its event loop


def printed(octets: bytes) -> list[list[str]]:
    """Return what the addon logs for a flow file: the lines of its start, those of each flow, and those of its end."""
    return asyncio.run(_printed(octets))


async def _printed(octets: bytes) -> list[list[str]]:
    with _logged() as log, taddons.context(LtkmInspect()) as proxy:  # type: ignore[no-untyped-call]
        addons = proxy.master.addons
        addons.trigger(hooks.ConfigureHook(set(proxy.options.keys())))
        await addons.trigger_event(hooks.RunningHook())  # type: ignore[no-untyped-call]
        said = [without_totals(log.taken())]
        for flow in FlowReader(io.BytesIO(octets)).stream():
            for event in eventsequence.iterate(flow):
                await addons.handle_lifecycle(event)
            said.append(log.taken())
        await addons.trigger_event(hooks.DoneHook())  # type: ignore[no-untyped-call]
        return [*said, without_totals(log.taken())]


def text(file: str, octets: bytes, titles: Sequence[tuple[Event, str]]) -> str:
    """Return the expected text of a flow file: what is printed, each flow under a comment that tells what it is."""
    start, *flows, end = printed(octets)
    lines = [f"{COMMENT}what {PROGRAM.format(f'flows/{file}')} prints, without the time of day", *start]
    for number, ((event, title), said) in enumerate(zip(titles, flows, strict=True), 1):
        lines += ["", f"{COMMENT}{number}. {clock(event)} {title}", *said]
    return "\n".join([*lines, "", *end, ""])


def packet_text(file: str, printed: Iterable[str], titles: Mapping[str, str]) -> str:
    """Return the expected text of a packet capture: what `check` prints, each event below its title, if it has one.

    The titles are by the time of the event as it is printed.
    """
    lines = [f"{COMMENT}what {CHECK.format(f'flows/{file}')} prints"]
    for line in without_totals(printed):
        if line.startswith(("#", "summary")) and not lines[-1].startswith("summary"):
            lines.append("")
        if line.startswith("#") and (title := titles.get(line.split()[1])):
            lines.append(f"{COMMENT}{title}")
        lines.append(line)
    return "\n".join([*lines, ""])


def without_totals(printed: Iterable[str]) -> list[str]:
    """Return printed lines without those that count rules, their answers, findings, and exchanges."""
    return [line for line in printed if not TOTALS.match(line)]


def without_comments(expected: str) -> list[str]:
    """Return the lines that are printed, of an expected text."""
    return [line for line in expected.splitlines() if line and not line.startswith(COMMENT)]


def clock(event: Event) -> str:
    """Return the time of day at which the recording has the request or the datagram, UTC."""
    return f"{datetime.fromtimestamp(event.started or 0, UTC):%H:%M:%S}"


def index(files: Mapping[str, Sequence[Sample]], packets: Iterable[PacketSample], faults: Iterable[Faulted]) -> str:
    """Return the page that tells what is in which sample file."""
    lines = [*INTRODUCTION]
    for file, samples in files.items():
        lines += ["", f"## {file}", "", ABOUT[file], "", "| no. | time | what | breaks |", "|---|---|---|---|"]
        for number, sample in enumerate(samples, 1):
            breaks = ", ".join(f"`{rule}`" for rule in sorted(sample.breaks))
            requirement = f" ({sample.requirement})" if sample.requirement else ""
            lines.append(f"| {number} | {clock(sample.exchange)} | {sample.title} | {breaks}{requirement} |")
    lines += ["", f"## {FILE}", "", ABOUT[FILE], "", "| time | what | breaks |", "|---|---|---|"]
    for each in packets:
        breaks = ", ".join(f"`{rule}`" for rule in sorted(each.breaks))
        lines.append(f"| {datetime.fromtimestamp(each.at, UTC):%H:%M:%S} | {each.title} | {breaks} |")
    return "\n".join([*lines, "", *FAULTS, "", *faulted.section(faults), ""])
