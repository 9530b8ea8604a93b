"""The commands that put faults into flows by name, take them back, and export LTKMs: in the console, and in mitmweb."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from mitmproxy import command, ctx, exceptions, types
from mitmproxy.addonmanager import Loader
from mitmproxy.flow import Flow
from mitmproxy.hooks import UpdateHook
from mitmproxy.log import ALERT

from ltkm_inspect import catalogue
from ltkm_inspect.engine.handling import Steps
from ltkm_inspect.export.entry import Manner
from ltkm_inspect.export.run import Export, ExportError
from ltkm_inspect.fault import FAULTS
from ltkm_inspect.finding import shorten
from ltkm_inspect.mitm.flows import FAULT
from ltkm_inspect.mitm.rewriting import FlowRewriter
from ltkm_inspect.mitm.sources import READERS
from ltkm_inspect.mitm.udp_flows import events_of
from ltkm_inspect.options.faults import orders
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.options.words import OptionError
from ltkm_inspect.proxy.inspector import Inspector
from ltkm_inspect.report.text import count
from ltkm_inspect.rewriting.orders import Orders
from ltkm_inspect.traffic import Limits
from ltkm_inspect.wire import printable

logger = logging.getLogger(__name__)

_FORMATS = "ltkm.export.formats"
INJECT, STRIP = "inject-ltkm", "strip-ltkm"
SOURCES = {".flow": "flow", ".har": "flow", ".toml": "synthetic"}
"""What a file holds that `ltkm.inject` is given, by the end of its name; any other holds LTKMs."""


class FaultName(str):
    """A fault with its parameters, as an argument of a command."""

    __slots__ = ()


class SourceName(str):
    """Where an LTKM comes from, as an argument of a command."""

    __slots__ = ()


class FlowCommands:
    """The commands `ltkm.fault`, `ltkm.strip`, `ltkm.inject`, `ltkm.revert`, `ltkm.faults` and `ltkm.export`."""

    def __init__(self, inspector: Inspector, handle: Callable[[Sequence[Flow], Steps[None]], None]) -> None:
        """Take what marks a flow and logs what is found in it, and what takes steps with flows."""
        self._inspector = inspector
        self._handle = handle
        self._faulting = inspector.faulting

    def offer(self, loader: Loader) -> None:
        """Add the commands to mitmproxy."""
        for kind in (_FaultType(), _SourceType()):
            types.CommandTypes.typemap[kind.typ] = kind  # so that the console completes them
        for name in ("fault", "strip", "inject", "revert", "faults", "export"):
            loader.add_command(f"ltkm.{name}", getattr(self, name))
        loader.add_command(_FORMATS, self.formats)

    def fault(self, flows: Sequence[Flow], fault: FaultName, *more: FaultName) -> None:
        """Put faults into flows, in this order, typed as in ltkm_fault: strip-ltkm, shorten-rand:octets=8."""
        self._handle(flows, self._put(flows, _ordered([fault, *more])))

    def strip(self, flows: Sequence[Flow], msk: str = "") -> None:
        """Remove the LTKMs from responses: all, or those of one MSK, typed as in ltkm_fault_msk."""
        self._handle(flows, self._put(flows, _ordered([f"{STRIP}:all=true"], [msk] if msk else [])))

    def inject(self, flows: Sequence[Flow], source: SourceName) -> None:
        """Add an LTKM to responses: base64, a file, a flow file, a TOML file, or previous."""
        self._handle(flows, self._put(flows, _ordered([f"{INJECT}:{_source(source)}"])))

    def revert(self, flows: Sequence[Flow]) -> None:
        """Revert flows to what they were before their faults."""
        faulted = [flow for flow in flows if flow.metadata.get(FAULT)]
        kept = [flow for flow in faulted if flow.modified()]  # type: ignore[no-untyped-call]
        if not kept:
            why = "no flow has a backup" if faulted else "no flow has a fault"
            raise exceptions.CommandError(f"nothing reverted: {why}")
        for flow in kept:
            flow.revert()  # type: ignore[no-untyped-call]
        ctx.master.addons.trigger(UpdateHook(kept))
        logger.log(ALERT, "ltkm: reverted %s", count(len(kept), "flow"))

    def faults(self) -> types.Data:
        """Show every fault as a table."""
        catalogue.load()
        rows = [["fault", "damages", "takes", "what it does"]]
        for fault in FAULTS.values():
            takes = ",".join(f"{parameter.name}={parameter.shown}" for parameter in fault.parameters)
            rows.append([fault.id, fault.subject, takes, fault.title])
        return cast(types.Data, rows)

    def formats(self) -> Sequence[str]:
        """List the formats of ltkm.export."""
        return EXPORT_FORMATS

    @command.argument("format", type=types.Choice(_FORMATS))  # type: ignore[no-untyped-call, untyped-decorator]
    @command.argument("path", type=types.Path)  # type: ignore[no-untyped-call, untyped-decorator]
    def export(self, format: str, path: str, flows: Sequence[Flow]) -> None:
        """Write the LTKMs of flows to a file; for xml, their documents to a folder."""
        try:
            configuration = self._inspector.configuration
            with Export(format, Path(path), Manner(configuration.keys, configuration.wording)) as run:
                for flow in flows:
                    for report in self._inspector.inspect(flow, Limits(), remember=False):
                        run.add(report)
                run.finish()
        except ExportError as error:
            raise exceptions.CommandError(str(error)) from error
        except OSError as error:
            raise exceptions.CommandError(f"{printable(path)}: {error.strerror or error}") from error
        for line in run.warnings():
            logger.warning("ltkm: %s", line)
        if not run.written:
            raise exceptions.CommandError(run.nothing)
        logger.log(ALERT, "ltkm: %s to %s", run.summary, printable(path))

    def _put(self, flows: Sequence[Flow], orders: Orders) -> Steps[None]:
        context = self._faulting.context
        # what is done here to the session of the run is done to a copy: the flows may never have passed
        rewriting = FlowRewriter(orders, context)
        rewriting.context = replace(context, session=context.session.copy() if context.session else None)
        changed: list[Flow] = []
        for flow in flows:
            events = yield partial(events_of, flow)
            changes = yield from rewriting.apply_in_steps(flow, events)
            for change in changes:
                yield from self._faulting.tell(change, self._inspector.number(flow))
                after = replace(change.after, faults=change.names)
                report = yield from self._inspector.judged(flow, after, remember=False)
                assert report is not None  # what faults were put into is ours
                self._inspector.tell(flow, after, (yield from self._inspector.reported(flow, report)), counts=False)
            if changes:
                changed.append(flow)
        if not changed:
            raise exceptions.CommandError(f"nothing changed: {rewriting.reason or 'no flow is an MSK exchange'}")
        ctx.master.addons.trigger(UpdateHook(changed))
        of = count(len(flows), "flow")
        hidden = self._faulting.hidden
        logger.log(ALERT, "ltkm: fault %s put into %d of %s", shorten(hidden(orders.names)), len(changed), of)
        for line in rewriting.reasons():
            logger.warning("ltkm: %s", hidden(line))


def _ordered(faults: Sequence[str], msks: Sequence[str] = ()) -> Orders:
    """Return the orders that are typed as arguments; CommandError in one line where they mean nothing."""
    try:
        return orders(READERS, fault=faults, fault_msk=msks)
    except OptionError as error:
        raise exceptions.CommandError(error.reason) from None


def _source(text: str) -> str:
    """Return the parameters of `inject-ltkm` for a source: as they are, or for a file, `previous` or base64."""
    name = text.partition("=")[0]
    if any(parameter.name == name for parameter in FAULTS[INJECT].accepted if name != text):
        return text
    if text.partition(",")[0] == "previous":
        return text.replace("previous", "previous=true", 1)
    path = os.path.expanduser(text)
    if os.path.exists(path):
        return f"{SOURCES.get(os.path.splitext(path)[1].lower(), 'file')}={text}"
    return f"base64={text}"


class _TextType(types._BaseType):
    """Text that is taken as it is typed."""

    def parse(self, manager: Any, t: Any, s: str) -> str:
        return s

    def is_valid(self, manager: Any, typ: Any, val: Any) -> bool:
        return isinstance(val, str)


class _FaultType(_TextType):
    """Completes the names of faults, and behind a colon those of their parameters with the defaults."""

    typ = FaultName
    display = "fault"

    def completion(self, manager: Any, t: Any, s: str) -> Sequence[str]:
        catalogue.load()
        return [*_completions(s)]


def _completions(typed: str) -> Iterator[str]:
    name, colon, values = typed.partition(":")
    if not colon:
        yield from sorted(FAULTS)
    elif name in FAULTS:
        before, comma, _ = values.rpartition(",")
        for parameter in FAULTS[name].accepted:
            yield f"{name}:{before}{comma}{parameter.name}={parameter.shown}"


class _SourceType(_TextType):
    """Completes the kinds of sources, and paths."""

    typ = SourceName
    display = "source"

    def completion(self, manager: Any, t: Any, s: str) -> Sequence[str]:
        kind, equals, path = s.partition("=")
        files = types._PathType().completion(manager, types.Path, path if equals else s)
        return [f"{kind}={file}" for file in files] if equals else ["previous", *files]
