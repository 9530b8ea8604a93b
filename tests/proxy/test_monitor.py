"""Heartbeats and metrics: what a real addon reports of connections and flows, when, and where."""

import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mitmproxy import exceptions
from mitmproxy.connection import Client, Server
from mitmproxy.eventsequence import iterate
from mitmproxy.flow import Flow
from mitmproxy.proxy.context import Context
from mitmproxy.test import taddons, tflow, tutils
from mitmproxy.tls import TlsData
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.proxy.addon import LtkmInspect
from ltkm_inspect.proxy.handshakes import offers_only_psk
from ltkm_inspect.proxy.metrics import RunCollector
from ltkm_inspect.report.blind_spots import CAUSES, LISTED, MOST, SHOWN, BlindSpots, Failures, Handshake
from ltkm_inspect.report.reading import schema_text
from tests.datagrams import push, udp_flow
from tests.proxy.parts import clean, flawed

SCHEMA: dict[str, Any] = json.loads(schema_text())
DISTRUST = "The client does not trust the proxy's certificate for bsm.example (tlsv1 alert unknown ca)"


class Stage:
    """An addon with a report, and the connections of clients."""

    def __init__(self, context: Any, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.context, self.addon, self.monitor = context, LtkmInspect(), None
        self.path, self._caplog = folder / "run.jsonl", caplog
        context.master.addons.add(self.addon)
        context.configure(self.addon, ltkm_report=[str(self.path)], ltkm_select=["ltkm-missing"])

    def set(self, **options: Any) -> None:
        self.context.options.update(**options)

    def play(self, *flows: Flow) -> None:
        for flow in flows:
            for event in iterate(flow):
                self.context.master.addons.trigger(event)

    def refuse(self, error: str = DISTRUST, server: str = "bsm.example", client: str = "10.0.0.7") -> None:
        """Let the handshake with a client fail."""
        conn = Client(peername=(client, 40000), sockname=("", 0), sni=server, error=error)
        self.addon.monitor.client_connected(conn)
        self.addon.monitor.tls_failed_client(TlsData(conn, Context(conn, self.context.options)))

    def beat(self) -> list[str]:
        """Return the lines of a heartbeat."""
        self._caplog.clear()
        self.addon.monitor.beat()
        return [each.getMessage() for each in self._caplog.records]

    @property
    def heartbeats(self) -> list[dict[str, Any]]:
        """The records of the heartbeats so far, each as the schema has it."""
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        found = [each for each in found if each["schema"] == "ltkm-inspect/heartbeat/1"]
        definition = {"$ref": "#/$defs/heartbeat", "$defs": SCHEMA["$defs"]}
        assert not [error.message for each in found for error in Draft202012Validator(definition).iter_errors(each)]
        return found


@pytest.fixture
def stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Stage]:
    caplog.set_level(logging.INFO)
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        stage = Stage(context, tmp_path, caplog)
        yield stage
        stage.addon.done()


def test_a_heartbeat_counts_what_came_since_the_last_one(stage: Stage) -> None:
    stage.play(flow_of(clean()), flow_of(flawed()), tflow.tflow(resp=True), udp_flow((True, push(), 0)))
    first, *rest = stage.beat()
    assert "4 flows and 0 client connections; 2 MSK exchanges and 1 datagram, 1 violation, 0 warnings" in first
    assert rest == ["heartbeat: violation ltkm-missing: 1"]
    stage.play(flow_of(clean()))
    assert "1 flow and 0 client connections; 1 MSK exchange, 0 violations" in stage.beat()[0]
    first_record, second = stage.heartbeats
    assert (first_record["exchanges"], first_record["datagrams"]["push"], second["exchanges"]) == (2, 1, 1)
    assert first_record["ended"] == second["started"]
    assert second["datagrams"]["push"] == 0


def test_without_msk_traffic_it_says_what_was_seen_instead(stage: Stage) -> None:
    assert stage.beat()[1:] == [
        "heartbeat: no MSK exchange yet; no other flow either; no client connected to the proxy"
    ]
    stage.play(tflow.tflow(resp=True), tflow.tflow(resp=True), tflow.ttcpflow())
    (line,) = stage.beat()[1:]
    assert line == (
        "heartbeat: no MSK exchange yet; seen instead: 2 flows of address (no media type), 1 flow of address:22 (TCP)"
    )
    stage.play(flow_of(clean()))
    assert len(stage.beat()) == 1
    assert "heartbeat: no MSK exchange since 2009-10-28 08:00:00Z; " in stage.beat()[1]


