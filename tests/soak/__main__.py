"""Runs real mitmdump for hours and gives a verdict: `python -m tests.soak [--minutes 60] [--rate 40]`.

Terminals, a browser, hostile responses and pushed keys go through one mitmdump with the addon. In the course of it the
proxy is killed and started again, its report is moved away, the disk of its reports is full for a minute, the laptop
sleeps, the BSM answers 503, terminals break off, and now and then faults are put in. In the end each event that was
sent must be in exactly one report file; neither memory nor latency, open files or threads may grow.

Ends with 0 if all verdicts hold, with 1 if one does not, with 130 if it was interrupted. It needs Linux; a full disk
needs root. Everything that it writes is in a temporary folder, which it removes.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.loopback.bsm import ring_text
from tests.soak import _ledger, _verdict
from tests.soak._course import Stage
from tests.soak._disk import Disk
from tests.soak._ledger import ASLEEP, KILLED, Ledger
from tests.soak._probe import ADDON, BARE, Probe
from tests.soak._proxies import Proxy, Sample
from tests.soak._traffic import Crowd, SoakBsm, hostile_pairs
from tests.soak._verdict import Verdict

WORKERS = 8
BARE_PART = 0.3
"""So much of what the mitmdump with the addon gets, the one without gets as well, to compare with."""
DISK = 10
"""So many minutes of report the disk holds."""
OCTETS_OF_RECORD = 25_000
"""So many octets of report an event takes at most."""
ENDS = (0, -signal.SIGSEGV)
"""How mitmdump may end. After UDP it often ends with a segmentation fault, with and without a script, when all is
written: mitmproxy issue 7409."""


def main() -> int:
    """Run it, and print the figures and the verdicts."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Runs real mitmdump for hours.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long [%(default)s]")
    parser.add_argument("--rate", type=float, default=40.0, help="events per second [%(default)s]")
    parser.add_argument("--flows", type=int, default=1_000_000, help="end when so many were sent [%(default)s]")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep reports and logs in this folder")
    parser.add_argument("--core", type=int, help="the only core to use")
    asked = parser.parse_args()
    if not 0.5 <= asked.minutes <= 24 * 60 or not 1 <= asked.rate <= 1000:
        parser.error("expected 0.5 to 1440 minutes and 1 to 1000 events per second")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    try:
        with ExitStack() as stack:
            return soak(asked, stack)
    except KeyboardInterrupt:
        print("interrupted: no verdict", file=sys.stderr)
        return 130


