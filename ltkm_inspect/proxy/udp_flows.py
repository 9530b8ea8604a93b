"""The messages of UDP flows: inspected one by one as mitmproxy relays or loads them, and shown in the content view."""

from collections.abc import Iterator
from time import perf_counter
from weakref import WeakKeyDictionary

from mitmproxy import udp

from ltkm_inspect.engine.handling import Steps
from ltkm_inspect.finding import Report
from ltkm_inspect.output.redactor import NO_REDACTOR, Redactor
from ltkm_inspect.proxy.holder import Wait
from ltkm_inspect.proxy.inspector import Inspector
from ltkm_inspect.proxy.monitor import Monitor
from ltkm_inspect.report import text
from ltkm_inspect.report.keys import Keys
from ltkm_inspect.report.outline import bounded, message_lines
from ltkm_inspect.traffic import Datagram
from ltkm_inspect.wire import count


class UdpFlows:
    """Inspects the messages of UDP flows, and counts the flows that have no datagram of ours."""

    def __init__(self, inspector: Inspector, monitor: Monitor) -> None:
        """Take what inspects a message, and what counts."""
        self._inspector = inspector
        self._monitor = monitor
        self._foreign: WeakKeyDictionary[udp.UDPFlow, None] = WeakKeyDictionary()
        """The flows that have not ended and had no datagram of ours yet."""

    def start(self, flow: udp.UDPFlow) -> None:
        """Number a flow."""
        self._inspector.number(flow)
        self._foreign[flow] = None

    def take(self, flow: udp.UDPFlow, wait: Wait) -> Steps[None]:
        """Take the steps to inspect the latest message of a flow, to log it, and to count it."""
        began, inspector = perf_counter(), self._inspector
        taken = inspector.taken(flow, len(flow.messages) - 1)
        if taken is None:
            return
        self._foreign.pop(flow, None)
        event, error = taken
        told = yield from inspector.presented(flow, event, error)
        if told is not None:
            inspector.tell(flow, event, told, is_late=wait.is_over)
            self._monitor.add(event, told)
            inspector.got(told)
            self._monitor.took(perf_counter() - began)

    def end(self, flow: udp.UDPFlow) -> None:
        """Count a flow that had no datagram of ours."""
        if flow in self._foreign:
            del self._foreign[flow]
            self._monitor.other(flow)

    def finish(self) -> None:
        """Count the flows that have not ended."""
        for flow in [*self._foreign]:
            self.end(flow)


def datagram_lines(report: Report, datagram: Datagram, keys: Keys, redactor: Redactor = NO_REDACTOR) -> Iterator[str]:
    """Yield the lines for a datagram: heading, the message with its findings, totals."""
    yield f"# {text.heading(report, redactor)}"
    findings = [redactor.finding(finding) for finding in (*report.findings, *report.accepted, *report.notes)]
    yield f"message: # {count(len(datagram.octets), 'octet')}"
    yield from map(redactor.shown, bounded(message_lines(datagram.ltkm, findings, keys, "  ")))
    yield "totals:"
    yield f"  findings: {len(report.findings)}"
    yield f"  notes: {len(report.notes)}"
