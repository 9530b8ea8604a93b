"""Metrics of a running proxy for Prometheus, served over HTTP. No identity or address is in them."""

import socket
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from ltkm_inspect import __version__
from ltkm_inspect.engine.own_findings import PASSED_UNCHECKED
from ltkm_inspect.finding import VERDICTS
from ltkm_inspect.options.monitoring import MetricsAddress
from ltkm_inspect.proxy.monitor import FAULTED, Monitor
from ltkm_inspect.report.blind_spots import CAUSES, side_of
from ltkm_inspect.traffic import DatagramKind

PATH = "/metrics"
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper ends of the buckets of inspection times, in seconds."""


class MetricsServer:
    """Serves the metrics of a run, on the event loop of mitmproxy, until it is closed."""

    def __init__(self, address: MetricsAddress, monitor: Monitor) -> None:
        """Begin to serve; OSError if the address cannot be had."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listening = socket.create_server(address, family=family)
        listening.setblocking(False)
        self.url = f"http://{address._replace(port=listening.getsockname()[1])}{PATH}"
        registry = CollectorRegistry()
        registry.register(RunCollector(monitor))
        ProcessCollector(registry=registry)
        self.inspection_time = inspection_time(registry)
        application = Application([(PATH, _Handler, {"registry": registry})], log_function=lambda handler: None)
        self._server = HTTPServer(application, no_keep_alive=True)  # so that nothing is left open when it is closed
        self._server.add_socket(listening)

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()


def inspection_time(registry: CollectorRegistry) -> Histogram:
    """Return the histogram of inspection times in a registry."""
    return Histogram("ltkm_inspection_seconds", "Time it took to inspect an event.", registry=registry, buckets=BUCKETS)


class _Handler(RequestHandler):
    def initialize(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def get(self) -> None:
        encode, content_type = choose_encoder(self.request.headers.get("Accept", ""))
        self.set_header("Content-Type", content_type)
        self.write(encode(self._registry))


class RunCollector(Collector):
    """Makes metrics of what is counted, whenever they are asked for."""

    def __init__(self, monitor: Monitor) -> None:
        """Take what counts."""
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        counts, summary = self._monitor, self._monitor.summary
        info = GaugeMetricFamily("ltkm_info", "Version of ltkm-inspect.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        verdicts = dict.fromkeys((*VERDICTS[:-1], FAULTED), 0) | counts.exchanges
        yield _counter("ltkm_exchanges", "MSK exchanges over HTTP, by verdict.", _labeled(verdicts), "verdict")
        statuses = {str(status): number for status, number in sorted(counts.statuses.items())}
        yield _counter("ltkm_responses", "Responses of MSK exchanges, by status.", _labeled(statuses), "status")
        kinds = {kind.key: summary.datagrams[kind.key] for kind in DatagramKind}
        yield _counter("ltkm_datagrams", "Datagrams with MIKEY messages, by kind.", _labeled(kinds), "kind")
        findings: dict[tuple[str, ...], int] = {(rule, level.word): number for level, rule, number in summary.by_rule()}
        yield _counter("ltkm_findings", "Findings, by rule and level.", findings, "rule", "level")
        yield _counter("ltkm_ltkms", "LTKMs in exchanges and datagrams.", {(): summary.ltkms})
        reasons = {reason: summary.unchecked[reason] for reason in PASSED_UNCHECKED}
        yield _counter(
            "ltkm_unchecked", "Exchanges and datagrams not checked in full, by reason.", _labeled(reasons), "reason"
        )
        waiting = GaugeMetricFamily("ltkm_waiting", "Exchanges and datagrams that wait for their inspection.")
        waiting.add_metric([], counts.waiting)
        yield waiting
        yield _counter(
            "ltkm_late", "Exchanges and datagrams that went on before they were inspected.", {(): summary.late}
        )
        failures: dict[tuple[str, ...], int] = {(side_of(cause), cause): counts.failures[cause] for cause in CAUSES}
        yield _counter("ltkm_tls_failures", "Failed TLS handshakes, by likely cause.", failures, "side", "cause")
        yield _counter("ltkm_client_connections", "Connections of clients.", {(): counts.connections})
        yield _counter("ltkm_other_flows", "Flows without MSK traffic.", {(): summary.others})
        latest = GaugeMetricFamily(
            "ltkm_last_msk_timestamp_seconds", "When the latest MSK exchange or datagram was seen; 0 if none was."
        )
        latest.add_metric([], counts.latest or 0)
        yield latest


def _labeled(numbers: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(label,): number for label, number in numbers.items()}


def _counter(name: str, about: str, numbers: Mapping[tuple[str, ...], int], *labels: str) -> Metric:
    metric = CounterMetricFamily(name, about, labels=labels)
    for values, number in numbers.items():
        metric.add_metric(values, number)
    return metric
