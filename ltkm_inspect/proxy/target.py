"""A flow file in the making, which stands under its name only when it is whole."""

from typing import Any, Self

from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter

from ltkm_inspect.report.whole import Whole


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
