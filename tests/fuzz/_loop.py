"""Runs the targets: inputs that can be made again from seed, target and number, with a bound on the time of each."""

import gc
import math
import re
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter, process_time

from tests.fuzz._inputs import changed, grown
from tests.fuzz._target import Target

LONGEST = 10.0
"""Seconds of a processor for one input; what takes longer counts as hanging."""
PROBE_EVERY = 25
"""One input in so many is made larger, to see how the cost grows."""
PROBE = 4096
"""Octets that a probe is larger by at first; then four times as many."""
LARGEST_EXPONENT = 1.2
TELLING = 0.2
"""Seconds: a probe that takes less at its largest tells nothing about how the cost grows."""
ROUNDS = 3
"""How often a probe is measured that looks too dear; the least counts."""
_VALUES = re.compile(r"\d+")
"""What differs between two errors of one kind."""
MOST_CRASHES = 20
"""How many different crashes of one target are kept."""


class Hang(BaseException):
    """Raised in the middle of an input that takes too long; nothing that handles exceptions takes it for its own."""


@dataclass
class Crash:
    """An input for which something went wrong."""

    target: str
    error: str
    """One line: what was raised, and where."""
    octets: bytes
    details: str
    again: int = 0
    """How many more inputs went wrong in the same way."""

    @property
    def name(self) -> str:
        """The name of the file that holds the input."""
        return f"{self.target.replace(' ', '-').lower()}-{sha256(self.octets).hexdigest()[:12]}"


@dataclass
class Tally:
    """What became of the inputs of a target."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    """Seconds for one input."""
    probes: int = 0
    exponent: float = math.nan
    """The largest growth that a probe told."""
    crashes: dict[str, Crash] = field(default_factory=dict)
    """By what was raised and where."""


def run(
    targets: Sequence[Target], seed: str, *, seconds: float = 0.0, rounds: int = 0, told: Callable[[Crash], None]
) -> dict[str, Tally]:
    """Run the targets for so many seconds, or each for so many inputs times its weight; return tallies.

    `told` is called with each new kind of crash. With `rounds` nothing depends on the machine: no probe is judged.
    """
    tallies = {target.name: Tally() for target in targets}
    if rounds:
        for target in targets:
            for number in range(rounds * target.weight):
                _take(target, tallies[target.name], seed, number, told)
        return tallies
    end = perf_counter() + seconds
    while perf_counter() < end:
        target = min(targets, key=lambda each: tallies[each.name].seconds)
        tally = tallies[target.name]
        _take(target, tally, seed, tally.inputs, told)
        if tally.inputs % PROBE_EVERY == 0 and target.make is None:
            _probe(target, tally, seed, told)
        if tally.inputs % 1000 == 0:
            gc.collect()
    return tallies


def input_of(target: Target, seed: str, number: int) -> bytes:
    """Return the input of a target with that number."""
    random = Random(f"{seed} {target.name} {number}")
    if target.make is not None:
        return target.make(random)
    samples = target.samples()
    if number < len(samples):
        return samples[number]
    return changed(random, random.choice(samples), samples, target.tokens)


def failure(target: Target, octets: bytes) -> Crash | None:
    """Let a target take an input; return what went wrong, None where nothing did."""
    try:
        with bounded(LONGEST):
            target.look(octets)
    except (Exception, Hang) as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "ltkm_inspect" in frame.filename] or frames
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Crash(target.name, f"{what[:400]} at {where}", octets, traceback.format_exc())
    return None


def _take(target: Target, tally: Tally, seed: str, number: int, told: Callable[[Crash], None]) -> None:
    octets = input_of(target, seed, number)
    begin = process_time()
    crash = failure(target, octets)
    taken = process_time() - begin
    tally.inputs += 1
    tally.seconds += taken
    tally.slowest = max(tally.slowest, taken)
    if crash is not None:
        _keep(crash, tally, told)


def _keep(crash: Crash, tally: Tally, told: Callable[[Crash], None]) -> None:
    kind = _VALUES.sub("", crash.error.partition(", got ")[0].partition(": '")[0])
    if kind in tally.crashes:
        tally.crashes[kind].again += 1
    elif len(tally.crashes) < MOST_CRASHES:
        tally.crashes[kind] = crash
        told(crash)


def _probe(target: Target, tally: Tally, seed: str, told: Callable[[Crash], None]) -> None:
    """Let an input grow by four, and see how much more it costs."""
    random = Random(f"{seed} {target.name} probe {tally.probes}")
    less, more = grown(random, random.choice(target.samples()), PROBE)
    tally.probes += 1
    begin = process_time()
    try:
        found = growth(target, less, more)
    except (Exception, Hang):
        for octets in (less, more):
            crash = failure(target, octets)
            if crash is not None:
                _keep(crash, tally, told)
                break
        found = math.nan
    tally.seconds += process_time() - begin
    if not math.isnan(found):
        tally.exponent = found if math.isnan(tally.exponent) else max(tally.exponent, found)
    if found > LARGEST_EXPONENT:
        _keep(Crash(target.name, f"cost grows with exponent {found:.2f}", more, "a probe"), tally, told)


def growth(target: Target, less: bytes, more: bytes) -> float:
    """Return the exponent by which cost grows from one input to a larger one; NaN where it costs too little to tell."""
    least = [math.inf, math.inf]
    base = math.inf
    for _ in range(ROUNDS):
        base = min(base, seconds(target, less[:64]))
        for at, octets in enumerate((less, more)):
            least[at] = min(least[at], seconds(target, octets))
        if least[1] - base < TELLING:
            return math.nan
        found = math.log((least[1] - base) / max(least[0] - base, 1e-4)) / math.log(len(more) / len(less))
        if found <= LARGEST_EXPONENT:
            break
    return found


def seconds(target: Target, octets: bytes) -> float:
    """Return how long a target takes for an input."""
    begin = process_time()
    with bounded(3 * LONGEST):
        target.look(octets)
    return process_time() - begin


@contextmanager
def bounded(limit: float) -> Iterator[None]:
    """Raise Hang where what is done inside takes more seconds of a processor, on systems that can tell."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise Hang(f"more than {limit:.0f} s")

    former = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)
