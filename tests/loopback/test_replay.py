"""Faults in replayed traffic: the recorded trial as a server, as a client, and a capture that has faults already."""

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from mitmproxy.exceptions import FlowReadException
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter

from ltkm_inspect import fault as catalogue
from ltkm_inspect.context import Context
from ltkm_inspect.engine import inject, inspect
from ltkm_inspect.fault import FaultError, parse_application
from ltkm_inspect.keys import KeyRing
from ltkm_inspect.mitm.flows import exchange_of, flow_of
from ltkm_inspect.reference import BSM
from ltkm_inspect.rewriting.recording import only_in_recordings
from ltkm_inspect.session import DeliveredLtkm, OpenedLtkm, Session, SessionEvent
from ltkm_inspect.traffic import Exchange, Response
from tests.loopback.bsm import ring_text
from tests.loopback.proxy import Steered
from tests.loopback.server import Listener
from tests.loopback.sweep import faults
from tests.loopback.wire import Received, receive, request_octets, response_octets, response_of
from tests.proxy.parts import PATIENCE, TRIAL, Mitmdump, Save
from tests.samples.test_samples import HANDSETS

TERMINALS = [handset.terminal for handset in HANDSETS]
KEYS = KeyRing(tuple(terminal.subscriber for terminal in TERMINALS))
FAULTS = [
    fault.id
    for fault in catalogue.FAULTS.values()
    if fault.on not in (SessionEvent, DeliveredLtkm, OpenedLtkm)
    and fault.id not in ("inject-ltkm", "replace-ltkm")  # a replay, if not told otherwise
    and not only_in_recordings(fault.id)
]
"""The faults that do not look at what came before: all go through one proxy, where the trial is replayed each time."""


def saved(path: Path) -> list[Exchange]:
    """Return the exchanges with the BSM of a flow file, in order."""
    with path.open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    return [exchange for exchange in map(exchange_of, flows) if exchange.request.headers.get("Host") == BSM]


@cache
def recorded() -> tuple[Exchange, ...]:
    """Return the exchanges of the trial that are replayed: as many as every fault needs to find one to damage."""
    return tuple(saved(TRIAL)[:20])


def faulted(exchanges: Iterable[Exchange], fault: str) -> Iterator[Response | None]:
    """Yield the response of each exchange, with the fault put in here, and not in the proxy, where it can be."""
    session = Session()
    for exchange in exchanges:
        if exchange.is_ours:
            with suppress(FaultError):
                exchange = inject(exchange, [parse_application(fault)], Context(keys=KEYS, session=session))
            session.take(exchange, KEYS)
        yield exchange.response


@cache
def expected(fault: str) -> tuple[Response | None, ...]:
    """Return the responses of the trial with the fault put in here."""
    return tuple(faulted(recorded(), fault))


def asked(port: int, exchanges: Sequence[Exchange]) -> list[Response]:
    """Send the requests of these exchanges one after another over one connection; return the responses."""
    found = []
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    with client, closing(cast(BinaryIO, client.makefile("rb"))) as file:
        for exchange in exchanges:
            client.sendall(request_octets(exchange.request))
            received = receive(file, method=exchange.request.method)
            assert received is not None, exchange.request.url
            found.append(response_of(received))
    return found


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the key ring of the trial."""
    path = tmp_path_factory.mktemp("keys") / "ring.toml"
    path.write_text(ring_text(TERMINALS))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def replaying(mitmdump: Mitmdump, ring: Path) -> Iterator[Steered]:
    """A proxy that replays as the BSM what it is told to, and asks nobody else."""
    with Steered(mitmdump, BSM, f"ltkm_keys={ring}", *REPLAYING) as proxy:
        yield proxy


REPLAYING = ("connection_strategy=lazy", "server_replay_extra=kill", "server_replay_refresh=false")


@pytest.mark.parametrize("fault", faults(FAULTS))
def test_the_trial_replayed_as_a_server_has_the_fault_wherever_it_can_be_put_in(
    fault: str, replaying: Steered, save: Save
) -> None:
    assert replaying.run("replay.server.file", str(save(map(flow_of, recorded())))) == ""
    assert replaying.set(ltkm_fault=[fault]) == ""
    got = asked(replaying.port, recorded())
    assert got == [*expected(fault)]
    changed = sum(new != exchange.response for new, exchange in zip(got, recorded(), strict=True))
    assert changed > 0


class Recorded:
    """A server that answers each request with the next response of a recording, and remembers what it was asked."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.asked: list[bytes] = []
        self._responses = [exchange.response for exchange in exchanges]

    def answer(self, received: Received) -> bytes:
        """Return the response whose turn it is."""
        response = self._responses[len(self.asked)]
        self.asked.append(received.body)
        assert response is not None
        return response_octets(response)