def test_connections_without_a_flow_are_explained_unless_their_handshakes_failed(stage: Stage) -> None:
    stage.refuse()
    line, *_ = stage.beat()[1:]
    assert line == "heartbeat: no MSK exchange yet; no other flow either"
    stage.addon.monitor.client_connected(Client(peername=("10.0.0.7", 40001), sockname=("", 0)))
    (line,) = stage.beat()[1:]
    assert line.endswith(
        "; connections without a flow pass unread (see --allow-hosts and --ignore-hosts) or have no request yet"
    )


def test_a_server_that_fails_is_one_line(stage: Stage) -> None:
    failing = flow_of(clean())
    assert failing.response is not None
    failing.response.status_code = 503
    stage.play(flow_of(clean()), *(failing.copy() for _ in range(3)))  # type: ignore[no-untyped-call]
    assert "heartbeat: responses: 1 with 200, 3 with 503" in stage.beat()
    assert stage.heartbeats[0]["statuses"] == [{"status": 200, "number": 1}, {"status": 503, "number": 3}]
    stage.play(flow_of(clean()))
    assert not any("responses" in line for line in stage.beat())


def test_the_end_reports_the_rest_and_the_summary_all(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.refuse()
    stage.beat()
    stage.refuse()
    caplog.clear()
    stage.addon.done()
    lines = [each.getMessage() for each in caplog.records]
    assert not any(line.startswith("heartbeat: ") for line in lines)
    (line,) = [line for line in lines if "TLS" in line]
    assert line.startswith("summary: 2 failed TLS handshakes: client 10.0.0.7, server bsm.example: ")
    assert [(each["final"], each["handshakes"][0]["number"]) for each in stage.heartbeats] == [(False, 1), (True, 1)]


def test_a_run_without_blind_spots_has_no_heartbeat_unless_asked(stage: Stage) -> None:
    stage.play(flow_of(clean()), tflow.tflow(resp=True))
    stage.addon.done()
    assert stage.heartbeats == []


def test_the_timer_follows_the_option_and_ends_with_the_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[float, Any, SimpleNamespace]] = []

    def call_later(seconds: float, call: Any) -> SimpleNamespace:
        handle = SimpleNamespace(canceled=False)
        handle.cancel = lambda: setattr(handle, "canceled", True)
        calls.append((seconds, call, handle))
        return handle

    monkeypatch.setattr(stage.context.master, "event_loop", SimpleNamespace(call_later=call_later))
    stage.set(ltkm_summary_every="10m")
    assert calls[0][0] == 600
    stage.set(ltkm_strict=True)  # another option leaves it alone
    assert len(calls) == 1
    calls[0][1]()
    assert len(stage.heartbeats) == 1
    assert calls[1][0] == 600
    stage.set(ltkm_summary_every="30s")
    assert (calls[1][2].canceled, calls[2][0]) == (True, 30)
    with pytest.raises(exceptions.OptionsError, match=r"^ltkm_summary_every: expected an interval from 1s to 168h, "):
        stage.set(ltkm_summary_every="often")
    stage.set(ltkm_summary_every="90")  # seconds, as in other options
    assert calls[3][0] == 90
    stage.set(ltkm_summary_every="never")
    assert [handle.canceled for _, _, handle in calls[1:]] == [True, True, True]
    stage.set(ltkm_summary_every="1h")
    stage.addon.done()
    assert calls[4][2].canceled
    assert stage.heartbeats[-1]["final"]


def test_a_clock_that_jumped_is_mentioned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.addon.monitor._clock += 3600  # less time has passed than the clock says
    assert "heartbeat: the clock jumped by -3600 seconds: it was set, or the computer slept" not in stage.beat()
    stage.addon.monitor._clock -= 7200
    assert any("the clock jumped by -" in line for line in stage.beat())


def test_what_is_not_checked_in_full_has_a_reason(stage: Stage, tmp_path: Path) -> None:
    streamed, cut, large = (flow_of(clean()) for _ in range(3))
    for flow in (streamed, cut):
        assert flow.response is not None
        flow.response.raw_content = None
    cut.error = tflow.terr("the connection ended")
    stage.play(streamed, cut)
    stage.set(ltkm_limit="body=10")
    stage.play(large)
    assert stage.beat()[-1] == (
        "heartbeat: not checked in full: 1 streamed (see stream_large_bodies), 1 cut off by the end of the connection, "
        "1 with a body over the limit (raise body in ltkm_limit)"
    )


