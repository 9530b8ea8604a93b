"""Flows to reports, and reports to log, marks and files; in steps, so that the event loop goes on."""

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http, udp
from mitmproxy.flow import Flow

from ltkm_inspect.context import Context
from ltkm_inspect.engine import crashed, judge, place, prepare, presented
from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.mitm.flows import is_foreign, msk_exchange_of
from ltkm_inspect.mitm.marking import mark, mark_datagram
from ltkm_inspect.mitm.size import takes_long
from ltkm_inspect.mitm.udp_flows import datagram_in
from ltkm_inspect.output.redaction import Redactor
from ltkm_inspect.proxy import configuration
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.faulting import Faulting
from ltkm_inspect.proxy.flood import FloodControl
from ltkm_inspect.proxy.own_files import refreshed, tell_of_keys
from ltkm_inspect.proxy.rendering import Rendering, is_wanted, render
from ltkm_inspect.report import text
from ltkm_inspect.report.datagram import event_line
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Datagram, Event, Exchange, Limits, Request
from ltkm_inspect.wire import crash_of

LOADED = "loaded"
"""The capture that all flows are from which are no live traffic."""

logger = logging.getLogger(__name__)


class Inspector:
    """Inspects flows by the configuration of the run, and tells what was found in log, marks and report files."""

    def __init__(self) -> None:
        self.session = Session()
        self.configuration = self._with_session(Configuration())
        self.faulting = Faulting(self.session, lambda: self.configuration)
        self.files = ReportFiles(waits=False)
        self.renderings: WeakKeyDictionary[Flow, Rendering] = WeakKeyDictionary()
        """What is shown of large flows."""
        self._numbers: WeakKeyDictionary[Flow, int] = WeakKeyDictionary()
        self._flows = 0
        self._places: WeakKeyDictionary[Flow, int] = WeakKeyDictionary()
        """The message of each UDP flow that was marked last."""
        self.flood = FloodControl()

    @property
    def flows(self) -> int:
        """How many flows have a number."""
        return self._flows

    def number(self, flow: Flow) -> int:
        """Return the ordinal of a flow in the run, from 1, in the order in which flows begin or are loaded."""
        found = self._numbers.get(flow)
        if found is None:
            self._flows += 1
            found = self._numbers[flow] = self._flows
        return found

    def take_over(self, wanted: Configuration) -> None:
        """Go by another configuration; the session goes on, by what the options say now of its memory."""
        former, self.configuration = self.configuration, self._with_session(wanted)
        tell_of_keys(former, wanted)

    def _with_session(self, configuration: Configuration) -> Configuration:
        """Give the session of this run to the configuration; it goes on, by what the options say now of its memory."""
        settings = configuration.context.settings.session
        self.session.settings = replace(settings, hash_key=self.session.settings.hash_key)
        return replace(configuration, context=replace(configuration.context, session=self.session))

    def inspect(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> list[Report]:
        """Return the reports of a flow: one of an MSK exchange, one of each datagram, none of any other flow."""
        return Handling(self.inspected_events(flow, limits, remember=remember)).finish()

    def inspected_events(
        self, flow: Flow, limits: Limits | None = None, *, remember: bool = True
    ) -> Steps[list[Report]]:
        """Take the steps to the same."""
        if isinstance(flow, udp.UDPFlow):
            found = []
            for index in range(len(flow.messages)):
                found.append((yield from self.inspected_message(flow, index, limits, remember=remember)))
            return [report for report in found if report is not None]
        report = yield from self.inspected(flow, limits, remember=remember)
        return [] if report is None else [report]

    def inspected_message(
        self, flow: udp.UDPFlow, index: int, limits: Limits | None = None, *, remember: bool = True
    ) -> Steps[Report | None]:
        """Take the steps to the report of one message of a UDP flow, None for one that is no datagram of ours."""
        limits = limits or self.configuration.limits
        try:
            datagram = datagram_in(flow, index, limits, capture="" if flow.live else LOADED)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            blank = Datagram(b"", id=f"{flow.id}.{index + 1}", place=index + 1)
            return replace(crashed(blank, error, self.configuration.context), number=self.number(flow))
        if datagram is None:
            return None
        return (yield from self._judged(flow, datagram, remember=remember))

    def inspected(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> Steps[Report | None]:
        """Take the steps to the report of a flow, None for one that is not MSK."""
        if not isinstance(flow, http.HTTPFlow):
            return None
        limits = limits or self.configuration.limits
        try:
            if is_foreign(flow):
                return None
            capture = "" if flow.live else LOADED
            options = {"host_rewritten": _host_rewritten(flow), "capture": capture}
            exchange: Exchange | None = yield partial(msk_exchange_of, flow, limits, **options)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            exchange = Exchange(Request("", "", "", 0, ""), id=str(flow.id))
            return replace(crashed(exchange, error, self.configuration.context), number=self.number(flow))
        if exchange is None:
            return None
        return (yield from self._judged(flow, exchange, remember=remember))

    def _judged(self, flow: Flow, event: Event, *, remember: bool) -> Steps[Report]:
        self.configuration = refreshed(self.configuration)
        context = self.faulting.context if event.faults else self.configuration.context
        return (yield from self.judged(flow, event, context, remember=remember))

    def judged(self, flow: Flow, event: Event, context: Context, *, remember: bool) -> Steps[Report]:
        """Take the steps to the report of an event: read it, give it its place in the session, ask the rules.

        The order in the session is the one in which exchanges have been read. Those that take long are overtaken.
        """
        step = context.event(event)
        yield partial(prepare, step)
        report = place(step, context, remember=remember) or (yield partial(judge, step, context))
        report = self.configuration.baseline.applied(report)
        report.number = self.number(flow)
        return report

    def tell(self, flow: Flow, report: Report, *, counts: bool = True) -> Report:
        """Mark a flow and log what was found; one that counts goes into the report files, too.

        Return the report that was logged: another one if this report could not be logged.
        """
        return Handling(self.tell_in_steps(flow, report, counts=counts)).finish()

    def tell_in_steps(
        self, flow: Flow, report: Report, *, counts: bool = True, came: Report | None = None
    ) -> Steps[Report]:
        """Do the same in steps; `came` is the report, logged before, of the same exchange without its faults."""
        present = partial(self._present, counts, came)
        report, (redactor, exchange_text, streamed, record) = yield partial(presented, report, present)
        try:
            self._mark(flow, report, redactor)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            logger.warning("ltkm: a flow could not be marked: %s", crash_of(error))
        is_faulted = bool(report.event.faults)  # the user asked for these findings, so they are no warning
        level = logging.INFO if report.worst is Level.OFF or is_faulted else logging.WARNING
        is_shown = True
        if exchange_text is not None and counts:
            exchange_text = self.flood.limited(exchange_text, self.configuration, self.files.complete_name)
            is_shown = exchange_text is not None and not exchange_text.left_out
        if exchange_text is not None:
            for line in exchange_text.lines if came is None else exchange_text.finding_lines:
                logger.log(level, "%s", line)
        if streamed and is_shown:  # a finding says so, too
            logger.warning(
                "ltkm: %s: the body was streamed, so it was not checked; raise stream_large_bodies, "
                "or keep such bodies with --set store_streamed_bodies=true",
                streamed,
            )
        if isinstance(flow, http.HTTPFlow) and takes_long(flow) and is_wanted():
            with suppress(Exception):  # the view will say so itself
                self.renderings[flow] = yield partial(render, flow, report, redactor, self.configuration)
        if record:  # last, so that the caller counts it before another event ends the file
            warn(self.files.write(record, stays=came is not None))
        return report

    def _mark(self, flow: Flow, report: Report, redactor: Redactor) -> None:
        """Mark a flow; of a UDP flow, what is found in one message comes to what was found in those before it."""
        if not isinstance(report.event, Datagram):
            mark(flow, report, redactor)
            return
        place, before = report.event.place, self._places.get(flow, 0)
        mark_datagram(flow, report, redactor, adds=0 < before < place)
        self._places[flow] = place

    def _present(
        self, counts: bool, came: Report | None, report: Report
    ) -> tuple[Redactor, text.ExchangeText | None, str, str]:
        """Return the redactor and the text of a report, what was streamed past, and its record, where it has these."""
        event, keys = report.event, self.configuration.keys
        redactor = self.configuration.redactor(event, report)
        exchange_text = text.exchange_text(report, redactor, keys) if self.configuration.logs(report) else None
        if came is not None and exchange_text is not None:  # below the line that says what was changed
            exchange_text = exchange_text.after(text.exchange_text(came, redactor, keys))
        response = event.response if isinstance(event, Exchange) else None
        streamed = response is not None and response.body is None and event.error is None
        record = ""
        if counts and self.files.names:
            record = event_line(report, keys=keys, redactor=redactor, for_page=self.files.has_page)
        return redactor, exchange_text, text.flow_of(report, redactor) if streamed else "", record


def _host_rewritten(flow: http.HTTPFlow) -> bool | None:
    """Tell what the options say of Host in a flow: replaced, left alone, or None where the flow itself must tell."""
    if flow.live:
        return False if configuration.keeps_host(ctx.options) else None
    return True if configuration.loads_with_upstream(ctx.options) else None


def warn(lines: Iterable[str]) -> None:
    """Log lines as warnings of this addon."""
    for line in lines:
        logger.warning("ltkm: %s", line)