def replayed_as_client(fault: str, mitmdump: Mitmdump, ring: Path, save: Save, out: Path) -> int:
    """Let mitmdump send the requests of the trial again, with the fault; return the port of the server."""
    origin = Recorded(recorded())
    with Listener(origin.answer) as server:
        flows = [
            flow_of(replace(each, request=replace(each.request, host="127.0.0.1", port=server.port)))
            for each in recorded()
        ]
        words = [f"ltkm_keys={ring}", f"ltkm_fault={fault}"]
        run = mitmdump("-n", "-C", save(flows), "-w", out, *(part for word in words for part in ("--set", word)))
    assert run.status == 0, run.output
    assert origin.asked == [exchange.request.body for exchange in recorded()], "each was asked once, in order"
    return server.port


class Turns:
    """A mitmdump that replays the trial as a client, as often as it is told to; its server answers as recorded."""

    def __init__(self, folder: Path, proxy: Steered, origin: Recorded, port: int) -> None:
        self.proxy, self.origin = proxy, origin
        self.capture, self.out = folder / "trial.flow", folder / "out.flow"
        with self.capture.open("wb") as file:
            writer = FlowWriter(file)  # type: ignore[no-untyped-call]
            for each in recorded():
                writer.add(flow_of(replace(each, request=replace(each.request, host="127.0.0.1", port=port))))

    def replay(self, fault: str) -> list[Exchange]:
        """Let all requests be sent again, with the fault in what comes back; return what mitmdump wrote down."""
        self.origin.asked.clear()
        self.out.unlink(missing_ok=True)
        assert self.proxy.set(ltkm_fault=[fault], save_stream_file=str(self.out)) == ""
        assert self.proxy.run("replay.client.file", str(self.capture)) == ""
        end, got = time.monotonic() + PATIENCE, list[Exchange]()
        while len(got) < len(recorded()):
            assert time.monotonic() < end, f"{len(got)} of {len(recorded())} flows came back"
            time.sleep(0.05)
            if len(self.origin.asked) == len(recorded()):
                with suppress(FlowReadException):  # the last one is half written
                    got = saved(self.out)
        assert self.proxy.set(save_stream_file=None) == ""
        return got


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory, mitmdump: Mitmdump, ring: Path) -> Iterator[Turns]:
    """Start both."""
    origin = Recorded(recorded())
    with (
        Listener(origin.answer) as server,
        Steered(mitmdump, BSM, f"ltkm_keys={ring}", "connection_strategy=lazy") as proxy,
    ):
        yield Turns(tmp_path_factory.mktemp("turns"), proxy, origin, server.port)


@pytest.mark.parametrize("fault", faults(FAULTS))
def test_the_trial_replayed_as_a_client_has_the_fault_wherever_it_can_be_put_in(fault: str, turns: Turns) -> None:
    got = turns.replay(fault)
    assert [exchange.response for exchange in got] == [*expected(fault)]
    changed = [new.response != old.response for new, old in zip(got, recorded(), strict=True)]
    assert [bool(new.faults) for new in got] == changed
    assert any(changed)


@pytest.mark.parametrize("fault", ["rename-ltkm", "rewind-counter"])
def test_the_trial_replayed_as_a_client_gets_the_fault_from_the_fresh_responses(
    fault: str, mitmdump: Mitmdump, ring: Path, save: Save, tmp_path: Path
) -> None:
    replayed_as_client(fault, mitmdump, ring, save, tmp_path / "out.flow")
    got = saved(tmp_path / "out.flow")
    assert [exchange.response for exchange in got] == [*faulted(recorded(), fault)]
    for new, old in zip(got, recorded(), strict=True):
        assert new.faults == ((fault,) if new.response != old.response else ())


def test_a_capture_with_faults_replayed_as_a_server_is_left_alone_where_it_has_them(
    mitmdump: Mitmdump, ring: Path, save: Save, tmp_path: Path
) -> None:
    capture, again = tmp_path / "capture.flow", tmp_path / "again.flow"
    port = replayed_as_client("rename-ltkm", mitmdump, ring, save, capture)
    captured = saved(capture)
    more: list[str | Path] = ["-S", capture, "-w", again]
    with Steered(mitmdump, port, f"ltkm_keys={ring}", "ltkm_fault=replace-status", *REPLAYING, more=more) as proxy:
        got = asked(proxy.port, captured)
        run = proxy.stop()
    had = [bool(exchange.faults) for exchange in captured]
    assert 0 < sum(had) < len(had)
    for exchange, response in zip(captured, got, strict=True):
        assert response.body == (exchange.response.body if exchange.response else None)
        assert (response == exchange.response) is bool(exchange.faults or not exchange.is_ours)
    assert sum("the replayed response already has faults" in line for line in run.log) == sum(had)
    written = saved(again)
    for old, new in zip(captured, written, strict=True):
        assert new.faults == (old.faults or (("replace-status",) if new.is_ours else ()))
    context = Context(keys=KEYS, session=Session())
    assert [inspect(new, context).exchange.faults for new in written] == [new.faults for new in written]
    counted = next(line for line in run.log if line.startswith("summary: "))
    assert f"{len([new for new in written if new.is_ours])} MSK exchanges" in counted
