"""Writes the sample flows and the generated pages, or checks that the committed ones are what would be written.

python -m tests.samples.generate --check
python -m tests.samples.generate --write
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from click.testing import CliRunner
from mitmproxy.flow import Flow
from mitmproxy.io import FlowWriter

from ltkm_inspect import explain
from ltkm_inspect.cli.program import commands
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import Event
from ltkm_inspect.wire import time_text
from tests.generated import COMMAND, ROOT, settle, wants_to_write
from tests.samples import change_request, expected, faulted, mbs, packets, reports, trial
from tests.samples.lab import Sample
from tests.samples.packed import StaleError, pack, packed

FOLDER = ROOT / "flows"
CATALOGUE = ROOT / "docs/catalogue"


def samples(fixture: Callable[[str, bytes], bytes] = packed) -> dict[str, list[Sample]]:
    """Return the samples of every file by its name; StaleError where a committed fixture does not fit."""
    return {
        trial.FILE: trial.samples(fixture),
        change_request.FILE: change_request.samples(),
        mbs.FILE: mbs.samples(),
    }


def recording(samples: Iterable[Sample]) -> bytes:
    """Return these samples as the octets of a flow file."""
    return written(flow_of(sample.exchange) for sample in samples)


def written(flows: Iterable[Flow]) -> bytes:
    """Return these flows as the octets of a flow file."""
    buffer = io.BytesIO()
    writer = FlowWriter(buffer)  # type: ignore[no-untyped-call]
    for flow in flows:
        writer.add(flow)
    return buffer.getvalue()


def generated(files: dict[str, list[Sample]]) -> dict[Path, bytes]:
    """Return the octets of every generated file by its path."""
    made = {CATALOGUE / name: text.encode() for name, text in explain.catalogue_pages().items()}
    for file, recorded in files.items():
        titles: list[tuple[Event, str]] = [(sample.exchange, sample.title) for sample in recorded]
        made |= _recording_and_text(file, recording(recorded), titles)
        if file == trial.FILE:
            made |= _packets(recorded)
            made[FOLDER / trial.KEYS] = trial.key_ring().encode()
            made |= reports.expected(f"flows/{file}", recording(recorded))
    faults = faulted.samples()
    for sample in faults:
        titles = [*zip(sample.clean, sample.titles, strict=True)]
        made |= _recording_and_text(sample.file, written(sample.flows()), titles)
    made[FOLDER / "README.md"] = expected.index(files, packets.samples(), faults).encode()
    return made


def _recording_and_text(file: str, octets: bytes, titles: Sequence[tuple[Event, str]]) -> dict[Path, bytes]:
    path = FOLDER / file
    return {path: octets, path.with_suffix(".txt"): expected.text(file, octets, titles).encode()}


def _packets(recorded: Sequence[Sample]) -> dict[Path, bytes]:
    path, octets = FOLDER / packets.FILE, packets.recording(recorded)
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, packets.FILE)
        capture.write_bytes(octets)
        printed = CliRunner().invoke(commands, ["check", "--isolated", str(capture)]).stdout.splitlines()
    titles = {(time_text(sample.exchange.started) or "")[11:]: sample.title for sample in reversed(recorded)}
    titles |= {(time_text(each.at) or "")[11:]: each.title for each in packets.samples()}
    return {
        path: octets,
        path.with_name(f"{path.name}.txt"): expected.packet_text(packets.FILE, printed, titles).encode(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 where --check finds something out of date."""
    write = wants_to_write("tests.samples.generate", __doc__, arguments)
    try:
        files = samples(pack if write else packed)
    except StaleError as error:
        print(f"{error}; to write it again: {COMMAND}", file=sys.stderr)
        return 1
    # what a subject or a family of faults left that is no more; nothing else is in these folders
    return settle(generated(files), [CATALOGUE, FOLDER / faulted.FOLDER], write=write)


if __name__ == "__main__":
    sys.exit(main())
