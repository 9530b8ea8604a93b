"""Writes a flow file, which gets its name only when it is complete."""

from typing import Any, Self

from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter

from ltkm_inspect.output.atomic_file import AtomicFile


class FlowFileWriter(AtomicFile):
    """A flow file in the making: it gets its name when it is whole, and none where it is not to be kept."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._writer: Any = FlowWriter(self.file)  # type: ignore[no-untyped-call]
        return self

    def add(self, flow: Flow) -> None:
        """Write a flow behind the others."""
        self._writer.add(flow)
