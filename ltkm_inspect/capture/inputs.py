"""Names as they are typed, made into files: folders and patterns give the files in them."""

import os
import re
from collections.abc import Iterable, Iterator
from errno import ENOENT
from glob import glob, has_magic
from itertools import batched
from typing import NamedTuple

from ltkm_inspect.capture.damage import NotACaptureError
from ltkm_inspect.capture.sources import STDIN, opened

NO_CAPTURE = "the folder has no flow file, HAR or packet capture; unpack archives first"
NO_MATCH = "no file matches; check the folder and the pattern"


class Input(NamedTuple):
    """One file to read, or why there is none."""

    name: str
    problem: str = ""


def inputs(names: Iterable[str]) -> Iterator[Input]:
    """Yield the files that these names mean, in their order.

    A folder means the captures in it and in its folders, by name, without hidden ones; any other file
    in it is left out. A pattern that the shell did not expand means what it matches, by name.
    """
    for name in names:
        if name != STDIN and not os.path.lexists(name) and has_magic(name):
            matches = sorted(glob(name, recursive=True), key=_order)
            for match in matches:
                yield from _files(match)
            if not matches:
                yield Input(name, NO_MATCH)
        else:
            yield from _files(name)


def _files(name: str) -> Iterator[Input]:
    if name == STDIN or not os.path.isdir(name):
        yield Input(name)
        return
    empty = True
    for found in _in_folder(name):
        empty = False
        yield found
    if empty:
        yield Input(name, NO_CAPTURE)


def _in_folder(folder: str) -> Iterator[Input]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: _order(entry.name))
    except OSError as error:
        yield Input(folder, os.strerror(error.errno or ENOENT))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _in_folder(entry.path)
        elif entry.is_file() and may_be_capture(entry.path):
            yield Input(entry.path)


def _order(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return what orders names as people do: `live.pcap2` comes before `live.pcap10`, as tcpdump -C writes them."""
    parts = re.split(r"([0-9]+)", name)
    return [(text, int(number or -1)) for text, number in batched([*parts, ""], 2)], name


def may_be_capture(path: str) -> bool:
    """Tell whether a file begins like a capture; true for an unreadable one, whose error is reported later."""
    try:
        with opened(path) as source:
            return source.may_be_capture
    except NotACaptureError:
        return False
    except OSError:
        return True
