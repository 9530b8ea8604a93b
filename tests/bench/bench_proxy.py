"""What the addon costs real mitmdump: requests a second, median latency at 100 a second, and CPU, with and without it.

`python -m tests.bench proxy`. Three mitmdumps take turns, round by round: without a script, with a hook that does
nothing, and with the addon; each on foreign and on MSK responses. mitmdump has one core to itself where there are two;
the inspector process of the addon may use both. Last comes what the proxy itself does for a response, part by part.
"""

import asyncio
import hashlib
import math
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from mitmproxy import http

from ltkm_inspect import reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.pytest.running import LISTENING, SteeringWheel
from ltkm_inspect.reference import FIRST, SECOND
from ltkm_inspect.traffic import Exchange, Headers, Request, Response
from tests.bench import _parts
from tests.bench._load import Measured, Pair, press, serve
from tests.loopback.proxy import reverse
from tests.loopback.scenes import person
from tests.loopback.wire import request_octets, response_octets
from tests.proxy.parts import PATIENCE, Mitmdump, Run

ROUNDS = 5
SECONDS = 1.0
"""How long one turn takes."""
CLIENTS = 16
"""How many terminals ask at the same time where requests a second are counted."""
EVERY = 0.01
"""Seconds between two requests where latency is measured, of one terminal alone."""
FLOWS = 1000
"""For how many responses the parts are measured."""
MOST = 1600.0
"""More requests a second than mitmdump can manage: so many exchanges are made for a turn."""

HOOK = "def response(flow):\n    pass\n"
SCRIPTS = ("no script", "empty hook", "addon")
LTKMS = {"one LTKM": 1, "two LTKMs": 2}
"""How many LTKMs are in each response, by kind of traffic."""
TRAFFIC = ("foreign", *LTKMS)

AT_LEAST = {f"{traffic}: addon / no script, requests a second": 0.75 for traffic in LTKMS}
AT_LEAST["foreign: addon / no script, requests a second"] = 0.97
AT_MOST = {f"{traffic}: addon - no script, median ms": 0.8 for traffic in LTKMS}


def labelled(exchange: Exchange, label: int) -> Pair:
    """Return an exchange as octets, the request with a label that says which response it wants."""
    assert exchange.response is not None
    headers = exchange.request.headers.put("X-Label", str(label))
    request = replace(exchange.request, headers=headers)
    return Pair(request_octets(request), response_octets(exchange.response))


def msk(number: int, turn: int, keys: int = 2) -> Exchange:
    """Return the exchange of a terminal in a turn: the next MSKs, its counters and its nonce count going on."""
    grants = [
        replace(
            grant, msk_id=grant.msk_id[:2] + n.to_bytes(2), counter=n, csb_id=(number << 20) + n, rand=n.to_bytes(16)
        )
        for n, grant in enumerate((FIRST, SECOND)[:keys], keys * turn + 1)
    ]
    whose = person(f"{40000 + number}")
    items = [(grant, "200 OK", reference.ltkm(grant, whose)) for grant in grants]
    nonce = hashlib.sha256(whose.mrk).hexdigest()[:32]
    return reference.exchange([grant.msk_id for grant in grants], items, terminal=whose, nonce=nonce, nc=turn + 1)


def foreign() -> Exchange:
    """Return an ordinary page of the size of an MSK response."""
    fields = [("Host", "example.com"), ("User-Agent", "browser/1.0"), ("Accept", "*/*"), ("Cookie", "a=b; c=d")]
    asked = Headers(tuple((name.encode(), value.encode()) for name, value in fields))
    body = b"<p>page</p>" * 120
    fields = [("Content-Type", "text/html; charset=utf-8"), ("Server", "httpd"), ("Content-Length", str(len(body)))]
    answered = Headers(tuple((name.encode(), value.encode()) for name, value in fields))
    request = Request("GET", "http", "example.com", 80, "/search?q=a%20b&lang=en", headers=asked, body=b"")
    return Exchange(request, Response(200, "OK", headers=answered, body=body))


class Supply:
    """Exchanges for every turn, made before the clock runs; each mitmdump gets every one of them once."""

    def __init__(self, turns: int) -> None:
        self.page = labelled(foreign(), 0)
        counts = [int((turns + 1) * MOST * SECONDS / CLIENTS)] * CLIENTS
        counts.append(int((turns + 1) * 2 * SECONDS / EVERY))  # of the one that is alone
        self.clients = {
            traffic: [
                [labelled(msk(number, turn, keys), (number << 20) + turn + 1) for turn in range(count)]
                for number, count in enumerate(counts, 100 * keys)
            ]
            for traffic, keys in LTKMS.items()
        }
        self._turns = {
            (script, traffic): [iter(pairs) for pairs in clients]
            for script in SCRIPTS
            for traffic, clients in self.clients.items()
        }

    @property
    def pairs(self) -> list[Pair]:
        """All of them."""
        return [self.page, *(pair for clients in self.clients.values() for pairs in clients for pair in pairs)]

    def take(self, script: str, traffic: str, *, alone: bool) -> list[Iterator[Pair]]:
        """Return what the clients ask for in one turn."""
        if traffic == "foreign":
            return [iter(lambda: self.page, None) for _ in range(1 if alone else CLIENTS)]
        turns = self._turns[script, traffic]
        return turns[-1:] if alone else turns[:-1]


