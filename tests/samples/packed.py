"""Compressed fixtures as committed octets, so that no version of a compressor changes a sample."""

import gzip
from pathlib import Path

FOLDER = Path(__file__).parent / "packed"


class StaleError(Exception):
    """A committed fixture does not hold what it should; the message names it."""


def packed(name: str, content: bytes) -> bytes:
    """Return the committed gzip of that name; StaleError where it does not hold this content."""
    path = FOLDER / name
    octets = path.read_bytes() if path.exists() else b""
    if not octets or gzip.decompress(octets) != content:
        raise StaleError(f"{path.relative_to(FOLDER.parents[2])} does not hold what it should")
    return octets


def pack(name: str, content: bytes) -> bytes:
    """Return the committed gzip of that name, made anew where it does not hold this content."""
    try:
        return packed(name, content)
    except StaleError:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_bytes(gzip.compress(content, mtime=0))
        return packed(name, content)
