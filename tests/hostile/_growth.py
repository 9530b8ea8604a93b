"""What a form costs: as it grows, in the command line and in the hooks of the addon."""

import asyncio
import gc
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import process_time

from mitmproxy import http
from mitmproxy.eventsequence import iterate
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import taddons

from ltkm_inspect import cli, reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.traffic import Exchange
from tests.hostile._apart import Done, apart, go_first
from tests.hostile._form import Form, octets_of

KIBI = 1 << 10
SIZES = (15 * KIBI, 60 * KIBI, 240 * KIBI, 960 * KIBI)
"""Octets of an exchange, each four times the one before; the largest are within the limit of 1 MiB beside traffic."""
FACTOR = 4
CLIMB = 2.0
"""Seconds of a processor: a form that took more is not made larger still."""
LONGEST = 10
"""Seconds of a processor after which a run is ended."""
NOTHING = 0.05
"""Seconds: what is less than that at the largest size costs too little to tell how it grows."""
LITTLE = 0.25
"""What is less than that part of what a small exchange takes is too little, too: so much it differs by chance."""
ROUNDS = 3
"""How often what looks too dear is measured; the least counts, because a shared machine only adds."""

STEEP = 1.5
"""An exponent that no noise makes of a linear one."""

LARGEST_EXPONENT = 1.2
LONGEST_SLICE = 0.05
TICK = 0.001
"""Seconds after which the event loop has something else to do."""
MOST_DELAY = 0.1
"""Seconds of the clock that somebody innocent waits longer than without the addon: a record of 11 MB is written."""
MOST_MEMORY = 400.0
MOST_WRITTEN = 25.0
"""Octets in a report for each octet of the event."""
LEAST_WRITTEN = 1 << 16
"""So many octets may be written of any event: the outcome of each rule, and the beginnings of its bodies."""


@dataclass
class Cost:
    """What a form came to in one way of looking at it."""

    exponent: float = math.nan
    """Of the growth of processor time; NaN where it costs next to nothing."""
    seconds: float = 0.0
    """At the largest size that was tried."""
    octets: int = 0
    """The largest size that was tried."""
    peak: float = 0.0
    """MB."""
    slice: float = 0.0
    """Seconds of a processor for which the event loop was held at most; 0 in the command line."""
    delay: float = 0.0
    """Seconds for which somebody innocent waited longer than without the addon."""
    written: float = 0.0
    """Octets written for an octet of the event, at the largest size."""
    error: str = ""
    wrong: list[str] = field(default_factory=list)
    """The bounds that it is above."""


@dataclass
class Taken:
    """What one run took and wrote."""

    seconds: float
    slice: float = 0.0
    written: int = 0


