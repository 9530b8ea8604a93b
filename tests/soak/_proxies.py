"""The mitmdumps of the soak: what each takes of the machine, killed, started again, with options changed."""

import os
import re
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ltkm_inspect.pytest.running import SteeringWheel
from tests.bench.bench_proxy import Quiet, cpu_seconds

UDP = re.compile(r"reverse proxy to udp://\S+ listening at 127\.0\.0\.1:(\d+)")
HTTP = re.compile(r"reverse proxy to http://\S+ listening at 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process takes at one moment."""

    at: float
    """Seconds since the soak began."""
    flows: int
    """How much had been sent then."""
    octets: int
    """Of memory that is resident."""
    cpu: float
    """Seconds of a core so far."""
    files: int
    """Open files that are no sockets."""
    sockets: int
    threads: int
    """Without those of mitmproxy's UDP, which come and go."""


class Proxy:
    """One mitmdump with the addon, or one without."""

    def __init__(self, folder: Path, upstream: int, udp_upstream: str, options: Sequence[str], *, script: bool) -> None:
        """Start it in a new folder below that one, and wait until it listens."""
        self.folder = Path(tempfile.mkdtemp(dir=folder, prefix="addon-" if script else "bare-"))
        self.keyboard = SteeringWheel()
        typed = [word for each in options for word in ("--set", each)]
        udp = ["--mode", f"reverse:udp://{udp_upstream}@127.0.0.1:0"]
        name = "addon" if script else "no script"
        self._quiet = Quiet(self.folder, name, upstream, *udp, *typed, wheel=self.keyboard)
        self.process = self._quiet.process
        try:
            self.keyboard.set()  # answered when it listens in all of its modes
            self.port, self.udp_port = self._port(HTTP), self._port(UDP)
        except BaseException as error:
            self._quiet.stop()
            if isinstance(error, OSError):
                raise RuntimeError(f"mitmdump did not start: {self.output[-2000:]}") from error
            raise

    def _port(self, listening: re.Pattern[str]) -> int:
        found = listening.search(self._quiet.output.read_text())
        assert found is not None, self._quiet.output.read_text()
        return int(found[1])

    @property
    def log(self) -> list[str]:
        """Its log lines so far, without their time."""
        return self._quiet.log

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return self._quiet.output.read_text("utf-8", "replace")

    def sample(self, at: float, flows: int) -> Sample:
        """Return what it takes now; OSError if it has ended."""
        root = Path("/proc", str(self.process.pid))
        status = dict(line.split(":", 1) for line in (root / "status").read_text().splitlines())
        threads = [(each / "comm").read_text() for each in (root / "task").iterdir()]
        links = [os.readlink(each) for each in [*(root / "fd").iterdir()] if each.is_symlink()]
        sockets = sum(link.startswith("socket:") for link in links)
        octets = int(status["VmRSS"].split()[0]) * 1024
        cpu = cpu_seconds(self.process.pid)
        own = sum(not name.startswith("tokio") for name in threads)
        return Sample(at, flows, octets, cpu, len(links) - sockets, sockets, own)

    def send(self, signal: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(signal)

    def kill(self) -> None:
        """End it without a chance to write anything."""
        self.process.kill()
        self.process.wait()
        self.keyboard.close()

    def stop(self) -> int:
        """End it as a user would; return its exit status."""
        self._quiet.stop()
        self.keyboard.close()
        return self.process.returncode
