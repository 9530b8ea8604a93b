"""Counts what a running proxy sees, and reports it: as a heartbeat now and then, and as metrics."""

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from mitmproxy import connection, ctx, http, tcp, tls
from mitmproxy.flow import Flow

from ltkm_inspect.finding import Level
from ltkm_inspect.inspecting import Presentation
from ltkm_inspect.mitm.addresses import address_text, field_of, host_of
from ltkm_inspect.mitm.marking import mark_late
from ltkm_inspect.options.monitoring import MetricsAddress
from ltkm_inspect.output.console import reason
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.proxy.guard import guarded
from ltkm_inspect.proxy.handshakes import Handshakes
from ltkm_inspect.proxy.inspector import Inspector, warn
from ltkm_inspect.report import heartbeat
from ltkm_inspect.report.blind_spots import BlindSpots, Failures, Handshake
from ltkm_inspect.report.heartbeat import Heartbeat
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.traffic import Datagram, Event
from ltkm_inspect.wire import cut, printable

if TYPE_CHECKING:
    from ltkm_inspect.proxy.metrics import MetricsServer

LONGEST_NAME = 255
"""How many characters are kept of a host or a media type."""
FAULTED = "faulted"
"""Replaces the verdict on an exchange that was recorded with faults: it says nothing about the server."""
logger = logging.getLogger(__name__)