class Quiet:
    """A mitmdump that writes what it prints to a file, which costs the load nothing."""

    def __init__(
        self, folder: Path, script: str, upstream: int, *options: str, wheel: SteeringWheel | None = None
    ) -> None:
        """Start it with these options of mitmdump besides, and wait until it says where it listens."""
        self.output = folder / f"{script}.log"
        hook = folder / "hook.py"
        hook.write_text(HOOK)
        more = ["-s", str(hook)] if script == "empty hook" else []
        at = ["--listen-host", "127.0.0.1", "-p", "0", *reverse(upstream)]
        more += [] if wheel is None else wheel.words
        command = Mitmdump(folder).command(*at, *more, *options, script=script == "addon")
        with self.output.open("wb") as file:
            handed_over = () if wheel is None else wheel.handed_over
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, pass_fds=handed_over)
        if wheel is not None:
            wheel.started()
        try:
            self.port = self._listening()
        except BaseException:  # nobody else knows the process yet
            self.stop()
            raise

    def _listening(self) -> int:
        end = monotonic() + PATIENCE
        while (found := LISTENING.search(self.output.read_text())) is None and monotonic() < end:
            sleep(0.05)
        assert found is not None, self.output.read_text()
        return int(found[1])

    @property
    def log(self) -> list[str]:
        """The log lines so far, without their time."""
        return Run(0, self.output.read_text()).log

    def stop(self) -> None:
        """End it, as a user would."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)


async def measure(turns: int) -> dict[tuple[str, str, bool], list[Measured]]:
    """Return what each turn measured, by script, traffic, and whether one client was alone."""
    supply = Supply(turns)
    found: dict[tuple[str, str, bool], list[Measured]] = {}
    server = await serve(supply.pairs)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        stack.callback(server.close)
        proxies = {}
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        for script in SCRIPTS:
            upstream = server.sockets[0].getsockname()[1]
            proxies[script] = Quiet(Path(name), script, upstream)
            stack.callback(proxies[script].stop)
            if len(cores) > 1:
                os.sched_setaffinity(proxies[script].process.pid, cores[:1])
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[1:2])
            stack.callback(os.sched_setaffinity, 0, cores)
        for script, traffic in product(SCRIPTS, TRAFFIC[:2]):  # the first requests are slower than all others
            await press(proxies[script].port, supply.take(script, traffic, alone=False), 0.3)
        if len(cores) > 1:
            for pid in started_by(proxies["addon"].process.pid):
                os.sched_setaffinity(pid, cores)
        for turn in range(turns):
            for traffic in TRAFFIC:
                for alone in (False, True):
                    for at in range(len(SCRIPTS)):
                        script = SCRIPTS[(at + turn) % len(SCRIPTS)]
                        clients = supply.take(script, traffic, alone=alone)
                        pid = proxies[script].process.pid
                        others = started_by(pid)
                        begin, besides = cpu_seconds(pid), sum(map(cpu_seconds, others))
                        one = await press(proxies[script].port, clients, SECONDS, EVERY if alone else 0.0)
                        one.cpu = cpu_seconds(pid) - begin
                        one.besides = sum(map(cpu_seconds, others)) - besides
                        found.setdefault((script, traffic, alone), []).append(one)
        for each in proxies.values():
            each.stop()
            flawed = [line for line in each.log if line.startswith(("  violation", "  warning"))]
            assert not flawed, f"expected clean exchanges, got {flawed[0]}"
    return found


def started_by(pid: int) -> list[int]:
    """Return the processes that a process has started; none where the system does not say."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """Return how much time of a core a process has taken so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def figures(turns: int = ROUNDS) -> dict[str, float]:
    """Measure; return requests a second, median latencies, and how they compare."""
    found = asyncio.run(measure(turns))
    numbers: dict[str, float] = {}
    for traffic in TRAFFIC:
        rates, waits, costs = {}, {}, {}
        for script in SCRIPTS:
            rates[script] = [len(one.latencies) / one.seconds for one in found[script, traffic, False]]
            waits[script] = [median(one.latencies) * 1e3 for one in found[script, traffic, True]]
            costs[script] = [one.cpu / len(one.latencies) * 1e3 for one in found[script, traffic, False]]
            besides = [one.besides / len(one.latencies) * 1e3 for one in found[script, traffic, False]]
            numbers[f"{traffic}: {script}, requests a second"] = median(rates[script])
            numbers[f"{traffic}: {script}, median ms"] = median(waits[script])
            numbers[f"{traffic}: {script}, CPU ms a request"] = median(costs[script])
            if any(besides):
                numbers[f"{traffic}: {script}, CPU ms a request in the inspector process"] = median(besides)
        # The turns of one round stand beside each other in time, so what slows the machine slows all of them.
        for script in SCRIPTS[1:]:
            ratios = [one / none for one, none in zip(rates[script], rates["no script"], strict=True)]
            more = [one - none for one, none in zip(waits[script], waits["no script"], strict=True)]
            numbers[f"{traffic}: {script} / no script, requests a second"] = median(ratios)
            numbers[f"{traffic}: {script} - no script, median ms"] = median(more)
            # Of what mitmdump itself takes; a machine with other work to do hardly changes that.
            less = [none / one for one, none in zip(costs[script], costs["no script"], strict=True) if one]
            numbers[f"{traffic}: no script / {script}, CPU"] = median(less) if less else math.nan
    for traffic, keys in LTKMS.items():
        numbers |= {
            f"{traffic}: {part} in the proxy, µs": each for part, each in _parts.microseconds(live(keys)).items()
        }
    return numbers


def live(keys: int) -> list[http.HTTPFlow]:
    """Return flows of many terminals, each with so many LTKMs."""
    flows = [flow_of(replace(msk(1 + n % CLIENTS, n // CLIENTS, keys), id="")) for n in range(FLOWS)]
    for flow in flows:
        flow.live = True
    return flows
