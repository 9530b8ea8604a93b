"""What happens in the course of a soak, and when: everything scales with how long it lasts."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak._disk import Disk
from tests.soak._ledger import ASLEEP, KILLED, USUAL, Reported
from tests.soak._proxies import Proxy, Sample
from tests.soak._traffic import Crowd, SoakBsm

MEASURED = 0.25
"""The part of the time after which the measurement begins: until then the session of the proxy becomes full."""
FAULTS = ("shorten-rand", "repeat-ltkm", "drop-rand")
SAMPLES = 400
OLD = 150.0
"""Seconds after which a report file is no longer written to: each is for a minute."""


@dataclass
class Stage:
    """Everything that takes part, and what was measured so far."""

    minutes: float
    start: Callable[[], Proxy]
    """Starts the mitmdump with the addon."""
    bsm: SoakBsm
    crowd: Crowd
    bare: Callable[[float], Sample]
    """Measures the mitmdump without the addon; takes the seconds since the begin."""
    disk: Disk
    say: Callable[[str], None]
    most_flows: int
    keep: Path | None
    """The folder for reports that were read; None if they are not kept."""
    reported: Reported = field(default_factory=Reported)
    proxies: list[Proxy] = field(default_factory=list)
    """Every mitmdump with the addon, the latest last."""
    samples: list[Sample] = field(default_factory=list)
    """What the latest of them took, from MEASURED on."""
    bare_samples: list[Sample] = field(default_factory=list)
    """What the mitmdump without the addon took, at the same moments."""
    began: float = field(default_factory=time.monotonic)
    ended: str = ""
    """Why the soak ended before its time."""
    not_tried: dict[str, str] = field(default_factory=dict)

    @property
    def proxy(self) -> Proxy:
        """The mitmdump with the addon that runs now."""
        return self.proxies[-1]

    @property
    def at(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.began

    @property
    def seconds(self) -> float:
        """How long the soak lasts."""
        return self.minutes * 60

    @property
    def is_whole(self) -> bool:
        """It lasted as long as it was to."""
        return not self.ended or self.crowd.ledger.flows >= self.most_flows

    def begin(self) -> None:
        """Start the proxy with the addon; from now on, the crowd uses it."""
        self.proxies.append(self.start())
        self.crowd.port, self.crowd.udp_port = self.proxy.port, self.proxy.udp_port

    def play(self) -> None:
        """Let everything happen, until the time is over, or enough was sent."""
        course = sorted(self._course(), key=lambda each: each[0])
        next_sample = 0.0
        while self.at < self.seconds and not self.ended:
            while course and self.at >= course[0][0] * self.seconds:
                course.pop(0)[1]()
            if self.at >= max(next_sample, MEASURED * self.seconds):
                next_sample = self.at + self.seconds / SAMPLES
                self.collect(OLD)
                self.samples.append(self.proxy.sample(self.at, self.crowd.ledger.flows))
                self.bare_samples.append(self.bare(self.at))
            time.sleep(min(0.5, self.seconds / SAMPLES))
            self._look()

    def collect(self, age: float = 0.0) -> None:
        """Read the report files that have not been written to for so many seconds, and take them off the disk."""
        for path in sorted(self.disk.folder.glob("*.jsonl")):
            if time.time() - path.stat().st_mtime < age or self.disk.is_filled:
                continue
            self.reported.add(path)
            if self.keep is None:
                path.unlink()
            else:
                self.keep.mkdir(parents=True, exist_ok=True)
                shutil.move(path, self.keep)

    def _look(self) -> None:
        if self.proxy.process.poll() is not None:
            self.ended = f"mitmdump ended by itself with status {self.proxy.process.returncode}"
        elif self.crowd.broken:
            self.ended = f"a sender failed: {self.crowd.broken[0]!r}"
        elif self.crowd.ledger.flows >= self.most_flows:
            self.ended = "enough flows"

    def _course(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """Yield what happens, each with the part of the time after which it does."""
        yield 0.06, self._kill
        yield MEASURED, lambda: self.say("the measurement begins")
        for begin, fault in zip((0.36, 0.48, 0.70), FAULTS, strict=True):
            yield begin, lambda fault=fault: self._fault(fault)  # type: ignore[misc]
            yield begin + 0.04, lambda: self._fault("")
        yield 0.43, self._move_report
        full = min(60 / self.seconds, 0.08)
        yield 0.55, self._fill
        yield 0.55 + full, self._free
        yield 0.65, self._sleep
        yield 0.76, lambda: self._refuse(True)
        yield 0.79, lambda: self._refuse(False)
        yield 0.84, lambda: self._drop(True)
        yield 0.86, lambda: self._drop(False)

    def _kill(self) -> None:
        self.say("SIGKILL, and started again")
        self.crowd.phase = KILLED
        self.proxy.kill()
        self.begin()
        time.sleep(3)  # until everybody has noticed
        self.crowd.phase = USUAL

    def _fault(self, name: str) -> None:
        self.say(f"live faults: {name or 'none'}")
        wrong = self.proxy.keyboard.set(ltkm_fault=[name] if name else [], ltkm_fault_when="probability=0.2,seed=7")
        if wrong:
            self.ended = f"ltkm_fault={name}: {wrong}"

    def _move_report(self) -> None:
        latest = max(self.disk.folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        self.say(f"{latest.name} is moved away")
        latest.rename(latest.with_name(f"moved-{latest.name}"))

    def _fill(self) -> None:
        if self.disk.lacks:
            self.not_tried["full disk"] = self.disk.lacks
            return
        self.say("the disk is full")
        self.disk.fill()

    def _free(self) -> None:
        if not self.disk.lacks:
            self.say("the disk has room again")
            self.disk.free()

    def _sleep(self) -> None:
        seconds = min(30.0, 0.03 * self.seconds)
        self.say(f"the proxy sleeps for {seconds:.0f} seconds")
        self.crowd.phase = ASLEEP
        self.proxy.send(signal.SIGSTOP)
        time.sleep(seconds)
        self.proxy.send(signal.SIGCONT)
        time.sleep(3)
        self.crowd.phase = USUAL

    def _refuse(self, refuses: bool) -> None:
        self.say("the BSM answers 503" if refuses else "the BSM answers again")
        self.bsm.refuses = refuses

    def _drop(self, drops: bool) -> None:
        self.say("the terminals break off each request" if drops else "the terminals wait for answers again")
        self.crowd.drops = drops
