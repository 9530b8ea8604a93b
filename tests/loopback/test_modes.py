"""The field guide, typed: the ways to get between terminal and BSM, all at once, on networks like those it is for."""

import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltkm_inspect.capture.packets import events
from ltkm_inspect.reference import FIRST, SECOND, push
from ltkm_inspect.traffic import OFFLINE, Datagram, Event, Exchange
from tests.generated import ROOT
from tests.loopback.bsm import Bsm
from tests.loopback.networks import BSM, LAPTOP, TERMINAL, Networks, are_possible
from tests.loopback.scenes import person
from tests.loopback.terminal import Handset
from tests.proxy.parts import PATIENCE, Mitmdump, Proxy

PAGE = (ROOT / "docs" / "field.md").read_text()
WAYS = {
    "regular@8080": "Regular: the terminal has a proxy setting",
    f"reverse:http://{BSM}@80": "Reverse: the laptop takes the place of the BSM",
    "wireguard@51820": "WireGuard: the terminal has a VPN app",
    "transparent@8081": "Transparent: the laptop is the router",
}
"""The modes of the page with their headings; by default two of them would use one port."""
LOG = re.compile(r"^#\d+ \S+ (\S+) POST \S+ -> (.*)$")

pytestmark = [pytest.mark.needs("nft"), pytest.mark.skipif(not are_possible(), reason="needs root, to make networks")]


def commands(heading: str) -> list[str]:
    """Return the blocks of commands below a heading of the page, without sudo."""
    section = re.split(r"^#", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [each.replace("sudo ", "") for each in re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)]


def options(heading: str) -> list[str]:
    """Return what the page adds to `mitmdump -s addons/ltkm.py` for a mode, without the mode itself and its port."""
    line = next(line for line in commands(heading)[0].splitlines() if line.startswith("mitmdump"))
    words = shlex.split(line)
    assert words[:3] == ["mitmdump", "-s", "addons/ltkm.py"]
    for option in {"--mode", "-p"}.intersection(words):
        del words[words.index(option) : words.index(option) + 2]
    return words[3:]


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    """The networks of the field."""
    with Networks() as made:
        yield made