class Ways:
    """The ways in which a form is looked at, each with files of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        """Write a key ring; the folder must be there."""
        self.folder = folder
        self.ring = folder / "keys.toml"
        one = reference.TERMINAL
        self.ring.write_text(
            f'[[subscribers]]\nb_tid = "{one.b_tid}"\nnaf = "{reference.BSM}"\nmuk = "{one.muk.hex()}"\n'
            f'mrk = "{one.mrk.hex()}"\n'
        )
        os.chmod(self.ring, 0o600)

    def check(self, path: Path) -> Taken:
        """Check a flow file as the command does, with everything on: keys, redaction, and a report in each format."""
        reports = [self.folder / f"report.{name}" for name in ("jsonl", "xml", "sarif", "html")]
        formats = ("jsonl", "junit", "sarif", "html")
        typed = [f"--report={name}={report}" for name, report in zip(formats, reports, strict=True)]
        return self.run(["check", "--jobs", "1", "--redact", "--keys", str(self.ring), *typed, str(path)], reports[0])

    def check_plainly(self, path: Path) -> Taken:
        """Check a flow file with nothing on but the records."""
        return self.run(["check", "--jobs", "1", "--format", "jsonl", str(path)])

    def run(self, arguments: list[str], report: Path | None = None) -> Taken:
        """Run a command here, with what it prints in a file; its result must be an exit code of the table."""
        out = self.folder / "out"
        with _output_in(out):
            typed, sys.argv = sys.argv, ["ltkm-inspect", *arguments]
            begin = process_time()
            try:
                cli.main()
            except SystemExit as end:
                code = end.code
            finally:
                sys.argv = typed
            taken = process_time() - begin
        if code not in (0, 3, 5):
            raise ValueError(f"expected exit code 0, 3 or 5, got {code}: {out.read_text('utf-8', 'replace')[-300:]}")
        return Taken(taken, written=(report or out).stat().st_size)

    def hook(self, flow: http.HTTPFlow, *, redact: bool = False) -> Taken:
        """Let the hooks of the addon see a flow in an event loop, and see how long they hold it."""
        root = logging.getLogger()
        former, root.handlers, root.level = root.handlers, [], logging.INFO  # a master leaves its handlers behind
        try:
            return asyncio.run(self._hook(flow, redact))
        finally:
            root.handlers = former

    async def _hook(self, flow: http.HTTPFlow, redact: bool) -> Taken:
        report = self.folder / "live.jsonl"
        lines = _Lines()
        logging.getLogger().addHandler(lines)
        addon = LtkmInspect()
        with taddons.context() as context:  # type: ignore[no-untyped-call]
            addons = context.master.addons
            addons.add(addon)
            wanted = {"ltkm_report": [f"jsonl={report}"], "ltkm_keys": str(self.ring), "ltkm_redact": redact}
            context.configure(addon, **wanted)
            addon.running()
            for event in iterate(flow_of(reference.reference("several-keys")[0])):
                await addons.handle_lifecycle(event)
            before, lines.octets = report.stat().st_size, 0
            gc.collect()
            ticker = _Ticker()
            task = asyncio.create_task(ticker.run())
            await asyncio.sleep(0)
            begin = process_time()
            for event in iterate(flow):
                await addons.handle_lifecycle(event)
            taken = process_time() - begin
            await asyncio.sleep(0)
            ticker.stop = True
            await task
            written = report.stat().st_size - before + lines.octets + len(flow.comment.encode("utf-8", "replace"))
            addon.done()
        return Taken(taken, ticker.longest, written)


class _Lines(logging.Handler):
    """Counts what is logged."""

    octets = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.octets += len(record.getMessage().encode("utf-8", "replace"))


class _Ticker:
    """Takes a turn of the event loop every TICK, and sees how much of the processor was taken between two.

    A ticker without pauses would hold up the thread that works, as nothing in a proxy does.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.stop = False

    async def run(self) -> None:
        last = process_time()
        while not self.stop:
            await asyncio.sleep(TICK)
            now = process_time()
            self.longest = max(self.longest, now - last)
            last = now


@contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """Let standard output and error of this process go into a file; what they were before comes back."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, former in zip((1, 2), kept, strict=True):
            os.dup2(former, number)
            os.close(former)


def write(form: Form, octets: int, path: Path) -> int:
    """Write a form of about that many octets into a flow file; return how many it has."""
    exchange = form.of_size(octets)
    save(exchange, path)
    return octets_of(exchange)


def save(exchange: Exchange, path: Path) -> None:
    """Write an exchange into a flow file."""
    with path.open("wb") as file:
        FlowWriter(file).add(flow_of(exchange))  # type: ignore[no-untyped-call]


type Look = Callable[[Form, int], tuple[int, Done]]
"""Look at a form of about that many octets; return how many it has, and what that took."""


def offline(ways: Ways, form: Form, octets: int) -> tuple[int, Done]:
    """Look at a form with the command line."""
    path = ways.folder / "hostile.flow"
    made = apart(partial(write, form, octets, path), 4 * LONGEST)
    if made.error:
        return 0, made
    return made.value, apart(partial(ways.check, path), LONGEST)


def live(ways: Ways, form: Form, octets: int) -> tuple[int, Done]:
    """Look at a form with the hooks; it is made elsewhere, which may take more memory than to look at it."""
    path = ways.folder / "hostile.flow"
    made = apart(partial(write, form, octets, path), 4 * LONGEST)
    if made.error:
        return 0, made

    def work() -> Taken:
        go_first()
        with path.open("rb") as file:
            (flow,) = FlowReader(file).stream()
        assert isinstance(flow, http.HTTPFlow)
        return ways.hook(flow, redact=True)

    return made.value, apart(work, LONGEST)


def cost(look: Look, form: Form, base: float, sizes: Sequence[int] = SIZES) -> Cost:
    """Let a form grow until it is large, or dear; `base` is what a small exchange takes, in seconds."""
    found = Cost()
    runs: list[tuple[int, int, Done]] = []
    for wanted in sizes:
        octets, done = look(form, wanted)
        found.peak = max(found.peak, done.peak)
        if done.error:
            found.error, found.octets, found.seconds = done.error.strip().splitlines()[-1], octets, done.seconds
            break
        runs.append((wanted, octets, done))
        if done.value.seconds > CLIMB or _is_steep(runs, base):
            break
    if runs:
        _, octets, done = runs[-1]
        taken = done.value
        if not found.error:
            found.octets, found.seconds = octets, taken.seconds
        found.slice, found.written = max(run[2].value.slice for run in runs), taken.written / max(octets, 1)
    if len(runs) > 1:
        found.exponent = _exponent(look, form, base, runs[-2:])
    if LONGEST_SLICE < found.slice < CLIMB:
        again = [look(form, runs[-1][0])[1] for _ in range(ROUNDS - 1)]
        found.slice = min([found.slice, *(each.value.slice for each in again if not each.error)])
    found.wrong = above(found)
    return found


def _is_steep(runs: list[tuple[int, int, Done]], base: float) -> bool:
    """Tell whether the last two runs leave no doubt about how a form grows: then it need not be larger."""
    if len(runs) < 2 or runs[-1][2].value.seconds - base < 10 * NOTHING:
        return False
    (_, few, first), (_, more, second) = runs[-2:]
    return bool(second.value.seconds - base > (more / few) ** STEEP * (first.value.seconds - base))


def _exponent(look: Look, form: Form, base: float, runs: list[tuple[int, int, Done]]) -> float:
    (small, few, first), (large, more, second) = runs
    if more < 1.5 * few:
        return math.nan  # it does not grow
    least = [first.value.seconds, second.value.seconds]
    for _ in range(ROUNDS):
        if least[1] < base + max(NOTHING, LITTLE * base):
            return math.nan
        found = math.log(max(least[1] - base, 1e-4) / max(least[0] - base, 1e-4)) / math.log(more / few)
        if found <= LARGEST_EXPONENT or least[1] > CLIMB:
            break
        for at, wanted in enumerate((small, large)):
            _, done = look(form, wanted)
            if not done.error:
                least[at] = min(least[at], done.value.seconds)
    return found


def above(found: Cost) -> list[str]:
    """Return which bounds a form is above."""
    wrong = []
    if found.error:
        wrong.append(found.error)
    if found.exponent > LARGEST_EXPONENT:
        wrong.append(f"exponent {found.exponent:.2f}")
    if found.slice > LONGEST_SLICE:
        wrong.append(f"holds the loop for {found.slice * 1000:.0f} ms")
    if found.delay > MOST_DELAY:
        wrong.append(f"somebody innocent waits {found.delay * 1000:.0f} ms")
    if found.peak > MOST_MEMORY:
        wrong.append(f"{found.peak:.0f} MB")
    if found.written > MOST_WRITTEN and found.written * found.octets > LEAST_WRITTEN:
        wrong.append(f"writes {found.written:.0f} times its size")
    return wrong


def warm_up(ways: Ways) -> tuple[float, float]:
    """Import and compile what every run needs, here; return what a clean exchange takes offline and live."""
    exchange = reference.reference("download")[0]
    path = ways.folder / "clean.flow"
    save(exchange, path)
    ways.check(path)
    ways.check_plainly(path)
    ways.hook(flow_of(exchange))
    gc.freeze()
    base = min(apart(partial(ways.check, path), LONGEST).value.seconds for _ in range(5))
    hook = min(apart(partial(ways.hook, flow_of(exchange)), LONGEST).value.seconds for _ in range(5))
    return base, hook
