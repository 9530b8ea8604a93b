"""Puts faults into exchange after exchange as they were ordered, and counts what became of each."""

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
from ltkm_inspect.traffic import Exchange
from ltkm_inspect.wire import crash_of

MOST_REASONS = 5
"""How many reasons for which exchanges were left as they are get a line."""


@dataclass(frozen=True, slots=True)
class Change:
    """What faults made of an exchange."""

    faults: tuple[Application, ...]
    injection: Injection[Exchange]

    @property
    def before(self) -> Exchange:
        """The exchange as it was."""
        return self.injection.before

    @property
    def after(self) -> Exchange:
        """The exchange as it is now."""
        return self.injection.after

    @property
    def names(self) -> tuple[str, ...]:
        """All faults that are in the exchange now, as typed."""
        return (*self.before.faults, *map(str, self.faults))


class Rewriter:
    """Puts faults into exchange after exchange, as ordered, and counts what became of them.

    A fault that repeats something of an earlier exchange repeats it as that was left here: as its terminal got it.
    """

    def __init__(
        self, orders: Orders, context: Context | None = None, passes_filter: Callable[[Any], bool] | None = None
    ) -> None:
        """Take the orders, and what the filter in them says of a flow; None without a filter."""
        self.orders = orders
        context = context or Context()
        self.context = replace(context, session=Session(context.settings.session))
        """The session in it is of what terminals got."""
        self.flows = 0
        self.exchanges = 0
        """How many of the flows were MSK exchanges."""
        self.selected = 0
        """How many of those the selectors take."""
        self.passed = 0
        """How many of those were not hit, because others were to be."""
        self.hit = 0
        """How many of those were: changed, or with no fault ordered only held back."""
        self.left: Counter[str] = Counter()
        """The selected exchanges that were left as they are, by the reason."""
        self.crashed = 0
        """How many of those the program failed on."""
        self.unsealed: Counter[UnsealedPart] = Counter()
        """Exchanges in which something was not made anew, by what and why."""
        self.remarks: Counter[str] = Counter()
        """What there is to tell besides, by how many exchanges it is about."""
        self._passes_filter = passes_filter
        self.matches = SelectionMatches()
        self.filtered = 0
        """How many of the MSK exchanges match the filter."""
        self._schedule = Schedule(orders.when, terminal=orders.told_by)

    def change_in_steps(
        self, flow: Any, exchange: Exchange, allow: Callable[[Change], None] = lambda _: None
    ) -> Steps[Change | None]:
        """Take the steps to what is to be changed in an MSK exchange, None where it is not meant; the flow stays.

        Raises FaultError where it is meant and cannot be changed. `allow` does so for a change that must not be. While
        the faults are put in, other exchanges may pass and have their turn.
        """
        self.exchanges += 1
        try:
            return (yield from self._due_change(flow, exchange, allow))
        except FaultError as error:
            self.left[str(error)] += 1
            raise
        except Exception as error:  # whatever a fault makes of a hostile flow, the others are still to come
            reason = f"fault {self.orders.names}: {crash_of(error)}"
            self.left[reason] += 1
            self.crashed += 1
            raise FaultError(reason) from error

    def _due_change(self, flow: Any, exchange: Exchange, allow: Callable[[Change], None]) -> Steps[Change | None]:
        if not self.selects(flow, exchange):
            return None
        if self._schedule.turn(exchange).is_over:
            self.passed += 1
            return None
        change: Change = yield partial(self._changed, exchange, self.context)
        allow(change)
        turn = self._schedule.turn(exchange)  # others may have had theirs meanwhile
        self._schedule.count(turn)
        if not turn.is_hit:
            self.passed += 1
            return None
        self.hit += 1
        self.unsealed.update(change.injection.unsealed)
        self.remarks.update(change.injection.remarks)
        return change

    def is_due(self, exchange: Exchange) -> bool:
        """Count a selected exchange that nothing is to be changed in, and tell whether it is its turn."""
        turn = self._schedule.turn(exchange)
        self._schedule.count(turn)
        self.hit += turn.is_hit
        self.passed += not turn.is_hit
        return turn.is_hit

    def selects(self, flow: Any, exchange: Exchange) -> bool:
        """Tell whether an MSK exchange is one that the faults are for, and take note of what matched."""
        selected, events = True, self.orders.events
        if not events.takes_all:
            subscriber = self.context.keys.find_by_credentials(exchange.authorization)
            told = TerminalIdentity(self.orders.told_by.key(exchange), "" if subscriber is None else subscriber.name)
            selected = self.matches.add(events, exchange, told)
        if self._passes_filter is not None:
            passes = bool(self._passes_filter(flow))
            self.filtered += passes
            selected = selected and passes
        self.selected += selected
        return selected

    def remember(self, exchange: Exchange) -> None:
        """Take note of an exchange as it goes by; faults may repeat what was in it."""
        assert self.context.session is not None
        with suppress(Exception):  # a hostile exchange is none that a later one could repeat
            self.context.session.take(exchange)

    def _changed(self, exchange: Exchange, context: Context) -> Change:
        faults = self.orders.faults
        change = Change(faults, injected(exchange, faults, context, self.orders.selection))
        if self.orders.refuses_unsigned and change.injection.breaks_digest:
            raise FaultError(UNSIGNED)
        return change

    @property
    def failed(self) -> bool:
        """There were MSK exchanges, and the faults could be put into none of them."""
        return bool(self.exchanges) and not self.hit

    @property
    def idleness(self) -> str:
        """Why nothing was done to any exchange, where neither a selector alone nor the exchanges say it; else empty."""
        if not self.exchanges or self.hit:
            return ""
        if not self.selected:
            unmatched = self.matches.unmatched(self.orders.events) or (self.orders.filter and not self.filtered)
            return "" if unmatched else "no MSK exchange matches all selectors at once"
        if self.passed:
            most = count(self._schedule.most, "response")
            return (
                f"no MSK exchange was due ({self.orders.when}): no terminal got more than {most} that can be affected"
            )
        return ""

    @property
    def reason(self) -> str:
        """Why nothing was done to any exchange, or to most of them; empty where something was."""
        if not self.exchanges or self.hit:
            return ""
        if self.idleness or not self.selected:
            return self.idleness or "no MSK exchange is selected"
        return next((reason for reason, _ in self.left.most_common(1)), "")

    def reasons(self) -> Iterator[str]:
        """Yield why exchanges were left as they are, the most frequent reason first."""
        for reason, number in self.left.most_common(MOST_REASONS):
            yield f"unchanged: {count(number, 'MSK exchange')}: {reason}"
        if len(self.left) > MOST_REASONS:
            yield f"unchanged: {count(len(self.left) - MOST_REASONS, 'more reason')}"

    def lines(self) -> Iterator[str]:
        """Yield what is remarkable, why exchanges were left as they are, and how many flows were changed."""
        for remark, number in self.remarks.most_common(MOST_REASONS):
            yield f"{count(number, 'exchange')}: {remark}"
        yield from self.reasons()
        parts = (
            (self.flows - self.exchanges, "was not an MSK exchange", "were not MSK exchanges"),
            (self.exchanges - self.selected, "was not selected", "were not selected"),
            (self.passed, "was not due", "were not due"),
            (self.left.total(), "could not be changed", "could not be changed"),
        )
        rest = [f"{number} {one if number == 1 else many}" for number, one, many in parts if number]
        yield f"{self.hit} of {count(self.flows, 'flow')} changed{f' ({", ".join(rest)})' if rest else ''}"

    def warnings(self) -> Iterator[str]:
        """Yield what was not made anew, and why, in a line each."""
        for part, number in self.unsealed.most_common(MOST_REASONS):
            yield f"{count(number, 'exchange')}: {part}"


UNSIGNED = "the digest cannot be recomputed, and such responses are not changed (unsigned=refuse)"
"""Why a response is left as it was that is not to go out with a wrong digest."""
