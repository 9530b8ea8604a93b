"""Writes the sample flows and the generated pages, or checks that the committed ones are what would be written.

python -m tests.samples.generate --check
python -m tests.samples.generate --write
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mitmproxy import http
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader, FlowWriter

from ltkm_inspect import explain
from ltkm_inspect.mitm.flows import flow_of
from ltkm_inspect.traffic import Exchange
from tests.samples import change_request, expected, faulted, mbs, reports, trial
from tests.samples.lab import Sample
from tests.samples.packed import StaleError, pack, packed

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "flows"
CATALOGUE = ROOT / "docs/catalogue"
COMMAND = "make generate"


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


def states(octets: bytes) -> list[dict[str, object]]:
    """Return the state of every flow in a flow file, as this version of mitmproxy reads it."""
    return [flow.get_state() for flow in FlowReader(io.BytesIO(octets)).stream() if isinstance(flow, http.HTTPFlow)]


def generated(files: dict[str, list[Sample]]) -> dict[Path, bytes]:
    """Return the octets of every generated file by its path."""
    made = {CATALOGUE / name: text.encode() for name, text in explain.catalogue_pages().items()}
    for file, recorded in files.items():
        titles = [(sample.exchange, sample.title) for sample in recorded]
        made |= _recording_and_text(file, recording(recorded), titles)
        if file == trial.FILE:
            made |= reports.expected(f"flows/{file}", recording(recorded))
    faults = faulted.samples()
    for sample in faults:
        titles = [*zip(sample.clean, sample.titles, strict=True)]
        made |= _recording_and_text(sample.file, written(sample.flows()), titles)
    made[FOLDER / "README.md"] = expected.index(files, faults).encode()
    return made


def _recording_and_text(file: str, octets: bytes, titles: Sequence[tuple[Exchange, str]]) -> dict[Path, bytes]:
    path = FOLDER / file
    return {path: octets, path.with_suffix(".txt"): expected.text(file, octets, titles).encode()}


def is_current(path: Path, octets: bytes) -> bool:
    """Tell whether a file holds what is generated; of flow files the flows count, not the octets."""
    if not path.is_file():
        return False
    committed = path.read_bytes()
    if committed == octets:
        return True
    if path.suffix != ".flow":
        return False
    try:
        return states(committed) == states(octets)
    except Exception:  # damaged in whatever way: mitmproxy raises more than its own exceptions
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 1 where --check finds something out of date."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.samples.generate", description=(__doc__ or "").split("\n")[0]
    )
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="compare with the files that are there")
    mode.add_argument("--write", action="store_true", help="write what is missing or out of date")
    write = parser.parse_args(arguments).write
    try:
        files = samples(pack if write else packed)
    except StaleError as error:
        print(f"{error}; to write it again: {COMMAND}", file=sys.stderr)
        return 1
    made = generated(files)
    stale: dict[Path, bytes | None] = {path: octets for path, octets in made.items() if not is_current(path, octets)}
    # what a subject or a family of faults left that is no more; nothing else is in these folders
    there = {path for folder in (CATALOGUE, FOLDER / faulted.FOLDER) for path in folder.glob("*")}
    stale |= dict.fromkeys(sorted(there - set(made)))
    for path, octets in stale.items():
        name = path.relative_to(ROOT).as_posix()
        if write and octets is None:
            path.unlink()
            print(f"taken away: {name}")
        elif write and octets is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(octets)
            print(f"written: {name}")
        else:
            print(f"out of date: {name}; to write it again: {COMMAND}", file=sys.stderr)
    return 0 if write or not stale else 1


if __name__ == "__main__":
    sys.exit(main())
