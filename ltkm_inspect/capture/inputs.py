"""Names as they are typed, made into files: folders and patterns give the files in them."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from errno import ENOENT
from glob import glob, has_magic
from itertools import batched
from typing import TYPE_CHECKING, NamedTuple

from ltkm_inspect.capture.damage import NotACaptureError
from ltkm_inspect.capture.sources import STDIN, may_begin_capture, opened
from ltkm_inspect.wire.urls import is_url, shown_name

if TYPE_CHECKING:
    from ltkm_inspect.capture.listing import Listing

NO_CAPTURE = "the folder has no flow file, HAR or packet capture; unpack archives first"
_START = 1 << 10
"""How many octets of a file elsewhere mostly tell what it is."""
_CAPTURE_NAME = re.compile(r"\.(?:flows?|har|zhar|pcap\d*|pcapng\d*)(?:\.(?:gz|zst))?$").search
"""Names of files elsewhere that are not looked into: of ten thousand keys in a bucket, that would take a while."""
NO_MATCH = "no file matches; check the folder and the pattern"


class Input(NamedTuple):
    """One file to read, or why there is none."""

    name: str
    """As it is shown: without the secrets in a URL."""
    problem: str = ""
    url: str = ""
    """Where it is; empty for a file on this machine."""
    size: int | None = None
    """In octets, of a file that is elsewhere; None if nobody tells."""

    @property
    def location(self) -> str:
        """The path or URL to open it by, which may have secrets in it."""
        return self.url or self.name

    @property
    def has_secret(self) -> bool:
        """Its URL has what is not shown, such as a password."""
        return self.url not in ("", self.name)

    @property
    def octets(self) -> int | None:
        """How many octets there are to read, as far as that is known; None for what is no file."""
        if self.url:
            return self.size or 0
        if self.name == STDIN:
            return None
        try:
            status = os.stat(self.name)
        except OSError:
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    @property
    def is_empty(self) -> bool:
        """It is a file without an octet."""
        return self.size == 0 if self.url else os.path.isfile(self.name) and not os.path.getsize(self.name)


def inputs(names: Iterable[str]) -> Iterator[Input]:
    """Yield the files that these names mean, in their order.

    A folder means the captures in it and in its folders, by name, without hidden ones; any other file
    in it is left out. A pattern that the shell did not expand means what it matches, by name. The same
    applies to URLs, of which a folder is what begins with the same path.
    """
    for name in names:
        if is_url(name):
            yield from _elsewhere(name)
        elif name != STDIN and not os.path.lexists(name) and has_magic(name):
            matches = sorted(glob(name, recursive=True), key=_order)
            for match in matches:
                yield from _files(match)
            if not matches:
                yield Input(name, NO_MATCH)
        else:
            yield from _files(name)


def _elsewhere(url: str) -> Iterator[Input]:
    """Yield the files that a URL means."""
    from ltkm_inspect.capture.listing import listing  # other files are read without fsspec

    name, empty = shown_name(url), True
    try:
        found = listing(url)
        for each in _in_listing(found):
            empty = False
            yield each
    except OSError as error:
        yield Input(name, str(error.strerror), url)
        return
    if empty:
        yield Input(name, NO_MATCH if found.kind == "pattern" else NO_CAPTURE, url)


def _in_listing(found: "Listing") -> Iterator[Input]:
    from ltkm_inspect.capture.listing import listing, starts

    entries = found.entries
    if found.kind == "folder":
        visible = [each for each in entries if each.size != 0 and "/." not in each.url[len(found.url) - 1 :]]
        entries = sorted(visible, key=lambda each: [_order(part) for part in each.url.split("/")])
        unsure = [each for each in entries if not _CAPTURE_NAME(each.url)]
        others = {
            each for each, start in zip(unsure, starts(unsure, _START), strict=True) if _is_other(each.url, start)
        }
        entries = [each for each in entries if each not in others]
    elif found.kind == "pattern":
        visible = [each for each in entries if "/." in found.url or "/." not in each.url]  # as here
        entries = sorted(visible, key=lambda each: _order(each.url))
    for each in entries:
        if each.is_folder:
            yield from _in_listing(listing(f"{each.url}/"))
        else:
            yield Input(shown_name(each.url), url=each.url, size=each.size)


def _is_other(url: str, start: bytes | None) -> bool:
    """Tell by its first octets whether a file elsewhere is certainly no capture, as `may_be_capture` does."""
    may_be = True if start is None else may_begin_capture(start)
    return not (may_be_capture(url) if may_be is None else may_be)


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


def may_be_capture(location: str) -> bool:
    """Tell whether a file begins like a capture; true for an unreadable one, whose error is reported later."""
    try:
        with opened(location) as source:
            return source.may_be_capture
    except NotACaptureError:
        return False
    except OSError:
        return True
