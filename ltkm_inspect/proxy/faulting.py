"""Puts faults into live responses as the options order it, and tells what was done."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mitmproxy import http
from mitmproxy.log import ALERT

from ltkm_inspect.context import Context
from ltkm_inspect.engine import prepare
from ltkm_inspect.engine.handling import Steps
from ltkm_inspect.fault import FaultError
from ltkm_inspect.finding import shorten
from ltkm_inspect.inspecting import Presentation, Sessions
from ltkm_inspect.mitm.change import change_line, write_change
from ltkm_inspect.mitm.marking import FAULTED, clear_faults
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.output.redactor import Redactor
from ltkm_inspect.output.unmatched import unmatched_orders
from ltkm_inspect.proxy.configuration import Configuration
from ltkm_inspect.proxy.holder import Wait
from ltkm_inspect.proxy.replays import Replays
from ltkm_inspect.report.text import count
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rewriting.recording import reaches_back
from ltkm_inspect.rewriting.rewriter import Change
from ltkm_inspect.traffic import Exchange

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResponseChange:
    """What is done to one response."""

    change: Change | None = None
    delay: float = 0.0
    """Seconds for which it is held back."""


NOTHING = ResponseChange()
LATE = "it was not inspected in time, so it has gone on as it came"


class Faulting:
    """What is ordered now, and what became of it; it goes on, whatever other options change."""

    def __init__(
        self, sessions: Sessions, part: Callable[[], None], configuration: Callable[[], Configuration]
    ) -> None:
        """Take the sessions, what sets them apart, and a function that returns what the options ask for."""
        self.rewriting = FlowRewriter(Orders())
        self._configuration = configuration
        self._replays = Replays()
        self._sessions = sessions
        self._part = part
        self._loaded = 0
        """How many MSK exchanges were loaded, so that nothing could be done to them."""

    @property
    def orders(self) -> Orders:
        """The faults, the delay and the selectors in use."""
        return self.rewriting.orders

    def use(self, rewriting: FlowRewriter, idle: tuple[str, str] | None = None) -> None:
        """Use this rewriting from now on; log its faults, and the results of the one before.

        `idle` is an option that means nothing as long as there is no fault, and why.
        """
        if rewriting is self.rewriting:
            return
        for line in self.lines():
            logger.info("%s", line)
        self.rewriting, self._loaded = rewriting, 0
        if rewriting.orders.faults:
            self._part()
        for line in self._announced(rewriting.orders):
            logger.log(ALERT, "ltkm: %s", line)  # so that the console shows it
        if idle is not None:
            logger.warning("ltkm: ltkm_%s: %s", *idle)

    @property
    def context(self) -> Context:
        """The context for what terminals got."""
        return replace(self._configuration().context, session=self._sessions.got)

    def look_at_replays(self, chain: Any) -> None:
        """Take note of the faults in the flows that mitmproxy has at hand for its server replay."""
        self._replays.look(chain.get("serverplayback"))

    def renew(self, flow: http.HTTPFlow) -> None:
        """Set right what a replayed flow says of the faults in it, before it is looked at.

        A client replay uses the saved flow again, whose response is a new one; a server replay hands on the response
        without what was written on its flow.
        """
        if not flow.live:
            return
        if flow.is_replay == "request":
            clear_faults(flow)
        elif flow.response is not None and self._replays.recognise(flow):
            self._part()

    def hit(self, flow: http.HTTPFlow, exchange: Exchange, came: Presentation, wait: Wait) -> Steps[ResponseChange]:
        """Take the steps to change a response, of which this was told as it came, unless it has gone on already."""
        rewriting = self.rewriting
        if rewriting.orders.are_idle:
            return NOTHING
        self._loaded += not flow.live
        if not flow.live or flow.error is not None or flow.response is None:
            return NOTHING
        if exchange.faults and (flow.is_replay == "response" or flow.metadata.get(FAULTED)):  # not an edited request
            self._left(came, "the replayed response already has faults", logging.INFO)
            return NOTHING
        yield partial(prepare, self.context.event(exchange))  # what faults look for is in there
        if not rewriting.orders.faults:
            rewriting.exchanges += 1
            is_due = rewriting.selects(flow, exchange) and rewriting.is_due(exchange)
            return ResponseChange(None, rewriting.orders.delay) if is_due else NOTHING
        rewriting.context = self.context
        redactor = yield partial(self._configuration().wording.redactor, exchange)

        def require_sendable(change: Change) -> None:
            if wait.is_over:
                raise FaultError(LATE)
            _require_sendable(change)

        try:
            change = yield from rewriting.change_in_steps(flow, exchange, require_sendable)
        except FaultError as error:
            # a fault that found nothing is information; a response that cannot be changed at all is a warning
            level = logging.INFO if str(error).startswith("fault ") else logging.WARNING
            self._left(came, self.hidden(str(error)), level)
            return NOTHING
        if change is None:
            return NOTHING
        write_change(flow, change, came.marks, redactor)  # at once, before it can be late
        if self._configuration().log != "summary":
            yield from self._tell(change, came.number, redactor)
        return ResponseChange(change, rewriting.orders.delay)

    def tell(self, change: Change, number: int) -> Steps[None]:
        """Log what was changed in the flow of that number, and what no longer fits."""
        redactor = yield partial(self._configuration().wording.redactor, change.before)
        yield from self._tell(change, number, redactor)

    def _tell(self, change: Change, number: int, redactor: Redactor) -> Steps[None]:
        line = yield partial(change_line, change, number, redactor)
        logger.log(logging.WARNING if change.injection.unsealed else logging.INFO, "%s", line)

    def lines(self) -> Iterator[str]:
        """Yield how often faults were put in, the summary first; nothing if there are no faults."""
        rewriting, orders = self.rewriting, self.orders
        if orders.are_idle:
            return
        start = f"faults: {self._named(orders)} put into" if orders.faults else "faults: none; delayed"
        if not rewriting.exchanges:
            yield f"{start} nothing: {self._why_nothing()}"
            return
        selected = count(rewriting.selected, "selected MSK exchange")
        rest = [f"{rewriting.passed} not due"] if rewriting.passed else []
        rest += [f"{rewriting.left.total()} unchanged"] if rewriting.left else []
        yield f"{start} {rewriting.hit} of {selected}{f' ({", ".join(rest)})' if rest else ''}"
        for line in (rewriting.idleness, *rewriting.reasons(), *rewriting.warnings()):
            if line:
                yield f"faults: {self.hidden(line)}"
        for name, line in unmatched_orders(rewriting, self._configuration().wording):
            yield f"faults: ltkm_fault_{name}: {line}"

    def _why_nothing(self) -> str:
        """Return why there was no live MSK exchange, and what to do."""
        if not self._loaded:
            return "no live MSK exchange was seen that can be affected"
        loaded = count(self._loaded, "MSK exchange")
        fault = self._named(self.orders) if len(self.orders.faults) == 1 else "FAULT"
        return f"{loaded} loaded from a file; faults only go into live traffic: use ltkm-inspect fault {fault} IN OUT"

    def hidden(self, text: str) -> str:
        """Return a text for the log that belongs to no exchange."""
        return self._configuration().wording.text(text)

    def _announced(self, orders: Orders) -> Iterator[str]:
        """Yield which faults will be put in, and remarks about them."""
        often = "" if orders.when.kind == "always" else f" ({orders.when}, counted per {orders.terminal_by})"
        if orders.faults:
            yield f"faults will be put into live MSK responses: {self._named(orders)}{often}"
        if orders.delay:
            yield f"live MSK responses will be delayed by {orders.delay:g} s{often}"
        for fault in orders.faults:
            yield from fault.remarks
        for terminal in orders.terminals:
            if terminal.address and not orders.are_idle:
                shown = self._shown("fault_terminal", terminal.text)
                yield f"{shown} is a client address; behind NAT, several terminals may share it"

    def _left(self, came: Presentation, why: str, level: int) -> None:
        """Log why an exchange is unchanged."""
        if self._configuration().log != "summary":
            logger.log(level, "ltkm: %s unchanged: %s", came.flow, why)

    def _named(self, orders: Orders) -> str:
        """Return the faults for the log."""
        return shorten(self.hidden(orders.names))

    def _shown(self, option: str, text: str) -> str:
        """Return a selector for the log."""
        wording = self._configuration().wording
        if wording.redaction is None or option == "fault_msk":
            return shorten(text)
        return wording.terminal(text) if option == "fault_terminal" else "(not shown)"


def _require_sendable(change: Change) -> None:
    """Raise FaultError for a change that cannot be made any more when the response passes."""
    before, after = change.before, change.after
    assert isinstance(before, Exchange)  # live faults go into responses only
    assert isinstance(after, Exchange)
    names = ", ".join(fault.fault.id for fault in change.faults)
    if reaches_back(before, after):
        raise FaultError(f"fault {names}: damages the request, which the server has already answered")
    if after.response is None:
        raise FaultError(f"fault {names}: removes the response")
    over_http_1 = before.request.http_version.upper().startswith("HTTP/1")
    if over_http_1 and after.response.trailers.fields:
        raise FaultError(f"fault {names}: mitmproxy does not send trailers over HTTP/1")
