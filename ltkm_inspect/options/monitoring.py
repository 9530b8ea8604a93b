"""The options on a running proxy: where it inspects, how long a response waits, how often it reports, its metrics."""

import os
import re
import sys
from importlib.util import find_spec
from typing import NamedTuple

from ltkm_inspect.options.table import AUTO, INLINE, INSPECTOR, NEVER, PROCESS
from ltkm_inspect.options.words import OptionError, one_of
from ltkm_inspect.wire import printable

LOOPBACK = "127.0.0.1"
"""Where metrics are served if only a port is typed."""
MOST_HOURS = 168
"""The longest time between two heartbeats: a week."""
_INTERVAL = re.compile(r"([0-9]{1,7})\s*([smh]?)", re.ASCII | re.IGNORECASE)
LONGEST_DEADLINE = 60
"""The longest time in seconds that a response waits for its inspection."""
_TIME = re.compile(r"([0-9]{1,5})\s*(ms|s?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9.-]*)):)?([0-9]{1,5})", re.ASCII)


class MetricsAddress(NamedTuple):
    """Where metrics are served."""

    host: str
    port: int
    """0 for any free port."""

    def __str__(self) -> str:
        """Return it as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_interval(option: str, text: str) -> int | None:
    """Parse `30s`, `10m`, `1h` or a number of seconds as seconds, and `never` as None; OptionError otherwise."""
    typed = text.strip().lower()
    if typed == NEVER:
        return None
    found = _INTERVAL.fullmatch(typed)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= MOST_HOURS * 3600:
        expected = f"an interval from 1s to {MOST_HOURS}h, like 30s, 10m or 1h, or {NEVER}"
        raise OptionError(option, f"expected {expected}, got {printable(text) or 'nothing'}")
    return seconds


def parse_deadline(text: str) -> float | None:
    """Parse `250ms`, `2s` or a number of seconds as seconds, and `never` as None; OptionError otherwise."""
    typed = text.strip().lower()
    if typed == NEVER:
        return None
    found = _TIME.fullmatch(typed)
    seconds = int(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
    if not 0.001 <= seconds <= LONGEST_DEADLINE:
        expected = f"a time from 1ms to {LONGEST_DEADLINE}s, like 250ms or 2s, or {NEVER}"
        raise OptionError("deadline", f"expected {expected}, got {printable(text) or 'nothing'}")
    return seconds


def chosen_inspector(typed: str) -> str:
    """Return where live events are inspected: `process` or `inline`, or `auto` where a process works."""
    one_of("inspector", typed, INSPECTOR)
    if getattr(sys, "frozen", False):  # a program with Python in it, which starts no other module
        if typed == PROCESS:
            raise OptionError(
                "inspector", "the standalone programs of mitmproxy can start no process; use auto or inline"
            )
        return INLINE
    return INLINE if typed == AUTO and _cores() < 2 else typed


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_metrics(text: str) -> MetricsAddress | None:
    """Parse `[ADDRESS:]PORT`, where no address means the loopback, and nothing as None; OptionError otherwise."""
    typed = text.strip()
    if not typed:
        return None
    found = _ADDRESS.fullmatch(typed)
    if not found or int(found[3]) > 65535:
        expected = f"a port from 0 to 65535, or ADDRESS:PORT like {LOOPBACK}:9469"
        raise OptionError("metrics", f"expected {expected}, got {printable(text)}")
    if find_spec("prometheus_client") is None:
        name = "prometheus-client"
        ways = f"{sys.executable} -m pip install {name} (pipx: pipx inject mitmproxy {name}; "
        ways += f"uv: uv tool install --with {name} mitmproxy)"
        raise OptionError("metrics", f"the Python package {name} is missing; install it with: {ways}")
    return MetricsAddress(found[1] or found[2] or LOOPBACK, int(found[3]))