class Monitor:
    """An addon that follows connections, counts events for the addon that it is part of, and reports both."""

    name = "ltkm_monitor"

    def __init__(self, inspector: Inspector) -> None:
        """Take what has the configuration, the number of flows, and the report files."""
        self.summary = Summary()
        self.exchanges: Counter[str] = Counter()
        """MSK exchanges over HTTP by verdict."""
        self.statuses: Counter[int] = Counter()
        """Responses of MSK exchanges by status."""
        self.failures: Counter[str] = Counter()
        """Failed TLS handshakes by cause."""
        self.connections = 0
        self.latest: float | None = None
        """When the latest event was seen, in seconds since 1970 UTC."""
        self._inspector = inspector
        self._handshakes = Handshakes(self._fail)
        self._recent, self._total = BlindSpots(), BlindSpots()
        """The blind spots since the last heartbeat, and those before it."""
        self._timer: asyncio.TimerHandle | None = None
        self._every: int | None = None
        self._server: MetricsServer | None = None
        self._address: MetricsAddress | None = None
        self._mark(time.time())

    def add(self, event: Event, told: Presentation) -> None:
        """Count one event."""
        self.summary.add_counts(told.tally)
        if not isinstance(event, Datagram):
            self.exchanges[FAULTED if event.faults else told.marks.verdict] += 1
            if event.status is not None:
                self.statuses[event.status] += 1
        self.latest = event.ended or event.started or time.time()

    def other(self, flow: Flow) -> None:
        """Count one flow that has no event of ours."""
        self.summary.other()
        try:
            self._recent.other(*_origin(flow))
        except Exception:  # a flow with fields that mitmproxy gives none
            self._recent.other("", flow.type)

    @property
    def waiting(self) -> int:
        """How many events wait for the inspector process."""
        return self._inspector.process.waiting

    def late(self, flow: Flow) -> None:
        """Count an event that goes on before it is inspected, and say so."""
        self.summary.late += 1
        mark_late(flow)
        inspector = self._inspector
        deadline = inspector.configuration.deadline
        number = inspector.number(flow)
        logger.warning(
            "ltkm: #%d was not inspected within %g s (ltkm_deadline), so it goes on as it came", number, deadline
        )

    def took(self, seconds: float) -> None:
        """Count how long it took to inspect an event."""
        if self._server is not None:
            self._server.inspection_time.observe(seconds)

    @guarded
    def client_connected(self, client: connection.Client) -> None:
        """Count a connection."""
        self.connections += 1

    @guarded
    def client_disconnected(self, client: connection.Client) -> None:
        """Tell of a connection that ended after its TLS handshake."""
        self._handshakes.end(client)

    @guarded
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Note what a client offers."""
        if not data.ignore_connection:
            self._handshakes.begin(data.context.client, data.context.server, data.client_hello)

    @guarded
    def tls_established_client(self, data: tls.TlsData) -> None:
        """Note that a client accepts the certificate so far."""
        self._handshakes.establish(data.context.client)

    @guarded
    def tls_failed_client(self, data: tls.TlsData) -> None:
        """Count a handshake with a client that failed."""
        self._handshakes.fail_client(data.context.client, data.context.server)

    @guarded
    def tls_failed_server(self, data: tls.TlsData) -> None:
        """Count a handshake with a server that failed."""
        assert isinstance(data.conn, connection.Server)
        self._handshakes.fail_server(data.context.client, data.conn)

    def sends(self, client: connection.Client) -> None:
        """Note that a client uses its connection."""
        self._handshakes.use(client)

    @guarded
    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """Note the same of one that does not speak HTTP."""
        self.sends(flow.client_conn)

    def use(self, every: int | None, address: MetricsAddress | None) -> None:
        """Report each time these seconds have passed, and serve metrics at this address; None for neither."""
        if every != self._every:
            self._every = every
            self._wind()
        if address != self._address:
            self._address = address
            self._serve()

    @guarded
    def beat(self, *, final: bool = False) -> None:
        """Report what was seen since the last heartbeat: in the log, and in the report files."""
        inspector, seen = self._inspector, self.summary.since(self._earlier)
        spots = self._recent.worded(inspector.configuration.wording)
        now, passed = time.time(), time.monotonic() - self._clock
        found = Heartbeat(
            started=self._since,
            ended=now,
            seen=seen,
            blind_spots=spots,
            flows=inspector.flows - self._flows,
            connections=self.connections - self._connections,
            statuses=self.statuses - self._statuses,
            latest=self.latest,
            jump=now - self._since - passed,
            final=final,
        )
        self._total.merge(self._recent)
        self._recent = BlindSpots()
        self._mark(now)
        record = found.record
        for level, line in heartbeat.lines(record):
            logger.log(logging.WARNING if level is Level.WARNING else logging.INFO, "%s", line)
        if not final or self._every is not None or spots.handshakes or (spots.others and not seen.events):
            warn(inspector.files.write(to_json(record)))

    def finish(self) -> None:
        """Report for the last time; from then on the summary has the blind spots of the whole run."""
        self.beat(final=True)
        self.use(None, None)
        self.summary.blind_spots = self._total.worded(self._inspector.configuration.wording)

    def _mark(self, now: float) -> None:
        """Begin the time of the next heartbeat."""
        self._since, self._clock = now, time.monotonic()
        self._flows, self._connections = self._inspector.flows, self.connections
        self._statuses = self.statuses.copy()
        self._earlier = self.summary.since(Summary())

    def _fail(self, handshake: Handshake, failures: Failures) -> None:
        self.failures[handshake.cause] += failures.number
        self._recent.fail(handshake, failures)

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._every is not None:
            self._timer = ctx.master.event_loop.call_later(self._every, self._tick)

    def _tick(self) -> None:
        self._wind()
        self.beat()

    def _serve(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._address is None:
            return
        from ltkm_inspect.proxy.metrics import MetricsServer

        try:
            self._server = MetricsServer(self._address, self)
        except (OSError, UnicodeError) as error:
            where = printable(str(self._address))
            logger.warning("ltkm: ltkm_metrics: cannot listen at %s: %s; metrics are not served", where, reason(error))
        else:
            logger.info("ltkm: metrics at %s", self._server.url)


def _origin(flow: Flow) -> tuple[str, str]:
    """Return host and media type of a flow without an event of ours."""
    if not isinstance(flow, http.HTTPFlow):
        return address_text(flow.server_conn.address), flow.type.upper()
    if flow.response is None:
        kind = "no response"
    else:
        media_type = field_of(flow.response, b"content-type") or ""
        kind = media_type.partition(";")[0].strip().lower() or "no media type"
    return cut(host_of(flow.request), LONGEST_NAME), cut(kind, LONGEST_NAME)
