"""Puts faults into flow after flow as they were ordered."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from mitmproxy import flowfilter
from mitmproxy.flow import Flow

from ltkm_inspect.context import Context
from ltkm_inspect.engine.handling import Handling, Steps
from ltkm_inspect.fault import FaultError
from ltkm_inspect.mitm.change import write_change
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.rewriting.rewriter import Change, Rewriter
from ltkm_inspect.traffic import Event
from ltkm_inspect.wire import printable

type Filter = Callable[[Flow], bool]


def parse_filter(text: str) -> Filter | None:
    """Return what a filter expression of mitmproxy means, None for an empty one; OptionError where it means nothing."""
    if not text:
        return None
    try:
        found: Filter = flowfilter.parse(text)
    except ValueError:
        expected = "expected a mitmproxy filter expression, such as ~d bmsc.example"
        raise OptionError("fault_filter", f"{expected}, got {printable(text)}") from None
    return found


class FlowRewriter(Rewriter):
    """Puts faults into flow after flow; OptionError for a filter that means nothing."""

    def __init__(self, orders: Orders, context: Context | None = None) -> None:
        super().__init__(orders, context, parse_filter(orders.filter))

    def apply(self, flow: Flow, events: Sequence[Event]) -> list[Change]:
        """Put the faults into the events of a flow that have something to damage; return what changed."""
        return Handling(self.apply_in_steps(flow, events)).finish()

    def apply_in_steps(self, flow: Flow, events: Sequence[Event]) -> Steps[list[Change]]:
        """Do the same in steps."""
        self.flows += 1
        self.others += not events
        changes = []
        for event in events:
            change = None
            with suppress(FaultError):
                change = yield from self.change_in_steps(flow, event)
            if change is not None:
                write_change(flow, change)
                changes.append(change)
            yield partial(self.remember, event if change is None else change.after)
        self.changed += bool(changes)
        return changes
