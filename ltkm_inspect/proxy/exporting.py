"""The command that hands LTKMs on to other programs from within mitmproxy and mitmweb."""

import logging
from collections.abc import Sequence
from pathlib import Path

from mitmproxy import command, exceptions, types
from mitmproxy.addonmanager import Loader
from mitmproxy.flow import Flow
from mitmproxy.log import ALERT

from ltkm_inspect.export import Export, ExportError, Manner
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.proxy.inspector import Inspector
from ltkm_inspect.traffic import Limits
from ltkm_inspect.wire import printable

logger = logging.getLogger(__name__)

_FORMATS = "ltkm.export.formats"


class Exporting:
    """Writes the LTKMs of flows to a file, in the formats of `ltkm-inspect export`."""

    def __init__(self, inspector: Inspector) -> None:
        """Take what gives the report of a flow, and knows how things are told."""
        self._inspector = inspector

    def offer(self, loader: Loader) -> None:
        """Add the commands to mitmproxy."""
        loader.add_command(_FORMATS, self.formats)
        loader.add_command("ltkm.export", self.export)

    def formats(self) -> Sequence[str]:
        """Return the formats that LTKMs can be exported in."""
        return EXPORT_FORMATS

    @command.argument("format", type=types.Choice(_FORMATS))  # type: ignore[no-untyped-call, untyped-decorator]
    @command.argument("path", type=types.Path)  # type: ignore[no-untyped-call, untyped-decorator]
    def export(self, format: str, path: str, flows: Sequence[Flow]) -> None:
        """Write the LTKMs of flows to a file; for xml the documents that carry them, to a folder."""
        try:
            configuration = self._inspector.configuration
            with Export(format, Path(path), Manner(configuration.keys, configuration.redaction)) as run:
                for flow in flows:
                    report = self._inspector.inspect(flow, Limits(), remember=False)
                    if report is not None:
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