def soak(asked: argparse.Namespace, stack: ExitStack) -> int:
    """Set everything up, let it happen, and judge."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ltkm-soak-")))
    limit = max(20, min(150, int(asked.minutes * 2.5)))
    disk = Disk(folder / "reports", int(DISK * 60 * asked.rate * OCTETS_OF_RECORD))
    stack.callback(disk.close)
    hostile = hostile_pairs(seed=15)
    bsm = stack.enter_context(SoakBsm(hostile))
    ledger = Ledger()
    crowd = Crowd(bsm, ledger, hostile, ADDON, terminals=limit * 6 // 5, rate=asked.rate)
    others = Crowd(bsm, Ledger(first=96), hostile, BARE, terminals=limit * 6 // 5, rate=asked.rate * BARE_PART)
    options = ["stream_large_bodies=1m", "flow_detail=0"]
    bare = Proxy(folder, bsm.port, others.udp_upstream, options, script=False)
    others.port, others.udp_port = bare.port, bare.udp_port
    stack.callback(bare.stop)
    probe = Probe(bsm, (crowd, others))
    ring = folder / "ring.toml"
    ring.touch(0o600)
    ring.write_text(ring_text([*crowd.people, *crowd.pushed, *probe.terminals]))
    options += [f"ltkm_keys={ring}", f"ltkm_session_limit={limit}", f"ltkm_report=+{disk.folder}/%H%M.jsonl"]
    options += ["ltkm_summary_every=1m", "ltkm_metrics=127.0.0.1:0"]
    start = partial(Proxy, folder, bsm.port, crowd.udp_upstream, options, script=True)
    measure = partial(measured, bare, others.ledger)
    stage = Stage(asked.minutes, start, bsm, crowd, measure, disk, said, asked.flows, asked.keep)
    stack.callback(stop_all, stage)
    stage.begin()
    stage.began = time.monotonic()
    crowd.start(WORKERS)
    others.start(WORKERS // 2)
    probe.start()
    said(f"{limit} of each in the session, {len(hostile)} hostile responses, {asked.rate:g} events per second")
    stage.play()
    crowd.stop()
    others.stop()
    probe.stop()
    last = stage.proxy.sample(stage.at, ledger.flows) if stage.proxy.process.poll() is None else None
    status = stage.proxy.stop()
    stage.collect()
    if asked.keep is not None:
        for proxy in (*stage.proxies, bare):
            shutil.copytree(proxy.folder, asked.keep / proxy.folder.name)
    reported = stage.reported
    balance = _ledger.balance(ledger, reported)
    verdicts = [
        Verdict("course", stage.is_whole and status in ENDS, f"{stage.ended or 'all of it'}; exit status {status}"),
        _verdict.memory(stage.samples, stage.bare_samples),
        _verdict.report_lines(balance, reported, kills=len(stage.proxies) - 1),
        _verdict.latency(*(since(stage, probe.latencies[way]) for way in (ADDON, BARE))),
        _verdict.cpu(stage.samples),
        _verdict.handles(stage.samples),
        _verdict.traffic(ledger, (KILLED, ASLEEP), crowd.changed, reported.faulted + reported.missing, crowd.spoiled),
        _verdict.false_alarms(balance, ("session", "push", "foreign"), ledger.failed.total()),
        _verdict.quiet_log([each.output for each in stage.proxies]),
    ]
    verdicts += [Verdict(name, None, f"not tried: {why}") for name, why in stage.not_tried.items()]
    totals = {
        "minutes": stage.at / 60,
        "events sent": ledger.flows,
        "events sent without the addon": others.ledger.flows,
        "of them for reports": balance.sent,
        "of them broken off": balance.unsure,
        "report files": reported.files,
        "report octets": reported.octets,
        "records with faults": reported.faulted,
        "memory when measured first, MB": stage.samples[0].octets / 1e6 if stage.samples else 0,
        "memory at the end, MB": last.octets / 1e6 if last else 0,
        "processor of the last mitmdump, seconds": last.cpu if last else 0,
        "probes": len(probe.latencies[ADDON]),
    }
    for line in table(totals):
        print(line)
    for name, samples in ((ADDON, stage.samples), (BARE, stage.bare_samples)):
        steps = samples[:: max(1, len(samples) // 10)]
        figures = ", ".join(f"{each.flows}: {each.octets / 1e6:.1f}" for each in steps)
        print(f"{name}: memory in MB by events sent: {figures}")
    for name, number in others.ledger.failed.items():
        print(f"without the addon: {number} broke off during {name}")
    for kind, rules in balance.findings.items():
        print(f"findings in {kind} traffic: {', '.join(f'{rule} {n}' for rule, n in rules.most_common(12))}")
    for each in verdicts:
        print(each.line)
    print("verdict: FAILED" if any(each.holds is False for each in verdicts) else "verdict: all hold")
    return int(any(each.holds is False for each in verdicts))


def measured(bare: Proxy, ledger: Ledger, at: float) -> Sample:
    """Return what the mitmdump without the addon takes now."""
    return bare.sample(at, ledger.flows)


def since(stage: Stage, latencies: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return what was measured since the measurement began."""
    return [each for each in latencies if stage.samples and each[0] - stage.began >= stage.samples[0].at]


def stop_all(stage: Stage) -> None:
    """End what was started."""
    for each in stage.proxies:
        if each.process.poll() is None:
            each.send(signal.SIGCONT)
            each.stop()


def table(figures: dict[str, float]) -> Iterator[str]:
    """Yield one line per figure."""
    for name, value in figures.items():
        yield f"{name:<45}{value:>15,.{0 if isinstance(value, int) else 1}f}"


def said(text: str) -> None:
    """Print what happens, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
