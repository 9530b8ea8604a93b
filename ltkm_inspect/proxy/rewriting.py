"""Puts a fault into saved flows, one by one, and writes them to a file that stands under its name only when whole."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowWriter

from ltkm_inspect.context import Context
from ltkm_inspect.engine.injection import inject
from ltkm_inspect.exchange import Exchange, Response
from ltkm_inspect.fault import Application, FaultError
from ltkm_inspect.finding import shorten
from ltkm_inspect.mikey import Kemac
from ltkm_inspect.proxy.flows import update
from ltkm_inspect.proxy.marking import mark_faults
from ltkm_inspect.report.text import answered, asked, count
from ltkm_inspect.report.whole import Whole
from ltkm_inspect.session import Session

MOST_REASONS = 5
"""How many reasons for which exchanges were left as they are get a line."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a fault made of an exchange."""

    application: Application
    before: Exchange
    after: Exchange

    @property
    def line(self) -> str:
        """The change as one line, safe to print."""
        what = ", ".join(_differences(self.before, self.after))
        exchange = f"{asked(self.before)} -> {answered(self.before)}"
        return f"fault {shorten(str(self.application))}: {exchange}: {self.application.fault.subject}: {what}"

    @property
    def unsealed(self) -> list[str]:
        """What would have to be made anew with a key and was not: MAC, digest."""
        leaves = self.application.fault.leaves
        unsealed = []
        if "mac" not in leaves and _keeps_mac(self.before, self.after):
            unsealed.append("MAC")
        if "digest" not in leaves and _keeps_digest(self.before.response, self.after.response):
            unsealed.append("digest")
        return unsealed


class Rewriting:
    """Applies one fault to flow after flow, and counts what became of them.

    A fault that repeats something of an earlier exchange repeats it as that was left here: as its terminal got it.
    """

    def __init__(self, application: Application, context: Context | None = None) -> None:
        self.application = application
        self.flows = 0
        self.exchanges = 0
        """How many of the flows were MSK exchanges."""
        self.changed = 0
        self.left: Counter[str] = Counter()
        """The MSK exchanges that were left as they are, by the reason."""
        self.unsealed: Counter[str] = Counter()
        """Exchanges in which something was not made anew for want of a key, by what: MAC, digest."""
        self._context = replace(context or Context(), session=Session())

    def apply(self, flow: Flow, exchange: Exchange | None) -> Change | None:
        """Put the fault into a flow, where that is an MSK exchange with something to damage; return what changed."""
        self.flows += 1
        if exchange is None or not isinstance(flow, HTTPFlow):
            return None
        self.exchanges += 1
        change = None
        try:
            change = self._apply(flow, exchange)
        except FaultError as error:
            self.left[str(error)] += 1
        except Exception as error:  # whatever a fault makes of a hostile flow, the others are still to come
            self.left[f"fault {self.application.fault.id}: {type(error).__name__}"] += 1
        else:
            self.changed += 1
            self.unsealed.update(change.unsealed)
        self.remember(exchange if change is None else change.after)
        return change

    def remember(self, exchange: Exchange) -> None:
        """Take note of an exchange as it goes by; faults may repeat what was in it."""
        assert self._context.session is not None
        with suppress(Exception):  # a hostile exchange is none that a later one could repeat
            self._context.session.take(exchange)

    def _apply(self, flow: HTTPFlow, exchange: Exchange) -> Change:
        _require_changeable(exchange)
        after = inject(exchange, [self.application], self._context)
        change = Change(self.application, exchange, after)
        if not any(_differences(exchange, after)):
            raise FaultError(f"fault {self.application.fault.id}: it changes nothing here")
        update(flow, exchange, after)
        faults = [*exchange.faults, str(self.application)]
        mark_faults(flow, faults, _sha256(exchange.response), _sha256(after.response))
        return change

    @property
    def failed(self) -> bool:
        """There were MSK exchanges, and the fault could be put into none of them."""
        return bool(self.exchanges) and not self.changed

    @property
    def reason(self) -> str:
        """Why most of the exchanges were left as they are that were."""
        return next((reason for reason, _ in self.left.most_common(1)), "")

    def lines(self) -> Iterator[str]:
        """Yield why exchanges were left as they are, and how many flows were changed."""
        for reason, number in self.left.most_common(MOST_REASONS):
            yield f"left as it was: {count(number, 'MSK exchange')}: {reason}"
        if len(self.left) > MOST_REASONS:
            yield f"left as it was: and {len(self.left) - MOST_REASONS} more reasons"
        others, left = self.flows - self.exchanges, self.left.total()
        rest = [f"{others} {'was' if others == 1 else 'were'} not MSK"] if others else []
        rest += [f"{left} {'was left as it was' if left == 1 else 'were left as they were'}"] if left else []
        yield f"{self.changed} of {count(self.flows, 'flow')} changed{f' ({", ".join(rest)})' if rest else ''}"

    @property
    def warning(self) -> str:
        """What was not made anew for want of keys, in one line; empty where nothing had to be."""
        if not self.unsealed:
            return ""
        said = " and ".join(f"{word}s in {count(self.unsealed[word], 'exchange')}" for word in sorted(self.unsealed))
        why = "no key of the ring fits" if self._context.keys else "no keys are known"
        return f"{why}, so these were left as they were: {said}"


