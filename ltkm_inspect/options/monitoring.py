"""The options on watching a running proxy: how often it reports, and where it serves its metrics."""

import re
import sys
from importlib.util import find_spec
from typing import NamedTuple

from ltkm_inspect.options.table import NEVER
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.wire import printable

LOOPBACK = "127.0.0.1"
"""Where metrics are served if only a port is typed."""
MOST_HOURS = 168
"""The longest time between two heartbeats: a week."""
_INTERVAL = re.compile(r"([0-9]{1,7})\s*([smh]?)", re.ASCII | re.IGNORECASE)
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
