"""The addon that `mitmdump -s` runs: inspects, logs and marks every MSK exchange."""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

from mitmproxy import connection, contentviews, ctx, dns, exceptions, http, tcp, types, udp
from mitmproxy.addonmanager import Loader
from mitmproxy.flow import Flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.log import ALERT

from ltkm_inspect import __version__
from ltkm_inspect.engine import plan, waiting_at_end
from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.finding import Report
from ltkm_inspect.inspecting import rows
from ltkm_inspect.mitm.flows import is_foreign
from ltkm_inspect.mitm.marking import clear
from ltkm_inspect.mitm.size import takes_long
from ltkm_inspect.options.table import INLINE
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.output.console import INCOMPLETE, OK
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.proxy import configuration
from ltkm_inspect.proxy.commands import FlowCommands
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.console import equip
from ltkm_inspect.proxy.editor import Drafts
from ltkm_inspect.proxy.exit_status import ExitStatus
from ltkm_inspect.proxy.faulting import Faulting
from ltkm_inspect.proxy.guard import guarded
from ltkm_inspect.proxy.holder import Holder, Wait
from ltkm_inspect.proxy.inspector import Inspector, warn
from ltkm_inspect.proxy.log_events import spare_events
from ltkm_inspect.proxy.monitor import Monitor
from ltkm_inspect.proxy.pending import PendingRequests
from ltkm_inspect.proxy.udp_flows import UdpFlows
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.traffic import Datagram, Exchange, events_text

logger = logging.getLogger(__name__)


