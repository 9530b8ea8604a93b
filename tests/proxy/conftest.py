"""The fixtures that the tests of the addon share."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter

from ltkm_inspect import reference
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import Exchange
from tests.proxy.parts import Origin, Save


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An origin server for one test."""
    server = Origin()
    yield server
    server.close()


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """A function that writes exchanges or flows to a flow file and returns its path."""

    def write(flows: Iterable[Exchange | Flow]) -> Path:
        path = tmp_path / "some.flow"
        with path.open("wb") as file:
            writer = FlowWriter(file)  # type: ignore[no-untyped-call]
            for number, flow in enumerate(flows):
                if isinstance(flow, Exchange):
                    flow = flow_of(replace(flow, started=reference.STARTED + number, ended=reference.STARTED + number))
                writer.add(flow)
        return path

    return write
