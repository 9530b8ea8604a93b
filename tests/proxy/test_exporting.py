"""The command that exports LTKMs from within mitmproxy."""

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import command, exceptions
from mitmproxy.flow import Flow
from mitmproxy.test import taddons, tflow

from ltkm_inspect import reference
from ltkm_inspect.input import from_file
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.options.table import EXPORT_FORMATS
from ltkm_inspect.proxy import commands as flow_commands
from ltkm_inspect.proxy.addon import LtkmInspect
from tests.proxy.parts import clean, flawed


class Chosen:
    """Knows flows by a word, as the view of mitmproxy does."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []

    @command.command("view.flows.resolve")  # type: ignore[untyped-decorator]
    def resolve(self, spec: str) -> Sequence[Flow]:
        """Return the flows, whatever the word."""
        return self.flows


@pytest.fixture
def stage(caplog: pytest.LogCaptureFixture) -> Iterator[tuple[Any, Chosen]]:
    """The addon in mitmproxy, with an addon that resolves flows."""
    caplog.set_level(logging.INFO)
    with taddons.context() as context:  # type: ignore[no-untyped-call]
        addon, chosen = LtkmInspect(), Chosen()
        context.master.addons.add(addon, chosen)
        context.configure(addon, ltkm_strict=False)
        yield context.master.commands, chosen
        addon.done()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == flow_commands.__name__]


@pytest.mark.parametrize("name", ["base64", "pcap", "pcapng"])
def test_the_ltkms_of_flows_are_written_to_a_file(
    stage: tuple[Any, Chosen], tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    commands, chosen = stage
    chosen.flows = [flow_of(clean()), tflow.tflow(resp=True), tflow.tdnsflow(), flow_of(flawed())]
    path = tmp_path / "out with a space"
    commands.execute(f"ltkm.export {name} '{path}' @all")
    messages = [ltkm.octets for each in (clean(), flawed()) for ltkm in each.document.ltkms]  # type: ignore[union-attr]
    assert [given.octets for given in from_file(path.read_bytes(), "x")] == messages
    assert said(caplog) == [f"ltkm: 2 of 2 LTKMs in 2 MSK exchanges written to {path}"]


def test_a_response_beyond_the_limit_of_live_traffic_is_written_in_full(
    stage: tuple[Any, Chosen], tmp_path: Path
) -> None:
    grants = [replace(reference.FIRST, counter=number) for number in range(300)]
    items = [(grant, "200 OK", reference.ltkm(grant)) for grant in grants]
    commands, chosen = stage
    chosen.flows = [flow_of(reference.exchange([reference.FIRST.msk_id], items))]
    commands.execute(f"ltkm.export csv {tmp_path / 'out.csv'} @all")
    with (tmp_path / "out.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 300


def test_documents_go_to_a_folder(stage: tuple[Any, Chosen], tmp_path: Path) -> None:
    commands, chosen = stage
    chosen.flows = [flow_of(clean())]
    commands.execute(f"ltkm.export xml {tmp_path / 'out'} @all")
    response = clean().response
    assert response is not None
    assert (tmp_path / "out" / "000001.xml").read_bytes() == response.body


def test_formats_and_paths_are_completed(stage: tuple[Any, Chosen], tmp_path: Path) -> None:
    commands, _ = stage
    assert commands.execute("ltkm.export.formats") == EXPORT_FORMATS
    parts, _ = commands.parse_partial("ltkm.export csv ")
    assert [part.valid for part in parts if part.value == "csv"] == [True]
    parts, _ = commands.parse_partial("ltkm.export cvs ")
    assert [part.valid for part in parts if part.value == "cvs"] == [False]


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("cvs", "out", "Invalid choice"),
        ("csv", "no/such/out", "No such file or directory"),
        ("csv", ".", "Is a directory"),
    ],
)
def test_what_cannot_be_written_is_an_error_of_one_line(
    stage: tuple[Any, Chosen], tmp_path: Path, name: str, path: str, reason: str
) -> None:
    commands, chosen = stage
    chosen.flows = [flow_of(clean())]
    with pytest.raises(exceptions.CommandError, match=reason) as refused:
        commands.execute(f"ltkm.export {name} {tmp_path / path} @all")
    assert "\n" not in str(refused.value)
    assert [*tmp_path.iterdir()] == []


def test_where_there_is_nothing_to_write_that_is_said(stage: tuple[Any, Chosen], tmp_path: Path) -> None:
    commands, chosen = stage
    chosen.flows = [tflow.tflow(resp=True)]
    with pytest.raises(exceptions.CommandError, match="no MSK exchange was seen, so nothing was written"):
        commands.execute(f"ltkm.export csv {tmp_path / 'out'} @all")
    assert [*tmp_path.iterdir()] == []


def test_redaction_holds_for_what_is_exported_from_the_proxy(stage: tuple[Any, Chosen], tmp_path: Path) -> None:
    commands, chosen = stage
    chosen.flows = [flow_of(clean())]
    commands.master.options.update(ltkm_redact=True)
    commands.execute(f"ltkm.export csv {tmp_path / 'out.csv'} @all")
    assert reference.B_TID not in (tmp_path / "out.csv").read_text()
    with pytest.raises(exceptions.CommandError, match="expected csv or json, got pcap"):
        commands.execute(f"ltkm.export pcap {tmp_path / 'out.pcap'} @all")