class Target(Whole):
    """A flow file in the making."""

    def __enter__(self) -> Self:
        """Begin the file; OSError where the folder or a file of that name cannot be written."""
        super().__enter__()
        self._writer: Any = FlowWriter(self.file)  # type: ignore[no-untyped-call]
        return self

    def add(self, flow: Flow) -> None:
        """Write a flow behind the others."""
        self._writer.add(flow)


def _require_changeable(exchange: Exchange) -> None:
    """Raise FaultError for an exchange whose response cannot be changed without breaking more than was asked for."""
    if exchange.response is None:
        raise FaultError("the exchange has no response")
    if not exchange.may_have_body:
        raise FaultError("a response to HEAD, or with a status like 204, has no body")
    if exchange.response.body is None:
        raise FaultError("the body of the response was not captured")
    if exchange.content is not None and exchange.content.problem is not None:
        raise FaultError("the content coding of the response cannot be undone")


def _differences(before: Exchange, after: Exchange) -> Iterator[str]:
    """Yield what differs, in the order of an exchange; wire text is left out."""
    if before.connection != after.connection:
        yield "connection"
    for name, said in _ASKED.items():
        if getattr(before.request, name) != getattr(after.request, name):
            yield f"request {said}"
    if before.request.body != after.request.body:
        yield f"request body {_sizes(before.request.body, after.request.body)}"
    first, second = before.response, after.response
    if first is None or second is None:
        if first is not second:
            yield "response taken away" if second is None else "response added"
        return
    if (first.status, first.reason) != (second.status, second.reason):
        yield f"status {first.status} to {second.status}" if first.status != second.status else "reason phrase"
    if first.http_version != second.http_version:
        yield "HTTP version"
    if _other_fields(first, second):
        yield "header fields"
    if first.trailers != second.trailers:
        yield "trailer fields"
    if first.body != second.body:
        yield f"body {_sizes(first.body, second.body)}"


_ASKED = {
    "method": "method",
    "scheme": "scheme",
    "host": "host",
    "port": "port",
    "target": "target",
    "http_version": "HTTP version",
    "headers": "header fields",
    "trailers": "trailer fields",
}


def _other_fields(before: Response, after: Response) -> bool:
    """Tell whether header fields differ, but for the length where it only follows the body."""
    if before.body == after.body:
        return before.headers != after.headers
    return before.headers.without("Content-Length") != after.headers.without("Content-Length")


def _sizes(before: bytes | None, after: bytes | None) -> str:
    return f"from {len(before or b'')} to {len(after or b'')} octets"


def _sha256(response: Response | None) -> str | None:
    return None if response is None or response.body is None else hashlib.sha256(response.body).hexdigest()


def _keeps_mac(before: Exchange, after: Exchange) -> bool:
    """Tell whether a message that was changed still has the MAC of one before."""
    old, new = _macs(before), _macs(after)
    macs = set(old.values())
    return any(octets not in old and mac in macs for octets, mac in new.items())


def _macs(exchange: Exchange) -> dict[bytes, bytes]:
    """Return the MAC of every message that decodes and has one, by the octets of the message."""
    found: dict[bytes, bytes] = {}
    for ltkm in exchange.document.ltkms if exchange.document else ():
        if ltkm.octets and ltkm.message is not None and ltkm.message.problem is None:
            found.update((ltkm.octets, kemac.mac) for kemac in ltkm.message.of(Kemac) if kemac.mac)
    return found


def _keeps_digest(before: Response | None, after: Response | None) -> bool:
    """Tell whether a response whose body was changed still has the digest over its former body."""
    if before is None or after is None or before.body == after.body:
        return False
    info = after.authentication_info
    return info is not None and "rspauth" in info.lower() and info == before.authentication_info
