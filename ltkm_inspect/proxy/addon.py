"""The addon that `mitmdump -s` runs: every MSK exchange is inspected, told about in the log and marked."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from typing import Any, cast
from weakref import WeakKeyDictionary

from mitmproxy import connection, contentviews, ctx, dns, exceptions, http, tcp, types, udp
from mitmproxy.addonmanager import Loader
from mitmproxy.flow import Flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.log import ALERT

from ltkm_inspect import __version__
from ltkm_inspect.context import Context
from ltkm_inspect.engine import crashed, judge, place, plan, prepare, presented
from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.export import Manner
from ltkm_inspect.finding import Level, Report
from ltkm_inspect.keys import RingFile
from ltkm_inspect.mitm.flows import exchange_of, is_foreign
from ltkm_inspect.mitm.marking import mark
from ltkm_inspect.mitm.size import takes_long
from ltkm_inspect.options import SHOWS_KEYS, OptionError
from ltkm_inspect.output.json_line import to_json
from ltkm_inspect.output.redaction import Redactor
from ltkm_inspect.proxy import configuration
from ltkm_inspect.proxy.commands import FaultCommands
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.exit_status import ExitStatus
from ltkm_inspect.proxy.exporting import Exporting
from ltkm_inspect.proxy.faulting import Faulting
from ltkm_inspect.proxy.log_events import spare_events
from ltkm_inspect.proxy.pending import PendingRequests
from ltkm_inspect.proxy.rendering import Rendering, is_wanted, render, rows
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import Session
from ltkm_inspect.traffic import Exchange, Limits, Request
from ltkm_inspect.wire import crash_of, printable

LOADED = "loaded"
"""The capture that all flows are from which are no live traffic."""

logger = logging.getLogger(__name__)


def _guarded[**P, R](hook: Callable[P, R]) -> Callable[P, R | None]:
    """Make a hook that cannot raise: the traffic comes first, so a mistake of ours is one line of warning."""

    @wraps(hook)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            # the text of an error may hold what is not to be shown, be it a key
            logger.warning("ltkm: %s failed: %s", hook.__name__, crash_of(error))
            return None

    return guarded


class LtkmInspect:
    """Inspects MSK exchanges, whether they are live, loaded or replayed; what is forwarded it changes only if told."""

    name = "ltkm"

    def __init__(self) -> None:
        self._session = Session()
        self.configuration = self._with_session(Configuration())
        self.summary = Summary()
        self.faulting = Faulting(self._session, lambda: self.configuration)
        self._files = ReportFiles(waits=False)
        self._began = time.time()
        self._started = False
        # The response that was counted for a flow: a flow with an error beside its response fires a second hook.
        self._counted: WeakKeyDictionary[Flow, http.Response | None] = WeakKeyDictionary()
        self._renderings: WeakKeyDictionary[Flow, Rendering] = WeakKeyDictionary()
        self._pending = PendingRequests()
        self._executor = _executor()
        self._unfinished: dict[Handling[Any], None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def fail_on(self) -> Level | None:
        """The level from which findings fail the run; None for never."""
        return self.configuration.fail_on

    def load(self, loader: Loader) -> None:
        """Offer options, commands and the content view."""
        self._started = False
        configuration.offer(loader)
        loader.add_command("ltkm.check", self.check)
        loader.add_command("ltkm.findings", self.findings)
        Exporting(self._in_full, lambda: Manner(self.configuration.keys, self.configuration.redaction)).offer(loader)
        FaultCommands(self.faulting, partial(self._tell, counts=False)).offer(loader)
        contentviews.add(LtkmView(lambda: self.configuration, self._renderings))
        for line in configuration.take_deferred(ctx.options):
            logger.error(line)

    def configure(self, updated: set[str]) -> None:
        """Take the options over; raises OptionsError while running, and logs an error, which ends it, at the start."""
        if {"ltkm_fault", "stream_large_bodies"} & updated and configuration.cannot_change_streams(ctx.options):
            logger.log(ALERT, "ltkm_fault and stream_large_bodies are both on; no fault is put into a streamed body")
        if not any(name in configuration.NAMES for name in updated):
            return
        wrong = configuration.unknown(ctx.options) if not self._started else []
        try:
            wanted = configuration.read(ctx.options, self.configuration)
            idle = configuration.idle_words(wanted.rewriting.orders)
            if idle and not self._started:
                raise OptionError(*idle)
            failed = self._files.use(wanted.reports, self._run_line(wanted), private=wanted.show_keys)
        except OptionError as error:
            wrong.append(configuration.PREFIX + str(error))
        else:
            former, self.configuration = self.configuration, self._with_session(wanted)
            _tell_of_keys(former, wanted)
            _warn(failed)
            self.faulting.use(wanted.rewriting, idle)
        if wrong and self._started:
            raise exceptions.OptionsError(wrong[0])  # type: ignore[no-untyped-call]
        for line in wrong:
            logger.error(line)
        if not self._started and not wrong:
            self._start()

    def running(self) -> None:
        """Take the last place in the chain of mitmdump, for the exit status."""
        spare_events()
        chain: Any = ctx.master.addons  # mitmproxy gives it no types
        if chain.get("dumper") is not None and chain.get(ExitStatus.name) is None:
            chain.add(ExitStatus(self))

    @_guarded
    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Remember a request until it is answered, and inspect one that was loaded without answer: no hook follows."""
        self._counted.pop(flow, None)  # it is replayed
        if flow.live:
            self._pending.add(flow)
        elif flow.response is None and flow.error is None:
            return self._end(flow)
        return None

    @_guarded
    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange that ended with a response, and do to it what is ordered."""
        if flow in self._counted and self._counted[flow] is None:
            return None  # it was told without one when its connection ended
        return self._end(flow)

    @_guarded
    def update(self, flows: Sequence[Flow]) -> None:
        """Look at what is there to be replayed, when mitmproxy says that this changed: it then names no flow."""
        if not flows:
            self.faulting.look_at_replays(ctx.master.addons)

    @_guarded
    def error(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange that ended in an error, unless its response was inspected already."""
        if flow not in self._counted or self._counted[flow] is not flow.response:
            return self._end(flow)
        return None

    @_guarded
    def client_disconnected(self, client: connection.Client) -> Awaitable[Any] | None:
        """Inspect the requests of a connection that nothing has answered or ended before it was closed."""
        waits = [wait for flow in self._pending.take(client) if (wait := self._end(flow)) is not None]
        return asyncio.gather(*waits) if waits else None

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        """Count a flow that is not HTTP, as a check of the saved flows does."""
        self.summary.other()

    def udp_start(self, flow: udp.UDPFlow) -> None:
        """Count one over UDP."""
        self.summary.other()

    def dns_request(self, flow: dns.DNSFlow) -> None:
        """Count one of DNS."""
        self.summary.other()

    @_guarded
    def done(self) -> None:
        """Tell the summary of the run and close the report files."""
        if not self._started:
            return
        for flow in self._pending.take():
            self._forget(flow)
            self._finish(Handling(self._steps(flow)))
        for handling in [*self._unfinished]:
            self._finish(handling)
        self._executor.shutdown(wait=False)
        self._executor = _executor()
        self._started = False
        self.summary.forgotten = self._session.forgotten.copy()
        if self._pending.forgotten:
            waiting = text.count(self._pending.forgotten, "request")
            logger.warning("ltkm: %s waited for an answer at once; of the oldest only answers were checked", waiting)
        for line in (*self.summary.lines(), *self.faulting.lines()):
            logger.info("%s", line)
        redaction = self.configuration.redaction
        last = (jsonl.session_record(self._session, redaction), jsonl.summary_record(self.summary))
        _warn(self._files.finish(map(to_json, last)))

    def check(self, flows: Sequence[Flow]) -> None:
        """Check flows again, or for the first time where they were loaded without being processed."""
        handling = Handling(self._checked(flows))
        if any(isinstance(flow, http.HTTPFlow) and takes_long(flow) for flow in flows):
            task = asyncio.get_running_loop().create_task(self._run(handling))
            self._tasks.add(task)  # a loop itself does not keep its tasks
            task.add_done_callback(self._tasks.discard)
        else:
            handling.finish()

    def _checked(self, flows: Sequence[Flow]) -> Steps[None]:
        reports = []
        for flow in flows:
            report = yield from self._inspected(flow)
            if report is not None:
                reports.append((flow, report))
        for flow, report in reports:
            yield from self._told(flow, report, counts=False)
        logger.info("ltkm: %s of %d flows checked", text.count(len(reports), "MSK exchange"), len(flows))
        ctx.master.addons.trigger(UpdateHook([flow for flow, _ in reports]))

    def findings(self, flows: Sequence[Flow]) -> types.Data:
        """Show the findings and notes of flows as a table."""
        found = [["flow", "rule", "place", "what"]]  # few columns: the console makes them all equally wide
        for flow in flows:
            rendering = self._renderings.get(flow)
            if rendering is not None and rendering.fits(flow, self.configuration):
                found += rendering.rows
                continue
            report = self._inspect(flow, remember=False)
            if report is not None:
                found += rows(report, self.configuration.redactor(report.exchange))
        return cast(types.Data, found)

    def _start(self) -> None:
        self._started = True
        active = sum(map(len, plan(self.configuration.context.settings).values()))
        keys = self.configuration.context.keys
        of = f", keys of {text.count(len(keys.subscribers), 'subscriber')}" if keys else ""
        to = f", report to {', '.join(self._files.names)}" if self._files.names else ""
        logger.info("ltkm-inspect %s, %s active%s%s", __version__, text.count(active, "rule"), of, to)
        _warn(self._files.left)
        self.faulting.look_at_replays(ctx.master.addons)
        if configuration.forgets_host(ctx.options):
            logger.warning(
                "ltkm: in reverse mode Host becomes the address of the upstream and is not checked; "
                "--set keep_host_header=true leaves it as the terminal sent it"
            )

    def _end(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Handle a flow that has ended, or will not be answered any more; return what is to be awaited."""
        self._forget(flow)
        handling = Handling(self._steps(flow))
        # While something large is looked at, what is small must not wait for what the two have in common.
        if not handling.is_over and (self._unfinished or takes_long(flow)):
            return self._hold(handling)
        delay = handling.finish()
        return asyncio.sleep(delay) if delay else None

    async def _hold(self, handling: Handling[float]) -> None:
        await asyncio.sleep(await self._run(handling) or 0)

    def _forget(self, flow: http.HTTPFlow) -> None:
        self._pending.end(flow)
        self._counted[flow] = flow.response

    async def _run[T](self, handling: Handling[T]) -> T | None:
        """Take the steps while the event loop goes on; where this is canceled, `done` finishes them."""
        self._unfinished[handling] = None
        try:
            return await handling.run(self._executor)
        except Exception as error:  # law 1: no input makes a hook raise
            logger.warning("ltkm: a flow could not be handled: %s", crash_of(error))
            return None
        finally:
            if handling.is_over:
                self._unfinished.pop(handling, None)

    def _finish(self, handling: Handling[Any]) -> None:
        try:
            handling.finish()
        except Exception as error:
            logger.warning("ltkm: a flow could not be handled: %s", crash_of(error))
        self._unfinished.pop(handling, None)

    def _steps(self, flow: http.HTTPFlow) -> Steps[float]:
        """Inspect an exchange as it came, then as it goes on where faults are put in; return how long to hold it."""
        if flow.is_replay is not None:
            self.faulting.renew(flow)
        report = yield from self._inspected(flow)
        if report is None:
            self.summary.other()
            return 0.0
        report = yield from self._told(flow, report)
        self.summary.add(report)
        hit = yield from self.faulting.hit(flow, report.exchange)
        if hit.change is not None:
            yield from self.faulting.write(flow, hit.change, report)
            goes_on = replace(hit.change.after, faults=hit.change.names)
            report = yield from self._judged(goes_on, self.faulting.context, remember=False)
            report = yield from self._told(flow, report)
            self.summary.add_faulted(report)
        yield from self.faulting.remember(report.exchange)
        return hit.delay

    def _run_line(self, wanted: Configuration) -> str:
        """Return the record that a report begins with."""
        sources = configuration.sources(ctx.options)
        return to_json(jsonl.run_record(sources, wanted.options, wanted.redaction, started=self._began))

    def _with_session(self, configuration: Configuration) -> Configuration:
        """Give the session of this run to the configuration; it goes on, by what the options say now of its memory."""
        settings = configuration.context.settings.session
        self._session.settings = replace(settings, hash_key=self._session.settings.hash_key)
        return replace(configuration, context=replace(configuration.context, session=self._session))

    def _in_full(self, flow: Flow) -> Report | None:
        """Return the report of a flow whatever its size, None for one that is not MSK; nothing is remembered of it."""
        return self._inspect(flow, Limits(), remember=False)

    def _inspect(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> Report | None:
        """Return the report of a flow, None for one that is not MSK."""
        return Handling(self._inspected(flow, limits, remember=remember)).finish()

    def _inspected(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> Steps[Report | None]:
        """Take the steps to the report of a flow, None for one that is not MSK."""
        if not isinstance(flow, http.HTTPFlow):
            return None
        limits = limits or self.configuration.limits
        try:
            if is_foreign(flow):
                return None
            capture = "" if flow.live else LOADED
            options = {"host_rewritten": _host_rewritten(flow), "capture": capture}
            exchange: Exchange | None = yield partial(_msk_exchange_of, flow, limits, **options)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            return crashed(Exchange(Request("", "", "", 0, ""), id=str(flow.id)), error, self.configuration.context)
        if exchange is None:
            return None
        if self.configuration.ring_file is not None:
            self._refresh_keys(self.configuration.ring_file)
        context = self.faulting.context if exchange.faults else self.configuration.context
        return (yield from self._judged(exchange, context, remember=remember))

    def _judged(self, exchange: Exchange, context: Context, *, remember: bool) -> Steps[Report]:
        """Take the steps to the report of an exchange: read it, give it its place in the session, ask the rules.

        The order in the session is the one in which exchanges have been read. Those that take long are overtaken.
        """
        step = context.event(exchange)
        yield partial(prepare, step)
        return place(step, context, remember=remember) or (yield partial(judge, step, context))

    def _refresh_keys(self, ring_file: RingFile) -> None:
        """Take over a key ring file that has changed; one that cannot be used leaves the keys as they are."""
        former, warnings = ring_file.ring, ring_file.warnings
        lines = ring_file.refresh()
        if lines is None:
            return
        if ring_file.ring is former:
            for line in lines:
                logger.warning("ltkm: %s; the keys stay as they were", printable(line))
            return
        now = self.configuration
        self.configuration = replace(now, context=replace(now.context, keys=ring_file.ring))
        subscribers = text.count(len(ring_file.ring.subscribers), "subscriber")
        logger.info("ltkm: %s was read again: keys of %s", printable(str(ring_file.path)), subscribers)
        if lines != warnings:
            _warn(map(printable, lines))

    def _tell(self, flow: Flow, report: Report, *, counts: bool = True) -> Report:
        """Mark a flow and log what was found; one that counts goes into the report files, too.

        Return what was told, which is another report where the one that is given cannot be.
        """
        return Handling(self._told(flow, report, counts=counts)).finish()

    def _told(self, flow: Flow, report: Report, *, counts: bool = True) -> Steps[Report]:
        report, (redactor, lines, streamed, record) = yield partial(presented, report, partial(self._present, counts))
        try:
            mark(flow, report, redactor)
        except Exception as error:  # of a flow with fields that mitmproxy gives none
            logger.warning("ltkm: a flow could not be marked: %s", crash_of(error))
        put_in = bool(report.exchange.faults)  # asked for, and so nothing to be warned of
        level = logging.INFO if report.worst is Level.OFF or put_in else logging.WARNING
        for line in lines:
            logger.log(level, "%s", line)
        if streamed:
            logger.warning(
                "ltkm: the body of %s was streamed past, so it was not checked; raise stream_large_bodies, "
                "or keep such bodies with --set store_streamed_bodies=true",
                streamed,
            )
        if record:
            _warn(self._files.write(record))
        if isinstance(flow, http.HTTPFlow) and takes_long(flow) and is_wanted():
            with suppress(Exception):  # the view will say so itself
                self._renderings[flow] = yield partial(render, flow, report, redactor, self.configuration)
        return report

    def _present(self, counts: bool, report: Report) -> tuple[Redactor, list[str], str, str]:
        """Return the redactor and the lines of a report, what was streamed past, and its record, where it has these."""
        exchange, keys = report.exchange, self.configuration.keys
        redactor = self.configuration.redactor(exchange)
        lines = [*text.lines(report, redactor), *map(redactor.text, keys.lines(report))]
        streamed = exchange.response is not None and exchange.response.body is None and exchange.error is None
        record = jsonl.exchange_line(report, keys=keys, redactor=redactor) if counts and self._files.names else ""
        return redactor, lines, text.asked(exchange, redactor) if streamed else "", record


def _msk_exchange_of(flow: http.HTTPFlow, limits: Limits, **options: Any) -> Exchange | None:
    """Return a flow as an exchange, None where it is not MSK."""
    exchange = exchange_of(flow, limits, **options)
    return exchange if exchange.is_ours else None


def _executor() -> ThreadPoolExecutor:
    """Return what looks at large exchanges beside the event loop; more than one at once, so that none waits long."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="ltkm-inspect")


def _tell_of_keys(former: Configuration, now: Configuration) -> None:
    """Log what is to be told once of the keys that are now in use."""
    if now.ring_file is not None and now.ring_file is not former.ring_file:
        _warn(map(printable, now.ring_file.warnings))
    if now.show_keys and not former.show_keys:
        logger.warning("ltkm: ltkm_show_keys is on: %s", SHOWS_KEYS)
    if now.redaction is not None and former.redaction is None:
        logger.info("ltkm: ltkm_redact is on; mitmproxy's own lines still show addresses, unless flow_detail is 0")


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        logger.warning("ltkm: %s", line)


def _host_rewritten(flow: http.HTTPFlow) -> bool | None:
    """Tell what the options say of Host in a flow: replaced, left alone, or None where the flow itself must tell."""
    if flow.live:
        return False if configuration.keeps_host(ctx.options) else None
    return True if configuration.loads_with_upstream(ctx.options) else None


addons: Iterable[Any] = [LtkmInspect()]
