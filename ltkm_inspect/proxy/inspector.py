"""Flows to reports, and reports to log, marks and files; in steps, so that the event loop goes on."""

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http, udp
from mitmproxy.flow import Flow

from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.inspecting import (
    BOTH,
    GOT,
    SENT,
    EventInspection,
    Opening,
    Presentation,
    Sessions,
    Terms,
    present,
)
from ltkm_inspect.mitm.flows import exchange_of, is_foreign
from ltkm_inspect.mitm.marking import mark, mark_datagram
from ltkm_inspect.mitm.size import SHORT, takes_long
from ltkm_inspect.mitm.udp_flows import datagram_in
from ltkm_inspect.options.table import AUTO, INLINE
from ltkm_inspect.proxy import configuration
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.faulting import Faulting
from ltkm_inspect.proxy.flood import FloodControl
from ltkm_inspect.proxy.inspector_process import InspectorProcess
from ltkm_inspect.proxy.own_files import refreshed, tell_of_keys
from ltkm_inspect.proxy.remote_inspection import InspectorMissingError, NotInspectedError, Senders
from ltkm_inspect.proxy.rendering import Rendering, is_wanted
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.marks import Marks
from ltkm_inspect.session import EventSummary, Session
from ltkm_inspect.traffic import Datagram, Event, Exchange, Limits, Request
from ltkm_inspect.wire import crash_of

LOOKED_AT = 100
"""So many header fields of a request are looked at for the B-TID of its terminal."""
_USERNAME = re.compile(rb'username="([^"]*)"', re.IGNORECASE)
LOADED = "loaded"
"""The capture that all flows are from which are no live traffic."""

logger = logging.getLogger(__name__)


