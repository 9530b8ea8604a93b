"""The addon that `mitmdump -s` runs: every MSK exchange is inspected, told about in the log and marked."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, cast
from weakref import WeakKeyDictionary

from mitmproxy import contentviews, ctx, exceptions, http, types
from mitmproxy.addonmanager import Loader
from mitmproxy.flow import Flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.log import ALERT

from ltkm_inspect import __version__
from ltkm_inspect.engine import inspect, plan
from ltkm_inspect.exchange import Limits
from ltkm_inspect.finding import Level, Report, shorten
from ltkm_inspect.keys import RingFile
from ltkm_inspect.options import SHOWS_KEYS, OptionError
from ltkm_inspect.proxy import configuration
from ltkm_inspect.proxy.commands import FaultCommands
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.exit_status import ExitStatus
from ltkm_inspect.proxy.exporting import Exporting
from ltkm_inspect.proxy.faulting import Faulting
from ltkm_inspect.proxy.flows import exchange_of, is_foreign
from ltkm_inspect.proxy.log_events import spare_events
from ltkm_inspect.proxy.marking import mark
from ltkm_inspect.proxy.view import LtkmView
from ltkm_inspect.report import jsonl, text
from ltkm_inspect.report.export import Manner
from ltkm_inspect.report.files import ReportFiles
from ltkm_inspect.report.plain import to_json
from ltkm_inspect.report.redaction import Veil
from ltkm_inspect.report.summary import Summary
from ltkm_inspect.session import Session
from ltkm_inspect.wire import crash_of, printable

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
        self._files = ReportFiles()
        self._began = time.time()
        self._started = False
        # The response that was counted for a flow: a flow with an error beside its response fires a second hook.
        self._counted: WeakKeyDictionary[Flow, http.Response | None] = WeakKeyDictionary()

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
        contentviews.add(LtkmView(lambda: self.configuration))
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
            failed = self._files.use(wanted.reports, self._run_line(wanted))
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
    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange that ended with a response, and do to it what is ordered."""
        self._counted[flow] = flow.response
        return self._handle(flow)

    @_guarded
    def update(self, flows: Sequence[Flow]) -> None:
        """Look at what is there to be replayed, when mitmproxy says that this changed: it then names no flow."""
        if not flows:
            self.faulting.look_at_replays(ctx.master.addons)

    @_guarded
    def error(self, flow: http.HTTPFlow) -> None:
        """Inspect an exchange that ended in an error, unless its response was inspected already."""
        if flow.response is None or self._counted.get(flow) is not flow.response:
            self._handle(flow)

    @_guarded
    def done(self) -> None:
        """Tell the summary of the run and close the report files."""
        if not self._started:
            return
        self._started = False
        self.summary.forgotten = self._session.forgotten
        for line in (*self.summary.lines(), *self.faulting.lines()):
            logger.info("%s", line)
        redaction = self.configuration.redaction
        last = (jsonl.session_record(self._session, redaction), jsonl.summary_record(self.summary))
        _warn(self._files.finish(map(to_json, last)))

    def check(self, flows: Sequence[Flow]) -> None:
        """Check flows again, or for the first time where they were loaded without being processed."""
        reports = [(flow, report) for flow in flows if (report := self._inspect(flow)) is not None]
        for flow, report in reports:
            self._tell(flow, report, counts=False)
        logger.info("ltkm: %s of %d flows checked", text.count(len(reports), "MSK exchange"), len(flows))
        ctx.master.addons.trigger(UpdateHook([flow for flow, _ in reports]))

    def findings(self, flows: Sequence[Flow]) -> types.Data:
        """Show the findings and notes of flows as a table."""
        rows = [["flow", "rule", "place", "what"]]  # few columns: the console makes them all equally wide
        for flow in flows:
            report = self._inspect(flow, remember=False)
            if report is None:
                continue
            veil = self.configuration.veil(report.exchange).text
            asked = veil(shorten(report.exchange.request.url.partition("?")[0]))
            for finding in (*report.findings, *report.notes):
                rows.append([asked, f"{finding.level.word} {finding.rule}", str(finding.place), veil(finding.text)])
        return cast(types.Data, rows)

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

    def _handle(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Inspect an exchange as it came, then as it goes on where faults are put in; return what is to be awaited."""
        if flow.is_replay is not None:
            self.faulting.renew(flow)
        if is_foreign(flow):
            self.summary.other()
            return None
        report = self._inspect(flow)
        if report is None:
            self.summary.other()
            return None
        self.summary.add(report)
        self._tell(flow, report)
        hit = self.faulting.hit(flow, report.exchange)
        if hit.change is not None:
            self.faulting.write(flow, hit.change, report)
            goes_on = replace(hit.change.after, faults=hit.change.names)
            report = inspect(goes_on, self.faulting.context, remember=False)
            self.summary.add_faulted(report)
            self._tell(flow, report)
        self.faulting.remember(report.exchange)
        return asyncio.sleep(hit.delay) if hit.delay else None

    def _run_line(self, wanted: Configuration) -> str:
        """Return the record that a report begins with."""
        sources = configuration.sources(ctx.options)
        return to_json(jsonl.run_record(sources, wanted.options, wanted.redaction, started=self._began))

    def _with_session(self, configuration: Configuration) -> Configuration:
        """Return the configuration with the session of this run, which goes on whatever options change."""
        return replace(configuration, context=replace(configuration.context, session=self._session))

    def _in_full(self, flow: Flow) -> Report | None:
        """Return the report of a flow whatever its size, None for one that is not MSK; nothing is remembered of it."""
        return self._inspect(flow, Limits(), remember=False)

    def _inspect(self, flow: Flow, limits: Limits | None = None, *, remember: bool = True) -> Report | None:
        """Return the report of a flow, None for one that is not MSK."""
        if not isinstance(flow, http.HTTPFlow) or is_foreign(flow):
            return None
        limits = limits or self.configuration.limits
        exchange = exchange_of(flow, limits, host_rewritten=_host_rewritten(flow))
        if not exchange.is_msk:
            return None
        if self.configuration.ring_file is not None:
            self._refresh_keys(self.configuration.ring_file)
        context = self.faulting.context if exchange.faults else self.configuration.context
        return inspect(exchange, context, remember=remember)

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

    def _tell(self, flow: Flow, report: Report, *, counts: bool = True) -> None:
        """Mark a flow and log what was found; one that counts goes into the report files, too."""
        veil = self.configuration.veil(report.exchange)
        mark(flow, report, veil)
        self._log(report, veil)
        if counts and self._files.names:
            _warn(self._files.write(jsonl.exchange_line(report, keys=self.configuration.keys, veil=veil)))

    def _log(self, report: Report, veil: Veil) -> None:
        put_in = bool(report.exchange.faults)  # asked for, and so nothing to be warned of
        level = logging.INFO if report.worst is Level.OFF or put_in else logging.WARNING
        for line in (*text.lines(report), *self.configuration.keys.lines(report)):
            logger.log(level, "%s", veil.text(line))
        exchange = report.exchange
        if exchange.response is not None and exchange.response.body is None and exchange.error is None:
            logger.warning(
                "ltkm: the body of %s was streamed past, so it was not checked; raise stream_large_bodies, "
                "or keep such bodies with --set store_streamed_bodies=true",
                veil.text(text.asked(exchange)),
            )


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
