"""What all generators of committed files share: their arguments, and the comparison with the files."""

import argparse
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mitmproxy.io import FlowReader

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "make generate"


def wants_to_write(module: str, documentation: str | None, arguments: Sequence[str] | None) -> bool:
    """Read the command line of a generator: True for --write, False for --check."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=(documentation or "").split("\n")[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="compare with the committed files")
    mode.add_argument("--write", action="store_true", help="write what is missing or out of date")
    return bool(parser.parse_args(arguments).write)


def settle(made: Mapping[Path, bytes], folders: Iterable[Path] = (), *, write: bool) -> int:
    """Write the files that are out of date, or name them; return 1 if any is and none may be written.

    The folders hold nothing but generated files: any other file there is out of date and gets removed.
    """
    stale: dict[Path, bytes | None] = {path: octets for path, octets in made.items() if not is_current(path, octets)}
    present = {path for folder in folders for path in folder.glob("*")}
    stale |= dict.fromkeys(sorted(present - set(made)))
    for path, octets in stale.items():
        name = path.relative_to(ROOT).as_posix()
        if write and octets is None:
            path.unlink()
            print(f"removed: {name}")
        elif write and octets is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(octets)
            print(f"written: {name}")
        else:
            print(f"out of date: {name}; to write it again: {COMMAND}", file=sys.stderr)
    return 0 if write or not stale else 1


def states(octets: bytes) -> list[dict[str, object]]:
    """Return the state of every flow in a flow file, as this version of mitmproxy reads it."""
    return [flow.get_state() for flow in FlowReader(io.BytesIO(octets)).stream()]


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