@pytest.mark.parametrize(
    ("error", "cause", "detail"),
    [
        (DISTRUST, "untrusted_ca", "tlsv1 alert unknown ca"),
        (
            "The client may not trust the proxy's certificate for x (OpenSSL Error([('SSL routines', '', "
            "'ssl/tls alert certificate unknown')]))",
            "refused_certificate",
            "ssl/tls alert certificate unknown",
        ),
        (
            "The client may not trust the proxy's certificate for x (OpenSSL Error([('SSL routines', '', "
            "'no shared cipher')]))",
            "no_shared_cipher",
            "no shared cipher",
        ),
        (
            "The client may not trust the proxy's certificate for x (OpenSSL Error([('SSL routines', '', "
            "'bad extension')]))",
            "client_error",
            "bad extension",
        ),
        (
            "Client and mitmproxy cannot agree on a TLS version to use. You may need to adjust mitmproxy's "
            "tls_version_client_min option.",
            "no_shared_version",
            "",
        ),
        (
            "The client disconnected during the handshake. If this happens consistently for x, this may indicate that "
            "the client does not trust the proxy's certificate.",
            "closed_in_handshake",
            "",
        ),
        ("Cannot parse ClientHello: 160301", "no_client_hello", ""),
        ("", "client_error", ""),
    ],
)
def test_what_mitmproxy_says_of_a_client_has_a_cause(stage: Stage, error: str, cause: str, detail: str) -> None:
    stage.refuse(error)
    (line,) = [line for line in stage.beat() if "TLS handshake" in line]
    assert CAUSES[cause] in line
    (row,) = stage.heartbeats[0]["handshakes"]
    assert (row["cause"], row["detail"], row["side"], row["client"]) == (cause, detail, "client", "10.0.0.7")


@pytest.mark.parametrize(
    ("error", "cause", "detail"),
    [
        ("Certificate verify failed: unable to get local issuer certificate", "server_certificate", "unable to get "),
        ("Certificate verify failed: (odd alert) words", "server_certificate", "(odd alert) words"),
        ("The remote server does not speak TLS.", "server_no_tls", ""),
        ("The remote server and mitmproxy cannot agree on a TLS version to use.", "server_version", ""),
        (
            "OpenSSL Error([('SSL routines', '', 'ssl/tls alert handshake failure')])",
            "server_refused",
            "ssl/tls alert handshake failure",
        ),
        ("connection closed", "server_closed", ""),
        ("No TLS context was provided", "server_error", ""),
    ],
)
def test_what_mitmproxy_says_of_a_server_has_a_cause(stage: Stage, error: str, cause: str, detail: str) -> None:
    client, server = tflow.tclient_conn(), Server(address=("bsm.example", 443), error=error)
    stage.addon.monitor.tls_failed_server(TlsData(server, Context(client, stage.context.options)))
    stage.beat()
    (row,) = stage.heartbeats[0]["handshakes"]
    assert (row["cause"], row["side"], row["server"]) == (cause, "server", "bsm.example:443")
    assert row["detail"].startswith(detail)


def hello(*suites: int, extensions: tuple[tuple[int, bytes], ...] = ()) -> Any:
    return SimpleNamespace(cipher_suites=list(suites), extensions=list(extensions))


def test_a_client_that_insists_on_a_pre_shared_key_is_known_by_its_hello() -> None:
    assert offers_only_psk(hello(0x00AE, 0xC035, 0x00FF, 0x5A5A))  # two of PSK, a signal, GREASE
    assert offers_only_psk(hello(0x1301, extensions=((41, b"\0\x20\0\x1e3GPP-bootstrapping;x"),)))
    assert not offers_only_psk(hello(0x00AE, 0xC02F))
    assert not offers_only_psk(hello(0x1301, extensions=((41, b"a ticket"),)))
    assert not offers_only_psk(hello())


def test_tables_stay_small_and_what_has_no_room_is_counted() -> None:
    spots = BlindSpots()
    for number in range(2 * MOST):
        spots.fail(Handshake(f"c{number}", "s", "untrusted_ca"), Failures(1, None, None, ""))
        spots.other(f"h{number}", "text/html")
    assert (len(spots.handshakes), len(spots.others)) == (MOST, MOST)
    spots.merge(spots)
    assert spots.failed_handshakes == sum(spots.others.values()) + spots.more_others == 4 * MOST
    fields = spots.fields()
    assert (len(fields["handshakes"]), len(fields["others"])) == (LISTED, LISTED)
    assert sum(row["number"] for row in fields["handshakes"]) + fields["more"]["handshakes"] == 4 * MOST
    again = BlindSpots()
    again.add_record(fields)
    assert again.failed_handshakes == 4 * MOST
    lines = [*again.handshake_lines()]
    assert (len(lines), lines[-1]) == (SHOWN + 1, f"{4 * MOST - 2 * SHOWN} more failed TLS handshakes")
    assert again.other_line().endswith(f", {4 * MOST - 2 * SHOWN} more flows")