@pytest.fixture(scope="module")
def bsm(networks: Networks) -> Iterator[Bsm]:
    """The BSM on its network."""
    with networks.do("bsm", lambda: Bsm((BSM, 80))) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(networks: Networks, mitmdump: Mitmdump, bsm: Bsm) -> Iterator[Proxy]:
    """mitmdump on the laptop, in all modes of the page."""
    words = [word for mode, heading in WAYS.items() for word in ("--mode", mode, *options(heading))]
    command = [*networks.within("laptop"), *mitmdump.command(*words)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    mitmdump.running.append(started)
    running = Proxy(started, len(WAYS))
    yield running
    running.stop()


def ask(networks: Networks, bsm: Bsm, handset: Handset) -> None:
    """Let a terminal ask for two keys, and see that it gets them."""
    bsm.subscribe(handset.terminal)

    def opened() -> list[bool]:
        with handset:
            handset.connect([FIRST.msk_id])
            return [is_valid for _, is_valid in handset.opened(handset.ask([FIRST.msk_id, SECOND.msk_id]))]

    assert networks.do("terminal", opened) == [True, True]


def judged(networks: Networks, bsm: Bsm, proxy: Proxy, handset: Handset) -> list[str]:
    """Return the client of the first request, and the verdicts, when a terminal asks through the proxy."""
    before = len(proxy.log)
    ask(networks, bsm, handset)
    found: list[re.Match[str]] = []
    end = time.monotonic() + PATIENCE
    while len(found) < len(CLEAN) and time.monotonic() < end:  # a busy machine may hand a line on after the response
        found = [entry for entry in map(LOG.match, proxy.log[before:]) if entry is not None]
    return [found[0][1].partition(":")[0], *(entry[2] for entry in found)]


CLEAN = ["401: 0 items, 0 LTKMs: clean", "200: 2 items, 2 LTKMs: clean"]


def test_a_terminal_with_a_proxy_setting_is_judged(networks: Networks, bsm: Bsm, proxy: Proxy) -> None:
    handset = Handset(person("regular"), 8080, LAPTOP, proxied=f"http://{BSM}")
    assert judged(networks, bsm, proxy, handset) == [TERMINAL, *CLEAN]


def test_a_laptop_in_place_of_the_bsm_judges_it(networks: Networks, bsm: Bsm, proxy: Proxy) -> None:
    assert judged(networks, bsm, proxy, Handset(person("reverse"), 80, LAPTOP)) == [TERMINAL, *CLEAN]


def test_a_laptop_that_redirects_connections_judges_them_until_the_redirection_is_deleted(
    networks: Networks, bsm: Bsm, proxy: Proxy
) -> None:
    heading = WAYS["transparent@8081"]
    redirection = commands(heading)[0].rpartition("mitmdump")[0]
    networks.shell("laptop", redirection.replace(":8080", ":8081"))
    assert judged(networks, bsm, proxy, Handset(person("transparent"), 80, BSM)) == [TERMINAL, *CLEAN]
    ending = re.search(r"`sudo (nft delete .*?)`", PAGE)
    assert ending is not None
    networks.shell("laptop", ending[1])
    before = len(proxy.log)
    ask(networks, bsm, Handset(person("direct"), 80, BSM))
    assert proxy.log[before:] == []


@pytest.mark.needs("wireguard")
def test_a_terminal_with_a_wireguard_app_is_judged(networks: Networks, bsm: Bsm, proxy: Proxy, tmp_path: Path) -> None:
    shown = re.search(r"-{9,}\n(\[Interface\]\n.*?)-{9,}\n", proxy.output, re.DOTALL)
    assert shown is not None
    assert f"Endpoint = {LAPTOP}:51820" in shown[1]
    file = tmp_path / "wg0.conf"
    file.write_text(re.sub(r"(?m)^(Address|DNS) = .*\n", "", shown[1]))  # those are for wg-quick
    app = subprocess.Popen(
        [*networks.within("terminal"), "wireguard-go", "-f", "wg0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        networks.shell(
            "terminal",
            f"for _ in $(seq 600); do ip link show wg0 >/dev/null 2>&1 && break; sleep 0.02; done\n"
            f"wg setconf wg0 {shlex.quote(str(file))}; ip address add 10.0.0.1/32 dev wg0; ip link set wg0 up\n"
            f"ip route add {BSM} dev wg0",
        )
        assert judged(networks, bsm, proxy, Handset(person("wireguard"), 80, BSM)) == ["10.0.0.1", *CLEAN]
    finally:
        app.terminate()
        app.wait(PATIENCE)


@pytest.mark.needs("tcpdump")
@pytest.mark.parametrize("machine", ["bsm", "laptop"])
def test_the_recipes_for_tcpdump_record_http_and_all_fragments_of_a_push(
    machine: str, networks: Networks, bsm: Bsm, tmp_path: Path
) -> None:
    recipe = commands("Record packets as well")[["bsm", "laptop"].index(machine)]
    dumping = subprocess.Popen(
        [*networks.within(machine), *shlex.split(recipe)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert dumping.stderr is not None
        while "listening on" not in dumping.stderr.readline():
            assert dumping.poll() is None
        ask(networks, bsm, Handset(person(f"tcpdump {machine}"), 80, BSM))
        networks.do("bsm", push_in_fragments)
        end = time.monotonic() + PATIENCE
        while Datagram not in (found := kinds(tmp_path)):  # the kernel hands over packets in its own time
            assert time.monotonic() < end, found
            time.sleep(0.01)
    finally:
        dumping.send_signal(signal.SIGINT)
        dumping.communicate(timeout=PATIENCE)
    assert kinds(tmp_path) == [Exchange, Exchange, Datagram]


def push_in_fragments() -> None:
    """Send a push that is longer than a packet."""
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(push(FIRST).encode() + bytes(3000), (TERMINAL, 2269))


def kinds(folder: Path) -> list[type]:
    """Return what the only capture in a folder has so far."""
    (file,) = folder.glob("*.pcap")
    with file.open("rb") as stream:
        return [type(each) for each in events(stream.read, OFFLINE) if isinstance(each, Event)]
