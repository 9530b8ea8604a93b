"""Puts the ordered faults into one exchange after another, and counts what happened to each."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ltkm_inspect.context import Context
from ltkm_inspect.engine import Injection, injected
from ltkm_inspect.engine.handling import Steps
from ltkm_inspect.engine.sealing import UnsealedPart
from ltkm_inspect.fault import Application, FaultError
from ltkm_inspect.finding import count
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rewriting.schedule import Schedule
from ltkm_inspect.selection import SelectionMatches
from ltkm_inspect.session import Session, TerminalIdentity
from ltkm_inspect.traffic import Datagram, Event
from ltkm_inspect.wire import crash_of

MOST_REASONS = 5
"""How many of the reasons why exchanges were left unchanged are listed."""


@dataclass(frozen=True, slots=True)
class Change:
    """An exchange before and after faults were put into it."""

    faults: tuple[Application, ...]
    injection: Injection[Event]

    @property
    def before(self) -> Event:
        """The exchange before the faults."""
        return self.injection.before

    @property
    def after(self) -> Event:
        """The exchange with the faults."""
        return self.injection.after

    @property
    def names(self) -> tuple[str, ...]:
        """All faults in the exchange, including earlier ones, as typed."""
        return (*self.before.faults, *map(str, self.faults))


class Rewriter:
    """Puts the ordered faults into one exchange after another, and counts what happened to each.

    A fault that repeats something of an earlier exchange repeats it as the terminal got it, with the earlier faults.
    """

    def __init__(
        self, orders: Orders, context: Context | None = None, passes_filter: Callable[[Any], bool] | None = None
    ) -> None:
        """Take the orders, and the function that applies their filter to a flow; None without a filter."""
        self.orders = orders
        context = context or Context()
        self.context = replace(context, session=Session(context.settings.session))
        """Its session remembers exchanges as the terminals got them."""
        self.flows = 0
        self.others = 0
        """The number of flows without an MSK exchange or datagram."""
        self.exchanges = 0
        """The number of MSK exchanges and datagrams."""
        self._noun = "MSK exchange"
        """What these are; `event` once a datagram is among them."""
        self.selected = 0
        """The number of MSK exchanges that the selectors match."""
        self.passed = 0
        """The number of selected exchanges that were not due."""
        self.hit = 0
        """The number of selected exchanges that were changed or, without a fault, delayed."""
        self.changed = 0
        """The number of flows that were changed."""
        self.left: Counter[str] = Counter()
        """The number of selected exchanges that could not be changed, by the reason."""
        self.crashed = 0
        """The number of exchanges that could not be changed because the program failed."""
        self.unsealed: Counter[UnsealedPart] = Counter()
        """The number of exchanges in which a part was not recomputed, by the part and the reason."""
        self.remarks: Counter[str] = Counter()
        """The number of exchanges that each further remark is about."""
        self._passes_filter = passes_filter
        self.matches = SelectionMatches()
        self.filtered = 0
        """The number of MSK exchanges that match the filter."""
        self._schedule = Schedule(orders.when, terminal=orders.terminal_by)

    def change_in_steps(
        self, flow: Any, event: Event, allow: Callable[[Change], None] = lambda _: None
    ) -> Steps[Change | None]:
        """Put the faults into an MSK exchange or datagram, in steps; return None if it is not selected or not due.

        The flow is not changed. Raises FaultError if the exchange is due and cannot be changed; `allow` raises it for a
        change that must not be made. Other exchanges may have their turn between the steps.
        """
        self.exchanges += 1
        if isinstance(event, Datagram):
            self._noun = "event"
        try:
            return (yield from self._due_change(flow, event, allow))
        except FaultError as error:
            self.left[str(error)] += 1
            raise
        except Exception as error:  # a fault may fail on a hostile flow, but the next flows must still be handled
            reason = f"fault {self.orders.names}: {crash_of(error)}"
            self.left[reason] += 1
            self.crashed += 1
            raise FaultError(reason) from error

    def _due_change(self, flow: Any, event: Event, allow: Callable[[Change], None]) -> Steps[Change | None]:
        if not self.selects(flow, event):
            return None
        if self._schedule.turn(event).is_over:
            self.passed += 1
            return None
        change: Change = yield partial(self._changed, event, self.context)
        allow(change)
        turn = self._schedule.turn(event)  # other exchanges may have been counted meanwhile
        self._schedule.count(turn)
        if not turn.is_hit:
            self.passed += 1
            return None
        self.hit += 1
        self.unsealed.update(change.injection.unsealed)
        self.remarks.update(change.injection.remarks)
        return change

    def is_due(self, event: Event) -> bool:
        """Count a selected exchange that is only delayed, and tell whether it is due."""
        turn = self._schedule.turn(event)
        self._schedule.count(turn)
        self.hit += turn.is_hit
        self.passed += not turn.is_hit
        return turn.is_hit

    def selects(self, flow: Any, event: Event) -> bool:
        """Tell whether the orders select an event, and count which selectors matched."""
        selected, events = True, self.orders.events
        if not events.takes_all:
            subscriber = event.subscriber_in(self.context.keys)
            identity = TerminalIdentity(
                self.orders.terminal_by.key(event), "" if subscriber is None else subscriber.name
            )
            selected = self.matches.add(events, event, identity)
        if self._passes_filter is not None:
            passes = bool(self._passes_filter(flow))
            self.filtered += passes
            selected = selected and passes
        self.selected += selected
        return selected

    def remember(self, event: Event) -> None:
        """Remember an exchange as it is forwarded; later faults may repeat parts of it."""
        assert self.context.session is not None
        with suppress(Exception):  # nothing of such a hostile exchange can be repeated later
            self.context.session.take(event)

    def _changed(self, event: Event, context: Context) -> Change:
        faults = self.orders.faults
        change = Change(faults, injected(event, faults, context, self.orders.selection))
        if self.orders.refuses_unsigned and change.injection.breaks_digest:
            raise FaultError(UNSIGNED)
        return change

    @property
    def failed(self) -> bool:
        """There were MSK exchanges, and none of them was changed."""
        return bool(self.exchanges) and not self.hit

    @property
    def idleness(self) -> str:
        """Why no exchange was changed, if neither a single selector nor the exchanges explain it; else empty."""
        if not self.exchanges or self.hit:
            return ""
        if not self.selected:
            unmatched = self.matches.unmatched(self.orders.events) or (self.orders.filter and not self.filtered)
            return "" if unmatched else f"no {self._noun} matches all selectors at once"
        if self.passed:
            most = count(self._schedule.most, "response")
            return (
                f"no {self._noun} was due ({self.orders.when}): no terminal got more than {most} that can be affected"
            )
        return ""

    @property
    def reason(self) -> str:
        """Why no exchange was changed, the most frequent reason; empty if one was."""
        if not self.exchanges or self.hit:
            return ""
        if self.idleness or not self.selected:
            return self.idleness or f"no {self._noun} is selected"
        return next((reason for reason, _ in self.left.most_common(1)), "")

    def reasons(self) -> Iterator[str]:
        """Yield why exchanges were left unchanged, the most frequent reason first."""
        for reason, number in self.left.most_common(MOST_REASONS):
            yield f"unchanged: {count(number, self._noun)}: {reason}"
        if len(self.left) > MOST_REASONS:
            yield f"unchanged: {count(len(self.left) - MOST_REASONS, 'more reason')}"

    def lines(self) -> Iterator[str]:
        """Yield the remarks, why exchanges were left unchanged, and how many flows were changed."""
        for remark, number in self.remarks.most_common(MOST_REASONS):
            yield f"{count(number, self._noun.removeprefix('MSK '))}: {remark}"
        yield from self.reasons()
        has_datagrams = self._noun == "event"
        parts = (
            (0 if has_datagrams else self.others, "was not an MSK exchange", "were not MSK exchanges"),
            (self.exchanges - self.selected, "was not selected", "were not selected"),
            (self.passed, "was not due", "were not due"),
            (self.left.total(), "could not be changed", "could not be changed"),
        )
        rest = [f"{number} {one if number == 1 else many}" for number, one, many in parts if number]
        flows = f"{self.changed} of {count(self.flows, 'flow')}"
        events = f"{self.hit} of {count(self.exchanges, self._noun)} changed, in {flows}"
        changed = events if has_datagrams else f"{flows} changed"
        yield f"{changed}{f' ({", ".join(rest)})' if rest else ''}"

    def warnings(self) -> Iterator[str]:
        """Yield a line for each part that was not recomputed, with the reason."""
        for part, number in self.unsealed.most_common(MOST_REASONS):
            yield f"{count(number, self._noun.removeprefix('MSK '))}: {part}"


UNSIGNED = "the digest cannot be recomputed, and such responses are not changed (unsigned=refuse)"
"""Why a response is left unchanged if it must not have a wrong digest."""