def test_text_from_the_wire_cannot_act(stage: Stage) -> None:
    stage.refuse("\x1b[2J", "evil\x1b[31m \u202e")
    assert all(line.isprintable() for line in stage.beat())


def test_redaction_hides_clients_and_servers_by_address(stage: Stage) -> None:
    stage.refuse(server="192.0.2.9")
    stage.set(ltkm_redact=True)
    stage.play(tflow.tflow(req=tutils.treq(host="192.0.2.10", headers=()), resp=True))
    shown = "\n".join([*stage.beat(), json.dumps(stage.heartbeats)])
    stage.addon.done()
    shown += stage.path.read_text() + "\n".join(stage.addon.summary.lines())
    assert "address-" in shown
    assert not any(address in shown for address in ("10.0.0.7", "192.0.2.9", "192.0.2.10"))


def test_the_name_of_a_client_is_shown_unless_it_is_redacted(stage: Stage, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('[addresses]\n"10.0.0.7" = "Handset A"\n')
    stage.set(ltkm_names=str(names))
    stage.refuse()
    assert any("client 10.0.0.7 (Handset A), server bsm.example: " in line for line in stage.beat())
    assert stage.heartbeats[0]["handshakes"][0]["client_name"] == "Handset A"
    stage.set(ltkm_redact=True)
    stage.refuse()
    assert not any("Handset A" in line for line in stage.beat())


def families(stage: Stage) -> dict[tuple[str, ...], float]:
    """Return every sample of the metrics by its name and its labels."""
    from prometheus_client import generate_latest

    registry = CollectorRegistry()
    registry.register(RunCollector(stage.addon.monitor))
    text = generate_latest(registry).decode()
    return {
        (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_metrics_count_what_the_summary_counts(stage: Stage) -> None:
    before = families(stage)
    assert before["ltkm_last_msk_timestamp_seconds",] == 0
    ended = clean()
    stage.play(flow_of(ended), flow_of(flawed()), tflow.tflow(resp=True), udp_flow((True, push(), 0)))
    stage.refuse()
    after = families(stage)
    changed = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}
    latest = changed.pop(("ltkm_last_msk_timestamp_seconds",))
    assert latest > 10**9
    assert changed == {
        ("ltkm_exchanges_total", "clean"): 1,
        ("ltkm_exchanges_total", "violation"): 1,
        ("ltkm_responses_total", "200"): 2,
        ("ltkm_datagrams_total", "push"): 1,
        ("ltkm_findings_total", "violation", "ltkm-missing"): 1,
        ("ltkm_ltkms_total",): 3,
        ("ltkm_tls_failures_total", "untrusted_ca", "client"): 1,
        ("ltkm_client_connections_total",): 1,
        ("ltkm_other_flows_total",): 1,
    }
    assert not any("10.0.0.7" in " ".join(name) or "bsm.example" in " ".join(name) for name in after)


@pytest.mark.parametrize("typed", ["no", "127.0.0.1", "127.0.0.1:99999", "[::1]", "a b:1", ":", "::1:9", "-1"])
def test_an_address_that_is_none_is_refused(stage: Stage, typed: str) -> None:
    with pytest.raises(
        exceptions.OptionsError, match=r"^ltkm_metrics: expected a port from 0 to 65535, or ADDRESS:PORT"
    ):
        stage.set(ltkm_metrics=typed)


def test_without_prometheus_client_one_line_says_how_to_get_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(exceptions.OptionsError, match=r"prometheus-client is missing; install it with: [^\n]+$"):
        stage.set(ltkm_metrics="0")


def test_a_port_in_use_is_one_line_and_the_proxy_goes_on(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stage.set(ltkm_metrics=f":{taken.getsockname()[1]}")
    (line,) = [each.getMessage() for each in caplog.records if "ltkm_metrics" in each.getMessage()]
    assert line.startswith("ltkm: ltkm_metrics: cannot listen at 127.0.0.1:")
    assert line.endswith("; metrics are not served")
    stage.play(flow_of(clean()))
    assert stage.addon.summary.exchanges == 1