class LtkmInspect:
    """Inspects MSK exchanges, live, loaded or replayed; it changes forwarded traffic only for faults."""

    name = "ltkm"

    def __init__(self) -> None:
        self.inspector = Inspector()
        self.monitor = Monitor(self.inspector)
        self.addons = [self.monitor]  # mitmproxy calls its hooks after those of this addon
        self.inspector.files.outlive_files(self._summary_so_far)
        self._began = time.time()
        self._started = False
        # The response that was counted for a flow: a flow with an error beside its response fires a second hook.
        self._counted: WeakKeyDictionary[Flow, http.Response | None] = WeakKeyDictionary()
        self._udp_flows = UdpFlows(self.inspector, self.monitor)
        self._pending = PendingRequests()
        self._drafts = Drafts()
        self._is_reloaded = False
        """An inspector process ran when the script was unloaded."""
        self._holder = Holder()

    @property
    def configuration(self) -> Configuration:
        """What the options ask for."""
        return self.inspector.configuration

    @property
    def summary(self) -> Summary:
        """What the run has seen so far."""
        return self.monitor.summary

    @property
    def faulting(self) -> Faulting:
        """What puts faults into responses."""
        return self.inspector.faulting

    def load(self, loader: Loader) -> None:
        """Offer options, commands and the content view."""
        self._started = False
        configuration.offer(loader)
        loader.add_command("ltkm.check", self.check)
        loader.add_command("ltkm.findings", self.findings)
        inspector = self.inspector
        FlowCommands(inspector, self._handle).offer(loader)
        contentviews.add(LtkmView(lambda: self.configuration, inspector.renderings, self._drafts, inspector.number))
        for line in configuration.take_deferred(ctx.options):
            logger.error(line)

    def configure(self, updated: set[str]) -> None:
        """Take the options over; raises OptionsError while running, and logs an error, which ends it, at the start."""
        self.inspector.host_options = None
        if {"ltkm_fault", "stream_large_bodies"} & updated and configuration.cannot_change_streams(ctx.options):
            logger.log(ALERT, "ltkm_fault and stream_large_bodies are both set: streamed bodies get no faults")
        if not any(name in configuration.NAMES for name in updated):
            return
        wrong = configuration.unknown(ctx.options) if not self._started else []
        try:
            wanted = configuration.read(ctx.options, self.configuration)
            idle = configuration.idle_words(wanted.rewriting.orders)
            if idle and not self._started:
                raise OptionError(*idle)
            failed = self.inspector.files.use(wanted.reports, self._run_record(wanted), private=wanted.show_keys)
        except OptionError as error:
            wrong.append(configuration.PREFIX + str(error))
        else:
            self.inspector.take_over(wanted)
            warn(failed)
            self.faulting.use(wanted.rewriting, idle)
            self.monitor.use(wanted.summary_every, wanted.metrics)
        if wrong and self._started:
            raise exceptions.OptionsError(wrong[0])  # type: ignore[no-untyped-call]
        for line in wrong:
            logger.error(line)
        if not self._started and not wrong:
            self._start()

    def running(self) -> None:
        """Equip the console, and take the last place in the chain of mitmdump, for the exit status."""
        self.inspector.is_running = True
        spare_events()
        # What is loaded by now stays. A full collection that goes over it holds the event loop for 50 ms or more.
        if not gc.get_freeze_count():
            gc.collect()
            gc.freeze()
        equip(ctx.master, self._drafts, bindings=ctx.options.ltkm_bindings)
        chain: Any = ctx.master.addons  # mitmproxy gives it no types
        if chain.get("dumper") is not None and chain.get(ExitStatus.name) is None:
            chain.add(ExitStatus(self._exit_status))

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Number a flow when mitmproxy lists it."""
        self.inspector.number(flow)
        self.monitor.sends(flow.client_conn)  # each hook of an addon costs more than what is done in it

    @guarded
    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Remember a request until it is answered, and inspect one that was loaded without answer: no hook follows."""
        self._counted.pop(flow, None)  # it is replayed
        if flow.live:
            self._pending.add(flow)
        elif flow.response is None and flow.error is None:
            return self._end(flow)
        return None

    @guarded
    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange that ended with a response, and do to it what is ordered."""
        if flow in self._counted and self._counted[flow] is None:
            return None  # it was reported without one when its connection ended
        return self._end(flow)

    @guarded
    def update(self, flows: Sequence[Flow]) -> None:
        """Look at what is there to be replayed, when mitmproxy says that this changed: it then names no flow."""
        if not flows:
            self.faulting.look_at_replays(ctx.master.addons)

    @guarded
    def error(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange that ended in an error, unless its response was inspected already."""
        if flow not in self._counted or self._counted[flow] is not flow.response:
            return self._end(flow)
        return None

    @guarded
    def client_disconnected(self, client: connection.Client) -> Awaitable[Any] | None:
        """Inspect the requests of a connection that nothing has answered or ended before it was closed."""
        waits = [wait for flow in self._pending.take(client) if (wait := self._end(flow)) is not None]
        return asyncio.gather(*waits) if waits else None

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """Count a flow that is not HTTP, as a check of the saved flows does."""
        self._count_other(flow)

    def udp_start(self, flow: udp.UDPFlow) -> None:
        """Number a UDP flow when mitmproxy lists it."""
        self._udp_flows.start(flow)

    @guarded
    def udp_message(self, flow: udp.UDPFlow) -> Awaitable[None] | None:
        """Inspect the latest message of a UDP flow."""
        wait = Wait()
        handling = Handling(self._udp_flows.take(flow, wait))
        if handling.asks:
            return self._hold(handling, flow, wait)
        self._holder.finish(handling)
        return None

    def udp_end(self, flow: udp.UDPFlow) -> None:
        """Count a UDP flow without a datagram of ours."""
        self._udp_flows.end(flow)

    def udp_error(self, flow: udp.UDPFlow) -> None:
        """Count one that ended in an error, too."""
        self._udp_flows.end(flow)

    def dns_request(self, flow: dns.DNSFlow) -> None:
        """Count one of DNS."""
        self._count_other(flow)

    def _count_other(self, flow: Flow) -> None:
        self.inspector.number(flow)
        self.monitor.other(flow)

    @guarded
    def done(self) -> None:
        """Log the summary of the run and close the report files."""
        if not self._started:
            return
        self.inspector.process.hurry()
        for flow in self._pending.take():
            self._forget(flow)
            self._holder.finish(Handling(self._steps(flow, Wait())))
        self._holder.finish_all()
        self._is_reloaded = self.inspector.process.runs
        self.inspector.process.stop()
        self._udp_flows.finish()
        self._started = False
        self.monitor.finish()
        self._summary_so_far().waiting = waiting_at_end(self.configuration.context)
        if self._pending.forgotten:
            waiting = text.count(self._pending.forgotten, "request")
            logger.warning("ltkm: too many unanswered requests: the oldest (%s) were only checked if answered", waiting)
        flood = self.inspector.flood.lines(self.inspector.files.complete_name)
        for line in (*self.summary.lines(), *self.faulting.lines(), *flood):
            logger.info("%s", line)
        session = jsonl.session_record(self.inspector.session, self.configuration.wording)
        warn(self.inspector.files.finish([to_json(session)]))

    def check(self, flows: Sequence[Flow]) -> None:
        """Check flows, also those that were checked or loaded before."""
        self._handle(flows, self._checked(flows))

    def _handle(self, flows: Sequence[Flow], steps: Steps[None]) -> None:
        """Take the steps of a command with flows: at once, or beside the event loop where one of them is large."""
        handling = Handling(steps)
        if any(isinstance(flow, http.HTTPFlow) and takes_long(flow) for flow in flows):
            self._holder.run(handling)
        else:
            handling.finish()

    def _checked(self, flows: Sequence[Flow]) -> Steps[None]:
        reports: list[tuple[Flow, Report]] = []
        for flow in flows:
            reports += [(flow, report) for report in (yield from self.inspector.inspected_events(flow))]
        for flow, report in reports:
            told = yield from self.inspector.reported(flow, report)
            self.inspector.tell(flow, report.event, told, counts=False)
        of = text.count(len(flows), "flow")
        datagrams = sum(isinstance(report.event, Datagram) for _, report in reports)
        logger.info("ltkm: checked %s in %s", events_text(len(reports) - datagrams, datagrams), of)
        ctx.master.addons.trigger(UpdateHook([*dict.fromkeys(flow for flow, _ in reports)]))

    def findings(self, flows: Sequence[Flow]) -> types.Data:
        """Show the findings and notes of flows as a table."""
        found = [["flow", "rule", "place", "what"]]  # few columns: the console makes them all equally wide
        for flow in flows:
            rendering = self.inspector.renderings.get(flow)
            if rendering is not None and rendering.fits(flow, self.configuration):
                found += rendering.texts.rows
                continue
            for report in self.inspector.inspect(flow, remember=False):
                found += rows(report, self.configuration.wording.redactor(report.event, report))
        return cast(types.Data, found)

    def _exit_status(self) -> int:
        fail_on = self.configuration.fail_on
        if fail_on is None:
            return OK
        return INCOMPLETE if self.summary.crashed else self.summary.exit_code(fail_on)

    def _start(self) -> None:
        self._started = True
        active = sum(map(len, plan(self.configuration.context.settings).values()))
        keys = self.configuration.context.keys
        of = f", keys of {text.count(len(keys.subscribers), 'subscriber')}" if keys else ""
        to = f", report to {', '.join(self.inspector.files.names)}" if self.inspector.files.names else ""
        of += f", {text.count(len(names), 'name')}" if (names := self.configuration.wording.names) else ""
        accepted = len(self.configuration.baseline.entries)
        of += f", baseline of {accepted} {'entry' if accepted == 1 else 'entries'}" if accepted else ""
        inspector = self.configuration.inspector
        of += f", inspector {inspector}" if inspector == INLINE else f", inspector process ({inspector})"
        if self._is_reloaded and inspector != INLINE:
            self.inspector.process.start()
        logger.info("ltkm-inspect %s, %s active%s%s", __version__, text.count(active, "rule"), of, to)
        whole = "is of the whole run, and written when it ends; only JSON Lines begin another file"
        warn([*self.inspector.files.left, *(f"report {name} {whole}" for name in self.inspector.files.fixed_names)])
        self.faulting.look_at_replays(ctx.master.addons)
        if configuration.forgets_host(ctx.options):
            logger.warning(
                "ltkm: reverse mode replaces Host, so it is not checked; "
                "--set keep_host_header=true keeps the one that the terminal sent"
            )

    def _end(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Handle a flow that has ended, or will not be answered any more; return what is to be awaited."""
        self._forget(flow)
        if flow.is_replay is None and _is_surely_foreign(flow):
            self.monitor.other(flow)
            return None
        wait = Wait()
        handling = Handling(self._steps(flow, wait))
        # While something large is looked at, what is small must not wait for what the two have in common.
        if not handling.is_over and (handling.asks or self._holder.is_busy or takes_long(flow)):
            return self._hold(handling, flow, wait)
        delay = handling.finish()
        return asyncio.sleep(delay) if delay else None

    async def _hold(self, handling: Handling[Any], flow: Flow, wait: Wait) -> None:
        seconds = self.configuration.deadline if flow.live else None  # nobody waits for one that is loaded
        await self._holder.hold(handling, wait, seconds, partial(self.monitor.late, flow))
        _refresh(flow)  # what lists it has looked at it before

    def _forget(self, flow: http.HTTPFlow) -> None:
        self._pending.end(flow)
        self._counted[flow] = flow.response

    def _steps(self, flow: http.HTTPFlow, wait: Wait) -> Steps[float]:
        """Inspect an exchange as it came, then as it goes on where faults are put in; return how long to hold it."""
        began, inspector = time.perf_counter(), self.inspector
        if flow.is_replay is not None:
            self.faulting.renew(flow)
        taken = inspector.taken(flow)
        told = None if taken is None else (yield from inspector.presented(flow, *taken))
        if taken is None or told is None:
            if wait.is_over:
                clear(flow)
            self.monitor.other(flow)
            return 0.0
        exchange = taken[0]
        assert isinstance(exchange, Exchange)
        inspector.tell(flow, exchange, told, is_late=wait.is_over)
        self.monitor.add(exchange, told)
        hit = yield from self.faulting.hit(flow, exchange, told, wait)
        if hit.change is not None:
            goes_on = replace(hit.change.after, faults=hit.change.names)
            came, told = told, (yield from inspector.presented(flow, goes_on, goes_on=True))
            assert told is not None
            inspector.tell(flow, goes_on, told, came=came)
            self.summary.add_counts(told.tally)
        inspector.got(told)
        self.monitor.took(time.perf_counter() - began)
        if wait.is_over:
            _refresh(flow)
        return hit.delay

    def _run_record(self, wanted: Configuration) -> jsonl.Record:
        """Return the record that a report begins with."""
        sources = configuration.sources(ctx.options)
        return jsonl.run_record(sources, wanted.options, wanted.wording.redaction, started=self._began)

    def _summary_so_far(self) -> Summary:
        """Return what was counted so far."""
        self.summary.forgotten = self.inspector.session.forgotten.copy()
        self.summary.baseline = self.configuration.baseline_records(self.summary.matched)
        return self.summary


def _is_surely_foreign(flow: http.HTTPFlow) -> bool:
    try:
        return is_foreign(flow)
    except Exception:  # a flow with fields that mitmproxy gives none: its inspection says so
        return False


def _refresh(flow: Flow) -> None:
    """Let the console and mitmweb show what was written on a flow."""
    chain: Any = ctx.master.addons  # mitmproxy gives it no types
    if chain.get("view") is not None:
        chain.trigger(UpdateHook([flow]))


addons: Iterable[Any] = [LtkmInspect()]
