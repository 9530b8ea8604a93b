"""What was measured, as figures and as verdicts."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from tests.soak._ledger import Balance, Ledger, Reported
from tests.soak._proxies import Sample

SLOPE = 100_000.0
"""Octets of memory that a thousand flows may leave behind, beyond what they leave behind without the addon."""
FLOWS = 10_000
"""So many flows must be measured to say whether something grows."""
DRIFT = 0.25
"""By what part of itself a median may rise from the first tenth to the last."""
PROBES = 30
"""So many probes must be in a tenth for its median to mean anything."""
CRASHES = ("Traceback (most recent call last)", " failed: ", "could not be handled", "Addon error", "rule-crashed")
"""What a log line has if something of ours went wrong."""
SPARE_FILES, SPARE_THREADS = 2, 4
"""How many more there may be: the current report file; the threads that look at large bodies."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that had to hold."""

    name: str
    holds: bool | None
    """None where it could not be found out."""
    says: str

    @property
    def line(self) -> str:
        """The verdict as a line to read."""
        word = {True: "ok", False: "FAILED", None: "unknown"}[self.holds]
        return f"verdict: {self.name}: {word}: {self.says}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between any two points (Theil and Sen), which few bad points hardly change."""
    found = [(two[1] - one[1]) / (two[0] - one[0]) for one, two in combinations(points, 2) if one[0] != two[0]]
    return median(found) if found else math.nan


def tenths[T](values: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return the first and the last tenth of a sequence."""
    size = max(1, len(values) // 10)
    return values[:size], values[-size:]


def memory(addon: Sequence[Sample], bare: Sequence[Sample]) -> Verdict:
    """Tell whether memory grows more with what is sent than that of a mitmdump without the addon.

    Judged is the second half: until then the session may become full. mitmproxy itself keeps some octets of each flow.
    """
    halves = [samples[len(samples) // 2 :] for samples in (addon, bare)]
    flows = [_flows(half) for half in halves]
    found, usual = (slope([(each.flows / 1000, float(each.octets)) for each in half]) for half in halves)
    says = f"{found:,.0f} octets per 1000 flows over the last {flows[0]:,} flows; without the addon {usual:,.0f} "
    says += f"over {flows[1]:,}; at most {SLOPE:,.0f} more"
    return Verdict("memory slope", None if min(flows) < FLOWS else found - max(0.0, usual) <= SLOPE, says)


def report_lines(balance: Balance, reported: Reported, kills: int = 0) -> Verdict:
    """Tell whether each event is in exactly one report; each kill may have torn a line."""
    unaccounted = balance.lost - reported.missing
    wrong = [
        f"{number:,} {what}"
        for number, what in (
            (max(0, unaccounted), "lost and not told missing"),
            (reported.repeated, "twice"),
            (balance.surplus, "never sent"),
            (max(0, reported.torn - kills), "lines torn"),
            (len(reported.damaged), f"files damaged ({'; '.join(reported.damaged[:3])})"),
        )
        if number
    ]
    told = f"{balance.lost:,} of {balance.sent:,} not reported, {reported.missing:,} told missing"
    return Verdict("report lines", not wrong, f"{told}; {', '.join(wrong) or 'none lost without a word, none twice'}")


def latency(addon: Sequence[tuple[float, float]], bare: Sequence[tuple[float, float]]) -> Verdict:
    """Tell whether responses come later and later, compared with a proxy without the addon."""
    (first, last), (bare_first, bare_last) = (
        [median([1e3 * seconds for _, seconds in part] or [math.nan]) for part in tenths(each)]
        for each in (addon, bare)
    )
    drift = (last - bare_last) - (first - bare_first)
    is_enough = len(addon) >= 10 * PROBES
    says = f"median {first:.2f} ms, then {last:.2f} ms; without the addon {bare_first:.2f} ms, then {bare_last:.2f} ms"
    return Verdict("latency drift", drift <= DRIFT * first if is_enough else None, f"{says}: {drift:+.2f} ms")


def cpu(samples: Sequence[Sample]) -> Verdict:
    """Tell whether a flow takes more and more of the processor."""
    if len(samples) < 40:
        return Verdict("processor", None, "too few samples")
    first, last = (
        1e3 * (part[-1].cpu - part[0].cpu) / max(1, part[-1].flows - part[0].flows) for part in tenths(samples)
    )
    holds = last <= (1 + DRIFT) * first if _flows(samples) >= FLOWS else None
    return Verdict("processor", holds, f"{first:.2f} ms per flow, then {last:.2f} ms")


def handles(samples: Sequence[Sample]) -> Verdict:
    """Tell whether open files, sockets and threads become more."""
    if not samples:
        return Verdict("open files and threads", None, "nothing was measured")
    third = max(1, len(samples) // 3)
    counts = {
        name: [median(getattr(each, name) for each in part) for part in (samples[:third], samples[-third:])]
        for name in ("files", "sockets", "threads")
    }
    says = ", ".join(f"{name} {first:g}, then {last:g}" for name, (first, last) in counts.items())
    spare = {"files": SPARE_FILES, "sockets": counts["sockets"][0] / 4 + 5, "threads": SPARE_THREADS}
    holds = all(b <= a + spare[name] for name, (a, b) in counts.items()) if _flows(samples) >= FLOWS else None
    return Verdict("open files and threads", holds, says)


def _flows(samples: Sequence[Sample]) -> int:
    return samples[-1].flows - samples[0].flows if samples else 0


def traffic(ledger: Ledger, allowed: Sequence[str], changed: int, faulted: int, spoiled: int) -> Verdict:
    """Tell whether everything got through, and nothing was changed but by faults."""
    failed = {phase: number for phase, number in ledger.failed.items() if not any(each in phase for each in allowed)}
    broken = ", ".join(f"{number:,} broke off during {phase}" for phase, number in failed.items())
    says = f"{changed:,} responses with keys changed, {faulted:,} reported with faults or missing"
    says += f"; {spoiled:,} others changed"
    holds = not failed and not spoiled and changed <= faulted
    return Verdict("traffic", holds, f"{says}{'; ' + broken if broken else ''}")


def false_alarms(balance: Balance, kinds: Sequence[str], broken_off: int) -> Verdict:
    """Tell whether something was found where nothing was wrong; a push that broke off may have no answer."""
    found = sum((balance.findings.get(kind, Counter[str]()) for kind in kinds), Counter[str]())
    says = ", ".join(f"{rule} {number:,}" for rule, number in found.most_common(5))
    unanswered = found.pop("push-unanswered", 0)
    return Verdict("findings in clean traffic", not found and unanswered <= broken_off, says or "none")


def quiet_log(logs: Sequence[str]) -> Verdict:
    """Tell whether the log of a proxy has a traceback, or a crash of ours."""
    bad = [line for log in logs for line in log.splitlines() if any(word in line for word in CRASHES)]
    return Verdict("log", not bad, f"{len(bad)} lines of crashes{': ' + bad[0][:160] if bad else ''}")