class Inspector:
    """Inspects flows by the configuration of the run, and tells what was found in log, marks and report files."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.configuration = self._with_session(Configuration())
        self.faulting = Faulting(self.sessions, self.part, lambda: self.configuration)
        self.files = ReportFiles(waits=False)
        self.renderings: WeakKeyDictionary[Flow, Rendering] = WeakKeyDictionary()
        """What is shown of large flows."""
        self._numbers: WeakKeyDictionary[Flow, int] = WeakKeyDictionary()
        self._flows = 0
        self._places: WeakKeyDictionary[Flow, int] = WeakKeyDictionary()
        """The message of each UDP flow that was marked last."""
        self.flood = FloodControl()
        self.process = InspectorProcess()
        self.is_running = False
        """mitmproxy runs, and with it the event loop that the process needs."""
        self._terms: tuple[object, Terms] = None, Terms()
        self.host_options: tuple[bool, bool] | None = None
        """What the options say of Host; None until somebody asks, and again once an option has changed."""

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
        context, session = configuration.context, self.sessions.sent
        session.settings = replace(context.settings.session, hash_key=session.settings.hash_key)
        self.sessions.got.settings = session.settings
        return replace(configuration, context=replace(context, session=session))

    @property
    def session(self) -> Session:
        """What the run has seen so far, as the server sent it."""
        return self.sessions.sent

    def inspect(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> list[Report]:
        """Return the reports of a flow: one of an MSK exchange, one of each datagram, none of any other flow."""
        return Handling(self.inspected_events(flow, limits, remember=remember)).finish()

    def inspected_events(
        self, flow: Flow, limits: Limits | None = None, *, remember: bool = True
    ) -> Steps[list[Report]]:
        """Take the steps to the same."""
        found = []
        for index in range(len(flow.messages) if isinstance(flow, udp.UDPFlow) else 1):
            report = yield from self._inspected(flow, index, limits, remember=remember)
            found += [] if report is None else [report]
        return found

    def _inspected(self, flow: Flow, index: int, limits: Limits | None, *, remember: bool) -> Steps[Report | None]:
        taken = self.taken(flow, index, limits)
        if taken is None:
            return None
        self.configuration = refreshed(self.configuration)
        return (yield from self.judged(flow, *taken, remember=remember))

    def judged(
        self, flow: Flow, event: Event, error: Exception | None = None, *, remember: bool
    ) -> Steps[Report | None]:
        """Take the steps to the report of an event in a flow; None if it is not ours.

        `error` is why it could not be read.
        """
        inspection = EventInspection(Opening(event, self.number(flow)), self.terms)
        if error is not None:
            return inspection.fail(error)
        return (yield from self._inspected_here(inspection, event, remember=remember))[1]

    def _inspected_here(
        self, inspection: EventInspection, event: Event, *, remember: bool = True
    ) -> Steps[tuple[EventSummary | None, Report | None]]:
        """Take the steps to what a session keeps of an event, and to its report, None if it is not ours.

        It is read, gets its place in the session, and is judged. The order in the session is the one in which events
        have been read. Those that take long are overtaken.
        """
        found = yield inspection.read
        if not isinstance(found, EventSummary):
            return None, cast(Report | None, found)
        try:
            before = self.sessions.before(found, is_faulted=bool(event.faults), remember=remember)
        except Exception as error:  # of an event that cannot be compared with others
            return found, inspection.fail(error)
        if remember and not event.faults and self.configuration.inspector != INLINE:
            # the inspector process remembers what was sent, too, if there is one or may be one
            self.process.follow(found, SENT if self.sessions.are_apart else BOTH)
        return found, (yield partial(inspection.judge, before))

    def taken(self, flow: Flow, index: int = 0, limits: Limits | None = None) -> tuple[Event, Exception | None] | None:
        """Return the event in a flow, and why it cannot be read; the flow has none of ours if None is returned.

        The event of a UDP flow is its message at that index. An event that cannot be read is blank.
        """
        limits, capture = limits or self.configuration.limits, "" if flow.live else LOADED
        try:
            if isinstance(flow, udp.UDPFlow):
                datagram = datagram_in(flow, index, limits, capture=capture)
                return None if datagram is None else (datagram, None)
            if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
                return None
            return exchange_of(flow, limits, host_rewritten=self.host_rewritten(flow), capture=capture), None
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            if isinstance(flow, udp.UDPFlow):
                return Datagram(b"", id=f"{flow.id}.{index + 1}", place=index + 1), error
            return Exchange(Request("", "", "", 0, ""), id=str(flow.id)), error

    def host_rewritten(self, flow: http.HTTPFlow) -> bool | None:
        """Tell what the options say of Host: replaced, left alone, or None where the flow itself must tell."""
        if self.host_options is None:
            self.host_options = configuration.keeps_host(ctx.options), configuration.loads_with_upstream(ctx.options)
        keeps_host, loads_with_upstream = self.host_options
        if flow.live:
            return False if keeps_host else None
        return True if loads_with_upstream else None

    def reported(self, flow: Flow, report: Report) -> Steps[Presentation]:
        """Take the steps to what is told of a report that goes into no report file."""
        opening = Opening(report.event, self.number(flow), counts=False, is_shown=_is_shown(flow))
        told: Presentation = yield partial(present, report, opening, self.terms)
        return told

    def presented(
        self, flow: Flow, event: Event, error: Exception | None = None, *, goes_on: bool = False
    ) -> Steps[Presentation | None]:
        """Take the steps to what is told of an event of a flow; None for one that is not ours.

        `error` is why it could not be read; `goes_on` is one that was inspected, and now has faults put in.
        """
        self.configuration = refreshed(self.configuration)
        is_large, terms = isinstance(flow, http.HTTPFlow) and takes_long(flow), self.terms
        opening = Opening(event, self.number(flow), goes_on=goes_on, is_shown=is_large and is_wanted())
        here = EventInspection(opening, terms)
        found: EventSummary | bytes | None = None
        report: Report | None
        told: Presentation | None
        if error is not None:
            report = here.fail(error)
        elif self._is_remote(flow, is_large=is_large):
            try:
                found, told = yield self.process.open(opening, terms, partial(_senders, flow), is_large=is_large)
            except NotInspectedError as lost:
                report = here.leave(lost.reason, str(lost))
            except InspectorMissingError:
                found, report = yield from self._inspected_here(here, event)
            else:
                if found and not event.faults:
                    self.sessions.follow(found, SENT if self.sessions.are_apart else BOTH)
                if told is not None:
                    told.summary = found
                return told
        else:
            found, report = yield from self._inspected_here(here, event)
        if report is None:
            return None
        told = cast(Presentation, (yield partial(present, report, opening, terms)))
        told.summary = found
        return told

    def got(self, told: Presentation) -> None:
        """Take note of what a terminal got, if that may not be what the server sent."""
        if self.sessions.are_apart and told.summary:
            self.sessions.follow(told.summary, GOT)
            self.process.follow(told.summary, GOT)

    def part(self) -> None:
        """From now on terminals may get something else than the server sends."""
        self.sessions.part()
        self.process.part()

    def _is_remote(self, flow: Flow, *, is_large: bool) -> bool:
        """Tell whether the inspector process takes an event of that flow; it is started with the first live one.

        Until it can begin, and while it is at something large, the proxy inspects by itself what is small and does not
        come after something of the same terminal, so that nobody waits for that either.
        """
        process, mode = self.process, self.configuration.inspector
        if mode == INLINE or process.is_missing or not self.is_running:
            return False
        if not process.runs:
            if not flow.live and mode == AUTO:
                return False
            process.start()
        if process.is_ready and not process.is_at_something_large:
            return True
        return is_large or process.knows(partial(_senders, flow))

    @property
    def terms(self) -> Terms:
        """What inspections go by now; the same object as long as nothing has changed."""
        made_of = self.configuration, self.configuration.baseline
        if made_of != self._terms[0]:
            self._terms = made_of, self.configuration.terms(self.files)
        return self._terms[1]

    def tell(
        self,
        flow: Flow,
        event: Event,
        told: Presentation,
        *,
        counts: bool = True,
        came: Presentation | None = None,
        is_late: bool = False,
    ) -> None:
        """Mark a flow and log what was found in an event of it; one that counts goes into the report files, too.

        `came` is what was told before of the same exchange without its faults. A late one was not inspected in time.
        """
        try:
            self._mark(flow, event, told.marks)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            logger.warning("ltkm: a flow could not be marked: %s", crash_of(error))
        # the user asked for the findings that faults cause, so they are no warning
        level = logging.INFO if told.worst is Level.OFF or event.faults else logging.WARNING
        exchange_text, is_shown = told.exchange_text, True
        if came is not None and exchange_text is not None:  # below the line that says what was changed
            exchange_text = exchange_text.after(came.exchange_text)
        if exchange_text is not None and counts:
            exchange_text = self.flood.limited(exchange_text, self.configuration, self.files.complete_name)
            is_shown = exchange_text is not None and not exchange_text.left_out
        if exchange_text is not None:
            for line in exchange_text.lines if came is None else exchange_text.finding_lines:
                logger.log(level, "%s", line)
        if told.is_streamed and is_shown:  # a finding says so, too
            logger.warning(
                "ltkm: %s: the body was streamed, so it was not checked; raise stream_large_bodies, "
                "or keep such bodies with --set store_streamed_bodies=true",
                told.flow,
            )
        if told.shown is not None and isinstance(flow, http.HTTPFlow):
            with suppress(Exception):  # the view will say so itself
                self.renderings[flow] = Rendering.of(flow, told.shown, self.configuration)
        if told.record:  # last, so that the caller counts it before another event ends the file
            record = told.record[:-1] + b',"late":true}' if is_late else told.record
            warn(self.files.write(record, stays=came is not None))

    def _mark(self, flow: Flow, event: Event, marks: Marks) -> None:
        """Mark a flow; of a UDP flow, what is found in one message comes to what was found in those before it."""
        if not isinstance(event, Datagram):
            mark(flow, marks)
            return
        place, before = event.place, self._places.get(flow, 0)
        mark_datagram(flow, marks, place, adds=0 < before < place)
        self._places[flow] = place


def _senders(flow: Flow) -> Senders:
    """Return what tells whose flow it is: its connection, and the B-TID, as far as a quick look finds one."""
    found: set[str | bytes] = {flow.client_conn.id}
    if isinstance(flow, http.HTTPFlow):
        for name, value in flow.request.headers.fields[:LOOKED_AT]:
            if name.lower() == b"authorization" and (b_tid := _USERNAME.search(value[:SHORT])) is not None:
                found.add(b_tid[1])
    return frozenset(found)


def _is_shown(flow: Flow) -> bool:
    return isinstance(flow, http.HTTPFlow) and takes_long(flow) and is_wanted()


def warn(lines: Iterable[str]) -> None:
    """Log lines as warnings of this addon."""
    for line in lines:
        logger.warning("ltkm: %s", line)
